"""Wilderness: a wide land of woods, lakes and hills, and tools to be made from wood up to diamond.

Owns one procedural family: the land is drawn by noise, the tasks by what the tools cost.
Every body owns what it gathers and needs its own pickaxe; several share the work, hand
over and talk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import generator
from stratagym.envs.domains.maps import Cells, Map, distances, rows_of
from stratagym.envs.domains.sources import at_least, data_beside, one_of, procedural
from stratagym.envs.worlds.base import MOST_WORDS

MOST_AGENTS = 6

CHARACTERS = {
    "grass": ",", "sand": ":", "path": "_", "water": "~", "tree": "T", "stone": "S", "coal": "c",
    "iron": "i", "diamond": "d", "table": "t", "furnace": "f",
}  # fmt: skip
"""What the ground and what stands on it look like on the map."""


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    agents: int = 1,
    vitals: bool = False,
    fog: int = 0,
    messages: int = 0,
    share: bool = True,
) -> TaskSource:
    """Return lands of a size.

    Args:
        size: of the land (32, 48 or 64 cells in a row), and what must be made: stone tools,
            an iron pickaxe, or all tools, diamonds and a stock of wood and stone.
        split: of the family.
        instances: how many lands.
        agents: how many bodies, 1 to 6; they start side by side.
        vitals: whether bodies must eat, drink and sleep.
        fog: how many cells a body sees in each direction; everything, if 0.
        messages: how many words a body can say.
        share: whether bodies can hand over what they own.

    Raises:
        ValueError: if an option has a wrong value.
    """
    one_of("agents", agents, range(1, MOST_AGENTS + 1))
    for name, flag in (("vitals", vitals), ("share", share)):
        one_of(name, flag, (True, False))
    at_least("fog", fog, 0)
    one_of("messages", messages, range(MOST_WORDS + 1))
    variant = [f"agents={agents}"] * (agents > 1) + ["vitals"] * vitals + [f"fog={fog}"] * (fog > 0)
    variant += [f"messages={messages}"] * (messages > 0) + ["alone"] * (not share)
    return procedural(
        "wilderness",
        lambda seed, size: expedition(seed, size, agents, vitals),
        size,
        split,
        instances,
        ",".join(variant),
        scene=lambda seed, size: place(seed, size, agents, vitals, fog, messages, share),
    )


def expedition(seed: int, size: Size, agents: int = 1, vitals: bool = False) -> dict[str, Any]:
    """Return what must be gathered, built and made; only the name depends on the seed.

    Each unit that the bill asks for is a subtask of its own, so that several can share them
    out. With several agents each can build and make things for itself, from more than the bill asks for.
    """
    data = data_beside(__file__)
    numbers, several = data["sizes"][size], agents > 1
    amounts = bill(size)
    material = {
        item for facts in (*data["build"].values(), *data["make"].values()) for item in facts["takes"]
    }
    again = {"repeatable": True, "attempts": agents} if several else {}
    subtasks: dict[str, Any] = {}
    for item, count in amounts.items():
        for k in range(count):
            subtasks[f"collect {item} {k + 1}"] = _gathered(item)
        if several and item in material:
            subtasks[f"collect more {item}"] = {**_gathered(item), "repeatable": True}
    for name in numbers["build"]:
        subtasks[f"place {name}"] = {"consumes": dict(data["build"][name]["takes"]), "reward": 1, **again}
    for name in numbers["make"]:
        facts = data["make"][name]
        subtasks[f"make {name}"] = {
            "needs": " & ".join(f"place {k}" for k in facts["near"]),
            "consumes": dict(facts["takes"]),
            "produces": {name: 1},
            "reward": 1,
            **again,
        }
    if vitals:
        for name, facts in data["restore"].items():
            subtasks[name] = {"duration": facts["ticks"], "repeatable": True}
    tasks = {"tools": {"all": [f"make {name}" for name in numbers["make"]]}}
    for item in numbers["stock"]:
        tasks[f"stock of {item}"] = {"all": [f"collect {item} {k + 1}" for k in range(amounts[item])]}
    return {
        "name": f"expedition {seed}",
        "agents": agents,
        "subtasks": subtasks,
        "tasks": tasks,
        "goal": " & ".join(tasks),
    }


@lru_cache
def bill(size: Size) -> Mapping[str, int]:
    """Return how many units of everything a size asks for, in the order of the tools."""
    data = data_beside(__file__)
    numbers = data["sizes"][size]
    amounts: Counter[str] = Counter(numbers["stock"])
    for name in numbers["build"]:
        amounts.update(data["build"][name]["takes"])
    for name in numbers["make"]:
        amounts.update(data["make"][name]["takes"])
    return {item: amounts[item] for item in data["gather"] if amounts[item]}


def _gathered(item: str) -> dict[str, Any]:
    facts = data_beside(__file__)["gather"][item]
    tool = {"requires": {facts["tool"]: 1}} if "tool" in facts else {}
    pay = {"reward": 1} if item == "diamond" else {}
    return {"duration": facts["ticks"], **tool, "produces": {item: 1}, **pay}


def place(
    seed: int,
    size: Size,
    agents: int = 1,
    vitals: bool = False,
    fog: int = 0,
    messages: int = 0,
    share: bool = True,
) -> dict[str, Any]:
    """Draw the land and say what can be done where."""
    data = data_beside(__file__)
    numbers = data["sizes"][size]
    cells, cows = land(seed, size)
    verbs = ["collect", *(f"place {k}" for k in numbers["build"]), *(f"make {k}" for k in numbers["make"])]
    scene: dict[str, Any] = {
        "world": "grid",
        "map": rows_of(cells),
        "legend": {character: {"fixture": name} for name, character in CHARACTERS.items()},
        "fixtures": {name: {"solid": True} if name in data["solid"] else {} for name in CHARACTERS},
        "reach": "front",
        "inventory": True,
        "verbs": verbs,
        "bodies": [{"at": [x, y], "facing": "down"} for x, y in starts(len(cells), agents)],
        "rules": rules(expedition(seed, size, agents)["subtasks"]),
    }
    if agents > 1:
        scene |= {"share": True} if share else {}
    if fog:
        scene["view"] = fog
    if messages:
        scene["messages"] = messages
    if vitals:
        _alive(scene, cows)
    return scene


def rules(names: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Return where and how each subtask is attempted."""
    data = data_beside(__file__)
    found: dict[str, Any] = {}
    for name in names:
        verb, _, what = name.partition(" ")
        if verb == "collect":
            facts = data["gather"][what.removeprefix("more ").split()[0]]
            found[name] = {"verb": verb, "at": facts["at"]}
            if "leaves" in facts:
                found[name]["success"] = {"fixture": facts["leaves"]}
        elif verb == "place":
            found[name] = {"verb": name, "at": list(data["ground"]), "success": {"fixture": what}}
        else:
            found[name] = {"verb": name, "near": list(data["make"][what]["near"])}
    return found


