"""What compositions, families, modes, repeats and combinations mean, against the page."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from random_tasks import random_task
from reference_task import read_task
from stratagym.envs.task import expr
from stratagym.envs.task.graph import TRUE, Duration, Lag, TaskGraph
from stratagym.envs.task.spec import Task, TaskError, combine, load_task


def truth(graph: TaskGraph, done: frozenset[str]) -> list[bool]:
    """Return the truth of every node, gate by gate, given the names of the subtasks that are done."""
    values = [name in done for name in graph.names]
    for gate in graph.gates:
        assert len(set(gate.positive)) == len(gate.positive)
        assert len(set(gate.negative)) == len(gate.negative)
        assert all(0 <= p < len(values) for p in (*gate.positive, *gate.negative))
        held = sum(values[p] for p in gate.positive) + sum(not values[p] for p in gate.negative)
        values.append(held >= gate.count)
    return values


def states(graph: TaskGraph) -> list[frozenset[str]]:
    """Return every set of subtasks that may be done."""
    names = graph.names
    return [frozenset(c) for k in range(len(names) + 1) for c in itertools.combinations(names, k)]


# --- brute force over the mapping itself -----------------------------------------------

SINGLES = ("a", "b", "c", "d")


def is_done(name: Any, task: dict[str, Any], done: frozenset[str]) -> bool:
    """Return whether a name or composition of the mapping is done, straight from the page."""
    if isinstance(name, str):
        if name in task["tasks"]:
            return is_done(task["tasks"][name], task, done)
        if name == "f {v}":
            return all(f"f {v}" in done for v in task["subtasks"]["f {v}"]["foreach"]["v"])
        if name == "m":
            return any(f"m [{mode}]" in done for mode in task["subtasks"]["m"]["modes"])
        return name in done
    kind, children = next((k, v) for k, v in name.items() if k not in ("needs", "release", "deadline"))
    held = sum(is_done(child, task, done) for child in children)
    needed = {"all": len(children), "sequence": len(children), "any": 1, "choice": 1}.get(kind)
    return held >= (needed or int(kind.split()[0]))


def below(name: Any, task: dict[str, Any]) -> set[str]:
    """Return every subtask under a name or composition of the mapping."""
    if isinstance(name, str):
        if name in task["tasks"]:
            return below(task["tasks"][name], task)
        if name == "f {v}":
            return {f"f {v}" for v in task["subtasks"]["f {v}"]["foreach"]["v"]}
        if name == "m":
            return {f"m [{mode}]" for mode in task["subtasks"]["m"]["modes"]}
        return {name}
    children = next(v for k, v in name.items() if k not in ("needs", "release", "deadline"))
    return set().union(*(below(child, task) for child in children))


def walk(node: Any) -> list[dict[str, Any]]:
    """Return a composition and all inline ones in it."""
    if isinstance(node, str):
        return []
    children = next(v for k, v in node.items() if k not in ("needs", "release", "deadline"))
    return [node, *(inner for child in children for inner in walk(child))]


def may_start(subtask: str, task: dict[str, Any], done: frozenset[str]) -> bool:
    """Return whether a subtask's own needs and those of all compositions over it hold."""
    own = next((k for k in task["subtasks"] if subtask in below(k, task)), "")

    def holds(text: Any) -> bool:
        return text is True or expr.evaluate(expr.parse(text), lambda name: is_done(name, task, done))

    needs = task["subtasks"][own].get("needs", True)
    if own == "f {v}" and isinstance(needs, str):
        needs = needs.replace("{v}", subtask.removeprefix("f "))
    if not holds(needs):
        return False
    for root in task["tasks"].values():
        for node in walk(root):
            if subtask in below(node, task) and not holds(node.get("needs", True)):
                return False
            children = node.get("sequence", [])
            for before, child in itertools.pairwise(children):
                if subtask in below(child, task) and not is_done(before, task, done):
                    return False
    return True


