"""Gymnasium-Robotics' FrankaKitchen as a task graph.

Owns the predicates: a thing is set while it is within the package's own threshold of where it should be,
so it is undone if the arm pushes it out of place again. The task is the data file's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from stratagym.envs.api.wrapped import TaskGraphWrapper
from stratagym.envs.domains.sources import data_beside
from stratagym.envs.overlays import package

THRESHOLD = 0.3
"""Distance within which the package counts a thing as set (``BONUS_THRESH``)."""


def is_set(name: str) -> Callable[[Any, Any, Mapping[str, Any]], bool]:
    """Return the predicate of one thing."""

    def predicate(env: Any, obs: Any, info: Mapping[str, Any]) -> bool:
        gap = obs["achieved_goal"][name] - obs["desired_goal"][name]
        return float(np.linalg.norm(gap)) < THRESHOLD

    return predicate


def make(
    env_id: str = "FrankaKitchen-v1", render_mode: str | None = None, **options: Any
) -> TaskGraphWrapper:
    """Make the overlay.

    Args:
        env_id: of the package.
        render_mode: of the environment.
        **options: of ``TaskGraphWrapper``.
    """
    gym.register_envs(package("gymnasium_robotics"))
    task = data_beside(__file__)
    names = list(task["subtasks"])
    env = gym.make(
        env_id,
        render_mode=render_mode,
        tasks_to_complete=names,
        terminate_on_tasks_completed=False,
        remove_task_when_completed=False,
    )
    # The package hands out the same goals again and again; whoever keeps an observation needs his own.
    env = gym.wrappers.TransformObservation(env, copy.deepcopy, env.observation_space)
    return TaskGraphWrapper(env, task, {name: is_set(name) for name in names}, **{"undo": True, **options})
