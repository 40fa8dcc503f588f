"""What are chained primitives worth, and what is recovering worth?

Owns the measurement of a claim about multi-stage cable routing (Luo et al., 2023): primitives that each
succeed with probability p, carried out one after the other, succeed with p^n (0.8^3 = 0.51), and a
sequencer that sees what failed and recovers succeeds in at least 0.8. Both have the same planner and
the same skills and play the same seeds; the chain carries out its first plan, come what may. Where
nothing slips there is nothing to recover from, and both succeed always.

Use: ``python -m stratagym.baselines.claims.cable_routing``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stratagym.agents.base import Agent
from stratagym.agents.hierarchy import HierarchicalAgent
from stratagym.baselines.claims.trials import Trial, mean_of, publish, trials
from stratagym.envs.domains import cable_routing
from stratagym.envs.domains.domain import Size, Split, instance_seed
from stratagym.envs.domains.sources import PLACED
from stratagym.envs.step import pick

PLANNER = "greedy"
"""Any planner will do that takes the next primitive: what differs is whether it is asked again."""

SPLIT: Split = "test"
EPISODES: dict[Size, int] = {"medium": 150, "small": 60, "large": 60}
SLIPS = (0.0, 0.1, 0.4)
"""Further rates of slipping, for three clips."""

FURTHER = 60
"""Episodes of each of them."""


def chain() -> Agent:
    """Return the agent that carries out its first plan."""
    return HierarchicalAgent(PLANNER, replan="never")


def sequencer() -> Agent:
    """Return the agent that asks for the next primitive whenever one has ended."""
    return HierarchicalAgent(PLANNER)


def clips_of(size: Size, seed: int) -> int:
    """Return how many clips the table has that a seed picks."""
    index = pick(seed, PLACED[size])
    return len(cable_routing.layout(instance_seed(SPLIT, index), size).clips)


def compare(chained: Sequence[Trial], recovering: Sequence[Trial], slip: float, clips: int) -> dict[str, Any]:
    """Return how often both succeed, and what the law says, for tables of one number of clips."""
    pairs = list(zip(chained, recovering, strict=True))
    return {
        "episodes": len(pairs),
        "slip": slip,
        "clips": clips,
        "p^n": (1.0 - slip) ** clips,
        "chained": mean_of([float(a.success) for a, _ in pairs]),
        "recovering": mean_of([float(b.success) for _, b in pairs]),
        "gain": mean_of([float(b.success) - float(a.success) for a, b in pairs]),
        "ticks of recovering": mean_of([float(b.ticks) for _, b in pairs]),
    }


def measure(size: Size, slip: float, episodes: int) -> list[dict[str, Any]]:
    """Measure tables of a size, those with equally many clips together."""
    options: dict[str, Any] = {"size": size, "split": SPLIT}
    if slip != cable_routing.SLIP:
        options["slip"] = slip
    seeds = range(episodes)
    chained, recovering = (
        trials("stratagym/CableRouting-v0", options, make, seeds) for make in (chain, sequencer)
    )
    counts = [clips_of(size, seed) for seed in seeds]
    return [
        compare(
            [row for row, k in zip(chained, counts, strict=True) if k == clips],
            [row for row, k in zip(recovering, counts, strict=True) if k == clips],
            slip,
            clips,
        )
        for clips in sorted(set(counts))
    ]


def main() -> None:
    """Measure all and write ``docs/results/cable-routing.json``."""
    rows = [row for size, episodes in EPISODES.items() for row in measure(size, cable_routing.SLIP, episodes)]
    rows += [row for slip in SLIPS for row in measure("medium", slip, FURTHER)]
    figures = {
        "claim": "chained primitives succeed with about p^n (0.8^3 = 0.51), recovering lifts that to 0.8",
        "planner": PLANNER,
        "rows": rows,
    }
    publish("cable-routing", figures, "python -m stratagym.baselines.claims.cable_routing")


if __name__ == "__main__":
    main()
