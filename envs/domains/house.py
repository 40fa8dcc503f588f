"""House: rooms without a map, receptacles, and objects that lie where they do not belong.

Owns the family: which rooms there are, how long one walks between them, what stands where, and
where the objects lie, drawn by the seed. What is done with an object, the seven task types of
ALFRED, is ``tidying``'s, shared with ``Rearrangement``, which has a map. Here a receptacle holds
several things, and what is put into one with a lid lies in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from stratagym.envs.domains import tidying
from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import between, generator, pick
from stratagym.envs.domains.sources import data_beside
from stratagym.envs.domains.tidying import MIXED, Errand, Preference, Thing
from stratagym.envs.domains.workplan import Rule, WorkPlan


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    task_type: str = MIXED,
    preference: Preference | None = None,
    disturbances: bool = False,
) -> TaskSource:
    """Return houses to be tidied.

    Args:
        size: of the family.
        split: of the family.
        instances: how many houses.
        task_type: one of ``tidying.TASK_TYPES`` for all errands, or ``mixed``.
        preference: kind of object -> receptacle where it belongs; kinds that are left out, and
            all if there is none, are drawn by the seed.
        disturbances: whether objects fall out again or are carried off, and a way is blocked.

    Raises:
        ValueError: if an option has a wrong value; a preference that cannot be is refused by
            the name of the kind and the receptacle.
    """
    return tidying.source("house", morning, size, split, instances, task_type, preference, disturbances)


LONG = 10**6
"""Ticks between rooms that no way joins directly."""


@dataclass(frozen=True)
class Home:
    """One house and what lies in it, without regard to a preference that is given.

    Attributes:
        rooms: in the order of their numbers.
        ways: pairs of rooms, and the ticks between them.
        stands: receptacle or appliance -> its room; the floor of a room is one of them.
        lies: receptacle -> names of what lies there.
        errands: what is asked for.
        spare: further objects, and where each lies.
        preference: the vector of the seed.
    """

    rooms: tuple[str, ...]
    ways: tuple[tuple[str, str, int], ...]
    stands: Mapping[str, str]
    lies: Mapping[str, Sequence[str]]
    errands: tuple[Errand, ...]
    spare: tuple[tuple[Thing, str], ...]
    preference: Preference

    @property
    def across(self) -> int:
        """Ticks between the two rooms that are farthest from each other."""
        ticks = {(one, other): 0 if one == other else LONG for one in self.rooms for other in self.rooms}
        for one, other, way in self.ways:
            ticks[one, other] = ticks[other, one] = way
        for by, one, other in product(self.rooms, repeat=3):
            ticks[one, other] = min(ticks[one, other], ticks[one, by] + ticks[by, other])
        return max(ticks.values())

    def misplaced(self, preference: Preference) -> list[str]:
        """Return the objects that do not lie where they belong under a vector, by name."""
        asked = [thing.name for errand in self.errands for thing in errand.things]
        return asked + [thing.name for thing, place in self.spare if preference[thing.kind] != place]


def morning(
    seed: int,
    size: Size,
    task_type: str = MIXED,
    preference: Preference | None = None,
    disturbances: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw one house and what is to be done there: the task and the scene (see ``source``)."""
    data = data_beside(__file__)
    home = house(seed, size, task_type)
    vector = {**home.preference, **(preference or {})}
    rng = generator(seed, 0x4005)
    strays = [thing for thing, place in home.spare if vector[thing.kind] != place]
    errands = [*home.errands, *(Errand("pick and place", thing) for thing in strays)]
    plan = WorkPlan()
    for thing, _ in home.spare:
        plan.thing(thing.name, thing.kind)
    plan.tasks["tidy house"] = {"all": tidying.lay(plan, rng, errands, vector)}
    task: dict[str, Any] = {
        "name": f"house {seed}",
        # Time enough to cross the whole house for every single subtask, one after the other.
        "horizon": sum(fields["duration"] + home.across for fields in plan.subtasks.values()),
        "agents": 1,
        "items": tidying.items_of(plan),
        "subtasks": plan.subtasks,
        "tasks": plan.tasks,
        "goal": "tidy house",
    }
    scene: dict[str, Any] = {
        "world": "places",
        "locations": _locations(home),
        "ways": [list(way) for way in home.ways],
        "fixtures": _fixtures(),
        "things": plan.things,
        "hands": True,
        "bodies": [{"at": home.rooms[0]}],
        "rules": {name: [_among_places(rule) for rule in rules] for name, rules in plan.rules.items()},
    }
    if disturbances:
        walk = round(sum(ticks for _, _, ticks in home.ways) / len(home.ways))
        makespan = max(run.end for run in plan.paced([[]], walk, rng).values())
        task["horizon"] = makespan * data["disturbances"]["hard_end"] // 100
        task["events"], scene["events"] = _events(rng, data["disturbances"], makespan, home, errands, vector)
    return task, scene


