"""Drawn planes with tasks to be done on them, and a way of playing that gets somewhere.

Everything that a scene may say occurs: several bodies, sites, clips, posts and bars, a cable that may
be short, events of the place, drawn outcomes, things undone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stratagym.envs.task.faults import TaskError
from stratagym.envs.task.spec import load_task
from stratagym.envs.worlds.scene import load_scene

WORLD = {"duration": "world", "attended": 1, "repeatable": True, "reward": 1}


def random_plane(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a task and its scene, drawn anew until nothing is refused."""
    rng = np.random.default_rng(seed)
    while True:
        task, scene = _draw(rng)
        try:
            load_scene(scene, load_task(task))
        except TaskError:
            continue
        return task, scene


def _draw(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw a task and a scene that may not fit each other."""
    width, height = (float(v) for v in rng.integers(8, 14, 2))

    def point(edge: float = 2.2) -> list[float]:
        return [
            round(float(rng.uniform(edge, width - edge)), 2),
            round(float(rng.uniform(edge, height - edge)), 2),
        ]

    agents, clips = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    scene: dict[str, Any] = {
        "world": "plane",
        "size": [width, height],
        "bodies": [
            {
                "at": point(),
                "radius": 0.3,
                "speed": 0.3,
                "acceleration": round(float(rng.uniform(0.1, 0.2)), 2),
            }
            for _ in range(agents)
        ],
        "sites": {"dock": {"at": point(), "radius": 0.6}},
        "clips": {
            f"clip {k}": {"at": point(2.5), "angle": int(rng.integers(0, 24)) * 15} for k in range(clips)
        },
        "obstacles": {
            "post": {"at": point(1.0), "radius": 0.5},
            "bar": {"line": [point(1.0), point(1.0)], "radius": 0.2},
            "late": {"at": point(1.0), "radius": 0.7, "absent": True},
        },
        "cable": {
            "from": point(0.5),
            "end": point(),
            "nodes": int(rng.integers(6, 40)),
            "segment": round(float(rng.uniform(0.35, 0.8)), 2),
            "stick": 0.6,
        },
        "events": [
            {"at": {"uniform": [5, 60]}, "appear": "late"},
            {"at": {"uniform": [40, 160]}, "vanish": "post"},
            {"at": int(rng.integers(30, 120)), "drop": "cable"},
        ],
    }
    task: dict[str, Any] = {
        "name": "plane",
        "agents": agents,
        "horizon": 400,
        "subtasks": {
            "pick up": WORLD,
            "perturb": WORLD,
            "reach cable": WORLD,
            "look": {"duration": 2, "repeatable": True, "attended": int(rng.integers(0, 3))},
            "reach dock": WORLD,
        },
    }
    scene["rules"] = {
        "pick up": {"by": "pick up"},
        "perturb": {"by": "perturb", "limit": 40},
        "reach cable": {"by": "reach"},
        "look": {"by": "act", "at": "dock"},
        "reach dock": {"by": "reach", "at": "dock", "limit": int(rng.integers(5, 30))},
    }
    for k in range(clips):
        task["subtasks"][f"route {k}"] = WORLD
        task["subtasks"][f"insert {k}"] = {**WORLD, "success": 0.6, "needs": f"route {k}"}
        scene["rules"][f"route {k}"] = {"by": "route", "at": f"clip {k}"}
        scene["rules"][f"insert {k}"] = {"by": "insert", "at": f"clip {k}"}
    task["events"] = [
        {"at": {"uniform": [50, 200]}, "undo": "insert 0"},
        {"at": 70, "agent": "agent 0", "down": 5},
    ]
    return task, scene


class Wanderer:
    """Plays at random, but for stretches towards the end of the cable or along a clip.

    Args:
        seed: of its choices.
    """

    def __init__(self, seed: int) -> None:
        """Begin without a wish."""
        self.rng = np.random.default_rng(seed)
        self.wish: dict[int, tuple[int, Any]] = {}

    def act(self, view: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return an action for each body, ``[bodies, 3]``."""
        rows = []
        for b, at in enumerate(view.positions.tolist()):
            left, wish = self.wish.get(b, (0, None))
            if left <= 0:
                left, wish = int(self.rng.integers(5, 40)), self._wish(view, b)
            self.wish[b] = (left - 1, wish)
            push = self.rng.uniform(-1, 1, 2)
            target = self._place(view, wish)
            if target is not None:
                away = np.array(target) - at
                wanted = away / max(1e-6, float(np.hypot(*away))) * min(0.25, float(np.hypot(*away)) / 3)
                push = np.clip((wanted - view.velocities[b]) / view.accelerations[b], -1, 1)
            act = self.rng.choice([1.0, 0.0, -1.0], p=[0.35, 0.63, 0.02])
            rows.append((*push, act))
        return np.array(rows, np.float32)

    def _wish(self, view: Any, b: int) -> Any:
        """Draw what a body is after."""
        if view.holder == b and self.rng.random() < 0.9:
            return ("clip", int(self.rng.integers(len(view.clips))))
        if view.stuck is not None and self.rng.random() < 0.7:
            return "swing"
        return [None, "end", "end", "swing", "site"][int(self.rng.integers(5))]

    def _place(self, view: Any, wish: Any) -> Any:
        """Return where a wish leads now."""
        end = view.cable[-1].tolist()
        if wish == "end":
            return end
        if wish == "swing":
            angle = next((clip.angle for clip in view.clips if clip.name == view.stuck), 0.0)
            side = 0.6 if int(view.time) // 8 % 2 else -0.6
            return [end[0] - side * math.sin(angle), end[1] + side * math.cos(angle)]
        if wish == "site":
            return view.sites[0].at
        if isinstance(wish, tuple):
            clip = view.clips[wish[1]]
            c, s = math.cos(clip.angle), math.sin(clip.angle)
            x, y = end[0] - clip.at[0], end[1] - clip.at[1]
            u, v = x * c + y * s, y * c - x * s
            ahead = -clip.length - clip.lane if abs(v) > 0.3 and u < -clip.length else min(u + 0.6, 1.2)
            if u > -clip.length and abs(v) > 0.35:
                ahead, side = -clip.length - clip.lane, 1.2 if v > 0 else -1.2
                return [clip.at[0] + ahead * c - side * s, clip.at[1] + ahead * s + side * c]
            return [clip.at[0] + ahead * c, clip.at[1] + ahead * s]
        return None
