"""Task graphs built by hand for the tests of pictures, without going through a task file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hand_made import graph, subtask
from stratagym.envs.task.graph import (
    TRUE,
    Agent,
    Amounts,
    Branch,
    Choice,
    Composition,
    Due,
    Duration,
    Gate,
    Item,
    Lag,
    Resource,
    TaskGraph,
)

Literals = list[int | tuple[int, str]]


@dataclass
class Gates:
    """Collects gates over ``n`` subtasks and hands out their nodes."""

    n: int
    made: list[Gate] = field(default_factory=list)

    def of(self, count: int, *positive: int, negative: tuple[int, ...] = ()) -> int:
        """Add a gate and return its node."""
        self.made.append(Gate(count, tuple(positive), negative))
        return self.n + len(self.made) - 1

    def all(self, *positive: int, negative: tuple[int, ...] = ()) -> int:
        """Add an AND and return its node."""
        return self.of(len(positive) + len(negative), *positive, negative=negative)


def tea() -> TaskGraph:
    """Return the tea round of the design page, with a release, a due date and a forbidden order."""
    gates = Gates(5)
    brew = gates.all(0, 1)
    goal = gates.all(2, 3, 1)
    kettle: Amounts = ((0, 1),)
    return graph(
        name="tea for two",
        horizon=60,
        agents=(Agent("agent 0"),),
        skills=(),
        resources=(Resource("kettle", 1), Resource("table", 1)),
        items=(Item("leaves", 3), Item("tea", 0)),
        subtasks=(
            subtask("boil water", 8, attended=1, uses=kettle, reward=1.0),
            subtask("warm pot", 1),
            subtask("brew", 4, attended=1, needs=brew, lags=(Lag((0,), "completion", 0, 6),)),
            subtask("serve", 2, needs=2, uses=((1, 1),), deadline=40, reward=5.0),
            subtask("tidy up", 3, release=5, needs=gates.all(negative=(3,))),
        ),
        gates=tuple(gates.made),
        goal=goal,
        dues=(Due("serve", 25, 1.0, (3,)),),
    )


def bakery() -> TaskGraph:
    """Return a task that uses every kind of arrow, glyph and frame."""
    names = (
        "knead dough",
        "prove dough",
        "light oven",
        "bake [stone oven]",
        "bake [electric oven]",
        "whip cream",
        "melt chocolate",
        "wash strawberries",
        "assemble the cake",
        "taste",
        "pack",
        "deliver to the customer",
    )
    gates = Gates(len(names))
    baked = gates.of(1, 3, 4)
    filling = gates.of(2, 5, 6, 7)
    assemble = gates.all(baked, filling)
    pack = gates.all(8, negative=(9,))
    done = gates.of(1, 10, 9)
    goal = gates.all(11, done)
    oven = Lag((1,), "completion", 2, 12)
    spec: list[dict[str, Any]] = [
        {"duration": 4},
        {"duration": 10, "attended": 0, "needs": 0},
        {"duration": Duration("uniform", (2, 4))},
        {"duration": 12, "attended": 2, "needs": gates.all(1, 2), "lags": (oven,), "uses": ((0, 1),)},
        {"duration": 9, "attended": 1, "needs": 1, "lags": (oven,), "uses": ((1, 1),), "reward": -1.0},
        {"duration": 3, "repeatable": True, "lags": (Lag((5,), "start", 5, None),)},
        {"duration": 4, "attended": 1, "uses": ((2, 1),), "success": 0.7},
        {"duration": 2, "uses": ((2, 2),)},
        {"duration": 5, "agents": 2, "needs": assemble, "lags": (Lag((3, 4), "completion", 3, None),)},
        {"duration": 1, "needs": 8},
        {"duration": 2, "needs": pack},
        {"duration": 6, "needs": 10, "deadline": 60, "reward": 10.0, "lags": (Lag((2,), "start", 20, 50),)},
    ]
    return graph(
        name="birthday cake",
        horizon=80,
        agents=(Agent("baker"), Agent("apprentice")),
        skills=(),
        resources=(Resource("stone oven", 1), Resource("electric oven", 1), Resource("bowls", 3)),
        items=(Item("flour", 2), Item("strawberries", 12), Item("cake", 0)),
        subtasks=tuple(subtask(n, f.pop("duration"), **f) for n, f in zip(names, spec, strict=True)),
        gates=tuple(gates.made),
        goal=goal,
        choices=(Choice("bake", (Branch(3, (3,)), Branch(4, (4,)))),),
        compositions=(
            Composition("bake", "modes", 1, baked, (names[3], names[4]), (3, 4)),
            Composition("fillings", "k of", 2, filling, names[5:8], (5, 6, 7)),
        ),
        dues=(Due("deliver to the customer", 50, 2.0, (11,)),),
    )


VERBS = ("mix", "heat", "fetch", "cut", "dry", "paint", "weigh", "fold", "label", "inspect", "cool", "press")
THINGS = ("water", "the left panel", "sample", "dough", "copper wire", "a long wooden beam", "tray", "salt")


def random_graph(n: int, seed: int, depth: int = 5) -> TaskGraph:
    """Return a random graph of ``n`` subtasks with gates of every kind."""
    rng = np.random.default_rng(seed)
    gates = Gates(n)
    layer = np.sort(rng.integers(0, depth, n))
    layer[0] = 0
    subtasks = []
    for i in range(n):
        before = [j for j in range(i) if layer[j] < layer[i]]
        near = [j for j in before if layer[j] == layer[i] - 1] or before
        needs = TRUE
        lags: tuple[Lag, ...] = ()
        if before:
            k = int(rng.integers(1, 4))
            chosen = sorted({int(rng.choice(near)), *(int(j) for j in rng.choice(before, k))})
            draw = rng.random()
            if draw < 0.5:
                needs = gates.all(*chosen)
            elif draw < 0.75:
                needs = gates.of(1, *chosen)
            elif draw < 0.85 and len(chosen) > 2:
                needs = gates.of(2, *chosen)
            else:
                needs = gates.all(*chosen[:-1], negative=(chosen[-1],)) if len(chosen) > 1 else chosen[0]
            if rng.random() < 0.15:
                lags = (Lag((chosen[0],), "completion", int(rng.integers(0, 3)), int(rng.integers(4, 9))),)
        name = f"{rng.choice(VERBS)} {rng.choice(THINGS)} {i}"
        subtasks.append(
            subtask(
                name,
                int(rng.integers(1, 12)),
                attended=int(rng.integers(0, 6)),
                needs=needs,
                lags=lags,
                uses=((int(rng.integers(0, 2)), 1),) if rng.random() < 0.3 else (),
                deadline=int(rng.integers(30, 90)) if rng.random() < 0.2 else None,
            )
        )
    goal = gates.all(*(i for i in range(n) if layer[i] == layer[-1]))
    return graph(
        name=f"random {n}",
        horizon=120,
        agents=(Agent("agent 0"), Agent("agent 1")),
        skills=(),
        resources=(Resource("bench", 1), Resource("tools", 3)),
        items=(Item("wood", 4),),
        subtasks=tuple(subtasks),
        gates=tuple(gates.made),
        goal=goal,
    )