@st.composite
def compositions(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a task of a few subtasks under random compositions."""
    names: list[str] = [*SINGLES, "f {v}", "m"]
    subtasks: dict[str, Any] = {name: {} for name in SINGLES}
    subtasks["f {v}"] = {"foreach": {"v": [1, 2]}}
    subtasks["m"] = {"modes": {"x": {}, "y": {}}}
    task: dict[str, Any] = {"subtasks": subtasks, "tasks": {}}

    def needs() -> Any:
        template = draw(st.sampled_from([True, "{}", "~{}", "{} & {}", "{} | ~{}", "2 of ({}, {}, {})"]))
        if template is True:
            return True
        return template.format(*(draw(st.sampled_from(names)) for _ in range(3)))

    def node(depth: int) -> Any:
        if depth == 0 or draw(st.booleans()):
            return draw(st.sampled_from(names))
        children = [node(depth - 1) for _ in range(draw(st.integers(1, 3)))]
        kinds = ["all", "any", "choice", f"{draw(st.integers(1, len(children)))} of"]
        inside = [below(child, task) for child in children]
        if sum(map(len, inside)) == len(set().union(*inside)):
            kinds.append("sequence")
        composition = {draw(st.sampled_from(kinds)): children}
        if draw(st.integers(0, 3)) == 0:
            composition["needs"] = needs()
        return composition

    for k in range(draw(st.integers(1, 3))):
        root = node(2)
        task["tasks"][f"t{k}"] = root if isinstance(root, dict) else {"all": [root]}
        names.append(f"t{k}")
    for name in subtasks:
        subtasks[name]["needs"] = needs()
    task["goal"] = needs()
    return task


@given(compositions())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_gates_agree_with_brute_force(task: dict[str, Any]) -> None:
    """Goal, compositions and what each subtask needs are true in exactly the states that the page says."""
    graph = load_task(task).graph
    goal = task["goal"]
    for done in states(graph):
        values = [*truth(graph, done), True]
        for composition in graph.compositions:
            if not composition.inline:
                assert values[composition.node] == is_done(composition.name, task, done)
        for subtask in graph.subtasks:
            assert values[subtask.needs] == may_start(subtask.name, task, done)
        if goal is not True:
            tree = expr.parse(goal)
            assert graph.goal is not None
            assert values[graph.goal] == expr.evaluate(tree, lambda n, d=done: is_done(n, task, d))  # type: ignore[misc]


@given(compositions())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_members_and_branches_agree_with_brute_force(task: dict[str, Any]) -> None:
    """Members of compositions and branches of choices are the subtasks under them."""
    graph = load_task(task).graph
    names = graph.names
    for composition in graph.compositions:
        if not composition.inline:
            assert {names[i] for i in composition.members} == below(composition.name, task)
    for choice in graph.choices:
        entry = next(c for c in graph.compositions if c.name == choice.name)
        assert entry.kind in ("choice", "modes")
        assert choice.members == entry.members
        assert len(choice.branches) == len(dict.fromkeys(entry.children))


# --- one fact each ----------------------------------------------------------------------


def test_release_and_deadline_bind_everything_below() -> None:
    """The latest release and the earliest deadline of a subtask and all compositions over it hold."""
    graph = load_task(
        {
            "subtasks": {"a": {"release": 3, "deadline": 9}, "b": {"deadline": 50}, "c": {"release": 1}},
            "tasks": {
                "inner": {"any": ["a", "b"], "release": 5},
                "outer": {"all": ["inner", {"all": ["c"], "deadline": 0}], "release": 2, "deadline": 20},
            },
        }
    ).graph
    assert [(s.release, s.deadline) for s in graph.subtasks] == [(5, 9), (5, 20), (2, 0)]


def test_copies_follow_references_inside_and_nest_from_the_inside() -> None:
    """Copies are in sequence; references inside follow the copy; inner repeats come first in the name."""
    graph = load_task(
        {
            "subtasks": {"a": {}, "b": {"needs": "a.2 & c", "lags": {"a.1": {"max": 4}}}, "c": {}},
            "tasks": {
                "part": {"sequence": [{"repeat": "a", "times": 2}, "b"], "needs": "~part"},
                "whole": {"repeat": "part", "times": 2},
            },
            "goal": "whole & a.1.2",
        }
    ).graph
    assert graph.names == ("a.1.1", "a.1.2", "a.2.1", "a.2.2", "b.1", "b.2", "c")
    index = graph.index
    assert graph.subtasks[index("b.2")].lags == (Lag((index("a.1.2"),), "completion", 0, 4),)
    first = {"a.1.1", "a.2.1", "b.1"}
    values = [*truth(graph, frozenset({*first, "c"})), True]
    starts = {s.name for s in graph.subtasks if values[s.needs]}
    # part.1 is done, so nothing of it may start again; a.2.2 waits for a.1.2, b.2 for a.2.2.
    assert starts == {"a.1.2", "c"}
    whole = next(c for c in graph.compositions if c.name == "whole")
    assert (whole.kind, whole.children) == ("repeat", ("part.1", "part.2"))


def test_a_family_is_repeated_as_a_whole() -> None:
    """``wash {d}.2`` is the second copy of the family, alone or under what contains it."""
    task = {
        "subtasks": {"wash {d}": {"foreach": {"d": ["p", "q"]}}, "dry": {"lags": {"wash {d}.2": {"min": 1}}}},
        "tasks": {"t": {"repeat": "wash {d}", "times": 2}},
        "goal": "wash {d}.1 & wash q.2",
    }
    graph = load_task(task).graph
    assert graph.names == ("wash p.1", "wash p.2", "wash q.1", "wash q.2", "dry")
    assert [lag.predecessors for lag in graph.subtasks[4].lags] == [(1,), (3,)]
    needed = {"wash p.1", "wash q.1", "wash q.2"}
    assert graph.goal is not None
    assert truth(graph, frozenset(needed))[graph.goal]
    for name in needed:
        assert not truth(graph, frozenset(needed - {name}))[graph.goal]


def test_modes_share_fields_and_are_paid_and_due_once() -> None:
    """A mode's own field replaces the shared one; pay, due date and lags are the subtask's."""
    graph = load_task(
        {
            "horizon": 50,
            "resources": {"mixer": 1},
            "subtasks": {
                "mix": {
                    "duration": 8,
                    "reward": 2,
                    "due": 9,
                    "weight": 3,
                    "attempts": 2,
                    "modes": {
                        "by hand": {},
                        "by machine": {"duration": 3, "uses": {"mixer": 1}, "attempts": 5},
                        "again": {"repeatable": True},
                    },
                },
                "bake": {"needs": "mix", "lags": {"mix": {"min": 1, "max": 5}}, "due": 20},
                "look": {"lags": {"mix [by hand]": {"from": "start"}}},
            },
        }
    ).graph
    hand, machine, again, bake, look = graph.subtasks
    assert (hand.name, machine.name) == ("mix [by hand]", "mix [by machine]")
    assert (hand.duration.values, machine.duration.values) == ((8,), (3,))
    assert (hand.uses, machine.uses) == ((), ((0, 1),))
    assert (hand.attempts, machine.attempts) == (2, 5)
    assert hand.pay_group == machine.pay_group == 0
    assert (again.pay_group, bake.pay_group) == (2, 3)
    assert bake.lags == (Lag((0, 1, 2), "completion", 1, 5),)
    assert look.lags == (Lag((0,), "start", 0, None),)
    assert [(d.name, d.due, d.weight, d.members) for d in graph.dues] == [
        ("mix", 9, 3.0, (0, 1, 2)),
        ("bake", 20, 1.0, (3,)),
    ]
    assert [c.name for c in graph.choices] == ["mix"]


def test_copies_of_modes_are_groups_of_their_own() -> None:
    """Each copy of a subtask with modes is paid and due by itself, and has its own choice."""
    graph = load_task(
        {
            "horizon": 9,
            "subtasks": {"m": {"due": 3, "modes": {"x": {}, "y": {}}}},
            "tasks": {"t": {"repeat": "m", "times": 2}},
        }
    ).graph
    assert graph.names == ("m [x].1", "m [x].2", "m [y].1", "m [y].2")
    assert [s.pay_group for s in graph.subtasks] == [0, 1, 0, 1]
    assert [(d.name, d.members) for d in graph.dues] == [("m.1", (0, 2)), ("m.2", (1, 3))]
    assert [c.members for c in graph.choices] == [(0, 2), (1, 3)]


def test_a_cooldown_is_a_lag_on_itself_from_the_start() -> None:
    """A cooldown is accepted on a subtask, on a member of a family by the family's name, and on modes."""
    graph = load_task(
        {
            "subtasks": {
                "a": {"lags": {"a": {"min": 3, "from": "start"}}},
                "f {v}": {"foreach": {"v": [1]}, "lags": {"f {v}": {"min": 2, "from": "start"}}},
                "m": {"modes": {"x": {}, "y": {}}, "lags": {"m": {"min": 1, "from": "start"}}},
            }
        }
    ).graph
    assert [s.lags[0].predecessors for s in graph.subtasks] == [(0,), (1,), (2, 3), (2, 3)]


def test_events_reach_all_under_a_task() -> None:
    """Events on a task or family are events on all its subtasks; a later entry of one event counts."""
    graph = load_task(
        {
            "subtasks": {"a": {}, "b": {}, "f {v}": {"foreach": {"v": [1, 2]}}},
            "resources": {"r": 2, "q": 1},
            "agents": 2,
            "items": {"x": 1},
            "tasks": {"t": {"any": ["a", "f {v}"]}},
            "events": [
                {"at": 3, "undo": "t"},
                {"at": {"uniform": [2, 4]}, "known": True, "capacity": {"q": 5}},
                {"at": 1, "stock": {"y": 2, "x": -9}},
                {"at": 1, "agent": "agent 1", "down": 4},
                {"at": 1, "duration": {"t": 9, "a": {"choice": [1, 2]}}},
                {"at": 1, "deadline": {"f {v}": 7}},
                {"at": 1, "appear": "f 2"},
            ],
        }
    ).graph
    undo, capacity, stock, agent, duration, deadline, appear = graph.events
    assert (undo.targets, undo.at, undo.known) == ((0, 2, 3), (3, 3), False)
    assert (capacity.targets, capacity.amounts, capacity.at, capacity.known) == ((1,), (5,), (2, 4), True)
    assert [(graph.items[i].name, n) for i, n in zip(stock.targets, stock.amounts, strict=True)] == [
        ("y", 2),
        ("x", -9),
    ]
    assert (agent.targets, agent.amounts) == ((1,), (4,))
    nine = Duration("fixed", (9,))
    assert dict(zip(duration.targets, duration.durations, strict=True)) == {
        0: Duration("choice", (1, 2)),
        2: nine,
        3: nine,
    }
    assert (deadline.targets, deadline.amounts) == ((2, 3), (7, 7))
    assert appear.targets == (3,)


def test_atoms_of_constraints_read_wholes_and_members() -> None:
    """``done`` of a task reads its node; ``running`` and ``started`` read all subtasks under it."""
    graph = load_task(
        {
            "subtasks": {"a": {}, "b": {}, "f {v}": {"foreach": {"v": [1, 2]}}},
            "tasks": {"t": {"any": ["a", "b"]}},
            "constraints": ["G(done(t) -> ~running(f {v}))", "F(started( b ))"],
        }
    ).graph
    first, second = graph.constraints
    t = next(c for c in graph.compositions if c.name == "t")
    assert [(a.kind, a.name, a.members) for a in first.atoms] == [
        ("done", "t", (0, 1)),
        ("running", "f {v}", (2, 3)),
    ]
    assert first.atoms[0].node == t.node
    assert [(a.kind, a.name, a.members) for a in second.atoms] == [("started", "b", (1,))]


def test_a_child_listed_twice_counts_twice() -> None:
    """In ``k of`` a child that is listed twice counts twice; in a choice it is one branch."""
    graph = load_task(
        {
            "subtasks": {"a": {}, "b": {}},
            "tasks": {"t": {"2 of": ["a", "a", "b"]}, "c": {"choice": ["a", "a"]}},
            "goal": "2 of (a, a, ~b)",
        }
    ).graph
    t = next(c for c in graph.compositions if c.name == "t")
    assert [truth(graph, frozenset(d))[t.node] for d in ("", "a", "b", "ab")] == [False, True, False, True]
    assert graph.goal is not None
    assert [truth(graph, frozenset(d))[graph.goal] for d in ("", "a", "b", "ab")] == [
        False,
        True,
        False,
        True,
    ]
    assert graph.choices == ()


def test_goal_true_holds_always() -> None:
    """``goal: true`` is the node that always holds; without a goal there is none."""
    assert load_task({"subtasks": {"a": {}}, "goal": True}).graph.goal == TRUE
    assert load_task({"subtasks": {"a": {}}, "goal": None}).graph.goal is None


def test_amounts_of_nothing_are_dropped_but_known() -> None:
    """An amount of 0 asks for nothing, yet its item is known to the task."""
    graph = load_task(
        {"resources": {"r": 0}, "subtasks": {"a": {"uses": {"r": 0}, "consumes": {"i": 0}}}}
    ).graph
    assert (graph.subtasks[0].uses, graph.subtasks[0].consumes) == ((), ())
    assert [item.name for item in graph.items] == ["i"]


# --- combine ----------------------------------------------------------------------------

TEA: dict[str, Any] = {
    "name": "tea",
    "horizon": 30,
    "resources": {"table": 1},
    "items": {"cup": 2},
    "subtasks": {
        "boil": {"consumes": {"water": 1}, "due": 9},
        "pour {c}": {"foreach": {"c": ["x", "y"]}, "needs": "boil & ~pour {c}", "lags": {"boil": {"max": 5}}},
        "stir": {
            "modes": {"left": {"needs": "boil"}, "right": {}},
            "needs": "{}".format("2 of (boil, stir, all)"),
        },
    },
    "tasks": {"all": {"sequence": ["boil", {"all": ["pour {c}"], "needs": "~stir"}]}},
    "goal": "all | stir [left]",
    "constraints": ["G(running(stir) -> done(boil) & ~started(pour {c}))"],
    "events": [
        {"at": 1, "undo": "all"},
        {"at": 2, "stock": {"milk": 1}},
        {"at": 3, "duration": {"pour x": 2}},
        {"at": 4, "deadline": {"stir": 20}},
        {"at": 5, "appear": "stir [left]"},
        {"at": 6, "capacity": {"table": 0}},
        {"at": 7, "agent": "agent 0", "down": 1},
    ],
}


def _renamed(graph: TaskGraph, prefix: str) -> list[Any]:
    return [
        (f"{prefix}/{s.name}", s.duration, s.attended, s.release, s.deadline, s.reward)
        for s in graph.subtasks
    ]


def test_combined_tasks_keep_their_meaning_under_prefixes() -> None:
    """Each part of a combination is the part's own graph with prefixed names, side by side."""
    single = load_task(TEA)
    both = combine({"one": single, "two": TEA})
    graph, n = both.graph, len(single.graph.subtasks)
    assert [(s.name, s.duration, s.attended, s.release, s.deadline, s.reward) for s in graph.subtasks] == [
        *_renamed(single.graph, "one"),
        *_renamed(single.graph, "two"),
    ]
    for k, prefix in enumerate(("one", "two")):
        for done in states(single.graph):
            joined = frozenset(f"{prefix}/{name}" for name in done)
            alone, together = [*truth(single.graph, done), True], [*truth(graph, joined), True]
            for i, s in enumerate(single.graph.subtasks):
                assert alone[s.needs] == together[graph.subtasks[k * n + i].needs]
    for k, event in enumerate(graph.events):
        source = single.graph.events[k % 7]
        shift = n * (k // 7) if event.kind in ("undo", "duration", "deadline", "appear") else 0
        assert event.targets == tuple(t + shift for t in source.targets)
    assert [a.name for c in graph.constraints for a in c.atoms] == [
        f"{p}/{name}" for p in ("one", "two") for name in ("stir", "boil", "pour {c}")
    ]
    assert load_task(both.to_dict()) == both


def test_goals_are_conjoined_and_the_longest_horizon_holds() -> None:
    """All goals that there are must hold; the horizon is the longest, or none if one has none."""
    short = {"name": "s", "horizon": 5, "subtasks": {"x": {}, "y": {}}, "goal": "x | y"}
    plain = {"name": "p", "horizon": 9, "subtasks": {"x": {}}}
    graph = combine([short, plain, {**short, "name": "q"}]).graph
    assert graph.horizon == 9
    assert graph.goal is not None
    assert not truth(graph, frozenset({"s/x"}))[graph.goal]
    assert truth(graph, frozenset({"s/x", "q/y"}))[graph.goal]
    assert combine([plain, {"name": "e", "subtasks": {"z": {}}}]).graph.horizon is None
    assert combine([plain, {"name": "e", "subtasks": {"z": {}}}]).graph.goal is None
    assert combine([{**plain, "goal": True}, short]).to_dict()["goal"] == "s/x | s/y"


def test_agents_and_things_of_one_name_are_shared() -> None:
    """Agents by count overlap; named ones join; equal stocks and capacities are one."""
    cook = {
        "name": "c",
        "agents": [{"name": "cook", "skills": ["cut", "fry"]}],
        "subtasks": {"x": {"skill": "cut"}},
    }
    two = {"name": "d", "agents": 2, "subtasks": {"x": {}}}
    assert combine([two, {**two, "name": "e", "agents": 3}]).to_dict()["agents"] == 3
    joined = combine([cook, two]).graph
    assert [a.name for a in joined.agents] == ["cook", "agent 0", "agent 1"]
    again = {**cook, "name": "f", "agents": [{"name": "cook", "skills": ["fry", "cut"]}]}
    assert len(combine([cook, again]).graph.agents) == 1
    uses = {"name": "u", "items": {"egg": 0}, "subtasks": {"x": {}}}
    assert (
        combine([uses, {"name": "v", "subtasks": {"x": {"consumes": {"egg": 1}}}}]).graph.items[0].stock == 0
    )
    event = {"name": "w", "subtasks": {"x": {}}, "events": [{"at": 1, "stock": {"egg": 5}}]}
    assert combine([{**uses, "items": {"egg": 7}}, event]).graph.items[0].stock == 7


def _named(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "subtasks": {"x": {}}, **fields}


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([_named("a"), _named("a")], "'a'"),
        ([_named("a"), {"subtasks": {"x": {}}}], "without a name"),
        ([_named("a, b")], "','"),
        ({"wait": _named("a")}, "'wait'"),
        ({" a": _named("a")}, "space"),
        ({1: _named("a")}, "text"),
        ([], "no tasks"),
        (load_task(_named("a")), "several"),
        ([_named("a"), {"name": "b", "subtasks": {}}], "no subtasks"),
        ([_named("a", resources={"r": 1}), _named("b", resources={"r": 2})], "1 in 'a' and 2 in 'b'"),
        ([_named("a", items={"i": 1}), _named("b", items={"i": 2})], "'i'"),
        (
            [_named("a", items={"i": 1}), {"name": "b", "subtasks": {"x": {"requires": {"i": 1}}}}],
            "1 in 'a' and 0 in 'b'",
        ),
        (
            [_named("a"), _named("b", agents=[{"name": "agent 0", "skills": ["cut"]}])],
            "the agent 'agent 0'",
        ),
        ([_named("a", horizon=9) | {"subtasks": {"x": {"due": 3}}}, _named("b")], "horizon"),
        ({"a": {"subtasks": {"b/c": {}}}, "a/b": {"subtasks": {"c": {}}}}, "'a/b/c'"),
    ],
)
def test_what_cannot_be_combined_is_refused(tasks: Any, words: str) -> None:
    """Equal or forbidden names, unequal agents and things, and invalid parts are refused in one line."""
    with pytest.raises(TaskError) as caught:
        combine(tasks)
    assert words in str(caught.value)


