"""Warehouse: robots pick, carry, pack and ship; heavy goods take two of them at once.

Owns the family: orders drawn by the seed, and halls with racks, pallets, packing stations and
docks. A picker makes goods on a shelf ready (*pick*); then any robot can carry them to a packing
station (*deliver*). A crate stands on a pallet until two lifters put it onto the conveyor in
one go (*lift*, a joint subtask): it needs no carrying. When all of an order is there, a robot
packs it, and one carries the parcel to a dock (*ship*), which is due at a time. Lifters are slower
than pickers. With fog of war a robot sees the cells around it only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import between, generator, pick
from stratagym.envs.domains.maps import FLOOR, Cell, Map, furnished, in_one_piece, room, within_reach
from stratagym.envs.domains.sources import PLACED, data_beside, one_of, procedural
from stratagym.envs.domains.workplan import WorkPlan

CERTIFIED: dict[Size, int] = {**PLACED, "large": 6}
"""Instances of each split: a witness for several robots and thirty subtasks takes twenty seconds."""

AISLE = 2
"""Columns between two racks: robots can pass each other."""


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    fog: bool = False,
    disturbances: bool = False,
) -> TaskSource:
    """Return shifts in a warehouse.

    Args:
        size: of the family.
        split: of the family.
        instances: how many shifts.
        fog: whether a robot sees only what is near it.
        disturbances: whether a parcel comes back, a robot breaks down, goods are moved and an
            aisle is blocked for a while.

    Raises:
        ValueError: if an option has a wrong value.
    """
    one_of("fog", fog, (True, False))
    one_of("disturbances", disturbances, (True, False))
    variant = ",".join(["fog"] * fog + ["disturbed"] * disturbances)

    def draw(seed: int, size: Size) -> dict[str, Any]:
        return shift(seed, size, fog, disturbances)[0]

    def scene(seed: int, size: Size) -> dict[str, Any]:
        return shift(seed, size, fog, disturbances)[1]

    return procedural("warehouse", draw, size, split, instances, variant, scene=scene, certified=CERTIFIED)


def shift(
    seed: int, size: Size, fog: bool = False, disturbances: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw one shift: the task and the scene.

    Args:
        seed: of the instance.
        size: of the family.
        fog: see ``source``.
        disturbances: whether there are events.

    Returns:
        A task's and a scene's mapping; without the events, the same for both values of
        ``disturbances`` but for the hard end.
    """
    data = data_beside(__file__)
    numbers = data["sizes"][size]
    rng = generator(seed, 0x3A4E)
    plan = WorkPlan()
    orders = _orders(rng, data, numbers)
    for number, lines in enumerate(orders, 1):
        _lay(plan, rng, data, number, lines)
    crew = [
        {"name": f"{kind} {k + 1}", "skills": data["robots"][kind]["skills"]}
        for kind, count in numbers["crew"].items()
        for k in range(count)
    ]
    runs = plan.paced([robot["skills"] for robot in crew], numbers["walk"], rng)
    makespan = max(run.end for run in runs.values())
    shipped = [f"ship order {number}" for number in range(1, len(orders) + 1)]
    for name in shipped:
        plan.subtasks[name]["due"] = runs[name].end * between(rng, numbers["due"]) // 100
    plan.tasks["shift"] = {"all": shipped}
    cells, where = _hall(rng, numbers, orders)
    task: dict[str, Any] = {
        "name": f"shift {seed}",
        "horizon": makespan * data["hard_end"] // 100,
        "agents": crew,
        "resources": {"packing station": numbers["station"]},
        "subtasks": plan.subtasks,
        "tasks": plan.tasks,
        "goal": "shift",
    }
    free = [(int(x), int(y)) for y, x in np.argwhere(cells == FLOOR) if (int(x), int(y)) not in where]
    bodies = pick(rng, free, len(crew))
    paces = [data["robots"][kind]["pace"] for kind, count in numbers["crew"].items() for _ in range(count)]
    scene: dict[str, Any] = {
        "world": "grid",
        **furnished(cells, where),
        "fixtures": {
            "shelf": {"solid": True, "holds": True},
            "pallet": {"solid": True},
            "packing station": {"solid": True, "holds": True},
            "dock": {"solid": True},
        },
        "things": plan.things,
        "reach": "front",
        "hands": True,
        "bodies": [{"at": list(cell), "pace": pace} for cell, pace in zip(bodies, paces, strict=True)],
        "rules": plan.rules,
    } | ({"view": data["fog"]} if fog else {})
    if disturbances:
        task["horizon"] = makespan * data["disturbances"]["hard_end"] // 100
        task["events"], scene["events"] = _events(
            rng, data["disturbances"], makespan, cells, where, crew, orders
        )
    return task, scene


