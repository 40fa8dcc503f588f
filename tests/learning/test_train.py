"""A run: what it leaves, how it goes on after a kill, what it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stratagym.baselines import train
from stratagym.baselines.cli import run
from stratagym.baselines.evaluate import evaluate
from stratagym.baselines.learning import checkpoint, demonstrations, trained
from stratagym.baselines.suites import InputError, parse_environment
from training_settings import ENV, ENV_OF, SETTINGS, SHORT, WORLD


def weights_of(folder: Path) -> dict[str, Any]:
    """Return the weights that a run ended with."""
    found: dict[str, Any] = checkpoint.load_tensors(folder / "final" / checkpoint.POLICY)
    return found


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Return whether two sets of weights are equal, bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("method", SETTINGS)
def test_a_run_that_stops_goes_on_as_if_it_had_not(method: str, tmp_path: Path) -> None:
    """Stopped half-way and resumed, a run ends with the weights and rows of one that was not."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    changes, env = SETTINGS[method], ENV_OF[method]
    train.train(method, env, whole, changes=changes, test_episodes=0)

    class Stop(Exception):
        pass

    calls = 0

    def stop(done: int, total: int, row: Any) -> None:
        nonlocal calls
        calls += 1
        if done > total * 0.6:
            raise Stop

    with pytest.raises(Stop):
        train.train(method, env, broken, changes=changes, test_episodes=0, progress=stop)
    assert calls
    assert list((broken / "checkpoints").glob("step-*"))
    assert not (broken / "final").exists()
    train.train(method, env, broken, changes=changes, test_episodes=0, resume=True)
    assert same(weights_of(whole), weights_of(broken))
    assert (whole / train.ROWS).read_text() == (broken / train.ROWS).read_text()


def test_seeds_make_runs_differ(tmp_path: Path) -> None:
    """The same seed trains the same weights, another seed others."""
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train.train("maskable_ppo", ENV, tmp_path / name, seed=seed, changes=SHORT, test_episodes=0)
    a, b, c = (weights_of(tmp_path / name) for name in "abc")
    assert same(a, b)
    assert not same(a, c)


def test_what_a_run_leaves(tmp_path: Path) -> None:
    """A run leaves an agent that the evaluation loads by its path, its rows and its report."""
    folder = tmp_path / "run"
    said = train.train("maskable_ppo", ENV, folder, changes=SHORT, test_episodes=6)
    assert said["folder"] == str(folder)
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert {row["agent"] for row in rows} == {str(folder), str(folder / train.FIRST), "random"}
    assert len(rows) == 18
    assert (folder / "report.md").is_file()
    done = json.loads((folder / train.DONE).read_text())
    assert done["success"] == pytest.approx(
        np.mean([r["success"] for r in rows if r["agent"] == str(folder)])
    )
    assert any((folder / "tensorboard").iterdir())
    again = evaluate([f"{ENV},split=test"], [str(folder)], 6)
    mine = [r for r in again.rows if r["agent"] == str(folder)]
    assert [r["time"] for r in mine] == [r["time"] for r in rows if r["agent"] == str(folder)]


def test_what_is_refused(tmp_path: Path) -> None:
    """A folder in use, another run, a wrong environment or start are refused, and leave nothing behind."""
    folder = tmp_path / "run"
    train.train("ppo", ENV, folder, changes=SHORT, test_episodes=0)
    for kwargs, words in (
        ({"resume": False}, "holds a run already"),
        ({"resume": True, "seed": 4}, "this run has seed=0, not 4"),
        ({"resume": True, "changes": {**SHORT, "gamma": 0.5}}, "this run has gamma=0.99, not 0.5"),
    ):
        with pytest.raises(InputError, match=words):
            train.train("ppo", ENV, folder, **{"changes": SHORT, "test_episodes": 0, **kwargs})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="this run has method='ppo'"):
        train.train("maskable_ppo", ENV, folder, changes=SHORT, resume=True)
    fresh = tmp_path / "fresh"
    for env, changes, words in (
        ("stratagym/Cookin-v0", {}, "did you mean stratagym/Cooking-v0"),
        ("stratagym/Cooking-v0:size=tiny", {}, "'tiny' is not one of"),
        (ENV, {"view": "graph"}, "needs a policy over masks"),
        (ENV, {"batch_size": 100}, "does not divide"),
    ):
        with pytest.raises(InputError, match=words):
            train.train("ppo", env, fresh, changes={**SHORT, **changes}, test_episodes=0)
        assert not fresh.exists()
    with pytest.raises(InputError, match="no trained agent there"):
        train.train("ppo", ENV, fresh, changes=SHORT, start=str(tmp_path / "nothing"), test_episodes=0)


def task_folder(folder: Path, subtasks: int) -> str:
    """Write a folder with one task, a chain of subtasks, and return its path."""
    folder.mkdir()
    chain = {f"s{k}": {"duration": 1, **({"needs": f"s{k - 1}"} if k else {})} for k in range(subtasks)}
    (folder / "task.yaml").write_text(json.dumps({"subtasks": chain, "goal": f"s{subtasks - 1}"}))
    return str(folder)


