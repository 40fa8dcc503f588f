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
from gymnasium import spaces

from stratagym.baselines.suites import InputError, one_line
from stratagym.envs.record import Record, RecordError, read_record

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
        agent: sees the ``Observation``, as in every evaluation; one that names subtasks gets its skills in a
            world.
        seeds: one episode each.

    Raises:
        InputError: if actions are not numbered, the agent fails, or there was no step at all.
    """
    from stratagym.agents.zoo import in_world
    from stratagym.baselines.rollout import AgentError, play, waiting

    base = env.unwrapped
    _check_numbered(base)
    if base.model.scene(0) is not None:
        agent = in_world(agent)
    rows: list[tuple[Any, Any, Any, int]] = []
    success: list[bool] = []

    class Watched:
        """The agent, its environment's view noted before each of its choices."""

        def __init__(self) -> None:
            self.steps: list[tuple[Any, Any, Any, int]] = []

        def __getattr__(self, name: str) -> Any:
            return getattr(agent, name)

        def act(self, observation: Any) -> Any:
            shown, mask = base.shown(), base.action_masks()
            answer = agent.act(observation)
            self.steps.append((shown, mask, answer, waiting(observation)))
            return answer

    last = base.acting.waiting
    for k, seed in enumerate(seeds):
        watched = Watched()
        try:
            episode = play(env, watched, seed)
        except AgentError as error:
            raise InputError(f"the agent fails with seed {seed}: {one_line(error)}") from error
        for shown, mask, answer, wait in watched.steps:
            actions = np.asarray(answer, np.int64).ravel()
            # An agent waits with the last number of its own, the space with its last.
            rows.append((shown, mask, np.where(actions == wait, last, actions), k))
        success.append(bool(episode.success))
    return _stack(rows, success)


def _check_numbered(base: Any) -> None:
    """Refuse an environment whose actions are vectors.

    Raises:
        InputError: if they are.
    """
    if isinstance(base.action_space, spaces.Box):
        raise InputError(
            "demonstrations are of numbered actions, but here they are vectors; ppo learns there, by reward"
        )


def from_records(env: Any, paths: Sequence[Path]) -> Demonstrations:
    """Play recorded episodes again and keep what was seen and done.

    Args:
        env: as in ``collect``; it must be the environment of the records, under their clock.
        paths: of the records.

    Raises:
        InputError: if a record cannot be read, or goes another way here than it tells.
    """
    base = env.unwrapped
    _check_numbered(base)
    rows: list[tuple[Any, Any, Any, int]] = []
    success: list[bool] = []
    for k, path in enumerate(paths):
        record = _read(path)
        if record.header["clock"] != base.options.clock:
            raise InputError(
                f"{path}: recorded with clock={record.header['clock']!r}, not {base.options.clock!r}; "
                "leave --clock out, and take records of one clock"
            )
        _, info = env.reset(seed=record.header["seed"])
        scene = None if base.scene is None else base.scene.to_dict()
        if (base.task.to_dict(), scene) != (record.header.get("task"), record.header.get("scene")):
            raise InputError(f"{path}: an episode of another task than its seed has here")
        names = list(base.action_names)
        over = ""
        for number, step in enumerate(record.steps):
            unknown = [name for name in step["actions"] if name is not None and name not in names]
            if unknown or over or info["time"] != step["time"]:
                here = f"there is no {unknown[0]!r}" if unknown else f"it is tick {info['time']} {over}"
                raise InputError(
                    f"{path}: goes another way here: at step {number}, tick {step['time']}, {here.strip()}"
                )
            actions = np.array([len(names) - 1 if a is None else names.index(a) for a in step["actions"]])
            rows.append((base.shown(), base.action_masks(), actions, k))
            _, _, terminated, truncated, info = env.step(actions if len(actions) > 1 else int(actions[0]))
            over = "terminated" if terminated else "truncated" if truncated else ""
        assert record.end is not None
        told = (record.end["end"], record.end["time"], record.end["success"])
        found = (over or "on", int(info["time"]), bool(info["success"]))
        if told != found:
            raise InputError(
                f"{path}: goes another way here: recorded (end, tick, success) {told}, played again {found}"
            )
        success.append(found[2])
    return _stack(rows, success)


def clock_of(path: Path) -> str:
    """Return the clock that a recorded episode was played under.

    Raises:
        InputError: if it cannot be read.
    """
    return str(_read(path).header["clock"])


def _read(path: Path) -> Record:
    """Return a recorded episode that has come to its end.

    Raises:
        InputError: if there is none.
    """
    try:
        record = read_record(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except RecordError as error:
        raise InputError(one_line(error)) from error
    if record.end is None:
        raise InputError(f"{path}: the record breaks off before the end of its episode")
    return record


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


def check_fit(demos: Demonstrations, observations: Any, actions: Any, name: str) -> None:
    """Refuse demonstrations that a policy cannot learn from.

    Args:
        demos: the steps.
        observations: the policy's space, a ``Dict``.
        actions: the policy's space.
        name: of the file, for the error.

    Raises:
        InputError: saying what differs.
    """
    sizes = [int(actions.n)] if isinstance(actions, spaces.Discrete) else [int(n) for n in actions.nvec]
    wanted = {key: tuple(space.shape) for key, space in observations.spaces.items()}
    found = {key: tuple(part.shape[1:]) for key, part in demos.shown.items() if key in wanted}
    wanted |= {"the mask": (sum(sizes),), "the actions": (len(sizes),)}
    found |= {"the mask": demos.masks.shape[1:], "the actions": demos.actions.shape[1:]}
    for key, shape in wanted.items():
        if found.get(key) != shape:
            its = f"of shape {found[key]}" if key in found else "not there"
            raise InputError(
                f"{name}: demonstrations of another environment, view or knowledge: "
                f"{key} is {its}, not {shape}"
            )


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[Any]:
    """Yield the numbers of all steps in random order, ``size`` at a time."""
    order = rng.permutation(count)
    for first in range(0, count, size):
        yield order[first : first + size]
