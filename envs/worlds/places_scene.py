"""A scene of places: loaded, checked, and put into a table.

Owns the loading with all its refusals, the record ``PlacesScene`` and its table. The fields
are in ``places_spec``, the kernel in ``places``, what a body can see in ``places_view``, and
whether all of it can be played in ``places_check``.
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stratagym.envs.task import layout as at
from stratagym.envs.task.document import Task
from stratagym.envs.task.faults import join, quote
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.worlds import places, sites
from stratagym.envs.worlds.places_check import Place, check_playable, matrix, shortest_ways
from stratagym.envs.worlds.places_spec import (
    MOST_LOCATIONS,
    BodySpec,
    FixtureSpec,
    LocationSpec,
    PlaceEventSpec,
    PlacesSpec,
    RuleSpec,
    SiteSpec,
)
from stratagym.envs.worlds.places_view import Lasting, lasting, look_at
from stratagym.envs.worlds.rules import (
    MAX_CODES,
    NONE,
    Codes,
    Kinds,
    Rule,
    Table,
    Words,
    read_rules,
    read_things,
)
from stratagym.envs.worlds.scene import SceneError, listed, place_of, read_spec
from stratagym.envs.worlds.view import PlacesView


@dataclass(frozen=True)
class Site:
    """A receptacle: its name, its location, its fixture at reset, and how many of each thing lie there."""

    name: str
    place: int
    fixture: int
    things: Mapping[int, int]


@dataclass(frozen=True)
class PlaceRule:
    """A rule and where among the places it holds.

    Attributes:
        rule: the rule itself.
        places: where it can be attempted; None for anywhere.
        departs: ticks at which alone it can start, sorted; empty for any.
        leads_to: where a success leaves its crew; None for where they were.
    """

    rule: Rule
    places: Codes | None
    departs: tuple[int, ...]
    leads_to: int | None

    @property
    def sited(self) -> bool:
        """Whether it is about a receptacle."""
        return not self.rule.on_the_spot

    @property
    def bound(self) -> bool:
        """Whether it is about a location, so that opening hours count."""
        return self.places is not None or self.sited or bool(self.rule.near)


@dataclass(frozen=True)
class PlaceEvent:
    """A disturbance of the place: ticks between which it is drawn, kind of row, and its two numbers."""

    lo: int
    hi: int
    kind: int
    one: int
    other: int


@dataclass(frozen=True)
class Body:
    """How a body begins."""

    place: int
    pace: int
    hand: int
    stock: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class PlacesScene:
    """One loaded and checked scene of places (see ``base.Scene``).

    Attributes:
        graph: of its task.
        locations: by number.
        ways: ``[L][L]`` ticks of the direct ways, -1 for none.
        day: period of hours and departures, 0 for none.
        fixtures: of its receptacles.
        closed: fixtures in which things are shut in.
        turns: fixture -> what it becomes when it is opened or shut.
        things: that there are.
        sites: receptacles by number.
        bodies: by agent.
        rules: in the order of the subtasks, then as they stand.
        events: in file order.
        hands: whether bodies have hands.
        own: whether stock belongs to bodies.
        share: whether it can be shared.
        speak: how many words there are.
        fog: whether a body sees only what is at its location.
        text: the mapping as JSON.
    """

    graph: TaskGraph
    locations: tuple[Place, ...]
    ways: tuple[tuple[int, ...], ...]
    day: int
    fixtures: Kinds
    closed: Codes
    turns: Mapping[int, int]
    things: Kinds
    sites: tuple[Site, ...]
    bodies: tuple[Body, ...]
    rules: tuple[PlaceRule, ...]
    events: tuple[PlaceEvent, ...]
    hands: bool
    own: bool
    share: bool
    speak: int
    fog: bool
    text: str

    kind = "places"
    kernel: types.ModuleType = places
    action_width = 1
    box = None

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many actions there are of each kind, in their order."""
        return {
            "go": len(self.locations),
            "do": len(self.graph.subtasks),
            "take": (len(self.things.names) - 1) * self.hands,
            "put": len(self.sites) * self.hands,
            "turn": len(self.sites) * bool(self.turns),
            "share": len(self.graph.items) * self.share,
            "say": self.speak,
        }

    @property
    def attempts(self) -> int:
        """Number of the action that attempts subtask 0; the others follow it."""
        return len(self.locations)

    @cached_property
    def actions(self) -> tuple[str, ...]:
        """Names of the actions, without waiting."""
        receptacles = [site.name for site in self.sites]
        nouns: dict[str, Sequence[str]] = {
            "go": [place.name for place in self.locations],
            "take": self.things.names[1:],
            "put": receptacles,
            "turn": receptacles,
            "share": [item.name for item in self.graph.items],
            "say": [str(k) for k in range(self.speak)],
        }
        names: list[str] = []
        for kind, count in self.counts.items():
            names += self.graph.names if kind == "do" else [f"{kind} {noun}" for noun in nouns[kind][:count]]
        return tuple(names)

    @cached_property
    def span(self) -> int:
        """Ticks of the longest way by the slowest body, and of the longest wait for hours or departures."""
        ways = max(ticks for row in shortest_ways(self.ways) for ticks in row if ticks < at.FAR)
        late = [tick for rule in self.rules for tick in rule.departs]
        late += [opens for place in self.locations for opens, _ in place.hours]
        wait = self.day if self.day and late else max(late, default=0)
        return ways * max(body.pace for body in self.bodies) + wait

    @cached_property
    def lasting(self) -> Lasting:
        """What is the same in each of its views."""
        return lasting(self)

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of what it says."""
        return hashlib.sha256(self.text.encode("ascii")).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return it as the mapping that loads to it."""
        mapping: dict[str, Any] = json.loads(self.text)
        return mapping

    def names(self, kind: str) -> Sequence[str]:
        """Return what the subjects of events of a kind are called: things that move, else locations."""
        return self.things.names if kind == "move" else [place.name for place in self.locations]

    def sees(self, m: at.Memory, agent: int | None, place: int) -> bool:
        """Return whether an agent's body (None: any body) sees what is at a location now."""
        return bool(places.sees_place(m, -1 if agent is None else agent, place))

    def look(
        self, m: at.Memory, graph: TaskGraph, agent: int | None, knowledge: str, fog: bool = True
    ) -> PlacesView:
        """Return what an agent's body can see, or the bodies of all (agent None); without fog on request."""
        return look_at(self, m, agent, knowledge, fog)

    def sizes(self) -> tuple[int, ...]:
        """Return its sizes (see ``places.Sizes``)."""
        return self._sizes(len(self._table(self._sizes(0)).ints))

    def _sizes(self, length: int) -> places.Sizes:
        z = places.Sizes(
            locations=len(self.locations),
            sites=len(self.sites),
            things=len(self.things.names) - 1,
            subtasks=len(self.graph.subtasks),
            bodies=len(self.bodies),
            items=len(self.graph.items) * self.own,
            lines=sum(bool(rule.departs) for rule in self.rules),
            events=len(self.events),
            actions=sum(self.counts.values()),
            fog=int(self.fog),
            lists=0,
        )
        return z._replace(lists=max(0, length - places.table_parts(z)[-1]))

    def compile(self, sizes: tuple[int, ...], wide: int) -> list[int]:
        """Return its table for padded sizes; ``wide`` subtasks stand in the task."""
        table = self._table(places.Sizes(*sizes)).ints
        return table + [0] * (places.room(sizes).ints - len(table))

    def _table(self, z: places.Sizes) -> Table:
        parts = places.table_parts(z)
        table = Table(parts[-1])
        ints = table.ints
        for head, begin in (*parts.items(), *places.state_parts(z).items()):
            if head >= 0:
                ints[head] = begin
        table.kinds(self.fixtures, self.things)
        ints[sites.W_FIXTURES], ints[sites.W_ITEMS] = (
            len(self.fixtures.names),
            len(self.graph.items) * self.own,
        )
        firsts = [0]
        for count in self.counts.values():
            firsts.append(firsts[-1] + count)
        heads = {
            places.W_LOCATIONS: len(self.locations),
            places.W_SITES: len(self.sites),
            places.W_SPEAK: self.speak,
            places.W_DAY: self.day or at.FAR,
            places.W_EVENTS: len(self.events),
            places.W_FOG: int(self.fog),
            places.W_ROOM_LOCATIONS: z.locations,
            places.W_ROOM_SITES: z.sites,
            places.W_ROOM_THINGS: z.things,
            places.W_ROOM_ITEMS: z.items,
            places.W_ROOM_LINES: z.lines,
            **dict(zip(range(places.W_ATTEMPT, places.W_IDLE + 1), firsts[1:], strict=True)),
            places.W_WAIT: z.actions,
        }
        for head, value in heads.items():
            ints[head] = value
        self._fill(table, z)
        self._fill_rules(table)
        return table

    def _fill(self, table: Table, z: places.Sizes) -> None:
        def put(head: int, place: int, values: Sequence[int]) -> None:
            begin = table.ints[head] + place
            table.ints[begin : begin + len(values)] = values

        for k, (row, place) in enumerate(zip(self.ways, self.locations, strict=True)):
            put(places.P_WAYS, k * z.locations, row)
            hours = [tick for interval in place.hours for tick in interval]
            put(places.P_HOURS, 2 * k, (table.put(hours), len(place.hours)))
        for a, body in enumerate(self.bodies):
            put(places.P_BODIES, a * places.START_SIZE, (body.place, body.pace, body.hand))
            put(places.P_STOCKS, a * z.items, body.stock)
        for k, site in enumerate(self.sites):
            put(places.P_SITES, 2 * k, (site.place, site.fixture))
            for thing, amount in site.things.items():
                put(places.P_AMOUNTS, k * z.things + thing - 1, (amount,))
        for k, e in enumerate(self.events):
            put(places.P_EVENTS, k * places.PE_SIZE, (e.lo, e.hi, e.kind, e.one, e.other))
        table.ints[places.P_TURNS] = table.put(
            number
            for code in range(len(self.fixtures.names))
            for number in (int(code in self.closed), self.turns.get(code, -1))
        )

    def _fill_rules(self, table: Table) -> None:
        records: dict[int, list[int]] = {}
        lines: list[int] = []
        for rule in self.rules:
            record = [
                table.rule(rule.rule),
                table.pattern(rule.places),
                table.pattern(rule.rule.at),
                table.put(rule.departs),
                len(rule.departs),
                int(rule.sited),
                int(rule.bound),
                -1 if rule.leads_to is None else rule.leads_to,
            ]
            records.setdefault(rule.rule.subtask, []).extend(record)
        size = places.PLACE_RULE_SIZE
        for i, numbers in records.items():
            begin = table.put(numbers)
            pair = table.ints[places.P_RULES] + 2 * i
            table.ints[pair : pair + 2] = begin, len(numbers) // size
            lines += [begin + k for k in range(0, len(numbers), size) if numbers[k + places.DEPART_COUNT]]
        begin = table.ints[places.P_LINES]
        table.ints[begin : begin + len(lines)] = lines
        table.ints[places.W_LINES] = len(lines)


