"""The speed of training: MaskablePPO on a task of 32 subtasks beside SB3's PPO on CartPole.

Owns ``stratagym bench --train``: both with 64 lanes, the same rollouts, the same network and one thread,
in turns within one run; frames per second as a ratio, and the share of the wall time that the environment
takes. CartPole runs in SB3's own vector environment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from stratagym.baselines import bench, train
from stratagym.baselines.methods import OnPolicy

LANES, STEPS, BATCH, EPOCHS, NET = 64, 64, 512, 4, [64, 64]
ROUNDS = 5
SHARE_TARGET, RATIO_TARGET = 0.10, 0.8


class _Timed:
    """Counts the time that an environment's steps take.

    Args:
        venv: of SB3.
    """

    def __init__(self, venv: Any) -> None:
        self.seconds = 0.0
        step = venv.step

        def timed(actions: Any) -> Any:
            begun = time.perf_counter()
            found = step(actions)
            self.seconds += time.perf_counter() - begun
            return found

        venv.step = timed


def run(*, quick: bool = False) -> list[bench.Row]:
    """Train both in turns and return the rows, CartPole's first.

    Args:
        quick: one short round, which measures nothing.

    Raises:
        InputError: without the packages of the extra ``train``.
    """
    train.need_extra()
    from sb3_contrib import MaskablePPO
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import DummyVecEnv

    from stratagym.baselines.learning import build
    from stratagym.baselines.learning.choices import ChoosingPolicy
    from stratagym.baselines.learning.networks import FlatExtractor
    from stratagym.baselines.suites import EnvironmentSpec

    build.settle_torch()
    common: dict[str, Any] = {
        "n_steps": STEPS, "batch_size": BATCH, "n_epochs": EPOCHS, "seed": 0, "device": "cpu",
    }  # fmt: skip
    cart = make_vec_env("CartPole-v1", LANES, seed=0, vec_env_cls=DummyVecEnv)
    spec = EnvironmentSpec("stratagym/Task-v0", {"task": str(bench.PLAIN_TASK), "reward": "dense"})
    lanes = build.make_venv(spec.make_batch(LANES, events=False), OnPolicy(), training=False)
    policy = {"net_arch": {"pi": NET, "vf": NET}}
    models: dict[str, Callable[[int], Any]] = {}
    timers = {"CartPole-v1": _Timed(cart), "32 subtasks": _Timed(lanes)}
    first = PPO("MlpPolicy", cart, policy_kwargs=policy, **common)
    second = MaskablePPO(
        ChoosingPolicy,
        lanes,
        policy_kwargs={**policy, "features_extractor_class": FlatExtractor},
        **common,
    )
    for name, model in (("CartPole-v1", first), ("32 subtasks", second)):
        models[name] = model.learn
    frames = LANES * STEPS * (1 if quick else 3)
    rates: dict[str, list[float]] = {name: [] for name in models}
    by_cpu: dict[str, list[float]] = {name: [] for name in models}
    shares: dict[str, list[float]] = {name: [] for name in models}
    for learn in models.values():
        learn(LANES * STEPS)  # what is made at the first time is not measured
    for _ in range(1 if quick else ROUNDS):
        for name, learn in models.items():
            timers[name].seconds, begun, cpu = 0.0, time.perf_counter(), time.process_time()
            learn(frames)
            spent = time.perf_counter() - begun
            rates[name].append(frames / spent)
            by_cpu[name].append(frames / (time.process_time() - cpu))
            shares[name].append(timers[name].seconds / spent)
    cart.close()
    lanes.close()

    def ratio(of: dict[str, list[float]], name: str) -> float:
        """Return the median ratio of the rounds to CartPole's."""
        return float(np.median(np.array(of[name]) / np.array(of["CartPole-v1"])))

    goals = {
        "CartPole-v1": "",
        "32 subtasks": f">= {RATIO_TARGET}x, environment <= {SHARE_TARGET:.0%}",
    }
    return [
        {
            "name": f"{'PPO' if name == 'CartPole-v1' else 'MaskablePPO'}, {LANES} lanes, {name}",
            "steps_per_s": float(np.median(rates[name])),
            "ratio": ratio(rates, name),
            "ratio_cpu": ratio(by_cpu, name),
            "target": goals[name],
            "note": f"environment {np.median(shares[name]):.1%} of the time",
            "environment_share": float(np.median(shares[name])),
        }
        for name in models
    ]
