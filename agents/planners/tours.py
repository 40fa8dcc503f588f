"""Tours: in which order the clips of a plane are threaded, the ways between counted.

Owns a planner for planes. The order of what remains is found exactly, by going through all orders
that the needs of the task allow and giving up those that are already longer than the best; ways lead
around obstacles as the skill's do. Everything else that can be begun is begun in the order that the
task's structure suggests (the critical path); other worlds it leaves to that rule altogether.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from stratagym.agents.base import Actions
from stratagym.agents.planners.dispatch import RuleAgent
from stratagym.agents.skills.plane_ways import bars_of, way_between
from stratagym.envs.task.graph import TaskGraph, holds
from stratagym.envs.task.view import Observation, Status
from stratagym.envs.worlds.view import ClipView, PlaneView, Point

MOST = 9
"""Clips of which all orders are tried; of more, the nearest comes first."""


class TourAgent(RuleAgent):
    """See the module. It decides one step at a time."""

    travels = True

    def __init__(self) -> None:
        super().__init__("critical_path")

    def act(self, observation: Observation) -> Actions:
        """Return one subtask for each body."""
        view, task = observation.world, observation.task
        if not isinstance(view, PlaneView) or task.graph is None or not view.rules:
            return super().act(observation)
        wait = observation.mask.shape[1] - 1
        actions = np.full(observation.mask.shape[0], wait, np.int64)
        for b, row in enumerate(observation.mask):
            free = {int(i) for i in np.flatnonzero(row[:-1])} - {int(i) for i in actions}
            routes = {i for i in free if view.rules[i][0].by == "route"}
            first = next((i for i in free if view.rules[i][0].by in ("insert", "pick up")), None)
            if first is not None:
                actions[b] = first
            elif routes:
                actions[b] = self._next(view, task.graph, task.status, b, routes)
            elif free:
                others = [i for i in free if view.rules[i][0].by != "perturb"]
                actions[b] = min(others, default=wait)
        return self._note(task, actions, "tour")

    def _next(
        self, view: PlaneView, graph: TaskGraph, status: Sequence[Status], b: int, now: set[int]
    ) -> int:
        """Return the route that the best order of all that remain begins with."""
        done = frozenset(i for i, word in enumerate(status) if word == "done")
        clips = {clip.name: clip for clip in view.clips}
        inserts = {
            rules[0].at: i for i, rules in view.rules.items() if rules[0].by == "insert" and i not in done
        }
        routes = {
            i: (clips[str(rules[0].at)], inserts[rules[0].at])
            for i, rules in view.rules.items()
            if rules[0].by == "route" and rules[0].at in inserts
        }
        search = _Orders(view, graph, b, routes)
        here = (float(view.positions[b, 0]), float(view.positions[b, 1]))
        if len(routes) > MOST:
            return min(now, key=lambda i: search.way(here, routes[i][0]))
        search.extend(here, done, 0.0, None, now)
        return search.first if search.first is not None else min(now)


class _Orders:
    """The search for the shortest order of routes."""

    def __init__(
        self, view: PlaneView, graph: TaskGraph, b: int, routes: Mapping[int, tuple[ClipView, int]]
    ) -> None:
        self._view, self._graph, self._b, self._routes = view, graph, b, routes
        self._bars = bars_of(view, b)
        self._known: dict[tuple[Point, str], float] = {}
        self.best, self.first = math.inf, None if not routes else next(iter(routes))

    def way(self, here: Point, clip: ClipView) -> float:
        """Return how long the way is from a point to the begin of a clip's lane."""
        key = (here, clip.name)
        if key not in self._known:
            gate = point_of(clip, -clip.length - clip.lane)
            size, radius = self._view.size, self._view.radii[self._b]
            self._known[key] = way_between(here, gate, self._bars, radius, size)[1]
        return self._known[key]

    def extend(
        self, here: Point, done: frozenset[int], length: float, first: int | None, may: set[int] | None
    ) -> None:
        """Try all orders that go on from a beginning.

        Args:
            here: where the body is.
            done: what is done by then.
            length: of the ways so far.
            first: the first route of the order, None before it.
            may: what can be begun now; None where the needs tell.
        """
        left = [i for i, (_, insert) in self._routes.items() if insert not in done]
        if not left and length < self.best:
            self.best, self.first = length, first
        ways = sorted((self.way(here, self._routes[i][0]), i) for i in left)
        for way, i in ways:
            clip, insert = self._routes[i]
            open_ = holds(self._graph, self._graph.subtasks[i].needs, done) if may is None else i in may
            if open_ and length + way < self.best:
                out = point_of(clip, clip.length)
                after = done | {i, insert}
                self.extend(out, after, length + way, i if first is None else first, None)


def point_of(clip: ClipView, along: float) -> Point:
    """Return a point on the axis of a clip."""
    return clip.at[0] + along * math.cos(clip.angle), clip.at[1] + along * math.sin(clip.angle)
