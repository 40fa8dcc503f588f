"""Playing the episodes of an evaluation: what is the same for all, who plays, and the record.

Owns the settings, the building of agents by name and the keeping of environments. Which
episodes are played, in which order and process, is decided in ``evaluate``; the loop of
one episode is in ``rollout``, its row in ``rows``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stratagym.agents.base import Agent
from stratagym.baselines.results import SCHEMA, Row
from stratagym.baselines.rollout import AgentError, Episode, Step, play
from stratagym.baselines.rows import git_revision, objective_of, outcome, plain, task_fields, versions
from stratagym.baselines.suites import EnvironmentSpec, InputError, one_line, slug
from stratagym.envs.record import RecordWriter
from stratagym.envs.task.reference import Reference, reference_of

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


def load_agent(name: str) -> Agent:
    """Build an agent by its name in the zoo, the folder of its run, or as ``package.module:factory``.

    Raises:
        InputError: if there is none of that name, or building it fails.
    """
    from stratagym.agents.zoo import make_agent

    try:
        agent: Agent = make_agent(name)
    except ValueError as error:
        raise InputError(one_line(error)) from error
    except (Exception, SystemExit) as error:  # a stranger's factory may raise anything
        raise InputError(f"agent {name!r}: {type(error).__name__}: {one_line(error)}") from error
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
    _embodied: dict[str, Agent] = field(default_factory=dict)

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

    def _bodies(self, name: str, agent: Agent) -> Agent:
        """Return the agent as it plays in a world: a planner over scripted skills."""
        from stratagym.agents.zoo import in_world

        if name not in self._embodied:
            self._embodied[name] = in_world(agent)
        return self._embodied[name]

    def prepare(self, specs: Sequence[EnvironmentSpec], agents: Sequence[str]) -> None:
        """Make every environment and build every agent once, so that mistakes show at once.

        Raises:
            InputError: if one cannot be made.
        """
        for name in agents:
            self.agent(name)
        for spec in reversed(specs):
            self.environment(spec)

    def check(self, spec: EnvironmentSpec, rows: Iterable[Row]) -> None:
        """Check that earlier results of an environment are of the tasks that its seeds pick now.

        Raises:
            InputError: if a task has changed since.
        """
        env = self.environment(spec)
        for k, digest in {(row["episode"], row["task"]) for row in rows}:
            env.reset(seed=self.settings.seed + k)
            if env.unwrapped.task.digest != digest:
                raise InputError(
                    f"{spec.label}: the task of episode {k} has changed since the results there were made; "
                    "choose another folder"
                )

    def unit(self, spec: EnvironmentSpec, k: int, agents: Sequence[str]) -> Iterator[Row]:
        """Play episode k for each of the agents and yield their rows.

        Args:
            spec: the environment.
            k: number of the episode.
            agents: who plays it.

        Raises:
            InputError: if the environment or an agent fails.
        """
        env = self.environment(spec)
        seed = self.settings.seed + k
        reference: Any = None
        for name in agents:
            agent = self.agent(name)
            if env.unwrapped.scene is not None:
                agent = self._bodies(name, agent)
            try:
                with self._recorder(spec, name, k, seed, env.unwrapped) as recorder:
                    episode = play(env, agent, seed, recorder.step if recorder else None)
                    if recorder:
                        recorder.finish(episode)
            except (AgentError, InputError) as error:
                raise InputError(f"agent {name!r} on {spec.label}, seed {seed}: {error}") from error
            if reference is None:
                reference = reference_for(
                    spec.label, env.unwrapped, self.settings.written(spec)["reward"], seed
                )
            graph, written = env.unwrapped.task.graph, self.settings.written(spec)
            yield {
                "schema": SCHEMA,
                "env": spec.label,
                "agent": name,
                "episode": k,
                "seed": seed,
                "id": spec.id,
                "options": plain(spec.options),
                **written,
                "task": env.unwrapped.task.digest,
                **task_fields(graph),
                **outcome(graph, episode, reference, objective_of(graph, written["reward"])),
                "versions": versions(),
                "git": git_revision(),
            }

    def _recorder(
        self, spec: EnvironmentSpec, name: str, k: int, seed: int, base: Any
    ) -> contextlib.AbstractContextManager[EpisodeRecorder | None]:
        if self.records is None:
            return contextlib.nullcontext()
        header = header_of(self.settings, spec, name, k, seed)
        return EpisodeRecorder(self.records / f"{episode_id(spec.label, name, k)}.jsonl", header, base)


def reference_for(label: str, base: Any, reward: str, seed: int) -> Reference:
    """Return what an episode is measured against.

    It is the environment's, but where the task has draws the one of this seed
    (``hindsight``), and where tardiness is paid that of the least tardiness. The solver knows
    no ways: in a world what it proves is a bound, and hindsight no better than what was played there.

    Args:
        label: of the environment, for the error.
        base: the environment's core (``env.unwrapped``), after its reset.
        reward: the ``reward`` option.
        seed: of the reset.

    Raises:
        InputError: if there is none.
    """
    graph = base.task.graph
    if objective_of(graph, reward) == "tardiness":
        from stratagym.envs.task.optimum import optimum

        try:
            found = optimum(graph, "tardiness", seed=seed if graph.random else None)
        except ValueError as error:
            raise InputError(f"{label}: {one_line(error)}") from error
        if base.scene is not None:
            return Reference("tardiness", None, found.bound, "bound")
        return Reference("tardiness", found.value, found.bound, found.kind)
    known: Reference = base.reference
    return reference_of(graph, seed=seed) if graph.random and base.scene is None else known


def header_of(settings: Settings, spec: EnvironmentSpec, agent: str, k: int, seed: int) -> dict[str, Any]:
    """Return what the record of an episode says before the task is known."""
    return {
        "env": {"id": spec.id, "options": plain(spec.options)},
        "agent": agent,
        "episode": k,
        "seed": seed,
        **settings.written(spec),
        "versions": versions(),
        "git": git_revision(),
    }


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
            if self._base.scene is not None:
                header["scene"] = self._base.scene.to_dict()
            self._writer = RecordWriter(self._path, header)
        return self._writer

    def step(self, step: Step) -> None:
        """Write one step (a ``rollout.Listener``).

        Raises:
            AgentError: if the agent's trace cannot be written.
        """
        writer = self._opened()
        try:
            writer.step(
                step.time,
                step.actions,
                elapsed=step.elapsed,
                reward=step.reward,
                refusals=step.refusals,
                events=step.events,
                trace=step.trace,
            )
        except (TypeError, ValueError) as error:  # all else in a step is ours, and plain
            raise AgentError(f"its trace() cannot be written as JSON: {one_line(error)}") from error

    def finish(self, episode: Episode) -> None:
        """Write the end of the episode; only now the file gets its name."""
        self._opened().finish(episode.end, time=episode.time, success=episode.success, total=episode.total)

    def __enter__(self) -> EpisodeRecorder:
        return self

    def __exit__(self, *problem: object) -> None:
        if self._writer is not None:
            self._writer.discard()
