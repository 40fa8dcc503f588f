"""What an agent may know of a task: the only thing about it that agents get.

Owns the shape of the knowledge (``TaskView``, ``Observation``) and how a task
graph is cut down to a knowledge level. It does not read states: ``step`` fills
a view from a lane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from stratagym.envs.task.graph import Branch, Duration, Gate, Subtask, TaskGraph

Knowledge = Literal["full", "structure", "none"]
KNOWLEDGE: tuple[Knowledge, ...] = ("full", "structure", "none")

Status = Literal["locked", "eligible", "failed", "closed", "done", "running"]
STATUS: tuple[Status, ...] = ("locked", "eligible", "failed", "closed", "done", "running")
"""Status words by their code."""

REFUSALS = (
    "unknown",
    "busy",
    "finished",
    "dependency",
    "too_early",
    "too_late",
    "resource",
    "item",
    "skill",
    "agents",
    "constraint",
    "world",
    "refused",
)
"""Reasons of refusal; code k + 1 of a batch is ``REFUSALS[k]``, 0 is none. The last stands
for all that would tell of the graph under ``none``."""


@dataclass(frozen=True, slots=True)
class RunView:
    """What is known of one subtask's runs (``full`` knowledge only).

    Attributes:
        starts: accepted starts so far.
        started: tick of the latest start, None before the first.
        succeeded: tick of the latest success, None before the first.
        first: tick of the first success, None before it.
    """

    starts: int
    started: int | None
    succeeded: int | None
    first: int | None


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent: idle or not, what it attends to, and its skills by name.

    ``free_at`` is the tick at which it will be idle again where that is known
    (``full`` knowledge and no drawn duration), else None; the present tick if idle.
    """

    name: str
    idle: bool
    attends: str | None
    free_at: int | None
    skills: frozenset[str]


