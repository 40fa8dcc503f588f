"""The claims about learning, on runs of a minute: what is compared, and that it is learned at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stratagym.baselines import aggregate, study
from stratagym.baselines.claims import graph_transfer, learning
from stratagym.baselines.metrics import Interval
from stratagym.baselines.suites import EnvironmentSpec, InputError

QUICK = study.Study(
    "quick", "a test",
    tuple(EnvironmentSpec(f"stratagym/{name}-v0", {"size": "small"}) for name in ("Household", "Graph")),
    ("maskable_ppo",), 2,
    {
        "maskable_ppo": {
            "view": "graph", "total_steps": 12288, "instances": 120, "n_steps": 32, "batch_size": 256,
            "n_epochs": 3, "learning_rate": 2e-3, "gamma": 1.0, "eval_every": 20000, "eval_episodes": 20,
        }
    },
    test_episodes=20, held_out={"split": "test", "instances": 110},
)  # fmt: skip


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a study that is run to its end."""
    folder = tmp_path_factory.mktemp("learning") / "quick"
    study.run_study(QUICK, folder)
    return folder


def test_trained_agents_are_ahead_of_untrained_ones(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve thousand steps lift the success on tasks that no run has seen, pair by pair."""
    monkeypatch.setattr(study, "load_study", lambda name: QUICK)
    figures = learning.measure(quick, ("greedy", "grprop"))
    assert list(figures) == [spec.label for spec in QUICK.environments]
    for found in figures.values():
        assert found["episodes"] == 20
        assert found["seeds"] == [0, 1]
        assert found["trained <= reference in every episode"]
        assert found["success"]["trained"].mean > found["success"]["untrained"].mean
        assert set(found["trained is ahead of"]) == {"untrained", "random", "greedy", "grprop"}
    assert figures["stratagym/Household-v0:size=small"]["untrained < trained"]
    assert learning.table(figures).count("| Household |") == 2


def test_what_is_learned_on_small_graphs_plays_larger_ones(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On graphs of twice the size the trained agents are ahead of random play and of themselves untrained."""
    monkeypatch.setattr(study, "load_study", lambda name: QUICK)
    found = graph_transfer.transfer(quick, ("greedy",), 12)
    assert found["episodes"] == 12
    for other in ("untrained", "random"):
        assert found["trained is ahead of"][other]["value"].mean > 0
    assert found["success"]["trained"].mean > 0


def test_a_study_without_a_finished_run_is_not_measured(tmp_path: Path) -> None:
    """What is not there is named, and not left out silently."""
    (tmp_path / study.ASKED).write_text('{"name": "abstract"}')
    with pytest.raises(InputError, match="no finished run of stratagym/JobShop-v0"):
        learning.measure(tmp_path)
    with pytest.raises(InputError, match="no finished run of stratagym/Graph-v0"):
        graph_transfer.transfer(tmp_path)


def rows(values: Any, first: int = 0) -> Any:
    """Return rows of one agent, one episode on each of some tasks."""
    return [
        {"episode": k, "seed": k, "task": f"t{k + first}", "value": v, "success": v > 0}
        for k, v in enumerate(values)
    ]


def test_pairs_are_compared() -> None:
    """A rule that is behind by the same everywhere is beaten for certain, however tasks differ."""
    runs = [{"trained": rows([0.5, 0.9, 0.1]), "untrained": rows([0.0, 0.0, 0.0])}] * 2
    others = {"random": rows([0.0, 0.0, 0.0]), "x": rows([0.4, 0.8, 0.0]), "y": rows([0.6, 0.7, 0.1])}
    found = learning.compare(learning.gather(runs, others), ("x", "y"))
    assert found["best rule"] == "y"
    ahead = found["trained is ahead of"]
    assert ahead["x"]["value"].low == pytest.approx(0.1)
    assert ahead["x"]["value"].high == pytest.approx(0.1)
    assert ahead["y"]["value"].low < 0 < ahead["y"]["value"].high
    assert not found["beats every rule"]
    with pytest.raises(InputError, match="same episodes"):
        learning.gather(runs, {"x": rows([0.4, 0.8, 0.0], first=1)})


def ends(found: Interval) -> tuple[float, float]:
    """Return the ends of an interval that has some."""
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def test_runs_and_instances_are_drawn_anew() -> None:
    """Differences between runs widen an interval, and so do differences between instances."""
    rng = np.random.default_rng(0)
    level = np.full((5, 40), 0.5)
    by_run = level + rng.normal(0, 0.2, (5, 1))
    by_task = level + rng.normal(0, 0.2, (1, 40))
    tasks = [str(k) for k in range(40)]
    same, runs, instances = (ends(aggregate.crossed(v, tasks)) for v in (level, by_run, by_task))
    assert same == pytest.approx((0.5, 0.5))
    for values, (low, high) in ((by_run, runs), (by_task, instances)):
        assert low < values.mean() < high
    assert runs[1] - runs[0] > instances[1] - instances[0]
    # An instance's episodes are no further instances.
    twice = ends(aggregate.crossed(np.repeat(by_task, 2, axis=1), [t for t in tasks for _ in "ab"]))
    assert twice == pytest.approx(instances)
