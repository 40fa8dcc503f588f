"""What can never hold together: contradictions, branches of a choice, items that run out.

Owns a sound, incomplete proof that a node of the graph can never hold. It knows no
times; those are for ``bounds``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from stratagym.envs.task.faults import quote
from stratagym.envs.task.graph import TRUE, Choice, TaskGraph

COUNTED_SUBTASKS = 512
"""Up to this many subtasks items are counted for each of them, else for the goal only."""


@dataclass(frozen=True, slots=True)
class Need:
    """What holds whenever a node does: bit sets of subtasks that are done, and that are not."""

    done: int = 0
    undone: int = 0


class Exclusion:
    """Finds nodes that can never hold because of what they need at the same time.

    Members of a choice that share no branch are never both done: whenever something
    starts, one branch contains all that is running or done.
    """

    def __init__(self, graph: TaskGraph) -> None:
        self.graph = graph
        self.n = len(graph.subtasks)
        self._needs: dict[tuple[int, bool], Need] = {}
        for g, gate in enumerate(graph.gates):
            literals = [(p, True) for p in gate.positive] + [(p, False) for p in gate.negative]
            opposite = [(p, not sign) for p, sign in literals]
            self._needs[self.n + g, True] = self._joined(literals, gate.count)
            self._needs[self.n + g, False] = self._joined(opposite, len(literals) - gate.count + 1)
        self._choices = [(sum(1 << i for i in choice.members), choice) for choice in graph.choices]
        self._before = [self._predecessors(i) for i in range(self.n)]
        self._supply = supply(graph)
        self._takers = [i for i, s in enumerate(graph.subtasks) if s.consumes or s.requires]

    def need(self, node: int, sign: bool = True) -> Need:
        """Return what holds whenever the node does (or, with ``sign`` false, does not)."""
        if node == TRUE:
            return Need()
        if node < self.n:
            return Need(1 << node, 0) if sign else Need(0, 1 << node)
        return self._needs[node, sign]

    def fault(self, node: int, subtask: int | None = None) -> str:
        """Return why a node can never hold, or an empty string if that is not proved.

        Args:
            node: the node.
            subtask: a subtask that needs it, whose own lags and items count too.
        """
        need = self.need(node)
        both = need.done & need.undone
        if both:
            return f"{self._quoted(both)} would have to be done and not done"
        for mask, choice in self._choices:
            if (need.done & mask).bit_count() > 1:
                apart = _apart(choice, need.done)
                if apart:
                    names = " and ".join(quote(self.graph.subtasks[i].name) for i in apart)
                    return f"{names} exclude each other (choice {quote(choice.name)})"
        if subtask is None:
            return self._shortage(need.done)
        return self._shortage(1 << subtask) if self.n <= COUNTED_SUBTASKS else ""

    def _joined(self, literals: list[tuple[int, bool]], count: int) -> Need:
        """Return what holds whenever ``count`` of the literals do: all of it, or what all share."""
        if count <= 0 or not literals:
            return Need()
        needs = [self.need(node, sign) for node, sign in literals]
        done, undone = needs[0].done, needs[0].undone
        for need in needs[1:]:
            if count >= len(literals):
                done, undone = done | need.done, undone | need.undone
            else:
                done, undone = done & need.done, undone & need.undone
        return Need(done, undone)

    def _predecessors(self, i: int) -> int:
        """Return the subtasks that must have succeeded before this one can start."""
        s = self.graph.subtasks[i]
        single = [lag.predecessors for lag in s.lags if lag.origin == "completion"]
        lagged = sum(1 << p[0] for p in single if len(p) == 1)
        return self.need(s.needs).done | lagged

    def _shortage(self, started: int) -> str:
        """Return which item cannot suffice if these and all before them must start."""
        if not started or not self._takers or not self._supply:
            return ""
        seen, waiting = 0, started
        while waiting:
            lowest = waiting & -waiting
            seen |= lowest
            waiting = (waiting | self._before[lowest.bit_length() - 1]) & ~seen
        taken: dict[int, int] = {}
        present: dict[int, int] = {}
        for i in self._takers:
            if seen >> i & 1:
                s = self.graph.subtasks[i]
                for item, amount in s.consumes:
                    taken[item] = taken.get(item, 0) + amount
                for item, amount in s.requires:
                    present[item] = max(present.get(item, 0), amount)
        for item, amount in (*taken.items(), *present.items()):
            most = self._supply.get(item, math.inf)
            if amount > most:
                name = quote(self.graph.items[item].name)
                return f"it takes {amount} of the item {name}, but there are never more than {most:g}"
        return ""

    def _quoted(self, mask: int) -> str:
        return quote(self.graph.subtasks[(mask & -mask).bit_length() - 1].name)


def supply(graph: TaskGraph) -> dict[int, float]:
    """Return how much of each item there can ever be in all, for items that are limited.

    What is produced again and again has no limit: by a repeatable subtask, or by one
    that can be undone (a lag's ``max``, an event).
    """
    again = {i for i, s in enumerate(graph.subtasks) if s.repeatable}
    again |= {i for event in graph.events if event.kind == "undo" for i in event.targets}
    for s in graph.subtasks:
        for lag in s.lags:
            if lag.origin == "completion" and lag.maximum is not None:
                again.update(lag.predecessors)
    most: dict[int, float] = {k: float(item.stock) for k, item in enumerate(graph.items)}
    for event in graph.events:
        if event.kind == "stock":
            for item, amount in zip(event.targets, event.amounts, strict=True):
                most[item] += max(amount, 0)
    for i, s in enumerate(graph.subtasks):
        times = (math.inf if s.attempts is None else s.attempts) if i in again else 1
        for item, amount in s.produces:
            most[item] += times * amount
    return {item: amount for item, amount in most.items() if not math.isinf(amount)}


def _apart(choice: Choice, done: int) -> tuple[int, int] | None:
    """Return two subtasks in ``done`` that stand in no common branch of a choice."""
    within: dict[int, int] = {}
    for k, branch in enumerate(choice.branches):
        for i in branch.members:
            if done >> i & 1:
                within[i] = within.get(i, 0) | 1 << k
    members = sorted(within)
    for a, i in enumerate(members):
        for j in members[a + 1 :]:
            if not within[i] & within[j]:
                return i, j
    return None