Line = tuple[str, bool]
"""One line of an order: what is asked for, and whether it is heavy."""


def _orders(
    rng: np.random.Generator, data: Mapping[str, Any], numbers: Mapping[str, Any]
) -> list[list[Line]]:
    """Draw the lines of each order, each at least one, and at least one crate in all."""
    count = numbers["orders"]
    left = numbers["subtasks"] - 2 * count  # packing and shipping
    heavy = [True] + [False] * (count - 1)
    left -= sum(1 if crate else 2 for crate in heavy)
    while left:
        crate = left == 1 or bool(rng.integers(100) < data["heavy"])
        if crate and sum(heavy) == numbers["crates"]:
            if left == 1:
                break
            crate = False
        heavy.append(crate)
        left -= 1 if crate else 2
    shares: list[list[bool]] = [[] for _ in range(count)]
    for k, crate in enumerate(pick(rng, heavy, len(heavy))):
        shares[k % count].append(crate)
    orders, goods = [], pick(rng, data["goods"], len(data["goods"]))
    for share in shares:
        lines: list[Line] = []
        for crate in share:
            goods = goods[1:] + goods[:1]
            lines.append(("crate" if crate else goods[0], crate))
        orders.append(lines)
    return orders


def things_of(number: int, lines: Sequence[Line]) -> list[Line]:
    """Return the things of an order by name, and whether each is heavy."""
    return [
        (f"{what} {number}.{k}" if heavy else f"{what} {number}", heavy)
        for k, (what, heavy) in enumerate(lines, 1)
    ]


def _lay(
    plan: WorkPlan, rng: np.random.Generator, data: Mapping[str, Any], number: int, lines: Sequence[Line]
) -> None:
    """Enter the subtasks of one order."""
    there = []
    for name, heavy in things_of(number, lines):
        thing = plan.thing(name, name.rpartition(" ")[0], carry=False)
        if heavy:
            rule = {"at": "pallet", "thing": thing, "success": {"thing": "none"}}
            fields: dict[str, Any] = {"duration": between(rng, data["lift"]), "agents": 2, "skill": "lift"}
            there.append(plan.add(f"lift {name}", [rule], **fields))
            continue
        tote = plan.thing(f"picked {name}", f"picked {name.rpartition(' ')[0]}")
        rule = {"at": "shelf", "thing": thing, "success": {"thing": tote}}
        picked = plan.add(f"pick {name}", [rule], duration=between(rng, data["pick"]), skill="pick")
        rule = {"at": "packing station", "hand": tote, "start": {"hand": "none"}}
        there.append(plan.add(f"deliver {name}", [rule], after=[picked]))
    parcel = plan.thing(f"parcel {number}", "parcel")
    rule = {
        "at": "packing station",
        "thing": "none",
        "hand": "none",
        "success": {"thing": parcel},
        "undone": {"turn": {parcel: "none"}},
    }
    packed = plan.add(
        f"pack order {number}",
        [rule],
        after=there,
        duration=between(rng, data["pack"]),
        uses={"packing station": 1},
    )
    rule = {"at": "dock", "hand": parcel, "start": {"hand": "none"}}
    shipped = plan.add(f"ship order {number}", [rule], after=[packed], reward=1)
    plan.tasks[f"dispatch {number}"] = {"all": [packed, shipped]}
    plan.tasks[f"order {number}"] = {"all": [*there, f"dispatch {number}"]}


