"""What waits for what, read off a task graph."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_tasks import items
from hand_made import graph, subtask
from stratagym.agents.planners.structure import (
    ALWAYS,
    NEVER,
    Formula,
    Formulas,
    Literal,
    Structure,
    Threshold,
    threshold,
)
from stratagym.envs.task.graph import TRUE, Branch, Choice, Composition, Gate, Lag, TaskGraph


def holds(formula: Formula, done: tuple[bool, ...]) -> bool:
    """Evaluate a formula on crisp completions."""
    if isinstance(formula, Literal):
        return done[formula.subtask] == formula.positive
    return sum(holds(part, done) for part in formula.parts) >= formula.count


def gates_hold(task: TaskGraph, node: int, done: tuple[bool, ...]) -> bool:
    """Evaluate a node by the definition of gates."""
    values = list(done)
    for gate in task.gates:
        met = sum(values[k] for k in gate.positive) + sum(not values[k] for k in gate.negative)
        values.append(met >= gate.count)
    return node == TRUE or values[node]


@st.composite
def gated(draw: st.DrawFn) -> TaskGraph:
    """Draw four subtasks and up to six gates over them and earlier gates."""
    gates: list[Gate] = []
    for g in range(draw(st.integers(1, 6))):
        nodes = st.lists(st.integers(0, 3 + g), unique=True, max_size=4).map(tuple)
        positive, negative = draw(nodes), draw(nodes)
        gates.append(Gate(draw(st.integers(0, len(positive) + len(negative) + 1)), positive, negative))
    return graph([subtask(f"s{i}") for i in range(4)], gates)


@settings(max_examples=200, deadline=None)
@given(gated(), st.booleans())
def test_formulas_mean_what_the_gates_mean(task: TaskGraph, positive: bool) -> None:
    """A formula without inner negation agrees with its gates on every set of completions."""
    formulas = Formulas(task)
    for node in (TRUE, *range(4 + len(task.gates))):
        formula = formulas.of(node, positive)
        for done in itertools.product([False, True], repeat=4):
            assert holds(formula, done) == (gates_hold(task, node, done) == positive)


def test_nested_gates_of_one_sort_become_one() -> None:
    """``(a & b) & (b & c)`` reads as ``a & b & c`` and an OR in an OR as one OR."""
    a, b, c = (Literal(i) for i in range(3))
    inner, other = threshold(2, (a, b)), threshold(2, (b, c))
    assert threshold(2, (inner, other)) == Threshold(3, (a, b, c))
    assert threshold(1, (threshold(1, (a, b)), c)) == Threshold(1, (a, b, c))
    assert threshold(2, (threshold(1, (a, b)), ALWAYS)) == Threshold(1, (a, b))
    assert threshold(2, (a, NEVER)) == NEVER


def test_tails_are_longest_chains_with_lags() -> None:
    """A tail is the longest chain of durations and minimal lags, up to the goal."""
    task = graph(
        [
            subtask("a", 2),
            subtask("b", 3, needs=0),
            subtask("c", 4, lags=(Lag((0,), "completion", 5),)),
            subtask("d", 1, lags=(Lag((1,), "start", 20),)),
            subtask("aside", 50, needs=0),
        ],
        [Gate(3, (1, 2, 3))],
        goal=5,
    )
    structure = Structure(task)
    assert structure.relevant == {0, 1, 2, 3}
    assert structure.tails(["locked"] * 5)[:4] == [2 + 20 + 1, 20 + 1, 4, 1]
    assert structure.tails(["eligible", "done", "locked", "done", "locked"])[0] == 2 + 5 + 4


def test_a_cycle_does_not_hang_the_tails() -> None:
    """On a cycle of needs one edge is left out and every tail is finite."""
    task = graph(
        [subtask("a", 2, needs=3), subtask("b", 3, needs=0), subtask("start", 1)], [Gate(1, (1, 2))], goal=1
    )
    tails = Structure(task).tails(["locked", "locked", "eligible"])
    assert tails[2] == 1 + 2 + 3
    assert tails[1] in (3, 5)


def test_latest_starts_come_back_from_deadlines() -> None:
    """A start is due early enough for every successor to meet its own limit."""
    task = graph([subtask("a", 2), subtask("b", 3, needs=0), subtask("c", 4, needs=1)])
    latest = Structure(task).latest_starts(["eligible", "locked", "locked"], [100.0, 10.0, 30.0])
    assert latest == [10 - 3 - 2, 10 - 3, 30 - 4]


def test_followers_count_each_once() -> None:
    """A diamond's top is followed by three, however many ways lead to the bottom."""
    task = graph(
        [subtask("a"), subtask("b", needs=0), subtask("c", needs=0), subtask("d", needs=4)], [Gate(2, (1, 2))]
    )
    assert Structure(task).followers(["locked"] * 4) == [3, 1, 1, 0]
    assert Structure(task).followers(["locked", "done", "locked", "locked"]) == [2, 1, 1, 0]


def test_producers_come_before_consumers_when_stock_is_short() -> None:
    """An item of which there is not enough for all makes its producers predecessors."""
    subtasks = [subtask("chop", produces=((0, 1),)), subtask("build", consumes=((0, 2),))]
    short = Structure(graph(subtasks, items=items(wood=1)))
    plenty = Structure(graph(subtasks, items=items(wood=2)))
    assert [e.successor for e in short.edges[0]] == [1]
    assert plenty.edges[0] == []


def test_choices_bar_the_other_branch() -> None:
    """A subtask of one branch is conditional on the other branch's subtasks not being done."""
    task = graph(
        [subtask("x"), subtask("y"), subtask("z")],
        [Gate(2, (0, 1))],
        choices=(Choice("way", (Branch(3, (0, 1)), Branch(2, (2,)))),),
    )
    structure = Structure(task)
    assert structure.rivals(0) == {2}
    assert structure.rivals(2) == {0, 1}
    assert structure.conditions[0] == Threshold(2, (ALWAYS, Literal(2, False)))


def test_modes_count_with_their_quickest() -> None:
    """The tail of a slow mode is no longer than that of the quick one."""
    task = graph(
        [subtask("x [slow]", 9, pay_group=0), subtask("x [fast]", 3, pay_group=0)],
        [Gate(1, (0, 1))],
        goal=2,
        compositions=(Composition("x", "modes", 1, 2, ("x [slow]", "x [fast]"), (0, 1)),),
    )
    assert Structure(task).tails(["eligible"] * 2) == [3, 3]


@pytest.mark.parametrize("count", [2000])
def test_long_chains_do_not_recurse(count: int) -> None:
    """A chain of thousands of subtasks is read without deep recursion."""
    task = graph([subtask(f"s{i}", needs=i - 1 if i else TRUE) for i in range(count)], goal=count - 1)
    assert Structure(task).tails(["locked"] * count)[0] == count
