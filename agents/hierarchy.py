"""The hierarchical agent: a planner says what, skills do it, a memory knows, a critic judges.

Owns the only place where the levels meet: the agent that others see, its lanes, and the
passing of goals to skills and of their moves back. What a mind decides is in ``mind``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from stratagym.agents.base import FOR_SKILLS, Case, Critic, Memory, Move, Planner, Skill
from stratagym.agents.critics.effect import EffectCritic
from stratagym.agents.mind import REPLAN, Mind, Replan
from stratagym.agents.rehearsal import TICKS_MOST
from stratagym.agents.skills import make_skill, skill_of
from stratagym.envs.task.view import Observation

Team = Literal["one", "each"]


class HierarchicalAgent:
    """A planner over skills, for one lane or a batch, with one body or several in each.

    It answers with the world's own actions. Where there is no world it is its planner. Any agent
    that names subtasks can be the planner: it is shown the task with what bodies have taken up
    counted as running, and a mask of what they could take up now (see ``foresight.picture``).

    **When it plans anew** is ``replan``: a word or a set of words of

    - ``failure``: an option failed, a run ended without success, or nothing has moved for long;
    - ``event``: something happened that the plan could not count on (a subtask undone, appeared or
      closed, another capacity, duration or deadline);
    - ``chance``: a body would wait for its next step longer than another step of the plan takes it,
      which it then does first, and makes a new plan where there is none;
    - ``always``: the planner is asked whenever a body is free, and only its next word counts;
    - ``never``: the plan made at the beginning is carried out step by step; what fails is skipped.

    Left out: ``failure``, ``event`` and ``chance`` for planners that plan ahead (an attribute
    ``plans_ahead = True``), ``always`` for those that decide one step at a time. A planner is played out
    in the abstract simulator to see its plan, which takes ``full`` knowledge; without that it is asked
    whenever a body is free. Whatever fails is left alone by its body for some ticks.

    **Teams**: with ``team="one"`` one planner decides for all bodies. With ``"each"`` every body has a
    planner and a memory of its own, sees with its own eyes, and knows of the others' intentions what
    they say: where the world has messages, a body that takes up a subtask says its number
    (modulo the number of words), and the others leave it to it.

    Args:
        planner: a name of the zoo, the folder of a run that has trained one, ``package.module:factory``, or
            what makes a planner; every lane gets its own.
        replan: see above.
        team: ``one`` or ``each``.
        travel: whether the planner's durations have the estimated way added (planners that know of ways
            themselves, by an attribute ``travels = True``, always get the true ones).
        rehearse: simulated ticks that may be spent on rehearsing a plan with its ways and bettering its order
            (where the skill has a stage for it); 0 for none.
        skill: what bodies can do: ``scripted`` (of each kind of world, and if left out), the folder of a run
            of ``skill_ppo``, ``package.module:factory``, or a skill.
        memory: makes a memory; that of the kind of world if left out.
        critic: judges options; by their effects if left out.

    Raises:
        ValueError: if the planner, the skill, the policy or the team is unknown, or a value of a wrong kind.
    """

    primitive = True

    def __init__(
        self,
        planner: str | Callable[[], Planner] = "optimal",
        replan: Replan | Collection[Replan] | None = None,
        team: Team = "one",
        travel: bool = True,
        rehearse: int = TICKS_MOST,
        skill: str | Skill | None = None,
        memory: Callable[[], Memory] | None = None,
        critic: Critic | None = None,
    ) -> None:
        if team not in ("one", "each"):
            raise ValueError(f"team: {team!r} is not one of one, each")
        if not isinstance(travel, bool):
            raise ValueError(f"travel: {travel!r} is neither True nor False")
        if isinstance(rehearse, bool) or not isinstance(rehearse, int) or rehearse < 0:
            raise ValueError(f"rehearse: {rehearse!r} is not a number of ticks (0 for none)")
        self.make_planner = _planner(planner)
        self.replan = _policy(replan)
        self.team, self.travel, self.rehearse = team, travel, rehearse
        self.skill, self.make_memory = skill_of(skill), memory
        self.critic: Critic = critic or EffectCritic()
        self._seeds: list[int] = [0]
        self._lanes: list[Lane] = []
        self._skills: dict[str, Skill] = {}
        self.lane(0).planners()  # a mistake in its making shows at once

    # -------------------------------------------------------------- an agent

    def reset(self, seed: int) -> None:
        """Forget the last episode."""
        self.reset_batch([seed])

    def reset_batch(self, seeds: Sequence[int | None]) -> None:
        """Forget the last episodes of some lanes.

        Args:
            seeds: one for each lane, None for a lane that goes on.
        """
        for k, seed in enumerate(seeds):
            if seed is not None:
                self.lane(k).reset(seed)

    def act(self, observation: Observation) -> Any:
        """Return one action per agent: int64 ``[agents]``, or float32 ``[agents, width]`` for a box."""
        return self.act_batch([observation])[0]

    def act_batch(self, observations: Sequence[Observation | None]) -> list[Any]:
        """Return the actions of some lanes.

        Args:
            observations: one for each lane; None for a lane that is not asked.

        Returns:
            For each lane what ``act`` returns, None where none was asked for.
        """
        asked: dict[str, list[tuple[int, Case]]] = {}
        actions: list[Any] = [None] * len(observations)
        for k, observation in enumerate(observations):
            if observation is None:
                continue
            if observation.world is None:
                actions[k] = self.lane(k).abstract(observation)
                continue
            for case in self.lane(k).decide(observation):
                asked.setdefault(observation.world.kind, []).append((k, case))
        moves: dict[int, list[tuple[Case, Move]]] = {}
        for kind, cases in asked.items():
            found = self.skill_of(kind).act([case for _, case in cases])
            for (k, case), move in zip(cases, found, strict=True):
                moves.setdefault(k, []).append((case, move))
        for k, observation in enumerate(observations):
            if observation is not None and observation.world is not None:
                actions[k] = self.lane(k).finish(observation, moves.get(k, []))
        return actions

    def trace(self, lane: int = 0) -> list[dict[str, Any]]:
        """Return the rows written since the last call, see ``base.Decision``.

        A decision is told when it is made and once more, with its outcome, when it has ended. In the
        abstract world the rows are the planner's.
        """
        return self.lane(lane).drain()

    def sees(self, base: Any) -> Mapping[str, Any] | None:
        """Return what the levels want to see as arrays, the skill's under ``FOR_SKILLS``; None if nothing."""
        shown: dict[str, Any] = {}
        for level, prefix in ((self.lane(0).planners()[0], ""), (self.skill, FOR_SKILLS)):
            sees = getattr(level, "sees", None)
            arrays = None if sees is None else sees(base)
            shown |= {prefix + key: part for key, part in (arrays or {}).items()}
        return shown or None

    def skill_of(self, kind: str) -> Skill:
        """Return the skill for a kind of world."""
        if self.skill is not None:
            return self.skill
        if kind not in self._skills:
            self._skills[kind] = make_skill(kind)
        return self._skills[kind]

    def lane(self, k: int) -> Lane:
        """Return a lane, made if it is not there yet."""
        while len(self._lanes) <= k:
            self._lanes.append(Lane(self, len(self._lanes)))
        return self._lanes[k]


