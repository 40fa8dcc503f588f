"""Itinerary: cities and sights, trains that leave at their times, hotels, and a budget.

Owns the family: invented cities on a plane, what is to be seen there and when it is open, which
trains run, where one sleeps and what all that costs, drawn by the seed. The kind of task is that
of ItineraryBench (TDAG, Neural Networks 185, 2025: visit, stay, travel, hours, bookings, budget);
places, timetables and tasks are made here.

The task graph knows in which city one is (an item, moved by rides), money and durations; ways
within a city, hours and departures are the world's. Nothing is for sale twice: each train is
taken once at most. A plain tour - along the ring of cities, in each whatever shuts first - is
played on paper; bookings, the budget and the end of the trip are set by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import between, generator, pick
from stratagym.envs.domains.sources import data_beside, one_of, procedural

Hours = tuple[int, int] | None

LONG = 10**6
"""Ticks between places that no way joins directly."""


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    disturbances: bool = False,
) -> TaskSource:
    """Return trips of a size.

    Args:
        size: of the family.
        split: of the family.
        instances: how many trips.
        disturbances: whether a sight shuts for a while and some way in a city is blocked.

    Raises:
        ValueError: if an option has a wrong value.
    """
    one_of("disturbances", disturbances, (True, False))
    return procedural(
        "itinerary",
        lambda seed, size: trip(seed, size, disturbances)[0],
        size,
        split,
        instances,
        "disturbed" if disturbances else "",
        scene=lambda seed, size: trip(seed, size, disturbances)[1],
    )


@dataclass(frozen=True)
class Sight:
    """Something to see: its name, the city's number, its hours (None: always), ticks and fee of a visit."""

    name: str
    city: int
    hours: Hours
    ticks: int
    fee: int


@dataclass(frozen=True)
class Train:
    """A train: its name, numbers of the cities, kind, ticks of the ride, price, departures of a day."""

    name: str
    origin: int
    target: int
    kind: str
    ticks: int
    price: int
    departs: tuple[int, ...]


@dataclass(frozen=True)
class Land:
    """Where one travels.

    Attributes:
        cities: names; the trip begins in the first.
        spots: coordinates of the cities.
        sights: that are to be seen.
        nights: cities where one is to sleep once.
        trains: that run.
        prices: city -> hotel -> money for a night.
        ways: ticks between two places of a city, by their names.
    """

    cities: tuple[str, ...]
    spots: tuple[tuple[float, float], ...]
    sights: tuple[Sight, ...]
    nights: tuple[int, ...]
    trains: tuple[Train, ...]
    prices: Mapping[int, Mapping[str, int]]
    ways: Mapping[tuple[str, str], int]

    def place(self, city: int, what: str) -> str:
        """Return the name of a place in a city."""
        return f"{self.cities[city]} {what}"

    def ticks(self, one: str, other: str) -> int:
        """Return the ticks between two places of one city."""
        return 0 if one == other else self.ways.get((one, other)) or self.ways[other, one]


@dataclass(frozen=True)
class Tour:
    """A tour on paper: when each subtask ends, when all is over, what it costs."""

    ends: Mapping[str, int]
    makespan: int
    cost: int


