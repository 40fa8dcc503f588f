"""One episode of one agent in one single environment.

Owns the loop in which an agent and an environment meet. It computes no metric and
writes no file itself: what happened is returned, and every step is told to a
listener (the episode's record).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from stratagym.agents.base import Agent
from stratagym.baselines.suites import InputError
from stratagym.envs.task.view import Observation

STEP_LIMIT = 1_000_000
"""Steps after which an episode is taken to be endless (a task without horizon)."""


class AgentError(RuntimeError):
    """An agent that raised or answered with something else than actions; the message is one line."""


Word = str | tuple[float, ...] | None
"""One agent's action as it is written: a name, a vector, or None for a wait."""


@dataclass
class Episode:
    """What happened in one episode.

    Attributes:
        seed: of the reset.
        time: tick at its end.
        steps: how many steps the agent took.
        end: ``terminated`` or ``truncated``.
        success: whether the goal was reached.
        total: the return under the environment's own reward.
        tardiness: weighted tardiness at the end.
        dead_end: whether a dead end was reported; None if it is withheld.
        refusals: how often each reason was given.
        events: all events in order.
    """

    seed: int
    time: int = 0
    steps: int = 0
    end: str = "truncated"
    success: bool = False
    total: float = 0.0
    tardiness: float = 0.0
    dead_end: bool | None = None
    refusals: Counter[str] = field(default_factory=Counter)
    events: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Count one more step."""
        self.total += step.reward
        self.events += step.events
        self.refusals.update(reason for reason in step.refusals if reason is not None)
        self.steps += 1

    def close(self, terminated: bool, info: Mapping[str, Any]) -> None:
        """Take down how it ended, from the last step's ``info``."""
        self.end = "terminated" if terminated else "truncated"
        self.time = int(info["time"])
        self.success = bool(info["success"])
        self.tardiness = float(info["tardiness"])
        self.dead_end = bool(info["dead_end"]) if info.get("dead_end") is not None else None


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it truly was, whatever the agent could know of it.

    Attributes:
        time: tick before it.
        elapsed: ticks that passed.
        actions: ``[agents]`` names of subtasks, in a world of the bodies' own actions; None for a
            wait; on a plane vectors.
        reward: what the environment paid.
        refusals: ``[agents]`` why an action was not accepted, or None.
        events: what happened, in order.
        trace: what the agent says about its decision.
    """

    time: int
    elapsed: int
    actions: tuple[Word, ...]
    reward: float
    refusals: tuple[str | None, ...]
    events: tuple[Mapping[str, Any], ...]
    trace: tuple[Mapping[str, Any], ...]


Listener = Callable[[Step], None]
"""Told of every step."""


def agent_seed(seed: int) -> int:
    """Return the seed that an agent gets in the episode of ``seed``.

    It is another number than the environment's (63 bits of a digest), since one
    who knows the environment's seed could compute the draws to come.
    """
    digest = hashlib.sha256(f"agent {seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def see(base: Any, agent: Agent) -> Observation:
    """Return what an agent gets of an environment, with the arrays that it asks for by ``sees``."""
    observation: Observation = base.observation()
    sees = getattr(agent, "sees", None)
    arrays = None if sees is None else sees(base)
    return observation if arrays is None else replace(observation, arrays=arrays)


def ask(agent: Agent, observation: Observation) -> Any:
    """Ask the agent and check the form of its answer.

    Returns:
        A list of numbers, one per agent; on a plane float32 ``[agents, width]``.

    Raises:
        AgentError: if it raises or answers with something else.
    """
    try:
        answer = np.asarray(agent.act(observation))
    except (Exception, SystemExit) as error:
        raise AgentError(f"its act() raised {type(error).__name__}: {error}") from error
    world = observation.world
    if world is not None and not world.actions:
        agents = len(world.bodies)
        if answer.size == 0 or answer.size % agents or not np.issubdtype(answer.dtype, np.floating):
            raise AgentError(f"its act() returned {answer!r}, not {agents} vector(s) of numbers")
        if not np.isfinite(answer).all():
            raise AgentError(f"its act() returned {answer!r}, which is not finite")
        return answer.reshape(agents, -1).astype(np.float32)
    agents, wait = len(observation.mask), waiting(observation)
    answer = answer.reshape(-1)
    if len(answer) != agents or not np.issubdtype(answer.dtype, np.integer):
        raise AgentError(f"its act() returned {answer!r}, not {agents} integer(s)")
    for action in answer:
        if not 0 <= action <= wait:
            raise AgentError(f"its act() returned {action}, but actions are 0 to {wait}, and {wait} waits")
    return [int(a) for a in answer]


def waiting(observation: Observation) -> int:
    """Return the number of the action that waits, where actions are numbered."""
    world = observation.world
    if world is not None:
        actions: tuple[str, ...] = world.actions
        return len(actions) - 1
    return int(observation.mask.shape[1]) - 1


def _told(agent: Agent) -> tuple[Mapping[str, Any], ...]:
    """Drain the agent's trace, if it keeps one, and check its form."""
    trace = getattr(agent, "trace", None)
    if trace is None:
        return ()
    try:
        rows = trace()
    except (Exception, SystemExit) as error:
        raise AgentError(f"its trace() raised {type(error).__name__}: {error}") from error
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise AgentError(f"its trace() returned {rows!r}, not a list of dictionaries")
    return tuple(rows)


