"""Many lanes at a time: the loop that steps, rewards and writes what agents see.

Owns the memory of a batch and its two executors: the same function, run by the
interpreter on lists or compiled on arrays, in one thread or several. Lanes never
touch each other, so neither the executor nor the number of threads changes a result.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from stratagym.envs import rewards, rng, step
from stratagym.envs.rewards import reward_of, standing, weighted_lateness
from stratagym.envs.step import Model, begin, episode_seed, pick
from stratagym.envs.task import dead_end, formulas, kernel, nodes, starts
from stratagym.envs.task import layout as at
from stratagym.envs.task.kernel import TERMINATED
from stratagym.envs.task.layout import (
    ByteRows,
    FlagRows,
    FloatRows,
    Floats,
    IntRows,
    Ints,
    Memory,
    WordRows,
)
from stratagym.envs.task.linking import link
from stratagym.envs.task.nodes import row_of
from stratagym.envs.views import flat
from stratagym.envs.views.flat import write_state, write_subtasks
from stratagym.envs.worlds import abstract, base
from stratagym.envs.worlds.abstract import play_step, world_mask, world_reset, world_view

Executor = Literal["auto", "interpreted", "compiled"]
EXECUTORS: tuple[Executor, ...] = ("auto", "interpreted", "compiled")

# settings of a batch
(
    SET_MODE,
    SET_REWARD,
    SET_AUTORESET,
    SET_RICH,
    SET_PINNED,
    SET_EVENTS,
    SET_END_DEAD,
    SET_COLUMNS,  # of an agent's mask: its actions, waiting too
    SET_WORLD,  # where the world's part of the view begins
    SETTINGS,
) = range(10)
NEXT_STEP, SAME_STEP, DISABLED = 0, 1, 2

# rows of the outputs
(O_TERMINATED, O_TRUNCATED, O_SUCCESS, O_DEAD_END, O_FLAGS) = range(5)
(O_TIME, O_ELAPSED, O_TASK, O_INTS) = range(4)
(O_REWARD, O_TARDINESS, O_FLOATS) = range(3)
EVENT_COLUMNS = 5
"""lane, tick, kind, subject, amount."""

TIER_STEPS = 1000
"""Steps after which ``auto`` has a single environment compiled, if that is not on disk yet."""


def lane_memory(
    t: IntRows,
    tb: WordRows,
    s: IntRows,
    sb: WordRows,
    x: IntRows,
    xb: WordRows,
    task: int,
    lane: int,
    worker: int,
) -> Memory:
    """Return the memory of a lane that plays a task."""
    return Memory(
        row_of(t, task),
        row_of(tb, task),
        row_of(s, lane),
        row_of(sb, lane),
        row_of(x, worker),
        row_of(xb, worker),
    )


def start_lane(
    t: IntRows,
    tb: WordRows,
    s: IntRows,
    sb: WordRows,
    x: IntRows,
    xb: WordRows,
    lane: int,
    worker: int,
    pinned: int,
) -> None:
    """Begin the lane's next episode: its seed picks the task, unless one is pinned."""
    seed_at = t[0][at.QB_SEED]
    seed = episode_seed(sb[lane][seed_at + 1], s[lane][at.EPISODE])
    s[lane][at.TASK] = pinned if pinned >= 0 else pick(seed, len(t))
    m = lane_memory(t, tb, s, sb, x, xb, s[lane][at.TASK], lane, worker)
    begin(m)
    world_reset(m)


