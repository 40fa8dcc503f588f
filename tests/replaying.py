"""Play a given list of runs in the naive simulator.

Owns nothing but the translation of a schedule (names, ticks, agents) into steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reference import Reference
from stratagym.envs.task.witness import Placed


def replay(mapping: dict[str, Any], runs: Sequence[Placed], seed: int = 0) -> Reference:
    """Start every run at its tick with its agents; return the simulator at the end of the episode.

    Raises:
        AssertionError: if a start is refused, or runs are left when the episode ends.
    """
    sim = Reference(mapping, seed, clock="tick")
    wait, count = len(sim.names), len(sim.busy_until)
    left = sorted(runs, key=lambda run: run.start)
    for _ in range(10_000):
        if sim.terminated or sim.truncated:
            break
        due = [run for run in left if run.start == sim.time]
        # The clock stands still for what is left alone at once, so that goes first.
        alone = [run for run in due if sim.task["subtasks"][run.name]["attended"] == 0]
        actions = [wait] * count
        for run in alone or due:
            if all(actions[agent] == wait for agent in run.agents):
                left.remove(run)
                for agent in run.agents:
                    actions[agent] = sim.names.index(run.name)
        sim.step(actions)
        refused = [(sim.names[a], r) for a, r in zip(actions, sim.refusals, strict=True) if r and a != wait]
        assert not refused, (sim.time, refused)
        assert not any(run.start < sim.time for run in left)
    assert not left
    return sim