# ------------------------------------------------------------------ loading


def load(plain: Mapping[str, Any], task: Task) -> PlacesScene:
    """Load a scene of places for a task and check that all of the task can be played in it.

    Raises:
        SceneError: if anything is wrong with it.
    """
    spec = read_spec(PlacesSpec, plain)
    graph = task.graph
    if not spec.locations:
        raise SceneError("there is no location", "locations")
    if len(spec.locations) > MOST_LOCATIONS:
        raise SceneError(f"{len(spec.locations)} locations, and at most {MOST_LOCATIONS} fit", "locations")
    if spec.share and not spec.inventory:
        raise SceneError("what belongs to all cannot be shared", "share", "add `inventory: true`")
    described = {name: place or LocationSpec() for name, place in spec.locations.items()}
    names = list(described)
    locations = tuple(
        Place(name, place.kind or "", place.at, tuple(place.hours or ())) for name, place in described.items()
    )
    fixtures, closed, turns = _fixtures(spec, described)
    things = read_things(spec.things or {}, solid=False)
    words = Words(graph, fixtures, things, (), spec.hands)
    receptacles = _sites(described, fixtures, things)
    ways = matrix(spec, names)
    scene = PlacesScene(
        graph=graph,
        locations=locations,
        ways=ways,
        day=spec.day or 0,
        fixtures=fixtures,
        closed=closed,
        turns=turns,
        things=things,
        sites=receptacles,
        bodies=_bodies(spec, graph, names, things),
        rules=tuple(_rule(rule, names) for rule in read_rules(spec.rules, words, RuleSpec)),
        events=_events(spec.events or (), names, ways, things, [site.name for site in receptacles]),
        hands=spec.hands,
        own=spec.inventory,
        share=spec.share,
        speak=spec.messages,
        fog=spec.view == "here",
        text=json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":")),
    )
    check_playable(scene)
    return scene


