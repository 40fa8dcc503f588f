"""Rollout buffers that discount by the ticks that a step took.

Owns generalized advantage estimation on a semi-Markov process: a step of k ticks is
discounted by ``gamma ** k`` (Sutton, Precup and Singh, 1999). With one tick a step it is
SB3's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sb3_contrib.common.maskable.buffers import MaskableDictRolloutBuffer
from stable_baselines3.common.buffers import DictRolloutBuffer


class _Ticks:
    """What makes a rollout buffer discount by ticks.

    Args:
        source: has ``elapsed``, the ticks of the latest step by lane.
    """

    # Of the buffer that this is mixed into.
    buffer_size: int
    n_envs: int
    pos: int
    gamma: float
    gae_lambda: float
    rewards: Any
    values: Any
    advantages: Any
    returns: Any
    episode_starts: Any

    def __init__(self, *args: Any, source: Any, **kwargs: Any) -> None:
        self.source = source
        self.elapsed = np.ones((0, 0))
        super().__init__(*args, **kwargs)

    def reset(self) -> None:
        """Forget what was collected."""
        super().reset()  # type: ignore[misc]
        self.elapsed = np.ones((self.buffer_size, self.n_envs))

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Add one step of all lanes; it was the source's latest."""
        self.elapsed[self.pos] = self.source.elapsed
        super().add(*args, **kwargs)  # type: ignore[misc]

    def compute_returns_and_advantage(self, last_values: Any, dones: Any) -> None:
        """Work out advantages and returns; see SB3's ``RolloutBuffer``."""
        following = last_values.clone().cpu().numpy().flatten()
        going_on = 1.0 - np.asarray(dones, np.float32)
        discounts = np.power(self.gamma, self.elapsed)
        advantage = np.zeros(self.n_envs)
        for step in reversed(range(self.buffer_size)):
            discount = discounts[step] * going_on
            gain = self.rewards[step] + discount * following - self.values[step]
            advantage = gain + discount * self.gae_lambda * advantage
            self.advantages[step] = advantage
            following, going_on = self.values[step], 1.0 - self.episode_starts[step]
        self.returns = self.advantages + self.values


class TickBuffer(_Ticks, DictRolloutBuffer):
    """For PPO."""


class MaskableTickBuffer(_Ticks, MaskableDictRolloutBuffer):
    """For MaskablePPO."""
