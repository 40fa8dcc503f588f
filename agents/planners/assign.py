"""Who starts what: from an order of subtasks to one action per agent.

Owns the sharing out of one step's starts, so that no two agents name the same
subtask, a joint subtask gets all its agents or none, and what is started
together is there for all of it. It ranks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stratagym.agents.base import Actions
from stratagym.agents.planners.structure import Structure

Mask = np.ndarray[Any, np.dtype[np.int8]]


def candidates(mask: Mask) -> list[int]:
    """Return the subtasks that some agent may start now, by index."""
    return [int(i) for i in np.flatnonzero(mask[:, :-1].any(axis=0))]


class Budget:
    """What is left for further starts in the same step: capacity, stock, branches of choices.

    The mask judges each start alone; this judges it after the others. Two starts
    that only a formula keeps apart are not told apart here: the second is refused
    by the environment and its agents wait for one step.
    """

    def __init__(
        self, structure: Structure, status: Sequence[str], free: Mapping[str, int], stock: Mapping[str, int]
    ) -> None:
        self._structure = structure
        graph = structure.graph
        self._free = {k: free[r.name] for k, r in enumerate(graph.resources) if r.name in free}
        self._stock = {k: stock[item.name] for k, item in enumerate(graph.items) if item.name in stock}
        self._kept: dict[int, int] = {}  # item -> stock that a start already taken requires
        self._taken = {i for i, word in enumerate(status) if word in ("running", "done")}

    def take(self, i: int) -> bool:
        """Take what subtask ``i`` needs and return True, or return False and take nothing."""
        subtask = self._structure.graph.subtasks[i]
        if any(self._free.get(k, amount) < amount for k, amount in subtask.uses):
            return False
        if any(self._stock.get(k, amount) < amount for k, amount in subtask.requires):
            return False
        for k, amount in subtask.consumes:
            if self._stock.get(k, amount) < max(amount, amount + self._kept.get(k, 0)):
                return False
        if not all(self._open(c, i) for c in self._structure.choices[i]):
            return False
        for k, amount in subtask.uses:
            self._free[k] = self._free.get(k, amount) - amount
        for k, amount in subtask.consumes:
            self._stock[k] = self._stock.get(k, amount) - amount
        for k, amount in subtask.requires:
            self._kept[k] = max(amount, self._kept.get(k, 0))
        self._taken.add(i)
        return True

    def _open(self, c: int, i: int) -> bool:
        """Tell whether some branch of the choice holds ``i`` and all of it that is taken."""
        choice = self._structure.graph.choices[c]
        taken = self._taken.intersection(choice.members) | {i}
        return any(taken.issubset(branch.members) for branch in choice.branches)


def assign(
    order: Iterable[int],
    mask: Mask,
    sizes: Sequence[int],
    budget: Budget | None = None,
    agents: int | None = None,
) -> Actions:
    """Share the subtasks out among the agents, in the given order, each where it fits.

    Args:
        order: subtasks, the most wanted first.
        mask: ``[agents, n + 1]``.
        sizes: ``[n]`` how many agents must start each together.
        budget: what starts of one step share; None where the task is unknown.
        agents: how many agents there are in all. If the mask has fewer rows, others
            decide for themselves and may join, so one agent is enough to name a subtask.

    Returns:
        ``[agents]`` actions; who gets nothing waits. Of the agents that could, those
        with the fewest other possibilities are chosen, the lower index first.
    """
    rows, wait = mask.shape[0], mask.shape[1] - 1
    alone = agents is not None and rows < agents
    actions = np.full(rows, wait, dtype=np.int64)
    freedom = mask[:, :wait].sum(axis=1)
    idle = [a for a in range(rows) if freedom[a]]
    for i in order:
        able = sorted((a for a in idle if mask[a, i]), key=lambda a: (freedom[a], a))
        size = 1 if alone else sizes[i]
        if len(able) < size or (budget is not None and not budget.take(i)):
            continue
        for a in able[:size]:
            actions[a] = i
            idle.remove(a)
        if not idle:
            break
    return actions
