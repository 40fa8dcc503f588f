"""Kitchen: orders with due times, in a kitchen where things boil, fry and burn by themselves.

Owns the family: orders drawn from the recipes of the data file, and kitchens with crates,
boards, pots, pans, plates, a hatch, counters and a bin. A cook fetches ingredients from
crates, cuts them in strokes of one tick each (they can be left and taken up again), mixes what
cooks together, puts it on, takes it off onto a plate and serves it through the hatch.

What is on the stove needs a hand for the first tick only, and burns when it is left. In the
graph that is a maximal lag from cooking to plating: once it is exceeded, cooking is undone, and
what is in the pot is burnt. A pot or pan is an item that cooking consumes and plating
produces, so one that holds burnt food is missing until that is in the bin (a subtask that can
be started only then). Fetching, cutting and mixing stay done, but may be repeated, and must be:
the rules of the scene ask for the thing in hand, and that is gone.

With ``layout="forced"`` the cooks stand on two sides of a counter, and the graph has a subtask
for each thing that must be passed over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import between, generator, pick
from stratagym.envs.domains.maps import FLOOR, Cell, Map, furnished, in_one_piece, room, within_reach
from stratagym.envs.domains.sources import at_least, data_beside, one_of, procedural
from stratagym.envs.domains.workplan import WorkPlan

Layout = Literal["solo", "team", "forced"]
CREWS: Mapping[Layout, tuple[int, ...]] = {"solo": (1,), "team": (2, 3), "forced": (2,)}
"""How many cooks a layout takes, the default first."""

PREP, STOVE = "prep", "stove"
"""Skills of the cooks on the two sides of the counter."""

BURNT = "burnt food"
"""What burnt food of every kind looks like."""

PLATE = "plate"


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    layout: Layout = "solo",
    agents: int | None = None,
    disturbances: bool = False,
) -> TaskSource:
    """Return evenings in a kitchen.

    Args:
        size: of the family.
        split: of the family.
        instances: how many evenings.
        layout: ``solo`` (one cook), ``team`` (two or three in an open kitchen) or ``forced`` (two
            on either side of a counter over which things must be passed).
        agents: how many cooks; as many as the layout takes at least, if left out.
        disturbances: whether a guest sends a dish back, a cook is called away and the floor
            is wet for a while.

    Raises:
        ValueError: if an option has a wrong value.
    """
    one_of("layout", layout, tuple(CREWS))
    one_of("disturbances", disturbances, (True, False))
    crew = CREWS[layout][0] if agents is None else agents
    at_least("agents", crew, 1)
    if crew not in CREWS[layout]:
        fits = " or ".join(str(k) for k in CREWS[layout])
        raise ValueError(f"agents: layout {layout!r} takes {fits}, not {crew}")
    named = [layout] * (layout != "solo") + [f"agents={crew}"] * (crew != CREWS[layout][0])
    variant = ",".join(named + ["disturbed"] * disturbances)

    def draw(seed: int, size: Size) -> dict[str, Any]:
        return evening(seed, size, layout, crew, disturbances)[0]

    def scene(seed: int, size: Size) -> dict[str, Any]:
        return evening(seed, size, layout, crew, disturbances)[1]

    return procedural("kitchen", draw, size, split, instances, variant, scene=scene)


def evening(
    seed: int, size: str, layout: Layout = "solo", agents: int = 1, disturbances: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw one evening: the task and the scene.

    Args:
        seed: of the instance.
        size: of the family.
        layout: see ``source``.
        agents: how many cooks.
        disturbances: whether there are events.

    Returns:
        A task's and a scene's mapping; without the events, the same for both values of
        ``disturbances`` but for the hard end.
    """
    data = data_beside(__file__)
    numbers = data["sizes"][size]
    rng = generator(seed, 0x41C4)
    plan = WorkPlan()
    plan.thing(PLATE, PLATE)
    orders = _orders(rng, data["recipes"], numbers)
    for number, dish in enumerate(orders, 1):
        _lay(plan, rng, data, number, dish, forced=layout == "forced")
    crew = [[PREP], [STOVE]] if layout == "forced" else [[] for _ in range(agents)]
    scraps = [name for name in plan.subtasks if name.startswith("bin ")]
    runs = plan.paced(crew, numbers["walk"], rng, scraps)
    makespan = max(run.end for run in runs.values())
    served = [f"serve order {number}" for number in range(1, len(orders) + 1)]
    for name in served:
        plan.subtasks[name]["due"] = runs[name].end * between(rng, numbers["due"]) // 100
    plan.tasks["dinner"] = {"all": served}
    # what follows must not move what was drawn without disturbances
    cells, where, bodies = _kitchen(rng, data, plan, orders, numbers, layout, agents)
    task: dict[str, Any] = {
        "name": f"evening {seed}",
        "horizon": makespan * data["hard_end"] // 100,
        "agents": [{"name": f"cook {k + 1}", "skills": skills} if skills else {"name": f"cook {k + 1}"}
                   for k, skills in enumerate(crew)],
        "items": {f"free {station}": numbers[station] for station in _stations(plan)},
        "subtasks": plan.subtasks,
        "tasks": plan.tasks,
        "goal": "dinner",
    }  # fmt: skip
    scene: dict[str, Any] = {
        "world": "grid",
        **furnished(cells, where),
        "fixtures": _fixtures(where),
        "things": plan.things,
        "reach": "front",
        "hands": True,
        "bodies": [{"at": list(cell)} for cell in bodies],
        "rules": plan.rules,
    }
    if disturbances:
        numbers = data["disturbances"]
        task["horizon"] = makespan * numbers["hard_end"] // 100
        task["events"], scene["events"] = _events(rng, numbers, makespan, cells, where, len(orders), agents)
    return task, scene


