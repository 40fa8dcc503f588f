"""The fields of a row: what was played, how it went, and with which code.

Owns the names of the fields (``docs/evaluation.md`` explains them) and where each value
comes from. The figures themselves are computed in ``metrics``.
"""

from __future__ import annotations

import functools
import json
import math
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from stratagym.baselines import metrics
from stratagym.baselines.rollout import Episode
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.reference import Reference

PACKAGES = ("stratagym", "gymnasium", "numpy", "numba", "ortools")


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


def plain(options: Mapping[str, Any]) -> Any:
    """Return options as JSON data, other objects as their text."""
    return json.loads(json.dumps(dict(options), default=str))


def finite(value: float | None) -> float | None:
    """Return a number that JSON can hold, None for what is not finite."""
    return value if value is not None and math.isfinite(value) else None


def objective_of(graph: TaskGraph, reward: str) -> str:
    """Return what scores an episode: tardiness where that is paid, else makespan or the file's rewards."""
    if reward == "tardiness":
        return "tardiness"
    return "reward" if graph.goal is None else "makespan"


def task_fields(graph: TaskGraph) -> dict[str, Any]:
    """Return what a row says of the task."""
    return {
        "task_name": graph.name,
        "subtasks": len(graph.subtasks),
        "crew": len(graph.agents),
        "goal": graph.goal is not None,
    }


def outcome(graph: TaskGraph, episode: Episode, reference: Reference, objective: str) -> dict[str, Any]:
    """Return what a row says of the result: score, goal, schedule, conduct."""
    runs = metrics.stretches(episode.events, episode.time)
    return {
        "objective": objective,
        **_score(graph, episode, reference, objective),
        **_goal(graph, episode),
        "time": episode.time,
        "steps": episode.steps,
        "end": episode.end,
        "return": episode.total,
        "tardiness": episode.tardiness,
        "dead_end": episode.dead_end,
        "refusals": dict(sorted(episode.refusals.items())),
        "idle": len(graph.agents) * episode.time - sum(metrics.busy_ticks(graph, runs, episode.time)),
        "runs": [[r.subtask, list(r.agents), r.start, r.end, r.ended] for r in runs],
    }


def _score(graph: TaskGraph, episode: Episode, reference: Reference, objective: str) -> dict[str, Any]:
    """Return what the headline score is made of."""
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
    timed = episode.success and objective == "makespan" and best
    return {
        "reference": best,
        "bound": finite(reference.bound),
        "kind": reference.kind,
        "value": value,
        "reference_value": None if best is None else metrics.reference_value(objective, best),
        "ratio": episode.time / best if timed and best else None,
        "paid": earned,
    }


def _goal(graph: TaskGraph, episode: Episode) -> dict[str, Any]:
    """Return how far the goal was reached, and which of its deadlines were missed."""
    done = episode.success and graph.goal is not None
    curve = metrics.progress_curve(graph, episode.events)
    asked = metrics.wanted(graph, frozenset()) or ()
    deadlines = {graph.subtasks[i].name for i in asked if graph.subtasks[i].deadline is not None}
    return {
        "success": episode.success,
        "progress": 1.0 if done else curve[-1][1],
        "progress_at": episode.time if done else metrics.reached_at(curve),
        "makespan": episode.time if done else None,
        "deadlines": len(deadlines),
        "missed": len(deadlines - {e["subtask"] for e in episode.events if e["kind"] == "success"}),
    }