def _hall(
    rng: np.random.Generator, numbers: Mapping[str, Any], orders: Sequence[Sequence[Line]]
) -> tuple[Map, dict[Cell, dict[str, str]]]:
    """Draw the hall: racks with aisles between them, pallets, packing stations and docks along the walls."""
    racks, length = numbers["racks"], numbers["length"]
    cells = room(racks * (AISLE + 1) + AISLE + 2, length + 2 * AISLE + 2)
    height, width = cells.shape
    shelves = [(1 + AISLE + k * (AISLE + 1), 1 + AISLE + y) for k in range(racks) for y in range(length)]
    where: dict[Cell, dict[str, str]] = {cell: {"fixture": "shelf"} for cell in shelves}
    named = [line for number, lines in enumerate(orders, 1) for line in things_of(number, lines)]
    light = [name for name, heavy in named if not heavy]
    for name, shelf in zip(light, pick(rng, shelves, len(light)), strict=True):
        where[shelf] = {"fixture": "shelf", "thing": name}
    # Robots queue before stations and docks: these stand apart, and no pallet is near them.
    bottom = _apart(rng, [(x, height - 1) for x in range(2, width - 2)], (), 2)
    bottom = bottom[: numbers["station"] + numbers["dock"]]
    for k, cell in enumerate(bottom):
        where[cell] = {"fixture": "packing station" if k < numbers["station"] else "dock"}
    # Three sides of a pallet stay free, for a crate is lifted from two of them.
    sides = [(x, y) for x in (1, width - 2) for y in range(2, height - 2)]
    sides += [(x, 1) for x in range(2, width - 2)]
    crates = [name for name, heavy in named if heavy]
    spots: list[Cell] = []
    while len(spots) < len(crates):
        spots = _apart(rng, sides, bottom, 4)
    for name, cell in zip(crates, spots[: len(crates)], strict=True):
        where[cell] = {"fixture": "pallet", "thing": name}
    return cells, where


def _apart(
    rng: np.random.Generator, cells: Sequence[Cell], others: Sequence[Cell], distance: int
) -> list[Cell]:
    """Draw cells that are at least so far from each other and from others, in rows and columns."""
    found: list[Cell] = []
    for x, y in pick(rng, cells, len(cells)):
        if all(abs(x - a) + abs(y - b) >= distance for a, b in (*found, *others)):
            found.append((x, y))
    return found


def _events(
    rng: np.random.Generator,
    numbers: Mapping[str, Any],
    makespan: int,
    cells: Map,
    where: Mapping[Cell, Mapping[str, str]],
    crew: Sequence[Mapping[str, Any]],
    orders: Sequence[Sequence[Line]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Draw the disturbances: those of the graph, and those of the place."""

    def at(span: Sequence[int]) -> dict[str, list[int]]:
        return {"uniform": [max(1, makespan * percent // 100) for percent in span]}

    task = [
        {"at": at(numbers["returned"]), "undo": f"dispatch {between(rng, (1, len(orders)))}"},
        {
            "at": at(numbers["down"]),
            "agent": pick(rng, crew, 1)[0]["name"],
            "down": between(rng, numbers["repair"]),
        },
    ]
    place: list[dict[str, Any]] = []
    goods = [spot["thing"] for spot in where.values() if spot["fixture"] == "shelf" and "thing" in spot]
    bare = [cell for cell, spot in where.items() if spot["fixture"] == "shelf" and "thing" not in spot]
    for name, cell in zip(pick(rng, goods, 1), pick(rng, bare, 1), strict=False):
        place.append({"at": at(numbers["moved"]), "move": name, "to": list(cell)})
    free = cells == FLOOR
    for x, y in where:
        free[y, x] = False
    for x, y in pick(rng, [(int(x), int(y)) for y, x in np.argwhere(free)], cells.size):
        left = free.copy()
        left[y, x] = False
        pallets = [cell for cell, spot in where.items() if spot["fixture"] == "pallet"]
        if (
            in_one_piece(left)
            and all(within_reach(left, cell) for cell in where)
            and all(abs(x - a) + abs(y - b) > 1 for a, b in pallets)
        ):
            start = makespan * between(rng, numbers["blocked"]) // 100 + 1
            place.append({"at": start, "block": [x, y]})
            place.append({"at": start + between(rng, numbers["repair"]), "clear": [x, y]})
            break
    return task, place


DOMAIN = Domain(
    name="Warehouse",
    summary="Robots of different skill and speed pick, carry, pack and ship; crates take two at once",
    source=source,
    tags=("grid", "teams", "joint", "skills", "due times"),
)