def _planner(planner: str | Callable[[], Planner]) -> Callable[[], Planner]:
    """Return what makes the planner.

    Raises:
        ValueError: if it is of a wrong kind; when called, if what it makes is no planner.
    """
    if not isinstance(planner, str) and not callable(planner):
        raise ValueError(f"planner: {planner!r} is neither a name nor what makes a planner")

    def make() -> Planner:
        if not isinstance(planner, str):
            return planner()
        from stratagym.agents.zoo import make_agent

        try:
            made = make_agent(planner)
        except ValueError as error:
            raise ValueError(f"planner: {error}") from error
        if getattr(made, "primitive", False):
            raise ValueError(f"planner: {planner!r} moves bodies itself, a planner names subtasks")
        return made

    return make


def _policy(replan: Replan | Collection[Replan] | None) -> frozenset[str] | None:
    """Return the policy as a set.

    Raises:
        ValueError: if a word is unknown, or stands beside one that rules it out.
    """
    if replan is None:
        return None
    words = frozenset(replan if isinstance(replan, Collection) and not isinstance(replan, str) else [replan])
    unknown = sorted(words - set(REPLAN), key=str)
    if unknown or not words:
        raise ValueError(
            f"replan: {unknown[0] if unknown else 'nothing'!r} is not one of {', '.join(REPLAN)}"
        )
    alone = words & {"always", "never"}
    if alone and len(words) > 1:
        raise ValueError(f"replan: {sorted(alone)[0]!r} stands alone")
    return words


