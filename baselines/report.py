"""What is made of the rows: a summary as data, as a table, as Markdown, and pictures.

Owns the layout of ``summary.json``, ``report.md`` and the table on the terminal.
The figures themselves are computed in ``metrics``.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stratagym.baselines import metrics
from stratagym.baselines.evaluate import RANDOM, Evaluation
from stratagym.baselines.results import Row
from stratagym.baselines.suites import slug
from stratagym.envs.task.graph import TaskGraph

SUMMARY_SCHEMA = 1
OVERALL = ("agent", "mean score", "95 % interval", "environments")
SCORED = {
    "makespan": ("ratio", "ratio"),
    "reward": ("reward", "value"),
    "tardiness": ("tardiness", "tardiness"),
}
"""By objective, the column that shows what is scored, and the figure of the summary that stands in it."""


def instance_of(row: Row) -> str:
    """Return which instance an episode played: the task, and its draws where it has any."""
    return f"{row['task']} {row['seed']}" if row["kind"] == "hindsight" else str(row["task"])


def _mean_of(column: Sequence[float], instances: Sequence[str], seed: int) -> dict[str, Any]:
    """Return a mean with its interval over instances."""
    figures = np.array(column, dtype=float)[:, None]
    values = metrics.resampled(instances, figures, lambda means: means[:, 0], seed=seed)
    return asdict(metrics.interval(values))


def _ratio_of(rows: Sequence[Row], seed: int) -> dict[str, Any]:
    """Return the mean makespan over reference of the episodes that reached the goal."""
    counted = [row for row in rows if row["ratio"] is not None]
    if not counted:
        return asdict(metrics.Interval(None))
    return _mean_of([row["ratio"] for row in counted], [instance_of(row) for row in counted], seed)


def _scores(rows: Sequence[Row], random: Sequence[Row], seed: int) -> metrics.Array:
    """Return the headline score of the sample and of its resamples."""
    figures = np.array(
        [[a["value"], b["value"], a["reference_value"]] for a, b in zip(rows, random, strict=True)],
        dtype=float,
    )
    return metrics.resampled([instance_of(row) for row in rows], figures, metrics.score_of_means, seed=seed)


def _agent_summary(rows: Sequence[Row], scores: metrics.Array, seed: int) -> dict[str, Any]:
    """Return the figures of one agent on one environment."""
    instances = [instance_of(row) for row in rows]
    refusals: Counter[str] = Counter()
    for row in rows:
        refusals.update(row["refusals"])
    spent = sum(row["crew"] * row["time"] for row in rows)
    return {
        "episodes": len(rows),
        "score": asdict(metrics.interval(scores)),
        "success": _mean_of([float(row["success"]) for row in rows], instances, seed),
        "progress": _mean_of([row["progress"] for row in rows], instances, seed),
        "ratio": _ratio_of(rows, seed),
        "value": _mean_of([row["value"] for row in rows], instances, seed),
        "return": _mean_of([row["return"] for row in rows], instances, seed),
        "tardiness": _mean_of([row["tardiness"] for row in rows], instances, seed),
        "steps": float(np.mean([row["steps"] for row in rows])),
        "idle": sum(row["idle"] for row in rows) / spent if spent else 0.0,
        "refusals": dict(sorted(refusals.items())),
        "time_arena": asdict(metrics.time_arena(rows)),
    }


def summarise(evaluation: Evaluation) -> dict[str, Any]:
    """Return the summary of an evaluation as plain data.

    For each environment and agent: headline score, success, progress, ratio to the
    reference, return, idle share of agent time, refusals by reason, TimeArena's
    metrics; and for each agent the mean score over the environments where one is
    defined. Intervals are 95 % bootstrap intervals over instances.
    """
    seed = evaluation.settings.seed
    environments: dict[str, Any] = {}
    overall: dict[str, list[metrics.Array]] = {name: [] for name in evaluation.agents}
    for number, label in enumerate(evaluation.environments):
        here = [row for row in evaluation.rows if row["env"] == label]
        random = [row for row in here if row["agent"] == RANDOM]
        agents = {}
        for name in evaluation.agents:
            rows = [row for row in here if row["agent"] == name]
            scores = _scores(rows, random, seed + number)
            agents[name] = _agent_summary(rows, scores, seed + number)
            if not np.isnan(scores[0]):
                overall[name].append(scores)
        environments[label] = {
            "objective": here[0]["objective"],
            "instances": len({instance_of(row) for row in here}),
            "reference_kinds": dict(sorted(Counter(row["kind"] for row in random).items())),
            "agents": agents,
        }
    return {
        "schema": SUMMARY_SCHEMA,
        "settings": asdict(evaluation.settings),
        "versions": evaluation.rows[-1]["versions"],
        "git": evaluation.rows[-1]["git"],
        "environments": environments,
        "overall": {
            name: {**asdict(_overall(found, seed)), "environments": len(found)}
            for name, found in overall.items()
        },
    }


def _overall(scores: Sequence[metrics.Array], seed: int) -> metrics.Interval:
    """Return the mean of the scores over environments.

    Each environment brings its own resamples of instances. Where all have a single
    instance, the environments are the instances.
    """
    if not scores:
        return metrics.Interval(None)
    length = max(len(values) for values in scores)
    if length == 1:
        column = np.array([[values[0]] for values in scores])
        values = metrics.resampled(range(len(scores)), column, lambda means: means[:, 0], seed=seed)
        return metrics.interval(values)
    full = [values if len(values) == length else np.full(length, values[0]) for values in scores]
    return metrics.interval(np.mean(full, axis=0))


def figure(value: float | None, digits: int = 3) -> str:
    """Return a number for a table, a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def span(value: dict[str, Any]) -> str:
    """Return an interval for a table, a dash where there is none."""
    return "–" if value["low"] is None else f"[{value['low']:.3f}, {value['high']:.3f}]"