def _orders(rng: np.random.Generator, recipes: Mapping[str, Any], numbers: Mapping[str, Any]) -> list[str]:
    """Draw the dishes that are ordered, as many as there is room for.

    No two of them take the same ingredient: what comes out of a crate is for one order only.
    """
    left = numbers["subtasks"]
    orders: list[str] = []
    taken: set[str] = set()
    for dish in pick(rng, list(recipes), len(recipes)):
        parts = ingredients_of(recipes[dish])
        if len(orders) < numbers["orders"] and subtasks_of(recipes[dish]) <= left and taken.isdisjoint(parts):
            orders.append(dish)
            taken.update(parts)
            left -= subtasks_of(recipes[dish])
    return orders


def ingredients_of(recipe: Mapping[str, Any]) -> list[str]:
    """Return what a recipe fetches from crates, in the order in which it is named."""
    made = recipe.get("cook", {})
    cooked = [part for how in made.values() for parts in how.values() for part in parts]
    return list(
        dict.fromkeys([*recipe.get("cut", {}), *cooked, *(k for k in recipe["plate"] if k not in made)])
    )


def subtasks_of(recipe: Mapping[str, Any]) -> int:
    """Return how many subtasks one order of a recipe is, every stroke counted."""
    cooked = [parts for how in recipe.get("cook", {}).values() for parts in how.values()]
    strokes: int = sum(recipe.get("cut", {}).values())
    stove = sum(len(parts) + 1 for parts in cooked)  # mixing, cooking, and the bin if it burns
    return len(ingredients_of(recipe)) + strokes + stove + len(recipe["plate"]) + 1


