"""Pictures of results: learning curves and final scores, with intervals.

Owns what they look like: one panel an environment, one colour a method, the same in every picture and
told apart by the colour-blind (Okabe and Ito's palette) and by line style. matplotlib comes with the
extra ``train`` and is imported late.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stratagym.baselines.suites import InputError

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8A900")
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)))
PANEL = (3.4, 2.6)
"""Inches of one panel."""


def style_of(methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return colour and line style of each method, in the order of their names."""
    return {
        m: {"color": COLOURS[k % len(COLOURS)], "linestyle": STYLES[k % len(STYLES)]}
        for k, m in enumerate(sorted(set(methods)))
    }


def _pyplot() -> Any:
    """Return matplotlib's pyplot, drawing to files only.

    Raises:
        InputError: where it is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise InputError("pictures of results need matplotlib: pip install 'stratagym[train]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def read_curve(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what a run was asked for, and its validations.

    Raises:
        InputError: if the folder holds no run.
    """
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: no run of 'stratagym train' that can be read ({error})") from error
    return run, [row for row in rows if row.get("kind") == "validation"]


def _grid(count: int) -> tuple[Any, list[Any]]:
    """Return a figure with room for some panels, and the panels."""
    columns = min(3, count)
    rows = math.ceil(count / columns)
    size = (PANEL[0] * columns, PANEL[1] * rows + 0.5)
    figure, axes = _pyplot().subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    panels = list(axes.ravel())
    for spare in panels[count:]:
        spare.set_axis_off()
    return figure, panels[:count]


def _save(figure: Any, path: Path) -> None:
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    figure.savefig(part, dpi=110)
    _pyplot().close(figure)
    os.replace(part, path)


def learning_curves(folders: Sequence[Path], path: Path) -> None:
    """Draw the success on validation seeds over steps: mean over seeds, and all seeds' range.

    Args:
        folders: of runs.
        path: of the picture, ``.png``.

    Raises:
        InputError: if a folder holds no run.
    """
    curves: dict[str, dict[str, list[tuple[Any, Any]]]] = {}
    for folder in folders:
        run, rows = read_curve(folder)
        if rows:
            steps = np.array([row["step"] for row in rows])
            success = np.array([row["success"] for row in rows])
            curves.setdefault(run["env"]["label"], {}).setdefault(run["method"], []).append((steps, success))
    if not curves:
        raise InputError("no run has been measured yet")
    styles = style_of([m for methods in curves.values() for m in methods])
    figure, panels = _grid(len(curves))
    for panel, (label, methods) in zip(panels, curves.items(), strict=True):
        ends = [int(steps[-1]) for m, runs in methods.items() if m != "bc" for steps, _ in runs]
        widest = max(ends, default=0)
        for method, runs in sorted(methods.items()):
            if method == "bc" and widest:
                # It takes no steps: what it reaches is a level.
                level = float(np.mean([success[-1] for _, success in runs]))
                panel.plot([0, widest], [level, level], label=method, **styles[method])
                continue
            last = min(int(steps[-1]) for steps, _ in runs)
            grid = np.linspace(0, last, 60)
            lines = np.array([np.interp(grid, steps, success) for steps, success in runs])
            panel.plot(grid, lines.mean(axis=0), label=method, **styles[method])
            if len(lines) > 1:
                panel.fill_between(
                    grid, lines.min(axis=0), lines.max(axis=0), color=styles[method]["color"], alpha=0.15
                )
        panel.set_title(label.removeprefix("stratagym/"), fontsize=9)
        panel.set_ylim(-0.02, 1.02)
        panel.set_xlabel("steps" if widest else "epochs", fontsize=8)
        panel.set_ylabel("validation success", fontsize=8)
        panel.tick_params(labelsize=7)
        panel.grid(alpha=0.25)
    handles = [panels[0].plot([], [], label=method, **style)[0] for method, style in styles.items()]
    figure.legend(handles=handles, loc="outside lower center", ncol=min(4, len(styles)), fontsize=8)
    _save(figure, path)


def final_scores(summary: Mapping[str, Any], path: Path) -> None:
    """Draw scores by environment and method, and the interquartile mean over all, with their intervals.

    Args:
        summary: see ``study_page.summarise``.
        path: of the picture, ``.png``.
    """
    groups = {label.removeprefix("stratagym/"): m for label, m in summary["environments"].items()}
    rows = [(label, {m: v["score"] for m, v in methods.items()}) for label, methods in groups.items()]
    if summary["iqm"]:
        rows.append(("all (interquartile mean)", summary["iqm"]))
    methods = sorted({m for _, values in rows for m in values})
    styles = style_of(methods)
    figure, panels = _grid(len(rows))
    for panel, (label, values) in zip(panels, rows, strict=True):
        for k, method in enumerate(methods):
            value = values.get(method)
            if value is None or value["mean"] is None:
                continue
            mean, colour = value["mean"], styles[method]["color"]
            panel.plot([mean], [k], "o", color=colour)
            if value["low"] is not None:
                panel.plot([value["low"], value["high"]], [k, k], color=colour, linewidth=2)
        panel.axvline(0.0, color="#888888", linewidth=0.8, linestyle=":")
        panel.axvline(1.0, color="#888888", linewidth=0.8, linestyle="--")
        panel.set_yticks(range(len(methods)), methods, fontsize=8)
        panel.set_ylim(-0.6, len(methods) - 0.4)
        panel.set_title(label, fontsize=9)
        panel.set_xlabel("score (0 random, 1 reference)", fontsize=8)
        panel.tick_params(labelsize=7)
    _save(figure, path)
