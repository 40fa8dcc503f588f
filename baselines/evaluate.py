"""Evaluation: several agents on several environments, on the same seeds, row by row.

Owns the order of play, what is left to play after a kill, and the spreading over
processes. What a row holds is in ``player``, how rows survive a kill in ``results``,
what is made of them in ``report``.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from stratagym.baselines.orphans import die_with
from stratagym.baselines.player import AgentFactory, Player, Settings
from stratagym.baselines.results import Key, ResultsFile, Row, key_of
from stratagym.baselines.suites import EnvironmentSpec, InputError, parse_environment

RANDOM = "random"
"""The agent that every evaluation plays: the headline score needs it."""

Progress = Callable[[int, int, Row | None], None]
"""Told of each row: how many there are, how many there shall be, the row (None at first)."""

Unit = tuple[EnvironmentSpec, int, tuple[str, ...]]
"""One episode of one environment, and the agents that still have to play it."""


@dataclass
class Evaluation:
    """All rows of an evaluation, sorted by environment, agent and episode.

    Attributes:
        rows: one mapping an episode; ``docs/evaluation.md`` names the fields.
        environments: the specifications in the order given, by label.
        agents: the agents in the order given, ``random`` among them.
        settings: what all episodes share.
        folder: where the results are, None if they were not kept.
    """

    rows: list[Row]
    environments: dict[str, EnvironmentSpec]
    agents: tuple[str, ...]
    settings: Settings
    folder: Path | None = None


def evaluate(
    envs: Sequence[str | EnvironmentSpec],
    agents: Sequence[str] | Mapping[str, AgentFactory],
    episodes: int = 20,
    seed: int = 0,
    out: str | Path | None = None,
    *,
    clock: str = "decision",
    knowledge: str = "full",
    reward: str | None = None,
    record: bool = False,
    resume: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Evaluation:
    """Play every agent on every environment, all on the same seeds.

    Args:
        envs: ids (``stratagym/Cooking-v0:size=small``), task files, or specifications.
        agents: names in the zoo or ``package.module:factory``; or a mapping from the
            name in the results to a factory. ``random`` is added where it is missing.
        episodes: on each environment; episode k is reset with ``seed + k``.
        seed: of the first episode.
        out: folder for ``results.jsonl`` (and ``episodes/``); None keeps nothing.
        clock: ``decision``, ``tick`` or ``event``.
        knowledge: ``full``, ``structure`` or ``none``.
        reward: the environments' option; None is their default.
        record: whether each episode is written to ``out/episodes``.
        resume: whether rows that stand in ``out`` are kept and the rest is played.
        jobs: how many processes play; factories need one.
        progress: told of each row.

    Returns:
        All rows, those found on resuming included.

    Raises:
        InputError: if an argument, environment, agent or earlier result cannot be used.
    """
    specs = [parse_environment(e) if isinstance(e, str) else e for e in envs]
    names, factories = _entrants(agents)
    _check(specs, episodes, jobs, seed, record=record, out=out, factories=factories)
    settings = Settings(seed, clock, knowledge, reward)
    folder = Path(out) if out is not None else None
    player = Player(settings, factories, folder / "episodes" if record and folder else None)
    player.prepare(specs, names)
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(ResultsFile(folder, resume=resume)) if folder else None
        rows = _fitting(kept.rows if kept else [], specs, names, episodes, settings)
        for spec in specs:
            if found := [row for row in rows if row["env"] == spec.label]:
                player.check(spec, found)
        units = _left(specs, names, episodes, {key_of(row) for row in rows})
        total = len(specs) * len(names) * episodes
        if progress is not None:
            progress(len(rows), total, None)
        for row in _played(player, units, jobs):
            rows.append(row)
            if kept is not None:
                kept.append(row)
            if progress is not None:
                progress(len(rows), total, row)
    order = {spec.label: i for i, spec in enumerate(specs)}
    rows.sort(key=lambda row: (order[row["env"]], names.index(row["agent"]), row["episode"]))
    return Evaluation(rows, {spec.label: spec for spec in specs}, names, settings, folder)


def _entrants(
    agents: Sequence[str] | Mapping[str, AgentFactory],
) -> tuple[tuple[str, ...], Mapping[str, AgentFactory]]:
    """Return the names in order, ``random`` first if it was not named, and the factories."""
    names = tuple(dict.fromkeys(agents))
    factories = agents if isinstance(agents, Mapping) else {}
    return (names if RANDOM in names else (RANDOM, *names)), factories


def _check(
    specs: Sequence[EnvironmentSpec],
    episodes: int,
    jobs: int,
    seed: int,
    *,
    record: bool,
    out: str | Path | None,
    factories: Mapping[str, AgentFactory],
) -> None:
    """Refuse arguments that cannot be meant.

    Raises:
        InputError: naming the argument.
    """
    if not specs:
        raise InputError("no environment to evaluate on")
    labels = [spec.label for spec in specs]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise InputError(f"{twice[0]} is named twice")
    for name, value, least in (("episodes", episodes, 1), ("jobs", jobs, 1), ("seed", seed, 0)):
        if value < least:
            raise InputError(f"{name}: {value} is below {least}")
    if record and out is None:
        raise InputError("recording episodes needs a folder for the results")
    if factories and jobs > 1:
        raise InputError("agents given as factories are played by one process: jobs=1")


def _fitting(
    rows: Sequence[Row],
    specs: Sequence[EnvironmentSpec],
    names: Sequence[str],
    episodes: int,
    settings: Settings,
) -> list[Row]:
    """Return the rows found that belong to this evaluation.

    Raises:
        InputError: if they were made with other settings.
    """
    known = {spec.label: spec for spec in specs}
    for row in rows:
        if row["env"] in known:
            written = settings.written(known[row["env"]])
            for name, now in (("seed", settings.seed + row["episode"]), *written.items()):
                if row[name] != now:
                    raise InputError(
                        f"{row['env']}: the results there have {name} {row[name]!r}, not {now!r}; "
                        "choose another folder"
                    )
    return [r for r in rows if r["env"] in known and r["agent"] in names and r["episode"] < episodes]


def _left(
    specs: Sequence[EnvironmentSpec], names: Sequence[str], episodes: int, have: Set[Key]
) -> list[Unit]:
    """Return what is still to be played, one unit for each episode of each environment."""
    units: list[Unit] = []
    for spec in specs:
        for k in range(episodes):
            missing = tuple(name for name in names if (spec.label, name, k) not in have)
            if missing:
                units.append((spec, k, missing))
    return units


def _played(player: Player, units: Sequence[Unit], jobs: int) -> Iterator[Row]:
    """Play the units and yield their rows, in order with one process, else as they come."""
    if jobs == 1 or len(units) < 2:
        for unit in units:
            yield from player.unit(*unit)
        return
    bare = Player(player.settings, player.factories, player.records)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_start, initargs=(bare, os.getpid())
    ) as pool:
        queue = iter(units)
        running: set[Future[list[Row]]] = set()
        try:
            while True:
                while len(running) < 2 * jobs and (due := next(queue, None)) is not None:
                    running.add(pool.submit(_unit, due))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from future.result()
        except BrokenProcessPool:
            raise InputError("a process of the evaluation died; what is finished is kept") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_worker: list[Player] = []
"""The player of a worker process; empty in the process that evaluates."""


def _start(player: Player, parent: int) -> None:
    """Keep the player in a worker process, so that environments are made once; Ctrl-C ends it quietly."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _worker[:] = [player]


def _unit(unit: Unit) -> list[Row]:
    """Play one unit in a worker process."""
    return list(_worker[0].unit(*unit))