def _lay(
    plan: WorkPlan, rng: np.random.Generator, data: Mapping[str, Any], number: int, dish: str, forced: bool
) -> None:
    """Enter the subtasks of one order.

    Args:
        plan: is added to.
        rng: of the instance.
        data: of the domain.
        number: of the order, from 1.
        dish: its recipe's name.
        forced: whether what is prepared must be passed over a counter.
    """
    recipe = data["recipes"][dish]
    prep, stove = ({"skill": PREP}, {"skill": STOVE}) if forced else ({}, {})
    ready: dict[str, tuple[list[str], str]] = {}  # what -> (all steps to it, the thing that it is now)
    for part in ingredients_of(recipe):
        raw = plan.thing(f"{part} {number}", part)
        crate = {"at": f"{part} crate", "hand": "none", "success": {"hand": raw}, **_gone(raw)}
        steps = [plan.add(f"fetch {part} {number}", [crate], repeatable=True, **prep)]
        ready[part] = steps, raw
        if part in recipe.get("cut", {}):
            ready[part] = _cut(plan, part, number, recipe["cut"][part], steps, prep)
        if forced:
            ready[part] = _passed(plan, part, number, *ready[part])
        plan.tasks[f"prepare {part} {number}"] = {"all": list(ready[part][0])}
    cooked: dict[str, str] = {}
    keeps: dict[str, int] = {}
    for made, how in recipe.get("cook", {}).items():
        verb, parts = next(iter(how.items()))
        steps, raw = _mixed(plan, made, number, [ready[part] for part in parts], stove)
        ticks, keeps[made] = between(rng, data[verb]["ticks"]), between(rng, data[verb]["keeps"])
        ready[made] = _cook(plan, f"{verb} {made} {number}", data[verb]["station"], ticks,
                            steps, raw, made, number, stove)  # fmt: skip
        cooked[made] = data[verb]["station"]
    held, done = PLATE, ""
    for k, part in enumerate(recipe["plate"], 1):
        steps, thing = ready[part]
        full = k == len(recipe["plate"])
        dished = plan.thing(
            f"{dish} {number}" if full else f"plate {number} with {' and '.join(recipe['plate'][:k])}",
            dish if full else "plate with food",
        )
        lags = {"lags": {steps[-1]: {"max": keeps[part]}}} if part in cooked else {}
        station = {"produces": {f"free {cooked[part]}": 1}} if part in cooked else {}
        after = [steps[-1], done] if done else [steps[-1]]
        rule = {
            "hand": held,
            "thing": thing,
            "start": {"hand": dished, "thing": "none"},
            **_gone(dished, PLATE),
        }
        done = plan.add(f"plate {part} {number}", [rule], after=after, **lags, **station, **stove)
        held = dished
    rule = {"at": "hatch", "hand": held, "start": {"hand": "none"}}
    plan.add(f"serve order {number}", [rule], after=[done], reward=1, **stove)
    own = [
        name
        for name in plan.rules
        if name.rpartition(".")[0].endswith(f" {number}") or name.endswith(f" {number}")
    ]
    plan.tasks[f"order {number}"] = {"all": [name for name in own if not name.startswith("bin ")]}


def _gone(thing: str, becomes: str = "none") -> dict[str, Any]:
    """Return what becomes of a thing, wherever it is, once the making of it is undone."""
    return {"undone": {"turn": {thing: becomes}}}


def _cut(
    plan: WorkPlan, part: str, number: int, strokes: int, steps: Sequence[str], fields: Mapping[str, Any]
) -> tuple[list[str], str]:
    """Enter the strokes that cut an ingredient; return all steps to it and what it is then."""
    name = f"cut {part} {number}"
    ways = []
    thing = f"{part} {number}"
    for k in range(1, strokes + 1):
        whole = thing
        thing = name if k == strokes else f"{part} {number} cut {k}/{strokes}"
        plan.thing(thing, f"cut {part}" if k == strokes else part)
        end = {"success": {"thing": thing}, **_gone(thing)}
        lay_down = {"at": "board", "thing": "none", "hand": whole, "start": {"thing": whole, "hand": "none"}}
        ways.append([{**lay_down, **end}, {"at": "board", "thing": whole, **end}])
    plan.strokes(name, ways, after=steps, repeatable=True, **fields)
    return [*steps, *(f"{name}.{k}" for k in range(1, strokes + 1))], thing


def _passed(
    plan: WorkPlan, part: str, number: int, steps: Sequence[str], thing: str
) -> tuple[list[str], str]:
    """Enter the passing of a thing over the counter; return all steps to it and the thing."""
    rule = {"at": "pass", "thing": "none", "hand": thing, "start": {"thing": thing, "hand": "none"}}
    name = plan.add(f"pass {part} {number}", [rule], after=steps[-1:], skill=PREP, repeatable=True)
    return [*steps, name], thing


