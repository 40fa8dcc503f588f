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
from typing import Any, Protocol

import numpy as np

from stratagym.baselines.suites import InputError
from stratagym.envs.task.view import Observation

STEP_LIMIT = 1_000_000
"""Steps after which an episode is taken to be endless (a task without horizon)."""


class Agent(Protocol):
    """What an evaluation asks of an agent."""

    def reset(self, seed: int) -> None:
        """Forget everything; a new episode begins."""

    def act(self, observation: Observation) -> np.ndarray[Any, Any]:
        """Return one action for each agent, ``[agents]`` int."""


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


Listener = Callable[[int, Sequence[int], float, Mapping[str, Any], Sequence[Mapping[str, Any]]], None]
"""Told of every step: time before it, actions, reward, info, the agent's trace."""


def agent_seed(seed: int) -> int:
    """Return the seed that an agent gets in the episode of ``seed``.

    It is another number than the environment's (63 bits of a digest), since one
    who knows the environment's seed could compute the draws to come.
    """
    digest = hashlib.sha256(f"agent {seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def as_list(value: Any) -> list[Any]:
    """Return a value that is single for one agent and a sequence for several as a list."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _actions(agent: Agent, observation: Observation, agents: int) -> list[int]:
    """Ask the agent and check the form of its answer."""
    try:
        answer = np.asarray(agent.act(observation)).reshape(-1)
    except Exception as error:
        raise AgentError(
            f"its act() raised {type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    if len(answer) != agents or not np.issubdtype(answer.dtype, np.integer):
        raise AgentError(f"its act() returned {answer!r}, not {agents} integer(s)")
    return [int(a) for a in answer]


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
    trace: Callable[[], Sequence[Mapping[str, Any]]] = getattr(agent, "trace", list)
    agents = len(base.task.graph.agents)
    over = False
    episode.events += info.get("events", ())
    while not over:
        before = int(info["time"])
        actions = _actions(agent, base.observation(), agents)
        _, reward, terminated, truncated, info = env.step(actions[0] if agents == 1 else np.array(actions))
        over = bool(terminated or truncated)
        episode.total += float(reward)
        episode.events += info["events"]
        episode.refusals.update(reason for reason in as_list(info["refusal"]) if reason is not None)
        episode.steps += 1
        if listener is not None:
            listener(before, actions, float(reward), info, trace())
        if episode.steps >= STEP_LIMIT and not over:
            raise InputError(f"no end after {STEP_LIMIT} steps: give the task a horizon")
    episode.end = "terminated" if terminated else "truncated"
    episode.time = int(info["time"])
    episode.success = bool(info["success"])
    episode.tardiness = float(info["tardiness"])
    episode.dead_end = bool(info["dead_end"]) if info.get("dead_end") is not None else None
    return episode
