"""Metrics on hand-made graphs and event lists, whose right answers are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hand_made
from hand_made import subtask
from stratagym.baselines import metrics
from stratagym.envs.task.graph import Agent, Gate, Item, Lag, Subtask, TaskGraph


def graph(subtasks: tuple[Subtask, ...], gates: tuple[Gate, ...], goal: int | None) -> TaskGraph:
    """Return a graph with two agents and nothing else."""
    agents = (Agent("agent 0"), Agent("agent 1"))
    return hand_made.graph(subtasks, gates, horizon=50, agents=agents, goal=goal)


def event(tick: int, kind: str, name: str, *agents: int) -> dict[str, Any]:
    """Return one event."""
    return {"tick": tick, "kind": kind, "subtask": name, "agents": list(agents)}


CHAIN = graph((subtask("a", 2), subtask("b", 3, needs=0), subtask("c", 5)), (Gate(2, (1, 2)),), goal=3)


def test_stretches_pair_starts_with_ends() -> None:
    """A run lasts from its start to its success or failure, or to the end of the episode."""
    events = [
        event(0, "start", "a", 0),
        event(1, "start", "c", 0, 1),
        event(2, "failure", "a", 0),
        event(2, "start", "a", 1),
        event(4, "success", "a", 1),
    ]
    assert metrics.stretches(events, 5) == (
        metrics.Stretch("a", (0,), 0, 2, "failure"),
        metrics.Stretch("c", (0, 1), 1, 5, None),
        metrics.Stretch("a", (1,), 2, 4, "success"),
    )


def test_busy_time_counts_attended_ticks_only() -> None:
    """An agent is busy for the attended ticks of its runs, cut off at the end of the episode."""
    world = graph((subtask("a", 9, attended=3), subtask("b", 4), subtask("c", 2, attended=0)), (), None)
    runs = (
        metrics.Stretch("a", (0,), 0, 9, "success"),
        metrics.Stretch("b", (0, 1), 8, 12, None),
        metrics.Stretch("c", (1,), 0, 2, "success"),
    )
    assert metrics.busy_ticks(world, runs, 10) == [3 + 2, 2]


def test_progress_of_a_conjunction_is_the_share_of_durations() -> None:
    """With a goal over everything, progress is the done durations over all of them."""
    assert metrics.work_left(CHAIN, frozenset()) == 10
    assert metrics.progress(CHAIN, frozenset({0})) == pytest.approx(0.2)
    assert metrics.progress(CHAIN, frozenset({0, 1})) == pytest.approx(0.5)
    assert metrics.progress(CHAIN, frozenset({0, 1, 2})) == 1.0


def test_progress_counts_what_is_needed_on_the_way() -> None:
    """Prerequisites of a goal subtask belong to the goal's work, also through lags."""
    lag = Lag(predecessors=(2,), origin="completion")
    world = graph((subtask("a", 2), subtask("b", 3, needs=0, lags=(lag,)), subtask("c", 5)), (), goal=1)
    assert metrics.work_left(world, frozenset()) == 10
    assert metrics.work_left(world, frozenset({2})) == 5


def test_progress_counts_the_making_of_items() -> None:
    """Where stock is short, a maker of the item belongs to the work; where it suffices, none does."""
    subtasks = (
        subtask("gather", 3, produces=((0, 1),)),
        subtask("buy", 5, produces=((0, 1),)),
        subtask("build", 2, consumes=((0, 1),), requires=((1, 1),)),
        subtask("forge", 4, produces=((1, 1),)),
    )
    world = replace(graph(subtasks, (), goal=2), items=(Item("wood", 0), Item("tool", 1)))
    assert metrics.wanted(world, frozenset()) == frozenset({0, 2})
    assert metrics.progress(world, frozenset({0})) == pytest.approx(0.6)
    bare = replace(world, items=(Item("wood", 1), Item("tool", 0)))
    assert metrics.wanted(bare, frozenset()) == frozenset({2, 3})


