"""What is it worth to solve exactly what is left, where a plan in a world has failed?

Owns the measurement: the scripted agent with the optimum planner plays disturbed instances twice, once
with the exact solver asked again whenever it plans anew, once with a beam search in its place. All
else is the same: the first plan, the rehearsal of ways, the skills, the seeds.

Use: ``python -m stratagym.baselines.claims.resolving``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from stratagym.agents.zoo import make_agent
from stratagym.baselines.claims.trials import mean_of, publish, ratio_of, trials

DOMAINS = ("Kitchen", "Rearrangement")
EPISODES = 48
SIZE = "medium"


def measure(domain: str, size: str, episodes: int, split: str = "test") -> dict[str, Any]:
    """Compare both on so many disturbed instances of a domain."""
    options = {"size": size, "split": split, "disturbances": True}
    ways = {"exact": partial(make_agent, "optimal"), "beam": partial(make_agent, "optimal", resolve=0.0)}
    rows = {
        name: trials(f"stratagym/{domain}-v0", options, make, range(episodes)) for name, make in ways.items()
    }
    pairs = [(a, b) for a, b in zip(rows["exact"], rows["beam"], strict=True) if a.success and b.success]
    return {
        "episodes": episodes,
        "success": {name: mean_of([100.0 * row.success for row in found]) for name, found in rows.items()},
        "gain": mean_of(
            [100.0 * (a.success - b.success) for a, b in zip(rows["exact"], rows["beam"], strict=True)]
        ),
        "makespan, times that of beam": ratio_of([a.ticks for a, _ in pairs], [b.ticks for _, b in pairs]),
        "differ": sum(a.ticks != b.ticks for a, b in pairs),
    }


def main() -> None:
    """Measure both domains and write ``docs/results/resolving.json``."""
    figures: dict[str, Any] = {
        "claim": "exact solutions of what is left serve at least as well as a beam search",
        "size": SIZE,
    }
    for domain in DOMAINS:
        figures[domain] = measure(domain, SIZE, EPISODES)
    publish("resolving", figures, "python -m stratagym.baselines.claims.resolving")


if __name__ == "__main__":
    main()
