"""What agents are measured against, and the page's test of whether a family separates them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from stratagym.baselines import listing, ranking
from stratagym.baselines.cli import render
from stratagym.baselines.evaluate import evaluate
from stratagym.baselines.rollout import Episode
from stratagym.baselines.rows import outcome
from stratagym.baselines.suites import parse_environment
from stratagym.envs.certificates import certificate_of
from stratagym.envs.registry import find_domains, id_of, source_of
from stratagym.envs.task.reference import Reference
from stratagym.envs.task.spec import load_task

TASK = load_task({"subtasks": {"a": {"duration": 3}}, "goal": "a", "horizon": 90})


@pytest.mark.parametrize(
    ("reference", "figure"),
    [
        (Reference("makespan", 14, 14, "proved"), 14),
        (Reference("makespan", 12, 12, "hindsight"), 12),
        (Reference("makespan", 40, 10, "best known"), 40),
        (Reference("makespan", None, 10, "bound"), 10),
        (Reference("reward", 0.0, 7.5, "best known"), 0.0),
        (Reference("makespan", None, math.inf, "bound"), math.inf),
    ],
)
def test_the_yardstick_is_what_was_reached_else_the_bound(reference: Reference, figure: float) -> None:
    """One rule for all kinds: a value that is known to be reached counts, however it is known."""
    assert reference.figure == figure


def rows(agent: str, times: tuple[int, ...], best: float) -> list[dict[str, Any]]:
    """Return rows of one agent measured against a best known value."""
    reference = Reference("makespan", best, 3, "best known")
    return [
        {
            "agent": agent,
            "task": str(k),
            "subtasks": 1,
            "crew": 1,
            "goal": True,
            **outcome(TASK.graph, Episode(0, time, end="terminated", success=True), reference, "makespan"),
        }
        for k, time in enumerate(times)
    ]


def test_a_best_known_value_that_is_beaten_gives_a_ratio_below_one() -> None:
    """It is not cut off at 1, neither in the row nor in the catalogue nor in what is printed."""
    found = [row for name in ("random", *ranking.RULES) for row in rows(name, (32, 48), 40)]
    assert [(row["reference"], row["bound"], row["ratio"]) for row in found[:2]] == [
        (40, 3, 0.8),
        (40, 3, 1.2),
    ]
    assert found[0]["value"] == pytest.approx(1.25)
    figures = ranking.figures_of([row for row in found if row["task"] == "0"])
    assert figures["random"]["ratio"] == figures["rule"]["ratio"] == 0.8
    assert not figures["ranked"]
    catalogue = [{"environment": "here", "tags": [], **figures}]
    text = render(lambda console: listing.print_catalogue(console, catalogue))
    assert text.count("0.80x") == 2
    assert "best known" in text


@pytest.mark.parametrize(
    ("random", "rule", "ranked"),
    [
        ({"success": 0.5}, {}, True),
        ({"ratio": 1.3}, {}, True),
        ({"ratio": 1.29}, {}, False),
        ({"ratio": None}, {"ratio": None}, True),
        ({"success": 0.4}, {"ratio": 1.09}, False),
        ({"success": 0.4}, {"ratio": 0.9, "missed": 0.2}, True),
    ],
)
def test_the_pages_test(random: dict[str, Any], rule: dict[str, Any], ranked: bool) -> None:
    """Both halves must hold: uniform play far behind, and the best rule some way."""
    plain = {"success": 1.0, "ratio": 1.1, "missed": 0.0}
    assert (
        ranking.is_ranked({"goal": True, "random": {**plain, **random}, "rule": {**plain, **rule}}) is ranked
    )


def test_in_a_world_the_witness_is_the_yardstick() -> None:
    """Rows of a certified family divide by what was played there, not by the abstract bound."""
    found = evaluate(["stratagym/Mining-v0:size=small"], ["critical_path"], 2).rows
    for row in found:
        assert row["kind"] == "best known"
        assert row["bound"] < row["reference"]
        if row["success"]:
            assert row["ratio"] == pytest.approx(row["makespan"] / row["reference"])


def test_drawn_ends_in_a_world_are_no_reason_for_hindsight() -> None:
    """Slips of a cable are drawn, yet the solver's hindsight knows no ways, so the witness stays."""
    row = evaluate(["stratagym/CableRouting-v0:size=small"], ["random"], 1).rows[0]
    assert row["kind"] == "best known"
    assert row["reference"] > row["bound"]
    late = evaluate(["stratagym/Kitchen-v0:size=small"], ["random"], 1, reward="tardiness").rows[0]
    assert late["kind"] == "bound"
    assert late["reference"] == late["bound"] >= 0


def kinds_of(label: str) -> set[str]:
    """Return the kinds of the references that are certified for an environment."""
    spec = parse_environment(label)
    name = spec.id.removeprefix("stratagym/").removesuffix("-v0")
    certificate = certificate_of(source_of(name, spec.options))
    assert certificate is not None, f"{label} has no certificate"
    return {reference.kind for reference in certificate.references}


NOT_RANKED = {
    "stratagym/CableRouting-v0:size=small",
    "stratagym/Laboratory-v0:size=small",
    "stratagym/Mining-v0:size=small",
    "stratagym/Rearrangement-v0:size=small",
    "stratagym/Warehouse-v0:size=medium",
    "stratagym/Warehouse-v0:size=small",
    "stratagym/Wilderness-v0:size=medium",
    "stratagym/Wilderness-v0:size=small",
}
"""What does not separate agents, as docs/results.md says."""


def test_the_catalogue_says_of_every_domain_whether_it_is_ranked() -> None:
    """Measured at medium at least, against what certificates hold, and by the page's test."""
    found = listing.read_catalogue()
    assert {
        f"{id_of(name)}:size=medium" for name, domain in find_domains().items() if domain.procedural
    } <= set(found)
    for label, figures in found.items():
        assert figures["ranked"] is ranking.is_ranked(figures), label
        assert figures["ranked"] is (label not in NOT_RANKED), label
        assert figures["episodes"] == 100, label
        assert set(figures["reference"]) <= kinds_of(label), label


def test_further_families_of_a_domain_are_certified_and_listed() -> None:
    """Lands for two stand in the list beside the sizes, and have a witness."""
    label = "stratagym/Wilderness-v0:agents=2,size=small"
    assert label in {variant.spec.label for variant in listing.variants()}
    assert kinds_of(label) == {"best known"}
