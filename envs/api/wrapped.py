"""A task graph over anyone's Gymnasium environment: predicates say what is done, the graph what counts.

Owns ``TaskGraphWrapper``: one interpreted lane of the task kernel beside an environment that knows
nothing of it. There is no batch, no saving and no restoring, since only the environment could do that.

One step of the environment is one tick. A subtask's duration is ``world``: it ends when its predicate
says so. Without a start condition its run begins and ends in the tick in which the predicate is found
true; with one it begins when that is found true.

**When does a predicate count?** A state that holds counts as soon as the task lets the subtask start
(its needs are met, its resources are there ...), also if it became true before: whoever finds the door
open need not open it again. Such a predicate is read at every step. What is not a state but a moment
(a button is pressed) belongs into ``moments``: it counts only in a step in which it becomes true while
the task lets the subtask start, and is lost otherwise.

**When is it undone?** Never, or, for what is named in ``undo``, as soon as its predicate is false again;
then it can be done again, and is not paid twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from stratagym.envs import rewards
from stratagym.envs.api.observe import observe, subtask_mask
from stratagym.envs.api.options import OptionError, Options, RewardName, one_of
from stratagym.envs.rng import mix
from stratagym.envs.task import kernel
from stratagym.envs.task import layout as at
from stratagym.envs.task.compile import compile_graph, dims_of
from stratagym.envs.task.dead_end import judge_dead_end
from stratagym.envs.task.faults import TaskError, join, quote, suggest
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.nodes import clear_done, has
from stratagym.envs.task.reference import bound_of
from stratagym.envs.task.simulate import Happening, copy_memory, empty_lane, event_rows, happenings
from stratagym.envs.task.spec import Task, load_task
from stratagym.envs.task.starts import emit, refresh, serve
from stratagym.envs.task.view import STATUS, Observation
from stratagym.envs.worlds.base import report

Predicate = Callable[[Any, Any, Mapping[str, Any]], bool]
"""(environment, observation, info) -> whether it holds."""

SMALL_GRAPH = 8
"""Subtasks up to which a graph is legible at the height of most environments' pictures."""

OURS = ("time", "elapsed", "events", "status", "subtask_mask", "progress", "success", "dead_end", "tardiness")
"""Keys of ``info`` that the task graph fills."""