def table_columns(summary: dict[str, Any], label: str) -> tuple[str, ...]:
    """Return the heads of the table of one environment."""
    scored, _ = SCORED[summary["environments"][label]["objective"]]
    return ("agent", "success", scored, "score", "95 % interval", "progress", "idle", "refused")


def table_rows(summary: dict[str, Any], label: str) -> list[tuple[str, ...]]:
    """Return the cells under ``table_columns`` for one environment, one row an agent."""
    _, scored = SCORED[summary["environments"][label]["objective"]]
    rows: list[tuple[str, ...]] = []
    for name, found in summary["environments"][label]["agents"].items():
        rows.append(
            (
                name,
                figure(found["success"]["mean"], 2),
                figure(found[scored]["mean"]),
                figure(found["score"]["mean"]),
                span(found["score"]),
                figure(found["progress"]["mean"], 2),
                f"{found['idle']:.0%}",
                str(sum(found["refusals"].values())),
            )
        )
    return rows


def overall_rows(summary: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return agent, mean score, interval and number of environments, best first."""
    found = sorted(summary["overall"].items(), key=lambda item: -(item[1]["mean"] or 0.0))
    return [(name, figure(o["mean"]), span(o), str(o["environments"])) for name, o in found]


def heading(summary: dict[str, Any], label: str) -> str:
    """Return what one environment's table stands under."""
    found = summary["environments"][label]
    kinds = ", ".join(f"{count} {kind}" for kind, count in found["reference_kinds"].items())
    return f"{label} ({found['objective']}, {found['instances']} instance(s), reference: {kinds})"


def _markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def markdown(summary: dict[str, Any], pictures: Sequence[tuple[str, str]] = ()) -> str:
    """Return the report as Markdown.

    Args:
        summary: as ``summarise`` makes it.
        pictures: (caption, path relative to the report) of each picture.
    """
    settings = summary["settings"]
    lines = [
        "# Evaluation",
        "",
        f"Clock {settings['clock']}, knowledge {settings['knowledge']}, "
        f"reward {settings['reward'] or 'default'}, first seed {settings['seed']}; "
        + ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
        + (f"; revision {summary['git']}" if summary["git"] else "")
        + ".",
        "",
        "Score: (x - random) / (reference - random) of the mean figures x; x is reference / makespan "
        "(0 without success), the reward, or minus the tardiness. Intervals: 95 % bootstrap over instances.",
    ]
    if settings["clock"] == "event":
        lines += ["", "The event clock cannot express every start tick: these scores are marked by it."]
    lines += ["", "## Over all environments", ""]
    lines += _markdown_table(OVERALL, overall_rows(summary))
    for label in summary["environments"]:
        lines += ["", f"## {heading(summary, label)}", ""]
        lines += _markdown_table(table_columns(summary, label), table_rows(summary, label))
    if pictures:
        lines += ["", "## Schedules", ""]
        for caption, path in pictures:
            lines += [f"![{caption}]({path})", "", caption, ""]
    return "\n".join(lines).rstrip() + "\n"


def print_table(console: Any, summary: dict[str, Any]) -> None:
    """Print the tables to a rich console."""
    from rich.table import Table

    for label in summary["environments"]:
        table = Table(*table_columns(summary, label), title=heading(summary, label), title_justify="left")
        for row in table_rows(summary, label):
            table.add_row(*row)
        console.print(table)
    if len(summary["environments"]) > 1:
        table = Table(*OVERALL, title="all", title_justify="left")
        for row in overall_rows(summary):
            table.add_row(*row)
        console.print(table)


def extremes(rows: Sequence[Row]) -> tuple[Row, Row]:
    """Return the best and the worst episode: by value against the reference, then by progress."""

    def rank(row: Row) -> tuple[float, float, int]:
        return row["value"] - (row["reference_value"] or 0.0), row["progress"], -row["time"]

    return max(rows, key=rank), min(rows, key=rank)


def draw_schedules(evaluation: Evaluation, folder: Path) -> list[tuple[str, str]]:
    """Draw the best and the worst schedule of each environment as PNG.

    Returns:
        (caption, path relative to ``folder``) of each picture.
    """
    from stratagym.envs.render.gantt import draw_gantt
    from stratagym.envs.render.images import save_png

    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    pictures = []
    for label, spec in evaluation.environments.items():
        env = spec.make(**evaluation.settings.options(spec))
        rows = [row for row in evaluation.rows if row["env"] == label]
        for word, row in zip(("best", "worst"), extremes(rows), strict=True):
            env.reset(seed=row["seed"])
            caption = _caption(label, word, row)
            graph = env.unwrapped.task.graph
            image = draw_gantt(graph, _bars(graph, row), time=row["time"], title=caption, width=1100)
            path = f"pictures/{slug(label)}-{word}.png"
            save_png(image, folder / path)
            pictures.append((caption, path))
        env.close()
    return pictures


def _bars(graph: TaskGraph, row: Row) -> list[Any]:
    """Return the runs of a row as a chart takes them."""
    from stratagym.envs.render.chart import RunBar

    bars = []
    for name, agents, start, end, ended in row["runs"]:
        index = graph.index(name)
        run = metrics.Stretch(name, tuple(agents), start, end, ended)
        until = metrics.attended_until(graph.subtasks[index].attended, run)
        bars.append(RunBar(index, run.agents, start, end if ended else None, until, ended or "running"))
    return bars


def _caption(label: str, word: str, row: Row) -> str:
    """Return what stands over the picture of one schedule."""
    outcome = f"reached at {row['makespan']}" if row["success"] else f"ended at {row['time']}"
    reference = figure(row["reference"], 0)
    return f"{label}, {word}: {row['agent']}, seed {row['seed']}, {outcome} (reference {reference})"


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is either the old one or wholly the new one."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def write_report(evaluation: Evaluation, *, pictures: bool = True) -> dict[str, Any]:
    """Write ``summary.json``, ``report.md`` and the pictures into the evaluation's folder.

    Returns:
        The summary. Without a folder nothing is written.
    """
    summary = summarise(evaluation)
    if evaluation.folder is not None:
        drawn = draw_schedules(evaluation, evaluation.folder) if pictures else []
        write_text(
            evaluation.folder / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n"
        )
        write_text(evaluation.folder / "report.md", markdown(summary, drawn))
    return summary