def _fixtures(spec: PlacesSpec, described: Mapping[str, LocationSpec]) -> tuple[Kinds, Codes, dict[int, int]]:
    """Return the fixtures, which of them are closed, and what they turn into."""
    declared = {name: fixture or FixtureSpec() for name, fixture in (spec.fixtures or {}).items()}
    for location in described.values():
        for name, site in (location.sites or {}).items():
            if site is None or site.fixture is None:
                declared.setdefault(name, FixtureSpec())
    if len(declared) > MAX_CODES:
        raise SceneError(f"{len(declared)} fixtures, and at most {MAX_CODES} can be told apart", "fixtures")
    for name, fixture in declared.items():
        for field in ("solid", "swallows"):
            if getattr(fixture, field) is not None:
                raise SceneError(f"a receptacle is not {field}", join(join("fixtures", name), field))
    codes = list(declared)
    kinds = Kinds(
        "fixture",
        tuple(codes),
        tuple(fixture.looks or name for name, fixture in declared.items()),
        tuple(sites.HOLDS * (fixture.holds is not False) for fixture in declared.values()),
        (0.0,) * len(codes),
    )
    turns = {
        code: place_of(fixture.turns, codes, join(join("fixtures", name), "turns"), "fixture")
        for code, (name, fixture) in enumerate(declared.items())
        if fixture.turns is not None
    }
    closed = frozenset(code for code, fixture in enumerate(declared.values()) if fixture.closed)
    return kinds, closed, turns