class Lane:
    """One lane: one mind for all bodies, or one for each."""

    def __init__(self, agent: HierarchicalAgent, number: int) -> None:
        self._agent, self._number = agent, number
        self.minds: list[Mind] = []
        self._planner: Planner | None = None
        self._seed = 0

    def planners(self) -> list[Planner]:
        """Return the planner of the lane, or of each body."""
        if self.minds:
            return [mind.planner for mind in self.minds]
        if self._planner is None:
            self._planner = self._agent.make_planner()
        return [self._planner]

    def reset(self, seed: int) -> None:
        """Forget the episode."""
        self._seed = seed
        for k, mind in enumerate(self.minds):
            mind.reset(seed + k)
        for planner in self.planners():
            planner.reset(seed)

    def abstract(self, observation: Observation) -> Any:
        """Return the planner's own answer."""
        return self.planners()[0].act(observation)

    def decide(self, observation: Observation) -> list[Case]:
        """Take in what is seen, settle who does what, and return what skills are to be asked."""
        self.mind(observation)
        if len(self.minds) == 1:
            return self.minds[0].decide(observation)
        cases: list[Case] = []
        for b, mind in enumerate(self.minds):
            cases += mind.decide(narrowed(observation, b))
        return cases

    def mind(self, observation: Observation) -> Mind:
        """Make the minds that an observation asks for, if they are not there yet, and return the first."""
        count = len(observation.world.bodies)
        split = self._agent.team == "each" and observation.world.viewer is None and count > 1
        while len(self.minds) < (count if split else 1):
            planner = self._planner if not self.minds and self._planner else self._agent.make_planner()
            mind = Mind(self._agent, planner)
            mind.reset(self._seed + len(self.minds))
            self.minds.append(mind)
        return self.minds[0]

    def finish(self, observation: Observation, moves: Sequence[tuple[Case, Move]]) -> Any:
        """Return the actions that follow from the skills' moves."""
        world = observation.world
        numbered = bool(world.actions)
        actions: dict[int, Any] = {}
        owners = {id(mind.memory): mind for mind in self.minds}
        for case, move in moves:
            actions[case.body] = owners[id(case.memory)].take(case, move)
        if numbered:
            whole = np.full(len(world.bodies), len(world.actions) - 1, dtype=np.int64)
            for body, action in actions.items():
                whole[body] = action
            return whole if world.viewer is None else whole[world.viewer : world.viewer + 1]
        vectors = np.zeros((len(world.bodies), max(map(len, actions.values()), default=0)), np.float32)
        for body, action in actions.items():
            vectors[body] = action
        return vectors if world.viewer is None else vectors[world.viewer : world.viewer + 1]

    def drain(self) -> list[dict[str, Any]]:
        """Return the rows written since the last call."""
        if not self.minds:
            trace = getattr(self.planners()[0], "trace", None)
            return list(trace()) if trace is not None else []
        rows: list[dict[str, Any]] = []
        for mind in self.minds:
            rows += mind.drain()
        return rows


def narrowed(observation: Observation, body: int) -> Observation:
    """Return what one body sees of what the controller of all sees.

    Rows of others are 0 but for waiting; on a map with fog what lies beyond its own sight is hidden.
    """
    world, mask = observation.world, observation.mask
    own = np.zeros_like(mask)
    own[:, -1] = 1
    own[body] = mask[body]
    changes: dict[str, Any] = {"viewer": body}
    if world.actions:
        actions = np.zeros_like(world.mask)
        actions[:, -1] = 1
        actions[body] = world.mask[body]
        changes["mask"] = actions
    radius = getattr(world, "radius", 0)
    if radius and world.bodies[body].at is not None:
        x, y = world.bodies[body].at
        hidden = np.ones(world.fixtures.shape, np.bool_)
        hidden[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1] = False
        changes["fixtures"] = np.where(hidden, np.int16(-1), world.fixtures)
        changes["things"] = np.where(hidden, np.int16(-1), world.things)
        changes["busy"] = {cell: i for cell, i in world.busy.items() if not hidden[cell[1], cell[0]]}
        changes["bodies"] = tuple(
            other if b == body or other.at is None or not hidden[other.at[1], other.at[0]] else _unseen(other)
            for b, other in enumerate(world.bodies)
        )
    return replace(observation, mask=own, world=replace(world, **changes))


def _unseen(body: Any) -> Any:
    """Return a body out of sight: its name, pace and latest message."""
    return replace(body, at=None, facing=None, hand=None, stock={}, vitals={}, down=False, ready=False)
