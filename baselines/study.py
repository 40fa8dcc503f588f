"""Studies: methods x environments x seeds, run to the end whatever is killed on the way.

Owns the frozen files in ``studies/``, the queue of runs and the page that is written of them. A run
is a folder of ``train``, finished when its ``done.json`` stands there; so no run is lost or counted twice.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stratagym.baselines import train
from stratagym.baselines.methods import check_method
from stratagym.baselines.orphans import die_with
from stratagym.baselines.suites import EnvironmentSpec, InputError, slug

STUDY_FOLDER = Path(__file__).parent / "studies"
RUNS = "runs"
ASKED = "study.json"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Study:
    """A frozen set of runs.

    Attributes:
        name: its name, also that of its file.
        summary: what it measures, in one line.
        environments: where is learned.
        methods: what learns.
        seeds: how many of each.
        settings: method -> settings that differ from its file.
        own: label of an environment -> settings that differ there, for every method.
        test_episodes: of each run's evaluation.
        against: agents that are evaluated beside.
        held_out: options of the final evaluation that differ from those of training; None for the
            test split as it is.
    """

    name: str
    summary: str
    environments: tuple[EnvironmentSpec, ...]
    methods: tuple[str, ...]
    seeds: int
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    test_episodes: int = 100
    against: tuple[str, ...] = ("random",)
    held_out: Mapping[str, Any] | None = None
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One run of a study."""

    method: str
    spec: EnvironmentSpec
    seed: int
    folder: Path
    changes: Mapping[str, Any]
    test_episodes: int
    against: tuple[str, ...]
    held_out: EnvironmentSpec | None


def study_names() -> tuple[str, ...]:
    """Return the names of all studies, in alphabetical order."""
    return tuple(sorted(path.stem for path in STUDY_FOLDER.glob("*.yaml")))


def load_study(name: str) -> Study:
    """Read a study by its name.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in study_names():
        raise InputError(f"study: {name!r} is not one of {', '.join(study_names())}")
    data = yaml.safe_load((STUDY_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    environments = tuple(EnvironmentSpec(e["id"], e.get("options", {})) for e in data["environments"])
    return Study(
        name=name,
        summary=data["summary"],
        environments=environments,
        methods=tuple(data["methods"]),
        seeds=data["seeds"],
        settings=data.get("settings", {}),
        test_episodes=data.get("test_episodes", 100),
        against=tuple(data.get("against", ("random",))),
        held_out=data.get("held_out"),
        own={
            spec.label: e["settings"]
            for spec, e in zip(environments, data["environments"], strict=True)
            if "settings" in e
        },
    )


def jobs_of(study: Study, out: Path) -> list[Job]:
    """Return the runs of a study, all methods on the first seed first."""
    return [
        Job(
            method, spec, seed, out / RUNS / f"{method}--{slug(spec.label)}--{seed}",
            settings_of(study, method, spec), study.test_episodes, study.against, held_out_of(study, spec),
        )
        for seed in range(study.seeds)
        for spec in study.environments
        for method in study.methods
    ]  # fmt: skip


def settings_of(study: Study, method: str, spec: EnvironmentSpec) -> dict[str, Any]:
    """Return the settings of a method on an environment that differ from its file."""
    return {**study.settings.get(method, {}), **study.own.get(spec.label, {})}


def held_out_of(study: Study, spec: EnvironmentSpec) -> EnvironmentSpec | None:
    """Return what the runs of an environment are evaluated on at the end; None for its test split."""
    if study.held_out is None:
        return None
    return EnvironmentSpec(spec.id, {**spec.options, **study.held_out})


def run_study(
    study: Study,
    out: str | Path,
    *,
    jobs: int = 1,
    resume: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run what is left of a study and write its page.

    Args:
        study: what is run.
        out: folder of the study.
        jobs: how many runs side by side, each in a process of its own.
        resume: whether a study that stands there goes on.
        progress: told how many runs are finished, of how many, and which was the last.

    Returns:
        The summary that also stands in ``summary.json``.

    Raises:
        InputError: if the folder holds something else, or a run fails.
    """
    from stratagym.baselines import study_page

    train.need_extra()
    for method in study.methods:
        check_method(method)
    folder = Path(out)
    _open(folder, study, resume=resume)
    todo = jobs_of(study, folder)
    left = [job for job in todo if not (job.folder / train.DONE).is_file()]
    finished = len(todo) - len(left)
    if progress is not None:
        progress(finished, len(todo), "")
    for job in _run(left, jobs):
        finished += 1
        if progress is not None:
            progress(finished, len(todo), job.folder.name)
    return study_page.write(study, folder, [job.folder for job in todo])


def _open(folder: Path, study: Study, *, resume: bool) -> None:
    asked = {"name": study.name, "methods": list(study.methods), "seeds": study.seeds}
    path = folder / ASKED
    if path.is_file():
        from stratagym.baselines.learning.checkpoint import read_json

        known = read_json(path)
        if not resume:
            raise InputError(
                f"{folder} holds a study already: --resume continues it, or choose another folder"
            )
        if known.get("name") != study.name:
            raise InputError(f"{folder} holds the study {known.get('name')!r}, not {study.name!r}")
    from stratagym.baselines.learning.checkpoint import write_json

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, asked)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error.strerror})") from error


def _run(jobs: Sequence[Job], workers: int) -> Iterator[Job]:
    """Run jobs and yield each that has ended."""
    if workers == 1:
        for job in jobs:
            run_job(job)
            yield job
        return
    context = multiprocessing.get_context("spawn")
    queue = list(jobs)
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=die_with, initargs=(os.getpid(),)
    ) as pool:
        running: dict[Future[None], Job] = {}
        while queue or running:
            while queue and len(running) < workers:
                job = queue.pop(0)
                running[pool.submit(run_job, job)] = job
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                job = running.pop(future)
                future.result()
                yield job


def run_job(job: Job) -> None:
    """Run one job to its end, from its newest checkpoint on."""
    train.path_on()
    train.train(
        job.method, job.spec, job.folder, seed=job.seed, changes=job.changes, resume=job.folder.is_dir(),
        test_episodes=job.test_episodes, against=job.against, held_out=job.held_out,
    )  # fmt: skip


def read_done(folder: Path) -> dict[str, Any]:
    """Return what a finished run says of itself."""
    content: dict[str, Any] = json.loads((folder / train.DONE).read_text(encoding="utf-8"))
    return content
