"""Rearrangement: rooms with doors, and objects that lie where they do not belong.

Owns the family: houses (furniture along the walls, doors, receptacles with lids) and objects,
drawn by the seed, and which of the objects are misplaced under a preference vector. What is
done with an object - pick and place, look at in light, clean, heat, cool, stack, two objects -
is ``tidying``'s.

House and objects do not depend on the preference: every object that is asked for lies where
none of its kind may belong, a few more lie where they belong under the vector of the seed.
Under another vector other things are misplaced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stratagym.envs.domains import tidying
from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import generator, pick
from stratagym.envs.domains.maps import FLOOR, WALL, Cell, Map, beside, furnished, in_one_piece, within_reach
from stratagym.envs.domains.sources import data_beside
from stratagym.envs.domains.tidying import MIXED, Errand, Preference, Thing
from stratagym.envs.domains.workplan import WorkPlan

DOOR = "door"

Spots = dict[Cell, dict[str, str]]
"""What stands and lies where, as entries of a legend."""


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
        disturbances: whether objects are moved away again and a door is locked.

    Raises:
        ValueError: if an option has a wrong value; a preference that cannot be is refused by
            the name of the kind and the receptacle.
    """
    found = tidying.source(
        "rearrangement", morning, size, split, instances, task_type, preference, disturbances
    )
    for index in range(found.count if preference else 0):
        found.mapping(index)  # a surface may be too small for all that is to go there
    return found


@dataclass(frozen=True)
class House:
    """One house and what lies in it, without regard to a preference.

    Attributes:
        cells: walls, doors and floor.
        spots: what stands and lies where.
        doors: cells.
        errands: what is asked for, whatever the preference.
        spare: further objects, and the receptacle where each lies.
        preference: the vector of the seed.
        body: where the body stands.
    """

    cells: Map
    spots: Spots
    doors: tuple[Cell, ...]
    errands: tuple[Errand, ...]
    spare: tuple[tuple[Thing, str], ...]
    preference: Preference
    body: Cell

    def misplaced(self, preference: Preference) -> list[str]:
        """Return the objects that do not lie where they belong under a vector, by name."""
        asked = [thing.name for errand in self.errands for thing in errand.things]
        return asked + [thing.name for thing, place in self.spare if preference[thing.kind] != place]


