"""The best value of a small task by trying everything on the naive second implementation."""

from __future__ import annotations

import copy
import itertools
from collections import deque
from typing import Any

from reference import Reference


class TooManyStates(Exception):
    """The search was given up."""


class ReferenceSimulator:
    """The naive implementation behind the face of the simulator that ``replay`` plays on."""

    def __init__(self, mapping: dict[str, Any], seed: int) -> None:
        self.lane = Reference(mapping, seed, clock="tick")
        self.paid = 0.0
        self._crew: dict[str, tuple[int, ...]] = {}

    def clone(self) -> ReferenceSimulator:
        """Return an independent copy of this moment."""
        return copy.deepcopy(self)

    @property
    def time(self) -> int:
        """The clock in ticks."""
        return self.lane.time

    @property
    def over(self) -> str | None:
        """``terminated``, ``truncated`` or None."""
        return "terminated" if self.lane.terminated else "truncated" if self.lane.truncated else None

    @property
    def success(self) -> bool:
        """Whether the goal was reached."""
        return self.lane.success

    @property
    def tardiness(self) -> float:
        """Weighted tardiness so far."""
        return self.lane.tardiness

    def mask(self) -> list[list[int]]:
        """Return the mask."""
        return self.lane.mask()

    def step(self, actions: list[int]) -> list[tuple[int, str, str, tuple[int, ...]]]:
        """Take one step and return what happened."""
        self.lane.step(list(actions))
        self.paid += self.lane.reward
        log = []
        for tick, kind, name in self.lane.events:
            if kind == "start":
                i = self.lane.names.index(name)
                named = [a for a, x in enumerate(actions) if x == i and self.lane.refusals[a] is None]
                self._crew[name] = tuple(named[: self.lane.task["subtasks"][name]["agents"]])
            log.append((tick, kind, name, self._crew.get(name, ())))
        return log


def best_value(mapping: dict[str, Any], seed: int, objective: str, limit: int = 3000) -> float | None:
    """Return the best value of an objective over all plays, None if no play reaches the goal.

    Args:
        mapping: a task with a horizon.
        seed: of the draws.
        objective: ``makespan``, ``reward`` or ``tardiness``.
        limit: how many different states are looked at.

    Raises:
        TooManyStates: if there are more.
    """
    lane = Reference(mapping, seed, clock="tick")
    queue = deque([(lane, 0.0)])
    seen = {_state(lane, 0.0)}
    values: list[float] = []
    while queue:
        lane, paid = queue.popleft()
        if objective == "makespan" and values and lane.time >= min(values):
            continue
        for actions in _joint_actions(lane):
            after = copy.deepcopy(lane)
            after.step(list(actions))
            total = round(paid + after.reward, 6)
            if after.terminated or after.truncated:
                if objective == "makespan":
                    values += [float(after.time)] if after.success else []
                else:
                    values.append(total if objective == "reward" else after.tardiness)
                continue
            state = _state(after, total if objective == "reward" else 0.0)
            if state not in seen:
                seen.add(state)
                queue.append((after, total))
                if len(seen) > limit:
                    raise TooManyStates
    if not values:
        return None
    return max(values) if objective == "reward" else min(values)


def _joint_actions(lane: Reference) -> list[tuple[int, ...]]:
    """Return the joint actions that can differ; with formulas also what only an earlier start allows."""
    n = len(lane.names)
    options = [
        [i for i in range(n) if row[i] or (lane.automata and agent)] + [n]
        for agent, row in enumerate(lane.mask())
    ]
    single = {i for i, name in enumerate(lane.names) if lane.task["subtasks"][name]["agents"] == 1}
    return [
        actions
        for actions in itertools.product(*options)
        if all(actions.count(i) == 1 for i in set(actions) & single)
    ]


def _state(lane: Reference, paid: float) -> tuple[Any, ...]:
    """Return all that the future depends on."""
    return (
        lane.time,
        paid,
        tuple(sorted((name, run["end"], run["attempt"]) for name, run in lane.running.items())),
        frozenset(lane.finished),
        frozenset(lane.closed),
        tuple(lane.starts.values()),
        *(
            tuple(sorted(times.items()))
            for times in (
                lane.last_start,
                lane.last_start_of_earlier_steps,
                lane.last_success,
                lane.first_success,
                lane.capacity,
                lane.items,
            )
        ),
        frozenset(lane.paid_groups),
        frozenset(lane.started_since_tick),
        tuple(lane.busy_until),
        tuple(lane.down_until),
        repr(lane.automata),
    )
