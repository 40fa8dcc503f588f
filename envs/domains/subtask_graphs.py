"""The published subtask graphs: Playground's layers, and the sub-graphs of Mining's recipe graph.

Owns the drawing of one graph by the published procedure and numbers (which lie in
``playground.yaml`` and ``mining.yaml``), and of the like of the stored evaluation graphs,
which the measured values of the literature are about: they have fewer negations, and
budgets that vary. As there, a subtask is attempted once at most, there is no goal, and the
budget of steps is the horizon. In a room an agent walks to an object and acts for one
step; without one, an option's duration is drawn from the lengths of such ``Walks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from stratagym.envs.domains.draft import between, generator, pick


class Walks(NamedTuple):
    """How long options take where there is no map.

    Attributes:
        steps: length -> how often an option took so many steps.
        drawn: whether a duration is drawn at each start; else once for the graph.
    """

    steps: Mapping[int, int]
    drawn: bool = False


def playground(
    rules: Mapping[str, Any], name: str, seed: int, *, stored: bool = False, walks: Walks | None = None
) -> dict[str, Any]:
    """Draw one Playground graph.

    Args:
        rules: the content of ``playground.yaml``.
        name: ``D1`` to ``D4``.
        seed: of the instance.
        stored: draw the like of the stored graphs, not of the generator's.
        walks: the durations of options; None for one tick each, in a room.
    """
    rng = generator(seed, 0xD1D4)
    numbers = rules["sets"][name]
    budget = numbers["budget"]
    if stored:
        rules = {**rules, **rules["stored"]}
        budget = int(rules["budget"] * rng.uniform(0.8, 1.2))
    nodes = layered(rng, rules, numbers)
    subtasks = {
        node.name: needs_of(node) | {"reward": node.reward} for node in sorted(nodes, key=lambda n: n.place)
    }
    return _finish(rng, f"{name} {seed}", budget, subtasks, walks)


def layered(rng: np.random.Generator, rules: Mapping[str, Any], numbers: Mapping[str, Any]) -> list[Node]:
    """Draw the subtasks of a Playground graph, layer by layer, with what each of them needs.

    Args:
        rng: the instance's generator.
        rules: the content of ``playground.yaml``.
        numbers: of a set, or of a family's size.
    """
    nodes = _layers(rng, rules, numbers)
    ands: list[Way] = []
    for layer in range(1, len(numbers["subtasks"])):
        ands += _and_layer(rng, rules, numbers, nodes, layer)
    for node in nodes:
        later = [a for a in ands if a.layer > node.layer]
        if node.distractor and later:
            for a in pick(rng, later, between(rng, rules["spoils"])):
                a.negative.append(node)
    return nodes


def objects_of(rules: Mapping[str, Any], numbers: Mapping[str, Any]) -> list[str]:
    """Return the kinds of objects of a set, or of a family's size."""
    return [*rules["objects"], *rules["more"]][: numbers.get("objects", len(rules["objects"]))]


def needs_of(node: Node) -> dict[str, str]:
    """Return the field ``needs`` of a node, nothing if it can be done from the start."""
    text = " | ".join(_conjunction(way, len(node.ways) > 1) for way in node.ways)
    return {"needs": text} if text else {}


def mining(
    data: Mapping[str, Any],
    seed: int,
    *,
    stored: bool = False,
    whole: bool = False,
    walks: Walks | None = None,
) -> dict[str, Any]:
    """Draw one sub-graph of the Mining recipe graph.

    A subtask is kept with its frequency among the stored graphs, given that what it
    needs is kept; then every subtask is kept as often as there, 19 in the mean.

    Args:
        data: the content of ``mining.yaml``.
        seed: of the instance.
        stored: let the budget vary as for the stored graphs.
        whole: keep all 26 subtasks.
        walks: the durations of options; None for one tick each, on a map.
    """
    rng = generator(seed, 0x3171)
    budget = data["budget"]
    if stored:
        budget = int(data["stored"]["budget"] * rng.uniform(0.8, 1.2))
    table = data["subtasks"]
    shares = _shares(table, data["graphs"])
    kept: dict[str, Any] = {}
    for name, facts in table.items():
        if whole or (all(k in kept for k in predecessors(facts)) and rng.random() < shares[name]):
            kept[name] = priced(rng, facts, data["vary"])
    return _finish(rng, f"mining {seed}", budget, kept, walks)


def priced(rng: np.random.Generator, facts: Mapping[str, Any], vary: float) -> dict[str, Any]:
    """Return what a Mining subtask needs, and its reward drawn around the published one."""
    reward = round(facts["reward"] * float(rng.uniform(1 - vary, 1 + vary)), 3)
    return ({"needs": facts["needs"]} if "needs" in facts else {}) | {"reward": reward}


