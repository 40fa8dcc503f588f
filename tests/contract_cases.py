"""What the contract is run over: every registered id, and tasks that use what the ids do not.

Owns the list only. Families are cut to a few instances: the facts do not depend on how
many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gymnasium

import stratagym  # noqa: F401
from stratagym.envs.registry import TASK_ID

TEA: dict[str, Any] = {
    "name": "tea for two",
    "horizon": 60,
    "resources": {"kettle": 1, "table": 1},
    "items": {"leaves": 3},
    "subtasks": {
        "boil water": {"duration": 8, "attended": 1, "uses": {"kettle": 1}, "reward": 1},
        "warm pot": {"duration": 1, "attended": 0},
        "brew": {
            "duration": 4,
            "attended": 1,
            "needs": "boil water & warm pot",
            "consumes": {"leaves": 1},
            "produces": {"tea": 1},
            "lags": {"boil water": {"max": 6}},
        },
        "serve": {"duration": 2, "needs": "brew", "deadline": 40, "due": 14, "weight": 2, "reward": 5},
    },
    "goal": "serve",
}
"""One agent."""

MOVE: dict[str, Any] = {
    "name": "moving house",
    "horizon": 22,
    "agents": [{"name": "ann", "skills": ["drive"]}, {"name": "bob"}, {"name": "cy", "skills": ["drive"]}],
    "resources": {"van": 1},
    "subtasks": {
        "pack": {"duration": 2, "repeatable": True, "reward": 1},
        "carry sofa": {"duration": 3, "agents": 2, "needs": "pack", "reward": 3},
        "carry piano": {"duration": 2, "agents": 3, "attended": 1, "needs": "carry sofa"},
        "load": {
            "modes": {"by hand": {"duration": 6}, "by ramp": {"duration": 3, "uses": {"van": 1}}},
            "reward": 2,
        },
        "drive": {"duration": 4, "skill": "drive", "uses": {"van": 1}, "needs": "carry piano & load"},
    },
    "constraints": ["G (started(drive) -> done(load))"],
    "goal": "drive",
}
"""Several agents, joint subtasks, skills, modes and a constraint."""

GARDEN: dict[str, Any] = {
    "name": "garden",
    "horizon": 30,
    "items": {"seeds": 4},
    "subtasks": {
        "sow": {"duration": 1, "consumes": {"seeds": 1}, "produces": {"plants": 1}, "repeatable": True},
        "water": {
            "duration": 2,
            "attended": 1,
            "repeatable": True,
            "lags": {"sow": {}, "water": {"min": 3, "from": "start"}},
        },
        "harvest": {
            "duration": 2,
            "lags": {"water": {"min": 2, "max": 9}},
            "consumes": {"plants": 1},
            "repeatable": True,
            "reward": 4,
        },
        "rest": {"duration": 3, "reward": 0.5, "repeatable": True},
    },
}
"""No goal."""

FORGE: dict[str, Any] = {
    "name": "forge",
    "horizon": 12,
    "subtasks": {
        "heat": {"duration": {"uniform": [2, 5]}, "attended": 1},
        "strike": {
            "duration": {"choice": [1, 2, 4]},
            "lags": {"heat": {"max": 3}},
            "success": 0.6,
            "reward": 2,
        },
        "quench": {"duration": 1, "needs": "strike", "success": 0.8, "attempts": 3},
        "polish": {"duration": {"uniform": [1, 3]}, "needs": "~quench", "repeatable": True, "reward": 1},
    },
    "goal": "quench",
}
"""Drawn durations and successes, spoiling, attempts."""

STORM: dict[str, Any] = {
    "name": "storm",
    "horizon": 17,
    "agents": 2,
    "resources": {"pump": 2},
    "items": {"fuel": 3},
    "subtasks": {
        "bail": {"duration": 3, "uses": {"pump": 1}, "reward": 1},
        "patch": {"duration": {"uniform": [3, 7]}, "needs": "bail", "deadline": 20},
        "refuel": {"duration": 1, "consumes": {"fuel": 1}, "repeatable": True},
        "signal": {"duration": 2, "needs": "bail | refuel", "deadline": 12},
        "row": {"duration": 8, "attended": 2, "needs": "patch", "reward": 3},
    },
    "events": [
        {"at": {"uniform": [4, 6]}, "undo": "bail"},
        {"at": 5, "capacity": {"pump": 1}},
        {"at": 6, "stock": {"fuel": -2}},
        {"at": 7, "agent": "agent 1", "down": 5},
        {"at": 8, "duration": {"row": {"choice": [6, 9]}}, "known": True},
        {"at": 9, "deadline": {"patch": 25}},
        {"at": 14, "appear": "signal"},
    ],
    "goal": "row",
}
"""Every kind of event, two agents; ``signal`` closes before it appears."""

TASKS = {"tea": TEA, "move": MOVE, "garden": GARDEN, "forge": FORGE, "storm": STORM}


@dataclass(frozen=True)
class Case:
    """One environment under the contract.

    Attributes:
        name: for the test's id.
        env_id: what is made.
        options: its own options.
    """

    name: str
    env_id: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def make(self) -> Any:
        """Make the single environment."""
        return partial(gymnasium.make, self.env_id, **self.options)

    @property
    def make_vec(self) -> Any:
        """Make the batch."""
        return partial(gymnasium.make_vec, self.env_id, **self.options)


DOMAIN_IDS = sorted(i for i in gymnasium.registry if i.startswith("stratagym/") and i != TASK_ID)
FAMILIES = [Case(i.split("/")[1].removesuffix("-v0"), i, {"instances": 4}) for i in DOMAIN_IDS]
SUITES = [
    Case("Cooking, two tasks", "stratagym/Cooking-v0", {"tasks": (1, 2), "agents": 2}),
    Case("JobShop, FT06", "stratagym/JobShop-v0", {"instance": "ft06"}),
]
FILES = [Case(f"Task, {name}", TASK_ID, {"task": task}) for name, task in TASKS.items()]
CASES = [*FAMILIES, *SUITES, *FILES]
