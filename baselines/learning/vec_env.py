"""A native batch as a vector environment of Stable-Baselines3.

Owns the translation of autoreset, terminal observations, masks and episode statistics; SB3
ships no such adapter. Observations are handed on as they are: SB3's buffers copy them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.vec_env import VecEnv


class LanesVecEnv(VecEnv):
    """A Gymnasium batch with same-step autoreset, seen by SB3.

    ``infos[i]`` is empty but at the end of an episode: then it has ``terminal_observation``,
    ``TimeLimit.truncated``, ``is_success`` and ``episode`` (return ``r``, steps ``l``, ticks ``t``).
    ``env_method("action_masks")`` returns the present masks, ``[B, n + 1]`` bool.

    Args:
        envs: the batch, made with ``autoreset_mode="SameStep"``.
        bootstrap: whether an episode that the horizon ends is told to be cut off, so that SB3
            adds the value of its last state.
        without: keys of the observation that are left out (what is the same in all of a batch's tasks
            teaches nothing, and costs the buffers' room).

    Attributes:
        elapsed: ticks of the latest step, ``[B]``.
        ticks: of all steps of all lanes so far: what has been played, whatever a step is.

    Raises:
        ValueError: if the batch resets in another way.
    """

    def __init__(
        self, envs: VectorEnv[Any, Any, Any], *, bootstrap: bool = True, without: Collection[str] = ()
    ) -> None:
        self.envs: Any = envs
        self._without = frozenset(without)
        mode = envs.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(f"autoreset_mode is {mode}; make the batch with autoreset_mode='SameStep'")
        self._bootstrap = bootstrap
        self._actions: Any = None
        self.masks: Any = None
        self.elapsed = np.ones(envs.num_envs, np.int64)
        self.ticks = 0
        self.returns = np.zeros(envs.num_envs)
        self.lengths = np.zeros(envs.num_envs, np.int64)
        self.render_mode = None
        space: Any = envs.single_observation_space
        if self._without:
            space = spaces.Dict({k: part for k, part in space.spaces.items() if k not in self._without})
        super().__init__(envs.num_envs, space, envs.single_action_space)

    def _shown(self, observations: Any) -> Any:
        """Return an observation without what is left out."""
        if not self._without:
            return observations
        return {key: part for key, part in observations.items() if key not in self._without}

    def reset(self) -> Any:
        """Begin an episode in every lane, with the seeds that ``seed`` has set."""
        seeds = self._seeds if any(s is not None for s in self._seeds) else None
        observations, info = self.envs.reset(seed=seeds)
        self._reset_seeds()
        self._know(info)
        self.returns[:] = 0.0
        self.lengths[:] = 0
        return self._shown(observations)

    def _know(self, info: dict[str, Any]) -> None:
        mask = info.get("action_mask")
        self.masks = None if mask is None else np.asarray(mask).reshape(self.num_envs, -1).astype(bool)

    def step_async(self, actions: Any) -> None:
        """Take the actions of all lanes."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Step all lanes; a finished one begins its next episode at once."""
        observations, rewards, terminated, truncated, info = self.envs.step(self._actions)
        over = terminated | truncated
        self._know(info)
        final = info.get("final_info")
        elapsed = info.get("elapsed")
        if elapsed is not None:
            # A lane that has begun anew tells of its new episode; its last step is in the final one.
            self.elapsed = np.where(over, final["elapsed"], elapsed) if final is not None else elapsed
        self.ticks += int(self.elapsed.sum())
        self.returns += rewards
        self.lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(over).tolist():
            told = info if final is None else final
            infos[i] = {
                "terminal_observation": _lane(self._shown(info["final_obs"]), i),
                "TimeLimit.truncated": bool(self._bootstrap and truncated[i] and not terminated[i]),
                "is_success": bool(told["success"][i]) if "success" in told else bool(terminated[i]),
                "episode": {
                    "r": float(self.returns[i]),
                    "l": int(self.lengths[i]),
                    "t": int(told["time"][i]) if "time" in told else int(self.lengths[i]),
                },
            }
            self.returns[i], self.lengths[i] = 0.0, 0
        return self._shown(observations), np.asarray(rewards, np.float32), over, infos

    def close(self) -> None:
        """Close the batch."""
        self.envs.close()

    def _chosen(self, indices: int | Iterable[int] | None) -> Sequence[int]:
        return [int(k) for k in self._get_indices(indices)]

    def has_attr(self, attr_name: str) -> bool:
        """Return whether the batch (or one lane of it) has an attribute."""
        return self.masks is not None if attr_name == "action_masks" else hasattr(self.envs, attr_name)

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the batch, once for each lane.

        Raises:
            AttributeError: if there is none of that name.
        """
        return [getattr(self.envs, attr_name)] * len(self._chosen(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the batch; lanes have none of their own."""
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of the batch, or return each lane's ``action_masks``."""
        chosen = self._chosen(indices)
        if method_name == "action_masks":
            return [self.masks[k] for k in chosen]
        found = getattr(self.envs, method_name)(*args, **kwargs)
        return [found] * len(chosen)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return for each lane that nothing wraps it (SB3 asks for its Monitor: statistics come anyway)."""
        return [wrapper_class.__name__ == "Monitor"] * len(self._chosen(indices))


def adapter_of(venv: Any) -> LanesVecEnv:
    """Return our adapter under whatever wraps it."""
    while not isinstance(venv, LanesVecEnv):
        venv = venv.venv
    return venv


def _lane(observations: Any, i: int) -> Any:
    """Return one lane of a batch of observations."""
    if isinstance(observations, dict):
        return {name: part[i] for name, part in observations.items()}
    return observations[i]
