"""What do agents learn in the abstract domains, and do they beat the dispatching rules?

Owns the comparison that issue after issue asks for: on test tasks that no run has seen, trained
against untrained, against every dispatching rule and against the reference, all on the same
episodes, with intervals over training seeds and instances. The runs are those of a study.

Use: ``stratagym suite run abstract --out results/abstract``, then
``python -m stratagym.baselines.claims.learning results/abstract``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stratagym.baselines import study, train
from stratagym.baselines.aggregate import crossed
from stratagym.baselines.claims.trials import RESULTS, publish
from stratagym.baselines.evaluate import evaluate
from stratagym.baselines.learning.checkpoint import read_json
from stratagym.baselines.results import read_rows
from stratagym.baselines.suites import InputError, parse_environment, slug

RULES = ("greedy", "critical_path", "least_slack", "most_successors", "shortest", "grprop")
"""The dispatching rules."""
FIGURES = ("success", "value")
"""What is compared: the goal reached, and the reference makespan as a share of one's own, 0 in failure."""
LEARNED = ("trained", "untrained")
ENOUGH = 0.95
"""Success that was asked for."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Played:
    """What the runs of one environment and others played, all on the same episodes.

    Attributes:
        instances: ``[episodes]`` digest of the task of each.
        figures: agent -> figure -> ``[runs, episodes]``; one run for what does not learn.
    """

    instances: Sequence[str]
    figures: Mapping[str, Mapping[str, Any]]

    def mean(self, agent: str, figure: str) -> Any:
        """Return the mean of a figure with its interval."""
        return crossed(self.figures[agent][figure], self.instances)

    def ahead(self, agent: str, other: str, figure: str) -> Any:
        """Return how far an agent is ahead of another, by pairs."""
        return crossed(self.figures[agent][figure] - self.figures[other][figure], self.instances)


def gather(runs: Sequence[Mapping[str, Rows]], others: Mapping[str, Rows]) -> Played:
    """Put rows of learned agents and of others side by side.

    Args:
        runs: for each run agent -> rows.
        others: agent -> rows.

    Raises:
        InputError: if two did not play the same episodes.
    """
    by_agent = {name: [run[name] for run in runs] for name in runs[0]}
    by_agent |= {name: [rows] for name, rows in others.items()}
    asked = None
    figures: dict[str, dict[str, Any]] = {}
    for agent, parts in by_agent.items():
        ordered = [sorted(rows, key=lambda row: row["episode"]) for rows in parts]
        for rows in ordered:
            played = [(row["seed"], row["task"]) for row in rows]
            if asked is None:
                asked = played
            if played != asked:
                raise InputError(f"{agent}: did not play the same episodes as the others")
        figures[agent] = {
            figure: np.array([[float(row[figure]) for row in rows] for rows in ordered]) for figure in FIGURES
        }
    assert asked is not None
    return Played([task for _, task in asked], figures)


def compare(played: Played, rules: Sequence[str] = RULES) -> dict[str, Any]:
    """Return the figures of one environment: means, and paired differences that the claims are about."""
    ahead = {
        rule: {figure: played.ahead("trained", rule, figure) for figure in FIGURES}
        for rule in ("untrained", "random", *rules)
    }
    reached = played.figures["trained"]["value"]
    best = max(rules, key=lambda rule: float(played.figures[rule]["value"].mean()))
    return {
        "instances": len(set(played.instances)),
        "episodes": len(played.instances),
        **{figure: {agent: played.mean(agent, figure) for agent in played.figures} for figure in FIGURES},
        "success by seed": [round(float(v), 4) for v in played.figures["trained"]["success"].mean(axis=1)],
        "trained is ahead of": ahead,
        "best rule": best,
        "reaches 95 %": bool(played.figures["trained"]["success"].mean() >= ENOUGH),
        "untrained < trained": ahead["untrained"]["value"].low > 0,
        "trained <= reference in every episode": bool((reached <= 1.0).all()),
        "beats every rule": all(ahead[rule]["value"].low > 0 for rule in rules),
    }


def finished(of: study.Study, folder: Path, label: str) -> list[Path]:
    """Return the folders of a study's finished runs of one environment.

    Raises:
        InputError: if there is none.
    """
    runs = [job.folder for job in study.jobs_of(of, folder) if job.spec.label == label]
    done = [run for run in runs if (run / train.DONE).is_file()]
    if not done:
        raise InputError(f"{folder}: no finished run of {label}; 'stratagym suite run ... --resume' goes on")
    return done


def rows_of(folder: Path) -> dict[str, Rows]:
    """Return what a finished run of training has played: by ``trained``, ``untrained`` and others."""
    # A folder may have been moved since: the last part of a path still says which agent it was.
    names = {folder.name: "trained", train.FIRST: "untrained"}
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in read_rows(folder / "results.jsonl")[0]:
        agent = str(row["agent"])
        found.setdefault(names.get(Path(agent).name, agent), []).append(row)
    return dict(found)


def against_rules(folders: Sequence[Path], out: Path, rules: Sequence[str] = RULES) -> Played:
    """Return what the runs of one environment have played, and the rules on the same episodes.

    Args:
        folders: of the runs, finished.
        out: folder for the rules' rows; what stands there is not played again.
        rules: agents that do not learn.
    """
    runs = [rows_of(folder) for folder in folders]
    tested = runs[0]["trained"]
    label = tested[0]["env"]
    rows = evaluate(
        [parse_environment(label)], rules, len(tested), train.TEST_SEED, out / slug(label),
        clock=tested[0]["clock"], knowledge=tested[0]["knowledge"], reward=tested[0]["reward"], resume=True,
    ).rows  # fmt: skip
    learned = [{name: run[name] for name in LEARNED} for run in runs]
    names = ("random", *rules)
    return gather(learned, {name: [row for row in rows if row["agent"] == name] for name in names})


def measure(folder: Path, rules: Sequence[str] = RULES) -> dict[str, Any]:
    """Return the figures of all environments of a study, of as many seeds as are finished."""
    found = study.load_study(read_json(folder / study.ASKED)["name"])
    figures: dict[str, Any] = {}
    for spec in found.environments:
        folders = finished(found, folder, spec.label)
        played = against_rules(folders, folder / "rules", rules)
        done = [study.read_done(run) for run in folders]
        figures[spec.label] = {
            "seeds": [run["seed"] for run in done],
            "steps": done[0]["steps"],
            "cpu_seconds of a run": round(float(np.mean([run["cpu_seconds"] for run in done])), 1),
            **compare(played, rules),
        }
    return figures


def table(figures: Mapping[str, Any]) -> str:
    """Return the figures as the tables of ``docs/results.md``: what is reached, and what rules reach."""
    reached = [("family", "steps", "success untrained", "success trained", "share of the reference")]
    rules = [("family", *(f"`{rule}`" for rule in RULES))]
    for label, own in figures.items():
        name = label.removeprefix("stratagym/").partition("-")[0]
        success, share = own["success"], own["value"]
        reached.append(
            (
                name,
                f"{own['steps']:,}",
                _text(success["untrained"]),
                _text(success["trained"]),
                _text(share["trained"]),
            )
        )
        ahead = own["trained is ahead of"]
        rules.append((name, *(_text(ahead[rule]["value"]) if rule in ahead else "" for rule in RULES)))
    return "\n\n".join("\n".join(_lines(rows)) for rows in (reached, rules))


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines of Markdown, the first as the head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]


def _text(found: Any) -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"


def main(arguments: Sequence[str]) -> None:
    """Compare the runs of a finished study and write the result."""
    folder = Path(arguments[0]) if arguments else Path("results/abstract")
    figures = measure(folder)
    hours = sum(own["cpu_seconds of a run"] * len(own["seeds"]) for own in figures.values()) / 3600
    held = [label for label, own in figures.items() if own["reaches 95 %"]]
    content = {
        "study": "stratagym suite run abstract --out results/abstract",
        "cpu_hours of the study": hours,
        "reach 95 %": held,
        "beat every rule": [label for label, own in figures.items() if own["beats every rule"]],
        "environments": figures,
    }
    publish("learning", content, "python -m stratagym.baselines.claims.learning results/abstract", RESULTS)
    print(table(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
