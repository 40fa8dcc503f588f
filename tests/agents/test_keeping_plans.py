"""Plans that hold: order at a station, a free hand, repeated steps, and play where no rule is known."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import stratagym  # noqa: F401  (registers the ids)
from stratagym.agents.exploring import explore
from stratagym.agents.hierarchy import HierarchicalAgent
from stratagym.agents.planners.errands import ErrandAgent
from stratagym.agents.zoo import in_world, make_agent
from stratagym.baselines.rollout import Episode, play


def episode(name: str, seed: int, agent: Any, **options: Any) -> Episode:
    """Play one episode of an id."""
    env = gymnasium.make(f"stratagym/{name}-v0", disable_env_checker=True, reward="task", **options)
    return play(env, agent, seed)


@pytest.mark.parametrize("seed", [2, 5, 19, 32])
def test_a_fixed_plan_holds_in_a_calm_hall(seed: int) -> None:
    """Robots in each other's way, and two complete orders, break no plan: it is as fast as planning anew."""
    fixed = episode("Warehouse", seed, HierarchicalAgent(replan="never"), size="small")
    anew = episode("Warehouse", seed, HierarchicalAgent(), size="small")
    assert fixed.success
    assert fixed.time == anew.time


@pytest.mark.parametrize(
    ("name", "seed", "options"),
    [
        ("Kitchen", 2, {"size": "small", "layout": "team"}),  # two pans' worth of food and one pan
        (
            "Kitchen",
            0,
            {"size": "small", "layout": "team", "split": "test"},
        ),  # one takes what another still needs
        ("House", 8, {"size": "medium"}),  # what is taken in hand meanwhile cannot be put down
        ("House", 1, {"size": "large"}),
    ],
)
def test_optimal_succeeds_where_its_plan_could_block_itself(name: str, seed: int, options: Any) -> None:
    """In these instances a plan that is not kept to at a station, or a full hand, ends in a dead end."""
    assert episode(name, seed, in_world(make_agent("optimal")), **options).success


def test_an_errand_is_done_where_the_plan_has_it() -> None:
    """A body alone starts every errand at the planned site, and so takes as long as planned."""
    planned: list[float] = []

    class Told(ErrandAgent):
        def _plan(self, *given: Any) -> None:
            super()._plan(*given)
            planned.append(max(start.tick for queue in self._queues for start in queue))

    found = episode("Wilderness", 1, HierarchicalAgent(lambda: Told(600)), size="medium")
    assert found.success
    assert len(planned) == 1
    assert found.time == pytest.approx(planned[0], rel=0.05)


@pytest.mark.parametrize("name", ["House", "Rearrangement", "Mining", "Kitchen"])
def test_all_actions_have_names_where_nothing_is_known(name: str) -> None:
    """Names and mask have the same length under every knowledge, and the last waits."""
    for knowledge in ("full", "none"):
        env = gymnasium.make(
            f"stratagym/{name}-v0", disable_env_checker=True, reward="task", knowledge=knowledge
        )
        env.reset(seed=0)
        world = env.unwrapped.observation().world
        assert world.mask.shape[1] == len(world.actions)
        assert world.actions[-1] == "wait"
        assert world.mask[:, -1].all()


@pytest.mark.parametrize("planner", ["greedy", "optimal"])
def test_where_no_rule_is_known_bodies_try_what_they_can(planner: str) -> None:
    """In houses about which nothing is told an agent earns something, and more than a random body."""
    options = {"size": "small", "knowledge": "none"}
    found = [episode("House", seed, in_world(make_agent(planner)), **options).total for seed in range(4)]
    random = [episode("House", seed, make_agent("random_primitive"), **options).total for seed in range(4)]
    assert min(found) >= 1
    assert np.mean(found) > np.mean(random) + 1


def test_exploring_takes_only_what_is_allowed_and_follows_from_the_seed() -> None:
    """Every action is in the mask; the same seed, tick and body give the same one; attempts come first."""
    env: Any = gymnasium.make(
        "stratagym/Mining-v0", disable_env_checker=True, reward="task", knowledge="none"
    )
    env.reset(seed=3)
    env = env.unwrapped
    attempts = possible = 0
    for _ in range(60):
        world = env.observation().world
        action = explore(world, 0, 7)
        assert world.mask[0, action]
        assert action == explore(world, 0, 7)
        possible += bool(world.mask[0, 4:-1].any())
        attempts += 4 <= action < len(world.actions) - 1
        if env.step(action)[2]:
            break
    assert possible
    assert 0 < attempts <= possible