def test_progress_takes_the_cheapest_of_alternatives() -> None:
    """Of alternatives only the cheapest is work; a detour does not count, the goal itself does."""
    world = graph(
        (subtask("long", 8), subtask("short", 2), subtask("end", 2)), (Gate(1, (0, 1)), Gate(2, (3, 2))), 4
    )
    assert metrics.work_left(world, frozenset()) == 4
    assert metrics.progress(world, frozenset({0})) == pytest.approx(0.5)
    assert metrics.progress(world, frozenset({0, 2})) == 1.0


def test_progress_survives_cycles_and_unreachable_goals() -> None:
    """A cycle of needs is never cheap, and a goal that nothing brings about has no progress."""
    world = graph((subtask("a", 2, needs=1), subtask("b", 3, needs=0)), (), goal=1)
    assert metrics.progress(world, frozenset()) == 0.0
    assert metrics.progress(world, frozenset({1})) == 1.0


def test_progress_counts_shared_work_once() -> None:
    """A subtask that two branches of the goal need is counted once."""
    world = graph(
        (subtask("a", 4), subtask("b", 1, needs=0), subtask("c", 1, needs=0)), (Gate(2, (1, 2)),), 3
    )
    assert metrics.work_left(world, frozenset()) == 6


def test_progress_without_a_goal_is_over_all_subtasks() -> None:
    """Where nothing is asked for, everything is the work."""
    world = graph((subtask("a", 4), subtask("b", 6)), (), None)
    assert metrics.progress(world, frozenset({0})) == pytest.approx(0.4)


def test_progress_curve_follows_undoing() -> None:
    """What is spoiled or undone is taken back, and the first tick of the final value is found."""
    events = [
        event(2, "success", "a", 0),
        event(5, "success", "c", 1),
        event(6, "spoil", "a"),
        event(9, "success", "a", 0),
    ]
    curve = metrics.progress_curve(CHAIN, events)
    assert [(tick, round(value, 6)) for tick, value in curve] == [
        (0, 0),
        (2, 0.2),
        (5, 0.7),
        (6, 0.5),
        (9, 0.7),
    ]
    assert metrics.reached_at(curve) == 5


def test_reward_is_paid_once_a_group_and_again_if_repeatable() -> None:
    """The file's rewards: once in an episode, once for all modes together, each time if repeatable."""
    subtasks = (
        subtask("a", 1, reward=2.0),
        subtask("b", 1, reward=3.0, repeatable=True),
        subtask("c", 1, reward=2.0),
    )
    world = graph(subtasks, (), None)
    world = replace(world, subtasks=(*world.subtasks[:2], replace(world.subtasks[2], pay_group=0)))
    events = [event(t, "success", name) for t, name in enumerate("aabbbc")] + [event(9, "failure", "b")]
    assert metrics.paid(world, events) == 2.0 + 3 * 3.0


def test_time_arena_metrics_of_two_episodes() -> None:
    """AS, CS, CR and CT as published, on one complete and one incomplete episode."""
    rows: list[dict[str, Any]] = [
        {"progress": 1.0, "progress_at": 20, "success": True, "makespan": 20},
        {"progress": 0.6, "progress_at": 12, "success": False, "makespan": None},
    ]
    found = metrics.time_arena(rows)
    assert found.average_score == pytest.approx(80.0)
    assert found.completion_speed == pytest.approx(160 / 32)
    assert (found.completion_rate, found.completion_time) == (50.0, 20.0)


def test_time_arena_oracle_of_cooking_matches_the_published_speed() -> None:
    """An oracle that completes tasks in 18.9 minutes on average has the published CS of 5.3 (Table 2)."""
    row: dict[str, Any] = {"progress": 1.0, "progress_at": 18.9, "success": True, "makespan": 18.9}
    assert metrics.time_arena([row] * 10).completion_speed == pytest.approx(5.31, abs=0.03)


def test_time_arena_needs_an_episode() -> None:
    """Without rows there is nothing to measure."""
    with pytest.raises(ValueError, match="no episode"):
        metrics.time_arena([])


