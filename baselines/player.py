"""Playing the episodes of an evaluation: what is the same for all, the row of each, its record.

Owns the settings, the building of agents by name, the fields of a row. Which episodes
are played, in which order and process, is decided in ``evaluate``; the loop of one
episode is in ``rollout``.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from stratagym.agents.base import Agent
from stratagym.baselines import metrics
from stratagym.baselines.results import SCHEMA, Row
from stratagym.baselines.rollout import AgentError, Episode, Step, play
from stratagym.baselines.suites import EnvironmentSpec, InputError, one_line, slug
from stratagym.envs.record import RecordWriter
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.reference import Reference, reference_of

PACKAGES = ("stratagym", "gymnasium", "numpy", "numba", "ortools")

AgentFactory = Callable[[], Agent]


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for all episodes of an evaluation.

    Attributes:
        seed: episode k is reset with ``seed + k``.
        clock: ``decision``, ``tick`` or ``event``.
        knowledge: ``full``, ``structure`` or ``none``.
        reward: the environments' ``reward`` option, None for their default.
    """

    seed: int = 0
    clock: str = "decision"
    knowledge: str = "full"
    reward: str | None = None

    def options(self, spec: EnvironmentSpec) -> dict[str, Any]:
        """Return the keyword arguments with which an environment is made; its own options win."""
        options: dict[str, Any] = {"clock": self.clock, "knowledge": self.knowledge}
        if self.reward is not None:
            options["reward"] = self.reward
        return {**options, **spec.options}

    def written(self, spec: EnvironmentSpec) -> dict[str, Any]:
        """Return the clock, the knowledge and the reward as rows and records name them."""
        options = self.options(spec)
        return {
            "clock": options["clock"],
            "knowledge": options["knowledge"],
            "reward": options.get("reward", "default"),
        }


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide on results."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@functools.cache
def git_revision() -> str | None:
    """Return the commit of the source tree, ``-dirty`` if it was changed; None outside a repository."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        tracked = ["git", "-C", str(here), "ls-files", "--error-unmatch", Path(__file__).name]
        subprocess.run(tracked, capture_output=True, check=True, timeout=10)
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def load_agent(name: str) -> Agent:
    """Build an agent by its name in the zoo or as ``package.module:factory``.

    Raises:
        InputError: if there is none of that name, or building it fails.
    """
    from stratagym.agents.zoo import make_agent

    try:
        agent: Agent = make_agent(name)
    except Exception as error:  # a stranger's factory may raise anything
        raise InputError(f"agent {name!r}: {one_line(error)}") from error
    if not callable(getattr(agent, "act", None)) or not callable(getattr(agent, "reset", None)):
        raise InputError(f"agent {name!r}: what the factory returned has no act() and reset()")
    return agent


@dataclass
class Player:
    """Plays units of an evaluation: all agents on one episode of one environment.

    Attributes:
        settings: of all episodes.
        factories: how to build agents that have no name, by the name in results.
        records: folder for episode records, None to write none.
    """

    settings: Settings
    factories: Mapping[str, AgentFactory] = field(default_factory=dict)
    records: Path | None = None
    _environments: dict[str, Any] = field(default_factory=dict)
    _agents: dict[str, Agent] = field(default_factory=dict)

    def environment(self, spec: EnvironmentSpec) -> Any:
        """Return the environment, made once."""
        if spec.label not in self._environments:
            for env in self._environments.values():
                env.close()
            self._environments = {spec.label: spec.make(**self.settings.options(spec))}
        return self._environments[spec.label]

    def agent(self, name: str) -> Agent:
        """Return the agent, built once (``reset`` makes it forget)."""
        if name not in self._agents:
            factory = self.factories.get(name)
            self._agents[name] = load_agent(name) if factory is None else factory()
        return self._agents[name]

    def prepare(self, specs: Sequence[EnvironmentSpec], agents: Sequence[str]) -> None:
        """Make every environment and build every agent once, so that mistakes show at once.

        Raises:
            InputError: if one cannot be made.
        """
        for name in agents:
            self.agent(name)
        for spec in reversed(specs):
            self.environment(spec)

    def unit(
        self, spec: EnvironmentSpec, k: int, agents: Sequence[str], digest: str | None = None
    ) -> Iterator[Row]:
        """Play episode k for each of the agents and yield their rows.

        Args:
            spec: the environment.
            k: number of the episode.
            agents: who plays it.
            digest: of the task that the episode must have, None for any.

        Raises:
            InputError: if the environment or an agent fails, or the task is another.
        """
        env = self.environment(spec)
        seed = self.settings.seed + k
        reference: Any = None
        for name in agents:
            agent = self.agent(name)
            try:
                with self._recorder(spec, name, k, seed, env.unwrapped) as recorder:
                    episode = play(env, agent, seed, recorder.step if recorder else None)
                    if recorder:
                        recorder.finish(episode)
            except (AgentError, InputError) as error:
                raise InputError(f"agent {name!r} on {spec.label}, seed {seed}: {error}") from error
            if digest is not None and env.unwrapped.task.digest != digest:
                raise InputError(f"{spec.label}: the task has changed since the results there were made")
            if reference is None:
                reference = self._reference(spec, env.unwrapped, seed)
            yield self._row(spec, env.unwrapped, name, k, episode, reference)

    def _reference(self, spec: EnvironmentSpec, base: Any, seed: int) -> Reference:
        """Return the reference of the episode.

        It is the environment's, but where the task has draws the one of this seed
        (``hindsight``), and where tardiness is paid that of the least tardiness.
        """
        graph = base.task.graph
        if objective_of(graph, self.settings.written(spec)["reward"]) == "tardiness":
            from stratagym.envs.task.optimum import optimum

            try:
                found = optimum(graph, "tardiness", seed=seed if graph.random else None)
            except ValueError as error:
                raise InputError(f"{spec.label}: {one_line(error)}") from error
            return Reference("tardiness", found.value, found.bound, found.kind)
        known: Reference = base.reference
        return reference_of(graph, seed=seed) if graph.random else known

    def _row(
        self, spec: EnvironmentSpec, base: Any, name: str, k: int, episode: Episode, reference: Any
    ) -> Row:
        """Return everything that is known of one episode, as plain data."""
        graph = base.task.graph
        runs = metrics.stretches(episode.events, episode.time)
        curve = metrics.progress_curve(graph, episode.events)
        busy = metrics.busy_ticks(graph, runs, episode.time)
        objective = objective_of(graph, self.settings.written(spec)["reward"])
        best = finite(reference.figure)
        earned = metrics.paid(graph, episode.events)
        value = metrics.value_of(
            objective,
            success=episode.success,
            goal=graph.goal is not None,
            time=episode.time,
            reward=earned,
            tardiness=episode.tardiness,
            reference=best or 0.0,
        )
        done = episode.success and graph.goal is not None
        asked = metrics.wanted(graph, frozenset()) or ()
        deadlines = {graph.subtasks[i].name for i in asked if graph.subtasks[i].deadline is not None}
        return {
            "schema": SCHEMA,
            "env": spec.label,
            "agent": name,
            "episode": k,
            "seed": episode.seed,
            "id": spec.id,
            "options": plain(spec.options),
            **self.settings.written(spec),
            "task": base.task.digest,
            "task_name": graph.name,
            "objective": objective,
            "reference": best,
            "bound": finite(reference.bound),
            "kind": reference.kind,
            "value": value,
            "reference_value": None if best is None else metrics.reference_value(objective, best),
            "success": episode.success,
            "progress": 1.0 if done else curve[-1][1],
            "progress_at": episode.time if done else metrics.reached_at(curve),
            "makespan": episode.time if done else None,
            "ratio": episode.time / best if done and objective == "makespan" and best else None,
            "time": episode.time,
            "steps": episode.steps,
            "end": episode.end,
            "return": episode.total,
            "paid": earned,
            "tardiness": episode.tardiness,
            "dead_end": episode.dead_end,
            "refusals": dict(sorted(episode.refusals.items())),
            "goal": graph.goal is not None,
            "subtasks": len(graph.subtasks),
            "deadlines": len(deadlines),
            "missed": len(deadlines - {e["subtask"] for e in episode.events if e["kind"] == "success"}),
            "crew": len(graph.agents),
            "idle": len(graph.agents) * episode.time - sum(busy),
            "runs": [[r.subtask, list(r.agents), r.start, r.end, r.ended] for r in runs],
            "versions": versions(),
            "git": git_revision(),
        }

    def _recorder(
        self, spec: EnvironmentSpec, name: str, k: int, seed: int, base: Any
    ) -> contextlib.AbstractContextManager[EpisodeRecorder | None]:
        if self.records is None:
            return contextlib.nullcontext()
        header = {
            "env": {"id": spec.id, "options": plain(spec.options)},
            "agent": name,
            "episode": k,
            "seed": seed,
            **self.settings.written(spec),
            "versions": versions(),
            "git": git_revision(),
        }
        return EpisodeRecorder(self.records / f"{episode_id(spec.label, name, k)}.jsonl", header, base)


def finite(value: float | None) -> float | None:
    """Return a number that JSON can hold, None for what is not finite."""
    return value if value is not None and math.isfinite(value) else None


def objective_of(graph: TaskGraph, reward: str) -> str:
    """Return what scores an episode: tardiness where that is paid, else makespan or the file's rewards."""
    if reward == "tardiness":
        return "tardiness"
    return "reward" if graph.goal is None else "makespan"


