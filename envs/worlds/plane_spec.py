"""What the mapping of a plane may say: its fields, and the geometry that follows from them.

Owns types and ranges; how the parts fit together is for ``plane_check``. Lengths are in units of
the plane.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from stratagym.envs.task.faults import describe
from stratagym.envs.task.models import Model, Moment, Probability, Refusal

LARGEST = 31
"""Units that a side of a plane has at most: two bytes a number in the flat view hold 32."""

MOST_NODES = 64
REPORTED = ("reach", "pick up", "route", "insert", "perturb")
"""The primitives whose end the plane reports."""

Point = tuple[float, float]


def _point(value: Any) -> Point:
    numbers = isinstance(value, list | tuple) and [
        v for v in value if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
    ]
    if not numbers or len(numbers) != 2 or len(value) != 2:
        raise Refusal(f"a point is a list of two numbers [x, y], not {describe(value)}")
    return float(numbers[0]), float(numbers[1])


Place = Annotated[Point, PlainValidator(_point)]
Length = Annotated[float, Field(gt=0, le=LARGEST)]


class BodySpec(Model):
    """One body: a disc that is steered."""

    at: Place
    radius: Length = 0.4
    speed: Length = 0.4
    acceleration: Length = 0.15


class SiteSpec(Model):
    """A place to reach or to act at."""

    at: Place
    radius: Length = 0.5


class ClipSpec(Model):
    """A clip: a channel open at both ends, in which a cable is held."""

    at: Place
    angle: Annotated[float, Field(ge=-360, le=360)] = 0.0
    radius: Length = 0.4
    length: Length = 0.6
    lane: Length = 1.2


class ObstacleSpec(Model):
    """A post (``at``) or a bar (``line``); ``absent`` until an event lets it appear."""

    at: Place | None = None
    line: list[Place] | None = None
    radius: Length = 0.5
    absent: bool = False


class CableSpec(Model):
    """A cable on a drum (``from``) whose end lies somewhere; ``stick``: how often it sticks when it slips."""

    start: Place = Field(alias="from")
    end: Place
    nodes: Annotated[int, Field(ge=4, le=MOST_NODES)] = 32
    segment: Length = 0.6
    grip: Length = 0.5
    stick: Probability = 0.5


class RuleSpec(Model):
    """How one subtask is done, where, and within which time."""

    by: Literal["act", "reach", "pick up", "route", "insert", "perturb"]
    at: str | None = None
    limit: Annotated[int, Field(ge=1, lt=2**31)] = 80


class PlaceEventSpec(Model):
    """One disturbance of the place."""

    at: Moment
    appear: str | None = None
    vanish: str | None = None
    drop: Literal["cable"] | None = None


class PlaneSpec(Model):
    """A whole plane."""

    world: Literal["plane"]
    size: Place
    bodies: list[BodySpec]
    sites: dict[str, SiteSpec] = {}  # noqa: RUF012
    clips: dict[str, ClipSpec] = {}  # noqa: RUF012
    obstacles: dict[str, ObstacleSpec] = {}  # noqa: RUF012
    cable: CableSpec | None = None
    rules: dict[str, RuleSpec]
    events: list[PlaceEventSpec] = []  # noqa: RUF012


def ends_of(o: ObstacleSpec) -> tuple[Point, Point]:
    """Return the two ends of an obstacle's middle line."""
    if o.line is not None:
        return o.line[0], o.line[1]
    assert o.at is not None
    return o.at, o.at


def distance_to(o: ObstacleSpec, at_: Point) -> float:
    """Return how far a point is from an obstacle's surface (negative inside)."""
    (x1, y1), (x2, y2) = ends_of(o)
    dx, dy = x2 - x1, y2 - y1
    length2 = dx * dx + dy * dy
    t = 0.0 if length2 == 0 else min(max(((at_[0] - x1) * dx + (at_[1] - y1) * dy) / length2, 0.0), 1.0)
    return math.dist(at_, (x1 + t * dx, y1 + t * dy)) - o.radius


def gate_of(c: ClipSpec) -> Point:
    """Return where the lane of a clip begins."""
    turn = math.radians(c.angle)
    back = c.length + c.lane
    return c.at[0] - back * math.cos(turn), c.at[1] - back * math.sin(turn)


def exit_of(c: ClipSpec) -> Point:
    """Return where the channel of a clip ends."""
    turn = math.radians(c.angle)
    return c.at[0] + c.length * math.cos(turn), c.at[1] + c.length * math.sin(turn)
