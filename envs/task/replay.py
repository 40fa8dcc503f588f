"""Schedules played by the simulator: the check without which no value is believed.

Owns turning starts into steps (who starts what, in which order within a tick) and the
comparison of what was promised with what came out. The rules are the simulator's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.outlook import Objective

ORDERS = 240
"""How many orders of the starts of one tick are tried."""
LONGEST = 50_000
"""Ticks that a schedule may last to be played."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a schedule: a subtask's name, the indices of its agents, its first and end tick."""

    subtask: str
    agents: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Start:
    """A start that a schedule asks for.

    Attributes:
        subtask: index of the subtask.
        tick: when.
        end: when the run will be complete.
        pools: how many agents it takes from which set of agents; each agent is free
            to be any of its set.
    """

    subtask: int
    tick: int
    end: int
    pools: tuple[tuple[tuple[int, ...], int], ...]


@dataclass(frozen=True, slots=True)
class Played:
    """How a schedule went.

    Attributes:
        runs: the runs as they were.
        value: of each objective at the end, or when all that was started is complete (None:
            the goal was not reached, or the tardiness is not settled).
    """

    runs: tuple[Run, ...]
    value: dict[Objective, float | None]


def play(
    graph: TaskGraph,
    starts: Sequence[Start],
    seed: int = 0,
    simulator: Any = None,
    strict: bool = True,
) -> Played | str:
    """Play starts at their ticks, waiting otherwise, until all are complete or the episode ends.

    Args:
        graph: the task.
        starts: what to start; those after the end of the episode are left out.
        seed: the seed of the draws.
        simulator: one at reset, instead of a new one for the task and seed.
        strict: whether a start that is not accepted ends it; else it is left out.

    Returns:
        How it went, or, in one line, which start was not accepted.
    """
    if simulator is None:
        from stratagym.envs.task.simulate import Simulator

        simulator = Simulator(graph, seed)
    due: dict[int, list[Start]] = {}
    for start in starts:
        due.setdefault(start.tick, []).append(start)
    last = max(due, default=0)
    wait = [len(graph.subtasks)] * len(graph.agents)
    log: list[tuple[int, str, Any, tuple[int, ...]]] = []
    limit = max([last + 1, *(start.end + 1 for start in starts)])
    if limit > LONGEST:
        return f"at {limit} ticks the schedule is too long to be played"
    if graph.dues and graph.horizon is not None and graph.horizon <= LONGEST:
        limit = graph.horizon
    while simulator.over is None and simulator.time <= limit:
        here = due.pop(simulator.time, [])
        if here:
            after = _start_all(graph, simulator, here)
            while after is None and not strict and here:
                here = here[:-1]
                after = _start_all(graph, simulator, here)
            if after is None:
                names = ", ".join(graph.subtasks[s.subtask].name for s in here)
                return f"at tick {simulator.time} not all of these could start: {names}"
            simulator, events = after
            log += events
        else:
            log += simulator.step(wait)
    reached = float(simulator.time) if simulator.success else None
    late = float(simulator.tardiness) if simulator.over else None
    return Played(
        _runs(graph, log, {(s.subtask, s.tick): s.end for s in starts}),
        {"makespan": reached, "reward": float(simulator.paid), "tardiness": late},
    )


def verify_schedule(
    graph: TaskGraph,
    schedule: Sequence[Run],
    objective: Objective | None = None,
    value: float | None = None,
    seed: int = 0,
) -> str | None:
    """Play a schedule with the agents that it names and say what is wrong with it.

    Args:
        graph: the task.
        schedule: the runs.
        objective: what the schedule promises a value of, if anything.
        value: the promised value.
        seed: the seed of the draws.

    Returns:
        None if every start was accepted and the promise kept, else one line.
    """
    starts = [
        Start(graph.index(run.subtask), run.start, run.end, tuple(((a,), 1) for a in run.agents))
        for run in schedule
    ]
    played = play(graph, starts, seed)
    if isinstance(played, str):
        return played
    if sorted((r.subtask, r.start, r.end, r.agents) for r in played.runs) != sorted(
        (r.subtask, r.start, r.end, tuple(sorted(r.agents))) for r in schedule
    ):
        return "the runs that came about are not those of the schedule"
    if objective is not None and value is not None:
        reached = played.value[objective]
        if reached is None or abs(reached - value) > 1e-6 * max(1.0, abs(value)):
            return f"{objective} {reached} instead of {value}"
    return None


def _start_all(graph: TaskGraph, simulator: Any, due: list[Start]) -> tuple[Any, list[Any]] | None:
    """Find an order in which all starts of a tick are accepted; return what follows."""
    if not due:
        trial = simulator.clone()
        return trial, trial.step([len(graph.subtasks)] * len(graph.agents))
    for order in itertools.islice(_orders(graph, due), ORDERS):
        trial = simulator.clone()
        log: list[Any] = []
        for step in order:
            actions = _actions(graph, trial, step)
            if actions is None:
                break
            events = trial.step(actions)
            log += events
            if sum(event[1] == "start" for event in events) != len(step):
                break
        else:
            return trial, log
    return None


def _orders(graph: TaskGraph, due: list[Start]) -> Iterator[list[list[Start]]]:
    """Yield ways to spread the starts of one tick over steps, likely ones first.

    A step with a dispatch (``attended`` 0) leaves the clock where it is.
    """
    dispatch = [s for s in due if graph.subtasks[s.subtask].attended == 0]
    rest = [s for s in due if graph.subtasks[s.subtask].attended != 0]

    def first(s: Start) -> tuple[int, int]:
        subtask = graph.subtasks[s.subtask]
        return (-len(subtask.requires), len(subtask.consumes))

    for alone in itertools.permutations(sorted(dispatch, key=first)):
        for together in itertools.permutations(sorted(rest, key=first)):
            yield [*([s] for s in alone), *([list(together)] if together else [])]
            if alone and together:
                yield [[*together, alone[0]], *([s] for s in alone[1:])]
                yield [[alone[0], *together], *([s] for s in alone[1:])]


def _actions(graph: TaskGraph, simulator: Any, step: list[Start]) -> list[int] | None:
    """Give each start its agents, in the order of the starts: of its sets, those likely to be idle.

    An agent that could start something is idle; that it could not start this may be due to
    a formula, and change with the starts before it.
    """
    n = len(graph.subtasks)
    actions = [n] * len(graph.agents)
    mask = [[bool(x) for x in row[:n]] for row in simulator.mask()]
    for start in step:
        for pool, count in start.pools:
            free = [a for a in pool if actions[a] == n]
            free.sort(key=lambda a: (not mask[a][start.subtask], not any(mask[a])))
            if len(free) < count:
                return None
            for a in free[:count]:
                actions[a] = start.subtask
    return actions


def _runs(graph: TaskGraph, log: Sequence[Any], planned: dict[tuple[int, int], int]) -> tuple[Run, ...]:
    """Read runs off a log of events; those under way at the end are given their planned end."""
    names = graph.names
    under_way: dict[int, tuple[int, tuple[int, ...]]] = {}
    runs = []
    for tick, kind, subtask, agents, *_ in log:
        if kind not in ("start", "success", "failure"):
            continue
        i = graph.index(subtask) if isinstance(subtask, str) else subtask
        if kind == "start":
            under_way[i] = (tick, tuple(sorted(agents)))
        elif i in under_way:
            start, who = under_way.pop(i)
            runs.append(Run(names[i], who, start, tick))
    runs += [Run(names[i], who, start, planned[i, start]) for i, (start, who) in under_way.items()]
    return tuple(sorted(runs, key=lambda r: (r.start, r.end, r.subtask)))
