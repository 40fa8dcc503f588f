"""Many environments at a time for Gymnasium: an adapter over a batch of lanes.

Owns the batch's spaces, the three autoreset modes and ``info`` as arrays. Lane ``i`` is
bit for bit the single environment with the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from stratagym.envs.api import lanes as at_lanes
from stratagym.envs.api.acting import Acting, naming
from stratagym.envs.api.observe import Order, action_names
from stratagym.envs.api.options import (
    OptionError,
    Options,
    flat_view,
    make_lanes,
    more_views,
    one_of,
    whole_space,
)
from stratagym.envs.rng import mix
from stratagym.envs.step import Model
from stratagym.envs.task import layout as at
from stratagym.envs.task.spec import Task
from stratagym.envs.task.view import REFUSALS

Obs = dict[str, np.ndarray[Any, Any]]

_MODES = {
    AutoresetMode.NEXT_STEP: at_lanes.NEXT_STEP,
    AutoresetMode.SAME_STEP: at_lanes.SAME_STEP,
    AutoresetMode.DISABLED: at_lanes.DISABLED,
}


class TaskVectorEnv(VectorEnv[Obs, Any, Any]):
    """A native batch of task graphs.

    ``info`` holds arrays: ``time``, ``elapsed``, ``instance`` (int32 ``[B]``), ``action_mask`` (int8
    ``[B, n + 1]``; with several agents ``[B, agents, n + 1]``; absent where actions are vectors),
    ``refusal`` (int8 codes ``[B]`` or ``[B, agents]``: 0 for none, else ``refusal_names[code - 1]``),
    ``success``, ``dead_end`` (bool ``[B]``; absent where it is withheld), ``tardiness`` (float64
    ``[B]``) and ``events`` (int32 ``[rows, 5]``: lane, tick, kind (``event_names``), subject, and
    amount, agent or place).

    Args:
        num_envs: how many lanes.
        model: the tasks.
        options: see ``Options``.
        max_episode_steps: not supported; give the task a horizon.
        render_mode: only None.
        autoreset_mode: of ``gymnasium.vector.AutoresetMode``, or its value.
        threads: of the compiled executor; results do not depend on it.
        copy: whether the static part of observations is fresh at every step. Without it
            the rows of a lane change in place when it begins another task.
    """

    refusal_names = REFUSALS
    event_names = at.EVENT_WORDS

    def __init__(
        self,
        num_envs: int,
        model: Model,
        options: Options,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        threads: int = 1,
        copy: bool = True,
    ) -> None:
        if max_episode_steps is not None:
            raise OptionError("max_episode_steps: a batch ends episodes at the task's horizon only")
        if render_mode is not None:
            raise OptionError(f"render_mode={render_mode!r}: a batch draws nothing; use gymnasium.make")
        for name, value in (("num_envs", num_envs), ("threads", threads)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise OptionError(f"{name}={value!r} is not an integer of at least 1")
        if not isinstance(autoreset_mode, AutoresetMode):
            one_of("autoreset_mode", autoreset_mode, [mode.value for mode in _MODES])
        self.num_envs, self.model, self.options = num_envs, model, options
        self.render_mode = None
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.view = flat_view(model, options)
        self._lanes = make_lanes(
            model, options, self.view, num_envs, _MODES[self.autoreset_mode], min(threads, num_envs),
            options.events,
        )  # fmt: skip
        n, agents = model.dims.subtasks, model.dims.agents
        self._n, self._agents, self._copy = n, agents, copy
        self.acting = Acting(model)
        self._world = model.kernel is not None
        self._foggy = any(scene.fog for scene in model.scenes())
        self._cut = len(self.view.features) * n
        self._end = self._cut + self.view.state_bytes
        self._graph_view, self._planes = more_views(model, options)
        self.single_observation_space = whole_space(self.view, self._graph_view, self._planes)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.single_action_space = self.acting.space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._statics = np.zeros((model.count, self.view.static_size), np.float32)
        for k in range(model.count if self.view.static_size else 0):
            self._statics[k] = self.view.static(model.graph(k))
        self._static: Any = None
        self._instances: Any = None
        self._orders: list[Order] = []
        self._begun = False

    # -------------------------------------------------------------- Gymnasium

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Obs, dict[str, Any]]:
        """Begin episodes: in all lanes, or with ``options={"reset_mask": [B] bool}`` in some.

        Args:
            seed: lane ``i`` gets ``seed + i``, or the i-th of a sequence; None goes on with the
                next episode of the last seed.
            options: ``reset_mask`` and ``instance`` (one task for all lanes, or None).

        Raises:
            ValueError: if the mask or the seeds have another length.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        options = options or {}
        if "instance" in options:
            instance = options["instance"]
            whole = isinstance(instance, int | np.integer)
            if instance is not None and not (whole and 0 <= instance < self.model.count):
                raise ValueError(f"options['instance']={instance!r} is not 0 to {self.model.count - 1}")
            self._lanes.pin(-1 if instance is None else int(instance))
        mask = np.asarray(options.get("reset_mask", np.ones(self.num_envs, bool)), bool)
        if mask.shape != (self.num_envs,):
            raise ValueError(f"options['reset_mask'] has shape {mask.shape}, not ({self.num_envs},)")
        chosen = [int(k) for k in np.flatnonzero(mask)]
        self._seed(chosen, seed)
        out = self._lanes.show() if self._begun and len(chosen) < self.num_envs else None
        self._begun = True
        out = self._lanes.reset(chosen, out)
        return self._observation(out), self._info(out)

    def _seed(self, chosen: Sequence[int], seed: int | Sequence[int | None] | None) -> None:
        if isinstance(seed, Sequence | np.ndarray):
            if len(seed) != self.num_envs:
                raise ValueError(f"{len(seed)} seeds for {self.num_envs} lanes")
            seeds: list[int | None] = list(seed)
        elif seed is not None:
            seeds = [int(seed) + k for k in range(self.num_envs)]
        elif not self._begun:
            base = int(self.np_random.integers(2**62))
            seeds = [base + k for k in range(self.num_envs)]
        else:
            seeds = [None] * self.num_envs
        for lane in chosen:
            own = seeds[lane]
            if own is None:
                self._lanes.next_episode(lane)
            else:
                self._lanes.seed(lane, int(own))

    def step(self, actions: Any) -> tuple[Obs, Any, Any, Any, dict[str, Any]]:
        """Step all lanes; see the class and ``gymnasium.vector.VectorEnv.step``.

        Raises:
            ResetNeeded: before the first reset.
            ValueError: if there is not one action for each agent of each lane.
        """
        if not self._begun:
            raise ResetNeeded("reset the batch before its first step")
        actions = self.acting.integers(actions, self.num_envs)
        if self._orders:
            actions = self._in_file_order(actions)
        out = self._lanes.step(actions)
        flags = np.asarray(out.flags, np.int8)
        terminated = flags[at_lanes.O_TERMINATED].astype(bool)
        truncated = flags[at_lanes.O_TRUNCATED].astype(bool)
        rewards = np.asarray(out.floats[at_lanes.O_REWARD])
        over = terminated | truncated
        if self.autoreset_mode == AutoresetMode.SAME_STEP and over.any():
            return self._same_step(out, rewards, terminated, truncated, over)
        return self._observation(out), rewards, terminated, truncated, self._info(out)

    def _same_step(
        self, out: at_lanes.Outputs, rewards: Any, terminated: Any, truncated: Any, over: Any
    ) -> tuple[Obs, Any, Any, Any, dict[str, Any]]:
        """Begin the next episode of finished lanes at once; their last moment goes to ``info``."""
        final_info = self._info(out)
        # The reset below writes into the same arrays.
        if not self.acting.boxed:
            final_info["action_mask"] = final_info["action_mask"].copy()
        final = {
            name: np.where(over.reshape(-1, *[1] * (part.ndim - 1)), part, np.zeros_like(part))
            for name, part in self._observation(out).items()
        }
        rewards = rewards.copy()
        chosen = [int(k) for k in np.flatnonzero(over)]
        for lane in chosen:
            self._lanes.next_episode(lane)
            out.refusals[lane] = [0] * self._agents
        events = np.asarray(out.events, np.int32).reshape(-1, at_lanes.EVENT_COLUMNS)
        out.events = events[~over[events[:, 0]]]
        out = self._lanes.reset(chosen, out)
        obs = self._observation(out)  # draws the orders that ``info`` is told in
        info = self._info(out)
        info["final_obs"] = final
        info["_final_obs"] = over.copy()
        info["final_info"] = final_info
        info["_final_info"] = over.copy()
        return obs, rewards, terminated, truncated, info

    def close_extras(self, **kwargs: Any) -> None:
        """End the threads."""
        self._lanes.close()

    # -------------------------------------------------------------- for users

    @property
    def graph_view(self) -> Any:
        """What writes the graph view, None where another view is shown."""
        return self._graph_view

    @property
    def task(self) -> Task:
        """The task of the first lane."""
        return self.model.task(int(self._lanes.s[0][at.TASK]))

    @property
    def action_names(self) -> tuple[str, ...]:
        """The name of every numbered action in the first lane; the last is ``wait``."""
        order = self._orders[0] if self._orders else None
        return action_names(self.model, int(self._lanes.s[0][at.TASK]), order, self.options.opaque)

    def action_masks(self) -> Any:
        """Return the exact masks as bool ``[B, agents * (n + 1)]``.

        Raises:
            ValueError: if actions are vectors.
        """
        if self.acting.boxed:
            raise ValueError("actions are vectors in a box: there is no mask")
        return self._masks(self._lanes.show()).reshape(self.num_envs, -1).astype(bool)

    def get_state(self) -> dict[str, Any]:
        """Return an exact, picklable copy of all lanes."""
        lanes = [self._lanes.get(k) for k in range(self.num_envs)]
        return {"version": 1, "key": self.model.key, "lanes": lanes}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from a state that ``get_state`` of an equal environment has returned.

        Raises:
            ValueError: if it belongs to other tasks or another number of lanes.
        """
        if state.get("version") != 1 or state.get("key") != self.model.key:
            raise ValueError(f"this state is of {state.get('key')!r}, not of {self.model.key!r}")
        if len(state["lanes"]) != self.num_envs:
            raise ValueError(f"this state has {len(state['lanes'])} lanes, not {self.num_envs}")
        for k, lane in enumerate(state["lanes"]):
            self._lanes.set(k, lane)
        self._begun = True
        self._static = None
        if self.options.knowledge == "none":
            self._draw_orders()

    # -------------------------------------------------------------- inside

    def _in_file_order(self, actions: Any) -> Any:
        firsts = self._naming()
        if firsts[0] is None:
            return actions
        rows = zip(self._orders, firsts, actions, strict=True)
        return np.array([[order.action(int(a), first) for a in row] for order, first, row in rows], np.int32)

    def _naming(self) -> list[Any]:
        """Return for each lane the action that names its first subtask, None where none does."""
        return [naming(self.model, int(lane[at.TASK])) for lane in self._lanes.s[: self.num_envs]]

    def _masks(self, out: at_lanes.Outputs) -> Any:
        mask = np.asarray(out.mask, np.int8)
        mask = (
            mask.reshape(self.num_envs, -1)
            if self._agents == 1
            else mask.reshape(self.num_envs, self._agents, -1)
        )
        firsts = self._naming() if self._orders else [None]
        if firsts[0] is not None:
            rows = zip(self._orders, mask, firsts, strict=True)
            mask = np.stack([order.shuffle(row, first) for order, row, first in rows])
        return mask

    def _observation(self, out: at_lanes.Outputs) -> Obs:
        rows = np.asarray(out.obs, np.uint8)
        world = {"world": self.view.world(rows[:, self._end :])} if self._world else {}
        if self._graph_view is not None:
            return {**self._graphs(out), **world}
        subtasks = rows[:, : self._cut].reshape(self.num_envs, -1, self._n)
        if self.options.knowledge == "none":
            self._draw_orders()
            subtasks = np.stack([o.shuffle(row) for o, row in zip(self._orders, subtasks, strict=True)])
        found = {"subtasks": subtasks, "state": self.view.state(rows[:, self._cut : self._end])}
        if self.view.static_size:
            found["static"] = self._static_rows(np.asarray(out.ints[at_lanes.O_TASK]))
        if self._planes is not None:
            world["planes"] = self._planes.planes(rows[:, self._end :], self._lanes.s[: self.num_envs])
        return {**found, **world}

    def _graphs(self, out: at_lanes.Outputs) -> Obs:
        """Write the graph view of all lanes."""
        if self.options.knowledge == "none":
            self._draw_orders()
        lanes, count = self._lanes, self.num_envs
        graphs = [self.model.graph(int(k)) for k in out.ints[at_lanes.O_TASK]]
        s, sb = np.asarray(lanes.s[:count], np.int32), np.asarray(lanes.sb[:count], np.uint64)
        orders: Sequence[Order | None] = self._orders
        if not orders:
            orders = [None] * count
        found: Obs = self._graph_view.observations(graphs, s, sb, lanes.memory, orders)
        return found

    def _draw_orders(self) -> None:
        """Draw the order of each lane's subtasks from the seed of its episode."""
        orders = []
        for k in range(self.num_envs):
            m = self._lanes.memory(k)
            base, episode = m.sb[m.t[at.QB_SEED] + 1], m.s[at.EPISODE]
            orders.append(Order(mix(base, episode), m.t[at.T_SUBTASKS], self._n))
        self._orders = orders

    def _static_rows(self, instances: Any) -> Any:
        if self.model.count == 1:
            # One task for all lanes and episodes: nothing to copy, and nobody can write to it.
            return np.broadcast_to(self._statics[0], (self.num_envs, self.view.static_size))
        if self._static is None or self._copy:
            self._static = self._statics[instances]
        else:
            changed = np.flatnonzero(instances != self._instances)
            self._static[changed] = self._statics[instances[changed]]
        self._instances = instances.copy()
        return self._static

    def _info(self, out: at_lanes.Outputs) -> dict[str, Any]:
        flags = np.asarray(out.flags, np.int8)
        refusals = np.asarray(out.refusals, np.int8)
        tardiness = np.asarray(out.floats[at_lanes.O_TARDINESS]).copy()
        dead = flags[at_lanes.O_DEAD_END].astype(bool)
        events = np.asarray(out.events, np.int32).reshape(-1, at_lanes.EVENT_COLUMNS)
        if self._foggy:
            events = self._in_sight(events)
        if self.options.knowledge != "full":
            refusals, tardiness, events = self._withhold(flags, refusals, tardiness, events)
        mask = {} if self.acting.boxed else {"action_mask": self._masks(out)}
        return {
            "time": np.asarray(out.ints[at_lanes.O_TIME], np.int32).copy(),
            "elapsed": np.asarray(out.ints[at_lanes.O_ELAPSED], np.int32).copy(),
            "instance": np.asarray(out.ints[at_lanes.O_TASK], np.int32).copy(),
            **mask,
            "refusal": refusals[:, 0].copy() if self._agents == 1 else refusals.copy(),
            **({"events": events} if self.options.events else {}),
            "success": flags[at_lanes.O_SUCCESS].astype(bool),
            **({} if self.options.knowledge == "none" else {"dead_end": dead}),
            "tardiness": tardiness,
        }

    def _in_sight(self, events: Any) -> Any:
        """Leave out the events of places that no body of their lane sees."""
        kept = np.ones(len(events), bool)
        for k in np.flatnonzero((events[:, 2] >= at.E_MOVE) & (events[:, 4] >= 0)):
            lane, place = int(events[k, 0]), int(events[k, 4])
            m = self._lanes.memory(lane)
            scene = self.model.scene(m.s[at.TASK])
            kept[k] = scene is None or scene.sees(m, None, place)
        return events[kept]

    def _withhold(self, flags: Any, refusals: Any, tardiness: Any, events: Any) -> tuple[Any, ...]:
        """Take out what the knowledge does not grant."""
        over = flags[at_lanes.O_TERMINATED] | flags[at_lanes.O_TRUNCATED]
        tardiness = np.where(over, tardiness, 0.0)
        hidden: tuple[int, ...] = (at.E_CLOSE, at.E_UNDO + at.X_DURATION, at.E_UNDO + at.X_DEADLINE)
        if self.options.knowledge == "none":
            hidden += (at.E_UNDO + at.X_CAPACITY, at.E_UNDO + at.X_STOCK)
        events = events[~np.isin(events[:, 2], hidden)]
        # For how long an agent is down is a duration.
        events[events[:, 2] == at.E_UNDO + at.X_AGENT, 4] = 0
        if self.options.knowledge == "none":
            telling = (refusals > at.FINISHED_REFUSAL) & (refusals != at.WORLD_REFUSAL)
            refusals = np.where(telling, at.WITHHELD_REFUSAL, refusals)
            for row in events:
                if row[2] != at.E_UNDO + at.X_AGENT and row[2] < at.E_MOVE:
                    row[3] = self._orders[row[0]].position(int(row[3]))
        return refusals, tardiness, events
