"""The scripted agent with the optimum planner does what is asked for in every family on a map.

Without fog and disturbances nothing is drawn, so an instance is played once whatever seeds pick it:
the 200 seeds of the full proof are all certified instances of an id.
"""

from __future__ import annotations

from typing import Any

import pytest

from stratagym.agents.zoo import in_world, make_agent
from stratagym.baselines.claims.trials import environment
from stratagym.baselines.rollout import play
from stratagym.envs.domains.domain import SIZES
from stratagym.envs.registry import source_of

DOMAINS = ("Kitchen", "Rearrangement", "Warehouse", "Mining", "Playground", "Wilderness")

HORIZON = 1000
"""Where a task says nothing of its end (in the ids it is twice what the witness takes)."""

TEAMS: tuple[dict[str, Any], ...] = (
    {"layout": "team"},
    {"layout": "team", "agents": 3},
    {"layout": "forced"},
)

RATES = {
    ("Kitchen", "disturbances"): 0.85,
    ("Rearrangement", "disturbances"): 0.95,
    ("Warehouse", "disturbances"): 0.85,
    ("Warehouse", "fog"): 0.9,
}
"""Success that is stated with disturbances and in the fog, at ``small``."""


def successes(domain: str, count: int, **options: Any) -> list[bool]:
    """Play the first instances of a domain, each once (where animals walk, with a seed of its own)."""
    source = source_of(domain, options)
    assert source.scene is not None
    found = []
    for k in range(min(count, source.count)):
        task = source.mapping(k)
        env = environment(f"{domain} {k}", task, source.scene(k), task.get("horizon", HORIZON))
        found.append(play(env, in_world(make_agent("optimal")), k).success)
    return found


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_witness_succeeds_on_small_instances(domain: str) -> None:
    """The first four small instances are all done within their horizon."""
    assert all(successes(domain, 4, size="small"))


@pytest.mark.parametrize("options", TEAMS, ids=str)
def test_the_witness_succeeds_with_several_cooks(options: dict[str, Any]) -> None:
    """In open kitchens and over the counter the first three evenings are all served."""
    assert all(successes("Kitchen", 3, size="small", **options))


@pytest.mark.parametrize(("domain", "option"), RATES)
def test_the_witness_keeps_its_rate_when_things_go_wrong(domain: str, option: str) -> None:
    """On six instances with disturbances or fog at most two fail."""
    assert sum(successes(domain, 6, size="small", **{option: True})) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("domain", DOMAINS)
def test_the_witness_succeeds_on_every_certified_instance(domain: str, size: str) -> None:
    """All that 200 seeds of the id pick is done within its horizon."""
    assert all(successes(domain, 200, size=size))


@pytest.mark.slow
@pytest.mark.parametrize(("domain", "option"), RATES)
def test_the_stated_rate_is_reached(domain: str, option: str) -> None:
    """On 200 instances with disturbances or fog the success is at least what is stated."""
    found = successes(domain, 200, size="small", instances=200, **{option: True})
    assert sum(found) >= RATES[domain, option] * len(found)
