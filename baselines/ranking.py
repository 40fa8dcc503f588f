"""Does an environment separate agents? The page's test, and the catalogue that it fills.

Owns the figures of ``catalogue.json``: how far uniform play that never idles and the
best dispatching rule stay behind the reference. It plays through ``evaluate`` and
prints through ``listing``'s table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stratagym.baselines.evaluate import RANDOM, Progress, evaluate
from stratagym.baselines.listing import CATALOGUE, read_catalogue
from stratagym.baselines.report import figure, write_text
from stratagym.baselines.results import Row
from stratagym.baselines.rows import versions
from stratagym.baselines.suites import parse_environment

RULES = ("greedy", "critical_path", "least_slack", "most_successors", "shortest")
"""The dispatching rules of the test."""

SCHEMA = 1
RANDOM_SUCCESS, RANDOM_RATIO, RULE_RATIO, RULE_MISSED = 0.5, 1.3, 1.1, 0.2
"""The page's bounds: at most, at least, at least, at least."""

Figures = dict[str, Any]


def ratio_to_reference(rows: Sequence[Row]) -> float | None:
    """Return how many times the reference is needed; below 1 where a best known value is beaten.

    For a makespan the mean of makespan / reference over the episodes that reached the
    goal; for rewards the mean reference over the mean reward. None where that is not
    defined: no success, or no reward.
    """
    if rows[0]["objective"] == "makespan":
        ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
        return float(sum(ratios) / len(ratios)) if ratios else None
    earned = float(sum(row["value"] for row in rows))
    best = float(sum(row["reference_value"] or 0.0 for row in rows))
    return best / earned if earned > 0 else None


def missed_share(rows: Sequence[Row]) -> float:
    """Return the share of the hard deadlines that were missed, over all episodes."""
    asked = sum(row["deadlines"] for row in rows)
    return float(sum(row["missed"] for row in rows) / asked) if asked else 0.0


def success_share(rows: Sequence[Row]) -> float:
    """Return the share of episodes that reached the goal."""
    return float(sum(row["success"] for row in rows) / len(rows))


def is_ranked(figures: Figures) -> bool:
    """Return whether both halves of the page's test hold.

    Uniform play succeeds in at most half or needs 1.3 times the reference; and the best
    dispatching rule needs 1.1 times the reference or misses a fifth of the deadlines.
    A ratio that is not defined (nobody succeeds) counts as far behind.
    """
    random, rule = figures["random"], figures["rule"]
    uniform_behind = (
        (figures["goal"] and random["success"] <= RANDOM_SUCCESS)
        or random["ratio"] is None
        or random["ratio"] >= RANDOM_RATIO
    )
    rule_behind = rule["ratio"] is None or rule["ratio"] >= RULE_RATIO or rule["missed"] >= RULE_MISSED
    return bool(uniform_behind and rule_behind)


def figures_of(rows: Sequence[Row]) -> Figures:
    """Return the figures of one environment from its rows.

    The best rule is the one with the highest mean value (failures 0).

    Args:
        rows: of ``random`` and of all ``RULES``, on the same seeds.
    """
    by_agent = {name: [r for r in rows if r["agent"] == name] for name in (RANDOM, *RULES)}
    best = max(RULES, key=lambda name: sum(r["value"] for r in by_agent[name]))

    def half(name: str) -> Figures:
        found = by_agent[name]
        return {
            "agent": name,
            "success": success_share(found),
            "ratio": ratio_to_reference(found),
            "missed": missed_share(found),
        }

    sizes = [r["subtasks"] for r in by_agent[RANDOM]]
    figures: Figures = {
        "episodes": len(by_agent[RANDOM]),
        "instances": len({r["task"] for r in by_agent[RANDOM]}),
        "subtasks": [min(sizes), max(sizes)],
        "crew": max(r["crew"] for r in by_agent[RANDOM]),
        "objective": rows[0]["objective"],
        "goal": rows[0]["goal"],
        "reference": sorted({r["kind"] for r in by_agent[RANDOM]}),
        "random": half(RANDOM),
        "rule": half(best),
    }
    return {**figures, "ranked": is_ranked(figures)}


def update_catalogue(
    envs: Sequence[str],
    *,
    episodes: int = 100,
    jobs: int = 1,
    path: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Figures]:
    """Measure environments and write their figures to the catalogue.

    Args:
        envs: as on the command line; empty for everything that ``listing.variants`` names.
        episodes: seeds 0, 1, ... of each environment.
        jobs: processes.
        path: of the catalogue, None for the shipped one.
        progress: told of each row.

    Returns:
        The figures that were measured, by label.
    """
    from stratagym.baselines.listing import variants

    path = path or CATALOGUE
    specs = [parse_environment(text) for text in envs] or [variant.spec for variant in variants()]
    evaluation = evaluate(specs, RULES, episodes, 0, jobs=jobs, progress=progress)
    measured = {
        label: figures_of([row for row in evaluation.rows if row["env"] == label])
        for label in evaluation.environments
    }
    known = {**read_catalogue(path), **measured}
    content = {"schema": SCHEMA, "versions": versions(), "environments": dict(sorted(known.items()))}
    write_text(path, json.dumps(content, indent=1) + "\n")
    return measured


def print_figures(console: Any, figures: dict[str, Figures]) -> None:
    """Print measured figures to a rich console."""
    from rich.table import Table

    table = Table(
        "environment", "random success", "random ratio", "best rule", "its ratio", "missed", "ranked"
    )
    for label, found in figures.items():
        random, rule = found["random"], found["rule"]
        table.add_row(
            label,
            figure(random["success"], 2),
            figure(random["ratio"], 2),
            rule["agent"],
            figure(rule["ratio"], 2),
            f"{rule['missed']:.0%}",
            "yes" if found["ranked"] else "no",
        )
    console.print(table)
