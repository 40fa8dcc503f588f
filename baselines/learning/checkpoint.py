"""Checkpoints: all that a run needs to go on as if it had never stopped.

Owns the folder of a checkpoint: ``agent.json`` and ``policy.pt`` (an agent that can be played),
``trainer.pt``, ``trainer.npz`` and ``trainer.json`` (optimizer, buffers, normalisation, every random state,
every lane). Nothing in it can run code when it is read: JSON, arrays without objects, and
tensors with ``weights_only``. A folder appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import zipfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from stratagym.baselines.learning.vec_env import adapter_of
from stratagym.baselines.report import write_text
from stratagym.baselines.suites import InputError, one_line

VERSION = 2
AGENT, POLICY = "agent.json", "policy.pt"
TENSORS, ARRAYS, NUMBERS = "trainer.pt", "trainer.npz", "trainer.json"


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Write a folder whole or not at all.

    Args:
        folder: where it shall be; what stands there is replaced.
        fill: writes files and folders into an empty folder.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    fill(part)
    for path in part.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(part, folder)
    shutil.rmtree(old, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write a file of JSON whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a file holds.

    Raises:
        InputError: if the file is missing or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({one_line(error)})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds {type(content).__name__}, not an object")
    return content


def load_tensors(path: Path) -> Any:
    """Return tensors from a file without running anything that it may hold.

    Raises:
        InputError: if it is missing, damaged, or holds more than tensors.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # torch raises whatever the damage leads to
        raise InputError(f"{path}: no file of tensors that can be read safely") from error


def save_agent(folder: Path, about: Mapping[str, Any], policy: Any) -> None:
    """Write an agent that ``trained.load`` reads into an existing folder, its learned skills with it."""
    from stratagym.baselines.learning import skills

    write_json(folder / AGENT, {"version": VERSION, **about})
    torch.save(policy.state_dict(), folder / POLICY)
    skills.keep(folder, about)


# ------------------------------------------------------------------ the whole state of a run