def _mixed(
    plan: WorkPlan,
    made: str,
    number: int,
    parts: Sequence[tuple[list[str], str]],
    fields: Mapping[str, Any],
) -> tuple[list[str], str]:
    """Enter the mixing of what cooks together; return all steps to the mixture and what it is."""
    steps, thing = parts[0]
    for other, second in parts[1:]:
        mixed = plan.thing(f"mixed {made} {number}", "mixed food")
        ways = [
            {"hand": one, "thing": two, "start": {"hand": "none", "thing": mixed}, **_gone(mixed)}
            for one, two in ((thing, second), (second, thing))
        ]
        name = plan.add(f"mix {made} {number}", ways, after=[steps[-1], other[-1]], repeatable=True, **fields)
        steps, thing = [*steps, *other, name], mixed
    return steps, thing


def _cook(
    plan: WorkPlan,
    name: str,
    station: str,
    ticks: int,
    steps: Sequence[str],
    raw: str,
    made: str,
    number: int,
    fields: Mapping[str, Any],
) -> tuple[list[str], str]:
    """Enter the cooking of something, and the bin for the case that it burns.

    Args:
        plan: is added to.
        name: of the subtask.
        station: where it is done.
        ticks: how long it takes.
        steps: all that was done to what is put on.
        raw: what is put on.
        made: what comes of it.
        number: of the order.
        fields: of the task file, of each of the subtasks.

    Returns:
        All steps to it, and the thing that it is.
    """
    on = plan.thing(f"cooking {made} {number}", f"cooking {made}", carry=False)
    ready = plan.thing(f"{made} {number}", made, carry=False)
    burnt = plan.thing(f"burnt {made} {number}", BURNT)
    plan.add(
        name,
        [
            {
                "at": station,
                "thing": "none",
                "hand": raw,
                "start": {"thing": on, "hand": "none"},
                "success": {"thing": ready},
                **_gone(ready, burnt),
            }
        ],
        after=steps[-1:],
        duration=ticks,
        attended=1,
        consumes={f"free {station}": 1},
        **fields,
    )
    scrap = {"at": "bin", "hand": burnt, "start": {"hand": "none"}}
    plan.add(
        f"bin {made} {number}",
        [scrap],
        lags={name: {"min": ticks, "from": "start"}},
        produces={f"free {station}": 1},
        **fields,
    )
    plan.subtasks[f"bin {made} {number}"] |= {"needs": f"~{name}", "repeatable": True}
    return [name], ready


def _stations(plan: WorkPlan) -> list[str]:
    """Return which of pot and pan are used."""
    used = {
        item.removeprefix("free ") for fields in plan.subtasks.values() for item in fields.get("consumes", {})
    }
    return sorted(used)