def predecessors(facts: Mapping[str, Any]) -> list[str]:
    """Return the subtasks that a Mining subtask's needs name."""
    return [k for k in facts.get("needs", "").replace("|", "&").split(" & ") if k]


def _shares(table: Mapping[str, Any], graphs: int) -> dict[str, float]:
    """Return how often each subtask is kept where all that it needs is kept."""
    shares: dict[str, float] = {}
    below: dict[str, set[str]] = {}
    for name, facts in table.items():
        below[name] = {k for before in predecessors(facts) for k in (before, *below[before])}
        given = graphs * float(np.prod([shares[k] for k in below[name]]))
        shares[name] = facts["in"] / given
    return shares


@dataclass(eq=False)
class Node:
    """One subtask of a Playground graph, ``place`` its number among all options."""

    name: str
    place: int
    layer: int
    distractor: bool
    reward: float
    ways: list[Way] = field(default_factory=list)


@dataclass(eq=False)
class Way:
    """One AND node of a layer: a way to a subtask, by what must be done and what must not."""

    layer: int
    positive: list[Node]
    negative: list[Node]


def _layers(rng: np.random.Generator, rules: Mapping[str, Any], numbers: Mapping[str, Any]) -> list[Node]:
    options = [f"{verb} {thing}" for verb in rules["verbs"] for thing in objects_of(rules, numbers)]
    total = sum(numbers["subtasks"]) + sum(numbers["distractors"])
    names = pick(rng, list(enumerate(options)), total)
    nodes: list[Node] = []
    for layer, (true, false) in enumerate(zip(numbers["subtasks"], numbers["distractors"], strict=True)):
        for k in range(true + false):
            place, name = names[len(nodes)]
            reward = round(float(rng.uniform(*numbers["rewards"][layer])), 3)
            nodes.append(Node(name, place, layer, k >= true, reward))
    return nodes


def _and_layer(
    rng: np.random.Generator,
    rules: Mapping[str, Any],
    numbers: Mapping[str, Any],
    nodes: list[Node],
    layer: int,
) -> list[Way]:
    """Draw the AND nodes of a layer, and join one or two of them by OR for each of its subtasks."""
    ands: list[Way] = []
    seen: set[tuple[frozenset[Node], frozenset[Node]]] = set()
    earlier = [n for n in nodes if n.layer < layer and not n.distractor]
    direct = [n for n in earlier if n.layer == layer - 1]
    low, high = numbers["nots"][layer - 1]
    weights = np.array(rules["negative"][low : high + 1])
    wanted = between(rng, numbers["ands"][layer - 1])
    while len(ands) < wanted:
        positive = pick(rng, direct, 1)
        others = [n for n in earlier if n not in positive]
        positive += pick(rng, others, between(rng, rules["positive"]) - 1)
        count = low + int(rng.choice(len(weights), p=weights / weights.sum()))
        negative = pick(rng, [n for n in earlier if n not in positive], count)
        key = (frozenset(positive), frozenset(negative))
        if key not in seen:
            seen.add(key)
            ands.append(Way(layer, positive, negative))
    taken: set[frozenset[Way]] = set()
    for node in [n for n in nodes if n.layer == layer]:
        while not node.ways or frozenset(node.ways) in taken:
            node.ways = pick(rng, ands, between(rng, rules["alternatives"]))
        taken.add(frozenset(node.ways))
    return ands


def _conjunction(node: Way, inside: bool) -> str:
    text = " & ".join([n.name for n in node.positive] + [f"~{n.name}" for n in node.negative])
    return f"({text})" if inside and " & " in text else text


def _finish(
    rng: np.random.Generator,
    name: str,
    budget: int,
    subtasks: Mapping[str, Mapping[str, Any]],
    walks: Walks | None,
) -> dict[str, Any]:
    """Return the task: each subtask is attempted once, and the budget of steps is the horizon."""
    durations = [{}] * len(subtasks) if walks is None else _durations(rng, len(subtasks), walks)
    once = {
        key: {**length, "attempts": 1, **fields}
        for (key, fields), length in zip(subtasks.items(), durations, strict=True)
    }
    return {"name": name, "horizon": budget, "agents": 1, "subtasks": once}


def _durations(rng: np.random.Generator, count: int, walks: Walks) -> list[dict[str, Any]]:
    """Return the field ``duration`` of each of ``count`` subtasks."""
    lengths = list(walks.steps)
    ends = np.cumsum([walks.steps[k] for k in lengths]) / sum(walks.steps.values())
    # 32 equally likely values stand for the distribution.
    choice = [lengths[int(np.searchsorted(ends, (k + 0.5) / 32))] for k in range(32)]
    walked = [lengths[int(np.searchsorted(ends, rng.random(), side="right"))] for _ in range(count)]
    return [{"duration": {"choice": choice} if walks.drawn else length} for length in walked]