def trip(seed: int, size: Size, disturbances: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw one trip: the task and the scene."""
    data = data_beside(__file__)
    numbers = data["sizes"][size]
    rng = generator(seed, 0x7219)
    land = drawn(rng, data, numbers)
    cheap, dear = (tour(land, data, kind) for kind in ("local", "express"))
    share = between(rng, data["budget"])
    money = cheap.cost + (dear.cost - cheap.cost) * share // 100
    horizon = cheap.makespan * data["over"] // 100
    subtasks: dict[str, Any] = {}
    rules: dict[str, Any] = {}
    for train in land.trains:
        here, there = (f"in {land.cities[k]}" for k in (train.origin, train.target))
        subtasks[train.name] = {
            "duration": train.ticks,
            "attempts": 1,
            "consumes": {here: 1, "money": train.price},
            "produces": {there: 1},
        }
        rules[train.name] = {
            "place": land.place(train.origin, "station"),
            "departs": list(train.departs),
            "success": {"body": land.place(train.target, "station")},
        }
    booked = pick(rng, [sight.name for sight in land.sights], numbers["booked"])
    for sight in land.sights:
        fields = {
            "duration": sight.ticks,
            "requires": {f"in {land.cities[sight.city]}": 1},
            "reward": 1,
        }
        if sight.fee:
            fields["consumes"] = {"money": sight.fee}
        name = f"see {sight.name}"
        if sight.name in booked:
            fields["due"] = cheap.ends[name] * (100 + between(rng, data["booking"])) // 100
        subtasks[name] = fields
        rules[name] = {"place": sight.name}
    for city in land.nights:
        name = _night(land, city)
        subtasks[name] = {
            "duration": data["night"]["ticks"],
            "requires": {f"in {land.cities[city]}": 1},
            "reward": 1,
            "modes": {hotel: {"consumes": {"money": price}} for hotel, price in land.prices[city].items()},
        }
        for hotel in land.prices[city]:
            rules[f"{name} [{hotel}]"] = {"place": land.place(city, hotel)}
    parts = [name for name in subtasks if name not in {train.name for train in land.trains}]
    subtasks["come home"] = {
        "duration": 1,
        "needs": "the trip",
        "requires": {f"in {land.cities[0]}": 1},
        "reward": 1,
    }
    rules["come home"] = {"place": land.place(0, "station")}
    task: dict[str, Any] = {
        "name": f"trip {seed}",
        "horizon": horizon,
        "agents": 1,
        "items": {"money": money, f"in {land.cities[0]}": 1},
        "subtasks": subtasks,
        "tasks": {"the trip": {"all": parts}},
        "goal": "come home",
    }
    scene: dict[str, Any] = {
        "world": "places",
        "day": data["day"],
        "locations": _locations(land, data),
        "ways": [[one, other, ticks] for (one, other), ticks in land.ways.items()],
        "bodies": [{"at": land.place(0, "station")}],
        "rules": rules,
    }
    if disturbances:
        scene["events"] = _events(rng, land, horizon)
    return task, scene


def _night(land: Land, city: int) -> str:
    return f"sleep in {land.cities[city]}"


def drawn(rng: np.random.Generator, data: Mapping[str, Any], numbers: Mapping[str, Any]) -> Land:
    """Draw the cities, what is in them and the trains between them."""
    count = numbers["cities"] + 1
    names = data["names"]
    firsts, lasts = pick(rng, names["first"], count), pick(rng, names["last"], count)
    cities = tuple(one + other for one, other in zip(firsts, lasts, strict=True))
    spots = _spots(rng, count)
    sights = _sights(rng, data["sights"], cities, numbers["sights"])
    nights = tuple(sorted(pick(rng, range(1, count), min(numbers["nights"], count - 1))))
    prices = {
        city: {hotel: between(rng, facts["price"]) for hotel, facts in data["hotels"].items()}
        for city in nights
    }
    ways: dict[tuple[str, str], int] = {}
    for city, name in enumerate(cities):
        places = [f"{name} station", *(sight.name for sight in sights if sight.city == city)]
        drawn_ways = {
            (one, other): between(rng, data["inside"])
            for k, one in enumerate(places)
            for other in places[k + 1 :]
        }
        for hotel in prices.get(city, {}):
            away = between(rng, data["hotels"][hotel]["away"])
            drawn_ways[places[0], f"{name} {hotel}"] = away
            for other in places[1:]:
                drawn_ways[other, f"{name} {hotel}"] = max(1, away + between(rng, (-1, 1)))
        ways |= _shortened(drawn_ways)
    return Land(cities, spots, sights, nights, _trains(rng, data, numbers, cities, spots), prices, ways)


def _shortened(ways: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Return ways none of which can be gone faster by way of another place, all places joined to all."""
    places = list(dict.fromkeys(place for pair in ways for place in pair))
    ticks = {
        (one, other): ways.get((one, other), ways.get((other, one), LONG))
        for one in places
        for other in places
    }
    for by in places:
        for one in places:
            for other in places:
                ticks[one, other] = min(ticks[one, other], ticks[one, by] + ticks[by, other])
    return {(one, other): ticks[one, other] for k, one in enumerate(places) for other in places[k + 1 :]}


def _spots(rng: np.random.Generator, count: int) -> tuple[tuple[float, float], ...]:
    """Place the cities around a ring, each a little off it."""
    turns = [2 * math.pi * k / count for k in range(count)]
    return tuple(
        (
            round(100 * math.cos(turn) + float(rng.uniform(-25, 25)), 1),
            round(100 * math.sin(turn) + float(rng.uniform(-25, 25)), 1),
        )
        for turn in turns
    )


def _sights(
    rng: np.random.Generator, kinds: Mapping[str, Any], cities: Sequence[str], count: int
) -> tuple[Sight, ...]:
    """Draw what is to be seen, in all cities but the first about equally much."""
    found: list[Sight] = []
    for k in range(count):
        city = 1 + k % (len(cities) - 1)
        taken = {sight.name for sight in found}
        able = [kind for kind in kinds if f"{cities[city]} {kind}" not in taken]
        kind = pick(rng, able, 1)[0]
        facts = kinds[kind]
        hours = pick(rng, facts["hours"], 1)[0]
        found.append(
            Sight(
                f"{cities[city]} {kind}",
                city,
                None if hours is None else (int(hours[0]), int(hours[1])),
                between(rng, facts["ticks"]),
                between(rng, facts["fee"]),
            )
        )
    return tuple(sorted(found, key=lambda sight: sight.city))


def _trains(
    rng: np.random.Generator,
    data: Mapping[str, Any],
    numbers: Mapping[str, Any],
    cities: Sequence[str],
    spots: Sequence[tuple[float, float]],
) -> tuple[Train, ...]:
    """Draw the trains: both ways along the ring and across it, expresses on some links as well."""
    count = len(cities)
    ring = [(k, (k + 1) % count) for k in range(count)]
    across = [(a, b) for a in range(count) for b in range(a + 2, count) if (a, b) != (0, count - 1)]
    links = ring + pick(rng, across, numbers["across"])
    links += [(b, a) for a, b in links]
    fast = pick(rng, links, numbers["express"])
    found = []
    for a, b in links:
        for kind in ["local"] + ["express"] * ((a, b) in fast):
            facts = data["trains"][kind]
            hundreds = math.dist(spots[a], spots[b]) / 100
            ticks = round(hundreds * facts["pace"])
            departs = pick(rng, range(0, data["day"], 2), between(rng, facts["departs"]))
            found.append(
                Train(
                    f"{kind} {cities[a]} to {cities[b]}",
                    a,
                    b,
                    kind,
                    min(max(ticks, data["ride"]["least"]), data["ride"]["most"]),
                    max(1, round(hundreds * facts["price"])),
                    tuple(sorted(int(tick) for tick in departs)),
                )
            )
    return tuple(found)


# ------------------------------------------------------------------ a tour on paper


def tour(land: Land, data: Mapping[str, Any], kind: str) -> Tour:
    """Play a plain tour on paper: along the ring, in each city whatever shuts first, then the night.

    Args:
        land: where.
        data: of the family.
        kind: of the trains that are taken where there are both.
    """
    day, count = data["day"], len(land.cities)
    now, cost = 0, 0
    ends: dict[str, int] = {}
    for city in range(count):
        here = land.place(city, "station")
        for sight in sorted(
            (s for s in land.sights if s.city == city), key=lambda s: (s.hours or (0, day))[1]
        ):
            now = opening(sight.hours, now + land.ticks(here, sight.name), sight.ticks, day) + sight.ticks
            here, cost = sight.name, cost + sight.fee
            ends[f"see {sight.name}"] = now
        if city in land.nights:
            hotel = min(land.prices[city], key=land.prices[city].__getitem__)
            hotel_name, night = land.place(city, hotel), data["night"]
            begin = opening(night["hours"], now + land.ticks(here, hotel_name), night["ticks"], day)
            now, here, cost = begin + night["ticks"], hotel_name, cost + land.prices[city][hotel]
        now += land.ticks(here, land.place(city, "station"))
        able = [t for t in land.trains if (t.origin, t.target) == (city, (city + 1) % count)]
        train = next((t for t in able if t.kind == kind), able[0])
        now = min(now + (tick - now) % day for tick in train.departs) + train.ticks
        cost += train.price
    return Tour(ends, now + 1, cost)


def opening(hours: Sequence[int] | None, since: int, ticks: int, day: int) -> int:
    """Return the first tick from ``since`` on from which a place is open for ``ticks``."""
    if hours is None:
        return since
    opens, shuts = hours
    begin = opens + (since - opens) // day * day
    start = max(since, begin)
    return start if start + ticks <= begin + shuts - opens else begin + day


def _locations(land: Land, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return all places: stations, sights and hotels, those of a city around its middle."""
    found: dict[str, Any] = {}
    hours = {sight.name: sight.hours for sight in land.sights}
    for city, name in enumerate(land.cities):
        sights = [sight.name for sight in land.sights if sight.city == city]
        hotels = [land.place(city, hotel) for hotel in land.prices.get(city, {})]
        x, y = land.spots[city]
        found[land.place(city, "station")] = {"at": [x, y], "kind": "station"}
        for k, place in enumerate([*sights, *hotels]):
            turn = 2 * math.pi * k / max(1, len(sights) + len(hotels))
            spot = [round(x + 18 * math.cos(turn), 1), round(y + 18 * math.sin(turn), 1)]
            fields: dict[str, Any] = {"at": spot, "kind": place.removeprefix(f"{name} ")}
            if place in hotels:
                fields["hours"] = [list(data["night"]["hours"])]
            elif (open_ := hours[place]) is not None:
                fields["hours"] = [list(open_)]
            found[place] = fields
    return found


def _events(rng: np.random.Generator, land: Land, horizon: int) -> list[dict[str, Any]]:
    """Draw the disturbances: a sight is shut for a while, and a way in a city is blocked for good."""
    sight = pick(rng, land.sights, 1)[0].name
    first = between(rng, (1, max(1, horizon // 4)))
    events: list[dict[str, Any]] = [
        {"at": first, "lock": sight},
        {"at": first + between(rng, (8, 30)), "unlock": sight},
    ]
    # What is blocked must have a way around it.
    able = [
        way
        for way in land.ways
        if any(
            {way[0], other} in map(set, land.ways) and {other, way[1]} in map(set, land.ways)
            for other in {place for pair in land.ways for place in pair} - set(way)
        )
    ]
    for one, other in pick(rng, able, 1):
        events.append({"at": between(rng, (1, max(1, horizon // 3))), "block": [one, other]})
    return events


DOMAIN = Domain(
    name="Itinerary",
    summary="Cities, sights with hours, trains with departures, hotels and a budget",
    source=source,
    tags=("places", "travel", "budget", "due dates"),
)