def _kitchen(
    rng: np.random.Generator,
    data: Mapping[str, Any],
    plan: WorkPlan,
    orders: Sequence[str],
    numbers: Mapping[str, Any],
    layout: Layout,
    agents: int,
) -> tuple[Map, dict[Cell, dict[str, str]], list[Cell]]:
    """Draw the map.

    Returns:
        The map, what stands or lies where, and the cells of the cooks.
    """
    width, height = numbers["room"]
    crates = dict.fromkeys(part for dish in orders for part in ingredients_of(data["recipes"][dish]))
    prep = [{"fixture": f"{part} crate"} for part in crates] + [{"fixture": "board"}] * numbers["board"]
    stove = [{"fixture": station} for station in _stations(plan) for _ in range(numbers[station])]
    stove += [{"fixture": "plate rack", "thing": PLATE} for _ in range(len(orders) + 1)]
    stove += [{"fixture": "hatch"}, {"fixture": "bin"}]
    if layout != "forced":
        spare = 2 * (agents + 1)  # counters that must stay free
        grown = max(0, -(-(len(prep) + len(stove) + spare - 2 * (width + height - 4)) // 2))
        cells = room(width + grown, height)
        where = _along_walls(rng, cells, [prep + stove], [range(cells.shape[1])])
    else:
        half = max(3, *(-(-(len(side) + 3 - height + 2) // 2) for side in (prep, stove)))
        cells = room(2 * half + 3, height)
        cells[1:-1, half + 1] = "#"
        where = _along_walls(rng, cells, [prep, stove], [range(half + 1), range(half + 2, 2 * half + 3)])
        where |= {(half + 1, y): {"fixture": "pass"} for y in range(1, height - 1)}
    standing: list[Cell] = []
    free = np.argwhere(cells == FLOOR)
    for k in range(agents):
        side = free if layout != "forced" else free[(free[:, 1] > cells.shape[1] // 2) == (k == 1)]
        open_cells = [(int(x), int(y)) for y, x in side if (int(x), int(y)) not in standing]
        standing.append(pick(rng, open_cells, 1)[0])
    return cells, where, standing


def _along_walls(
    rng: np.random.Generator,
    cells: Map,
    sides: Sequence[Sequence[dict[str, str]]],
    columns: Sequence[range],
) -> dict[Cell, dict[str, str]]:
    """Put stations along the walls, counters where none stands.

    Args:
        rng: of the instance.
        cells: the map.
        sides: the stations of each side.
        columns: the columns of each side.
    """
    where: dict[Cell, dict[str, str]] = {}
    for stations, span in zip(sides, columns, strict=True):
        free = cells == FLOOR
        walls = [
            (x, y) for x in span for y in range(len(cells)) if not free[y, x] and within_reach(free, (x, y))
        ]
        order = pick(rng, walls, len(walls))
        where |= dict(zip(order, stations, strict=False))
        where |= {cell: {"fixture": "counter"} for cell in order[len(stations) :]}
    return where


def _fixtures(where: Mapping[Cell, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    """Return what the fixtures of a kitchen are like."""
    holding = ("counter", "board", "plate rack", "pass", "pot", "pan")  # what is burnt is taken out by hand
    names = dict.fromkeys(spot["fixture"] for spot in where.values())
    looks = {name: {"looks": "crate"} for name in names if name.endswith(" crate")}
    return {"floor": {"holds": False}} | {
        name: {"solid": True, **looks.get(name, {})} | ({"holds": True} if name in holding else {})
        for name in names
    }


def _events(
    rng: np.random.Generator,
    numbers: Mapping[str, Any],
    makespan: int,
    cells: Map,
    where: Mapping[Cell, Any],
    orders: int,
    agents: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Draw the disturbances: those of the graph, and those of the place."""

    def at(span: Sequence[int]) -> dict[str, list[int]]:
        lo, hi = (max(1, makespan * percent // 100) for percent in span)
        return {"uniform": [lo, hi]}

    returned = {"at": at(numbers["returned"]), "undo": f"order {between(rng, (1, orders))}"}
    called = {
        "at": at(numbers["at"]),
        "agent": f"cook {between(rng, (1, agents))}",
        "down": between(rng, numbers["away"]),
    }
    wet = _can_be_wet(rng, cells, where)
    start = makespan * between(rng, numbers["at"]) // 100 + 1
    place = [
        {"at": start, "block": list(cell)} for cell in wet
    ] + [{"at": start + between(rng, numbers["wet"]), "clear": list(cell)} for cell in wet]  # fmt: skip
    return [returned, called], place


def _can_be_wet(rng: np.random.Generator, cells: Map, where: Mapping[Cell, Any]) -> list[Cell]:
    """Return a cell of the floor without which everything can still be reached; none, if there is none."""
    free = cells == FLOOR
    for x, y in pick(rng, [(int(x), int(y)) for y, x in np.argwhere(free)], cells.size):
        dry = free.copy()
        dry[y, x] = False
        parts = [dry] if not any(spot["fixture"] == "pass" for spot in where.values()) else _halves(dry)
        if all(map(in_one_piece, parts)) and all(
            within_reach(dry, cell) for cell in where if within_reach(free, cell)
        ):
            return [(x, y)]
    return []


def _halves(free: np.ndarray[Any, np.dtype[np.bool_]]) -> list[np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return the floor on the two sides of the counter in the middle."""
    half = free.shape[1] // 2
    return [free[:, :half], free[:, half:]]


DOMAIN = Domain(
    name="Kitchen",
    summary="Cooks cut, cook and serve orders in time, on a map where what is left on the stove burns",
    source=source,
    tags=("grid", "kitchen", "spoiling", "due times", "hand-over"),
)