def morning(
    seed: int,
    size: str,
    task_type: str = MIXED,
    preference: Preference | None = None,
    disturbances: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw one house and what is to be done there: the task and the scene.

    Args:
        seed: of the instance.
        size: of the family.
        task_type: see ``source``.
        preference: see ``source``.
        disturbances: whether there are events.

    Raises:
        ValueError: if more belongs on a piece of furniture than fits on it.
    """
    data = data_beside(__file__)
    numbers = data["sizes"][size]
    home = house(seed, size, task_type)
    vector = {**home.preference, **(preference or {})}
    rng = generator(seed, 0x4EA4)
    strays = [thing for thing, place in home.spare if vector[thing.kind] != place]
    errands = [*home.errands, *(Errand("pick and place", thing) for thing in strays)]
    _check_room(seed, home, errands, vector)
    plan = WorkPlan()
    for thing, _ in home.spare:
        plan.thing(thing.name, thing.kind)
    ends = tidying.lay(plan, rng, errands, vector)
    plan.tasks["tidy house"] = {"all": ends}
    task: dict[str, Any] = {
        "name": f"house {seed}",
        "agents": 1,
        "items": tidying.items_of(plan),
        "subtasks": plan.subtasks,
        "tasks": plan.tasks,
        "goal": "tidy house",
    }
    scene: dict[str, Any] = {
        "world": "grid",
        **furnished(home.cells, home.spots),
        "fixtures": fixtures(),
        "things": plan.things,
        "reach": "front",
        "hands": True,
        "bodies": [{"at": list(home.body)}],
        "rules": plan.rules,
    }
    if disturbances:
        makespan = max(run.end for run in plan.paced([[]], numbers["walk"], rng).values())
        task["horizon"] = makespan * data["disturbances"]["hard_end"] // 100
        task["events"], scene["events"] = _events(rng, data["disturbances"], makespan, home, errands, vector)
    return task, scene


def fixtures() -> dict[str, dict[str, Any]]:
    """Return what the fixtures of a house are like."""
    found: dict[str, dict[str, Any]] = {DOOR: {"holds": False}}
    for name in tidying.catalogue()["receptacles"]:
        if tidying.has_lid(name):
            found[tidying.lidded(name)] = {"solid": True}
        found[name] = {"solid": True, "holds": not tidying.has_lid(name)}
    return found | {name: {"solid": True} for name in tidying.catalogue()["appliances"]}


def house(seed: int, size: str, task_type: str = MIXED) -> House:
    """Draw a house, what lies in it, and the preference vector of the seed."""
    data = data_beside(__file__)
    numbers = data["sizes"][size]
    rng = generator(seed, 0x40B5)
    errands = tidying.draw_errands(rng, task_type, numbers["subtasks"])
    asked = {thing.kind for errand in errands for thing in errand.things}
    kinds = pick(rng, [kind for kind in tidying.catalogue()["kinds"] if kind not in asked], numbers["spare"])
    spare = [Thing(f"{kind} 1", kind) for kind in kinds]
    cells, doors = rooms(numbers["rooms"], numbers["floor"])
    spots = _furnish(rng, cells, doors)
    surfaces = _surfaces(spots)
    room = {name: len(tops) for name, tops in surfaces.items()}
    preference = _preference(rng, errands, spare, room, numbers["lids"])
    for k, thing in enumerate(spare):
        place = preference[thing.kind]
        if place in surfaces:
            _lay_on(rng, spots, surfaces[place], thing)
        else:
            spare[k] = replace(thing, inside=place)
    taken = {thing.inside for thing in spare}
    errands = _hide(rng, errands, preference, data["hidden"], numbers["lids"], taken)
    _scatter(rng, data["laid"], errands, spots, surfaces, cells, preference, doors)
    free = _standing(cells, spots)
    body = pick(rng, [cell for cell in free if cell not in doors], 1)[0]
    return House(
        cells,
        spots,
        doors,
        tuple(errands),
        tuple((thing, preference[thing.kind]) for thing in spare),
        preference,
        body,
    )


def rooms(count: Sequence[int], floor: Sequence[int]) -> tuple[Map, tuple[Cell, ...]]:
    """Return rooms with a door between each two neighbours (two doors, if there are but two rooms).

    Args:
        count: rooms in a row and in a column.
        floor: columns and rows of a room's floor.
    """
    across, down = count
    wide, high = floor
    cells = np.full((down * (high + 1) + 1, across * (wide + 1) + 1), WALL)
    for i in range(across):
        for j in range(down):
            x, y = i * (wide + 1) + 1, j * (high + 1) + 1
            cells[y : y + high, x : x + wide] = FLOOR
    doors: list[Cell] = []
    for i in range(across):
        for j in range(down):
            x, y = i * (wide + 1) + 1, j * (high + 1) + 1
            if i + 1 < across:
                rows = (0, high - 1) if down == 1 else (high // 2,)
                doors += [(x + wide, y + row) for row in rows]
            if j + 1 < down:
                doors.append((x + wide // 2, y + high))
    for x, y in doors:
        cells[y, x] = FLOOR
    return cells, tuple(doors)


def _standing(cells: Map, spots: Spots) -> list[Cell]:
    """Return the cells of the floor where nothing stands or lies."""
    return [(int(x), int(y)) for y, x in np.argwhere(cells == FLOOR) if (int(x), int(y)) not in spots]


def _furnish(rng: np.random.Generator, cells: Map, doors: Sequence[Cell]) -> Spots:
    """Put furniture along the walls, the longest first, so that all of it can be reached."""
    catalogue = tidying.catalogue()
    pieces = [(name, facts.get("cells", 1)) for name, facts in catalogue["receptacles"].items()]
    pieces += [(name, 1) for name in catalogue["appliances"]]
    spots: Spots = {door: {"fixture": DOOR} for door in doors}
    for name, size in sorted(pick(rng, pieces, len(pieces)), key=lambda piece: -piece[1]):
        fixture = tidying.lidded(name) if tidying.has_lid(name) else name
        spans = [
            [(x + k * dx, y + k * dy) for k in range(size)]
            for x, y in _standing(cells, spots)
            for dx, dy in ((1, 0), (0, 1))
        ]
        span = next((k for k in pick(rng, spans, len(spans)) if _fits(cells, spots, doors, k)), None)
        if span is None:
            raise ValueError(f"there is no room for the {name}")
        spots |= {cell: {"fixture": fixture} for cell in span}
    return spots


def _fits(cells: Map, spots: Spots, doors: Sequence[Cell], span: Sequence[Cell]) -> bool:
    """Return whether a piece stands by a wall, leaves the doors free and keeps everything in reach."""
    for cell in span:
        if cells[cell[1], cell[0]] != FLOOR or cell in spots or any(k in doors for k in beside(cells, cell)):
            return False
        if not any(cells[y, x] == WALL for x, y in beside(cells, cell)):
            return False
    return reachable(cells, spots, span, doors)


def reachable(
    cells: Map, spots: Spots, more: Iterable[Cell], doors: Sequence[Cell], but: Cell | None = None
) -> bool:
    """Return whether one can walk everywhere, and stand beside all that stands or lies.

    Args:
        cells: the map.
        spots: what stands and lies.
        more: cells that shall be taken as well.
        doors: cells where one can walk.
        but: a door that is locked.
    """
    taken = ({*spots, *more} - set(doors)) | ({but} if but else set())
    free = cells == FLOOR
    for x, y in taken:
        free[y, x] = False
    return in_one_piece(free) and all(within_reach(free, cell) for cell in taken)


def _surfaces(spots: Spots) -> dict[str, list[Cell]]:
    """Return the cells of each piece of furniture with a top."""
    receptacles = tidying.catalogue()["receptacles"]
    tops: dict[str, list[Cell]] = {name: [] for name in receptacles if not tidying.has_lid(name)}
    for cell, spot in spots.items():
        if spot["fixture"] in tops:
            tops[spot["fixture"]].append(cell)
    return tops


def _preference(
    rng: np.random.Generator,
    errands: Sequence[Errand],
    spare: Sequence[Thing],
    room: Mapping[str, int],
    lids: int,
) -> dict[str, str]:
    """Draw a vector under which everything has room, and no more lids are opened than said."""
    while True:
        preference = tidying.draw_preference(rng)
        asked = [preference[thing.kind] for errand in errands for thing in tidying.placed(errand)]
        lying = [preference[thing.kind] for thing in spare]
        load = asked + lying
        fits = all(load.count(name) <= tops for name, tops in room.items())
        # A lid hides one object at most.
        fits = fits and all(lying.count(name) <= 1 for name in lying if tidying.has_lid(name))
        if fits and len(set(filter(tidying.has_lid, asked))) <= lids:
            return preference


def _hide(
    rng: np.random.Generator,
    errands: Sequence[Errand],
    preference: Preference,
    percent: int,
    lids: int,
    taken: Collection[str | None],
) -> list[Errand]:
    """Put some objects into receptacles with lids where nothing of their kind belongs, one in each."""
    catalogue = tidying.catalogue()
    empty = list(filter(tidying.has_lid, catalogue["receptacles"]))
    opened = {preference[thing.kind] for errand in errands for thing in tidying.placed(errand)} & set(empty)
    found = []
    for errand in errands:
        fits = catalogue["kinds"][errand.thing.kind]["fits"]
        able = [k for k in empty if k not in (*fits, *taken) and (k in opened or len(opened) < lids)]
        if able and rng.integers(100) < percent:
            place = pick(rng, able, 1)[0]
            empty.remove(place)
            opened.add(place)
            errand = replace(errand, thing=replace(errand.thing, inside=place))
        found.append(errand)
    return found


def _scatter(
    rng: np.random.Generator,
    percent: int,
    errands: Sequence[Errand],
    spots: Spots,
    surfaces: Mapping[str, Sequence[Cell]],
    cells: Map,
    preference: Preference,
    doors: Sequence[Cell],
) -> None:
    """Lay the objects that are in sight on the floor, or on furniture where their kind does not belong."""
    load: dict[str, int] = {}
    for errand in errands:
        for thing in tidying.placed(errand):
            load[preference[thing.kind]] = load.get(preference[thing.kind], 0) + 1
    for thing in (thing for errand in errands for thing in errand.things if thing.inside is None):
        fits = tidying.catalogue()["kinds"][thing.kind]["fits"]
        # What is to come has room even if all that lies there stays.
        able = [
            name
            for name, tops in surfaces.items()
            if name not in fits and sum("thing" not in spots[top] for top in tops) > load.get(name, 0)
        ]
        if able and rng.integers(100) < percent:
            _lay_on(rng, spots, surfaces[pick(rng, able, 1)[0]], thing)
            continue
        for cell in pick(rng, _standing(cells, spots), cells.size):
            if not any(k in doors for k in beside(cells, cell)) and reachable(cells, spots, [cell], doors):
                spots[cell] = {"fixture": "floor", "thing": thing.name}
                break
        else:
            raise ValueError(f"there is no room for {thing.name}")


def _lay_on(rng: np.random.Generator, spots: Spots, tops: Sequence[Cell], thing: Thing) -> None:
    free = [top for top in tops if "thing" not in spots[top]]
    spots[pick(rng, free, 1)[0]]["thing"] = thing.name


def _check_room(seed: int, home: House, errands: Sequence[Errand], preference: Preference) -> None:
    """Refuse a vector under which a piece of furniture would have to hold more than it can."""
    coming = [preference[thing.kind] for errand in errands for thing in tidying.placed(errand)]
    for name, tops in _surfaces(home.spots).items():
        lying = sum("thing" in home.spots[top] for top in tops)
        if coming.count(name) + lying > len(tops):
            kinds = sorted({kind for kind, place in preference.items() if place == name})
            raise ValueError(
                f"preference: in house {seed} {coming.count(name)} objects belong on the {name}, which holds "
                f"{len(tops)}, {lying} of them taken; send some of {', '.join(kinds)} elsewhere"
            )


def _events(
    rng: np.random.Generator,
    numbers: Mapping[str, Any],
    makespan: int,
    home: House,
    errands: Sequence[Errand],
    preference: Preference,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Draw the disturbances.

    Objects that were put on a piece of furniture fall over (the putting is undone, they must
    be taken up and put there again), one that waits for its treatment is moved, a door is locked.
    """

    def at(span: Sequence[int]) -> dict[str, list[int]]:
        return {"uniform": [max(1, makespan * percent // 100) for percent in span]}

    puts = {
        tidying.put_name(thing, preference): thing
        for errand in errands
        for thing in tidying.placed(errand)
        if not tidying.has_lid(preference[thing.kind])
    }
    task = [{"at": at(numbers["fallen"]), "undo": name} for name in pick(rng, sorted(puts), 3)]
    place: list[dict[str, Any]] = []
    treated = [
        errand.thing.name
        for errand in errands
        if errand.task_type in ("clean", "heat", "cool") and errand.thing.inside is None
    ]
    for name in pick(rng, treated, 1):
        for cell in pick(rng, _standing(home.cells, home.spots), home.cells.size):
            if reachable(home.cells, home.spots, [cell], home.doors) and cell != home.body:
                place.append({"at": at(numbers["moved"]), "move": name, "to": list(cell)})
                home.spots[cell] = {"fixture": "floor", "thing": name}  # the door must do without it
                break
    for door in pick(rng, home.doors, len(home.doors)):
        if reachable(home.cells, home.spots, [], home.doors, but=door):
            place.append({"at": at(numbers["locked"]), "lock": list(door)})
            break
    return task, place


DOMAIN = Domain(
    name="Rearrangement",
    summary="Objects of a house are put where they belong: rooms, doors, lids and a preference vector",
    source=source,
    tags=("grid", "household", "alfred", "preference"),
)
