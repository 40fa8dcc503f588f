"""A batch of environments made of skills, lane after lane, with the autoreset modes of Gymnasium.

Owns the batch's spaces, autoreset and ``info`` as arrays for environments whose steps take lanes
different numbers of ticks, so that they cannot be stepped together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

Obs = dict[str, np.ndarray[Any, Any]]

_NUMBERS = {"time": np.int32, "elapsed": np.int32, "instance": np.int32, "goal": np.int32}
_REALS = ("tardiness", "discount")
_FLAGS = ("success", "dead_end")


class LaneBatch(VectorEnv[Obs, Any, Any]):
    """Lanes of one kind of single environment.

    ``info`` holds those that the lanes tell of: ``time``, ``elapsed``, ``success``, ``discount``,
    ``tardiness``, ``dead_end``, ``goal`` (arrays ``[B]``) and ``action_mask`` (``[B, ...]``). Under
    ``SameStep`` the last moment of finished lanes is in ``info["final_obs"]`` and ``info["final_info"]``
    (arrays over all lanes, valid where ``_final_obs`` says so).

    Args:
        lane: makes one lane.
        num_envs: how many.
        autoreset_mode: a member of ``AutoresetMode`` or its value.

    Raises:
        ValueError: if the number or the mode is wrong.
    """

    def __init__(self, lane: Callable[[], Any], num_envs: int, autoreset_mode: Any) -> None:
        if isinstance(num_envs, bool) or not isinstance(num_envs, int | np.integer) or num_envs < 1:
            raise ValueError(f"num_envs={num_envs!r} is not an integer of at least 1")
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.num_envs = num_envs
        self.lanes = [lane() for _ in range(num_envs)]
        first = self.lanes[0]
        self.render_mode = None
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = first.observation_space
        self.single_action_space = first.action_space
        self.observation_space = batch_space(first.observation_space, num_envs)
        self.action_space = batch_space(first.action_space, num_envs)
        self._over = np.zeros(num_envs, bool)
        self._last: list[tuple[Obs, dict[str, Any]]] = []

    # -------------------------------------------------------------- Gymnasium

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Obs, dict[str, Any]]:
        """Begin episodes: in all lanes, or with ``options={"reset_mask": [B] bool}`` in some.

        Args:
            seed: lane ``i`` gets ``seed + i``, or the i-th of a sequence; None goes on with the next
                episode of the last seed.
            options: ``reset_mask`` and what the single environment takes.

        Raises:
            ValueError: if the mask or the seeds have another length.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        options = dict(options or {})
        mask = np.asarray(options.pop("reset_mask", np.ones(self.num_envs, bool)), bool)
        if mask.shape != (self.num_envs,):
            raise ValueError(f"options['reset_mask'] has shape {mask.shape}, not ({self.num_envs},)")
        if not self._last and not mask.all():
            raise ResetNeeded("the first reset begins all lanes")
        if isinstance(seed, Sequence | np.ndarray):
            if len(seed) != self.num_envs:
                raise ValueError(f"{len(seed)} seeds for {self.num_envs} lanes")
            seeds = [None if s is None else int(s) for s in seed]
        elif seed is not None:
            seeds = [int(seed) + k for k in range(self.num_envs)]
        elif not self._last:
            base = int(self.np_random.integers(2**62))
            seeds = [base + k for k in range(self.num_envs)]
        else:
            seeds = [None] * self.num_envs
        self._last = self._last or [({}, {})] * self.num_envs
        for k in np.flatnonzero(mask).tolist():
            self._last[k] = self.lanes[k].reset(seed=seeds[k], options=options or None)
            self._over[k] = False
        return self._stacked(), _told([info for _, info in self._last])

    def step(self, actions: Any) -> tuple[Obs, Any, Any, Any, dict[str, Any]]:
        """Step all lanes, each until its own next decision.

        Raises:
            ResetNeeded: before the first reset, or of a finished lane where nothing resets it.
            ValueError: if there is not one action for each lane.
        """
        if not self._last:
            raise ResetNeeded("reset the batch before its first step")
        if len(actions) != self.num_envs:
            raise ValueError(f"{len(actions)} actions for {self.num_envs} lanes")
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros(self.num_envs, bool), np.zeros(self.num_envs, bool)
        for k, lane in enumerate(self.lanes):
            if self._over[k]:
                if self.autoreset_mode == AutoresetMode.DISABLED:
                    raise ResetNeeded(f"lane {k} is over: reset it")
                self._last[k] = lane.reset()
                self._over[k] = False
                continue
            obs, rewards[k], terminated[k], truncated[k], info = lane.step(actions[k])
            self._last[k] = (obs, info)
        over = terminated | truncated
        if self.autoreset_mode != AutoresetMode.SAME_STEP:
            self._over = over
            return self._stacked(), rewards, terminated, truncated, _told([info for _, info in self._last])
        final: dict[str, Any] = {}
        if over.any():
            final["final_obs"], final["_final_obs"] = self._stacked(), over.copy()
            final["final_info"] = _told([info for _, info in self._last])
            final["_final_info"] = over.copy()
            for k in np.flatnonzero(over).tolist():
                self._last[k] = self.lanes[k].reset()
        return self._stacked(), rewards, terminated, truncated, {**_told([i for _, i in self._last]), **final}

    def close_extras(self, **kwargs: Any) -> None:
        """Close all lanes."""
        for lane in self.lanes:
            lane.close()

    # -------------------------------------------------------------- for users

    def __getattr__(self, name: str) -> Any:
        """Return what all lanes have in common, ``model`` and ``options`` among it."""
        if name in ("model", "options", "view", "graph_view", "task", "action_names"):
            return getattr(self.lanes[0], name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def action_masks(self) -> Any:
        """Return the present masks as bool, ``[B, ...]``."""
        return np.stack([lane.action_masks() for lane in self.lanes])

    def get_state(self) -> dict[str, Any]:
        """Return an exact copy of all lanes: arrays and plain values."""
        states = [lane.get_state() for lane in self.lanes]
        key, version = states[0]["key"], states[0]["version"]
        names = sorted(set(states[0]) - {"key", "version"})
        return {
            "version": version,
            "key": key,
            "names": names,
            "over": self._over.tolist(),
            "lanes": [tuple(np.asarray(state[name]) for name in names) for state in states],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from a state that ``get_state`` of an equal batch has returned.

        Raises:
            ValueError: if it is of other tasks or of another number of lanes.
        """
        if len(state["lanes"]) != self.num_envs:
            raise ValueError(f"this state has {len(state['lanes'])} lanes, not {self.num_envs}")
        self._last = self._last or [({}, {})] * self.num_envs
        for lane, arrays in zip(self.lanes, state["lanes"], strict=True):
            parts = dict(zip(state["names"], arrays, strict=True))
            lane.set_state({"version": state["version"], "key": state["key"], **parts})
        self._over = np.array(state["over"], bool)

    # -------------------------------------------------------------- inside

    def _stacked(self) -> Obs:
        """Return the lanes' observations as one."""
        first = self._last[0][0]
        return {name: np.stack([obs[name] for obs, _ in self._last]) for name in first}


def _told(infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the lanes' infos as arrays."""
    first = infos[0]
    told: dict[str, Any] = {}
    for name, sort in _NUMBERS.items():
        if name in first:
            told[name] = np.array([info[name] for info in infos], sort)
    for name in _REALS:
        if name in first:
            told[name] = np.array([info[name] for info in infos], np.float64)
    for name in _FLAGS:
        if name in first:
            told[name] = np.array([bool(info[name]) for info in infos])
    if "action_mask" in first:
        told["action_mask"] = np.stack([info["action_mask"] for info in infos])
    return told