def _sites(described: Mapping[str, LocationSpec], fixtures: Kinds, things: Kinds) -> tuple[Site, ...]:
    found: list[Site] = []
    for place, (location, spec) in enumerate(described.items()):
        for name, site in (spec.sites or {}).items():
            path = join(join(join("locations", location), "sites"), name)
            if any(other.name == name for other in found):
                raise SceneError("there is another receptacle of this name", path, "give each its own")
            site = site or SiteSpec()
            amounts: dict[int, int] = {}
            for thing in site.things or ():
                code = things.code(thing, join(path, "things"))
                amounts[code] = amounts.get(code, 0) + 1
            fixture = fixtures.code(site.fixture or name, join(path, "fixture"))
            found.append(Site(name, place, fixture, amounts))
    return tuple(found)


def _bodies(spec: PlacesSpec, graph: TaskGraph, names: Sequence[str], things: Kinds) -> tuple[Body, ...]:
    if len(spec.bodies) != len(graph.agents):
        raise SceneError(
            f"there are {len(spec.bodies)} bodies for {len(graph.agents)} agents",
            "bodies",
            "give each agent of the task one body",
        )
    bodies = []
    for a, body in enumerate(spec.bodies):
        path = join("bodies", a)
        if body.hand is not None and not spec.hands:
            raise SceneError("the bodies here have no hands", join(path, "hand"), "add `hands: true`")
        hand = sites.NOTHING if body.hand in (None, NONE) else things.code(body.hand, join(path, "hand"))
        stock = _stock(body, graph, join(path, "stock"), spec.inventory)
        bodies.append(Body(place_of(body.at, names, join(path, "at"), "location"), body.pace, hand, stock))
    rest = [item.stock - sum(body.stock[k] for body in bodies) for k, item in enumerate(graph.items)]
    for item, left in zip(graph.items, rest, strict=True):
        if left < 0:
            raise SceneError(
                f"the bodies own {item.stock - left} of {quote(item.name)}, the task has {item.stock}",
                "bodies",
            )
    # What nobody is said to own belongs to the first.
    first = bodies[0]
    owned = tuple(own + left for own, left in zip(first.stock, rest, strict=True))
    bodies[0] = Body(first.place, first.pace, first.hand, owned)
    if not spec.inventory:
        bodies = [Body(body.place, body.pace, body.hand, ()) for body in bodies]
    return tuple(bodies)


