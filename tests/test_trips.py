"""The score of trips: tiers, gates, the efficiency term the right way round, and what it tells apart."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest

from stratagym.agents.zoo import in_world, make_agent
from stratagym.baselines.rollout import Episode, Step, play
from stratagym.baselines.trips import Conduct, TripScore, conduct_of, trip_score
from stratagym.envs.api.single import TaskEnv

FULL = Conduct(right=5, wrong=0, kept=3, broken=0, spent=10.0)


@cache
def environment() -> TaskEnv:
    """Return the small trips of the test split."""
    env: TaskEnv = gym.make("stratagym/Itinerary-v0", size="small", split="test").unwrapped
    return env


@cache
def trips(agent: str, count: int) -> tuple[tuple[Episode, TripScore, float], ...]:
    """Return the episodes of an agent, their scores, and the reference's makespans."""
    env, player = environment(), in_world(make_agent(agent))
    found = []
    for seed in range(count):
        steps: list[Step] = []
        episode = play(env, player, seed, steps.append)
        graph, reference = env.task.graph, env.reference.value
        conduct = conduct_of(graph, steps)
        assert conduct.spent == episode.time
        found.append((episode, trip_score(conduct, reference, graph.horizon), reference))
    return tuple(found)


def test_a_perfect_trip_earns_all_points() -> None:
    """All parts, all bookings, the best known time: 60 + 20 + 20."""
    assert trip_score(FULL, best=10, worst=20) == TripScore(60.0, 20.0, 20.0)
    assert trip_score(FULL, best=10, worst=20).total == 100.0


def test_efficiency_falls_from_the_best_to_the_worst() -> None:
    """Slower trips never earn more, the best earns 20, the worst 0, half way earns 10."""
    points = [trip_score(replace(FULL, spent=float(x)), 10, 20).efficiency for x in range(5, 26)]
    assert all(later <= earlier for earlier, later in pairwise(points))
    assert points[5] == 20.0
    assert points[15] == 0.0
    assert points[10] == 10.0
    assert points[-1] == 0.0


def test_the_total_is_monotone_in_every_part() -> None:
    """One more part done, one more booking kept, a tick less: never fewer points."""
    for right in range(5):
        less = trip_score(Conduct(right, 5 - right, 3, 0, 12.0), 10, 20).total
        assert trip_score(Conduct(right + 1, 4 - right, 3, 0, 12.0), 10, 20).total > less
    for kept in range(3):
        less = trip_score(Conduct(5, 0, kept, 3 - kept, 12.0), 10, 20).total
        assert trip_score(Conduct(5, 0, kept + 1, 2 - kept, 12.0), 10, 20).total > less


def test_a_tier_counts_only_if_the_one_before_is_full() -> None:
    """A part that is missing leaves no points for bookings; without gates it does, but none for time."""
    missing = Conduct(4, 1, 3, 0, 10.0)
    assert trip_score(missing, 10, 20) == TripScore(48.0, 0.0, 0.0)
    assert trip_score(missing, 10, 20, gated=False) == TripScore(48.0, 20.0, 0.0)
    late = Conduct(5, 0, 2, 1, 10.0)
    assert trip_score(late, 10, 20).efficiency == 0.0
    assert trip_score(late, 10, 20).constraints == pytest.approx(40 / 3)


def test_a_worst_that_is_none_is_refused() -> None:
    """Efficiency is not defined where the worst is not more than the best."""
    with pytest.raises(ValueError, match="worst: 10 is not more than the best, 10"):
        trip_score(FULL, 10, 10)


def test_money_can_count_instead_of_time() -> None:
    """What the starts have taken of an item is what was spent."""
    env = environment()
    env.reset(seed=0)
    graph = env.task.graph
    train = next(s for s in graph.subtasks if s.name.startswith("local"))
    price = dict(train.consumes)[[item.name for item in graph.items].index("money")]
    steps = [step(train.name, events=("start", train.name)), step(None)]
    assert conduct_of(graph, steps, item="money").spent == price
    assert conduct_of(graph, steps).spent == 2.0


def step(action: str | None, refusal: str | None = None, events: tuple[str, str] | None = None) -> Step:
    """Return a step of one tick."""
    told = () if events is None else ({"tick": 0, "kind": events[0], "subtask": events[1], "agents": [0]},)
    return Step(0 if action else 1, 1, (action,), 0.0, (refusal,), told, ())


def test_what_leads_nowhere_is_wrong() -> None:
    """A refused action, and a way after a way with nothing begun in between, count as wrong steps."""
    env = environment()
    env.reset(seed=0)
    graph = env.task.graph
    name = graph.names[0]
    base = conduct_of(graph, []).wrong
    assert conduct_of(graph, [step("go x"), step(None), step("go y")]).wrong == base + 1
    assert conduct_of(graph, [step("go x"), step(name, events=("start", name)), step("go y")]).wrong == base
    assert conduct_of(graph, [step("go x", "world"), step("go y")]).wrong == base + 1


def test_the_reference_earns_all_points_where_it_keeps_its_bookings() -> None:
    """The witness reaches the best known time in every trip; 100 points unless a booking was too early."""
    full = 0
    for episode, score, reference in trips("rounds", 6):
        assert episode.success
        assert episode.time == reference
        assert score.executability == 60.0
        if episode.tardiness == 0:
            assert score.total == 100.0
            full += 1
    assert full >= 3


def test_random_play_earns_next_to_nothing() -> None:
    """Uniform play earns at most 10 points on average."""
    assert np.mean([score.total for _, score, _ in trips("random_primitive", 12)]) <= 10.0


def test_partial_credit_tells_agents_apart_that_success_ties() -> None:
    """Two dispatching rules both come home never, but one of them sees much more."""
    more, less = trips("greedy", 6), trips("critical_path", 6)
    assert sum(e.success for e, _, _ in more) == sum(e.success for e, _, _ in less)
    assert np.mean([s.total for _, s, _ in more]) >= np.mean([s.total for _, s, _ in less]) + 5.0
