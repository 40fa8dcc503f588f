"""What the commands print: a task in words, a schedule as table and timeline, the catalogue.

Owns the layout of ``check``, ``solve`` and ``list``, and the reading of the
catalogue's figures. ``ranking`` measures the figures; reports of evaluations are in
``report``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stratagym.baselines.suites import TASK_ID, EnvironmentSpec, parse_environment
from stratagym.envs.task.graph import TaskGraph

CATALOGUE = Path(__file__).with_name("catalogue.json")
"""The figures of every environment, written by ``stratagym rank``."""

CELLS = 60
"""Columns of the timeline."""


def graph_of(name: str, seed: int | None) -> TaskGraph:
    """Return the graph of a task file, or the one that an environment picks for a seed.

    Raises:
        InputError: if the environment cannot be made.
        TaskError: if the file is refused.
    """
    spec = parse_environment(name)
    if spec.id == TASK_ID and isinstance(spec.options.get("task"), str):
        from stratagym.envs.task.spec import load_task

        return load_task(spec.options["task"]).graph
    env = spec.make()
    env.reset(seed=seed or 0)
    graph: TaskGraph = env.unwrapped.task.graph
    env.close()
    return graph


def solution_data(found: Any) -> dict[str, Any]:
    """Return a solution as the JSON that ``solve --json`` prints; a bound that is not finite is null."""
    data: dict[str, Any] = found.to_dict()
    return {key: data[key] for key in ("value", "bound", "proved", "kind", "schedule")}


def timeline(rows: Sequence[tuple[str, Sequence[tuple[int, int, str]]]], end: int) -> list[str]:
    """Draw bars as text, one line a row, scaled to ``CELLS`` columns.

    Args:
        rows: for each row its name and its bars ``(start, end, name)`` in ticks.
        end: last tick.
    """
    width = end * (CELLS // end) if 0 < end <= CELLS else CELLS
    margin = max((len(name) for name, _ in rows), default=0)
    lines = []
    for name, bars in rows:
        cells = ["·"] * width
        for start, stop, label in bars:
            left = start * width // max(1, end)
            right = max(left + 1, stop * width // max(1, end))
            text = ("▏" + label)[: right - left].ljust(right - left, "─")
            cells[left:right] = list(text)
        lines.append(f"{name:>{margin}} " + "".join(cells[:width]))
    return [*lines, f"{'':>{margin}} 0{'':{max(0, width - 1 - len(str(end)))}}{end}"]


def _rows_of(graph: TaskGraph, schedule: Sequence[Any]) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Return the timeline's rows: what each agent attends to, then what runs by itself."""
    attended = {s.name: s.attended for s in graph.subtasks}
    rows: list[tuple[str, list[tuple[int, int, str]]]] = [(a.name, []) for a in graph.agents]
    alone: list[tuple[str, list[tuple[int, int, str]]]] = []
    for run in schedule:
        limit = attended[run.subtask]
        until = run.end if limit is None else min(run.end, run.start + limit)
        for agent in run.agents if until > run.start else ():
            rows[agent][1].append((run.start, until, run.subtask))
        if until < run.end:
            alone.append((run.subtask, [(until, run.end, "")]))
    return rows + alone


def print_solution(console: Any, graph: TaskGraph, found: Any) -> None:
    """Print a solution: value and kind, table of runs, timeline."""
    from rich.table import Table

    value = "none found" if found.value is None else f"{found.value:g}"
    console.print(
        f"{graph.name}: {found.objective} {value} ({found.kind}; bound {found.bound:g})", markup=False
    )
    if not found.schedule:
        return
    table = Table("start", "end", "subtask", "agents")
    for run in found.schedule:
        who = ", ".join(graph.agents[a].name for a in run.agents)
        table.add_row(str(run.start), str(run.end), run.subtask, who)
    console.print(table)
    for line in timeline(_rows_of(graph, found.schedule), max(run.end for run in found.schedule)):
        console.print(line, markup=False, highlight=False)


def read_catalogue(path: Path = CATALOGUE) -> dict[str, dict[str, Any]]:
    """Return the measured figures by the label of the environment; nothing if there are none yet."""
    if not path.exists():
        return {}
    figures: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["environments"]
    return figures


@dataclass(frozen=True, slots=True)
class Variant:
    """One line of the catalogue: an environment at one size.

    Attributes:
        spec: the environment.
        summary: of its domain.
        tags: of its domain.
    """

    spec: EnvironmentSpec
    summary: str
    tags: tuple[str, ...]


def variants() -> list[Variant]:
    """Return every environment that has tasks of its own, all families of procedural ones."""
    from stratagym.envs.registry import find_domains, id_of

    found = []
    for name, domain in sorted(find_domains().items()):
        options = domain.families or [{}]
        found += [Variant(EnvironmentSpec(id_of(name), o), domain.summary, domain.tags) for o in options]
    return found


def catalogue_rows() -> list[dict[str, Any]]:
    """Return one mapping for each environment; figures that were not measured are null."""
    figures = read_catalogue()
    nothing = dict.fromkeys(("subtasks", "crew", "objective", "reference", "random", "rule", "ranked"))
    own: dict[str, Any] = {
        "id": TASK_ID,
        "environment": TASK_ID,
        "summary": "A task of your own: task=file or mapping",
        "tags": [],
        **nothing,
    }
    rows = [own]
    for variant in variants():
        known = figures.get(variant.spec.label, {})
        rows.append(
            {
                "id": variant.spec.id,
                "environment": variant.spec.label,
                "summary": variant.summary,
                "tags": list(variant.tags),
                **{name: known.get(name) for name in nothing},
            }
        )
    return rows


def _range(values: Sequence[int] | None) -> str:
    """Return ``12`` or ``12-16``, a dash for nothing."""
    if not values:
        return "–"
    return str(values[0]) if values[0] == values[1] else f"{values[0]}-{values[1]}"


def _half(figures: dict[str, Any] | None) -> tuple[str, str]:
    """Return the ratio and the success of one side of the ranking test."""
    if figures is None:
        return "–", "–"
    ratio = "–" if figures["ratio"] is None else f"{figures['ratio']:.2f}x"
    return ratio, f"{figures['success']:.0%}"


def print_catalogue(console: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Print the catalogue to a rich console."""
    from rich.table import Column, Table

    heads = (
        "environment",
        "size",
        "ranked",
        "random",
        "reached",
        "best rule",
        "needs",
        "reached",
        "reference",
    )
    table = Table(*(Column(head, no_wrap=True) for head in heads), "tags")
    for row in rows:
        table.add_row(
            row["environment"],
            _range(row["subtasks"]),
            "–" if row["ranked"] is None else "yes" if row["ranked"] else "no",
            *_half(row["random"]),
            row["rule"]["agent"] if row["rule"] else "–",
            *_half(row["rule"]),
            ", ".join(row["reference"] or ("–",)),
            ", ".join(row["tags"]),
        )
    console.print(table)