def _stock(body: BodySpec, graph: TaskGraph, path: str, own: bool) -> tuple[int, ...]:
    if body.stock is not None and not own:
        raise SceneError("stock belongs to all here", path, "add `inventory: true`")
    items = [item.name for item in graph.items]
    stock = [0] * len(items)
    for name, amount in (body.stock or {}).items():
        stock[place_of(name, items, path, "item")] = amount
    return tuple(stock)


def _rule(rule: Rule, names: Sequence[str]) -> PlaceRule:
    spec: RuleSpec = rule.spec
    found = None
    if spec.place is not None:
        where = listed(spec.place, join(rule.path, "place"))
        found = frozenset(place_of(name, names, path, "location") for name, path in where)
    leads_to = None
    if spec.success is not None and spec.success.body is not None:
        path = join(join(rule.path, "success"), "body")
        leads_to = place_of(spec.success.body, names, path, "location")
    return PlaceRule(rule, found, tuple(sorted(set(spec.departs or ()))), leads_to)


_EVENTS = {
    "block": at.E_BLOCK,
    "clear": at.E_CLEAR,
    "lock": at.E_LOCK,
    "unlock": at.E_UNLOCK,
    "move": at.E_MOVE,
}


def _events(
    specs: Sequence[PlaceEventSpec],
    names: Sequence[str],
    ways: Sequence[Sequence[int]],
    things: Kinds,
    receptacles: Sequence[str],
) -> tuple[PlaceEvent, ...]:
    found = []
    for k, event in enumerate(specs):
        path = join("events", k)
        kinds = [kind for kind in _EVENTS if getattr(event, kind) is not None]
        if len(kinds) != 1:
            raise SceneError(f"an event is one of {', '.join(_EVENTS)}", path)
        kind = kinds[0]
        where = join(path, kind)
        if (kind == "move") != (event.to is not None):
            raise SceneError("`move` and `to` belong together", path)
        if kind == "move":
            numbers = (
                things.code(str(event.move), where),
                place_of(str(event.to), receptacles, join(path, "to"), "receptacle"),
            )
        elif kind in ("block", "clear"):
            ends: list[str] = getattr(event, kind)
            if len(ends) != 2:
                raise SceneError(f"a way has two ends, not {len(ends)}", where)
            one, other = (place_of(name, names, where, "location") for name in ends)
            if ways[one][other] < 0 and ways[other][one] < 0:
                raise SceneError(f"there is no way between {quote(ends[0])} and {quote(ends[1])}", where)
            numbers = one, other
        else:
            numbers = place_of(getattr(event, kind), names, where, "location"), -1
        found.append(PlaceEvent(*event.at, _EVENTS[kind], *numbers))
    return tuple(found)