def _locations(home: Home) -> dict[str, Any]:
    """Return the rooms with what stands and lies in them."""
    data = data_beside(__file__)["rooms"]
    rooms: dict[str, Any] = {
        room: {"at": data[room]["at"], "kind": "room", "sites": {}} for room in home.rooms
    }
    for name, room in home.stands.items():
        site: dict[str, Any] = {"things": list(home.lies[name])} if home.lies.get(name) else {}
        if name in tidying.catalogue()["receptacles"] and tidying.has_lid(name):
            site["fixture"] = tidying.lidded(name)
        elif name == _floor(room):
            site["fixture"] = "floor"
        rooms[room]["sites"][name] = site
    return rooms


def _floor(room: str) -> str:
    return f"{room} floor"


def _fixtures() -> dict[str, dict[str, Any]]:
    """Return what the receptacles of a house are like."""
    found: dict[str, dict[str, Any]] = {"floor": {}}
    for name in tidying.catalogue()["receptacles"]:
        found[name] = {}
        if tidying.has_lid(name):
            found[tidying.lidded(name)] = {"closed": True}
    # What lies in an appliance is being treated: nothing is left there by the way.
    return found | {name: {"holds": False} for name in tidying.catalogue()["appliances"]}


def _among_places(rule: Rule) -> dict[str, Any]:
    """Return a rule of a household for receptacles in which several things lie, lid or not.

    What is hidden lies there from the beginning, so opening brings it to light and makes nothing;
    and what is put somewhere lies beside what is there.
    """
    found = {key: dict(value) if isinstance(value, Mapping) else value for key, value in rule.items()}
    if "fixture" in found.get("success", {}):
        found["success"].pop("thing", None)
    puts = found.get("start", {}).get("hand") == "none" and "hand" in found
    if puts and found.get("at") in tidying.catalogue()["receptacles"]:
        found.pop("thing", None)
        found["start"]["thing"] = found["hand"]
    return found


def house(seed: int, size: Size, task_type: str = MIXED) -> Home:
    """Draw a house, what lies in it, and the preference vector of the seed."""
    data = data_beside(__file__)
    numbers = data["sizes"][size]
    rng = generator(seed, 0x4006)
    errands = tidying.draw_errands(rng, task_type, numbers["subtasks"])
    asked = {thing.kind for errand in errands for thing in errand.things}
    kinds = pick(rng, [kind for kind in tidying.catalogue()["kinds"] if kind not in asked], numbers["spare"])
    spare = [Thing(f"{kind} 1", kind) for kind in kinds]
    further = [room for room in data["rooms"] if room not in data["first"]]
    rooms = [*data["first"], *pick(rng, further, numbers["rooms"] - len(data["first"]))]
    preference = _preference(rng, errands, numbers["lids"])
    errands = _hide(rng, errands, preference, data["hidden"], numbers["lids"])
    stands = _furnish(rng, rooms)
    lies: dict[str, list[str]] = {}
    for errand in errands:
        for thing in errand.things:
            place = thing.inside or _astray(rng, thing, stands, data["laid"])
            lies.setdefault(place, []).append(thing.name)
    for thing in spare:
        lies.setdefault(preference[thing.kind], []).append(thing.name)
    return Home(
        rooms=tuple(rooms),
        ways=_ways(rng, rooms, data["way"], numbers["loops"]),
        stands=stands,
        lies=lies,
        errands=tuple(errands),
        spare=tuple((thing, preference[thing.kind]) for thing in spare),
        preference=preference,
    )


def _preference(rng: np.random.Generator, errands: Sequence[Errand], lids: int) -> dict[str, str]:
    """Draw a vector under which no more lids are opened than said."""
    while True:
        preference = tidying.draw_preference(rng)
        opened = {preference[thing.kind] for errand in errands for thing in tidying.placed(errand)}
        if len(set(filter(tidying.has_lid, opened))) <= lids:
            return preference