@pytest.mark.parametrize(
    ("objective", "fields", "value"),
    [
        ("makespan", {"time": 20}, 0.5),
        ("makespan", {"success": False}, 0.0),
        ("reward", {"reward": 7.0}, 7.0),
        ("reward", {"reward": 7.0, "success": False}, 0.0),
        ("reward", {"reward": 7.0, "success": False, "goal": False}, 7.0),
        ("tardiness", {"tardiness": 4.0, "success": False}, -4.0),
    ],
)
def test_value_of_an_episode(objective: str, fields: dict[str, Any], value: float) -> None:
    """The figure that scores compare: a failed goal is 0, tardiness counts against."""
    usual = {"success": True, "goal": True, "time": 10, "reward": 0.0, "tardiness": 0.0, "reference": 10.0}
    assert metrics.value_of(objective, **{**usual, **fields}) == value


def test_value_of_an_unknown_objective_is_refused() -> None:
    """An objective that does not exist is named."""
    with pytest.raises(ValueError, match="'speed'"):
        metrics.value_of("speed", success=True, goal=True, time=1, reward=0, tardiness=0, reference=1)


def test_score_is_zero_for_random_and_one_for_the_reference() -> None:
    """(x - random) / (reference - random), undefined where random reaches the reference."""
    means = np.array([[0.5, 0.5, 1.0], [1.0, 0.5, 1.0], [0.25, 0.5, 1.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(metrics.score_of_means(means), [0.0, 1.0, -0.5, np.nan])


def mean(means: metrics.Array) -> metrics.Array:
    """Return the first column."""
    return means[:, 0]


def test_bootstrap_is_seeded_and_covers_the_mean() -> None:
    """The same seed gives the same interval, which holds the mean and narrows with more instances."""
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(10, 1))
    narrow = np.repeat(wide, 20, axis=0) + 0.0
    first = metrics.interval(metrics.resampled(range(10), wide, mean, seed=3))
    assert first == metrics.interval(metrics.resampled(range(10), wide, mean, seed=3))
    assert first != metrics.interval(metrics.resampled(range(10), wide, mean, seed=4))
    assert first.low is not None
    assert first.high is not None
    assert first.mean == pytest.approx(wide.mean())
    assert first.low < wide.mean() < first.high
    tight = metrics.interval(metrics.resampled(range(200), narrow, mean, seed=3))
    assert tight.low is not None
    assert tight.high is not None
    assert tight.high - tight.low < 0.5 * (first.high - first.low)


def test_bootstrap_resamples_instances_not_episodes() -> None:
    """Repeating every episode of an instance does not narrow the interval."""
    rng = np.random.default_rng(1)
    once = rng.normal(size=(12, 1))
    thrice = np.repeat(once, 3, axis=0)
    a = metrics.interval(metrics.resampled(range(12), once, mean))
    b = metrics.interval(metrics.resampled([i for i in range(12) for _ in range(3)], thrice, mean))
    assert (a.low, a.high) == pytest.approx((b.low, b.high))


def test_bootstrap_interval_covers_at_about_its_level() -> None:
    """Over many samples the 95 % interval of a mean of 40 holds the truth in about 95 % of them."""
    rng = np.random.default_rng(2)
    hits = 0
    for k in range(200):
        sample = rng.exponential(size=(40, 1))
        found = metrics.interval(metrics.resampled(range(40), sample, mean, seed=k, resamples=400))
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 1.0 <= found.high
    assert 0.86 <= hits / 200 <= 0.99


def test_a_single_instance_has_no_interval() -> None:
    """One instance gives a mean without ends, and none at all gives an error."""
    found = metrics.interval(metrics.resampled(["x", "x"], np.array([[1.0], [3.0]]), mean))
    assert found == metrics.Interval(2.0)
    with pytest.raises(ValueError, match="no episode"):
        metrics.resampled([], np.zeros((0, 1)), mean)
