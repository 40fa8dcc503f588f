"""Mining: a map of trees, ores and workshops, and a recipe graph on top of it.

Owns the published game of Sohn et al. (sub-graphs of one recipe graph, a small map with one
object for every subtask, the actions to pick up and to use a station in five ways) and a
ranked family: some treasure is asked for, and much on the map is of no use for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import between, generator, pick
from stratagym.envs.domains.maps import obstruct, room, rows_of, shuffled
from stratagym.envs.domains.sources import data_beside, one_of, procedural
from stratagym.envs.domains.subtask_graphs import mining, predecessors, priced

SETS = ("stored", "whole")
"""The published sets: the like of the stored evaluation graphs, and the whole recipe graph."""

MISSED = "miss "
"""Prefix of the subtasks that stand for a lost chance."""


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    set: str | None = None,
    obstacles: bool = True,
    spare: bool = False,
    attempts: Literal["refused", "lost"] = "refused",
) -> TaskSource:
    """Return maps of a size where a treasure is asked for, or of a published set.

    Args:
        size: of the family.
        split: of the family or set.
        instances: how many maps.
        set: one of ``SETS``, with the rewards and budgets of the publication; a treasure
            is asked for, if left out.
        obstacles: whether there are one to three blocks and as many ponds.
        spare: whether there are more objects than the subtasks need.
        attempts: with ``set``, what becomes of an attempt at what is not possible yet: it is
            ``refused``, as everywhere in this package, or the chance is ``lost`` for the rest
            of the episode, as in the original (a subtask ``miss ...`` is done instead).

    Raises:
        ValueError: if an option has a wrong value.
    """
    one_of("attempts", attempts, ("refused", "lost"))
    one_of("obstacles", obstacles, (True, False))
    one_of("spare", spare, (True, False))
    variant = ["open"] * (not obstacles) + ["spare"] * spare + ["lost"] * (attempts == "lost")
    if set is None:
        if attempts != "refused":
            raise ValueError("attempts: only with set; in the family what is not possible yet is refused")
        draw = treasure
    else:
        one_of("set", set, SETS)

        def draw(seed: int, size: Size) -> dict[str, Any]:
            task = mining(data_beside(__file__), seed, stored=set == "stored", whole=set == "whole")
            return losing(task) if attempts == "lost" else task

    def scene(seed: int, size: Size) -> dict[str, Any]:
        return site(seed, draw(seed, size)["subtasks"], obstacles, spare)

    return procedural("mining", draw, size, split, instances, ",".join(variant), scene=scene, published=set)


def treasure(seed: int, size: Size) -> dict[str, Any]:
    """Draw what is asked for, all that it takes, and things of no use for it."""
    data = data_beside(__file__)
    table, numbers = data["subtasks"], data["family"][size]
    rng = generator(seed, 0x3172)
    wanted = pick(rng, numbers["treasures"], numbers["wanted"])
    kept = needed(table, wanted)
    room_left = between(rng, numbers["subtasks"]) - len(kept)
    for name in pick(rng, list(table), len(table)):
        more = needed(table, [name]) - kept
        if 0 < len(more) <= room_left:
            kept |= more
            room_left -= len(more)
    subtasks = {
        name: priced(rng, _without(facts, kept), data["vary"])
        for name, facts in table.items()
        if name in kept
    }
    return {
        "name": f"treasure {seed}",
        "agents": 1,
        "subtasks": subtasks,
        "tasks": {"treasure": {"all": [name for name in table if name in wanted]}},
        "goal": "treasure",
    }


def needed(table: Mapping[str, Any], wanted: Iterable[str]) -> set[str]:
    """Return some subtasks with all that comes before them; of alternatives, the last that is named."""
    found: set[str] = set()
    for name in wanted:
        facts = table[name]
        before = predecessors(facts)
        found |= {name} | needed(table, before[-1:] if "|" in facts.get("needs", "") else before)
    return found


def _without(facts: Mapping[str, Any], kept: set[str]) -> dict[str, Any]:
    """Return the facts of a subtask, its needs without alternatives that are not there."""
    if "|" not in facts.get("needs", ""):
        return dict(facts)
    return {**facts, "needs": " | ".join(k for k in predecessors(facts) if k in kept)}


def losing(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task in which an attempt at what is not possible yet loses the chance for good.

    Beside each subtask stands another that can be done as long as the first can not. It is
    worth nothing, and once it is done the first is out of reach.
    """
    subtasks: dict[str, Any] = {}
    for name, fields in task["subtasks"].items():
        subtasks[name] = dict(fields)
        if "needs" in fields:
            subtasks[name]["needs"] = f"({fields['needs']}) & ~{MISSED}{name}"
            subtasks[MISSED + name] = {"needs": f"~({fields['needs']}) & ~{name}", "attempts": 1}
    return {**task, "subtasks": subtasks}


def site(seed: int, names: Iterable[str], obstacles: bool, spare: bool) -> dict[str, Any]:
    """Draw the map: one object for every subtask (a station once), an agent, obstacles.

    Args:
        seed: of the instance.
        names: the subtasks, those that stand for lost chances among them.
        obstacles: whether there are blocks and ponds.
        spare: whether there are more objects than needed.
    """
    data = data_beside(__file__)
    table, stations = data["subtasks"], data["stations"]
    rng = generator(seed, 0x3173)
    cells = room(*data["room"]["size"])
    if obstacles:
        spans = data["room"]["obstacles"]
        obstruct(rng, cells, {"block": (spans["block"], "#"), "water": (spans["water"], "~")})
    objects = [table[name]["do"][1] for name in names if name in table]
    objects = [thing for k, thing in enumerate(objects) if thing not in stations or thing not in objects[:k]]
    if spare:
        objects += [thing for thing, most in data["spare"].items() for _ in range(between(rng, (0, most)))]
    kinds = [*stations, *data["spare"]]
    characters = {thing: chr(ord("A") + k) for k, thing in enumerate(kinds)}
    free = shuffled(rng, cells)
    for thing, (x, y) in zip(objects, free, strict=False):
        cells[y, x] = characters[thing]
    x, y = free[len(objects)]
    cells[y, x] = "@"
    legend: dict[str, Any] = {"~": {"fixture": "water"}, "@": {"body": 0}}
    for thing, character in characters.items():
        legend[character] = {"fixture" if thing in stations else "thing": thing}
    return {
        "world": "grid",
        "map": rows_of(cells),
        "legend": legend,
        "fixtures": {"wall": {"solid": True}, "water": {"solid": True}, **{name: {} for name in stations}},
        "things": {thing: {} for thing in data["spare"]},
        "reach": "here",
        "verbs": list(data["verbs"]),
        "rules": {name: rule(name, table, stations) for name in names},
    }


def rule(name: str, table: Mapping[str, Any], stations: Iterable[str]) -> dict[str, Any]:
    """Return where and how a subtask is attempted; what is picked up is gone."""
    verb, thing = table[name.removeprefix(MISSED)]["do"]
    if thing in stations:
        return {"verb": verb, "at": thing}
    return {"verb": verb, "thing": thing, "success": {"thing": "none"}}


DOMAIN = Domain(
    name="Mining",
    summary="Trees, ores and workshops on a small map: find what the treasure takes, leave the rest",
    source=source,
    tags=("grid", "mining", "subtask graph"),
)
