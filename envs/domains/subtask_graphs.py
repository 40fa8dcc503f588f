"""The published sets of subtask graphs: Playground D1 to D4, and Mining.

Owns the drawing of one graph by the published procedure and numbers (the data
lie in ``graph.yaml``), and of the like of the stored evaluation graphs, which the
measured values of the literature are about: they have fewer negations, and budgets
that vary. Where the original walks to an object, there is no place here: an option's
duration is drawn from the lengths of those walks. As there, a subtask is attempted
once at most, there is no goal, and the budget of steps is the horizon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stratagym.envs.domains.draft import between, generator, pick


def playground(
    data: Mapping[str, Any], name: str, seed: int, drawn: bool = False, stored: bool = False
) -> dict[str, Any]:
    """Draw one Playground graph.

    Args:
        data: the content of ``graph.yaml``.
        name: ``D1`` to ``D4``.
        seed: of the instance.
        drawn: whether durations are drawn at each start; else once for the graph.
        stored: draw the like of the stored graphs, not of the generator's.
    """
    rng = generator(seed, 0xD1D4)
    rules, numbers = data["playground"], data["playground"]["sets"][name]
    budget = numbers["budget"]
    if stored:
        rules = {**rules, **rules["stored"]}
        budget = int(rules["budget"] * rng.uniform(0.8, 1.2))
    nodes = _layers(rng, rules, numbers)
    ands: list[_And] = []
    for layer in range(1, len(numbers["subtasks"])):
        ands += _and_layer(rng, rules, numbers, nodes, layer)
    for node in nodes:
        later = [a for a in ands if a.layer > node.layer]
        if node.distractor and later:
            for a in pick(rng, later, between(rng, rules["spoils"])):
                a.negative.append(node)
    subtasks = {}
    for node in sorted(nodes, key=lambda n: n.place):
        text = " | ".join(_conjunction(a, len(node.ways) > 1) for a in node.ways)
        subtasks[node.name] = ({"needs": text} if text else {}) | {"reward": node.reward}
    return _finish(rng, data["steps"]["playground"], f"{name} {seed}", budget, subtasks, drawn)


def mining(
    data: Mapping[str, Any], seed: int, drawn: bool = False, stored: bool = False, whole: bool = False
) -> dict[str, Any]:
    """Draw one sub-graph of the Mining recipe graph.

    A subtask is kept with its frequency among the stored graphs, given that what it
    needs is kept; then every subtask is kept as often as there, 19 in the mean.

    Args:
        data: the content of ``graph.yaml``.
        seed: of the instance.
        drawn: whether durations are drawn at each start; else once for the graph.
        stored: let the budget vary as for the stored graphs.
        whole: keep all 26 subtasks.
    """
    rng = generator(seed, 0x3171)
    budget = data["mining"]["budget"]
    if stored:
        budget = int(data["mining"]["stored"]["budget"] * rng.uniform(0.8, 1.2))
    table = data["mining"]["subtasks"]
    shares = _shares(table, data["mining"]["graphs"])
    vary = data["mining"]["vary"]
    kept: dict[str, Any] = {}
    for name, facts in table.items():
        if whole or (all(k in kept for k in _needed(facts)) and rng.random() < shares[name]):
            reward = round(facts["reward"] * float(rng.uniform(1 - vary, 1 + vary)), 3)
            kept[name] = ({"needs": facts["needs"]} if "needs" in facts else {}) | {"reward": reward}
    return _finish(rng, data["steps"]["mining"], f"mining {seed}", budget, kept, drawn)


def _needed(facts: Mapping[str, Any]) -> list[str]:
    return [k for k in facts.get("needs", "").replace("|", "&").split(" & ") if k]


def _shares(table: Mapping[str, Any], graphs: int) -> dict[str, float]:
    """Return how often each subtask is kept where all that it needs is kept."""
    shares: dict[str, float] = {}
    below: dict[str, set[str]] = {}
    for name, facts in table.items():
        below[name] = {k for before in _needed(facts) for k in (before, *below[before])}
        given = graphs * float(np.prod([shares[k] for k in below[name]]))
        shares[name] = facts["in"] / given
    return shares


@dataclass(eq=False)
class _Node:
    """One subtask of a Playground graph."""

    name: str
    place: int
    layer: int
    distractor: bool
    reward: float
    ways: list[_And] = field(default_factory=list)


@dataclass(eq=False)
class _And:
    """One AND node of a layer."""

    layer: int
    positive: list[_Node]
    negative: list[_Node]


def _layers(rng: np.random.Generator, rules: Mapping[str, Any], numbers: Mapping[str, Any]) -> list[_Node]:
    options = [f"{verb} {thing}" for verb in rules["verbs"] for thing in rules["objects"]]
    total = sum(numbers["subtasks"]) + sum(numbers["distractors"])
    names = pick(rng, list(enumerate(options)), total)
    nodes: list[_Node] = []
    for layer, (true, false) in enumerate(zip(numbers["subtasks"], numbers["distractors"], strict=True)):
        for k in range(true + false):
            place, name = names[len(nodes)]
            reward = round(float(rng.uniform(*numbers["rewards"][layer])), 3)
            nodes.append(_Node(name, place, layer, k >= true, reward))
    return nodes


def _and_layer(
    rng: np.random.Generator,
    rules: Mapping[str, Any],
    numbers: Mapping[str, Any],
    nodes: list[_Node],
    layer: int,
) -> list[_And]:
    """Draw the AND nodes of a layer, and join one or two of them by OR for each of its subtasks."""
    ands: list[_And] = []
    seen: set[tuple[frozenset[_Node], frozenset[_Node]]] = set()
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
            ands.append(_And(layer, positive, negative))
    taken: set[frozenset[_And]] = set()
    for node in [n for n in nodes if n.layer == layer]:
        while not node.ways or frozenset(node.ways) in taken:
            node.ways = pick(rng, ands, between(rng, rules["alternatives"]))
        taken.add(frozenset(node.ways))
    return ands


def _conjunction(node: _And, inside: bool) -> str:
    text = " & ".join([n.name for n in node.positive] + [f"~{n.name}" for n in node.negative])
    return f"({text})" if inside and " & " in text else text


def _finish(
    rng: np.random.Generator,
    steps: Mapping[int, int],
    name: str,
    budget: int,
    subtasks: Mapping[str, Mapping[str, Any]],
    drawn: bool,
) -> dict[str, Any]:
    lengths = list(steps)
    ends = np.cumsum([steps[k] for k in lengths]) / sum(steps.values())
    # 32 equally likely values stand for the distribution.
    choice = [lengths[int(np.searchsorted(ends, (k + 0.5) / 32))] for k in range(32)]
    out = {}
    for key, fields in subtasks.items():
        walked = lengths[int(np.searchsorted(ends, rng.random(), side="right"))]
        out[key] = {"duration": {"choice": choice} if drawn else walked, "attempts": 1, **fields}
    return {"name": name, "horizon": budget, "agents": 1, "subtasks": out}
