"""Other people's trainers take our environments without code of ours in between.

Each test needs the real package (extra ``trainers``) and says so where it is not installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import stratagym

ID = "stratagym/Cooking-v0"
assert stratagym.__name__


def test_rl_zoo3_trains_by_our_ids(tmp_path: Path) -> None:
    """``python -m rl_zoo3.train --gym-packages stratagym`` trains PPO on an id of ours and leaves a model."""
    pytest.importorskip("rl_zoo3", reason="rl_zoo3 is not installed (extra trainers)")
    settings = tmp_path / "ppo.yml"
    settings.write_text(
        f"{ID}:\n  n_envs: 2\n  n_timesteps: !!float 256\n  policy: 'MultiInputPolicy'\n"
        "  n_steps: 64\n  batch_size: 64\n"
    )
    run = subprocess.run(
        [
            sys.executable, "-m", "rl_zoo3.train", "--algo", "ppo", "--env", ID,
            "--gym-packages", "stratagym", "--conf-file", str(settings), "-f", str(tmp_path / "logs"),
            "--env-kwargs", "size:'small'",
            "--eval-freq", "-1", "--device", "cpu",
        ],
        capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    assert list((tmp_path / "logs").rglob("*.zip"))


def test_torchrl_collects() -> None:
    """TorchRL's ``GymEnv`` and collector take our observations and actions as they are."""
    pytest.importorskip("torchrl", reason="torchrl is not installed (extra trainers)")
    from torchrl import collectors
    from torchrl.envs import GymEnv

    # Releases before 0.14 call it by its longer name.
    make: Any = getattr(collectors, "Collector", None) or collectors.SyncDataCollector

    env = GymEnv(ID, size="small")
    rolled = env.rollout(20, break_when_any_done=False)
    assert rolled["subtasks"].shape[0] == 20
    collector = make(lambda: GymEnv(ID, size="small"), None, frames_per_batch=32, total_frames=64)
    batches = list(collector)
    collector.shutdown()
    assert sum(batch.numel() for batch in batches) == 64


def test_tianshou_collects() -> None:
    """Tianshou's collector plays our environments; it keeps infos in arrays, so events are left out."""
    pytest.importorskip("tianshou", reason="tianshou is not installed (extra trainers)")
    from tianshou.data import Batch, Collector, VectorReplayBuffer
    from tianshou.env import DummyVectorEnv

    envs = DummyVectorEnv([lambda: gymnasium.make(ID, size="small", events=False) for _ in range(2)])
    policy = _random_policy(envs.action_space[0])
    collector: Any = Collector(policy, envs, VectorReplayBuffer(400, 2))
    collector.reset()
    found = collector.collect(n_episode=4)
    assert found.n_collected_episodes == 4
    assert Batch is not None


def _random_policy(space: Any) -> Any:
    """Return Tianshou's uniform policy, wherever this release keeps it."""
    try:
        from tianshou.algorithm.algorithm_base import RandomActionPolicy
    except ImportError:
        from tianshou.policy import RandomActionPolicy
    try:
        return RandomActionPolicy(action_space=space)
    except TypeError:
        return RandomActionPolicy(space)


def test_minari_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Minari's ``DataCollector`` records our episodes, infos left out, and gives them back."""
    minari = pytest.importorskip("minari", reason="minari is not installed (extra trainers)")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = minari.DataCollector(gymnasium.make(ID, size="small"))
    lengths = []
    for seed in range(2):
        _, info = env.reset(seed=seed)
        over, steps = False, 0
        while not over:
            _, _, terminated, truncated, info = env.step(int(np.argmax(info["action_mask"])))
            over, steps = terminated or truncated, steps + 1
        lengths.append(steps)
    dataset = env.create_dataset("stratagym/cooking-v0")
    assert [len(episode.actions) for episode in dataset.iterate_episodes()] == lengths
    episode = next(iter(dataset.iterate_episodes()))
    assert set(episode.observations) == set(env.observation_space.spaces)
