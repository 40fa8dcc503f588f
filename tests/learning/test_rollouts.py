"""Discounting by ticks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3.common.buffers import DictRolloutBuffer

from stratagym.baselines.learning.rollouts import TickBuffer

SPACE = spaces.Dict({"x": spaces.Box(-1, 1, (1,), np.float32)})


def filled(buffer: Any, source: Any, elapsed: np.ndarray[Any, Any], seed: int) -> Any:
    """Return a buffer of random steps, and what it made of them."""
    rng = np.random.default_rng(seed)
    steps, lanes = elapsed.shape
    starts = rng.random((steps, lanes)) < 0.2
    rewards, values = rng.normal(size=(2, steps, lanes)).astype(np.float32)
    for k in range(steps):
        source.elapsed = elapsed[k]
        buffer.add(
            {"x": np.zeros((lanes, 1), np.float32)}, np.zeros((lanes, 1)), rewards[k], starts[k],
            torch.tensor(values[k]), torch.zeros(lanes),
        )  # fmt: skip
    last, dones = torch.tensor(rng.normal(size=lanes).astype(np.float32)), rng.random(lanes) < 0.3
    buffer.compute_returns_and_advantage(last, dones)
    return rewards, values, starts, last.numpy(), dones


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 8))
def test_one_tick_a_step_is_sb3(seed: int, steps: int) -> None:
    """Where every step takes one tick, returns and advantages are SB3's."""
    source = SimpleNamespace(elapsed=np.ones(2))
    ours = TickBuffer(steps, SPACE, spaces.Discrete(2), gamma=0.9, gae_lambda=0.8, n_envs=2, source=source)
    theirs = DictRolloutBuffer(steps, SPACE, spaces.Discrete(2), gamma=0.9, gae_lambda=0.8, n_envs=2)
    filled(ours, source, np.ones((steps, 2)), seed)
    filled(theirs, source, np.ones((steps, 2)), seed)
    np.testing.assert_allclose(ours.advantages, theirs.advantages, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.returns, theirs.returns, rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_returns_are_discounted_by_ticks(seed: int) -> None:
    """With lambda 1, a return is the sum of what follows, each gain discounted by the ticks before it."""
    rng = np.random.default_rng(seed)
    elapsed = rng.integers(0, 5, size=(6, 1))
    source = SimpleNamespace(elapsed=np.ones(1))
    buffer = TickBuffer(6, SPACE, spaces.Discrete(2), gamma=0.9, gae_lambda=1.0, n_envs=1, source=source)
    rewards, _, starts, last, dones = filled(buffer, source, elapsed, seed)
    for first in range(6):
        total, discount, k = 0.0, 1.0, first
        while True:
            total += discount * float(rewards[k, 0])
            discount *= 0.9 ** int(elapsed[k, 0])
            k += 1
            if k == 6:
                total += 0.0 if dones[0] else discount * float(last[0])
                break
            if starts[k, 0]:
                break
        assert buffer.returns[first, 0] == pytest.approx(total, rel=1e-3, abs=1e-4)