def test_combinations_combine() -> None:
    """A combination is a task like any other, and can be combined again."""
    inner = combine({"a": _named("x", goal="x"), "b": _named("y", goal="x")})
    outer = combine({"left": inner, "right": inner})
    assert isinstance(outer, Task)
    assert outer.graph.names == ("left/a/x", "left/b/x", "right/a/x", "right/b/x")


# --- a second reader ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(0, 120, 3))
def test_an_independent_reader_agrees(seed: int) -> None:
    """A naive reader, written apart from the package, expands random tasks of every field the same way."""
    mapping = random_task(seed)
    graph, naive = load_task(mapping).graph, read_task(mapping)
    assert graph.names == tuple(naive["subtasks"])
    assert {item.name: item.stock for item in graph.items} == naive["items"]
    for s in graph.subtasks:
        other = naive["subtasks"][s.name]
        assert (s.release, s.deadline) == (other["release"], other["deadline"])
        assert [
            {"on": [graph.names[p] for p in lag.predecessors], "from": lag.origin, "min": lag.minimum}
            for lag in s.lags
        ] == [{k: lag[k] for k in ("on", "from", "min")} for lag in other["lags"]]
        assert [lag.maximum for lag in s.lags] == [lag["max"] for lag in other["lags"]]
    rng = random.Random(seed)
    for _ in range(20):
        done = {name for name in graph.names if rng.random() < 0.6}
        values = [*truth(graph, frozenset(done)), True]
        for s in graph.subtasks:
            needed = naive["subtasks"][s.name]["needs"]
            assert values[s.needs] == all(_naive_truth(tree, done, naive["tasks"]) for tree in needed)
        if graph.goal is not None:
            assert values[graph.goal] == _naive_truth(naive["goal"], done, naive["tasks"])


def _naive_truth(tree: Any, done: set[str], tasks: dict[str, Any]) -> bool:
    match tree:
        case ("true",):
            return True
        case ("name", name) if name in tasks:
            held = [_naive_truth(("name", child), done, tasks) for child in tasks[name]["children"]]
            kind = tasks[name]["kind"]
            wanted = {"any": 1, "choice": 1, "k of": tasks[name]["k"]}.get(kind, len(held))
            return sum(held) >= wanted
        case ("name", name):
            return name in done
        case ("not", part):
            return not _naive_truth(part, done, tasks)
        case ("and", parts):
            return all(_naive_truth(p, done, tasks) for p in parts)
        case ("or", parts):
            return any(_naive_truth(p, done, tasks) for p in parts)
        case (_, count, parts):
            return sum(_naive_truth(p, done, tasks) for p in parts) >= count
    raise AssertionError(tree)