class TaskGraphWrapper(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Puts a task graph over an environment; see the module.

    ``info`` keeps what the environment says and gains ``time`` (ticks), ``elapsed``, ``events``
    (dictionaries of tick, kind, subtask, agents), ``status`` (subtask -> word), ``subtask_mask``
    (``[n + 1]`` int8: what could be started now, for agents whose actions are skills; the last waits),
    ``progress`` (share of the work that is done, 0..1), ``success``, ``dead_end`` and ``tardiness``. What
    the environment itself says under one of these names is in ``info["wrapped"]``.

    Args:
        env: any Gymnasium environment.
        task: a task of one agent: a file, a mapping or a ``Task``. A subtask's ``duration`` is left out, or
            ``world``.
        predicates: subtask -> when it is done, for every subtask.
        starts: subtask -> when its run begins, for those that have a course of their own.
        failures: subtask -> when a run under way fails, for those with a start condition.
        moments: subtasks whose predicate is a moment, or True for all.
        undo: subtasks that are undone when their predicate falls, or True for all.
        reward: ``task``, ``sparse``, ``dense``, ``makespan`` or ``tardiness`` of the graph; None for the
            environment's own.
        observe: whether the observation is ``{"env": the environment's, "subtasks": [3, n] uint8}`` (done,
            eligible, running) instead of the environment's own.
        end_on_goal: whether reaching the task's goal terminates the episode.
        beside: whether ``rgb_array`` pictures show the graph beside the environment.

    Raises:
        TaskError: if the task is refused, or does not suit an overlay.
        OptionError: if an option is wrong, or names a subtask that there is not.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        task: Any,
        predicates: Mapping[str, Predicate],
        *,
        starts: Mapping[str, Predicate] | None = None,
        failures: Mapping[str, Predicate] | None = None,
        moments: Collection[str] | Literal[True] = (),
        undo: Collection[str] | Literal[True] = (),
        reward: RewardName | None = None,
        observe: bool = False,
        end_on_goal: bool = True,
        beside: bool = True,
    ) -> None:
        given: dict[str, Any] = {
            "task": task,
            "predicates": predicates,
            "starts": starts,
            "failures": failures,
            "moments": moments,
            "undo": undo,
            "reward": reward,
            "observe": observe,
            "end_on_goal": end_on_goal,
            "beside": beside,
        }
        gym.utils.RecordConstructorArgs.__init__(self, _disable_deepcopy=True, **given)
        gym.Wrapper.__init__(self, env)
        self.task = overlay_task(task)
        self.graph = self.task.graph
        names = self.graph.names
        missing = [name for name in names if name not in predicates]
        if missing:
            raise OptionError(f"predicates: none says when {missing[0]!r} is done")
        self._done = _by_index("predicates", predicates, names)
        self._start = _by_index("starts", starts or {}, names)
        self._fail = _by_index("failures", failures or {}, names)
        for name in failures or {}:
            if name not in (starts or {}):
                raise OptionError(f"failures: {name!r} has no start condition, so it never runs")
        self._moments = _members("moments", moments, names)
        self._undo = _members("undo", undo, names)
        if reward is not None:
            one_of("reward", reward, rewards.REWARDS)
        self._kind = None if reward is None else rewards.REWARDS.index(reward)
        self._paid = [s.reward for s in self.graph.subtasks]
        self._weights = [due.weight for due in self.graph.dues]
        bound = bound_of(self.graph)
        self._figure = bound.bound if bound.objective == "makespan" else math.nan
        t, tb = compile_graph(self.graph, dims_of([self.graph]))
        self._m: Memory = empty_lane(t, tb)
        self._spare: Memory = copy_memory(self._m)
        self._seed, self._episode = 0, -1
        self._before: list[bool] = [False] * len(names)
        self._happened: list[Happening] = []
        self._end_on_goal, self._beside, self._observes = end_on_goal, beside, observe
        if observe:
            self.observation_space = spaces.Dict(
                {
                    "env": env.observation_space,
                    "subtasks": spaces.Box(0, 1, (3, len(names)), np.uint8),
                }
            )

    # -------------------------------------------------------------- Gymnasium

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode of the environment and of the task."""
        obs, info = self.env.reset(seed=seed, options=options)
        if seed is not None:
            self._seed, self._episode = seed, 0
        else:
            self._episode += 1
        kernel.reset_lane(self._m, mix(self._seed, self._episode))
        self._happened = []
        self._before = self._holds(self._done, obs, info)
        return self._seen(obs), self._told(info)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step the environment, then the task by one tick."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        m = self._m
        standing = 0.0 if self._kind is None else rewards.standing(m, self._kind, self._weights)
        self._tick(obs, info)
        self._happened = happenings(m, self.graph, event_rows(m))
        over = m.s[at.OVER]
        terminated = terminated or (over == kernel.TERMINATED and self._end_on_goal)
        truncated = truncated or over == kernel.TRUNCATED
        if (terminated or truncated) and over == 0:
            # The environment has ended what the task had not: what is missing now will never come.
            m.s[at.OVER] = kernel.TRUNCATED
        if self._kind is not None:
            reward = rewards.reward_of(m, self._kind, standing, self._paid, self._weights, self._figure)
        return self._seen(obs), reward, terminated, truncated, self._told(info)

    def render(self) -> Any:
        """Return the environment's picture, with the graph beside it where pictures are pixels."""
        picture = self.env.render()
        if not self._beside or not isinstance(picture, np.ndarray) or self._episode < 0:
            return picture
        return beside(picture, self._graph_picture(picture.shape[0]))

    # -------------------------------------------------------------- for agents

    @property
    def happened(self) -> tuple[Happening, ...]:
        """The events of the latest step."""
        return tuple(self._happened)

    def status(self) -> dict[str, str]:
        """Return the status of every subtask."""
        return {name: STATUS[kernel.status_of(self._m, i)] for i, name in enumerate(self.graph.names)}

    def observation_of_task(self) -> Observation:
        """Return what a planner gets: the task as it stands, and which subtasks could be started."""
        return observe(self._m, self.graph, subtask_mask(self._m), Options(), None)

    # -------------------------------------------------------------- inside

    def _holds(self, predicates: list[Predicate | None], obs: Any, info: Mapping[str, Any]) -> list[bool]:
        return [p is not None and bool(p(self.env, obs, info)) for p in predicates]

    def _tick(self, obs: Any, info: Mapping[str, Any]) -> None:
        """Let one tick pass: starts, reports, the clock, what falls, the end."""
        m = self._m
        done = self._holds(self._done, obs, info)
        begun = self._holds(self._start, obs, info)
        failed = self._holds(self._fail, obs, info)
        m.x[0] = 0
        m.s[at.STEPS] += 1
        m.s[at.BEFORE] = m.s[at.CLOCK]
        if m.s[at.OVER] == 0:
            for i, counts in enumerate(done):
                if i in self._moments or has(m, at.DONE, i):
                    # What is done already is not done again by staying as it is.
                    counts = counts and not self._before[i]
                if counts if self._start[i] is None else begun[i]:
                    self._begin(i)
                if has(m, at.RUNNING, i) and (counts or failed[i]):
                    report(m, i, counts)
            kernel.tick(m)
            for i in self._undo:
                if has(m, at.DONE, i) and not done[i]:
                    clear_done(m, i)
                    emit(m, at.E_UNDO, i, 0)
                    m.s[at.STALE] = 1
            kernel.judge(m, self._spare)
            if m.s[at.STALE] != 0:
                refresh(m)
            if m.s[at.HURT] != 0 and m.t[at.T_FRAGILE] != 0:
                judge_dead_end(m)
        self._before = done

    def _begin(self, i: int) -> None:
        """Start a subtask, if the task lets it."""
        if self._m.s[at.STALE] != 0:
            refresh(self._m)
        if has(self._m, at.ELIGIBLE, i):
            serve(self._m, [i])

    def _seen(self, obs: Any) -> Any:
        if not self._observes:
            return obs
        m, n = self._m, range(len(self.graph.subtasks))
        rows = [[int(has(m, row, i)) for i in n] for row in (at.DONE, at.ELIGIBLE, at.RUNNING)]
        return {"env": obs, "subtasks": np.array(rows, np.uint8)}

    def _told(self, info: Mapping[str, Any]) -> dict[str, Any]:
        m = self._m
        told = dict(info)
        hidden = {key: told[key] for key in OURS if key in told}
        if hidden:
            told["wrapped"] = hidden
        return told | {
            "time": m.s[at.CLOCK],
            "elapsed": m.s[at.CLOCK] - m.s[at.BEFORE],
            "events": [
                {"tick": h.tick, "kind": h.kind, "subtask": h.subtask, "agents": list(h.agents)}
                for h in self._happened
            ],
            "status": self.status(),
            "subtask_mask": subtask_mask(m)[0],
            "progress": float(rewards.progress(m)),
            "success": bool(m.s[at.GOAL]),
            "dead_end": bool(m.s[at.DEAD_END]),
            "tardiness": rewards.weighted_lateness(m, self._weights),
        }

    def _graph_picture(self, height: int) -> Any:
        """Return the graph as it stands, at least so high, and large enough for its names."""
        from stratagym.envs.render.drawing import draw_graph

        height = max(height, 360 if len(self.graph.subtasks) <= SMALL_GRAPH else 640)
        return draw_graph(self.graph, list(self.status().values()), width=round(height * 1.5), height=height)


