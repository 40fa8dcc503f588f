"""In the wilderness, how much faster is a team?

Owns the measurement of what DAMCS reports of the multi-agent Crafter: for the same goal two
agents need 63 percent fewer steps than one, six need 74 percent fewer, and two who do not
talk about as many as one. Here all play the same large lands under the same scripted skills:
one planner of errands for all bodies, and, as the counter-test, a planner for each body that
takes no account of the others.

Use: ``python -m stratagym.baselines.claims.wilderness``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stratagym.agents.hierarchy import HierarchicalAgent
from stratagym.agents.planners.errands import ErrandAgent
from stratagym.baselines.claims.trials import Trial, mean_of, publish, ratio_of, trials

LANDS = 12
TEAMS = (1, 2, 6)
OPTIONS: Mapping[str, Any] = {"size": "large", "split": "test"}
FRESH: Mapping[str, Any] = {"size": "large", "split": "validation", "instances": 400}
"""Of a longer list than the family has unless asked: lands that nobody has looked at."""

TRIALS = 8000
"""Moves by which a plan is improved."""


def team() -> HierarchicalAgent:
    """Return one mind for all bodies."""
    return HierarchicalAgent(lambda: ErrandAgent(TRIALS))


def loners() -> HierarchicalAgent:
    """Return a mind for each body, which plans as if it were alone."""
    return HierarchicalAgent(lambda: ErrandAgent(TRIALS), team="each")


def lands(options: Mapping[str, Any], count: int, but: Sequence[str] = ()) -> list[int]:
    """Return seeds that pick lands, each land once.

    Args:
        options: of the environment.
        count: how many.
        but: names of lands that are left out.
    """
    return list(named(options, count, but).values())


def named(options: Mapping[str, Any], count: int, but: Sequence[str] = ()) -> dict[str, int]:
    """Return lands by name, each with the first seed that picks it (see ``lands``)."""
    import gymnasium

    env: Any = gymnasium.make("stratagym/Wilderness-v0", disable_env_checker=True, reward="task", **options)
    found: dict[str, int] = {}
    for seed in range(100 * count):
        env.reset(seed=seed)
        found.setdefault(env.unwrapped.observation().task.graph.name, seed)
        if len(found) - len(set(but) & set(found)) == count:
            break
    env.close()
    return {name: seed for name, seed in found.items() if name not in but}


def fresh(count: int) -> list[int]:
    """Return seeds that pick lands of ``FRESH``, none of those that the family has unless asked."""
    usual = {**FRESH, "instances": None}
    return lands(FRESH, count, tuple(named(usual, LANDS)))


def measure(seeds: Sequence[int], options: Mapping[str, Any] = OPTIONS) -> dict[str, Any]:
    """Return ticks by team size, and the ratios to one agent on the same lands.

    Args:
        seeds: of the resets; each picks a land.
        options: of the environment, ``agents`` aside.
    """
    played = {
        count: trials("stratagym/Wilderness-v0", {**options, "agents": count}, team, seeds) for count in TEAMS
    }
    apart = {
        count: trials("stratagym/Wilderness-v0", {**options, "agents": count}, loners, seeds)
        for count in TEAMS[1:]
    }
    alone = _ticks(played[1])
    return {
        "lands": len(seeds),
        "ticks": {str(count): mean_of(_ticks(found)) for count, found in played.items()},
        "reached": {str(count): _reached(found) for count, found in played.items()},
        "ratio": {str(count): ratio_of(_ticks(played[count]), alone) for count in TEAMS[1:]},
        "apart_reached": {str(count): _reached(found) for count, found in apart.items()},
        "apart_ratio": {str(count): ratio_of(_ticks(apart[count]), alone) for count in TEAMS[1:]},
    }


def _ticks(found: Sequence[Trial]) -> list[float]:
    """Return the ticks of each episode; one that did not reach the goal ends at its horizon."""
    return [float(trial.ticks) for trial in found]


def _reached(found: Sequence[Trial]) -> float:
    return sum(trial.success for trial in found) / len(found)


def main() -> None:
    """Measure the claim and write its result."""
    figures = {
        "test": measure(lands(OPTIONS, LANDS)),
        "fresh lands of validation": measure(fresh(LANDS), FRESH),
    }
    print(publish("wilderness", figures, "python -m stratagym.baselines.claims.wilderness"))


if __name__ == "__main__":
    main()
