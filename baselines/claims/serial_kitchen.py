"""In a kitchen, does it pay to work while something cooks?

Owns the measurement of a claim that TimeArena and Robotouille make: who does one thing at a
time and waits for each to end takes at least 1.3 times the optimum, who plans ahead at most
1.1 times. Both are the scripted agent with the same skills; the serial one starts a subtask
only while nothing runs. For ``small`` and ``medium`` the optimum is the best that any of the fixed
agents reached; for ``tiny`` (one order, where there is little to do meanwhile) it is exact.

Use: ``python -m stratagym.baselines.claims.serial_kitchen``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stratagym.agents.base import Actions
from stratagym.agents.zoo import in_world, make_agent
from stratagym.baselines.claims.exact_search import HORIZON, search
from stratagym.baselines.claims.trials import Trial, environment, mean_of, publish, ratio_of
from stratagym.baselines.rollout import play
from stratagym.envs.domains import kitchen
from stratagym.envs.task.view import Observation

AHEAD = "optimal"
FIXED = (AHEAD, "critical_path", "least_slack")
"""The agents among whose results the best known is."""

EPISODES = {"small": 30, "medium": 24}
TINY = 6
"""Kitchens of size ``tiny`` that are searched."""

MOST_STATES = 2_000_000

TIME_ENOUGH = 3000
"""The hard end of an evening: who is slow is not stopped, but measured."""


class Serial:
    """Does one thing at a time, dish after dish: while something runs, everybody waits.

    Of what can be started and is not done it takes what stands first in the task, so that one
    order is served before the next is begun.
    """

    def reset(self, seed: int) -> None:
        """Forget the last episode: there is nothing to forget."""

    def act(self, observation: Observation) -> Actions:
        """Return the first start while nothing runs, for one agent only; else waits."""
        mask, status = observation.mask, observation.task.status
        wait = mask.shape[1] - 1
        actions = np.full(len(mask), wait, np.int64)
        if "running" not in status:
            starts = [
                (i, a) for a, row in enumerate(mask) for i in range(wait) if row[i] and status[i] != "done"
            ]
            if starts:
                i, a = min(starts)
                actions[a] = i
        return actions


def ratios(ahead: Sequence[Trial], slow: Sequence[Trial], best: Sequence[int]) -> dict[str, Any]:
    """Return how many times the optimum each takes, over the seeds on which it succeeds.

    Args:
        ahead: of the agent that plans ahead.
        slow: of the serial one.
        best: the optimum of each seed.
    """
    found: dict[str, Any] = {"episodes": len(best)}
    for name, rows in (("planning ahead", ahead), ("serial", slow)):
        pairs = [(row.ticks, least) for row, least in zip(rows, best, strict=True) if row.success]
        found[name] = {
            "success": mean_of([float(row.success) for row in rows]),
            "times the optimum": ratio_of(*zip(*pairs, strict=True)) if pairs else None,
        }
    return found


def of_family(size: str, episodes: int) -> dict[str, Any]:
    """Measure evenings of a size against the best known; the serial cook gets the time that it takes."""
    source = kitchen.DOMAIN.source(size=size, split="test", instances=episodes)
    assert source.scene is not None
    rows: list[list[Trial]] = []
    for k in range(episodes):
        env = environment(f"{size} {k}", source.mapping(k), source.scene(k), TIME_ENOUGH)
        played = [play(env, in_world(agent), 0) for agent in (*map(make_agent, FIXED), Serial())]
        rows.append([Trial(k, episode.success, episode.time) for episode in played])
    best = [min(trial.ticks for trial in row if trial.success) for row in rows]
    ahead, slow = [row[0] for row in rows], [row[-1] for row in rows]
    return {"optimum": "best known", **ratios(ahead, slow, best)}


def of_tiny(count: int, most: int = MOST_STATES) -> dict[str, Any]:
    """Measure tiny kitchens (one order) against the exact optimum, those whose search ends."""
    rows: list[tuple[Trial, Trial, int]] = []
    for seed in range(count):
        env = environment(f"tiny {seed}", *kitchen.evening(seed, "tiny"), HORIZON)
        played = [play(env, in_world(agent), 0) for agent in (*map(make_agent, FIXED), Serial())]
        known = min(episode.time for episode in played if episode.success)
        found = search(env.model, 0, known, most)
        if found.makespan is not None:
            ahead, slow = (Trial(seed, e.success, e.time) for e in (played[0], played[-1]))
            rows.append((ahead, slow, found.makespan))
    ahead_rows, slow_rows, best = zip(*rows, strict=True)
    return {"optimum": "exact", "kitchens": count, **ratios(ahead_rows, slow_rows, best)}


def main() -> None:
    """Measure all and write ``docs/results/serial-kitchen.json``."""
    figures = {
        "claim": "serially at least 1.3 times the optimum, planning ahead at most 1.1 times",
        "tiny": of_tiny(TINY),
        **{size: of_family(size, episodes) for size, episodes in EPISODES.items()},
    }
    publish("serial-kitchen", figures, "python -m stratagym.baselines.claims.serial_kitchen")


if __name__ == "__main__":
    main()