def save_run(folder: Path, about: Mapping[str, Any], model: BaseAlgorithm, more: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        folder: where it shall be.
        about: what ``trained.load`` needs to know of the agent.
        model: between two rollouts.
        more: numbers of the run that are kept as they are.
    """
    write_folder(folder, lambda part: _fill(part, about, model, more))


def _fill(folder: Path, about: Mapping[str, Any], model: BaseAlgorithm, more: Mapping[str, Any]) -> None:
    save_agent(folder, about, model.policy)
    venv = model.env
    assert venv is not None
    lanes = adapter_of(venv)
    arrays: dict[str, Any] = {}
    numbers: dict[str, Any] = {
        "version": VERSION,
        "steps": model.num_timesteps,
        "ticks": lanes.ticks,
        "updates": getattr(model, "_n_updates", 0),
        "episodes": getattr(model, "_episode_num", 0),
        "infos": list(model.ep_info_buffer or ()),
        "successes": [bool(s) for s in model.ep_success_buffer or ()],
        "left": model._current_progress_remaining,
        "exploration": getattr(model, "exploration_rate", None),
        "python": _plain(random.getstate()),
        "more": dict(more),
    }
    tensors: dict[str, Any] = {"torch": torch.get_rng_state(), **_optimizers(model)}
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - the state that SB3 draws from
    arrays["numpy"] = keys
    numbers["numpy"] = [kind, *rest]
    for owner, space in (("model", model.action_space), ("env", venv.action_space)):
        numbers[f"space/{owner}"] = _plain(space.np_random.bit_generator.state)
    _put_observation(arrays, "last", model._last_obs)
    arrays["starts"] = np.asarray(model._last_episode_starts)
    arrays["returns"], arrays["lengths"], arrays["elapsed"] = lanes.returns, lanes.lengths, lanes.elapsed
    if lanes.masks is not None:
        arrays["masks"] = lanes.masks
    state = lanes.envs.get_state()
    numbers["lanes"] = {key: value for key, value in state.items() if key != "lanes"}
    for k, parts in enumerate(zip(*state["lanes"], strict=True)):
        _put_lanes(arrays, f"lane/{k}", parts)
    if isinstance(venv, VecNormalize):
        rms = venv.ret_rms
        arrays["normal"] = np.array([rms.mean, rms.var, rms.count], np.float64)
        arrays["normal/returns"] = venv.returns
        _put_observation(arrays, "original", getattr(model, "_last_original_obs", None))
    lstm = getattr(model, "_last_lstm_states", None)
    if lstm is not None:
        tensors["lstm"] = {"pi": list(lstm.pi), "vf": list(lstm.vf)}
    if isinstance(model, OffPolicyAlgorithm):
        _put_replay(arrays, numbers, model)
    torch.save(tensors, folder / TENSORS)
    np.savez(folder / ARRAYS, **arrays)
    write_json(folder / NUMBERS, numbers)


def load_run(folder: Path, model: BaseAlgorithm) -> dict[str, Any]:
    """Put a freshly made model and its lanes where a checkpoint was written.

    Args:
        folder: of the checkpoint.
        model: made with the settings of the run.

    Returns:
        The numbers that ``save_run`` was given.

    Raises:
        InputError: if a file is missing, damaged or does not fit.
    """
    numbers = read_json(folder / NUMBERS)
    if numbers.get("version") != VERSION:
        raise InputError(f"{folder}: version {numbers.get('version')!r} of checkpoints; this reads {VERSION}")
    policy, tensors = load_tensors(folder / POLICY), load_tensors(folder / TENSORS)
    try:
        with np.load(folder / ARRAYS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        _restore(model, numbers, arrays, policy, tensors)
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{folder}: does not fit this run ({one_line(error)})") from error
    more: dict[str, Any] = numbers["more"]
    return more


def _restore(model: BaseAlgorithm, numbers: Any, arrays: Any, policy: Any, tensors: Any) -> None:
    venv = model.env
    assert venv is not None
    lanes = adapter_of(venv)
    model.policy.load_state_dict(policy)
    for name, optimizer in _optimizers_of(model).items():
        optimizer.load_state_dict(tensors[name])
    model.num_timesteps = numbers["steps"]
    model._n_updates = numbers["updates"]
    model._episode_num = numbers["episodes"]
    model._current_progress_remaining = numbers["left"]
    if numbers["exploration"] is not None:
        model.exploration_rate = numbers["exploration"]  # type: ignore[attr-defined]
    window = model._stats_window_size
    model.ep_info_buffer = deque(numbers["infos"], maxlen=window)
    model.ep_success_buffer = deque(numbers["successes"], maxlen=window)
    lanes.envs.reset(seed=0)  # a batch takes a state once it has begun
    count = sum(name.startswith("lane/") for name in arrays)
    parts = [_lanes(arrays, f"lane/{k}") for k in range(count)]
    lanes.envs.set_state({**numbers["lanes"], "lanes": list(zip(*parts, strict=True))})
    lanes.returns[:], lanes.lengths[:] = arrays["returns"], arrays["lengths"]
    lanes.elapsed = arrays["elapsed"]
    lanes.ticks = numbers["ticks"]
    lanes.masks = arrays.get("masks")
    model._last_obs = _observation(arrays, "last")
    model._last_episode_starts = arrays["starts"]
    if isinstance(venv, VecNormalize):
        rms: Any = venv.ret_rms
        rms.mean, rms.var, rms.count = arrays["normal"]
        venv.returns = arrays["normal/returns"]
        model._last_original_obs = _observation(arrays, "original")
    if "lstm" in tensors:
        states: Any = model._last_lstm_states  # type: ignore[attr-defined]
        parts_of = tensors["lstm"]
        model._last_lstm_states = type(states)(  # type: ignore[attr-defined]
            tuple(parts_of["pi"]), tuple(parts_of["vf"])
        )
    if isinstance(model, OffPolicyAlgorithm):
        _take_replay(arrays, numbers, model)
    for owner, space in (("model", model.action_space), ("env", venv.action_space)):
        space.np_random.bit_generator.state = numbers[f"space/{owner}"]
    # Last, since making and resetting draws.
    random.setstate(_tuples(numbers["python"]))
    kind, *rest = numbers["numpy"]
    np.random.set_state((kind, arrays["numpy"], *rest))  # noqa: NPY002
    torch.set_rng_state(tensors["torch"])


def _optimizers_of(model: BaseAlgorithm) -> dict[str, Any]:
    return {"optimizer": model.policy.optimizer}


def _optimizers(model: BaseAlgorithm) -> dict[str, Any]:
    return {name: optimizer.state_dict() for name, optimizer in _optimizers_of(model).items()}


def _put_lanes(arrays: dict[str, Any], name: str, parts: Sequence[Any]) -> None:
    """Add one array of each lane; what a mind remembers is not of the same length in all."""
    parts = [np.asarray(part) for part in parts]
    if len({part.shape for part in parts}) == 1:
        arrays[name] = np.stack(parts)
    else:
        arrays[name] = np.concatenate(parts)
        arrays[f"length/{name}"] = np.array([len(part) for part in parts])


def _lanes(arrays: dict[str, Any], name: str) -> list[Any]:
    """Return what ``_put_lanes`` has added."""
    lengths = arrays.get(f"length/{name}")
    if lengths is None:
        return list(arrays[name])
    return np.split(arrays[name], np.cumsum(lengths)[:-1])


def _put_observation(arrays: dict[str, Any], name: str, observation: Any) -> None:
    if isinstance(observation, dict):
        for key, part in observation.items():
            arrays[f"{name}/{key}"] = part
    elif observation is not None:
        arrays[name] = observation


def _observation(arrays: dict[str, Any], name: str) -> Any:
    if name in arrays:
        return arrays[name]
    found = {k.removeprefix(f"{name}/"): part for k, part in arrays.items() if k.startswith(f"{name}/")}
    return found or None


_REPLAY = ("actions", "rewards", "dones", "timeouts")


def _put_replay(arrays: dict[str, Any], numbers: dict[str, Any], model: OffPolicyAlgorithm) -> None:
    """Add what an off-policy method keeps besides: the filled part of its memory, and its counters."""
    memory = model.replay_buffer
    assert memory is not None
    filled = memory.buffer_size if memory.full else memory.pos
    numbers["replay"] = {"pos": memory.pos, "full": memory.full}
    numbers["calls"] = getattr(model, "_n_calls", 0)
    for name in _REPLAY:
        arrays[f"replay/{name}"] = getattr(memory, name)[:filled]
    for name in ("observations", "next_observations"):
        for key, part in getattr(memory, name).items():
            arrays[f"replay/{name}/{key}"] = part[:filled]


def _take_replay(arrays: dict[str, Any], numbers: dict[str, Any], model: OffPolicyAlgorithm) -> None:
    memory = model.replay_buffer
    assert memory is not None
    memory.pos, memory.full = numbers["replay"]["pos"], numbers["replay"]["full"]
    model._n_calls = numbers["calls"]  # type: ignore[attr-defined]
    for name in _REPLAY:
        getattr(memory, name)[: len(arrays[f"replay/{name}"])] = arrays[f"replay/{name}"]
    for name in ("observations", "next_observations"):
        for key, part in getattr(memory, name).items():
            kept = arrays[f"replay/{name}/{key}"]
            part[: len(kept)] = kept


def _plain(value: Any) -> Any:
    """Return a random state as JSON can hold it (its integers may be of any size)."""
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _tuples(value: Any) -> Any:
    """Return lists as the tuples that ``random.setstate`` wants."""
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
