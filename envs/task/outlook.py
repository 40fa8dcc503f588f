"""What a play of a task can meet: draws, and data that events change.

Owns the facts that an exact schedule is computed from and that are known before it:
the outcome of every draw for a seed, the value of each duration, deadline and capacity
over time, and which subtasks can help an objective at all. How often they run is in
``repeats``; ``schedule`` writes the constraints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from stratagym.envs.rng import DURATION, EVENT, SUCCESS, draw, draw_below, threshold
from stratagym.envs.task.graph import TRUE, Duration, Event, TaskGraph, holds

Objective = Literal["makespan", "reward", "tardiness"]
OBJECTIVES: tuple[Objective, ...] = ("makespan", "reward", "tardiness")

T = TypeVar("T")
Timeline = tuple[tuple[int, int | None, T], ...]
"""Spans (first tick, end tick or None, value), in order and without gaps from 0."""


@dataclass(frozen=True)
class Outlook:
    """A task with its draws.

    Attributes:
        graph: the task.
        seed: the seed of the draws; None leaves every draw open, to be chosen at will.
        when: the tick of each event.
        begun: subtasks whose first run is part of every play.
    """

    graph: TaskGraph
    seed: int | None
    when: tuple[int, ...]
    begun: frozenset[int] = frozenset()

    @classmethod
    def of(cls, graph: TaskGraph, seed: int | None, begun: frozenset[int] = frozenset()) -> Outlook | None:
        """Return the outlook, None if the tick of an event is open."""
        when = []
        for index, event in enumerate(graph.events):
            lo, hi = event.at
            if lo != hi and seed is None:
                return None
            when.append(lo if lo == hi else lo + draw_below(hi - lo + 1, seed or 0, EVENT, index, 1))
        return cls(graph, seed, tuple(when), begun)

    def events(self, kind: str) -> Iterator[tuple[int, Event]]:
        """Yield (tick, event) of one kind in the order in which they apply."""
        order = sorted(range(len(self.when)), key=lambda k: (self.when[k], k))
        for k in order:
            if self.graph.events[k].kind == kind:
                yield self.when[k], self.graph.events[k]

    def changes(self, kind: str, target: int) -> list[tuple[int, int]]:
        """Return (tick, amount) of each event of a kind about a target; amount 0 where it has none."""
        return [
            (tick, event.amounts[place] if event.amounts else 0)
            for tick, event in self.events(kind)
            for place, t in enumerate(event.targets)
            if t == target
        ]

    def durations(self, i: int) -> Timeline[Duration]:
        """Return the duration of starts of a subtask over time."""
        later = [
            (tick, event.durations[place])
            for tick, event in self.events("duration")
            for place, t in enumerate(event.targets)
            if t == i
        ]
        return _timeline(self.graph.subtasks[i].duration, later)

    def deadlines(self, i: int) -> Timeline[int | None]:
        """Return the deadline of a subtask over time."""
        return _timeline(self.graph.subtasks[i].deadline, list(self.changes("deadline", i)))

    def capacities(self, r: int) -> Timeline[int]:
        """Return the capacity of a resource over time."""
        return _timeline(self.graph.resources[r].capacity, self.changes("capacity", r))

    def release(self, i: int) -> int:
        """Return the first tick at which a subtask has appeared and is released."""
        return max([self.graph.subtasks[i].release, *(tick for tick, _ in self.changes("appear", i))])

    def down(self, agent: int) -> list[tuple[int, int]]:
        """Return the spans (first tick, end tick) in which an agent is not idle."""
        return [(tick, tick + ticks) for tick, ticks in self.changes("agent", agent)]

    def possible(self, i: int, attempt: int, duration: Duration) -> tuple[int, ...] | tuple[int, None]:
        """Return the lengths that a run may have: all of them, or (shortest, None) if unbounded."""
        if duration.kind == "world":
            return (1, None)
        values = duration.values
        if duration.kind == "fixed" or duration.shortest == duration.longest:
            return (values[0],)
        if self.seed is None:
            return tuple(range(values[0], values[1] + 1)) if duration.kind == "uniform" else values
        if duration.kind == "uniform":
            return (values[0] + draw_below(values[1] - values[0] + 1, self.seed, DURATION, i, attempt),)
        return (values[draw_below(len(values), self.seed, DURATION, i, attempt)],)

    def success(self, i: int, attempt: int) -> bool | None:
        """Return whether an attempt succeeds if it is not late, None if that is open."""
        p = self.graph.subtasks[i].success
        if p >= 1:
            return True
        if p <= 0:
            return False
        return None if self.seed is None else draw(self.seed, SUCCESS, i, attempt) < threshold(p)

    @property
    def last_change(self) -> int:
        """The last tick at which a release, an event or an agent's return changes anything by itself."""
        ticks = [self.release(i) for i in range(len(self.graph.subtasks))]
        ticks += self.when
        ticks += [end for a in range(len(self.graph.agents)) for _, end in self.down(a)]
        return max(ticks, default=0)


