"""Crafter's achievements as a task graph.

Owns the adapter to Gymnasium (Crafter has the interface of before it) and the predicates; the task is the
data file's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from stratagym.envs.api.wrapped import TaskGraphWrapper
from stratagym.envs.domains.sources import data_beside
from stratagym.envs.overlays import package


class InOrder(dict[Any, None]):
    """A set that is gone through in the order in which things came.

    Crafter keeps creatures in sets, whose order follows from where in memory they lie, and draws from
    them: by itself, equal seeds do not give equal episodes.
    """

    def add(self, thing: Any) -> None:
        """Add a thing."""
        self[thing] = None

    def remove(self, thing: Any) -> None:
        """Take a thing out."""
        del self[thing]


class CrafterEnv(gym.Env[Any, Any]):
    """Crafter with Gymnasium's interface: pictures ``[64, 64, 3]`` uint8, 17 actions.

    Args:
        size: of the pictures, in pixels.
        length: steps after which an episode is truncated.
        render_mode: ``rgb_array`` or None.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, size: int = 64, length: int = 10_000, render_mode: str | None = None) -> None:
        self._crafter, self._size, self._length = package("crafter"), size, length
        self.render_mode = render_mode
        self.world = self._crafter.Env(size=(size, size), length=length, seed=0)
        self.observation_space = spaces.Box(0, 255, (size, size, 3), np.uint8)
        self.action_space = spaces.Discrete(int(self.world.action_space.n))
        self._steps = 0

    @property
    def action_names(self) -> list[str]:
        """The names of the actions."""
        return list(self.world.action_names)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; the same seed gives the same world."""
        super().reset(seed=seed)
        if seed is not None:
            size = (self._size, self._size)
            self.world = self._crafter.Env(size=size, length=self._length, seed=seed % 2**31)
        self._steps = 0
        obs = self.world.reset()
        world = self.world._world
        chunks = {
            key: InOrder.fromkeys(o for o in world.objects if o in held) for key, held in world.chunks.items()
        }
        world._chunks = defaultdict(InOrder, chunks)
        return obs, {"achievements": dict(self.world._player.achievements)}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step; death terminates, the length truncates."""
        obs, reward, over, info = self.world.step(int(action))
        self._steps += 1
        truncated = self._steps >= self._length
        info = {"achievements": dict(info["achievements"]), "inventory": dict(info["inventory"])}
        return obs, float(reward), bool(over and info["inventory"]["health"] <= 0), truncated, info

    def render(self) -> Any:
        """Return the present picture, ``[256, 256, 3]`` uint8."""
        return self.world.render((256, 256)) if self.render_mode == "rgb_array" else None


def unlocked(name: str) -> Callable[[Any, Any, Mapping[str, Any]], bool]:
    """Return the predicate of one achievement."""
    key = name.replace(" ", "_")
    return lambda env, obs, info: info["achievements"].get(key, 0) > 0


def make(
    size: int = 64, length: int = 10_000, render_mode: str | None = None, **options: Any
) -> TaskGraphWrapper:
    """Make the overlay.

    Args:
        size: see ``CrafterEnv``.
        length: see ``CrafterEnv``.
        render_mode: see ``CrafterEnv``.
        **options: of ``TaskGraphWrapper``.
    """
    task = data_beside(__file__)
    env = CrafterEnv(size, length, render_mode)
    return TaskGraphWrapper(env, task, {name: unlocked(name) for name in task["subtasks"]}, **options)
