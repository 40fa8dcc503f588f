"""Demonstrations: what an agent saw and did, as arrays that another can learn from.

Owns how they are collected (from any agent, or from recorded episodes, those of ``stratagym play``
among them) and the file they are kept in: an ``.npz`` of arrays, without objects.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stratagym.baselines.suites import InputError, one_line

VERSION = 1


@dataclass
class Demonstrations:
    """Steps of some episodes, one behind the other.

    Attributes:
        shown: key of the view -> ``[T, ...]``.
        masks: ``[T, A * (n + 1)]`` bool.
        actions: ``[T, A]`` as the environment takes them.
        episodes: ``[T]`` number of the episode of each step.
        success: ``[episodes]`` whether each reached the goal.
    """

    shown: Mapping[str, Any]
    masks: Any
    actions: Any
    episodes: Any
    success: Any

    def __len__(self) -> int:
        return len(self.actions)


def collect(env: Any, agent: Any, seeds: Iterable[int]) -> Demonstrations:
    """Have an agent play and keep what it saw and did.

    Args:
        env: a single environment, in the view that shall be learned from.
        agent: sees the ``Observation``, as in every evaluation.
        seeds: one episode each.

    Raises:
        InputError: if there was no step at all.
    """
    from stratagym.baselines.rollout import Step, play

    base = env.unwrapped
    rows: list[tuple[Any, Any, Any, int]] = []
    success: list[bool] = []

    class Watched:
        """The agent, its environment's view noted before each of its choices."""

        def __init__(self) -> None:
            self.moments: list[tuple[Any, Any]] = []
            self.chosen: list[Any] = []

        def __getattr__(self, name: str) -> Any:
            return getattr(agent, name)

        def act(self, observation: Any) -> Any:
            self.moments.append((base.shown(), base.action_masks()))
            answer = agent.act(observation)
            self.chosen.append(answer)
            return answer

    for k, seed in enumerate(seeds):
        watched = Watched()
        taken: list[Step] = []
        episode = play(env, watched, seed, taken.append)
        width = base.action_space.n if hasattr(base.action_space, "n") else int(base.action_space.nvec[0])
        for (shown, mask), answer in zip(watched.moments, watched.chosen, strict=True):
            actions = np.atleast_1d(np.asarray(answer, np.int64)).ravel()
            # An agent waits with the last column of its own mask, the space with its last number.
            wait = len(base.task.graph.subtasks) if base.scene is None else width - 1
            rows.append((shown, mask, np.where(actions == wait, width - 1, actions), k))
        success.append(bool(episode.success))
    return _stack(rows, success)


def from_records(env: Any, paths: Sequence[Path]) -> Demonstrations:
    """Play recorded episodes again and keep what was seen and done.

    Args:
        env: as in ``collect``; it must be the environment of the records.
        paths: of the records.

    Raises:
        InputError: if a record is of another task, or cannot be read.
    """
    from stratagym.envs.record import read_record

    base = env.unwrapped
    rows: list[tuple[Any, Any, Any, int]] = []
    success: list[bool] = []
    for k, path in enumerate(paths):
        record = read_record(path)
        _, info = env.reset(seed=record.header["seed"])
        if base.task.to_dict() != record.header.get("task"):
            raise InputError(f"{path}: an episode of another task than its seed has here")
        names = list(base.action_names)
        for step in record.steps:
            actions = np.array([len(names) - 1 if a is None else names.index(a) for a in step["actions"]])
            rows.append((base.shown(), base.action_masks(), actions, k))
            _, _, terminated, truncated, info = env.step(actions if len(actions) > 1 else int(actions[0]))
            if terminated or truncated:
                break
        success.append(bool(info["success"]))
    return _stack(rows, success)


def _stack(rows: Sequence[tuple[Any, Any, Any, int]], success: Sequence[bool]) -> Demonstrations:
    if not rows:
        raise InputError("there is no step to learn from")
    shown, masks, actions, episodes = zip(*rows, strict=True)
    return Demonstrations(
        {key: np.stack([part[key] for part in shown]) for key in shown[0]},
        np.stack(masks).astype(bool),
        np.stack(actions),
        np.array(episodes),
        np.array(success, bool),
    )


def save(path: str | Path, demos: Demonstrations) -> None:
    """Write demonstrations whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part.npz")
    arrays = {f"shown/{key}": value for key, value in demos.shown.items()}
    np.savez_compressed(
        part, version=VERSION, masks=demos.masks, actions=demos.actions, episodes=demos.episodes,
        success=demos.success, **arrays,
    )  # fmt: skip
    os.replace(part, path)


def load(path: str | Path) -> Demonstrations:
    """Read demonstrations.

    Raises:
        InputError: if the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if int(file["version"]) != VERSION:
                raise InputError(
                    f"{path}: version {int(file['version'])} of demonstrations; this reads {VERSION}"
                )
            shown = {n.removeprefix("shown/"): file[n] for n in file.files if n.startswith("shown/")}
            return Demonstrations(shown, file["masks"], file["actions"], file["episodes"], file["success"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no demonstrations that can be read ({one_line(error)})") from error


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[Any]:
    """Yield the numbers of all steps in random order, ``size`` at a time."""
    order = rng.permutation(count)
    for first in range(0, count, size):
        yield order[first : first + size]
