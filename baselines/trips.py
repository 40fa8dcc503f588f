"""How good a trip is: 60 points for carrying it out, 20 for what was agreed, 20 for being quick.

Owns the three-tier score of itineraries, in the form of ItineraryBench (Wang et al., TDAG, Neural
Networks 185, 2025, section 4): executability, constraints, efficiency, each tier counted only if
the one before it is full. The published scorer pays *more* for slower and dearer trips between
its two reference values; here efficiency falls, linearly, from 20 at the best known value to
0 at the worst that still counts. It plays nothing and reads no environment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stratagym.baselines.rollout import Step
from stratagym.envs.task.graph import TaskGraph

GO = "go "
"""How the actions begin that take a way."""

EXECUTABILITY, CONSTRAINTS, EFFICIENCY = 60.0, 20.0, 20.0
"""Points of the tiers."""


@dataclass(frozen=True, slots=True)
class TripScore:
    """Points of one trip.

    Attributes:
        executability: 0..60.
        constraints: 0..20.
        efficiency: 0..20.
    """

    executability: float
    constraints: float
    efficiency: float

    @property
    def total(self) -> float:
        """All points, 0..100."""
        return self.executability + self.constraints + self.efficiency


@dataclass(frozen=True, slots=True)
class Conduct:
    """What is counted of one trip.

    Attributes:
        right: parts of the trip that were carried out.
        wrong: parts that were not, actions that could not be carried out, and ways that led nowhere.
        kept: bookings that were kept, and being home before the trip is over.
        broken: those that were not.
        spent: ticks, or money, that it took.
    """

    right: int
    wrong: int
    kept: int
    broken: int
    spent: float


def trip_score(conduct: Conduct, best: float, worst: float, *, gated: bool = True) -> TripScore:
    """Return the points of a trip.

    Args:
        conduct: what happened.
        best: what the best known trip takes; as much or less earns full efficiency.
        worst: what earns none, more than ``best``.
        gated: whether a tier counts only if the one before it is full; without gates constraints
            always count, and efficiency if both tiers before it are full.

    Raises:
        ValueError: if ``worst`` is not more than ``best``.
    """
    if not worst > best:
        raise ValueError(f"worst: {worst:g} is not more than the best, {best:g}")
    executability = EXECUTABILITY * _share(conduct.right, conduct.wrong)
    constraints = efficiency = 0.0
    if executability == EXECUTABILITY or not gated:
        constraints = CONSTRAINTS * _share(conduct.kept, conduct.broken)
    if executability == EXECUTABILITY and constraints == CONSTRAINTS:
        left = (worst - conduct.spent) / (worst - best)
        efficiency = EFFICIENCY * min(1.0, max(0.0, left))
    return TripScore(executability, constraints, efficiency)


def _share(good: int, bad: int) -> float:
    return good / (good + bad) if good + bad else 1.0


def conduct_of(graph: TaskGraph, steps: Iterable[Step], *, item: str | None = None) -> Conduct:
    """Return what is counted of an episode of a trip.

    Its parts are what the task pays for: sights, nights, the return. Wrong steps are parts that are
    missing at the end, actions that were not accepted, and ways that led nowhere: after which another
    way was taken before anything was begun. Bookings are due dates.

    Args:
        graph: the task, of one agent.
        steps: all of them, as ``rollout.play`` tells them.
        item: the item whose spending counts instead of the ticks (``money``).
    """
    index = {name: i for i, name in enumerate(graph.names)}
    counted = None if item is None else [other.name for other in graph.items].index(item)
    done: set[int] = set()
    first: dict[int, int] = {}
    wrong, spent, time, under_way = 0, 0, 0, False
    for step in steps:
        time = step.time + step.elapsed
        (action,), (refusal,) = step.actions, step.refusals
        if refusal is not None:
            wrong += 1
        elif str(action).startswith(GO):
            wrong += under_way
            under_way = True
        for event in step.events:
            i = index.get(event["subtask"])
            if i is None:
                continue
            if event["kind"] == "start":
                under_way = False
                spent += 0 if counted is None else dict(graph.subtasks[i].consumes).get(counted, 0)
            elif event["kind"] == "success":
                done.add(i)
                first.setdefault(i, event["tick"])
            elif event["kind"] in ("undo", "spoil"):
                done.discard(i)
    parts: dict[int, bool] = {}
    for i, subtask in enumerate(graph.subtasks):
        if subtask.reward > 0:
            parts[subtask.pay_group] = parts.get(subtask.pay_group, False) or i in done
    kept = sum(any(first.get(i, due.due + 1) <= due.due for i in due.members) for due in graph.dues)
    home = all(parts.values())
    return Conduct(
        right=sum(parts.values()),
        wrong=wrong + len(parts) - sum(parts.values()),
        kept=kept + home,
        broken=len(graph.dues) - kept + (not home),
        spent=float(time if counted is None else spent),
    )