def _hide(
    rng: np.random.Generator, errands: Sequence[Errand], preference: Preference, percent: int, lids: int
) -> list[Errand]:
    """Put some objects into receptacles with lids where nothing of their kind belongs."""
    catalogue = tidying.catalogue()
    lidded = list(filter(tidying.has_lid, catalogue["receptacles"]))
    opened = {preference[thing.kind] for errand in errands for thing in tidying.placed(errand)} & set(lidded)
    found = []
    for errand in errands:
        fits = catalogue["kinds"][errand.thing.kind]["fits"]
        able = [k for k in lidded if k not in fits and (k in opened or len(opened) < lids)]
        if able and rng.integers(100) < percent:
            place = pick(rng, able, 1)[0]
            opened.add(place)
            errand = replace(errand, thing=replace(errand.thing, inside=place))
        found.append(errand)
    return found


def _furnish(rng: np.random.Generator, rooms: Sequence[str]) -> dict[str, str]:
    """Put each receptacle and appliance into a room that may hold it, else into any."""
    data = data_beside(__file__)["rooms"]
    catalogue = tidying.catalogue()
    stands = {_floor(room): room for room in rooms}
    for name in [*catalogue["receptacles"], *catalogue["appliances"]]:
        able = [room for room in rooms if name in data[room]["holds"]]
        stands[name] = pick(rng, able or list(rooms), 1)[0]
    return stands


def _astray(rng: np.random.Generator, thing: Thing, stands: Mapping[str, str], percent: int) -> str:
    """Return where an object lies where none of its kind belongs: in sight, on furniture or the floor."""
    catalogue = tidying.catalogue()
    fits = catalogue["kinds"][thing.kind]["fits"]
    tops = [k for k in catalogue["receptacles"] if not tidying.has_lid(k) and k not in fits]
    if rng.integers(100) < percent:
        return str(pick(rng, tops, 1)[0])
    return str(pick(rng, [name for name, room in stands.items() if name == _floor(room)], 1)[0])


def _ways(
    rng: np.random.Generator, rooms: Sequence[str], span: Sequence[int], loops: int
) -> tuple[tuple[str, str, int], ...]:
    """Join the rooms by a tree of ways, and some more."""
    joined = [(rooms[int(rng.integers(k))], rooms[k]) for k in range(1, len(rooms))]
    others = [
        (one, other)
        for k, one in enumerate(rooms)
        for other in rooms[k + 1 :]
        if (one, other) not in joined and (other, one) not in joined
    ]
    joined += pick(rng, others, loops)
    return tuple((one, other, between(rng, span)) for one, other in joined)


def _events(
    rng: np.random.Generator,
    numbers: Mapping[str, Any],
    makespan: int,
    home: Home,
    errands: Sequence[Errand],
    preference: Preference,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Draw the disturbances.

    Objects that were put on furniture fall down (the putting is undone), one that waits in sight is
    carried to another room, and a way is blocked for a while.
    """

    def at(span: Sequence[int]) -> dict[str, list[int]]:
        return {"uniform": [max(1, makespan * percent // 100) for percent in span]}

    puts = [
        tidying.put_name(thing, preference)
        for errand in errands
        for thing in tidying.placed(errand)
        if not tidying.has_lid(preference[thing.kind])
    ]
    task = [{"at": at(numbers["fallen"]), "undo": name} for name in pick(rng, sorted(puts), 2)]
    place: list[dict[str, Any]] = []
    waiting = [e.things[-1].name for e in errands if e.things[-1].inside is None]
    for name in pick(rng, waiting, 1):
        floors = [floor for floor, room in home.stands.items() if floor == _floor(room)]
        place.append({"at": at(numbers["moved"]), "move": name, "to": pick(rng, floors, 1)[0]})
    one, other, _ = pick(rng, home.ways, 1)[0]
    first = max(1, makespan * between(rng, numbers["blocked"]) // 100)
    place.append({"at": first, "block": [one, other]})
    place.append({"at": first + between(rng, numbers["barred"]), "clear": [one, other]})
    return task, place


DOMAIN = Domain(
    name="House",
    summary="Rooms, receptacles and the seven ALFRED task types, without a map",
    source=source,
    tags=("places", "household", "alfred", "preference"),
)
