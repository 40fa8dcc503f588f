"""The reference of a task: what an agent's result is measured against, and its kind.

Owns the record, which of its numbers is the yardstick, and how it is worked out when no
certificate is shipped. The exact solver is ``optimum``, bounds without it are ``bounds``;
both are imported late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from stratagym.envs.task.graph import TaskGraph

ReferenceKind = Literal["proved", "bound", "hindsight", "best known"]
Objective = Literal["makespan", "reward", "tardiness"]

EFFORT = 4.0
"""Deterministic time that the solver gets where no certificate is shipped: the same
work, so the same answer, on every machine."""

MOST_SUBTASKS = 64
"""Larger tasks without a certificate get a bound without a solver."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of the best that can be done.

    Attributes:
        objective: what is measured.
        value: the best value known to be reached, None if there is none.
        bound: no agent can do better.
        kind: ``proved`` (value equals bound), ``hindsight``, ``best known`` or ``bound``.
    """

    objective: Objective
    value: float | None
    bound: float
    kind: ReferenceKind

    @property
    def figure(self) -> float:
        """The yardstick: the best value known to be reached, else the bound.

        A value that is only best known can be beaten, and then a ratio to it lies on the other side
        of 1. A bound can not, but where bodies must walk it may be far from what anyone can reach.
        """
        return self.bound if self.value is None else self.value


def bound_of(graph: TaskGraph) -> Reference:
    """Return what no agent can beat, without a solver."""
    from stratagym.envs.task.bounds import lower_bound, upper_bound_reward

    if graph.goal is None:
        return Reference("reward", None, upper_bound_reward(graph), "bound")
    ticks = lower_bound(graph)
    return Reference("makespan", None, math.inf if ticks is None else float(ticks), "bound")


def reference_of(graph: TaskGraph, *, seed: int | None = None, effort: float = EFFORT) -> Reference:
    """Work out the reference of a task, the same on every machine.

    Args:
        graph: the task.
        seed: with the draws and events of this episode known (kind ``hindsight``).
        effort: deterministic time for the solver.
    """
    objective: Objective = "makespan" if graph.goal is not None else "reward"
    unknown = seed is None and graph.random
    if unknown or len(graph.subtasks) > MOST_SUBTASKS:
        return bound_of(graph)
    from stratagym.envs.task.optimum import optimum

    found = optimum(graph, objective, seed=seed, deterministic=True, time_limit=effort)
    return Reference(objective, found.value, float(found.bound), found.kind)
