"""What the mapping of a places scene may say: its fields, their types and ranges.

Owns the models. What names mean, and whether all of it can be played, is for ``places_scene``.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from stratagym.envs.task.faults import describe
from stratagym.envs.task.models import LIMIT, Amount, Model, Moment, Positive, Refusal
from stratagym.envs.worlds import rules
from stratagym.envs.worlds.base import MOST_WORDS

MOST_LOCATIONS = 250


def _spot(value: Any) -> tuple[float, float]:
    numbers = isinstance(value, list) and [
        v for v in value if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
    ]
    if not numbers or len(numbers) != 2 or len(value) != 2:
        raise Refusal(f"must be two numbers [x, y], not {describe(value)}")
    return float(numbers[0]), float(numbers[1])


def _hours(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise Refusal(f"must be two ticks [from, to], not {describe(value)}")
    for tick in value:
        if isinstance(tick, bool) or not isinstance(tick, int) or not 0 <= tick < LIMIT:
            raise Refusal(f"a tick must be a whole number of at least 0, not {describe(tick)}")
    if value[0] >= value[1]:
        raise Refusal(f"opens at {value[0]} and shuts at {value[1]}", "it must open before it shuts")
    return value[0], value[1]


def _way(value: Any) -> tuple[str, str, int, int]:
    shape = "a way is [place, place, ticks], or [.., ticks, ticks back], null for no way back"
    if not isinstance(value, list) or len(value) not in (3, 4):
        raise Refusal(f"{shape}; not {describe(value)}")
    for name in value[:2]:
        if not isinstance(name, str):
            raise Refusal(f"must name a location, not {describe(name)}", shape)
    ticks = [_ticks(v) for v in value[2:]]
    if ticks[0] < 0:
        raise Refusal("a way takes at least 1 tick, not null", shape)
    return value[0], value[1], ticks[0], ticks[-1]


def _ticks(value: Any) -> int:
    """Return the ticks of a way, -1 for null: no way."""
    if value is None:
        return -1
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < LIMIT // 256:
        raise Refusal(f"the ticks of a way must be a whole number of at least 1, not {describe(value)}")
    return value


def _travel(value: Any) -> list[list[int]]:
    if not isinstance(value, list) or any(not isinstance(row, list) for row in value):
        raise Refusal(f"must be a table of ticks, one row a location, not {describe(value)}")
    return [[0 if k == j else _ticks(ticks) for j, ticks in enumerate(row)] for k, row in enumerate(value)]


Spot = Annotated[tuple[float, float], PlainValidator(_spot)]
Hours = Annotated[tuple[int, int], PlainValidator(_hours)]
Way = Annotated[tuple[str, str, int, int], PlainValidator(_way)]
Travel = Annotated[list[list[int]], PlainValidator(_travel)]


class SiteSpec(Model):
    """A receptacle: which fixture it is (its own name if left out), and what lies there."""

    fixture: str | None = None
    things: list[str] | None = None


class LocationSpec(Model):
    """A location: where it is drawn, what kind it is of, when it is open, its receptacles."""

    at: Spot | None = None
    kind: str | None = None
    hours: list[Hours] | None = None
    sites: dict[str, SiteSpec | None] | None = None


class FixtureSpec(rules.FixtureSpec):
    """A kind of receptacle.

    ``closed``: what lies in it can neither be seen nor taken; ``turns``: the fixture that it becomes
    when it is opened or shut. Unless it says other, things can be put into it.
    """

    closed: bool = False
    turns: str | None = None


class BodySpec(Model):
    """One body: where it begins, the factor on the ticks of its ways, what it has."""

    at: str
    pace: Annotated[int, Field(ge=1, le=255)] = 1
    hand: str | None = None
    stock: dict[str, Amount] | None = None


class SuccessSpec(rules.EffectSpec):
    """What a success changes. ``body``: the location where its crew is then."""

    body: str | None = None


class RuleSpec(rules.RuleSpec):
    """One way to attempt a subtask. ``place``: at which locations; ``departs``: at which ticks only."""

    place: Any = None
    departs: list[Amount] | None = None
    success: SuccessSpec | None = None


class PlaceEventSpec(Model):
    """One disturbance of the place."""

    at: Moment
    block: list[str] | None = None
    clear: list[str] | None = None
    lock: str | None = None
    unlock: str | None = None
    move: str | None = None
    to: str | None = None


class PlacesSpec(Model):
    """A whole scene. Rules are checked one by one, since a subtask may have several (see ``rules``)."""

    world: Literal["places"]
    day: Positive | None = None
    locations: dict[str, LocationSpec | None]
    ways: list[Way] | None = None
    travel: Travel | None = None
    fixtures: dict[str, FixtureSpec | None] | None = None
    things: dict[str, rules.ThingSpec | None] | None = None
    hands: bool = False
    inventory: bool = False
    share: bool = False
    view: Literal["all", "here"] = "all"
    messages: Annotated[int, Field(ge=0, le=MOST_WORDS)] = 0
    bodies: list[BodySpec]
    rules: dict[str, Any]
    events: list[PlaceEventSpec] | None = None
