"""Playground: things to pick up and to transform in a room, and a graph of what allows what.

Owns the published game of Sohn et al. (the sets D1 to D4, a room with one object for every
subtask, a cow and a duck that walk about, ice where something was transformed) and a ranked
family: one subtask is asked for, there are several ways to it, and some close others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import generator, pick
from stratagym.envs.domains.maps import obstruct, room, rows_of, shuffled
from stratagym.envs.domains.sources import data_beside, one_of, procedural
from stratagym.envs.domains.subtask_graphs import Node, layered, needs_of, objects_of, playground

SETS = ("D1", "D2", "D3", "D4", "D1 stored", "D2 stored", "D3 stored", "D4 stored")
"""The published sets, by the published generator or like the stored evaluation graphs."""

TRIES = 48
"""Choices of ways that are tried before a graph is drawn anew."""


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    set: str | None = None,
    obstacles: bool = True,
    animals: bool = True,
) -> TaskSource:
    """Return rooms of a size where one thing is asked for, or of a published set.

    Args:
        size: of the family.
        split: of the family or set.
        instances: how many rooms.
        set: one of ``SETS``, with the rewards and budgets of the publication; one subtask is
            asked for, if left out.
        obstacles: whether there are up to four blocks.
        animals: whether cow and duck walk about.

    Raises:
        ValueError: if an option has a wrong value.
    """
    one_of("obstacles", obstacles, (True, False))
    one_of("animals", animals, (True, False))
    variant = ["open"] * (not obstacles) + ["still"] * (not animals)
    if set is None:
        draw = quest
    else:
        one_of("set", set, SETS)
        name, _, kind = set.partition(" ")

        def draw(seed: int, size: Size) -> dict[str, Any]:
            return playground(data_beside(__file__), name, seed, stored=kind == "stored")

    def scene(seed: int, size: Size) -> dict[str, Any]:
        data = data_beside(__file__)
        numbers = data["family"][size]
        kinds = data["objects"] if set else objects_of(data, numbers)
        area = data["room"]["size"] if set else numbers["room"]
        return place(seed, draw(seed, size)["subtasks"], kinds, area, obstacles, animals)

    return procedural(
        "playground", draw, size, split, instances, ",".join(variant), scene=scene, published=set
    )


def quest(seed: int, size: Size) -> dict[str, Any]:
    """Draw a graph, and ask for its last subtask; it is drawn until there is a way to that."""
    rules = data_beside(__file__)
    rng = generator(seed, 0xD1D5)
    while True:
        nodes = layered(rng, rules, rules["family"][size])
        if way_to(rng, nodes[-1]):
            break
    subtasks = {
        node.name: needs_of(node) | {"reward": node.reward} for node in sorted(nodes, key=lambda n: n.place)
    }
    return {"name": f"quest {seed}", "agents": 1, "subtasks": subtasks, "goal": nodes[-1].name}


def way_to(rng: np.random.Generator, goal: Node, tries: int = TRIES) -> list[Node]:
    """Return an order in which a subtask and what it takes can be done, empty if none is found.

    Of each subtask's ways one is drawn. What a way needs comes before it, what it forbids
    after it; where that is a circle, other ways are drawn.
    """
    for _ in range(tries):
        chosen: dict[Node, Any] = {}
        stack = [goal]
        while stack:
            node = stack.pop()
            if node not in chosen:
                chosen[node] = pick(rng, node.ways, 1)[0] if node.ways else None
                stack += chosen[node].positive if node.ways else []
        before = {node: [] if way is None else list(way.positive) for node, way in chosen.items()}
        for node, way in chosen.items():
            for forbidden in way.negative if way else ():
                if forbidden in before:
                    before[forbidden].append(node)
        order = _sorted(before)
        if order:
            return order
    return []


def _sorted(before: Mapping[Node, Iterable[Node]]) -> list[Node]:
    """Return the nodes, each after all that come before it; empty if they go in a circle."""
    order: list[Node] = []
    while len(order) < len(before):
        ready = [node for node in before if node not in order and all(k in order for k in before[node])]
        if not ready:
            return []
        order += ready
    return order


def place(
    seed: int,
    names: Iterable[str],
    kinds: Sequence[str],
    size: Sequence[int],
    obstacles: bool,
    animals: bool,
) -> dict[str, Any]:
    """Draw the room: one object for every subtask, an agent, blocks.

    Args:
        seed: of the instance.
        names: the subtasks, a verb and an object each.
        kinds: of objects in the family.
        size: of the room with its walls.
        obstacles: whether there are blocks.
        animals: whether cow and duck move.
    """
    data = data_beside(__file__)
    rng = generator(seed, 0xD1D6)
    cells = room(*size)
    if obstacles:
        obstruct(rng, cells, {"block": (data["room"]["obstacles"]["block"], "#")})
    done = {name: _parts(name, data["verbs"]) for name in names}
    kinds = [*kinds, *data["remains"].values()]
    characters = {thing: chr(ord("A") + k) for k, thing in enumerate(kinds)}
    free = shuffled(rng, cells)
    for (_, thing), (x, y) in zip(done.values(), free, strict=False):
        cells[y, x] = characters[thing]
    x, y = free[len(done)]
    cells[y, x] = "@"
    moves = data["moves"] if animals else {}
    return {
        "world": "grid",
        "map": rows_of(cells),
        "legend": {"@": {"body": 0}, **{c: {"thing": thing} for thing, c in characters.items()}},
        "things": {thing: {"moves": moves[thing]} if thing in moves else {} for thing in kinds},
        "reach": "here",
        "verbs": list(data["verbs"]),
        "rules": {
            name: {"verb": verb, "thing": thing, "success": {"thing": data["remains"].get(verb, "none")}}
            for name, (verb, thing) in done.items()
        },
    }


def _parts(name: str, verbs: Iterable[str]) -> tuple[str, str]:
    """Return the verb and the object of an option."""
    verb = next(v for v in verbs if name.startswith(v + " "))
    return verb, name.removeprefix(verb + " ")


DOMAIN = Domain(
    name="Playground",
    summary="Pick up and transform things in a room; what is done opens some ways and closes others",
    source=source,
    tags=("grid", "playground", "subtask graph", "dead ends"),
)