@pytest.mark.parametrize(
    ("method", "env", "kwargs", "words"),
    [
        ("ppo", ENV, {"resume": True}, "there is no run to resume"),
        ("ppo", ENV, {"device": "cda", "test_episodes": 0}, "'cda' cannot be used here"),
        ("ppo", ENV, {"device": "meta", "test_episodes": 0}, "'meta' cannot be used here"),
        ("ppo", ENV, {"against": ("rndom",)}, "there is no agent 'rndom'; nearest: random"),
        ("skill_ppo", WORLD, {"changes": {"planner": "nosuch"}}, "planner: there is no agent 'nosuch'"),
        ("hppo", WORLD, {"changes": {"skills": "nosuch"}}, "there is no skill 'nosuch'"),
        ("maskable_ppo", "3", {"held_out": "4"}, "4 cannot be tested, seed 0: the task has 4 subtasks"),
    ],
)
def test_what_cannot_end_well_is_not_begun(
    method: str, env: str, kwargs: dict[str, Any], words: str, tmp_path: Path
) -> None:
    """Mistakes that would show after training are told before it; nothing is left behind."""
    tasks = {str(n): task_folder(tmp_path / str(n), n) for n in (3, 4)}
    given = {**kwargs, "changes": {**SHORT, **kwargs.get("changes", {})}}
    if "held_out" in given:
        given["held_out"] = tasks[given["held_out"]]
    with pytest.raises(InputError, match=words):
        train.train(method, tasks.get(env, env), tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_whole_rollouts_are_played_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 200 steps 256 are played, and progress counts to 256; without a test the validation is told."""
    told: list[tuple[int, int]] = []
    said = train.train("ppo", ENV, tmp_path / "run", changes={**SHORT, "total_steps": 200}, test_episodes=0,
                       progress=lambda done, total, row: told.append((done, total)))  # fmt: skip
    assert said["steps"] == 256
    assert told[-1] == (256, 256)
    assert all(total == 256 for _, total in told)
    short = [f"--set={key}={json.dumps(value)}" for key, value in SHORT.items()]
    asked = ["train", "ppo", ENV, "--out", str(tmp_path / "cli"), *short, "--set", "total_steps=128"]
    assert run([*asked, "--test-episodes", "0"]) == 0
    share = json.loads((tmp_path / "cli" / train.DONE).read_text())["validation"]
    assert capsys.readouterr().out.endswith(f"cli: {share:.0%} of the validation episodes succeed\n")
    assert run([*asked, "--test-episodes", "1", "--resume"]) == 0
    assert "% of the test episodes; see" in capsys.readouterr().out


def test_a_finished_clone_that_is_resumed_says_how_it_ended(tmp_path: Path) -> None:
    """With nothing left to learn, the last measurement is the one that was kept."""
    changes = SETTINGS["bc"]
    first = train.train("bc", ENV, tmp_path / "run", changes=changes, test_episodes=0)
    again = train.train("bc", ENV, tmp_path / "run", changes=changes, test_episodes=0, resume=True)
    assert again["validation"] == first["validation"]
    assert (again["steps"], again["agreement"]) == (20, first["agreement"])


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    """A pickle that would run code where weights are expected is refused, and nothing runs."""
    folder = tmp_path / "run"
    train.train("ppo", ENV, folder, changes=SHORT, test_episodes=0)
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(marker),)

    torch.save({"x": Evil()}, folder / "best" / checkpoint.POLICY)
    with pytest.raises(InputError, match="safely"):
        trained.load(folder)
    assert not marker.exists()
    (folder / "best" / checkpoint.AGENT).write_text("{}")
    with pytest.raises(InputError, match="lacks version"):
        trained.load(folder)


def test_cloning_learns_what_it_is_shown(tmp_path: Path) -> None:
    """A clone agrees with its teacher on most steps, more than at first; PPO may start from it."""
    folder = tmp_path / "clone"
    changes = {"teacher": "critical_path", "episodes": 12, "epochs": 30, "eval_episodes": 8}
    said = train.train("bc", ENV, folder, changes=changes, test_episodes=0)
    assert said["agreement"] > 0.75
    on = tmp_path / "on"
    train.train("maskable_ppo", ENV, on, changes={**SHORT, "net": [256, 256], "total_steps": 128},
                start=str(folder), test_episodes=0)  # fmt: skip
    first = json.loads((on / train.ROWS).read_text().splitlines()[0])
    fresh = tmp_path / "fresh"
    train.train(
        "maskable_ppo", ENV, fresh, changes={**SHORT, "net": [256, 256], "total_steps": 128}, test_episodes=0
    )
    assert first["return"] > json.loads((fresh / train.ROWS).read_text().splitlines()[0])["return"]


def test_demonstrations_survive_a_file(tmp_path: Path) -> None:
    """Demonstrations come back as they were; each action was allowed; a damaged file is refused."""
    from stratagym.agents.zoo import make_agent

    env = parse_environment(ENV).make()
    demos = demonstrations.collect(env, make_agent("greedy"), range(3))
    path = tmp_path / "demos.npz"
    demonstrations.save(path, demos)
    again = demonstrations.load(path)
    assert np.array_equal(again.actions, demos.actions)
    assert all(np.array_equal(again.shown[key], demos.shown[key]) for key in demos.shown)
    assert demos.masks[np.arange(len(demos)), demos.actions[:, 0]].all()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="no demonstrations that can be read"):
        demonstrations.load(path)


def test_a_folder_of_tasks_is_an_environment(tmp_path: Path) -> None:
    """A folder of task files is a training set; another one is held out."""
    for folder, longest in (("some", 3), ("others", 4)):
        (tmp_path / folder).mkdir()
        for k in range(1, longest):
            subtasks = f"{{a: {{duration: {k}}}, b: {{needs: a}}, c: {{duration: 2, attended: 0}}}}"
            text = f"subtasks: {subtasks}\ngoal: b & c\n"
            (tmp_path / folder / f"{k}.yaml").write_text(text)
    run = tmp_path / "run"
    train.train("maskable_ppo", str(tmp_path / "some"), run, changes={**SHORT, "total_steps": 256},
                held_out=str(tmp_path / "others"), test_episodes=6)  # fmt: skip
    rows = [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]
    assert {row["env"] for row in rows} == {str(tmp_path / "others")}
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no task file there"):
        train.train("ppo", str(tmp_path / "none"), tmp_path / "x", changes=SHORT)