def overlay_task(source: Any) -> Task:
    """Return a task as an overlay plays it: durations that are left out are the world's, nobody is busy.

    Raises:
        TaskError: if the task is refused, has several agents, or a duration of its own.
    """
    task = load_task(source)
    if len(task.graph.agents) != 1:
        raise TaskError(f"an overlay has one agent, not {len(task.graph.agents)}", "agents")
    mapping = task.to_dict()
    for name, fields in mapping["subtasks"].items():
        path = join("subtasks", name)
        fields = mapping["subtasks"][name] = dict(fields or {})
        if "modes" in fields:
            raise TaskError("an overlay cannot tell modes apart", path, "write them as subtasks under `any`")
        if fields.get("duration", "world") != "world":
            raise TaskError(
                "its end is the environment's to say", join(path, "duration"), "leave the duration out"
            )
        fields |= {"duration": "world", "attended": 0}
    return load_task(mapping)


def _by_index(option: str, given: Mapping[str, Predicate], names: tuple[str, ...]) -> list[Predicate | None]:
    """Return predicates in the order of the subtasks, None where there is none."""
    for name, predicate in given.items():
        if name not in names:
            raise OptionError(f"{option}: no subtask {quote(name)}; {suggest(name, names, 'there are')}")
        if not callable(predicate):
            raise OptionError(f"{option}: what stands for {quote(name)} is not a function")
    return [given.get(name) for name in names]


def _members(option: str, given: Collection[str] | Literal[True], names: tuple[str, ...]) -> frozenset[int]:
    """Return subtasks by number; True names all."""
    if given is True:
        return frozenset(range(len(names)))
    for name in given:
        if name not in names:
            raise OptionError(f"{option}: no subtask {quote(name)}; {suggest(name, names, 'there are')}")
    return frozenset(names.index(name) for name in given)


def beside(left: Any, right: Any) -> Any:
    """Return two pictures side by side, the left one scaled to the height of the right one."""
    from PIL import Image

    height = right.shape[0]
    width = max(1, round(left.shape[1] * height / left.shape[0]))
    scaled = np.asarray(Image.fromarray(left).resize((width, height), Image.Resampling.LANCZOS))
    return np.concatenate([scaled[..., :3], right], axis=1)
