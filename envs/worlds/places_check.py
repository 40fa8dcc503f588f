"""Whether a scene of places can be played: what is refused on load.

Owns the ways as a table of ticks, and the judgement by relaxation: what could ever be there
(places that some body could reach, fixtures and things that could ever come about) and
what times could ever fit. What it refuses is impossible; what it lets pass may still be hard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratagym.envs.task import layout as at
from stratagym.envs.task.faults import join, quote
from stratagym.envs.worlds import sites
from stratagym.envs.worlds.places_spec import PlacesSpec
from stratagym.envs.worlds.scene import SceneError, place_of

if TYPE_CHECKING:
    from stratagym.envs.worlds.places_scene import PlaceRule, PlacesScene


@dataclass(frozen=True)
class Place:
    """A location: its name, its kind, where it is drawn, its opening hours (none: always open)."""

    name: str
    kind: str
    spot: tuple[float, float] | None
    hours: tuple[tuple[int, int], ...]


def matrix(spec: PlacesSpec, names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return the ticks of the direct ways, -1 for none.

    Raises:
        SceneError: if ways are given twice, name no location, or the table has another shape.
    """
    if (spec.ways is None) == (spec.travel is None) and len(names) > 1:
        raise SceneError("say how far it is from place to place: `ways` or `travel`, one of them")
    if spec.travel is not None:
        rows = spec.travel
        if len(rows) != len(names) or any(len(row) != len(names) for row in rows):
            raise SceneError(f"must have {len(names)} rows of {len(names)} ticks", "travel")
        return tuple(tuple(row) for row in rows)
    ticks = [[0 if k == j else -1 for j in range(len(names))] for k in range(len(names))]
    for k, (one, other, there, back) in enumerate(spec.ways or ()):
        path = join("ways", k)
        a, b = (place_of(name, names, path, "location") for name in (one, other))
        if a == b:
            raise SceneError(f"leads from {quote(one)} to itself", path)
        if max(ticks[a][b], ticks[b][a]) >= 0:
            raise SceneError(f"there is another way between {quote(one)} and {quote(other)}", path)
        ticks[a][b], ticks[b][a] = there, back
    return tuple(tuple(row) for row in ticks)


