"""Warnings: each says something true about a legal task that is hardly meant, and clean tasks get none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratagym.envs.task.spec import load_task, warnings_of

CLEAN: dict[str, Any] = {
    "horizon": 40,
    "agents": [{"name": "cook", "skills": ["cut"]}, {"name": "help"}],
    "resources": {"stove": 1},
    "items": {"egg": 2},
    "subtasks": {
        "cut": {"skill": "cut", "duration": 2, "produces": {"slice": 2}},
        "fry": {
            "needs": "cut",
            "uses": {"stove": 1},
            "consumes": {"slice": 2, "egg": 2},
            "lags": {"cut": {"max": 9}},
        },
        "serve": {"needs": "fry", "deadline": 30, "due": 20, "reward": 1},
        "wash {d}": {"foreach": {"d": ["pan", "pot"]}, "modes": {"hand": {}, "machine": {"duration": 2}}},
    },
    "tasks": {"t": {"all": ["serve", "wash {d}"]}},
    "goal": "t",
    "constraints": ["G(running(fry) -> ~running(wash {d}))"],
}


def test_a_clean_task_gets_no_warning() -> None:
    """A task that uses much of the language soundly gets no warning."""
    assert warnings_of(load_task(CLEAN)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subtasks": {"a": {"skill": "sing"}}}, ["'a': no agent has the skill 'sing'"]),
        (
            {
                "agents": [{"name": "x", "skills": ["s"]}, {"name": "y"}],
                "subtasks": {"a": {"skill": "s", "agents": 2}},
            },
            ["'a': 2 agents must have the skill 's', but only 1 do"],
        ),
        (
            {"subtasks": {"a": {"release": 5, "deadline": 6, "duration": {"uniform": [2, 9]}}}},
            ["no duration fits between release 5 and deadline 6"],
        ),
        (
            {"subtasks": {"a": {"release": 5, "duration": 6}}, "horizon": 10},
            ["no duration fits", "horizon 10"],
        ),
        (
            {"subtasks": {"a": {"needs": "b"}, "b": {"needs": "a"}}},
            ["'a': nothing can ever enable it", "'b'"],
        ),
        ({"subtasks": {"a": {"needs": "b & ~b"}, "b": {}}}, ["'b' would have to be done and not done"]),
        (
            {"subtasks": {"a": {"needs": "m [x] & m [y]"}, "m": {"modes": {"x": {}, "y": {}}}}},
            ["'m [x]' and 'm [y]' exclude each other"],
        ),
        ({"subtasks": {"a": {"consumes": {"tea": 1}}}}, ["nothing can ever enable it", "'tea'"]),
        (
            {
                "items": {"tea": 1},
                "subtasks": {"a": {"consumes": {"tea": 1}}, "b": {"needs": "a", "consumes": {"tea": 1}}},
            },
            ["'b': nothing can ever enable it: it takes 2 of the item 'tea', but there are never more"],
        ),
        (
            {"subtasks": {"a": {"duration": 9}, "b": {"lags": {"a": {"min": 8}}}}, "horizon": 10},
            ["'b'", "18 at the earliest", "horizon 10"],
        ),
        (
            {"subtasks": {"a": {}, "b": {"lags": {"a": {"min": 8}}, "deadline": 9}}},
            ["'b': nothing can ever enable it"],
        ),
        ({"subtasks": {"a": {"success": 0}}, "goal": "a"}, ["goal: it can never be reached"]),
        ({"subtasks": {"a": {}}, "goal": "a & ~a"}, ["goal: it can never be reached", "done and not done"]),
        (
            {"subtasks": {"a": {}, "b": {}}, "tasks": {"t": {"choice": ["a", "b"]}}, "goal": "a & b"},
            ["goal: it can never be reached", "exclude each other (choice 't')"],
        ),
        (
            {
                "items": {"i": 1},
                "subtasks": {"a": {"consumes": {"i": 1}}, "b": {"consumes": {"i": 1}}},
                "goal": "a & b",
            },
            ["goal: it can never be reached", "'i'"],
        ),
        (
            {
                "subtasks": {"a": {"duration": 5}, "b": {"needs": "a", "duration": 5}},
                "goal": "b",
                "horizon": 9,
            },
            ["goal"],
        ),
        (
            {"subtasks": {"a": {}}, "goal": "a", "horizon": 9, "constraints": ["G(~done(a)) & F(done(a))"]},
            ["constraints[0]", "can never be satisfied", "goal"],
        ),
        (
            {
                "subtasks": {"a": {"needs": "a"}, "b": {}},
                "goal": "b",
                "horizon": 9,
                "constraints": ["F(started(a))"],
            },
            ["constraints[0]", "goal: it can never be reached, since a constraint"],
        ),
        ({"subtasks": {"a": {"repeatable": True, "reward": 1}}}, ["'a': a repeatable reward without bound"]),
        (
            {"subtasks": {"a": {"reward": 1}, "b": {"lags": {"a": {"max": 3}}}}},
            ["'a': a spoilable reward without bound"],
        ),
        (
            {"subtasks": {"a": {}, "b": {"due": 3}}, "goal": "a", "horizon": 9},
            ["'b': it has a `due`, but the goal does not ask for it"],
        ),
        (
            {"subtasks": {"a": {}}, "goal": "a", "constraints": ["F(done(a))"]},
            ["goal: it waits for constraints", "horizon"],
        ),
    ],
)
def test_what_is_hardly_meant_is_warned_of(change: dict[str, Any], words: list[str]) -> None:
    """Each kind of mistake that is legal gets a warning that names it."""
    text = "\n".join(warnings_of(load_task(change)))
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    "task",
    [
        {"subtasks": {"a": {"repeatable": True, "reward": 1, "attempts": 3}}},
        {"subtasks": {"a": {"repeatable": True, "reward": 1}}, "horizon": 9},
        {"subtasks": {"a": {"repeatable": True, "reward": -1}}},
        {
            "subtasks": {"a": {"release": 5, "deadline": 6, "duration": 2}},
            "events": [{"at": 1, "deadline": {"a": 7}}],
        },
        {
            "subtasks": {"a": {"release": 5, "deadline": 6, "duration": 2}},
            "events": [{"at": 1, "duration": {"a": 1}}],
        },
        {"subtasks": {"a": {"consumes": {"tea": 1}}}, "events": [{"at": 4, "stock": {"tea": 1}}]},
        {"subtasks": {"a": {}, "b": {"due": 3}, "c": {"needs": "b"}}, "goal": "c & a", "horizon": 9},
        {"subtasks": {"a": {"needs": "~a"}, "b": {"needs": "a | ~b"}}},
        {"subtasks": {"a": {"requires": {"i": 2}, "consumes": {"i": 1}}}, "items": {"i": 2}},
        {
            "subtasks": {"a": {"repeatable": True, "produces": {"i": 1}}, "b": {"consumes": {"i": 9}}},
            "goal": "b",
        },
    ],
)
def test_what_can_be_meant_is_not_warned_of(task: dict[str, Any]) -> None:
    """What is bounded, or what an event may still allow, gets no warning."""
    assert warnings_of(load_task(task)) == []


TEMPTING: dict[str, Any] = {
    "horizon": 6,
    "subtasks": {"work": {"duration": 2, "reward": 1}, "play": {"duration": 3, "reward": 5}, "rest": {}},
    "tasks": {"t": {"choice": ["work", "play"]}},
    "goal": "work",
}


def test_a_goal_that_does_not_pay_is_warned_of() -> None:
    """Where a schedule that avoids the goal earns more than any that reaches it, both rewards are told."""
    assert warnings_of(load_task(TEMPTING)) == ["goal: avoiding it earns 5, reaching it at most 1"]
    forbidding = {
        "horizon": 9,
        "subtasks": {"a": {"reward": 1}, "b": {"reward": 9, "needs": "~a"}},
        "goal": "a & ~b",
    }
    assert warnings_of(load_task(forbidding)) == ["goal: avoiding it earns 10, reaching it at most 1"]


@pytest.mark.parametrize(
    "change",
    [
        {"tasks": {}},
        {"subtasks": {"work": {"reward": 5}, "play": {"reward": 5}}},
        {"goal": "play"},
        {"horizon": 1},
        {"goal": "work | play"},
    ],
)
def test_a_goal_that_pays_is_not_warned_of(change: dict[str, Any]) -> None:
    """No such warning where both can be had, where the goal pays as much, or where nothing is proved."""
    lines = warnings_of(load_task({**TEMPTING, **change}))
    assert not any("avoiding" in line for line in lines)


@st.composite
def small_tasks(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a task of three subtasks without times, whose every play can be tried."""
    names = st.sampled_from(["a", "b", "c"])
    needs = st.one_of(
        st.just(True),
        names,
        st.builds("{} & ~{}".format, names, names),
        st.builds("{} | ~{}".format, names, names),
    )
    subtasks = {
        name: {
            "needs": draw(needs),
            "consumes": draw(st.sampled_from([{}, {"i": 1}, {"i": 2}])),
            "produces": draw(st.sampled_from([{}, {"i": 1}])),
        }
        for name in "abc"
    }
    tasks = (
        {"t": {"choice": [["a"], ["b"], ["a", "c"]][: draw(st.integers(1, 3))]}}
        if draw(st.booleans())
        else {}
    )
    choice = {"t": {"choice": [{"all": branch} for branch in tasks["t"]["choice"]]}} if tasks else {}
    goal = draw(needs)
    return {"subtasks": subtasks, "tasks": choice, "goal": goal, "items": {"i": draw(st.integers(0, 2))}}


