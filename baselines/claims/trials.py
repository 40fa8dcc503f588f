"""What the claims share: playing agents on the same seeds, intervals over seeds, the file of a result.

Owns no claim. A result holds figures with intervals, the command that makes them again and the
processor time that it took.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import stratagym  # noqa: F401  (registers the ids)
from stratagym.agents.base import Agent
from stratagym.agents.zoo import in_world
from stratagym.baselines.metrics import Interval, interval, resampled
from stratagym.baselines.report import write_text
from stratagym.baselines.rollout import Episode, play
from stratagym.envs.api.options import Options
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.step import Model

RESULTS = Path("docs/results")
"""Where results are written unless told otherwise, seen from the root of the repository."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One episode of one agent.

    Attributes:
        seed: of the reset.
        success: whether the goal was reached.
        ticks: the clock at the end.
    """

    seed: int
    success: bool
    ticks: int


def environment(name: str, task: Mapping[str, Any], scene: Mapping[str, Any], horizon: int) -> TaskEnv:
    """Return the environment of one task in one scene, with another horizon."""
    whole = {**task, "horizon": horizon}
    model = Model(name, 1, lambda index: whole, scene=lambda index: scene)
    return TaskEnv(model, Options(reward="task"))


def trials(
    env_id: str,
    options: Mapping[str, Any],
    make: Callable[[], Agent],
    seeds: Sequence[int],
    told: Callable[[Episode], None] | None = None,
) -> list[Trial]:
    """Play one agent over seeds; a planner gets the scripted skills of the world.

    Args:
        env_id: of the environment.
        options: of the environment; the reward is the file's, which needs no reference.
        make: makes the agent anew for each seed.
        seeds: of the resets.
        told: is told of each episode.
    """
    import gymnasium

    env = gymnasium.make(env_id, disable_env_checker=True, **{"reward": "task", **options})
    found = []
    for seed in seeds:
        episode = play(env, in_world(make()), seed)
        if told is not None:
            told(episode)
        found.append(Trial(seed, episode.success, episode.time))
    env.close()
    return found


def mean_of(values: Sequence[float]) -> Interval:
    """Return the mean of one figure a seed with its 95 % bootstrap interval."""
    column = np.asarray(values, float)[:, None]
    return interval(resampled(list(range(len(values))), column, lambda means: means[:, 0]))


def ratio_of(over: Sequence[float], under: Sequence[float]) -> Interval:
    """Return the mean of one ratio a seed with its 95 % bootstrap interval."""
    return mean_of([a / b for a, b in zip(over, under, strict=True)])


def plain(value: Any) -> Any:
    """Return figures as JSON takes them, rounded to four digits."""
    if isinstance(value, Interval):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return round(value, 4) if isinstance(value, float) else value


def publish(name: str, figures: Mapping[str, Any], command: str, folder: Path = RESULTS) -> dict[str, Any]:
    """Write a result, whole or not at all, and return it.

    Args:
        name: of the file.
        figures: what was found.
        command: what makes it again.
        folder: where to.
    """
    content = {**plain(figures), "command": command, "cpu_seconds": round(time.process_time(), 1)}
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{name}.json", json.dumps(content, indent=1) + "\n")
    return content
