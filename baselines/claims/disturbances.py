"""When things go wrong, what is planning anew worth?

Owns the measurement of a claim: with disturbances an agent that plans anew succeeds at least 20
points more often than one that carries out its first plan, and without them no more often.
Both have the same planner and the same skills, and play the same seeds. Robots that get into each
other's way wait or step aside; that is the skills' affair and breaks no plan.

Use: ``python -m stratagym.baselines.claims.disturbances``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stratagym.agents.base import Agent
from stratagym.agents.hierarchy import HierarchicalAgent
from stratagym.baselines.claims.trials import Trial, mean_of, publish, trials

DOMAINS = ("Kitchen", "Rearrangement", "Warehouse")
EPISODES = 60
PLANNER = "optimal"


def replanning() -> Agent:
    """Return the agent that plans anew on failures, events and better chances."""
    return HierarchicalAgent(PLANNER)


def fixed() -> Agent:
    """Return the agent that carries out its first plan."""
    return HierarchicalAgent(PLANNER, replan="never")


def gain(anew: Sequence[Trial], once: Sequence[Trial]) -> dict[str, Any]:
    """Return the success of both and the mean of the paired difference, in points."""
    return {
        "episodes": len(anew),
        "replanning": mean_of([100.0 * row.success for row in anew]),
        "fixed plan": mean_of([100.0 * row.success for row in once]),
        "gain": mean_of([100.0 * (a.success - b.success) for a, b in zip(anew, once, strict=True)]),
    }


def measure(domain: str, size: str, episodes: int) -> dict[str, Any]:
    """Measure one domain with and without disturbances."""
    found = {}
    for name, disturbed in (("with disturbances", True), ("without", False)):
        options = {"size": size, "split": "test", "disturbances": disturbed}
        rows = [
            trials(f"stratagym/{domain}-v0", options, make, range(episodes)) for make in (replanning, fixed)
        ]
        found[name] = gain(*rows)
    return found


def main() -> None:
    """Measure all domains and write ``docs/results/disturbances.json``."""
    figures: dict[str, Any] = {
        "claim": "planning anew gains at least 20 points with disturbances, and nothing without",
        "planner": PLANNER,
    }
    for domain in DOMAINS:
        figures[domain] = {"size": "small", **measure(domain, "small", EPISODES)}
    publish("disturbances", figures, "python -m stratagym.baselines.claims.disturbances")


if __name__ == "__main__":
    main()
