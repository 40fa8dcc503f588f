"""Studies: every run once, whatever is killed; one page of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratagym.baselines import plots, study, study_page, train
from stratagym.baselines.suites import EnvironmentSpec, InputError
from training_settings import SHORT

TINY = study.Study(
    "tiny", "a test", (EnvironmentSpec("stratagym/Cooking-v0", {"size": "small"}),),
    ("maskable_ppo", "bc"), 2,
    {
        "maskable_ppo": {**SHORT, "total_steps": 256},
        "bc": {"teacher": "greedy", "episodes": 3, "epochs": 10, "eval_episodes": 4},
    },
    test_episodes=4,
)  # fmt: skip


@pytest.mark.parametrize("name", study.study_names())
def test_every_frozen_study_can_be_read(name: str) -> None:
    """The shipped studies name methods and environments that exist, with settings that are right."""
    from stratagym.baselines.methods import load_settings

    found = study.load_study(name)
    for method in found.methods:
        for spec in found.environments:
            load_settings(method, spec.label, study.settings_of(found, method, spec))
    for spec in found.environments:
        spec.make().close()


def test_an_environment_has_settings_of_its_own() -> None:
    """What a study says of one environment wins over what it says of the method."""
    first, second = TINY.environments[0], EnvironmentSpec("stratagym/Graph-v0", {"size": "small"})
    both = replace(TINY, environments=(first, second), own={second.label: {"total_steps": 512}})
    steps = {
        (job.spec.label, job.method): job.changes.get("total_steps") for job in study.jobs_of(both, Path())
    }
    assert steps[first.label, "maskable_ppo"] == 256
    assert steps[second.label, "maskable_ppo"] == 512
    held = replace(both, held_out={"split": "test", "instances": 7})
    options = [job.held_out.options for job in study.jobs_of(held, Path()) if job.held_out is not None]
    assert options == [{"size": "small", "split": "test", "instances": 7}] * len(study.jobs_of(held, Path()))


def test_a_study_that_stops_goes_on(tmp_path: Path) -> None:
    """Stopped after its first run, a study plays the others and none twice."""
    out = tmp_path / "study"

    class Stop(Exception):
        pass

    def stop(done: int, total: int, last: str) -> None:
        if done == 1:
            raise Stop

    with pytest.raises(Stop):
        study.run_study(TINY, out, progress=stop)
    with pytest.raises(InputError, match="holds a study already"):
        study.run_study(TINY, out)
    (first,) = out.glob(f"{study.RUNS}/*/{train.DONE}")
    stamp = first.stat().st_mtime_ns
    seen: list[tuple[int, int]] = []
    summary = study.run_study(
        TINY, out, resume=True, progress=lambda done, total, last: seen.append((done, total))
    )
    assert first.stat().st_mtime_ns == stamp
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    (methods,) = summary["environments"].values()
    assert {m: len(v["score"]["seeds"]) for m, v in methods.items()} == {"maskable_ppo": 2, "bc": 2}
    page = (out / "page.md").read_text()
    assert "maskable_ppo" in page
    for picture in ("curves.png", "scores.png"):
        assert (out / picture).read_bytes()[:4] == b"\x89PNG"
    assert json.loads((out / "summary.json").read_text())["study"] == "tiny"


def test_figures_of_runs() -> None:
    """Summaries hold means over seeds, and interquartile means where every environment has a score."""
    runs: list[dict[str, Any]] = [
        {
            "env": env,
            "method": method,
            "seed": seed,
            "success": 0.5,
            "score": score + seed / 10,
            "cpu_seconds": 36.0,
        }
        for env in ("a", "b")
        for method, score in (("x", 0.5), ("y", 0.1))
        for seed in range(3)
    ]
    summary = study_page.summarise(runs)
    assert summary["environments"]["a"]["x"]["score"]["mean"] == pytest.approx(0.6)
    assert summary["iqm"]["y"]["mean"] == pytest.approx(0.2)
    assert summary["cpu_hours"] == pytest.approx(0.12)
    assert {(p["of"], p["over"]): p["mean"] for p in summary["improvement"]} == {
        ("x", "y"): 1.0,
        ("y", "x"): 0.0,
    }


def test_colours_are_told_apart() -> None:
    """Methods differ in colour and line style, the same in every picture."""
    methods = ["ppo", "maskable_ppo", "dqn", "recurrent_ppo", "hppo", "skill_ppo", "bc"]
    styles = plots.style_of(methods)
    assert styles == plots.style_of(list(reversed(methods)))
    assert len({s["color"] for s in styles.values()}) == len(methods)
    assert len({str(s["linestyle"]) for s in styles.values()}) == len(methods)


def test_plot_refuses_what_is_no_run(tmp_path: Path) -> None:
    """A folder without a run is named."""
    with pytest.raises(InputError, match="no run of 'stratagym train'"):
        plots.learning_curves([tmp_path], tmp_path / "x.png")
