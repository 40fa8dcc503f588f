"""What the tasks of a family have in common, as the ``graph`` view pads and trims them.

Owns the columns of the view, which of them a family needs (no column that is the same for
every node of every task is kept, unless there is one task only), and the sizes that
certificates may hold under ``graph/KNOWLEDGE``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from stratagym.envs.step import Model
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.view import Knowledge
from stratagym.envs.views.flat import uses_of
from stratagym.envs.views.graph_parts import (
    DURATION_NUMBERS,
    EDGE_NUMBERS,
    NODE_KINDS,
    NUMBERS,
    Parts,
    largest,
    numbers_of,
    parts_of,
)

SUBTASK_MOVING = (
    "done",
    "running",
    "eligible",
    "closed",
    "failed",
    "age",  # ticks since the start of what runs
    "since success",  # one more than the ticks since, 0 before the first
    "since start",
    "room",  # one more than the ticks left in which it can still be started in time
    "attempts left",
    "deadline",
)
MOVING = (*SUBTASK_MOVING, "level", "idle", "down")
"""Columns of ``nodes`` that change. ``done`` also says that a gate, a branch or the goal
holds and an automaton accepts, ``failed`` that it is dead; ``level`` is free capacity,
stock, or the number of the automaton's state."""
COLUMNS = (*MOVING, *(name for names in NUMBERS.values() for name in names))
"""All columns of ``nodes``."""
KEEPABLE = (*COLUMNS, *EDGE_NUMBERS, "tables")
"""What a family may do without; certificates refer to these by position."""

GRANTED: dict[Knowledge, tuple[str, ...]] = {
    "full": MOVING,
    "structure": ("done", "running", "eligible", "closed", "failed", "level", "idle", "down"),
    "none": ("done", "running", "eligible"),
}
"""The moving columns that each level of knowledge grants."""


class Facts(NamedTuple):
    """What the tasks of a family have in common.

    Attributes:
        sizes: the most ``branches``, ``events``, ``edges``, ``states`` and ``letters`` of any task.
        kept: names of ``KEEPABLE`` that differ or move somewhere in the family.
    """

    sizes: Mapping[str, int]
    kept: frozenset[str]


def facts_of(graphs: Sequence[TaskGraph], knowledge: Knowledge) -> Facts:
    """Return what some tasks have in common; one task alone keeps every column.

    Args:
        graphs: all tasks of the family.
        knowledge: what is granted.
    """
    if knowledge == "none":
        return Facts({}, frozenset(GRANTED["none"]))
    parts = [parts_of(graph, knowledge) for graph in graphs]
    automata = [[c.automaton for c in graph.constraints] for graph in graphs if knowledge == "full"]
    every = [a for some in automata for a in some]
    sizes = {
        "branches": largest(len(p.branches) for p in parts),
        "events": largest(len(p.rows["event"]) for p in parts),
        "edges": largest(len(p.edges) for p in parts),
        "states": largest(len(a.table) for a in every),
        "letters": largest(len(a.table[0]) for a in every),
    }
    granted = set(GRANTED[knowledge]).union(*(numbers_of(kind, knowledge) for kind in NODE_KINDS))
    if len(graphs) == 1:
        return Facts(sizes, frozenset(granted | {*EDGE_NUMBERS, "tables"}))
    kept = _moving(graphs) | _differing(parts, knowledge)
    if any(some != automata[0] for some in automata):
        kept.add("tables")
    return Facts(sizes, frozenset(kept & (granted | {*EDGE_NUMBERS, "tables"})))


def _moving(graphs: Sequence[TaskGraph]) -> set[str]:
    """Return the columns that can change in the course of some task."""
    kept = {"idle"}.union(*(uses_of(graph) for graph in graphs))
    kinds = {e.kind for graph in graphs for e in graph.events}
    deadlines = {s.deadline for graph in graphs for s in graph.subtasks}
    if len(deadlines) > 1 or "deadline" in kinds:
        kept.add("deadline")
    if any(graph.resources or graph.items or graph.constraints for graph in graphs):
        kept.add("level")
    if "agent" in kinds:
        kept.add("down")
    if "capacity" in kinds:
        kept.add("capacity")
    if "duration" in kinds:
        kept |= set(NUMBERS["subtask"][:DURATION_NUMBERS])
    return kept


def _differing(parts: Sequence[Parts], knowledge: Knowledge) -> set[str]:
    """Return the static columns that are not the same for all nodes, or all edges, of all tasks."""
    kept: set[str] = set()
    for kind in NODE_KINDS[1:]:
        names = numbers_of(kind, knowledge)
        rows = {row for p in parts for row in p.rows[kind]}
        kept |= {name for k, name in enumerate(names) if len({row[k] for row in rows}) > 1}
    numbers = {edge[3:] for p in parts for edge in p.edges}
    return kept | {name for k, name in enumerate(EDGE_NUMBERS) if len({row[k] for row in numbers}) > 1}


def certified(model: Model, knowledge: Knowledge) -> Facts | None:
    """Return the facts that a certificate holds, None if it holds none."""
    if model.certificate is None:
        return None
    shapes = cast("Mapping[str, Mapping[str, tuple[int, ...]]]", model.certificate.shapes)
    kept = cast("Mapping[str, tuple[int, ...]]", model.certificate.kept)
    key = f"graph/{knowledge}"
    if key not in shapes or key not in kept:
        return None
    names = frozenset(KEEPABLE[k] for k in kept[key])
    return Facts({name: shape[0] for name, shape in shapes[key].items()}, names)
