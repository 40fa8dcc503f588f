"""JobShop: operations in a fixed order per job, each on one machine at a time.

Owns the reader of the standard text format, the instances of the literature that
are shipped with it, and a generated flexible family: many operations can run on a
second, slower machine, and hot work must be taken on soon. One dispatcher starts
everything and attends to nothing, so the machines are all that is scarce.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import Draft, between, generator, pick
from stratagym.envs.domains.sources import data_beside, one_of, procedural, single

Jobs = tuple[tuple[tuple[int, int], ...], ...]
"""Per job its operations in order: pairs of machine (from 0) and duration."""

KNOWN_OPTIMA = {"ft06": 55, "ft10": 930, "la01": 666, "la02": 655, "la03": 597, "la04": 590, "la05": 593}
"""The shipped instances and their proved optimal makespans."""


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    instance: str | None = None,
    file: str | None = None,
) -> TaskSource:
    """Return flexible job shops of a size, or one instance by name or file.

    Args:
        size: of the family.
        split: of the family.
        instances: how many job shops.
        instance: the name of a shipped instance, ``ft06`` for example.
        file: the path of a text file in the standard format.

    Raises:
        ValueError: if an option has a wrong value, or the file cannot be read as a job shop.
    """
    if instance is not None and file is not None:
        raise ValueError("instance, file: name one of them, not both")
    if instance is not None:
        one_of("instance", instance, list(KNOWN_OPTIMA))
        key = f"job_shop/{instance}"
        return single(key, lambda: shipped(instance))
    if file is not None:
        try:
            jobs = read_job_shop(Path(file).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"file: {file} cannot be read: {error}") from error
        return single(f"job_shop/{Path(file).stem}", lambda: job_shop(Path(file).stem, jobs))
    return procedural("job_shop", flexible, size, split, instances)


def read_job_shop(text: str, instance: str | None = None) -> Jobs:
    """Read one job shop in the standard text format.

    Lines of words (comments, rules, titles) are skipped. The first line of numbers
    gives jobs and machines; each of the next lines is a job.

    Args:
        text: the content of a file.
        instance: which one to read, if the file holds several behind lines
            ``instance NAME``; the first, if left out.

    Raises:
        ValueError: if there is no such instance, or its numbers do not fit together.
    """
    rows: list[list[int]] = []
    wanted = instance is None
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["instance"] and len(words) > 1:
            if rows:
                break
            wanted = instance is None or words[1] == instance
        elif wanted and words and all(word.lstrip("-").isdigit() for word in words):
            rows.append([int(word) for word in words])
    if not rows:
        raise ValueError(
            f"instance: {instance!r} is not in the text" if instance else "no job shop in the text"
        )
    count, machines = rows[0][0], rows[0][1] if len(rows[0]) > 1 else 0
    jobs = rows[1 : count + 1]
    if len(jobs) < count:
        raise ValueError(f"{count} jobs are announced, but {len(jobs)} lines follow")
    for number, row in enumerate(jobs, 1):
        if not row or len(row) % 2:
            raise ValueError(f"job {number}: {len(row)} numbers are not pairs of machine and duration")
        if not all(0 <= machine < machines for machine in row[::2]):
            raise ValueError(f"job {number}: machines are numbered 0 to {machines - 1}")
        if min(row[1::2]) < 1:
            raise ValueError(f"job {number}: durations are at least 1")
    return tuple(tuple(zip(row[::2], row[1::2], strict=True)) for row in jobs)


def job_shop(name: str, jobs: Jobs) -> dict[str, Any]:
    """Return a job shop as a task mapping, machines as resources of capacity 1."""
    machines = 1 + max(machine for job in jobs for machine, _ in job)
    subtasks: dict[str, Any] = {}
    tasks: dict[str, Any] = {}
    for j, job in enumerate(jobs, 1):
        names = [f"job {j} step {k}" for k in range(1, len(job) + 1)]
        for step, (machine, duration) in zip(names, job, strict=True):
            subtasks[step] = {"duration": duration, "attended": 0, "uses": {f"machine {machine}": 1}}
        tasks[f"job {j}"] = {"sequence": names}
    tasks["all jobs"] = {"all": list(tasks)}
    return {
        "name": name,
        "agents": 1,
        "resources": {f"machine {k}": 1 for k in range(machines)},
        "subtasks": subtasks,
        "tasks": tasks,
        "goal": "all jobs",
    }


def shipped(instance: str) -> dict[str, Any]:
    """Return a shipped instance, its horizon twice its optimal makespan."""
    task = job_shop(instance, read_job_shop(_instances(), instance))
    return {"name": instance, "horizon": 2 * KNOWN_OPTIMA[instance], **task}


@cache
def _instances() -> str:
    return Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")


def flexible(seed: int, size: Size) -> dict[str, Any]:
    """Draw one flexible job shop."""
    data = data_beside(__file__)
    numbers = {**data, **data["sizes"][size]}
    rng = generator(seed, 0x10B5)
    machines = [f"machine {k}" for k in range(numbers["machines"])]
    draft = Draft(f"job shop {seed}", rng, dict.fromkeys(machines, 1))
    lengths = [between(rng, numbers["operations"]) for _ in range(numbers["jobs"])]
    spare = numbers["subtasks"] - sum(lengths)
    operations = [(j, k) for j, length in enumerate(lengths, 1) for k in range(1, length + 1)]
    twofold = pick(rng, operations, min(spare, round(numbers["flexible"] * len(operations))))
    for j, length in enumerate(lengths, 1):
        names: list[str] = []
        for k in range(1, length + 1):
            choice = pick(rng, machines, 2 if (j, k) in twofold else 1)
            names.append(_add_operation(draft, numbers, f"job {j} step {k}", names[-1:], choice))
        draft.tasks[f"job {j}"] = {"all": names}
    draft.tasks["all jobs"] = {"all": list(draft.tasks)}
    return draft.finish("all jobs")


def _add_operation(
    draft: Draft, numbers: Mapping[str, Any], name: str, before: Sequence[str], machines: Sequence[str]
) -> str:
    """Add an operation on one machine, or on either of two, the second slower."""
    rng = draft.rng
    length = between(rng, numbers["minutes"])
    marks: dict[str, Any] = {"after": tuple(before)}
    if before and rng.random() < numbers["cools"]:
        marks["keeps"] = {before[0]: between(rng, numbers["keeps"])}
    draft.add(name, length, marks=marks, attended=0)
    fields = draft.steps[name].fields
    if len(machines) == 1:
        fields["uses"] = {machines[0]: 1}
        return name
    slower = length + max(1, length * between(rng, numbers["slower"]) // 100)
    del fields["duration"]
    fields["modes"] = {
        f"on {machine}": {"duration": duration, "uses": {machine: 1}}
        for machine, duration in zip(machines, (length, slower), strict=True)
    }
    return name


DOMAIN = Domain(
    name="JobShop",
    summary="Jobs through machines: instances of the literature, and flexible shops with hot work",
    source=source,
    tags=("scheduling", "job shop", "flexible", "modes"),
)
