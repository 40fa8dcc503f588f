"""Solving from any moment: what is left of a task, against what came before and a search of everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stratagym.envs.task.generate import generate
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.imagine import imagine
from stratagym.envs.task.knobs import Knobs
from stratagym.envs.task.optimum import Solution, optimum
from stratagym.envs.task.replay import Run
from stratagym.envs.task.simulate import Simulator
from stratagym.envs.task.spec import load_task

SMALL: dict[str, Any] = {
    "number": 8,
    "depth": 4,
    "width": 3,
    "distractors": 2,
    "duration": (1, 4),
    "horizon": 1.6,
}
TINY: dict[str, Any] = {"number": 6, "distractors": 1, "duration": (1, 3), "horizon": 1.3}
"""What of it is small enough to try everything."""

KNOBS = {
    "windows": Knobs(**SMALL, deadlines=0.4, max_lags=0.4, min_lags=0.3, releases=0.2),
    "team": Knobs(**SMALL, agents=3, joint=0.3, skills=2, attended=0.4),
    "items": Knobs(**SMALL, items=3, modes=0.4, not_share=0.4),
    "alone": Knobs(**SMALL, dispatched=0.6, attended=0.2, max_lags=0.3),
}
COFFEE: dict[str, Any] = {
    "horizon": 20,
    "agents": [{"name": "a"}, {"name": "b", "skills": ["press"]}],
    "items": {"pot": 1},
    "subtasks": {
        "boil": {"duration": 5, "attended": 1, "repeatable": True},
        "pour": {"duration": 2, "needs": "boil", "lags": {"boil": {"max": 2}}, "consumes": {"pot": 1}},
        "grind": {"duration": 3, "agents": 2},
        "press": {"duration": 4, "skill": "press", "needs": "pour & grind"},
        "wipe": {"duration": 2, "lags": {"grind": {"from": "start", "min": 4}}},
    },
    "goal": "press & wipe",
}
"""Joint work, water that cools, what can be done again, and a lag from a start."""


def wander(graph: TaskGraph, rng: np.random.Generator, steps: int) -> Simulator:
    """Return a simulator after some steps of random play that often waits."""
    simulator = Simulator(graph)
    for _ in range(steps):
        if simulator.over is None:
            actions = [
                int(rng.choice(np.flatnonzero(row))) if rng.random() < 0.7 else len(row) - 1
                for row in simulator.mask()
            ]
            simulator.step(actions)
    return simulator


def solved(graph: TaskGraph, simulator: Simulator) -> Solution:
    """Return what the solver says of a moment."""
    return optimum(graph, since=imagine(simulator).task)


def reached(graph: TaskGraph, simulator: Simulator, found: Solution) -> float | None:
    """Return the makespan that comes of playing a schedule on from a moment, None without success."""
    assert found.value is not None
    played = until(graph, simulator.clone(), found.schedule, int(found.value))
    return played.time if played.success else None


def until(graph: TaskGraph, simulator: Simulator, runs: Sequence[Run], tick: int) -> Simulator:
    """Play runs at their starts until a tick; what is left alone is begun first, since it takes no time."""
    wait = [len(graph.subtasks)] * len(graph.agents)
    while simulator.time < tick and simulator.over is None:
        steps, together = [], list(wait)
        for run in runs:
            i = graph.index(run.subtask)
            if run.start == simulator.time:
                actions = list(wait) if graph.subtasks[i].attended == 0 else together
                for a in run.agents:
                    actions[a] = i
                if actions is not together:
                    steps.append(actions)
        for actions in [*steps, together]:
            happened = [event.subject for event in simulator.step(actions) if event.kind == "start"]
            assert set(happened) >= set(actions) - set(wait)
    return simulator


def least(simulator: Simulator, most: int = 60_000) -> float | None:
    """Return the least makespan from a moment, by trying everything."""
    layer, seen, tried = [simulator], set(), 0
    best: float | None = None
    while layer:
        after = []
        for state in layer:
            for actions in _joint(state.mask()):
                tried += 1
                assert tried < most, "the task is too large to try everything"
                child = state.clone()
                child.step(actions)
                if child.over is not None:
                    if child.success:
                        best = child.time if best is None else min(best, child.time)
                    continue
                key = (tuple(child.memory.s), tuple(child.memory.sb))
                if key not in seen and (best is None or child.time < best):
                    seen.add(key)
                    after.append(child)
        layer = after
    return best


def _joint(mask: Any) -> list[list[int]]:
    """Return every joint action."""
    found: list[list[int]] = [[]]
    for row in mask:
        found = [[*head, int(a)] for head in found for a in np.flatnonzero(row)]
    return found


@pytest.mark.parametrize("kind", list(KNOBS))
@pytest.mark.parametrize("seed", range(3))
def test_on_the_best_way_the_best_stays_the_best(kind: str, seed: int) -> None:
    """Wherever the optimum's schedule has got to, what is left has the same optimum, again proved."""
    graph = load_task(generate(KNOBS[kind], seed)).graph
    whole = optimum(graph)
    assert whole.proved
    for cut in (0.3, 0.6, 0.9):
        simulator = Simulator(graph)
        tick = round(cut * (whole.value or 0))
        early = [run for run in whole.schedule if run.start < tick]
        simulator = until(graph, simulator, early, tick)
        left = solved(graph, simulator)
        assert left.value == whole.value
        assert left.proved or kind in ("windows", "alone")  # what spoils may leave no proof
        assert reached(graph, simulator, left) == whole.value