def shortest_ways(ways: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the ticks of the shortest ways over any number of locations, ``FAR`` for none."""
    count = len(ways)
    ticks = [[row[j] if row[j] >= 0 else at.FAR for j in range(count)] for row in ways]
    for k in range(count):
        for row in ticks:
            if row[k] < at.FAR:
                for j in range(count):
                    row[j] = min(row[j], row[k] + ticks[k][j]) if ticks[k][j] < at.FAR else row[j]
    return ticks


def check_playable(scene: PlacesScene) -> None:
    """Refuse a scene in which some subtask could never be attempted.

    Raises:
        SceneError: for a subtask that the world would have to end, a location that no body reaches,
            hours or departures that no run fits, a receptacle or thing that never comes about.
    """
    for subtask in scene.graph.subtasks:
        if subtask.duration.kind == "world":
            raise SceneError(
                f"nothing here ever reports the end of {quote(subtask.name)}, whose duration is 'world'",
                "rules",
                "give it ticks",
            )
    _check_hours(scene)
    reached = reachable(scene)
    for k, place in enumerate(scene.locations):
        if k not in reached:
            path = join("locations", place.name)
            raise SceneError("no body ever gets there", path, "add a way, or a ride that leads there")
    fixtures, things = _possible(scene)
    for rule in scene.rules:
        _check_rule(scene, rule, fixtures, things)


def reachable(scene: PlacesScene) -> set[int]:
    """Return the locations that some body can reach by ways and rides, if nothing else is in its way."""
    found: set[int] = set()
    stack = [body.place for body in scene.bodies]
    rides = [rule for rule in scene.rules if rule.leads_to is not None]
    while stack:
        here = stack.pop()
        if here in found:
            continue
        found.add(here)
        stack += [there for there, ticks in enumerate(scene.ways[here]) if ticks > 0]
        stack += [
            rule.leads_to
            for rule in rides
            if rule.leads_to is not None and (rule.places is None or here in rule.places)
        ]
    return found


def _check_hours(scene: PlacesScene) -> None:
    for place in scene.locations:
        path = join(join("locations", place.name), "hours")
        for opens, shuts in place.hours:
            if scene.day and (opens >= scene.day or shuts - opens > scene.day):
                raise SceneError(
                    f"from {opens} to {shuts} is not within a day of {scene.day} ticks",
                    path,
                    "begin within the day; hours may end in the next",
                )


def _check_rule(scene: PlacesScene, rule: PlaceRule, fixtures: set[int], things: set[int]) -> None:
    subtask, path = scene.graph.subtasks[rule.rule.subtask], rule.rule.path
    if rule.leads_to is not None:
        longest = subtask.duration.longest
        if subtask.attended is not None and (longest is None or subtask.attended < longest):
            raise SceneError(
                "who rides must attend to it to its end",
                join(join(path, "success"), "body"),
                "leave `attended` of the subtask out",
            )
    for field, codes, possible in (
        ("at", rule.rule.at, fixtures),
        ("thing", rule.rule.thing, things),
        ("hand", rule.rule.hand, things),
    ):
        if codes is not None and not codes & possible:
            kinds = scene.fixtures if field == "at" else scene.things
            names = " or ".join(quote(kinds.names[code]) for code in sorted(codes))
            what = "no receptacle is ever" if field == "at" else "there is never"
            raise SceneError(f"{what} {names}", join(path, field))
    for codes in rule.rule.near:
        if not codes & fixtures:
            names = " or ".join(quote(scene.fixtures.names[code]) for code in sorted(codes))
            raise SceneError(f"no receptacle is ever {names}", join(path, "near"))
    spots = _spots(scene, rule)
    if not spots:
        raise SceneError("there is no receptacle at these places", join(path, "place"))
    _check_times(scene, rule, spots)


def _spots(scene: PlacesScene, rule: PlaceRule) -> list[int]:
    """Return the locations where a rule could hold."""
    found: Iterable[int] = range(len(scene.locations)) if rule.places is None else sorted(rule.places)
    if rule.sited:
        held = {site.place for site in scene.sites}
        found = [place for place in found if place in held]
    return list(found)


def _check_times(scene: PlacesScene, rule: PlaceRule, spots: Sequence[int]) -> None:
    """Refuse a rule if no run of its subtask fits the hours and departures."""
    subtask, path, day = scene.graph.subtasks[rule.rule.subtask], rule.rule.path, scene.day
    shortest = subtask.duration.shortest
    horizon = at.FAR if scene.graph.horizon is None else scene.graph.horizon
    departs = rule.departs
    if departs and day and departs[-1] >= day:
        raise SceneError(
            f"{departs[-1]} is not within a day of {day} ticks",
            join(path, "departs"),
            "departures are the same on each day",
        )
    if departs and departs[0] + shortest > horizon:
        raise SceneError(
            f"departs at {departs[0]} at the earliest and takes {shortest} ticks, the horizon is {horizon}",
            join(path, "departs"),
        )
    need = max(1, shortest if subtask.attended is None else min(shortest, subtask.attended))
    if not rule.bound or any(not scene.locations[spot].hours for spot in spots):
        return
    names = ", ".join(quote(scene.locations[spot].name) for spot in spots)
    intervals = [interval for spot in spots for interval in scene.locations[spot].hours]
    if all(shuts - opens < need for opens, shuts in intervals):
        raise SceneError(
            f"{quote(subtask.name)} takes {need} ticks, and {names} is never open for so long", path
        )
    if all(_first_start(interval, need, day) + shortest > horizon for interval in intervals):
        raise SceneError(f"{names} opens too late for the horizon of {horizon}", path)
    if departs and not any(_fits(tick, need, interval, day) for tick in departs for interval in intervals):
        raise SceneError(f"{names} is shut at every departure", join(path, "departs"))


def _first_start(interval: tuple[int, int], need: int, day: int) -> int:
    """Return the first tick of all at which a run fits into opening hours, ``FAR`` for none."""
    opens, shuts = interval
    if shuts - opens < need:
        return at.FAR
    # What is open into the next day is open on the first morning too.
    return 0 if day and shuts - day >= need else opens


def _fits(tick: int, need: int, interval: tuple[int, int], day: int) -> bool:
    opens, shuts = interval
    return any(opens <= now and now + need <= shuts for now in ((tick, tick + day) if day else (tick,)))


def _possible(scene: PlacesScene) -> tuple[set[int], set[int]]:
    """Return the fixtures and the things that could ever be there; nothing is among the things."""
    fixtures = {site.fixture for site in scene.sites}
    things = {sites.NOTHING, *(code for site in scene.sites for code in site.things)}
    things |= {body.hand for body in scene.bodies}
    before = -1
    while before != len(fixtures) + len(things):
        before = len(fixtures) + len(things)
        fixtures |= {becomes for code, becomes in scene.turns.items() if code in fixtures}
        for rule in (place_rule.rule for place_rule in scene.rules):
            asked = [(rule.at, fixtures), (rule.thing, things), (rule.hand, things)]
            asked += [(codes, fixtures) for codes in rule.near]
            if not all(codes is None or codes & possible for codes, possible in asked):
                continue
            for effect in rule.effects:
                fixtures |= set() if effect.fixture is None else {effect.fixture}
                things |= {code for code in (effect.thing, effect.hand) if code is not None}
                things |= {becomes for code, becomes in effect.turn if code in things}
    return fixtures, things