def play(env: Any, agent: Agent, seed: int, listener: Listener | None = None) -> Episode:
    """Play one episode to its end.

    Args:
        env: a single stratagym environment (one controller for all agents).
        agent: gets the ``Observation`` of each step and nothing else.
        seed: of the environment; the agent's own is derived from it.
        listener: told of every step.

    Returns:
        What happened.

    Raises:
        AgentError: if the agent fails.
        InputError: if the episode does not end.
    """
    base = env.unwrapped
    episode = Episode(seed)
    _, info = env.reset(seed=seed)
    try:
        agent.reset(agent_seed(seed))
    except (Exception, SystemExit) as error:
        raise AgentError(f"its reset() raised {type(error).__name__}: {error}") from error
    over = False
    while not over:
        before = int(info["time"])
        observation = see(base, agent)
        actions = ask(agent, observation)
        _, reward, terminated, truncated, info = env.step(for_space(env.action_space, actions, observation))
        over = bool(terminated or truncated)
        step = taken(base, before, info, actions=named(base, actions, observation), reward=reward,
                     trace=_told(agent))  # fmt: skip
        episode.add(step)
        if listener is not None:
            listener(step)
        if episode.steps >= STEP_LIMIT and not over:
            raise InputError(f"no end after {STEP_LIMIT} steps: give the task a horizon")
    episode.close(terminated, info)
    return episode


def taken(
    base: Any,
    before: int,
    info: Mapping[str, Any],
    *,
    actions: tuple[Word, ...],
    reward: float,
    trace: tuple[Mapping[str, Any], ...] = (),
) -> Step:
    """Return the step that an environment has just taken.

    Args:
        base: the environment's core (``env.unwrapped``).
        before: the tick before it.
        info: of the step.
        actions: as records hold them.
        reward: what was paid.
        trace: what the agent says about it.
    """
    return Step(
        time=before,
        elapsed=int(info["time"]) - before,
        actions=actions,
        reward=float(reward),
        refusals=tuple(base.refusals),
        events=tuple(
            {"tick": e.tick, "kind": e.kind, "subtask": e.subtask, "agents": list(e.agents)}
            for e in base.happened
        ),
        trace=trace,
    )


def named(base: Any, actions: Any, observation: Observation) -> tuple[Word, ...]:
    """Return actions as records hold them."""
    if isinstance(actions, np.ndarray):
        return tuple(tuple(float(x) for x in row) for row in actions)
    wait = waiting(observation)
    return tuple(None if a == wait else base.subtask_of(a) for a in actions)


def for_space(space: Any, actions: Any, observation: Observation) -> Any:
    """Return an agent's actions as the environment takes them.

    An agent waits with its own last number; a space that is padded to the largest task of
    its family waits with its last.
    """
    if isinstance(actions, np.ndarray):
        return actions.reshape(space.shape)
    wait = waiting(observation)
    single = hasattr(space, "n")
    last = int(space.n if single else space.nvec[0]) - 1
    shifted = [last if a == wait else a for a in actions]
    return shifted[0] if single else np.array(shifted)
