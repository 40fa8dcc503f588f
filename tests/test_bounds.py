"""Bounds by arithmetic: earliest times, what follows, loads, and what can never be."""

from __future__ import annotations

from typing import Any

import pytest

from stratagym.envs.task.bounds import (
    heads,
    lower_bound,
    predecessors,
    relevant,
    tails,
    unreachable,
    upper_bound_reward,
)
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.spec import load_task


def graph_of(**fields: Any) -> TaskGraph:
    """A task graph of a mapping."""
    return load_task(fields).graph


def test_heads_follow_gates_lags_releases_and_items() -> None:
    """A threshold takes the needed number of earliest literals, a negation none; lags and items wait."""
    graph = graph_of(
        items={"egg": 1},
        subtasks={
            "a": {"duration": 2},
            "b": {"duration": 5, "release": 1},
            "c": {"duration": 9},
            "two": {"needs": "2 of (a, b, c)"},
            "not": {"needs": "~a & (b | c)"},
            "lag": {"lags": {"a": {"min": 4}}},
            "start": {"lags": {"b": {"min": 1, "from": "start"}}},
            "lay": {"duration": 3, "produces": {"egg": 1}},
            "fry": {"consumes": {"egg": 2}},
        },
    )
    start = dict(zip(graph.names, heads(graph).start, strict=True))
    assert start == {
        **{"a": 0, "b": 1, "c": 0, "two": 6, "not": 6, "lag": 6, "start": 2, "lay": 0, "fry": 3},
    }


def test_cycles_support_nothing_by_themselves() -> None:
    """Subtasks that need each other are unreachable, unless one has another way in."""
    closed = graph_of(subtasks={"a": {"needs": "b"}, "b": {"needs": "a"}, "c": {}}, goal="a")
    assert unreachable(closed) == {0, 1}
    assert lower_bound(closed) is None
    opened = graph_of(subtasks={"a": {"needs": "b | c"}, "b": {"needs": "a"}, "c": {}}, goal="b")
    assert unreachable(opened) == frozenset()
    assert lower_bound(opened) == 3


def test_windows_skills_and_capacities_make_unreachable() -> None:
    """Too late, too few able agents, or a success that never comes: what depends on it is out of reach."""
    graph = graph_of(
        agents=[{"name": "u", "skills": ["k"]}, {"name": "v"}],
        subtasks={
            "slow": {"duration": 5, "deadline": 4},
            "pair": {"agents": 2, "skill": "k"},
            "vain": {"success": 0},
            "after": {"needs": "vain"},
            "fine": {"skill": "k"},
        },
    )
    assert {graph.names[i] for i in unreachable(graph)} == {"slow", "pair", "after"}


def test_events_can_only_help_a_bound() -> None:
    """A later deadline, a shorter duration or a larger capacity that an event brings is counted on."""
    graph = graph_of(
        resources={"oven": 1},
        subtasks={"a": {"duration": 6, "deadline": 5}, "b": {"duration": 4, "uses": {"oven": 1}}},
        goal="a & b",
        events=[
            {"at": 1, "duration": {"a": 3}},
            {"at": 2, "capacity": {"oven": 0}},
        ],
    )
    assert heads(graph).completion == (3, 4)
    assert lower_bound(graph) == 7  # one agent attends to both, for 3 and 4 ticks at least


def test_lower_bound_counts_the_work_that_must_be_done() -> None:
    """Resources, the agents as a whole and those with a skill each bound the makespan."""
    jobs = {f"j{k}": {"duration": 4, "attended": 1} for k in range(3)}
    goal = " & ".join(jobs)
    assert lower_bound(graph_of(subtasks=jobs, goal=goal)) == 6  # attended in turn, then 3 ticks alone
    busy = {name: {"duration": 4} for name in jobs}
    assert lower_bound(graph_of(subtasks=busy, goal=goal)) == 12
    assert lower_bound(graph_of(subtasks=busy, goal=goal, agents=2)) == 6
    oven = {name: {"duration": 4, "attended": 0, "uses": {"oven": 1}} for name in jobs}
    assert lower_bound(graph_of(subtasks=oven, goal=goal, resources={"oven": 1})) == 12
    chef = {name: {"duration": 4, "skill": "k"} for name in jobs}
    team = [{"name": "u", "skills": ["k"]}, {"name": "v"}, {"name": "w"}]
    assert lower_bound(graph_of(subtasks=chef, goal=goal, agents=team)) == 12


def test_lower_bound_takes_the_easiest_alternative() -> None:
    """Of alternatives, the least work counts."""
    modes = {"x": {"modes": {"hand": {"duration": 8}, "machine": {"duration": 3}}}, "y": {"duration": 4}}
    assert lower_bound(graph_of(subtasks=modes, goal="x & y")) == 7
    assert lower_bound(graph_of(subtasks=modes, goal="x | y")) == 3


def test_a_bound_beyond_the_horizon_is_no_bound() -> None:
    """A makespan that the horizon forbids is reported as out of reach."""
    graph = graph_of(horizon=5, subtasks={"a": {"duration": 3}, "b": {"duration": 3}}, goal="a & b")
    assert lower_bound(graph) is None


def test_relevant_follows_double_negation_and_leaves_distractors_out() -> None:
    """What the goal wants done counts, at any depth of negation; what it wants undone does not."""
    graph = graph_of(
        subtasks={"a": {"needs": "~(~d)"}, "b": {}, "c": {}, "d": {}, "e": {"needs": "a"}},
        goal="a & ~(b | ~c)",
    )
    assert {graph.names[i] for i in relevant(graph)} == {"a", "c", "d"}


def test_tails_are_the_longest_chain_that_follows() -> None:
    """Durations and least lags add up along the longest chain among what helps."""
    graph = graph_of(
        subtasks={
            "a": {"duration": 2},
            "b": {"duration": 3, "needs": "a", "lags": {"a": {"min": 4}}},
            "c": {"duration": 5, "needs": "a"},
            "d": {"needs": "b & c"},
            "e": {"duration": 50, "needs": "a"},
        },
        goal="d",
    )
    assert tails(graph) == (8, 1, 1, 0, 0)
    assert predecessors(graph)[3] == {1, 2}


def test_tails_end_in_cycles() -> None:
    """Needs that go round do not go round for ever."""
    graph = graph_of(subtasks={"a": {}, "b": {"needs": "a | c"}, "c": {"needs": "b"}}, goal="c")
    assert tails(graph) == (2, 1, 0)


@pytest.mark.parametrize(
    ("fields", "bound"),
    [
        ({"subtasks": {"a": {"reward": 2}, "b": {"reward": -1}, "c": {"reward": 3, "deadline": 0}}}, 2),
        ({"horizon": 9, "subtasks": {"a": {"duration": 2, "repeatable": True, "reward": 1}}}, 4),
        (
            {
                "horizon": 9,
                "subtasks": {"a": {"duration": 2, "attended": 0, "repeatable": True, "reward": 1}},
            },
            4,
        ),
        ({"horizon": 4, "subtasks": {k: {"duration": 2, "reward": 1} for k in "abc"}}, 2),
        (
            {
                "horizon": 4,
                "subtasks": {"a": {"duration": 3, "reward": 1}, "b": {"duration": 5, "reward": 9}},
            },
            1,
        ),
    ],
)
def test_upper_bound_of_the_reward(fields: dict[str, Any], bound: float) -> None:
    """Only reachable, positive rewards count, as often as time and the agents allow."""
    assert upper_bound_reward(load_task(fields).graph) == pytest.approx(bound)
