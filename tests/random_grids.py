"""Random grid scenes that together use every field, crowded on purpose so that rules meet.

Owns the drawing only: a scene is a function of its seed and of the task. Whether all of the
task could ever be played there is left to chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stratagym.envs.task.graph import TaskGraph

FIXTURES = ("table", "door", "pot", "bin", "chest")
THINGS = ("onion", "red onion", "soup", "cow", "box")


def random_grid(seed: int, graph: TaskGraph) -> dict[str, Any]:
    """Return the scene of a seed for a task."""
    draw = _Draw(np.random.default_rng([seed, 77]), graph)
    return draw.scene()


class _Draw:
    def __init__(self, rng: np.random.Generator, graph: TaskGraph) -> None:
        self.rng, self.graph = rng, graph
        self.hands = self.chance(0.6)
        self.inventory = self.chance(0.5)
        self.vitals = {"food": self.between(1, 4), "drink": self.between(1, 6)} if self.chance(0.4) else {}
        self.verbs = ["interact", "use 2"] if self.chance(0.5) else None

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def between(self, lo: int, hi: int) -> int:
        return int(self.rng.integers(lo, hi + 1))

    def one(self, options: Any) -> Any:
        return options[self.between(0, len(options) - 1)]

    def some(self, options: Any, most: int = 2) -> Any:
        """Return one name or a list of names."""
        if self.chance(0.6):
            return self.one(options)
        return [self.one(options) for _ in range(self.between(1, most))]

    def scene(self) -> dict[str, Any]:
        """Return a whole scene."""
        self.width, self.height = self.between(2, 6), self.between(2, 5)
        agents = len(self.graph.agents)
        while self.width * self.height < 2 * agents + 2:
            self.width += 1
        cells = [(x, y) for y in range(self.height) for x in range(self.width)]
        homes = [cells[k] for k in self.rng.permutation(len(cells))[:agents].tolist()]
        rows = [[self.one("...#tdpbc1234") for _ in range(self.width)] for _ in range(self.height)]
        legend: dict[str, Any] = {
            letter: name if self.chance(0.5) else {"fixture": name}
            for letter, name in zip("tdpbc", FIXTURES, strict=True)
        }
        legend |= {"1": {"thing": "onion"}, "2": {"thing": "cow", "fixture": "floor"}}
        legend |= {"3": {"fixture": "table", "thing": "red onion"}, "4": {"thing": self.one(THINGS)}}
        bodies: list[dict[str, Any]] = []
        items = [item.name for item in self.graph.items]
        left = {item.name: item.stock for item in self.graph.items}
        for a, (x, y) in enumerate(homes):
            rows[y][x] = "."
            body: dict[str, Any] = {"pace": self.between(1, 3)} if self.chance(0.4) else {}
            if self.chance(0.5):
                body["facing"] = self.one(("up", "down", "left", "right"))
            if self.hands and self.chance(0.3):
                body["hand"] = self.one(THINGS)
            if self.inventory and self.chance(0.5):
                body["stock"] = {}
                for name in items:
                    body["stock"][name] = self.between(0, min(3, left[name]))
                    left[name] -= body["stock"][name]
            if 0 < a < 9 and self.chance(0.3):
                rows[y][x] = "ABCDEFGHI"[a]
                legend[rows[y][x]] = {"body": a}
            else:
                body["at"] = [x, y]
            bodies.append(body)
        self.floors = [[x, y] for x, y in cells if rows[y][x] == "."]
        scene: dict[str, Any] = {
            "world": "grid",
            "map": ["".join(row) for row in rows],
            "legend": legend,
            "fixtures": self.fixtures(),
            "things": self.things(),
            "objects": {"box": [[x, y] for x, y in self.floors if (x, y) not in homes][:2]},
            "reach": self.one((None, "front", "here", "here")),
            "hands": self.hands,
            "inventory": self.inventory,
            "share": self.inventory and self.chance(0.6),
            "verbs": self.verbs,
            "view": self.one((None, 0, 1, 2, 4)),
            "messages": self.one((None, 0, 2)),
            "bodies": bodies,
            "vitals": self.vitals
            | ({"health": self.between(1, 4)} if self.vitals and self.chance(0.7) else {}),
            "events": [self.event() for _ in range(self.between(0, 4))],
            "rules": {s.name: self.rules(i) for i, s in enumerate(self.graph.subtasks)},
        }
        return {key: value for key, value in scene.items() if value is not None}

    def fixtures(self) -> dict[str, Any]:
        flags = ("solid", "holds", "swallows")
        found: dict[str, Any] = {
            name: {flag: self.chance(0.4) for flag in flags if self.chance(0.5)} for name in FIXTURES
        }
        found["bin"]["swallows"] = self.chance(0.7)
        found["chest"] |= {"looks": "table"}
        if self.chance(0.2):
            found["floor"] = {"holds": self.chance(0.5)}
        return found

    def things(self) -> dict[str, Any]:
        found: dict[str, Any] = {name: {"carry": self.chance(0.8)} for name in THINGS}
        found["red onion"] = {"looks": "onion"} if self.chance(0.6) else {"carry": True, "looks": "onion"}
        found["cow"] |= {"moves": self.one((0.3, 1.0, 0.7))}
        for name in THINGS:
            if self.chance(0.5):
                found[name]["solid"] = self.chance(0.3)
        return found

    def event(self) -> dict[str, Any]:
        lo = self.between(1, 12)
        moment: Any = lo if self.chance(0.5) else {"uniform": [lo, lo + self.between(0, 8)]}
        cell = self.one(self.floors)
        kind = self.one(("move", "lock", "unlock", "block", "clear", "block"))
        if kind == "move":
            return {"at": moment, "move": self.one(THINGS), "to": cell}
        return {"at": moment, kind: cell}

    def rules(self, i: int) -> Any:
        if self.chance(0.75):
            return self.rule(i)
        return [self.rule(i) for _ in range(self.between(1, 3))]

    def rule(self, i: int) -> dict[str, Any]:
        rule: dict[str, Any] = {}
        if self.verbs and self.chance(0.7):
            rule["verb"] = self.one(self.verbs)
        if self.chance(0.4):
            rule["at"] = self.some((*FIXTURES, "floor", "floor", "table"), 4)
        if self.chance(0.35):
            rule["thing"] = self.some((*THINGS, "none", "none"), 3)
        if self.hands and self.chance(0.3):
            rule["hand"] = self.some((*THINGS, "none", "none"), 3)
        if self.chance(0.15):
            rule["near"] = self.some(("floor", *FIXTURES))
        s = self.graph.subtasks[i]
        whole = s.attended is None or (s.duration.longest is not None and s.attended >= s.duration.longest)
        for moment in ("start", "success", "failure", "undone"):
            if self.chance(0.3):
                rule[moment] = self.effect(moment, whole)
        return rule

    def effect(self, moment: str, whole: bool) -> dict[str, Any]:
        effect: dict[str, Any] = {}
        if self.chance(0.4):
            effect["fixture"] = self.one((*FIXTURES, "floor", "floor"))
        if self.chance(0.5):
            effect["thing"] = self.one((*THINGS, "none", "none"))
        if self.hands and self.chance(0.4) and moment != "undone" and (moment == "start" or whole):
            effect["hand"] = self.one((*THINGS, "none"))
        if self.vitals and self.chance(0.3):
            effect["restore"] = {self.one(("food", "drink")): self.between(1, 9)}
        if self.chance(0.2):
            effect["turn"] = {self.one(THINGS): self.one((*THINGS, "none"))}
        return effect
