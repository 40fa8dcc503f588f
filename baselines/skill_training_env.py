"""The environment in which one goal-conditioned skill is learned, by the body's own actions.

Owns ``SkillTrainingEnv`` and its batch: which body is the learner's, where it starts, which subtask it is
to bring about, what it sees of that goal, when that has come to something and what it pays. Start
states come from play: scripted skills under random goals lead there, as they go on leading all
other bodies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from stratagym.agents.base import Case, Goal, Mark, Prospect, Skill
from stratagym.agents.critics.effect import EffectCritic, started
from stratagym.agents.hierarchy import HierarchicalAgent
from stratagym.agents.planners.dispatch import RandomAgent
from stratagym.agents.skills import SCRIPTED, skill_of
from stratagym.baselines.lane_batch import LaneBatch
from stratagym.baselines.rollout import for_space, see
from stratagym.baselines.skill_env import STATE_VERSION, Around, alike, inner_of, made
from stratagym.envs.rng import mix
from stratagym.envs.task.view import Observation
from stratagym.envs.worlds.view import GridView

Obs = dict[str, np.ndarray[Any, Any]]

PLAYED_MOST = 12
"""Options of play before the first episode in a place; fewer than that, how many is drawn."""

PLAYED_BETWEEN = 3
"""The same for those that go on where the last one ended: play has come that far already."""

SCANNED = 64
"""Tasks of a family whose maps are looked at for the size of ``goal_cells``."""

PLAYS_MOST = 500
"""Episodes that may be played on the way to one goal."""

SLACK = 20
"""Ticks that a learner has beyond four times what the scripted skill would take."""


class SkillTrainingEnv(Around):
    """One body, one goal: start a subtask by the body's own actions.

    An episode begins somewhere in the middle of play: random goals were pursued by scripted skills for
    a number of options that the seed draws. Then a body and a subtask that it could begin are drawn, and
    the learner moves that body alone; the others go on as they were. The episode is *terminated* when
    the subtask starts by it (success, reward 1) or cannot be started any more (failure), and
    *truncated* when it takes far longer than the scripted skill would, or the episode inside ends.

    Observations are those of the environment inside with ``goal`` (uint8 ``[n]``, one-hot) and, on a
    map, ``goal_cells`` (uint8 ``[H, W]``: where the subtask's rules apply as the map is known). ``info``
    holds what the environment's own has, ``action_mask`` (the body's own actions), ``goal`` (its number)
    and ``success``.

    With ``shaping`` above 0 a step also pays ``shaping * (gamma**elapsed * potential(after) -
    potential(before))``, the potential being minus the ticks that the scripted skill would still take
    (Ng, Harada and Russell, 1999: what is best stays best).

    Args:
        env: an id, whose options follow, or an environment of this package, with a world.
        skills: whose play leads to the start states, and whose estimates count; see ``SkillEnv``.
        shaping: see above.
        gamma: discount of one tick, for the shaping.
        render_mode: of the environment that is made by its id.
        **options: of the environment that is made by its id.

    Raises:
        ValueError: if ``env`` is not one of ours, has no world, or does not show its rules.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 8}  # noqa: RUF012

    def __init__(
        self,
        env: str | gym.Env[Any, Any],
        skills: str | Skill | None = SCRIPTED,
        shaping: float = 0.0,
        gamma: float = 0.99,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        self.env = made(env, render_mode, options)
        self.inner = inner_of(self.env)
        self.render_mode = self.env.render_mode
        if self.inner.scene is None:
            raise ValueError("without a world there is nothing to learn a skill for: actions are subtasks")
        if self.inner.options.knowledge == "none":
            raise ValueError("knowledge='none': goals are drawn by rules, which are hidden")
        self._shaping, self._gamma = shaping, gamma
        self.agent = HierarchicalAgent(RandomAgent, replan="always", skill=skills)
        self._critic = EffectCritic()
        acting, model = self.inner.acting, self.inner.model
        self._n, self._agents = model.dims.subtasks, acting.agents
        self.action_space = acting.one
        extra: dict[str, spaces.Space[Any]] = {"goal": spaces.Box(0, 1, (self._n,), np.uint8)}
        self._cells: tuple[int, int] | None = None
        if self.inner.scene.kind == "grid":
            sizes = [self.inner.model.scene(k) for k in range(min(model.count, SCANNED))]
            self._cells = (max(s.height for s in sizes), max(s.width for s in sizes))
            extra["goal_cells"] = spaces.Box(0, 1, self._cells, np.uint8)
        inside: Any = self.env.observation_space
        space: Any = spaces.Dict({**inside.spaces, **extra})
        self.observation_space = space
        self._begun = self._over = False
        self._potential = 0.0
        self._seen: Observation
        self._told: dict[str, Any] = {}

    # -------------------------------------------------------------- Gymnasium

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """Begin an episode: play on to a start state, draw a body and its goal.

        With a seed play begins anew; without one it goes on where the last episode ended, as
        long as it lasts.

        Raises:
            RuntimeError: if there is never a goal that a skill could begin.
        """
        super().reset(seed=seed)
        fresh = seed is not None or not self._begun or self._over
        if seed is not None or not self._begun:
            self._seed = int(self.np_random.integers(2**62)) if seed is None else int(seed)
            self._episode = 0
        else:
            self._episode += 1
        if fresh:
            self._anew(options)
        agent_mind(self.agent).hold(None)
        draws = np.random.default_rng([self._seed % 2**63, self._episode])
        for _ in range(PLAYS_MOST):
            if self._lead(draws, PLAYED_MOST if fresh else PLAYED_BETWEEN):
                break
            self._episode += 1
            self._anew(options)
            fresh = True
        else:
            raise RuntimeError(f"in {PLAYS_MOST} episodes of play no goal could be drawn: no skill can begin")
        self._begun = True
        return self._shown(), self._info()

    def step(self, action: Any) -> tuple[Obs, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take one step of the body, and of all others by their skills.

        Raises:
            ResetNeeded: before the first reset.
        """
        if not self._begun:
            raise ResetNeeded("reset the environment before its first step")
        before = self._potential
        actions = self.agent.act(self._seen)
        self.agent.trace()
        if not self._seen.world.actions and not actions.size:  # nobody but the learner's body
            actions = np.zeros((self._agents, *np.shape(action)), np.float32)
        actions[self._body] = self._own(action)
        self._advance(actions)
        reward, terminated = self._judge()
        truncated = not terminated and (self._over or self._time >= self._until)
        if self._shaping:
            self._potential = 0.0 if terminated else self._distance()
            elapsed = int(self._told["elapsed"])
            reward += self._shaping * (self._gamma**elapsed * self._potential - before)
        return self._shown(), reward, terminated, truncated, self._info()

    # -------------------------------------------------------------- for users

    @property
    def action_names(self) -> tuple[str, ...]:
        """The names of the body's own actions; the last is ``wait``."""
        names: tuple[str, ...] = self.inner.action_names
        return names

    def action_masks(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return the mask of the body's own actions as bool, for sb3-contrib.

        Raises:
            ValueError: if actions are vectors.
        """
        mask = self._row()
        if mask is None:
            raise ValueError("actions are vectors in a box: there is no mask")
        return mask.astype(bool)

    def get_state(self) -> dict[str, Any]:
        """Return an exact copy of the state: arrays and plain values; play around the goal included."""
        minds = self.agent.lane(0).minds
        kept = {
            "seed": self._seed,
            "episode": self._episode,
            "body": self._body,
            "goal": self._goal,
            "since": self._since,
            "until": self._until,
            "tries": self._tries,
            "potential": self._potential,
            "over": self._over,
            "outcome": self._success,
            "mark": [list(self._mark.status), list(self._mark.starts), list(self._mark.succeeded)],
            "told": {k: v for k, v in self._told.items() if k not in ("action_mask", "events")},
            "mind": minds[0].save(),
            "draws": minds[0].planner._draws.bit_generator.state,  # type: ignore[attr-defined]
        }
        text = json.dumps(kept, separators=(",", ":")).encode()
        return {
            **self.inner.get_state(),
            "version": STATE_VERSION,
            "play": np.frombuffer(text, np.uint8).copy(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that ``get_state`` of an equal environment has returned.

        Raises:
            ValueError: if it is of another environment.
        """
        if state.get("version") != STATE_VERSION or "play" not in state:
            raise ValueError("this state is not one of a SkillTrainingEnv")
        own = {key: value for key, value in state.items() if key != "play"}
        self.inner.set_state({**own, "version": 1})
        kept = json.loads(bytes(np.asarray(state["play"], np.uint8)).decode())
        self._seed, self._episode = kept["seed"], kept["episode"]
        self._body, self._goal, self._since = kept["body"], kept["goal"], kept["since"]
        self._until, self._tries, self._potential = kept["until"], kept["tries"], kept["potential"]
        self._over, self._success, self._told = kept["over"], kept["outcome"], {**kept["told"], "events": []}
        self._mark = Mark(*(tuple(part) for part in kept["mark"]))
        self.agent.reset(0)
        self._seen = see(self.inner, self.agent)
        mind = self.agent.lane(0).mind(self._seen)
        mind.load(kept["mind"], self._seen)
        mind.planner._draws.bit_generator.state = kept["draws"]  # type: ignore[attr-defined]
        mind.memory.update(self._seen)
        mind.hold(self._body, self._goal)
        self._obs = self.inner.shown()
        self._begun = True

    # -------------------------------------------------------------- inside: play

    def _anew(self, options: dict[str, Any] | None) -> None:
        """Begin to play an episode of the environment inside."""
        seed = mix(self._seed, self._episode) % 2**63
        self._obs, self._told = self.env.reset(seed=seed, options=options)
        self._over = False
        self.agent.reset(seed)
        self._seen = see(self.inner, self.agent)
        self.agent.lane(0).mind(self._seen)

    def _lead(self, draws: np.random.Generator, most: int) -> bool:
        """Play on to where a goal can be drawn, and draw it; return whether play lasted that long.

        Args:
            draws: of how many options are played, and of the goal.
            most: so many options less one are played at most, as long as a goal can be drawn then.
        """
        agent = self.agent
        left = int(draws.integers(most))
        while not self._over:
            actions = agent.act(self._seen)
            left -= sum(row["outcome"] is not None for row in agent.trace())
            if left <= 0 and self._draw(draws):
                return True
            self._advance(actions)
        return False

    def _draw(self, draws: np.random.Generator) -> bool:
        """Draw a body that is ready and a subtask that it could begin; return whether there is one."""
        mind, seen = agent_mind(self.agent), self._seen
        skill = self.agent.skill_of(seen.world.kind)
        open_pairs = []
        for b, body in enumerate(seen.world.bodies):
            if not body.ready or body.down or not seen.task.agents[b].idle:
                continue
            claimed = mind.claimed(but=b)
            for i in np.flatnonzero(seen.mask[b, :-1]).tolist():
                if i in claimed or not self._alone(i):
                    continue
                prospect = skill.start(mind.memory, b, Goal(i, (b,)))
                if prospect.possible:
                    open_pairs.append((b, i, prospect))
        if not open_pairs:
            return False
        body, goal, prospect = open_pairs[int(draws.integers(len(open_pairs)))]
        self._set(body, goal, prospect)
        return True

    def _alone(self, i: int) -> bool:
        """Return whether a subtask takes one body."""
        graph = self._seen.task.graph
        return graph is None or graph.subtasks[i].agents == 1

    def _set(self, body: int, goal: int, prospect: Prospect) -> None:
        """Begin the learner's episode."""
        self._body, self._goal = body, goal
        self._since, self._until = self._time, self._time + 4 * prospect.ticks + SLACK
        self._mark, self._tries, self._success = Mark.of(self._seen.task), 0, False
        agent_mind(self.agent).hold(body, goal)
        self._potential = self._distance() if self._shaping else 0.0

    def _advance(self, actions: Any) -> None:
        """Take a step inside."""
        plain = actions if np.issubdtype(actions.dtype, np.floating) else [int(a) for a in actions]
        self._obs, _, terminated, truncated, self._told = self.env.step(
            for_space(self.env.action_space, plain, self._seen)
        )
        self._over = bool(terminated or truncated)
        self._seen = see(self.inner, self.agent)

    def _own(self, action: Any) -> Any:
        """Return the learner's action as agents give it: beyond the scene's own numbers it waits."""
        if not self._seen.world.actions:
            return np.asarray(action, np.float32)
        return min(int(action), len(self._seen.world.actions) - 1)

    # -------------------------------------------------------------- inside: the goal

    @property
    def _time(self) -> int:
        return int(self._told["time"])

    def _judge(self) -> tuple[float, bool]:
        """Return the reward and whether the goal was reached or lost."""
        task = self._seen.task
        if started(task, self._mark, self._goal):
            crew = {name for name, _ in self._starters()}
            self._success = task.agents[self._body].name in crew
            return float(self._success), True
        memory = agent_mind(self.agent).memory
        case = Case(memory, self._body, Goal(self._goal, (self._body,)), self._since)
        memory.update(self._seen)
        outcome = self._critic.judge(case, self._mark, None, 0)
        return 0.0, outcome is not None

    def _starters(self) -> list[tuple[str, int]]:
        """Return who started the goal's subtask in the latest step."""
        names = [agent.name for agent in self._seen.task.agents]
        wanted = self._seen.task.names[self._goal]
        return [
            (names[a], event.tick)
            for event in self.inner.happened
            if event.kind == "start" and event.subtask == wanted
            for a in event.agents
        ]

    def _distance(self) -> float:
        """Return minus the ticks that the scripted skill would still take to the attempt."""
        memory = agent_mind(self.agent).memory
        memory.update(self._seen)
        skill = self.agent.skill_of(self._seen.world.kind)
        prospect = skill.start(memory, self._body, Goal(self._goal, (self._body,)))
        return -float(prospect.ticks) if prospect.possible else -float(max(0, self._until - self._time))

    def _row(self) -> np.ndarray[Any, np.dtype[np.int8]] | None:
        """Return the body's row of the mask, padded as the action space is; None on a plane."""
        mask = self._told.get("action_mask")
        if mask is None:
            return None
        row: np.ndarray[Any, np.dtype[np.int8]] = np.asarray(mask).reshape(self._agents, -1)[self._body]
        return row

    def _shown(self) -> Obs:
        """Return the observation: what the environment shows, and the goal."""
        goal = np.zeros(self._n, np.uint8)
        goal[self._goal] = 1
        shown = {**self._obs, "goal": goal}
        if self._cells is not None:
            shown["goal_cells"] = goal_cells(self._seen.world, self._goal, self._cells)
        return shown

    def _info(self) -> dict[str, Any]:
        """Return what is told of a step."""
        info = {**self._told, "success": self._success, "goal": self._goal}
        row = self._row()
        if row is not None:
            info["action_mask"] = row.copy()
        return info


def goal_cells(view: GridView, goal: int, size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the cells where a rule of a goal applies, whatever the hand holds, ``[H, W]``."""
    marked = np.zeros(size, np.uint8)
    part = marked[: view.height, : view.width]
    for rule in view.rules.get(goal, ()):
        fits = np.ones((view.height, view.width), np.bool_)
        if rule.at is not None:
            fits &= np.isin(view.fixtures, list(rule.at))
        if rule.thing is not None:
            fits &= np.isin(view.things, list(rule.thing))
        part |= fits
    return marked


def agent_mind(agent: HierarchicalAgent) -> Any:
    """Return the only mind of an agent with one lane."""
    return agent.lane(0).minds[0]


class SkillTrainingVectorEnv(LaneBatch):
    """A batch of ``SkillTrainingEnv``; lane ``i`` is bit for bit the single environment with the same seed.

    Args:
        env: an id, whose options follow.
        num_envs: lanes.
        skills: see ``SkillTrainingEnv``.
        shaping: likewise.
        gamma: likewise.
        autoreset_mode: ``NextStep``, ``SameStep`` or ``Disabled`` (or the enumeration's member).
        **options: of the environment.
    """

    def __init__(
        self,
        env: str,
        num_envs: int = 1,
        skills: str | Skill | None = SCRIPTED,
        shaping: float = 0.0,
        gamma: float = 0.99,
        autoreset_mode: Any = "NextStep",
        **options: Any,
    ) -> None:
        inside, shared = alike(env, options), skill_of(skills)

        def lane() -> SkillTrainingEnv:
            return SkillTrainingEnv(inside(), shared, shaping, gamma)

        super().__init__(lane, num_envs, autoreset_mode)
