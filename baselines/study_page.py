"""The page of a study: a table, and two pictures, of runs that are finished.

Owns ``page.md``, ``summary.json``, ``curves.png`` and ``scores.png``. Statistics are in ``aggregate``,
drawing in ``plots``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stratagym.baselines import aggregate, plots
from stratagym.baselines.learning.checkpoint import write_json
from stratagym.baselines.report import write_text
from stratagym.baselines.study import Study, read_done


def summarise(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of finished runs as plain data.

    For each environment and method: success, score and return of every seed with an interval; for
    each method the interquartile mean of its scores; for each pair how likely one improves on the other.
    """
    labels = list(dict.fromkeys(run["env"] for run in runs))
    methods = list(dict.fromkeys(run["method"] for run in runs))
    environments: dict[str, Any] = {}
    for label in labels:
        environments[label] = {}
        for method in methods:
            here = [run for run in runs if run["env"] == label and run["method"] == method]
            if here:
                environments[label][method] = {
                    name: {
                        **asdict(aggregate.bootstrap(lambda x: float(x.mean()), _column(here, name))),
                        "seeds": [run[name] for run in here],
                    }
                    for name in ("success", "score")
                }
    scores = {m: s for m in methods if (s := _matrix(runs, m, labels)) is not None}
    return {
        "environments": environments,
        "iqm": {m: asdict(aggregate.bootstrap(aggregate.iqm, s)) for m, s in scores.items()},
        "improvement": [
            {"of": a, "over": b, **asdict(aggregate.bootstrap(aggregate.improvement, scores[a], scores[b]))}
            for a in scores
            for b in scores
            if a != b
        ],
        "cpu_hours": sum(run["cpu_seconds"] for run in runs) / 3600,
    }


def _column(runs: Sequence[dict[str, Any]], name: str) -> Any:
    return np.array([[np.nan if run[name] is None else run[name]] for run in runs], float)


def _matrix(runs: Sequence[dict[str, Any]], method: str, labels: Sequence[str]) -> Any:
    """Return the scores ``[seeds, environments]`` of a method, None unless there is one for each."""
    by_label = [
        [run["score"] for run in runs if run["method"] == method and run["env"] == label] for label in labels
    ]
    count = min((len(row) for row in by_label), default=0)
    if not count or any(score is None for row in by_label for score in row):
        return None
    return np.array([row[:count] for row in by_label], float).T


def write(study: Study, folder: Path, runs: Sequence[Path]) -> dict[str, Any]:
    """Write the page of a study and return its summary."""
    done = [read_done(path) for path in runs]
    summary = {"study": study.name, **summarise(done)}
    write_json(folder / "summary.json", summary)
    plots.learning_curves(runs, folder / "curves.png")
    plots.final_scores(summary, folder / "scores.png")
    lines = [
        f"# {study.name}",
        "",
        study.summary,
        "",
        f"{len(done)} runs, {summary['cpu_hours']:.2f} CPU hours; `stratagym suite run {study.name}`. "
        "Score: 0 is uniform play that never idles, 1 the reference. Intervals: 95 % bootstrap over seeds.",
        "",
        "| environment | method | success | score |",
        "|---|---|---|---|",
    ]
    for label, methods in summary["environments"].items():
        for method, figures in methods.items():
            lines.append(
                f"| {label} | {method} | {_figure(figures['success'])} | {_figure(figures['score'])} |"
            )
    if summary["iqm"]:
        lines += ["", "| method | interquartile mean of the score |", "|---|---|"]
        lines += [f"| {method} | {_figure(value)} |" for method, value in summary["iqm"].items()]
    if summary["improvement"]:
        lines += ["", "| a run of | beats one of | with probability |", "|---|---|---|"]
        lines += [f"| {p['of']} | {p['over']} | {_figure(p)} |" for p in summary["improvement"]]
    lines += ["", "![learning curves](curves.png)", "", "![final scores](scores.png)", ""]
    write_text(folder / "page.md", "\n".join(lines))
    return summary


def _figure(value: dict[str, Any]) -> str:
    if value["mean"] is None:
        return "–"
    ends = "" if value["low"] is None else f" [{value['low']:.2f}, {value['high']:.2f}]"
    return f"{value['mean']:.2f}{ends}"
