"""The naive second implementation does what the rules say, fact by fact."""

from __future__ import annotations

from typing import Any

import pytest

from reference import Reference
from scenarios import SCENARIOS, Scenario


def check(sim: Reference, expected: dict[str, Any]) -> None:
    """Assert what a scenario says of the state and of the last step."""
    over = "terminated" if sim.terminated else "truncated" if sim.truncated else None
    allowed = [[name for name, may in zip(sim.names, row, strict=False) if may] for row in sim.mask()]
    seen: dict[str, Any] = {
        "time": sim.time,
        "elapsed": sim.elapsed,
        "refusals": sim.refusals,
        "can": [sorted(row) for row in allowed],
        "reward": sim.reward,
        "tardiness": sim.tardiness,
        "over": over,
        "success": sim.success,
        "dead": sim.automata_dead,
        "names": sim.names,
        "events": sorted(sim.events),
    }
    for key, value in expected.items():
        if key in ("status", "stock", "free"):
            whole = getattr(sim, key)()
            assert {name: whole[name] for name in value} == value, key
        elif key == "events":
            assert seen[key] == sorted(value)
        elif key == "can":
            assert seen[key] == [sorted(row) for row in value]
        else:
            assert seen[key] == value, key


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_scenario(scenario: Scenario) -> None:
    """Every hand-worked episode takes its course."""
    sim = Reference(scenario.mapping, scenario.seed, scenario.clock)
    check(sim, scenario.reset)
    for actions, expected in scenario.steps:
        assert not sim.terminated
        assert not sim.truncated
        sim.step([len(sim.names) if action == "-" else sim.names.index(action) for action in actions])
        check(sim, expected)
