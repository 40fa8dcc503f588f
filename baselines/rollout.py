"""One episode of one agent in one single environment.

Owns the loop in which an agent and an environment meet. It computes no metric and
writes no file itself: what happened is returned, and every step is told to a
listener (the episode's record).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stratagym.agents.base import Agent
from stratagym.baselines.suites import InputError
from stratagym.envs.task.view import Observation

STEP_LIMIT = 1_000_000
"""Steps after which an episode is taken to be endless (a task without horizon)."""


class AgentError(RuntimeError):
    """An agent that raised or answered with something else than actions; the message is one line."""


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


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it truly was, whatever the agent could know of it.

    Attributes:
        time: tick before it.
        elapsed: ticks that passed.
        actions: ``[agents]`` names of subtasks, None for a wait.
        reward: what the environment paid.
        refusals: ``[agents]`` why an action was not accepted, or None.
        events: what happened, in order.
        trace: what the agent says about its decision.
    """

    time: int
    elapsed: int
    actions: tuple[str | None, ...]
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


def _actions(agent: Agent, observation: Observation) -> list[int]:
    """Ask the agent and check the form of its answer."""
    agents, wait = len(observation.mask), observation.mask.shape[1] - 1
    try:
        answer = np.asarray(agent.act(observation)).reshape(-1)
    except Exception as error:
        raise AgentError(f"its act() raised {type(error).__name__}: {error}") from error
    if len(answer) != agents or not np.issubdtype(answer.dtype, np.integer):
        raise AgentError(f"its act() returned {answer!r}, not {agents} integer(s)")
    for action in answer:
        if not 0 <= action <= wait:
            raise AgentError(f"its act() returned {action}, but actions are 0 to {wait}, and {wait} waits")
    return [int(a) for a in answer]


def _told(agent: Agent) -> tuple[Mapping[str, Any], ...]:
    """Drain the agent's trace, if it keeps one, and check its form."""
    trace = getattr(agent, "trace", None)
    if trace is None:
        return ()
    try:
        rows = trace()
    except Exception as error:
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
    except Exception as error:
        raise AgentError(f"its reset() raised {type(error).__name__}: {error}") from error
    over = False
    while not over:
        before = int(info["time"])
        observation = base.observation()
        actions = _actions(agent, observation)
        _, reward, terminated, truncated, info = env.step(_for_space(env.action_space, actions, observation))
        over = bool(terminated or truncated)
        wait = observation.mask.shape[1] - 1
        step = Step(
            time=before,
            elapsed=int(info["time"]) - before,
            actions=tuple(None if a == wait else base.subtask_of(a) for a in actions),
            reward=float(reward),
            refusals=tuple(base.refusals),
            events=tuple(
                {"tick": e.tick, "kind": e.kind, "subtask": e.subtask, "agents": list(e.agents)}
                for e in base.happened
            ),
            trace=_told(agent),
        )
        episode.total += step.reward
        episode.events += step.events
        episode.refusals.update(reason for reason in step.refusals if reason is not None)
        episode.steps += 1
        if listener is not None:
            listener(step)
        if episode.steps >= STEP_LIMIT and not over:
            raise InputError(f"no end after {STEP_LIMIT} steps: give the task a horizon")
    episode.end = "terminated" if terminated else "truncated"
    episode.time = int(info["time"])
    episode.success = bool(info["success"])
    episode.tardiness = float(info["tardiness"])
    episode.dead_end = bool(info["dead_end"]) if info.get("dead_end") is not None else None
    return episode


def _for_space(space: Any, actions: list[int], observation: Observation) -> Any:
    """Return an agent's actions as the environment takes them.

    An agent waits with the last column of its mask; a space that is padded to the
    largest task of its family waits with its own last number.
    """
    wait = observation.mask.shape[1] - 1
    single = hasattr(space, "n")
    last = int(space.n if single else space.nvec[0]) - 1
    shifted = [last if a == wait else a for a in actions]
    return shifted[0] if single else np.array(shifted)
