"""Settings of runs that take seconds."""

from __future__ import annotations

from typing import Any

ENV = "stratagym/Cooking-v0:size=small"
SHORT: dict[str, Any] = {
    "total_steps": 1024, "lanes": 4, "n_steps": 32, "batch_size": 64, "n_epochs": 2, "net": [32],
    "eval_every": 512, "eval_episodes": 4, "save_every": 256,
}  # fmt: skip
SHORTER: dict[str, Any] = {**SHORT, "total_steps": 512, "eval_every": 256, "save_every": 128}
SETTINGS: dict[str, dict[str, Any]] = {
    "ppo": SHORT,
    "maskable_ppo": {**SHORT, "discount": "ticks", "normalize_reward": True},
    "recurrent_ppo": {**SHORT, "lstm": 16},
    "dqn": {
        "total_steps": 1024, "lanes": 4, "net": [32], "eval_every": 512, "eval_episodes": 4,
        "save_every": 256, "learning_starts": 100, "buffer_size": 400, "batch_size": 32,
    },
    "hppo": {**SHORTER, "view": "planes"},
    "skill_ppo": SHORTER,
    "bc": {"teacher": "greedy", "episodes": 4, "epochs": 20, "eval_episodes": 4, "net": [32]},
}  # fmt: skip
WORLD = "stratagym/Mining-v0:size=small"
ENV_OF = {method: WORLD if method in ("hppo", "skill_ppo") else ENV for method in SETTINGS}
"""Where each method is tried: skills are of worlds."""