@dataclass(frozen=True, slots=True)
class TaskView:
    """The task as one agent (or one controller) knows it at one tick.

    Attributes:
        knowledge: the level; what is not granted is None or empty below.
        time: the clock in ticks (also known under ``none``).
        names: ``[n]`` names of the subtasks in the order of the actions; None
            for one that has not appeared yet.
        status: ``[n]`` status words.
        graph: the task, with current durations, deadlines and capacities, only known
            events, and subtasks that have not appeared replaced by empty ones that can
            never start; under ``structure`` without times and probabilities; under
            ``none`` None. Indices are action numbers.
        runs: ``[n]`` (``full`` only).
        agents: all agents.
        free: free capacity by resource (not under ``none``).
        stock: stock by item (not under ``none``).
        automata: state of each constraint's automaton (``full`` only).
        lane: an exact, opaque copy of the state without the random draws (``full``
            only); ``simulate.Simulator`` continues from it.
    """

    knowledge: Knowledge
    time: int
    names: tuple[str | None, ...]
    status: tuple[Status, ...]
    graph: TaskGraph | None
    runs: tuple[RunView, ...]
    agents: tuple[AgentView, ...]
    free: Mapping[str, int] = field(default_factory=dict)
    stock: Mapping[str, int] = field(default_factory=dict)
    automata: tuple[int, ...] = ()
    lane: Any = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What an agent gets, and all that it gets.

    Attributes:
        task: the task at the granted knowledge.
        mask: ``[agents, n + 1]`` int8, 1 where the action would be accepted; the last
            column waits.
        world: what the body can see (None in the abstract world).
        text: a description in words, where asked for.
        commands: the allowed commands in words, where asked for.
        arrays: a view of the same moment, where the agent reads arrays (a trained network).
    """

    task: TaskView
    mask: np.ndarray[Any, np.dtype[np.int8]]
    world: Any = None
    text: str | None = None
    commands: tuple[str, ...] = ()
    arrays: Mapping[str, Any] | None = None


def hide_times(graph: TaskGraph) -> TaskGraph:
    """Return the graph as known under ``structure``: every duration 1, no lag, window or probability."""
    subtasks = tuple(
        replace(
            s,
            duration=Duration("fixed", (1,)),
            attended=None,
            lags=(),
            release=0,
            deadline=None,
            success=1.0,
            attempts=None,
        )
        for s in graph.subtasks
    )
    return replace(graph, subtasks=subtasks, dues=(), constraints=(), events=(), horizon=None)


def hidden_at_reset(graph: TaskGraph) -> frozenset[int]:
    """Return the subtasks that only an event lets appear."""
    return frozenset(i for e in graph.events if e.kind == "appear" for i in e.targets)


def hide_subtasks(graph: TaskGraph, hidden: frozenset[int]) -> TaskGraph:
    """Return the graph in which subtasks that have not appeared can never start and tell nothing.

    Conditions of others read as if they were not there; indices stay.
    """
    if not hidden:
        return graph
    n = len(graph.subtasks)
    never = n + len(graph.gates)
    subtasks = tuple(
        _blank(i, never) if i in hidden else _without(s, hidden) for i, s in enumerate(graph.subtasks)
    )
    choices = tuple(
        replace(c, branches=tuple(_part(b, hidden) for b in c.branches if set(b.members) - hidden))
        for c in graph.choices
        if set(c.members) - hidden
    )
    compositions = tuple(
        replace(c, members=tuple(i for i in c.members if i not in hidden))
        for c in graph.compositions
        if set(c.members) - hidden
    )
    roots = [s.needs for s in subtasks] + [c.node for c in compositions]
    roots += [b.node for c in choices for b in c.branches]
    roots += [] if graph.goal is None else [graph.goal]
    gates = _gates_of(graph, hidden, roots)
    return replace(
        graph,
        subtasks=subtasks,
        gates=(*gates, Gate(1)),
        choices=choices,
        compositions=compositions,
        dues=tuple(d for d in graph.dues if set(d.members) - hidden),
        events=tuple(e for e in graph.events if e.kind not in _ABOUT_SUBTASKS or set(e.targets) - hidden),
    )


_ABOUT_SUBTASKS = ("undo", "duration", "deadline", "appear")


def _part(branch: Branch, hidden: frozenset[int]) -> Branch:
    """Return a branch without its hidden members."""
    return replace(branch, members=tuple(i for i in branch.members if i not in hidden))


def _without(subtask: Subtask, hidden: frozenset[int]) -> Subtask:
    """Return a subtask without lags to what is hidden."""
    lags = tuple(lag for lag in subtask.lags if set(lag.predecessors) - hidden)
    return replace(subtask, lags=lags)


def _gates_of(graph: TaskGraph, hidden: frozenset[int], roots: list[int]) -> list[Gate]:
    """Return the gates without hidden literals; what nobody visible reads never holds."""
    n = len(graph.subtasks)
    read = {v for v in roots if v >= n}
    for g in range(len(graph.gates) - 1, -1, -1):
        if n + g in read:
            read |= {v for v in (*graph.gates[g].positive, *graph.gates[g].negative) if v >= n}
    gates = []
    for g, gate in enumerate(graph.gates):
        if n + g not in read:
            gates.append(Gate(1))
            continue
        positive = tuple(v for v in gate.positive if v not in hidden)
        negative = tuple(v for v in gate.negative if v not in hidden)
        lost = len(gate.positive) + len(gate.negative) - len(positive) - len(negative)
        whole = gate.count == len(gate.positive) + len(gate.negative)
        count = gate.count - lost if whole else min(gate.count, len(positive) + len(negative))
        gates.append(Gate(max(1, count), positive, negative))
    return gates


def _blank(i: int, never: int) -> Subtask:
    """Return what stands for a subtask that has not appeared."""
    return Subtask(
        name=f"?{i}",
        duration=Duration("fixed", (1,)),
        attended=None,
        needs=never,
        lags=(),
        release=0,
        deadline=None,
        uses=(),
        consumes=(),
        requires=(),
        produces=(),
        agents=1,
        skill=None,
        success=1.0,
        attempts=None,
        repeatable=False,
        reward=0.0,
        pay_group=i,
    )