def _timeline(first: T, later: list[tuple[int, T]]) -> Timeline[T]:
    """Return the spans of a value that changes at the given ticks."""
    values: dict[int, T] = {0: first}
    values.update(later)
    ticks = sorted(values)
    ends = [*ticks[1:], None]
    return tuple((a, b, values[a]) for a, b in zip(ticks, ends, strict=True))


def useful(graph: TaskGraph, objective: Objective) -> frozenset[int]:
    """Return the subtasks whose running can help an objective; leaving out the others loses nothing.

    Followed back from the objective: what must be done, what that needs, waits for and
    takes; what keeps it from spoiling; everything that formulas speak of; and, where the
    episode should rather go on, whatever can keep the goal from holding. Where the goal
    holds at reset, a dispatch lets it be judged at once.
    """
    n = len(graph.subtasks)
    todo: list[tuple[int, bool]] = []
    if graph.goal is not None:
        todo += [(graph.goal, True)] if objective == "makespan" else [(graph.goal, False)]
    if objective == "reward":
        todo += [(i, True) for i, s in enumerate(graph.subtasks) if s.reward > 0]
    if objective == "tardiness":
        for due in graph.dues:
            todo += [(i, True) for i in due.members]
            shared = [c for c in graph.choices if set(c.members) & set(due.members)]
            todo += [(branch.node, True) for c in shared for branch in c.branches]
    for constraint in graph.constraints:
        for atom in constraint.atoms:
            todo += [(i, True) for i in atom.members]
            todo += [(atom.node, True), (atom.node, False)] if atom.kind == "done" else []
    if holds_at_reset(graph):
        todo += [(i, True) for i, s in enumerate(graph.subtasks) if s.attended == 0]
    makers: dict[int, list[int]] = {}
    for i, s in enumerate(graph.subtasks):
        for item, _ in s.produces:
            makers.setdefault(item, []).append(i)
    seen: set[tuple[int, bool]] = set()
    while todo:
        node, wanted = todo.pop()
        if node == TRUE or (node, wanted) in seen:
            continue
        seen.add((node, wanted))
        if node >= n:
            gate = graph.gates[node - n]
            todo += [(p, wanted) for p in gate.positive] + [(p, not wanted) for p in gate.negative]
        elif wanted:
            todo += [(i, True) for i in _helpers(graph, node, makers)] + [(graph.subtasks[node].needs, True)]
    return frozenset(node for node, wanted in seen if wanted and node < n)


def read(graph: TaskGraph, roots: Iterable[int], negated: bool) -> frozenset[int]:
    """Return the subtasks that some nodes read negated (or unnegated), at any depth."""
    n = len(graph.subtasks)
    todo = [(node, False) for node in roots]
    seen: set[tuple[int, bool]] = set()
    while todo:
        node, sign = todo.pop()
        if node == TRUE or (node, sign) in seen:
            continue
        seen.add((node, sign))
        if node >= n:
            gate = graph.gates[node - n]
            todo += [(p, sign) for p in gate.positive] + [(p, not sign) for p in gate.negative]
    return frozenset(node for node, sign in seen if sign == negated and node < n)


def holds_at_reset(graph: TaskGraph) -> bool:
    """Return whether the goal holds before anything is done, formulas aside."""
    return graph.goal is not None and holds(graph, graph.goal, ())


def _helpers(graph: TaskGraph, i: int, makers: dict[int, list[int]]) -> set[int]:
    """Return the subtasks that a useful one waits for, takes from, or is kept from spoiling by."""
    s = graph.subtasks[i]
    found = {p for lag in s.lags for p in lag.predecessors}
    for item, _ in (*s.consumes, *s.requires):
        found.update(makers.get(item, ()))
    for keeper in spoilers(graph).get(i, {}):
        found.add(keeper)
        found.update(m for c in graph.choices if keeper in c.members for m in c.members)
    return found


def spoilers(graph: TaskGraph) -> dict[int, dict[int, int]]:
    """Return for each subtask that can spoil: successor on a lag -> ticks that may pass."""
    result: dict[int, dict[int, int]] = {}
    for i, s in enumerate(graph.subtasks):
        for lag in s.lags:
            if lag.origin == "completion" and lag.maximum is not None:
                for p in lag.predecessors:
                    result.setdefault(p, {})[i] = lag.maximum
    return result


def fading(graph: TaskGraph) -> frozenset[int]:
    """Return the subtasks that can go back from done to undone."""
    undone = {i for event in graph.events if event.kind == "undo" for i in event.targets}
    return frozenset(undone | spoilers(graph).keys())
