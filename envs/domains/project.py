"""Project: activities with precedence, crews and modes (RCPSP, multi-mode).

Owns the readers of PSPLIB's text formats (``.sm`` single-mode, ``.mm`` multi-mode),
two small instances written in them for this package, and a generated family. In
the family most activities can be hurried for money, the budget pays for a few, and
some work must be taken on soon; who hurries whatever is first has nothing left for
what matters. One dispatcher starts everything and attends to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import Draft, between, generator, pick
from stratagym.envs.domains.sources import data_beside, one_of, procedural, single

SHIPPED = {"garden": "project_garden.sm", "fair": "project_fair.mm"}
"""Names and files of the instances that come with the package."""


@dataclass(frozen=True)
class Mode:
    """One way of doing an activity: its duration, and amounts in the order of the resources."""

    duration: int
    amounts: tuple[int, ...]


@dataclass(frozen=True)
class Project:
    """One instance of PSPLIB.

    Attributes:
        resources: column heads, ``R 1`` for a renewable one, ``N 1`` for a nonrenewable.
        available: units of each.
        successors: job number -> numbers of its successors.
        modes: job number -> its modes.
    """

    resources: tuple[str, ...]
    available: tuple[int, ...]
    successors: dict[int, tuple[int, ...]]
    modes: dict[int, tuple[Mode, ...]]


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    instance: str | None = None,
    file: str | None = None,
) -> TaskSource:
    """Return projects of a size, or one instance by name or file.

    Args:
        size: of the family.
        split: of the family.
        instances: how many projects.
        instance: the name of a shipped instance.
        file: the path of a PSPLIB file, ``.sm`` or ``.mm``.

    Raises:
        ValueError: if an option has a wrong value, or the file cannot be read as a project.
    """
    if instance is not None and file is not None:
        raise ValueError("instance, file: name one of them, not both")
    if instance is not None:
        one_of("instance", instance, list(SHIPPED))
        return _from_file(instance, Path(__file__).parent / SHIPPED[instance])
    if file is not None:
        return _from_file(Path(file).stem, Path(file))
    return procedural("project", drawn, size, split, instances)


def _from_file(name: str, path: Path) -> TaskSource:
    try:
        project = read_project(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"file: {path} cannot be read: {error}") from error
    return single(f"project/{name}", lambda: task_of(name, project))


def read_project(text: str) -> Project:
    """Read one project in PSPLIB's ``.sm`` or ``.mm`` format.

    Raises:
        ValueError: if a section is missing, or its numbers do not fit together.
    """
    heads, rows = _section(text, "REQUESTS/DURATIONS", head=True)
    resources = tuple(re.findall(r"[RND] ?\d+", heads))
    if any(name.startswith("D") for name in resources):
        raise ValueError("doubly constrained resources are not supported")
    available = _section(text, "RESOURCEAVAILABILITIES", head=True)[1]
    if len(available) != 1 or len(available[0]) != len(resources):
        raise ValueError(f"RESOURCEAVAILABILITIES: {len(resources)} numbers are expected")
    successors: dict[int, tuple[int, ...]] = {}
    for row in _section(text, "PRECEDENCE RELATIONS", head=True)[1]:
        if len(row) < 3 or len(row) != 3 + row[2]:
            raise ValueError(
                f"PRECEDENCE RELATIONS: job {row[0]} does not list as many successors as it says"
            )
        successors[row[0]] = tuple(row[3:])
    modes: dict[int, list[Mode]] = {}
    job = 0
    for row in rows:
        if len(row) == len(resources) + 3:
            job, row = row[0], row[1:]
        if len(row) != len(resources) + 2 or not job:
            raise ValueError(f"REQUESTS/DURATIONS: the mode of job {job} has {len(row)} numbers")
        modes.setdefault(job, []).append(Mode(row[1], tuple(row[2:])))
    unknown = {k for after in successors.values() for k in after} - set(modes)
    if unknown or set(successors) != set(modes):
        raise ValueError(f"jobs without a mode or without a line of successors: {sorted(unknown)}")
    return Project(resources, tuple(available[0]), successors, {k: tuple(v) for k, v in modes.items()})


def _section(text: str, title: str, *, head: bool) -> tuple[str, list[list[int]]]:
    """Return the head line of a section and its lines of numbers, up to the next rule."""
    lines = iter(text.splitlines())
    if not any(line.strip().upper().startswith(title) for line in lines):
        raise ValueError(f"{title}: there is no such section")
    heads = next(lines, "") if head else ""
    rows = []
    for line in lines:
        words = line.split()
        if line.startswith("*"):
            break
        if words and all(word.isdigit() for word in words):
            rows.append([int(word) for word in words])
    return heads, rows


def task_of(name: str, project: Project) -> dict[str, Any]:
    """Return a project as a task mapping.

    Renewable resources become resources, nonrenewable ones items. Jobs without
    duration and demand (source and sink) are left out, their order kept.

    Raises:
        ValueError: if a job without duration asks for a resource, or jobs wait for each other.
    """
    dummy = {k for k, modes in project.modes.items() if all(mode.duration == 0 for mode in modes)}
    if any(any(mode.amounts) for k in dummy for mode in project.modes[k]):
        raise ValueError("a job without duration asks for resources")
    if any(mode.duration == 0 for k, modes in project.modes.items() if k not in dummy for mode in modes):
        raise ValueError("a mode without duration beside others of its job")
    before: dict[int, set[int]] = {k: set() for k in project.modes}
    for k, after in project.successors.items():
        for other in after:
            before[other].add(k)
    for k in dummy:
        if k in before[k]:
            raise ValueError(f"job {k} waits for itself")
        for others in before.values():
            if k in others:
                others.remove(k)
                others |= before[k]
    heads = [head.replace(" ", "") for head in project.resources]
    stock = dict(zip(heads, project.available, strict=True))
    subtasks: dict[str, Any] = {}
    for k, modes in project.modes.items():
        if k in dummy:
            continue
        fields: dict[str, Any] = {"attended": 0}
        if before[k]:
            fields["needs"] = " & ".join(f"activity {other}" for other in sorted(before[k]))
        ways = {f"mode {m}": _way(mode, heads) for m, mode in enumerate(modes, 1)}
        fields |= {"modes": ways} if len(ways) > 1 else ways["mode 1"]
        subtasks[f"activity {k}"] = fields
    return {
        "name": name,
        "agents": 1,
        "resources": {k: v for k, v in stock.items() if k.startswith("R")},
        "items": {k: v for k, v in stock.items() if k.startswith("N")},
        "subtasks": subtasks,
        "tasks": {"project": {"all": list(subtasks)}},
        "goal": "project",
    }


def _way(mode: Mode, heads: list[str]) -> dict[str, Any]:
    amounts = {head: amount for head, amount in zip(heads, mode.amounts, strict=True) if amount}
    fields: dict[str, Any] = {"duration": mode.duration}
    uses = {k: v for k, v in amounts.items() if k.startswith("R")}
    consumes = {k: v for k, v in amounts.items() if k.startswith("N")}
    return fields | ({"uses": uses} if uses else {}) | ({"consumes": consumes} if consumes else {})


def drawn(seed: int, size: Size) -> dict[str, Any]:
    """Draw one project of the family."""
    data = data_beside(__file__)
    numbers = {**data, **data["sizes"][size]}
    rng = generator(seed, 0x9807)
    draft = Draft(f"project {seed}", rng, numbers["crews"])
    names: list[str] = []
    while draft.size() < numbers["subtasks"]:
        two = draft.size() + 2 <= numbers["subtasks"] and rng.random() < numbers["overtime"]
        _add_activity(draft, numbers, names, two)
    draft.tasks["project"] = {"all": names}
    task = draft.finish("project")
    spent = 0
    for run in draft.witness:
        name, _, mode = run.name.partition(" [")
        fields = task["subtasks"][name]
        spent += (fields["modes"][mode[:-1]] if mode else fields).get("consumes", {}).get("money", 0)
    return {**task, "items": {"money": spent}}


def _add_activity(draft: Draft, numbers: Mapping[str, Any], names: list[str], two: bool) -> None:
    """Add an activity after one or two of the latest ones, with a hurried mode if it has two."""
    rng = draft.rng
    name = f"activity {len(names) + 1}"
    before = pick(rng, names[-4:], between(rng, (1, 2))) if names and rng.random() < 0.85 else []
    marks: dict[str, Any] = {"after": tuple(before)}
    if before and rng.random() < numbers["sets"]:
        marks["keeps"] = {before[0]: between(rng, numbers["keeps"])}
    first, second = pick(rng, list(draft.resources), 2)
    amount = min(between(rng, numbers["demand"]), draft.resources[first])
    uses = {first: amount}
    if amount > 1:
        uses[second] = between(rng, (1, amount - 1))
    length = between(rng, numbers["minutes"])
    draft.add(name, length, marks=marks, attended=0, uses=uses)
    if two:
        fields = draft.steps[name].fields
        slower = length + max(1, length * between(rng, numbers["slower"]) // 100)
        del fields["duration"], fields["uses"]
        fields["modes"] = {
            "hurried": _priced(length, uses, between(rng, numbers["price"])),
            "unhurried": _priced(slower, {first: max(1, amount - 1)}, between(rng, numbers["plain price"])),
        }
    names.append(name)


def _priced(duration: int, uses: dict[str, int], price: int) -> dict[str, Any]:
    return {"duration": duration, "uses": uses} | ({"consumes": {"money": price}} if price else {})


DOMAIN = Domain(
    name="Project",
    summary="Activities, crews and a budget: some can be hurried, few should be",
    source=source,
    tags=("scheduling", "rcpsp", "multi-mode", "items"),
)
