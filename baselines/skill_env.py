"""Environments in which an action is a skill: the semi-Markov decision process over any environment.

Owns ``SkillEnv`` and its batch. An action names the subtask that a body is to bring about; scripted
(or other) skills walk, fetch, carry and ask for it, and the next decision is due when a body is
free again. Who walks how is the hierarchical agent's, with the learner in the planner's place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from stratagym.agents.base import Actions, Skill
from stratagym.agents.hierarchy import HierarchicalAgent
from stratagym.agents.options import Options
from stratagym.agents.skills import SCRIPTED, skill_of
from stratagym.baselines.lane_batch import LaneBatch
from stratagym.baselines.rollout import for_space, see
from stratagym.envs.task.view import Observation

Obs = dict[str, np.ndarray[Any, Any]]

STATE_VERSION = 1


class Dictated:
    """A planner that says what it was told to, once; asked again, it remembers what it was asked.

    Attributes:
        told: subtasks by agent, None when there is nothing to say.
        asked: the mask of the question that could not be answered, None if there was none.
    """

    def __init__(self) -> None:
        self.told: Actions | None = None
        self.asked: np.ndarray[Any, np.dtype[np.int8]] | None = None

    def reset(self, seed: int) -> None:
        """Forget everything."""
        self.told = self.asked = None

    def act(self, observation: Observation) -> Actions:
        """Return what was told; where it is not allowed, or nothing was, wait."""
        mask, told = observation.mask, self.told
        wait = mask.shape[1] - 1
        actions = np.full(len(mask), wait, dtype=np.int64)
        if told is None:
            self.asked = mask
            return actions
        self.told = None
        taken: set[int] = set()
        for a, i in enumerate(told):
            if 0 <= i < wait and mask[a, i]:
                actions[a] = i
                taken.add(int(i))
        return actions


class Around(gym.Env[Obs, Any]):
    """An environment around another of this package: what it shows and knows is the one inside's.

    Attributes:
        env: the environment inside, perhaps wrapped.
        inner: the same without its wrappers.
    """

    env: gym.Env[Any, Any]
    inner: Any

    def render(self) -> Any:
        """Draw the environment inside."""
        return self.env.render()

    def close(self) -> None:
        """Close the environment inside."""
        self.env.close()

    @property
    def model(self) -> Any:
        """The tasks, as in the environment inside."""
        return self.inner.model

    @property
    def options(self) -> Any:
        """What the environment inside was made with."""
        return self.inner.options

    @property
    def view(self) -> Any:
        """The flat view of the environment inside."""
        return self.inner.view

    @property
    def graph_view(self) -> Any:
        """What writes the graph view, None where another view is shown."""
        return self.inner.graph_view

    @property
    def task(self) -> Any:
        """The task of the present episode."""
        return self.inner.task


class SkillEnv(Around):
    """Any environment of the package as its SMDP: an action is a skill.

    One agent acts by ``Discrete(n + 1)``, several by ``MultiDiscrete``: bring subtask ``i`` about, or wait
    (the last) for one tick. A step lasts until some body is free and could take up something; bodies that
    are under way go on, and only waiting is open to them (their rows of the mask say so). In the abstract
    world a skill is the start of its subtask and a step is one of the environment inside.

    The reward of a step is ``sum gamma**age * reward`` over the environment's own steps, ``age`` being the
    ticks since it began; what comes after weighs ``gamma**info["elapsed"]``. ``info`` holds what the
    environment's own has at the end of the step, with ``elapsed`` (ticks of the whole step), ``events`` (all
    of it), ``discount`` (``gamma**elapsed``) and ``action_mask``: 1 for every skill that can start, its own
    preparation (fetching, opening) included.

    Args:
        env: an id, whose options follow, or an environment of this package.
        skills: what the skills are, by name or themselves; see ``HierarchicalAgent``.
        gamma: discount of one tick.
        render_mode: of the environment that is made by its id.
        **options: of the environment that is made by its id.

    Raises:
        ValueError: if ``env`` is not one of ours, ``gamma`` is not in 0..1, there are no such skills, or
            the rules of its world are not known (``knowledge="none"``).
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 8}  # noqa: RUF012

    def __init__(
        self,
        env: str | gym.Env[Any, Any],
        skills: str | Skill | None = SCRIPTED,
        gamma: float = 0.99,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        self.env = made(env, render_mode, options)
        self.inner = inner_of(self.env)
        self.render_mode = self.env.render_mode
        if self.inner.scene is not None and self.inner.options.knowledge == "none":
            raise ValueError("knowledge='none': without its rules no skill can be begun in a world")
        self.planner = Dictated()
        self.agent = HierarchicalAgent(lambda: self.planner, replan="always", skill=skills)
        self._account = Options(1, gamma)
        n, agents = self.inner.model.dims.subtasks, self.inner.acting.agents
        self._n, self._agents = n, agents
        self.observation_space = self.env.observation_space
        one = spaces.Discrete(n + 1)
        self.action_space = one if agents == 1 else spaces.MultiDiscrete([n + 1] * agents)
        self._begun = self._over = False
        self._time = 0
        self._told: dict[str, Any] = {}

    # -------------------------------------------------------------- Gymnasium

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """Begin an episode; see the environment inside."""
        super().reset(seed=seed)
        obs, info = self.env.reset(seed=seed, options=options)
        self._begun, self._over = True, False
        self.agent.reset(0)
        self._account.begin(int(info["time"]))
        if self.inner.scene is None:
            self._time, self._mask = int(info["time"]), np.asarray(info["action_mask"])
            return obs, {**info, "discount": 1.0}
        obs, _, _, info = self._on(obs, info)
        return obs, info

    def step(self, action: Any) -> tuple[Obs, SupportsFloat, bool, bool, dict[str, Any]]:
        """Give the free bodies their skills and go on until a decision is due.

        Raises:
            ResetNeeded: before the first reset.
        """
        if not self._begun:
            raise ResetNeeded("reset the environment before its first step")
        chosen = np.asarray(action, dtype=np.int64).reshape(-1)
        if chosen.size != self._agents:
            raise ValueError(f"actions have shape {chosen.shape}, not ({self._agents},)")
        self._account.begin(self._time)
        if self.inner.scene is None:
            return self._abstract(action)
        self.planner.told = chosen
        obs, terminated, truncated, info = self._on(self.inner.shown(), self._told)
        return obs, float(self._account.end().returns[0]), terminated, truncated, info

    # -------------------------------------------------------------- for users

    @property
    def action_names(self) -> tuple[str, ...]:
        """The name of every skill; the last is ``wait``."""
        names = list(self.inner.task.graph.names)
        names += [f"(unused {k})" for k in range(len(names), self._n)]
        return (*names, "wait")

    def action_masks(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return the present mask as bool, for sb3-contrib (several agents: one after the other)."""
        return self._mask.astype(bool).ravel()

    def get_state(self) -> dict[str, Any]:
        """Return an exact copy of the episode's state: arrays and plain values; skills under way included."""
        return {**self.inner.get_state(), "version": STATE_VERSION, "skills": self._mind_state()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that ``get_state`` of an equal environment has returned."""
        if state.get("version") != STATE_VERSION or "skills" not in state:
            raise ValueError("this state is not one of a SkillEnv")
        own = {key: value for key, value in state.items() if key != "skills"}
        self.inner.set_state({**own, "version": 1})
        self._begun = True
        self.agent.reset(0)
        kept = json.loads(bytes(np.asarray(state["skills"], np.uint8)).decode())
        self._time, self._over, self._told = kept["time"], kept["over"], kept["told"]
        self._mask = np.array(kept["mask"], np.int8)
        if kept["mind"] is not None:
            observation = self.inner.observation()
            self.agent.lane(0).mind(observation).load(kept["mind"], observation)

    # -------------------------------------------------------------- inside

    def _mind_state(self) -> Any:
        """Return the skills under way as bytes of JSON."""
        minds = self.agent.lane(0).minds
        kept = {
            "time": self._time,
            "over": self._over,
            "mask": self._mask.tolist(),
            "told": {key: value for key, value in self._told.items() if key != "action_mask"},
            "mind": minds[0].save() if minds and not self._over else None,
        }
        return np.frombuffer(json.dumps(kept, separators=(",", ":")).encode(), np.uint8).copy()

    def _abstract(self, action: Any) -> tuple[Obs, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take a step where there is no world."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._account.add(float(reward), int(info["elapsed"]))
        ended = self._account.end()
        self._time, self._mask = int(info["time"]), np.asarray(info["action_mask"])
        info["discount"] = float(ended.discount[0])
        return obs, float(ended.returns[0]), terminated, truncated, info

    def _on(self, obs: Obs, info: dict[str, Any]) -> tuple[Obs, bool, bool, dict[str, Any]]:
        """Go on until a decision is due or the episode is over.

        Args:
            obs: the present observation.
            info: what was told last; its events are those of this step so far.
        """
        terminated = truncated = False
        events = list(info.get("events", ()))
        while not (terminated or truncated):
            observation = see(self.inner, self.agent)
            actions = self._ask(observation)
            if self.planner.asked is not None:
                break
            obs, reward, terminated, truncated, info = self.env.step(
                for_space(self.env.action_space, _plain(actions), observation)
            )
            self._account.add(float(reward), int(info["elapsed"]))
            events += info.get("events", ())
        self._time, self._over = int(info["time"]), terminated or truncated
        self._mask = self._skills_that_can_start()
        ended = self._account.end()
        told = {
            **info,
            "elapsed": int(ended.elapsed[0]),
            "discount": float(ended.discount[0]),
            "events": events,
            "action_mask": self._mask,
        }
        self._told = {**told, "events": []}
        return obs, terminated, truncated, told

    def _ask(self, observation: Observation) -> Any:
        """Return the bodies' next actions; what was chosen holds for this moment only."""
        self.planner.asked = None
        actions = self.agent.act(observation)
        self.planner.told = None
        self.agent.trace()
        return actions

    def _skills_that_can_start(self) -> np.ndarray[Any, np.dtype[np.int8]]:
        """Return the mask, int8 ``[n + 1]`` (several agents: ``[agents, n + 1]``)."""
        mask = np.zeros((self._agents, self._n + 1), np.int8)
        mask[:, -1] = 1
        asked = self.planner.asked
        if asked is not None and not self._over:
            mask[: len(asked), : asked.shape[1] - 1] = asked[:, :-1]
        return mask[0] if self._agents == 1 else mask


def _plain(actions: Any) -> Any:
    """Return an agent's actions as ``for_space`` takes them."""
    return actions if np.issubdtype(actions.dtype, np.floating) else [int(a) for a in actions]


def made(
    env: str | gym.Env[Any, Any], render_mode: str | None, options: Mapping[str, Any]
) -> gym.Env[Any, Any]:
    """Return an environment of this package, made if it is named by its id.

    Raises:
        ValueError: if it is of another package, or options come with one that is made already.
    """
    import stratagym  # noqa: F401 - registers the environments

    if isinstance(env, str):
        env = gym.make(env, disable_env_checker=True, render_mode=render_mode, **options).unwrapped
    elif options:
        raise ValueError(f"options of an environment that is made already: {', '.join(options)}")
    inner = inner_of(env)
    if not all(hasattr(inner, name) for name in ("observation", "scene", "acting", "lanes")):
        raise ValueError(f"{type(inner).__name__} is not an environment of stratagym")
    return env


def inner_of(env: gym.Env[Any, Any]) -> Any:
    """Return the environment inside all wrappers."""
    return env.unwrapped


def alike(env_id: str, options: Mapping[str, Any]) -> Callable[[], gym.Env[Any, Any]]:
    """Return what makes environments of one id that share their tasks."""
    first = inner_of(made(env_id, None, options))

    def make() -> gym.Env[Any, Any]:
        env: gym.Env[Any, Any] = type(first)(first.model, first.options)
        return env

    return make


class SkillVectorEnv(LaneBatch):
    """A batch of ``SkillEnv``: every lane goes on until its own next decision.

    Lane ``i`` is bit for bit the single environment with the same seed. The lanes share their tasks and what
    was compiled; each step takes each lane as many ticks as its skills need.

    Args:
        env: an id, whose options follow.
        num_envs: lanes.
        skills: see ``SkillEnv``.
        gamma: discount of one tick.
        autoreset_mode: ``NextStep``, ``SameStep`` or ``Disabled`` (or the enumeration's member).
        **options: of the environment.
    """

    def __init__(
        self,
        env: str,
        num_envs: int = 1,
        skills: str | Skill | None = SCRIPTED,
        gamma: float = 0.99,
        autoreset_mode: Any = "NextStep",
        **options: Any,
    ) -> None:
        inside, shared = alike(env, options), skill_of(skills)

        def lane() -> SkillEnv:
            return SkillEnv(inside(), shared, gamma)

        super().__init__(lane, num_envs, autoreset_mode)