def write_lane(
    m: Memory,
    settings: Ints,
    features: Ints,
    lane: int,
    obs: ByteRows,
    mask: FlagRows,
    flags: FlagRows,
    ints: IntRows,
    floats: FloatRows,
    weights: Floats,
) -> None:
    """Write what one lane shows: view, mask, flags, clock and tardiness."""
    n = m.t[at.T_WIDE]
    seen = row_of(obs, lane)
    write_subtasks(m, features, seen, 0)
    write_state(m, settings[SET_RICH], seen, len(features) * n)
    world_view(m, seen, settings[SET_WORLD])
    for a in range((m.t[at.Q_AUTOMATA] - m.t[at.Q_AGENTS]) // at.AGENT_SIZE):
        world_mask(m, a, row_of(mask, lane), a * settings[SET_COLUMNS])
    over = m.s[at.OVER]
    flags[O_TERMINATED][lane] = 1 if over == 1 else 0
    flags[O_TRUNCATED][lane] = 1 if over == 2 else 0
    flags[O_SUCCESS][lane] = m.s[at.GOAL]
    flags[O_DEAD_END][lane] = m.s[at.DEAD_END]
    ints[O_TIME][lane] = m.s[at.CLOCK]
    ints[O_ELAPSED][lane] = m.s[at.CLOCK] - m.s[at.BEFORE]
    ints[O_TASK][lane] = m.s[at.TASK]
    floats[O_TARDINESS][lane] = weighted_lateness(m, weights)


def reset_lanes(
    t: IntRows,
    tb: WordRows,
    weights: FloatRows,
    s: IntRows,
    sb: WordRows,
    x: IntRows,
    xb: WordRows,
    settings: Ints,
    features: Ints,
    chosen: Ints,
    obs: ByteRows,
    mask: FlagRows,
    flags: FlagRows,
    ints: IntRows,
    floats: FloatRows,
) -> None:
    """Begin the episode that stands in each chosen lane and write what it shows."""
    for k in range(len(chosen)):
        lane = chosen[k]
        start_lane(t, tb, s, sb, x, xb, lane, 0, settings[SET_PINNED])
        task = s[lane][at.TASK]
        m = lane_memory(t, tb, s, sb, x, xb, task, lane, 0)
        write_lane(m, settings, features, lane, obs, mask, flags, ints, floats, weights[task])
        floats[O_REWARD][lane] = 0.0


def step_lanes(
    t: IntRows,
    tb: WordRows,
    rewards: FloatRows,
    weights: FloatRows,
    figures: Floats,
    s: IntRows,
    sb: WordRows,
    x: IntRows,
    xb: WordRows,
    settings: Ints,
    features: Ints,
    chosen: Ints,
    actions: IntRows,
    attempts: IntRows,
    lo: int,
    hi: int,
    worker: int,
    spare: int,
    obs: ByteRows,
    mask: FlagRows,
    flags: FlagRows,
    ints: IntRows,
    floats: FloatRows,
    refusals: FlagRows,
    events: IntRows,
) -> int:
    """Begin the episodes of the chosen lanes, then step the lanes ``lo`` to ``hi``.

    Both in one function: compiled code has one entry, so that nothing is compiled twice.

    Args:
        t: the bank, ``[M, ints]``; ``tb``, ``rewards``, ``weights`` and ``figures`` go with it.
        tb: see ``t``.
        rewards: see ``t``.
        weights: see ``t``.
        figures: the reference of each task.
        s: the lanes, and behind them spare ones for each worker.
        sb: see ``s``.
        x: scratch of each worker.
        xb: see ``x``.
        settings: codes ``SET_...``.
        features: codes of the flat view.
        chosen: lanes, see ``reset_lanes``.
        actions: ``[B, A]``; in a world ``[B, A * action_width]``.
        attempts: ``[workers, A]`` room for what a world makes of them.
        lo: first lane.
        hi: one behind the last lane.
        worker: which scratch to use.
        spare: first of two spare lanes.
        obs: ``[B, bytes]`` the flat view.
        mask: ``[B, A * columns]``.
        flags: ``[O_FLAGS, B]``.
        ints: ``[O_INTS, B]``.
        floats: ``[O_FLOATS, B]``.
        refusals: ``[B, A]`` codes.
        events: rows of ``EVENT_COLUMNS`` that are filled one behind the other.

    Returns:
        How many event rows were filled.
    """
    if len(chosen) != 0:
        reset_lanes(t, tb, weights, s, sb, x, xb, settings, features, chosen, obs, mask, flags, ints, floats)
    rows = 0
    for lane in range(lo, hi):
        finished = s[lane][at.OVER] != 0
        if finished and settings[SET_AUTORESET] == NEXT_STEP:
            s[lane][at.EPISODE] += 1
            start_lane(t, tb, s, sb, x, xb, lane, worker, settings[SET_PINNED])
        task = s[lane][at.TASK]
        m = lane_memory(t, tb, s, sb, x, xb, task, lane, worker)
        floats[O_REWARD][lane] = 0.0
        if finished:
            s[lane][at.BEFORE] = s[lane][at.CLOCK]
            for a in range(len(attempts[worker])):
                refusals[lane][a] = 0
        else:
            z = lane_memory(t, tb, s, sb, x, xb, task, spare, worker)
            y = lane_memory(t, tb, s, sb, x, xb, task, spare + 1, worker)
            before = standing(m, settings[SET_REWARD], weights[task])
            play_step(m, z, y, actions[lane], attempts[worker], settings[SET_MODE])
            if settings[SET_END_DEAD] != 0 and m.s[at.DEAD_END] != 0 and m.s[at.OVER] == 0:
                m.s[at.OVER] = TERMINATED
            floats[O_REWARD][lane] = reward_of(
                m, settings[SET_REWARD], before, rewards[task], weights[task], figures[task]
            )
            for a in range(len(attempts[worker])):
                refusals[lane][a] = m.x[m.t[at.X_REFUSALS] + a]
            if settings[SET_EVENTS] != 0:
                for k in range(m.x[0]):
                    events[rows][0] = lane
                    for column in range(at.EVENT_SIZE):
                        events[rows][column + 1] = m.x[1 + k * at.EVENT_SIZE + column]
                    rows += 1
        write_lane(m, settings, features, lane, obs, mask, flags, ints, floats, weights[task])
    return rows


MODULES = (rng, nodes, formulas, starts, dead_end, kernel, rewards, flat, step)
"""The sources of what is compiled, this module and the world's aside."""


def modules_of(world: types.ModuleType | None) -> tuple[types.ModuleType, ...]:
    """Return the modules whose functions step lanes in the world of a kernel, None for the abstract one."""
    from stratagym.envs.api import lanes

    if world is None:
        return (*MODULES, abstract, lanes)
    return (*MODULES, base, *getattr(world, "MODULES", ()), world, lanes)


LOOPS = ("reset_lanes", "step_lanes", "write_lane")


@cache
def plain_functions(world: types.ModuleType | None) -> Mapping[str, Any]:
    """Return the interpreted loops."""
    if world is None:
        return {"reset_lanes": reset_lanes, "step_lanes": step_lanes, "write_lane": write_lane}
    return link(modules_of(world), LOOPS)


@dataclass
class Outputs:
    """What a batch shows after a step; every array is fresh at every step."""

    obs: Any  # [B, bytes] uint8
    mask: Any  # [B, A * columns] int8
    flags: Any  # [O_FLAGS, B] int8
    ints: Any  # [O_INTS, B] int32
    floats: Any  # [O_FLOATS, B] float64
    refusals: Any  # [B, A] int8
    events: Any  # [rows, EVENT_COLUMNS] int32


@dataclass(slots=True)
class Moment:
    """What one lane shows, as plain numbers; the two arrays are fresh."""

    obs: Any  # [bytes] uint8
    mask: Any  # [A * columns] int8
    flags: list[int]  # [O_FLAGS]
    ints: list[int]  # [O_INTS]
    floats: list[float]  # [O_FLOATS]
    refusals: list[int]  # [A]
    events: list[list[int]]  # rows of EVENT_COLUMNS


def moment(out: Outputs) -> Moment:
    """Return what the only lane of a batch shows."""
    return Moment(
        np.array(out.obs[0], np.uint8),
        np.array(out.mask[0], np.int8),
        [int(row[0]) for row in out.flags],
        [int(row[0]) for row in out.ints],
        [float(row[0]) for row in out.floats],
        [int(code) for code in out.refusals[0]],
        [[int(v) for v in row] for row in out.events],
    )


def is_narrow(dims: at.Dims) -> bool:
    """Return whether one word holds all subtasks, and one all gates."""
    return dims.words == 1 and dims.gates <= 64


def compiled_functions(narrow: bool, world: types.ModuleType | None = None) -> Any:
    """Return the compiled loops."""
    from stratagym.envs.task.compiled import compile_modules

    return compile_modules(modules_of(world), ("step_lanes",), narrow)


def entry_point(function: Any) -> Any:
    """Return the machine code of a compiled function that has one signature, without numba's dispatcher."""
    (compiled,) = function.overloads.values()
    return compiled.entry_point


def cached(narrow: bool, world: types.ModuleType | None = None) -> bool:
    """Return whether the compiled loops lie on disk."""
    from importlib.util import find_spec

    if find_spec("numba") is None:
        return False
    from stratagym.envs.task.code_cache import is_cached

    return is_cached(modules_of(world), narrow)


class Lanes:
    """The memory of ``count`` lanes and what steps them.

    Args:
        model: the tasks.
        count: how many lanes.
        settings: codes ``SET_...`` (``SETTINGS`` integers).
        features: codes of the flat view.
        state_size: bytes of its state part.
        executor: ``interpreted``, ``compiled``, or ``auto``.
        workers: threads of the compiled executor.
    """

    def __init__(
        self,
        model: Model,
        count: int,
        settings: Sequence[int],
        features: Sequence[int],
        state_size: int,
        executor: Executor,
        workers: int = 1,
    ) -> None:
        self.model, self.count, self.workers = model, count, workers
        self.settings, self.features = list(settings), list(features)
        dims, room = model.dims, model.room
        self.settings[SET_WORLD] = len(features) * dims.subtasks + state_size
        self.settings[SET_COLUMNS] = 1 + (dims.subtasks if room is None else room.actions)
        self.width = self.settings[SET_WORLD] + (0 if room is None else room.view)
        self.agents = dims.agents
        self.columns = self.settings[SET_COLUMNS]
        places = at.positions(dims)
        rows = count + 2 * workers
        self.s: Any = [[0] * places[at.S_LENGTH] for _ in range(rows)] if count == 1 else None
        self.sb: Any = [[0] * places[at.SB_LENGTH] for _ in range(rows)] if count == 1 else None
        self._places = places
        self._rows = rows
        self._marks = at.X_ROWS * dims.words + 2 * places[at.DIRTY_WORDS]
        self._pool: ThreadPoolExecutor | None = None
        self._steps = 0
        self._figures: Any = model.figures.copy()
        # Only these two rewards measure against the reference.
        measured = self.settings[SET_REWARD] in (rewards.SPARSE_REWARD, rewards.DENSE_REWARD)
        self._shares = measured and bool(np.isnan(self._figures).any())
        self.executor: Executor = executor
        self.compiled = False
        self._functions: Any = None
        self._call: Any = None
        self._glance: Any = None
        if count > 1:
            self.s = np.zeros((rows, places[at.S_LENGTH]), np.int32)
            self.sb = np.zeros((rows, places[at.SB_LENGTH]), np.uint64)
        if executor == "compiled" or (
            executor == "auto" and (count > 1 or cached(is_narrow(dims), model.kernel))
        ):
            self._compile()
        else:
            self._interpret()

    # -------------------------------------------------------------- executors

    def _interpret(self) -> None:
        """Run the loops as they stand, on lists."""
        self.compiled = False
        self.s = [[int(v) for v in lane] for lane in self.s]
        self.sb = [[int(v) for v in lane] for lane in self.sb]
        room = self._places[at.X_REFUSALS] // at.EVENT_SIZE * self.count
        self._events: Any = [[[0] * EVENT_COLUMNS for _ in range(room)]]
        self._x: Any = [[0] * self._places[at.X_END] for _ in range(self.workers)]
        self._xb: Any = [[0] * self._marks for _ in range(self.workers)]
        self._attempts: Any = [[0] * self.agents for _ in range(self.workers)]

    def _compile(self) -> None:
        """Change to the compiled loops; the lanes go on as they are."""
        self._functions = compiled_functions(is_narrow(self.model.dims), self.model.kernel)
        self.compiled = True
        self._call = None
        if self.count == 1:
            self.model.fill(int(self.s[0][at.TASK]))
        self.s = np.array(self.s, np.int32)
        self.sb = np.array(self.sb, np.uint64)
        self._x = np.zeros((self.workers, self._places[at.X_END]), np.int32)
        self._xb = np.zeros((self.workers, self._marks), np.uint64)
        self._settings = np.array(self.settings, np.int32)
        self._features = np.array(self.features, np.int32)
        self._idle = np.zeros((1, self.agents * self.model.action_width), np.int32)
        self._attempts = np.zeros((self.workers, self.agents), np.int32)
        room = self._places[at.X_REFUSALS] // at.EVENT_SIZE
        share = -(-self.count // self.workers)
        self._events = [np.empty((share * room, EVENT_COLUMNS), np.int32) for _ in range(self.workers)]

    def _task_rows(self) -> tuple[Any, ...]:
        """Return the bank as the interpreter wants it: lists, a task compiled when it is played."""
        model = self.model
        return _LazyRows(model, 0), _LazyRows(model, 1)

    # -------------------------------------------------------------- seeds

    def seed(self, lane: int, seed: int) -> None:
        """Make the next episode of a lane the first after a reset with ``seed``."""
        where = self._places[at.QB_SEED] + 1
        word = seed & rng.WORD
        self.sb[lane][where] = np.uint64(word) if self.compiled else word
        self.s[lane][at.EPISODE] = 0

    def pin(self, task: int) -> None:
        """Have every further episode play this task of the bank; -1 lets the seed choose again."""
        self.settings[SET_PINNED] = task
        if self.compiled:
            self._settings[SET_PINNED] = task

    def next_episode(self, lane: int) -> None:
        """Make the next episode of a lane the one after the present."""
        self.s[lane][at.EPISODE] += 1

    def _bank(self) -> Any:
        """Return the bank for a reset: whole for a batch; one lane fills in the task that it picks."""
        if self.count > 1:
            return self.model.bank
        pinned = self.settings[SET_PINNED]
        if pinned < 0:
            base = int(self.sb[0][self._places[at.QB_SEED] + 1])
            pinned = pick(rng.mix(base, int(self.s[0][at.EPISODE])), self.model.count)
        self.model.fill(pinned)
        return self.model.open_bank

    # -------------------------------------------------------------- calls

    def outputs(self) -> Outputs:
        """Return room for what a step shows."""
        b = self.count
        if not self.compiled:
            return Outputs(
                obs=[[0] * self.width for _ in range(b)],
                mask=[[0] * (self.agents * self.columns) for _ in range(b)],
                flags=[[0] * b for _ in range(O_FLAGS)],
                ints=[[0] * b for _ in range(O_INTS)],
                floats=[[0.0] * b for _ in range(O_FLOATS)],
                refusals=[[0] * self.agents for _ in range(b)],
                events=[],
            )
        return Outputs(
            obs=np.empty((b, self.width), np.uint8),
            mask=np.empty((b, self.agents * self.columns), np.int8),
            flags=np.zeros((O_FLAGS, b), np.int8),
            ints=np.zeros((O_INTS, b), np.int32),
            floats=np.zeros((O_FLOATS, b), np.float64),
            refusals=np.zeros((b, self.agents), np.int8),
            events=self._events[0][:0],
        )

    def reset(self, lanes: Sequence[int], out: Outputs | None = None) -> Outputs:
        """Begin the episodes that stand in the given lanes; other rows of ``out`` stay."""
        out = self.outputs() if out is None else out
        memory = (self.s, self.sb, self._x, self._xb)
        places = (out.obs, out.mask, out.flags, out.ints, out.floats)
        if self.compiled:
            bank = self._bank()
            self._functions["step_lanes"](
                bank.t, bank.tb, bank.rewards, bank.weights, self._figures, *memory, self._settings,
                self._features, np.asarray(lanes, np.int32), self._idle, self._attempts, 0, 0, 0, self.count,
                *places, out.refusals, self._events[0],
            )  # fmt: skip
        else:
            t, tb = self._task_rows()
            weights: Any = _LazyFloats(self.model, "weight")
            reset = plain_functions(self.model.kernel)["reset_lanes"]
            reset(t, tb, weights, *memory, self.settings, self.features, list(lanes), *places)
        return out

    def step(self, actions: Any) -> Outputs:
        """Step every lane.

        Args:
            actions: ``[B, A * action_width]`` integers; in the abstract world anything outside the
                subtasks waits.
        """
        self._steps += 1
        if not self.compiled and self.executor == "auto" and self._steps > TIER_STEPS:
            self._compile()
        out = self.outputs()
        if not self.compiled:
            self._step_interpreted(actions, out)
        elif self.workers == 1:
            self._step_compiled(np.ascontiguousarray(actions, np.int32), out, 0, 0, self.count)
        else:
            self._step_threads(np.ascontiguousarray(actions, np.int32), out)
        if self._shares:
            self._pay_shares(out)
        return out

    def step_one(self, actions: Sequence[int]) -> Moment:
        """Step the only lane.

        Args:
            actions: ``[A * action_width]``; see ``step``.
        """
        if not self.compiled or self._shares:
            return moment(self.step([actions]))
        if self._call is None:
            self._prepare()
        self._steps += 1
        call, arguments, row, events, obs, mask, refusals, flags, ints, floats = self._call
        for a, i in enumerate(actions):
            row[a] = i
        rows = call(*arguments)
        return Moment(
            obs.copy(),
            mask.copy(),
            flags.tolist(),
            ints.tolist(),
            floats.tolist(),
            refusals.tolist(),
            events[:rows].tolist() if rows else [],
        )

    def _prepare(self) -> None:
        """Gather once what the call that steps one lane takes: the arrays stay the same."""
        bank, out = self.model.open_bank, self.outputs()
        actions = np.zeros((1, self.agents * self.model.action_width), np.int32)
        arguments = (
            bank.t, bank.tb, bank.rewards, bank.weights, self._figures, self.s, self.sb, self._x, self._xb,
            self._settings, self._features, self._idle[0, :0], actions, self._attempts, 0, 1, 0, 1,
            out.obs, out.mask, out.flags, out.ints, out.floats, out.refusals, self._events[0],
        )  # fmt: skip
        shown = (out.obs[0], out.mask[0], out.refusals[0], out.flags[:, 0], out.ints[:, 0], out.floats[:, 0])
        # The types are right by construction: without numba's own look at 24 arguments a call costs half.
        call = entry_point(self._functions["step_lanes"])
        self._call = call, arguments, actions[0], self._events[0], *shown

    def _step_interpreted(self, actions: Any, out: Outputs) -> None:
        t, tb = self._task_rows()
        paid: Any = _LazyFloats(self.model, "reward")
        weights: Any = _LazyFloats(self.model, "weight")
        rows = plain_functions(self.model.kernel)["step_lanes"](
            t, tb, paid, weights, self._figures, self.s, self.sb, self._x, self._xb,
            self.settings, self.features, [],
            [[int(i) for i in lane] for lane in actions], self._attempts, 0, self.count, 0, self.count,
            out.obs, out.mask, out.flags, out.ints, out.floats, out.refusals, self._events[0],
        )  # fmt: skip
        out.events = [list(row) for row in self._events[0][:rows]]

    def _step_compiled(self, actions: Any, out: Outputs, worker: int, lo: int, hi: int) -> int:
        bank = self.model.bank if self.count > 1 else self.model.open_bank
        rows: int = self._functions["step_lanes"](
            bank.t, bank.tb, bank.rewards, bank.weights, self._figures, self.s, self.sb, self._x, self._xb,
            self._settings, self._features, self._idle[0, :0], actions, self._attempts, lo, hi, worker,
            self.count + 2 * worker,
            out.obs, out.mask, out.flags, out.ints, out.floats, out.refusals, self._events[worker],
        )  # fmt: skip
        if self.workers == 1:
            out.events = self._events[0][:rows].copy()
        return rows

    def _step_threads(self, actions: Any, out: Outputs) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.workers)
        cuts = [self.count * k // self.workers for k in range(self.workers + 1)]
        waiting = [
            self._pool.submit(self._step_compiled, actions, out, k, cuts[k], cuts[k + 1])
            for k in range(self.workers)
        ]
        rows = [job.result() for job in waiting]
        out.events = np.concatenate([self._events[k][: rows[k]] for k in range(self.workers)])

    def _pay_shares(self, out: Outputs) -> None:
        """Add the goal's share where its reference had to be worked out first."""
        unknown = np.isnan(self._figures)
        for lane in np.flatnonzero(np.asarray(out.flags[O_SUCCESS])):
            task = int(out.ints[O_TASK][lane])
            time, elapsed = int(out.ints[O_TIME][lane]), int(out.ints[O_ELAPSED][lane])
            if unknown[task] and (elapsed > 0 or time == 0):
                self._figures[task] = self.model.reference(task).figure
                out.floats[O_REWARD][lane] += min(1.0, self._figures[task] / max(1, time))
        self._shares = bool(np.isnan(self._figures).any())

    # -------------------------------------------------------------- one lane

    def memory(self, lane: int) -> Memory:
        """Return a lane as interpreted memory (a copy of its state)."""
        t, tb = self.model.row(int(self.s[lane][at.TASK]))
        return Memory(
            t,
            tb,
            [int(v) for v in self.s[lane]],
            [int(v) for v in self.sb[lane]],
            [int(v) for v in self._x[0]],
            [0] * self._marks,
        )

    def glance(self, lane: int) -> Memory:
        """Return a lane's memory itself, to read a few numbers of."""
        task = int(self.s[lane][at.TASK])
        known = self._glance
        if known is None or known[0] is not self.s or known[1:3] != (lane, task):
            t, tb = self.model.row(task)
            memory = Memory(t, tb, self.s[lane], self.sb[lane], self._x[0], self._xb[0])
            known = self._glance = (self.s, lane, task, memory)
        found: Memory = known[3]
        return found

    def get(self, lane: int) -> tuple[Any, Any]:
        """Return an exact copy of a lane's state."""
        return np.array(self.s[lane], np.int32), np.array(self.sb[lane], np.uint64)

    def set(self, lane: int, state: tuple[Any, Any]) -> None:
        """Put a lane's state back."""
        if self.compiled and self.count == 1:
            self.model.fill(int(state[0][at.TASK]))
        for k, v in enumerate(state[0]):
            self.s[lane][k] = v if self.compiled else int(v)
        for k, v in enumerate(state[1]):
            self.sb[lane][k] = v if self.compiled else int(v)

    def show(self) -> Outputs:
        """Write what every lane shows now, without stepping."""
        out = self.outputs()
        weights = _LazyFloats(self.model, "weight")
        places = (out.obs, out.mask, out.flags, out.ints, out.floats)
        write = plain_functions(self.model.kernel)["write_lane"]
        for lane in range(self.count):
            task = int(self.s[lane][at.TASK])
            write(self.memory(lane), self.settings, self.features, lane, *places, weights[task])
        return out

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_pool"] = None
        state["_functions"] = state["_call"] = state["_glance"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.compiled:
            if self.count == 1:
                self.model.fill(int(self.s[0][at.TASK]))
            self._functions = compiled_functions(is_narrow(self.model.dims), self.model.kernel)


class _LazyRows:
    """A bank seen by the interpreter: ``rows[k]`` compiles task ``k`` when it is asked for."""

    def __init__(self, model: Model, part: int) -> None:
        self._model, self._part = model, part

    def __len__(self) -> int:
        return self._model.count

    def __getitem__(self, k: int) -> list[int]:
        return self._model.row(k)[self._part]


class _LazyFloats:
    """The rewards or the weights of the due dates of each task."""

    def __init__(self, model: Model, name: str) -> None:
        self._model, self._name = model, name

    def __getitem__(self, k: int) -> list[float]:
        graph = self._model.graph(k)
        if self._name == "reward":
            return [s.reward for s in graph.subtasks]
        return [d.weight for d in graph.dues]