def _reachable(task: dict[str, Any]) -> tuple[set[str], set[frozenset[str]]]:
    """Return which subtasks can ever start and which sets can be done, one run after another."""
    graph = load_task(task).graph
    names = graph.names
    started: set[str] = set()
    seen: set[tuple[frozenset[int], int]] = set()
    waiting = [(frozenset[int](), graph.items[0].stock)]
    while waiting:
        done, stock = waiting.pop()
        if (done, stock) in seen:
            continue
        seen.add((done, stock))
        values = [i in done for i in range(len(names))]
        for gate in graph.gates:
            held = sum(values[p] for p in gate.positive) + sum(not values[p] for p in gate.negative)
            values.append(held >= gate.count)
        values.append(True)
        for i, s in enumerate(graph.subtasks):
            takes, gives = sum(n for _, n in s.consumes), sum(n for _, n in s.produces)
            opened = all(
                i not in choice.members
                or any(
                    i in b.members and done & set(choice.members) <= set(b.members) for b in choice.branches
                )
                for choice in graph.choices
            )
            if i not in done and values[s.needs] and takes <= stock and opened:
                started.add(names[i])
                waiting.append((done | {i}, stock - takes + gives))
    return started, {frozenset(names[i] for i in done) for done, _ in seen}


@given(small_tasks())
@settings(max_examples=200, deadline=None)
def test_a_warning_of_what_cannot_be_is_always_true(task: dict[str, Any]) -> None:
    """Whatever is said to be out of reach is out of reach when every play is tried."""
    started, sets = _reachable(task)
    lines = warnings_of(load_task(task))
    for name in "abc":
        if any(line.startswith(f"subtask '{name}': nothing can ever") for line in lines):
            assert name not in started
    if any(line.startswith("goal: it can never be reached") for line in lines):
        graph = load_task(task).graph
        for done in sets:
            values = [name in done for name in graph.names]
            for gate in graph.gates:
                held = sum(values[p] for p in gate.positive) + sum(not values[p] for p in gate.negative)
                values.append(held >= gate.count)
            assert graph.goal == -1 or not values[graph.goal or 0]