def plain(options: Mapping[str, Any]) -> Any:
    """Return options as JSON data, other objects as their text."""
    return json.loads(json.dumps(dict(options), default=str))


def episode_id(label: str, agent: str, k: int) -> str:
    """Return the name of an episode: environment, agent and number, safe in a path."""
    return f"{slug(label)}--{slug(agent)}--{k}"


class EpisodeRecorder:
    """Writes the record of one episode while it is played; a context that drops an unfinished one.

    Args:
        path: of the record.
        header: what is known before the reset; the task is added at the first step.
        base: the environment's core (``env.unwrapped``).
    """

    def __init__(self, path: Path, header: Mapping[str, Any], base: Any) -> None:
        self._path, self._header, self._base = path, header, base
        self._writer: RecordWriter | None = None

    def _opened(self) -> RecordWriter:
        """Return the writer; the header waits until the reset has picked the task."""
        if self._writer is None:
            task = self._base.task
            names = [agent.name for agent in task.graph.agents]
            header = {**self._header, "agents": names, "digest": task.digest, "task": task.to_dict()}
            self._writer = RecordWriter(self._path, header)
        return self._writer

    def step(self, step: Step) -> None:
        """Write one step (a ``rollout.Listener``)."""
        self._opened().step(
            step.time,
            step.actions,
            elapsed=step.elapsed,
            reward=step.reward,
            refusals=step.refusals,
            events=step.events,
            trace=step.trace,
        )

    def finish(self, episode: Episode) -> None:
        """Write the end of the episode; only now the file gets its name."""
        self._opened().finish(episode.end, time=episode.time, success=episode.success, total=episode.total)

    def __enter__(self) -> EpisodeRecorder:
        return self

    def __exit__(self, *problem: object) -> None:
        if self._writer is not None:
            self._writer.discard()
