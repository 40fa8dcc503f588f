"""Rebuilding a lane from a view."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import stratagym  # noqa: F401  (registers the ids)
from stratagym.envs.task.generate import generate
from stratagym.envs.task.knobs import Knobs
from stratagym.envs.task.resume import resume
from stratagym.envs.task.simulate import Simulator

SMALL: dict[str, Any] = {"number": 10, "depth": 4, "width": 4, "distractors": 2}
KNOBS = {
    "windows": Knobs(
        **SMALL, deadlines=0.4, dues=0.3, max_lags=0.4, min_lags=0.3, releases=0.2, dispatched=0.4
    ),
    "team": Knobs(**SMALL, agents=3, joint=0.3, skills=2, attended=0.3),
    "items": Knobs(**SMALL, items=3, modes=0.4),
    "formulas": Knobs(**SMALL, constraints=3),
}


def look(simulator: Simulator) -> tuple[Any, ...]:
    """Return all that can be seen of a simulator."""
    seen = (simulator.time, simulator.over, simulator.success, simulator.status(), simulator.tardiness)
    return (*seen, simulator.mask().tolist(), simulator.free(), simulator.stock())


def act(rng: np.random.Generator, mask: Any) -> list[int]:
    """Draw an allowed action for each agent, waiting included."""
    return [int(rng.choice(np.flatnonzero(row))) for row in mask]


@pytest.mark.parametrize("kind", list(KNOBS))
@pytest.mark.parametrize("seed", range(6))
def test_a_rebuilt_lane_goes_on_like_the_true_one(kind: str, seed: int) -> None:
    """From every third decision on, the rebuilt and the exact lane agree to the end of random play."""
    rng = np.random.default_rng(seed)
    env = gymnasium.make("stratagym/Task-v0", task=generate(KNOBS[kind], seed), clock="tick")
    world: Any = env.unwrapped
    env.reset(seed=seed)
    over, k = False, 0
    while not over:
        seen = world.observation()
        if k % 3 == 0:
            exact = Simulator(seen.task.graph, lane=seen.task.lane)
            rebuilt = resume(seen.task.graph, seen.task)
            while exact.over is None:
                assert look(rebuilt) == look(exact)
                actions = act(rng, exact.mask())
                told, true = rebuilt.step(actions), exact.step(actions)
                assert [e[:3] for e in told] == [e[:3] for e in true]  # who began a run is not in a view
            assert look(rebuilt) == look(exact)
        actions = act(rng, seen.mask)
        over = any(env.step(actions if len(actions) > 1 else actions[0])[2:4])
        k += 1


def test_a_run_of_drawn_length_is_expected_to_take_its_mean() -> None:
    """A run is rebuilt with its mean duration, and with one tick more once it has lasted that long."""
    task = {"horizon": 30, "subtasks": {"a": {"duration": {"uniform": [2, 12]}, "attended": 0}, "b": {}}}
    env = gymnasium.make("stratagym/Task-v0", task=task, clock="tick")
    world: Any = env.unwrapped
    seed = next(s for s in range(50) if _length(task, s) > 9)
    env.reset(seed=seed)
    env.step(0)
    for _ in range(2):
        assert _rest(world.observation().task) == 7 - world.observation().task.time
        env.step(2)
    for _ in range(7):
        env.step(2)
    assert _rest(world.observation().task) == 1


def _length(task: Any, seed: int) -> int:
    """Return how long ``a`` runs in the episode of a seed."""
    from stratagym.envs.task.spec import load_task

    simulator = Simulator(load_task(task).graph, seed)
    simulator.step([0])
    while simulator.status()[0] == "running":
        simulator.step([2])
    return simulator.time


def _rest(view: Any) -> int:
    """Return how many ticks the rebuilt lane lets ``a`` run on."""
    simulator = resume(view.graph, view)
    while simulator.status()[0] == "running":
        simulator.step([2])
    return simulator.time - int(view.time)


def test_less_than_full_knowledge_is_refused() -> None:
    """A lane cannot be rebuilt from a view that lacks times."""
    env = gymnasium.make("stratagym/Task-v0", task={"subtasks": {"a": {}}}, knowledge="structure")
    world: Any = env.unwrapped
    env.reset(seed=0)
    view = world.observation().task
    with pytest.raises(ValueError, match="cannot be rebuilt from 'structure'"):
        resume(view.graph, view)