def _alive(scene: dict[str, Any], cows: Cells) -> None:
    """Add vitals, and the ways to restore them, to a scene."""
    data = data_beside(__file__)
    scene["vitals"] = dict(data["vitals"])
    scene["verbs"].append("sleep")
    scene["things"] = {"cow": {"moves": data["cows"]["moves"]}}
    scene["legend"]["C"] = {"fixture": "grass", "thing": "cow"}
    scene["map"] = [
        "".join("C" if cow else character for character, cow in zip(row, line, strict=True))
        for row, line in zip(scene["map"], cows.tolist(), strict=True)
    ]
    for name, facts in data["restore"].items():
        where = {key: facts[key] for key in ("at", "thing") if key in facts}
        gone = {"thing": "none"} if "thing" in facts else {}
        verb = "collect" if where else name
        scene["rules"][name] = {"verb": verb, **where, "success": {**gone, "restore": dict(facts["by"])}}


def starts(size: int, agents: int) -> list[tuple[int, int]]:
    """Return the cells in the middle of the land where the bodies start side by side."""
    return [(size // 2 - agents // 2 + k, size // 2) for k in range(agents)]


def noise(rng: np.random.Generator, size: int, octaves: Sequence[Sequence[float]]) -> np.ndarray[Any, Any]:
    """Return smooth noise of 0 to 1, ``[size, size]``: values at the knots of grids, blended in between.

    Args:
        rng: the instance's generator.
        size: cells in a row.
        octaves: cells between knots, and weight.
    """
    total = np.zeros((size, size))
    for apart, weight in octaves:
        knots = int(size / apart) + 2
        place = np.arange(size) / apart + rng.random()
        low = place.astype(int)
        part = place - low
        part = part * part * (3 - 2 * part)
        # A row of the blend holds the weights of the two knots beside a cell.
        blend = np.zeros((size, knots + 1))
        blend[np.arange(size), low] = 1 - part
        blend[np.arange(size), low + 1] = part
        total += weight * (blend @ rng.random((knots + 1, knots + 1)) @ blend.T)
    return total / sum(weight for _, weight in octaves)


def land(seed: int, size: Size) -> tuple[Map, Cells]:
    """Draw a land on which all that a size asks for can be walked to, the same for any number of bodies.

    Returns:
        The map, and where cows stand.
    """
    data = data_beside(__file__)
    rng = generator(seed, 0x317D)
    wide = data["sizes"][size]["size"]
    middle = (wide // 2, wide // 2)
    while True:
        cells, cows = _terrain(rng, wide, data["land"])
        if _stocked(rng, cells, middle, bill(size), data):
            return cells, cows


def _terrain(rng: np.random.Generator, size: int, numbers: Mapping[str, Any]) -> tuple[Map, Cells]:
    """Draw ground, water, rock with caves, and woods; ores come later."""
    hills, lakes, woods, caves = (noise(rng, size, numbers[k]) for k in ("hills", "lakes", "woods", "caves"))
    away = np.hypot(*(np.indices((size, size)) - size // 2)) - numbers["clear"]
    # The start lies in a meadow: rock and water set in little by little around it.
    calm = np.clip(1 - away / 6, 0, 1)
    hills, lakes = hills - 0.5 * calm, lakes - 0.5 * calm
    ch = CHARACTERS
    cells = np.full((size, size), ch["grass"])
    cells[lakes > numbers["shore"]] = ch["sand"]
    cells[lakes > numbers["water"]] = ch["water"]
    rock = (hills > numbers["rock"]) & (lakes <= numbers["shore"])
    cells[rock] = ch["stone"]
    cells[rock & (caves > numbers["hollow"])] = ch["path"]
    meadow = cells == ch["grass"]
    grown = rng.random((size, size))
    cells[meadow & (woods > numbers["grove"]) & (grown < numbers["trees"]) & (away > 0)] = ch["tree"]
    cells[[0, -1]] = ch["water"]
    cells[:, [0, -1]] = ch["water"]
    cows = (cells == ch["grass"]) & (grown > 1 - data_beside(__file__)["cows"]["share"]) & (away > 0)
    return cells, cows


def _stocked(
    rng: np.random.Generator,
    cells: Map,
    start: tuple[int, int],
    amounts: Mapping[str, int],
    data: Mapping[str, Any],
) -> bool:
    """Put ores into the rock, and tell whether there is enough of everything within reach."""
    ch, numbers = CHARACTERS, data["land"]
    free = np.isin(cells, [ch[k] for k in data["ground"]])
    steps = distances(free, [start])
    # The steps to a cell beside each: of a walker that wants to stand in front of it.
    padded = np.pad(steps, 1, constant_values=-1)
    beside = np.stack([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
    nearest = np.where(beside >= 0, beside, np.iinfo(np.int32).max).min(axis=0)
    for what, most in numbers["within"].items():
        wanted = what in amounts or what == "tree"
        if wanted and nearest[cells == ch[what]].min(initial=most + 1) > most:
            return False
    rock = cells == ch["stone"]
    open_rock = np.argwhere(rock & (beside >= 0).any(axis=0))
    reach = nearest[open_rock[:, 0], open_rock[:, 1]]
    order = open_rock[np.argsort(reach, kind="stable")]
    taken = np.zeros(len(order), bool)
    hidden = rng.random(cells.shape)
    share = 0.0
    for ore, facts in data["ores"].items():
        inside = rock & (hidden >= share) & (hidden < share + facts["hidden"])
        cells[inside] = ch[ore]
        share += facts["hidden"]
        if ore in amounts:
            low, high = (round(part * len(order)) for part in facts["far"])
            among = low + np.flatnonzero(~taken[low:high])
            wanted = 2 * amounts[ore] + facts["more"]
            if len(among) < wanted:
                return False
            chosen = _veins(rng, order, among, wanted, facts["vein"])
            taken[chosen] = True
            cells[order[chosen, 0], order[chosen, 1]] = ch[ore]
    # The rest of the open rock is stone, however the hidden ores fell.
    rest = order[~taken]
    cells[rest[:, 0], rest[:, 1]] = ch["stone"]
    return len(rest) >= 2 * amounts.get("stone", 0)


def _veins(
    rng: np.random.Generator, places: np.ndarray[Any, Any], among: np.ndarray[Any, Any], count: int, size: int
) -> list[int]:
    """Return ``count`` of some numbers of places, in veins: a drawn one and those that are nearest to it.

    Args:
        rng: the instance's generator.
        places: ``[n, 2]`` cells.
        among: numbers of those that can be taken.
        count: how many.
        size: of a vein.
    """
    left = list(map(int, among))
    found: list[int] = []
    while len(found) < count:
        heart = places[left[int(rng.integers(len(left)))]]
        away = np.abs(places[left] - heart).sum(axis=1)
        vein = [left[k] for k in np.argsort(away, kind="stable")[: min(size, count - len(found))]]
        found += vein
        left = [k for k in left if k not in vein]
    return found


DOMAIN = Domain(
    name="Wilderness",
    summary="Gather wood, stone and ores on a wide land and make tools up to diamond, alone or as a team",
    source=source,
    tags=("grid", "crafting", "items", "team", "fog"),
    # One body has to do all of the bill, in whatever order: it is several that rules do not serve.
    variants=({"size": "small", "agents": 2},),
)
