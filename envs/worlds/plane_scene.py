"""A plane as data: its table of integers, and what others ask of a scene.

Owns ``PlaneScene`` and ``load``. The fields of its mapping are ``plane_spec``'s, what is refused is
``plane_check``'s; everything is checked before a scene is made, so that the kernel need not ask.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratagym.envs.rng import threshold
from stratagym.envs.task import layout as at
from stratagym.envs.task.document import Task
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.models import check
from stratagym.envs.worlds import plane
from stratagym.envs.worlds import plane_layout as pl
from stratagym.envs.worlds.plane_check import check_plane
from stratagym.envs.worlds.plane_spec import BodySpec, ObstacleSpec, PlaceEventSpec, PlaneSpec, Point, ends_of
from stratagym.envs.worlds.plane_view import look_at


def fixed(value: float) -> int:
    """Return a length as a fixed-point number (nearest, halves to even)."""
    return round(value * pl.SCALE)


@dataclass(frozen=True, slots=True)
class Spot:
    """A site or a clip (``length`` above 0), in units of the plane."""

    name: str
    at: Point
    angle: float
    radius: float
    length: float
    lane: float


class PlaneScene:
    """One loaded and checked plane; see ``base.Scene`` for what every scene has.

    Attributes:
        spec: what its mapping says.
        spots: sites, then clips, in the order of their numbers.
    """

    kind = "plane"
    kernel = plane
    actions: tuple[str, ...] = ()
    action_width = pl.AXES
    box: tuple[Sequence[float], Sequence[float]] = ((-1.0,) * pl.AXES, (1.0,) * pl.AXES)
    fog = False

    def __init__(self, spec: PlaneSpec, graph: TaskGraph, plain: Mapping[str, Any]) -> None:
        self.spec = spec
        self._subtasks = graph.names
        self._bodies = tuple(agent.name for agent in graph.agents)
        self._text = json.dumps(plain, allow_nan=False, separators=(",", ":"))
        self.spots = (
            *(Spot(name, s.at, 0.0, s.radius, 0.0, 0.0) for name, s in spec.sites.items()),
            *(Spot(name, c.at, c.angle, c.radius, c.length, c.lane) for name, c in spec.clips.items()),
        )
        self._numbers = {spot.name: k for k, spot in enumerate(self.spots)}
        self.obstacles = tuple(spec.obstacles)

    @property
    def span(self) -> int:
        """Ticks of the longest way: along both sides, by the slowest body, twice for bends."""
        slowest = min(body.speed for body in self.spec.bodies)
        return math.ceil(2 * sum(self.spec.size) / slowest)

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of what it says."""
        return hashlib.sha256(self._text.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return the mapping that loads to an equal scene."""
        mapping: dict[str, Any] = json.loads(self._text)
        return mapping

    def rule_of(self, i: int) -> tuple[str, int, int]:
        """Return how subtask ``i`` is done, the number of its site (-1: the cable's end), and its limit."""
        rule = self.spec.rules[self._subtasks[i]]
        return rule.by, -1 if rule.at is None else self._numbers[rule.at], rule.limit

    def sizes(self) -> tuple[int, ...]:
        """Return bodies, sites, obstacles, events, nodes and subtasks."""
        s = self.spec
        nodes = s.cable.nodes if s.cable else 1
        return (
            len(s.bodies),
            len(self.spots),
            len(s.obstacles),
            len(s.events),
            nodes,
            len(self._subtasks),
        )

    def compile(self, sizes: tuple[int, ...], wide: int) -> list[int]:
        """Return the table for padded sizes; ``sizes[-1]`` subtasks, of which ``wide`` stand in the task."""
        bodies, sites, obstacles, events, nodes, subtasks = sizes
        table = [0] * plane.room(sizes).ints
        place = pl.W_HEADS
        state = pl.C_HEADS
        for head, count, size in (
            (pl.P_BODIES, bodies, pl.BODY_SIZE),
            (pl.P_SITES, sites, pl.SITE_SIZE),
            (pl.P_OBSTACLES, obstacles, pl.OBSTACLE_SIZE),
            (pl.P_EVENTS, events, pl.PE_SIZE),
            (pl.P_RULES, subtasks, pl.RULE_SIZE),
        ):
            table[head], place = place, place + count * size
        for head, count in (
            (pl.Q_BODIES, bodies * pl.BODY_STATE),
            (pl.Q_CLIPS, sites),
            (pl.Q_PRESENT, obstacles),
            (pl.Q_TICKS, events),
            (pl.Q_NODES, 2 * nodes),
            (pl.Q_LAID, 0),
        ):
            table[head], state = state, state + count
        for k, count in enumerate(sizes):
            table[pl.W_BODIES + k] = count
        self._fill(table, subtasks)
        return table

    def _fill(self, table: list[int], subtasks: int) -> None:
        s = self.spec
        table[pl.N_SITES], table[pl.N_OBSTACLES] = len(self.spots), len(s.obstacles)
        table[pl.N_EVENTS], table[pl.LAID] = len(s.events), plane.laid_room(table[pl.W_SITES])
        table[pl.WIDTH], table[pl.HEIGHT] = fixed(s.size[0]), fixed(s.size[1])
        if s.cable:
            chance = threshold(s.cable.stick)
            table[pl.CABLE : pl.STICK_LOW + 1] = [
                1,
                *map(fixed, (*s.cable.start, *s.cable.end)),
                s.cable.nodes,
                fixed(s.cable.segment),
                fixed(s.cable.grip),
                chance >> 16,
                chance & 0xFFFF,
            ]
        rows: list[tuple[int, int, list[list[int]]]] = [
            (pl.P_BODIES, pl.BODY_SIZE, [_body(b) for b in s.bodies]),
            (pl.P_SITES, pl.SITE_SIZE, [_spot(spot) for spot in self.spots]),
            (pl.P_OBSTACLES, pl.OBSTACLE_SIZE, [_obstacle(o) for o in s.obstacles.values()]),
            (pl.P_EVENTS, pl.PE_SIZE, [self._event(e) for e in s.events]),
            (pl.P_RULES, pl.RULE_SIZE, [self._rule(i, subtasks) for i in range(subtasks)]),
        ]
        for head, size, records in rows:
            for k, record in enumerate(records):
                place = table[head] + k * size
                table[place : place + size] = record

    def _event(self, event: PlaceEventSpec) -> list[int]:
        kind = next(k for k, word in enumerate(pl.PLACE_EVENTS) if getattr(event, word) is not None)
        name = event.appear or event.vanish
        return [kind, *event.at, self.obstacles.index(name) if name else 0]

    def _rule(self, i: int, subtasks: int) -> list[int]:
        if i >= len(self._subtasks):
            return [pl.NO_RULE, -1, 1]
        by, site, limit = self.rule_of(i)
        return [pl.PRIMITIVES.index(by), site, limit]

    def names(self, kind: str) -> Sequence[str]:
        """Return the names of the obstacles, or of the bodies for ``slip``."""
        return self._bodies if kind == "slip" else self.obstacles

    def sees(self, m: at.Memory, agent: int | None, place: int) -> bool:
        """Return that everybody sees everything."""
        return True

    def look(self, m: at.Memory, graph: TaskGraph, agent: int | None, knowledge: str) -> Any:
        """Return the ``PlaneView`` of an agent, or of the controller of all (agent None)."""
        return look_at(self, m, graph, agent, knowledge)


def _body(b: BodySpec) -> list[int]:
    speed = fixed(b.speed)
    return [*map(fixed, b.at), fixed(b.radius), speed, fixed(b.acceleration), speed // 2]


def _spot(spot: Spot) -> list[int]:
    turn = math.radians(spot.angle)
    axis = (fixed(math.cos(turn)), fixed(math.sin(turn)))
    return [*map(fixed, spot.at), *axis, *map(fixed, (spot.radius, spot.length, spot.lane))]


def _obstacle(o: ObstacleSpec) -> list[int]:
    (x1, y1), (x2, y2) = ends_of(o)
    return [*map(fixed, (x1, y1, x2, y2, o.radius)), int(not o.absent)]


# ------------------------------------------------------------------ loading


def load(mapping: Mapping[str, Any], task: Task) -> PlaneScene:
    """Load a plane for a task and check all of it.

    Args:
        mapping: the scene as plain data.
        task: what is played in it.

    Raises:
        TaskError: if anything is wrong with it: one line with the place, the fault and the likely fix.
    """
    spec, graph = check(PlaneSpec, dict(mapping), ""), task.graph
    check_plane(spec, graph)
    return PlaneScene(spec, graph, mapping)
