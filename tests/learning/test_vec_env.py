"""The native batch as SB3 sees it."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from stratagym.baselines.learning.vec_env import LanesVecEnv

ENV = "stratagym/Cooking-v0"


def lanes(count: int = 4, **options: Any) -> Any:
    """Return a batch that resets in the same step."""
    return gymnasium.make_vec(
        ENV, num_envs=count, vectorization_mode="vector_entry_point", size="small",
        **{"autoreset_mode": "SameStep", **options},
    )  # fmt: skip


def test_other_autoreset_is_refused() -> None:
    """A batch that resets in another way is refused, with what to do."""
    with pytest.raises(ValueError, match="SameStep"):
        LanesVecEnv(lanes(autoreset_mode="NextStep"))


def test_lanes_are_single_environments() -> None:
    """Seen through the adapter, lane i plays the episodes of the single environment with seed + i."""
    venv = LanesVecEnv(lanes(3))
    venv.seed(11)
    shown = venv.reset()
    singles = [gymnasium.make(ENV, size="small") for _ in range(3)]
    moments = [env.reset(seed=11 + i) for i, env in enumerate(singles)]
    rng = np.random.default_rng(0)
    ended = played = 0
    for _ in range(120):
        assert venv.ticks == played
        masks = np.stack(venv.env_method("action_masks"))
        for i, (observation, info) in enumerate(moments):
            assert all(np.array_equal(shown[key][i], observation[key]) for key in observation)
            assert np.array_equal(masks[i], info["action_mask"].astype(bool))
        actions = np.array([rng.choice(np.flatnonzero(row)) for row in masks])
        shown, rewards, dones, infos = venv.step(actions)
        for i, env in enumerate(singles):
            observation, reward, terminated, truncated, info = env.step(int(actions[i]))
            assert rewards[i] == pytest.approx(reward)
            assert dones[i] == (terminated or truncated)
            assert venv.elapsed[i] == info["elapsed"]
            played += info["elapsed"]
            if dones[i]:
                ended += 1
                last = infos[i]["terminal_observation"]
                assert all(np.array_equal(last[key], observation[key]) for key in observation)
                assert infos[i]["is_success"] == info["success"]
                assert infos[i]["episode"]["t"] == info["time"]
                assert infos[i]["TimeLimit.truncated"] == (truncated and not terminated)
                observation, info = env.reset()
            else:
                assert infos[i] == {}
            moments[i] = (observation, info)
    assert ended > 6


def test_a_horizon_can_be_an_end() -> None:
    """Without bootstrap no episode is told to be cut off."""
    venv = LanesVecEnv(lanes(2), bootstrap=False)
    venv.reset()
    told = []
    for _ in range(200):
        wait = np.full(2, venv.action_space.n - 1)  # type: ignore[attr-defined]
        _, _, dones, infos = venv.step(wait)
        told += [info["TimeLimit.truncated"] for info, done in zip(infos, dones, strict=True) if done]
    assert told
    assert not any(told)


def test_returns_and_lengths_are_counted() -> None:
    """The statistics of an episode are the sums of what its steps were paid."""
    venv = LanesVecEnv(lanes(1, reward="dense"))
    venv.seed(3)
    venv.reset()
    total, steps = 0.0, 0
    rng = np.random.default_rng(1)
    for _ in range(200):
        (mask,) = venv.env_method("action_masks")
        _, rewards, dones, infos = venv.step(np.array([rng.choice(np.flatnonzero(mask))]))
        total, steps = total + float(rewards[0]), steps + 1
        if dones[0]:
            assert infos[0]["episode"]["r"] == pytest.approx(total, abs=1e-5)
            assert infos[0]["episode"]["l"] == steps
            return
    pytest.fail("no episode ended")
