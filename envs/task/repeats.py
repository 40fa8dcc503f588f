"""How often each subtask can usefully run, and which of them never spoil in a best play.

Owns the arguments that keep an exact schedule small. ``outlook`` has the facts they
start from; ``schedule`` makes so many runs.

The main one: take a best play with the fewest runs. A run of a subtask that is neither
repeatable nor a maker of items is there because something reads that it is done before it
is undone again: a start, the goal, or a start or the goal that reads a predecessor which
this run keeps from spoiling. So there are no more runs than readers. And once the
successor on a lag runs or is done for good, its predecessor never spoils again, so it
needs no run for what comes later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stratagym.envs.task.graph import TRUE, TaskGraph
from stratagym.envs.task.outlook import Objective, Outlook, read, spoilers, useful

MOST_COUNTED = 64
"""No count is larger; one of this size may stand for more."""


@dataclass(frozen=True)
class Repeats:
    """How often subtasks run.

    Attributes:
        counts: runs that can matter for each useful subtask that can start at all.
        settled: subtasks that could spoil, but in no best play do.
    """

    counts: dict[int, int]
    settled: frozenset[int]


def repeats(look: Outlook, objective: Objective, ticks: int, first: tuple[int | None, ...]) -> Repeats:
    """Return how often each subtask can usefully run within so many ticks.

    Args:
        look: the task with its draws.
        objective: what the runs are for.
        ticks: only starts before this tick are looked at.
        first: earliest start of each subtask.
    """
    graph = look.graph
    counts: dict[int, int] = {}
    most: dict[int, int] = {}
    for i in sorted(useful(graph, objective) | look.begun):
        start = first[i]
        if start is None or start >= ticks:
            continue
        shortest = min(span.shortest for _, _, span in look.durations(i))
        attempts = graph.subtasks[i].attempts
        most[i] = 1 + (ticks - 1 - start) // shortest
        most[i] = min(most[i], MOST_COUNTED if attempts is None else min(attempts, MOST_COUNTED))
        counts[i] = _by_time(look, objective, i, ticks - 1 - start, most[i])
    counts = {i: count for i, count in counts.items() if count}
    settled: set[int] = set()
    readers = _Readers(look, objective)
    for _ in range(len(counts) + 1):
        before = (dict(counts), set(settled))
        _tighten(look, readers, counts, most, settled)
        if (counts, settled) == before:
            break
    # What has begun is no matter of choice: it may be of no use, and may spoil.
    counts.update({i: max(1, counts.get(i, 0)) for i in look.begun})
    return Repeats(counts, frozenset(settled) - look.begun if objective == "makespan" else frozenset())


def _by_time(look: Outlook, objective: Objective, i: int, span: int, most: int) -> int:
    """Return the runs of a subtask that fit into so many ticks after its earliest start."""
    graph = look.graph
    spoiling = spoilers(graph).get(i)
    undone = len(look.changes("undo", i))
    if worth_repeating(graph, i, objective):
        return most
    if spoiling:
        shortest = min(duration.shortest for _, _, duration in look.durations(i))
        undone += span // (shortest + min(spoiling.values()) + 1)
    return _attempts_for(look, i, 1 + undone, most)


def worth_repeating(graph: TaskGraph, i: int, objective: Objective) -> bool:
    """Return whether a run may help even if it fails, or after the subtask is done already."""
    s = graph.subtasks[i]
    watched = [
        lag
        for j, other in enumerate(graph.subtasks)
        for lag in other.lags
        if lag.origin == "start" and i in lag.predecessors and j != i
    ]
    if watched and (s.success < 1 or (s.repeatable and any(lag.maximum is not None for lag in watched))):
        return True
    if any(a.kind != "done" and i in a.members for c in graph.constraints for a in c.atoms):
        return True
    if any(lag.origin == "completion" and lag.maximum is not None for lag in s.lags) and s.success < 1:
        return True
    if not s.repeatable:
        return False
    return bool(s.produces) or (objective == "reward" and s.reward > 0) or i in spoilers(graph)


def _attempts_for(look: Outlook, i: int, successes: int, most: int) -> int:
    """Return how many starts bring so many successes; 0 if none of ``most`` starts succeeds.

    Late runs fail too: one more start for every deadline event.
    """
    if look.graph.subtasks[i].success <= 0:
        return 0
    spare = len(look.changes("deadline", i))
    found = 0
    best = 0
    for attempt in range(1, most + 1):
        if look.success(i, attempt) is not False:
            found += 1
            best = attempt
            if found == successes + spare:
                return best
    return most if most == MOST_COUNTED else best


def first_success(look: Outlook, i: int, most: int) -> int:
    """Return the first of so many attempts that can succeed, ``most`` if none can."""
    return next((k for k in range(1, most + 1) if look.success(i, k) is not False), most)


class _Readers:
    """Who reads that what is done; by *unit*: one subtask, or the modes of one.

    Attributes:
        unit: the unit of each subtask.
        members: the subtasks of each unit.
        by: for each unit, the units whose starts read it unnegated.
        direct: for each unit, the units that must be done at each of its starts.
        closure: the same, followed back: units that must have been done before.
        goal: units that the goal (or a payment) reads.
        end: units that are done whenever the goal holds; ``must``: those that once were.
        open: whether the argument about readers holds at all for each unit.
    """

    def __init__(self, look: Outlook, objective: Objective) -> None:
        self.graph = graph = look.graph
        self.unit = [s.pay_group for s in graph.subtasks]
        self.members: dict[int, list[int]] = {}
        for i, u in enumerate(self.unit):
            self.members.setdefault(u, []).append(i)
        self.by: dict[int, set[int]] = {u: set() for u in self.members}
        self.direct: dict[int, set[int]] = {}
        for i, s in enumerate(graph.subtasks):
            lagged = [p for lag in s.lags for p in lag.predecessors]
            for p in (*read(graph, [s.needs], False), *lagged):
                self.by[self.unit[p]].add(self.unit[i])
            certain = self._certain(s.needs)
            for lag in s.lags:
                if lag.origin == "completion" and len({self.unit[p] for p in lag.predecessors}) == 1:
                    certain.add(self.unit[lag.predecessors[0]])
            known = self.direct.get(self.unit[i])
            self.direct[self.unit[i]] = certain if known is None else known & certain
        for u, units in self.by.items():
            units.discard(u)
        goal = TRUE if graph.goal is None else graph.goal
        self.goal = {self.unit[p] for p in read(graph, [goal], False)}
        self.end = self._certain(goal) if objective == "makespan" else set()
        if objective == "reward":
            self.goal |= {self.unit[i] for i, s in enumerate(graph.subtasks) if s.reward}
        if objective == "tardiness":
            self.goal |= {self.unit[i] for due in graph.dues for i in due.members}
            nodes = [b.node for c in graph.choices for b in c.branches]
            self.goal |= {self.unit[i] for node in nodes for i in read(graph, [node], False)}
        kept = set() if objective == "makespan" else {self.unit[p] for p in read(graph, [goal], True)}
        self.open = {u for u in self.members if u not in kept and self._plain(look, u)}
        self.closure = {u: self._closed(u) for u in self.members}
        self.must = self.end.union(*(self.closure[u] for u in self.end))

    def _plain(self, look: Outlook, unit: int) -> bool:
        """Return whether a run of the unit does nothing but make it done."""
        graph = self.graph
        inside = set(self.members[unit])
        if graph.constraints:
            return False
        for i in inside:
            s = graph.subtasks[i]
            if s.repeatable or s.produces or s.success < 1 or look.changes("undo", i):
                return False
            if look.changes("deadline", i) or look.changes("duration", i) or s.duration.drawn:
                return False
        return all(
            not inside & set(choice.members) or set(choice.members) == inside for choice in graph.choices
        )

    def _closed(self, unit: int) -> set[int]:
        seen: set[int] = set()
        todo = list(self.direct[unit])
        while todo:
            u = todo.pop()
            if u not in seen:
                seen.add(u)
                todo += self.direct[u]
        return seen

    def _certain(self, node: int) -> set[int]:
        """Return the units that must be done for a node to hold."""
        n = len(self.graph.subtasks)
        found: set[int] = set()
        todo = [node]
        while todo:
            here = todo.pop()
            if here == TRUE:
                continue
            if here < n:
                found.add(self.unit[here])
                continue
            gate = self.graph.gates[here - n]
            if gate.count == len(gate.positive) + len(gate.negative):
                todo += gate.positive
            elif gate.count >= 1 and not gate.negative and all(p < n for p in gate.positive):
                units = {self.unit[p] for p in gate.positive}
                found |= units if len(units) == 1 else set()
        return found


def _tighten(
    look: Outlook, readers: _Readers, counts: dict[int, int], most: dict[int, int], settled: set[int]
) -> None:
    """Lower the counts of spoilable units to the number of their readers, once around."""
    spoiling = spoilers(look.graph)
    units = {readers.unit[i] for i in counts if i in spoiling}
    for u in units & readers.open:
        members = [i for i in readers.members[u] if i in counts]
        keepers = {readers.unit[k] for i in members for k in spoiling.get(i, {})}
        needed = max(1, _uses(readers, counts, settled, u, keepers))
        for i in members:
            counts[i] = min(counts[i], _attempts_for(look, i, needed, most[i]))
        if needed == 1 and all(_stable(readers, counts, settled, k) and k in readers.must for k in keepers):
            settled.update(members)


def _stable(readers: _Readers, counts: dict[int, int], settled: set[int], unit: int) -> bool:
    """Return whether a unit, once started, runs or is done until the end in a best play."""
    spoiling = spoilers(readers.graph)
    members = [i for i in readers.members[unit] if i in counts]
    return unit in readers.open and all(i in settled or i not in spoiling for i in members)


def _runs(readers: _Readers, counts: dict[int, int], settled: set[int], units: Iterable[int]) -> int:
    """Return the most runs of some units together; modes exclude each other once one is done for good."""
    total = 0
    for u in units:
        own = [counts.get(i, 0) for i in readers.members[u]]
        total += max(own) if _stable(readers, counts, settled, u) else sum(own)
    return total


def _uses(readers: _Readers, counts: dict[int, int], settled: set[int], unit: int, keepers: set[int]) -> int:
    """Return how many runs of a unit can be read by something."""
    firm = all(_stable(readers, counts, settled, k) for k in keepers)
    served = {j for j in readers.by[unit] if j not in keepers and firm and keepers <= readers.closure[j]}
    total = _runs(readers, counts, settled, readers.by[unit] - served)
    if unit in readers.goal and not (firm and keepers):
        total += 1
    chain = _kept(readers, unit)
    for q in chain:
        others = {j for j in readers.by[q] if j != unit and j not in chain and unit not in readers.direct[j]}
        total += _runs(readers, counts, settled, others)
        if q in readers.goal and unit not in readers.end:
            total += 1
    return total


def _kept(readers: _Readers, unit: int) -> set[int]:
    """Return the units that a unit keeps from spoiling, directly or through others."""
    graph = readers.graph
    found: set[int] = set()
    todo = [unit]
    while todo:
        for i in readers.members[todo.pop()]:
            for lag in graph.subtasks[i].lags:
                if lag.origin == "completion" and lag.maximum is not None:
                    for p in lag.predecessors:
                        if readers.unit[p] not in found and readers.unit[p] != unit:
                            found.add(readers.unit[p])
                            todo.append(readers.unit[p])
    return found
