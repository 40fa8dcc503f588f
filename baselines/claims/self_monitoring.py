"""What is it worth to watch whether one's own actions have worked, and to go back where they have not?

Owns the measurement of a claim of HiTUT (Zhang and Chai, 2021, on ALFRED): self-monitoring with
backtracking gains about 8 points of success. Here the houses are disturbed (what was put away
falls out again, objects are carried off, a way is blocked); the same planner and the same
skills play the same seeds, once with a critic whose word leads to a new plan, once without.

Use: ``python -m stratagym.baselines.claims.self_monitoring``.
"""

from __future__ import annotations

from typing import Any

from stratagym.agents.base import Agent
from stratagym.agents.hierarchy import HierarchicalAgent
from stratagym.baselines.claims.trials import mean_of, publish, trials

ENV = "stratagym/House-v0"
SIZE = "small"
EPISODES = 200
PLANNER = "optimal"


def watching() -> Agent:
    """Return the agent that plans anew when something has gone wrong."""
    return HierarchicalAgent(PLANNER)


def blind() -> Agent:
    """Return the agent that carries out its first plan."""
    return HierarchicalAgent(PLANNER, replan="never")


def measure(disturbances: bool, episodes: int) -> dict[str, Any]:
    """Return the success of both agents and the mean of the paired difference, in points."""
    options = {"size": SIZE, "split": "test", "disturbances": disturbances}
    on, off = (trials(ENV, options, make, range(episodes)) for make in (watching, blind))
    return {
        "episodes": episodes,
        "on": mean_of([100.0 * row.success for row in on]),
        "off": mean_of([100.0 * row.success for row in off]),
        "gain": mean_of([100.0 * (a.success - b.success) for a, b in zip(on, off, strict=True)]),
    }


def main() -> None:
    """Measure with and without disturbances and write ``docs/results/self_monitoring.json``."""
    figures = {
        "claim": "self-monitoring and going back gain about 8 points of success",
        "environment": ENV,
        "size": SIZE,
        "planner": PLANNER,
        "with disturbances": measure(True, EPISODES),
        "without": measure(False, EPISODES),
    }
    publish("self_monitoring", figures, "python -m stratagym.baselines.claims.self_monitoring")


if __name__ == "__main__":
    main()
