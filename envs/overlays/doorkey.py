"""MiniGrid's DoorKey levels as a task graph.

Owns the predicates; the task is the data file's. That the door stands open is a state, so it is undone
when the door falls shut before the goal is reached (``undo``); the key need not be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym

from stratagym.envs.api.wrapped import TaskGraphWrapper
from stratagym.envs.domains.sources import data_beside
from stratagym.envs.overlays import package


def carries_key(env: Any, obs: Any, info: Mapping[str, Any]) -> bool:
    """Return whether the agent carries a key."""
    carried = env.unwrapped.carrying
    return carried is not None and carried.type == "key"


def door_of(env: Any) -> Any:
    """Return the level's door."""
    return next(cell for cell in env.unwrapped.grid.grid if cell is not None and cell.type == "door")


def door_unlocked(env: Any, obs: Any, info: Mapping[str, Any]) -> bool:
    """Return whether the door is not locked."""
    return not door_of(env).is_locked


def door_open(env: Any, obs: Any, info: Mapping[str, Any]) -> bool:
    """Return whether the door stands open."""
    return bool(door_of(env).is_open)


def at_goal(env: Any, obs: Any, info: Mapping[str, Any]) -> bool:
    """Return whether the agent stands on the goal."""
    cell = env.unwrapped.grid.get(*env.unwrapped.agent_pos)
    return cell is not None and cell.type == "goal"


PREDICATES = {
    "fetch key": carries_key,
    "unlock door": door_unlocked,
    "open door": door_open,
    "reach goal": at_goal,
}


def make(
    env_id: str = "MiniGrid-DoorKey-8x8-v0", render_mode: str | None = None, **options: Any
) -> TaskGraphWrapper:
    """Make the overlay.

    Args:
        env_id: a level of MiniGrid or BabyAI with one door, a key and a goal.
        render_mode: of the level.
        **options: of ``TaskGraphWrapper``.
    """
    package("minigrid")
    env = gym.make(env_id, render_mode=render_mode)
    return TaskGraphWrapper(env, data_beside(__file__), PREDICATES, **{"undo": ("open door",), **options})