@pytest.mark.parametrize("kind", ["windows", "items", "alone"])
@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(k, marks=pytest.mark.slow) for k in range(4, 29))]
)
def test_from_anywhere_it_is_what_a_search_of_everything_finds(kind: str, seed: int) -> None:
    """After random play the value is the least makespan there is, none if the goal is lost."""
    graph = load_task(generate(replace(KNOBS[kind], **TINY), 10 + seed)).graph
    simulator = wander(graph, np.random.default_rng(seed), 2 + seed % 6)
    assert simulator.over is None
    left = solved(graph, simulator)
    assert left.value == least(simulator)
    if left.value is not None:
        assert left.bound <= left.value
        assert reached(graph, simulator, left) == left.value


@pytest.mark.parametrize("steps", range(0, 14, 2))
def test_water_that_cools_is_boiled_again(steps: int) -> None:
    """With what can be repeated, joint work and a lag from a start the search agrees, too."""
    graph = load_task(COFFEE).graph
    simulator = wander(graph, np.random.default_rng(steps), steps)
    left = solved(graph, simulator)
    assert left.value == least(simulator)
    assert left.value is None or reached(graph, simulator, left) == left.value
    assert all(run.start >= simulator.time for run in left.schedule)


def test_who_is_away_is_not_counted_on() -> None:
    """An agent that an event keeps away begins nothing before it is back."""
    task = load_task(
        {
            "horizon": 40,
            "agents": [{"name": "a"}],
            "subtasks": {"x": {"duration": 3}, "y": {"duration": 2}},
            "goal": "x & y",
            "events": [{"at": 4, "agent": "a", "down": 6}],
        }
    )
    simulator = Simulator(task.graph)
    for action in (0, 2, 2, 2, 2):
        simulator.step([action])
    assert simulator.time == 5
    assert solved(task.graph, simulator).value == 12


def test_what_cannot_be_solved_from_a_moment_is_refused() -> None:
    """Formulas, rewards and known draws, each by name."""
    plain = {"horizon": 9, "subtasks": {"a": {}, "b": {"reward": 1}}}
    view = imagine(Simulator(load_task(plain).graph)).task
    with pytest.raises(ValueError, match="only makespans"):
        optimum(load_task(plain).graph, since=view)
    goal = load_task({**plain, "goal": "b"}).graph
    with pytest.raises(ValueError, match="without known draws"):
        optimum(goal, since=view, seed=1)
    formula = load_task({**plain, "goal": "b", "constraints": ["F done(a)"]}).graph
    with pytest.raises(ValueError, match="a task with formulas is no task of its own"):
        optimum(formula, since=imagine(Simulator(formula)).task)
