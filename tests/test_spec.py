"""Task files: what is read, the normal form, equality, the schema, and limits."""

from __future__ import annotations

import copy
import json
import pickle
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratagym.envs.task.graph import Duration
from stratagym.envs.task.spec import Task, TaskError, json_schema, load_task, parse_task, summary

TEA = """
name: tea for two
horizon: 60
resources: {kettle: 1, table: 1}
items: {leaves: 3}
subtasks:
  boil water: {duration: 8, attended: 1, uses: {kettle: 1}, reward: 1}
  warm pot:
  brew:       {duration: 4, attended: 1, needs: boil water & warm pot, consumes: {leaves: 1},
               produces: {tea: 1}, lags: {boil water: {max: 6}}}
  serve:      {duration: 2, needs: brew, uses: {table: 1}, deadline: 40, due: 30, reward: 5.0}
tasks:
  make tea:   {sequence: [boil water, brew]}
  tea round:  {all: [make tea, warm pot, serve]}
goal: tea round
"""

EVERYTHING: dict[str, Any] = {
    "name": "everything",
    "horizon": 500,
    "agents": [{"name": "cook", "skills": ["cut", "stir"]}, {"name": "help"}],
    "resources": {"stove": 2},
    "items": {"egg": 4, "salt": 0},
    "subtasks": {
        "fry {n} {x}": {
            "foreach": {"n": [1, 2], "x": ["a", "b"]},
            "duration": "{n}",
            "needs": "chop & ~burn | {n} of (chop, burn)",
            "lags": {"chop": {"min": "{n}", "max": 9}},
        },
        "chop": {
            "duration": {"uniform": [2, 4]},
            "attended": 1,
            "uses": {"stove": 1},
            "modes": {"by hand": {}, "by machine": {"duration": 1, "uses": {}, "needs": True}},
            "due": 30,
            "weight": 2.5,
            "reward": 0.5,
        },
        "burn": {"duration": "world", "success": 0.25, "attempts": 3, "release": 2, "deadline": 90},
        "plate": {
            "duration": {"choice": [1, 5]},
            "requires": {"egg": 1},
            "consumes": {"egg": 2},
            "produces": {"meal": 1},
            "agents": 2,
            "skill": "cut",
            "repeatable": True,
            "lags": {"plate": {"min": 3, "from": "start"}},
        },
    },
    "tasks": {
        "twice": {"repeat": "plate", "times": 2, "needs": "burn", "release": 1, "deadline": 99},
        "mix": {"2 of": ["twice", {"any": ["burn", "chop"]}, {"choice": ["fry 1 a", "fry {n} {x}"]}]},
        "line": {"sequence": ["burn", {"all": ["chop"]}]},
    },
    "goal": "mix & ~line | 1 of (plate.1, burn)",
    "constraints": ["G(started(burn) -> F(done(fry {n} {x})))"],
    "events": [
        {"at": 3, "undo": "mix"},
        {"at": {"uniform": [1, 4]}, "known": True, "capacity": {"stove": 0}},
        {"at": 5, "stock": {"egg": -2, "oil": 3}},
        {"at": 6, "agent": "help", "down": 8},
        {"at": 7, "duration": {"burn": 2, "twice": {"uniform": [1, 2]}}},
        {"at": 8, "deadline": {"plate.2": 70}},
        {"at": 9, "appear": "chop [by hand]"},
    ],
}


def test_the_smallest_task() -> None:
    """One subtask without a field is a task: one agent, no goal, no horizon, all defaults."""
    task = load_task({"subtasks": {"a": {}}})
    graph = task.graph
    only = graph.subtasks[0]
    assert (task.name, graph.horizon, graph.goal, len(graph.agents)) == ("task", None, None, 1)
    assert only.duration == Duration("fixed", (1,))
    assert (only.attended, only.needs, only.release, only.deadline, only.agents) == (None, -1, 0, None, 1)
    assert (only.success, only.attempts, only.repeatable, only.reward, only.skill) == (
        1.0,
        None,
        False,
        0.0,
        None,
    )
    assert task.to_dict() == {"subtasks": {"a": {}}}


def test_yaml_json_and_mapping_say_the_same(tmp_path: Path) -> None:
    """The same task from YAML, from JSON and from a mapping is equal, with the same digest."""
    (tmp_path / "tea.yaml").write_text(TEA, encoding="utf-8")
    (tmp_path / "tea.json").write_text(json.dumps(yaml.safe_load(TEA)), encoding="utf-8")
    tasks = [
        load_task(tmp_path / "tea.yaml"),
        load_task(str(tmp_path / "tea.json")),
        load_task(yaml.safe_load(TEA)),
        parse_task(TEA.encode()),
        parse_task(b"\xef\xbb\xbf" + TEA.encode()),
    ]
    assert len({task.digest for task in tasks}) == 1
    assert all(task == tasks[0] and task.graph == tasks[0].graph for task in tasks)
    assert load_task(tasks[0]) is tasks[0]


def test_normal_form_leaves_out_what_goes_without_saying() -> None:
    """Nulls, defaults and empty parts are dropped; a mode keeps what overrides a shared field."""
    wordy = {
        "name": None,
        "horizon": None,
        "agents": 1,
        "resources": {},
        "tasks": {},
        "constraints": [],
        "subtasks": {
            "a": {
                "duration": 5,
                "needs": True,
                "lags": {},
                "agents": 1,
                "success": 1.0,
                "reward": 0.0,
                "repeatable": False,
                "release": 0,
                "foreach": None,
                "modes": {"x": {"duration": 1, "release": 0, "skill": None}, "y": None},
            },
            "b": {
                "needs": " a ",
                "reward": 2.0,
                "lags": {"a": {"min": 0, "max": None, "from": "completion"}},
            },
        },
        "events": None,
    }
    assert load_task(wordy).to_dict() == {
        "subtasks": {
            "a": {"duration": 5, "modes": {"x": {"duration": 1, "release": 0}, "y": {}}},
            "b": {"needs": "a", "reward": 2, "lags": {"a": {}}},
        }
    }


def test_a_task_that_uses_every_field_comes_back_as_written() -> None:
    """The normal form keeps families, modes, repeats and inline compositions as the user wrote them."""
    task = load_task(EVERYTHING)
    again = task.to_dict()
    assert load_task(again) == task
    assert load_task(again).to_dict() == again
    expected = copy.deepcopy(EVERYTHING)
    assert again["subtasks"]["fry {n} {x}"] == expected["subtasks"]["fry {n} {x}"]
    assert again["tasks"] == expected["tasks"]
    assert again["events"] == expected["events"]
    assert json.loads(json.dumps(again)) == again


def test_equality_is_by_content_and_order() -> None:
    """The order of subtasks numbers the actions, so it counts; the order of fields does not."""
    one = load_task({"subtasks": {"a": {"duration": 2, "reward": 1}, "b": {}}})
    fields = load_task({"subtasks": {"a": {"reward": 1.0, "duration": 2}, "b": None}})
    order = load_task({"subtasks": {"b": {}, "a": {"duration": 2, "reward": 1}}})
    assert one == fields
    assert hash(one) == hash(fields)
    assert one != order
    assert one.digest != order.digest
    assert one != "a task"


def test_a_task_is_a_value() -> None:
    """A task pickles, copies, does not change with its source, and gives out copies only."""
    source = copy.deepcopy(EVERYTHING)
    task = load_task(source)
    for twin in (pickle.loads(pickle.dumps(task)), copy.deepcopy(task), copy.copy(task)):
        assert twin == task
        assert twin.graph == task.graph
    source["subtasks"]["burn"]["success"] = 1
    task.to_dict()["subtasks"].clear()
    assert task == load_task(EVERYTHING)
    with pytest.raises(AttributeError):
        task.graph = None  # type: ignore[misc, assignment]


def test_the_digest_is_pinned() -> None:
    """The digest of a fixed task never changes: results refer to tasks by it."""
    assert parse_task(TEA).digest == "8dbe995edc2fab2a"


def test_an_error_is_a_value_too() -> None:
    """A TaskError pickles with its parts, and is a ValueError."""
    with pytest.raises(ValueError, match="'a'") as caught:
        load_task({"subtasks": {"b": {"needs": "a"}}})
    twin = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(twin, TaskError)
    assert str(twin) == str(caught.value)
    assert (twin.path, twin.file) == ("subtasks.b.needs", None)


def test_yaml_scalars() -> None:
    """Numbers with an exponent, quoted numbers, multi-line and anchored values read as one expects."""
    task = parse_task(
        "subtasks:\n"
        '  "1": {reward: 1e-3}\n'
        '  "on": {needs: "1"}\n'
        "  c:\n    needs: >\n      1\n      & on\n    uses: &none {}\n"
        "  d: {uses: *none, reward: -2.5e+2, success: .5}\n"
    )
    c, d = task.graph.subtasks[2:]
    assert [s.reward for s in task.graph.subtasks] == [0.001, 0, 0, -250]
    assert task.graph.gates[c.needs - 4].positive == (0, 1)
    assert d.success == 0.5
    assert task.to_dict()["subtasks"]["c"] == {"needs": "1 & on"}


def test_names_with_odd_spelling_come_back() -> None:
    """Names with spaces around them stay as written; a name that looks like a number is a name as a key."""
    task = load_task(
        {
            "name": " tea ",
            "agents": [{"name": " ann "}],
            "subtasks": {"1e5": {}, "b": {"needs": "1e5"}},
            "events": [{"at": 1, "agent": " ann ", "down": 2}, {"at": 2, "undo": " b "}],
        }
    )
    again = load_task(task.to_dict())
    assert (again, again.graph, again.name) == (task, task.graph, " tea ")
    assert parse_task("subtasks: {1e5: {}}").graph.names == ("1e5",)


def test_foreach_values_keep_their_type() -> None:
    """A field that is exactly ``{v}`` takes the value with its type, inside mappings and lists too."""
    task = load_task(
        {
            "subtasks": {
                "s {v} {b}": {
                    "foreach": {"v": [2, 3], "b": [True]},
                    "duration": {"uniform": ["{v}", 5]},
                    "attended": "{v}",
                    "repeatable": "{b}",
                    "consumes": {"item {v}": "{v}"},
                }
            }
        }
    )
    first, second = task.graph.subtasks
    assert (first.name, second.name) == ("s 2 true", "s 3 true")
    assert (second.duration.values, second.attended, second.repeatable) == ((3, 5), 3, True)
    assert [item.name for item in task.graph.items] == ["item 2", "item 3"]


def test_order_of_families_modes_and_copies() -> None:
    """Families (first variable outermost), modes and copies take their place in file order."""
    task = load_task(
        {
            "subtasks": {
                "z": {},
                "w {a} {b}": {"foreach": {"b": ["x", "y"], "a": [1, 2]}},
                "m": {"modes": {"q": {}, "p": {}}},
                "e": {},
            },
            "tasks": {"t": {"repeat": "m", "times": 2}, "u": {"repeat": "z", "times": 2}},
        }
    )
    assert task.graph.names == (
        "z.1", "z.2", "w 1 x", "w 2 x", "w 1 y", "w 2 y", "m [q].1", "m [q].2", "m [p].1", "m [p].2", "e",
    )  # fmt: skip


# --- random tasks ------------------------------------------------------------------


@st.composite
def mappings(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid task as a mapping that may use any part of the language."""
    count = draw(st.integers(1, 5))
    singles = [f"s{i}" for i in range(count)]
    references = [*singles]
    subtasks: dict[str, Any] = {name: {} for name in singles}
    if draw(st.booleans()):
        subtasks["f {v}"] = {"foreach": {"v": draw(st.lists(st.integers(1, 9), min_size=1, unique=True))}}
        references.append("f {v}")
    if draw(st.booleans()):
        subtasks["m"] = {"modes": {"x": {"duration": draw(st.integers(1, 5))}, "y": None}}
        references += ["m", "m [x]"]
    names = st.sampled_from(references)
    needs = st.one_of(
        st.just(True),
        names,
        st.builds("{} & ~{}".format, names, names),
        st.builds("({} | {}) & {}".format, names, names, names),
        st.builds("2 of ({}, {}, ~{})".format, names, names, names),
    )
    optional = {
        "duration": st.one_of(
            st.integers(1, 9), st.just("world"), st.just({"uniform": [2, 5]}), st.just({"choice": [1, 3]})
        ),
        "attended": st.none() | st.integers(0, 5),
        "needs": needs,
        "release": st.integers(0, 5),
        "deadline": st.none() | st.integers(0, 50),
        "due": st.integers(0, 9),
        "weight": st.floats(0, 9, allow_nan=False),
        "uses": st.just({"r": 1}) | st.just({}),
        "consumes": st.just({"i": 1}),
        "produces": st.just({"j": 2}),
        "skill": st.none() | st.just("cut"),
        "success": st.floats(0, 1),
        "attempts": st.integers(1, 3),
        "repeatable": st.booleans(),
        "reward": st.floats(-5, 5) | st.integers(-5, 5),
        "lags": st.dictionaries(
            st.sampled_from(["s0", "f {v}", "m"] if "f {v}" in references and "m" in references else ["s0"]),
            st.fixed_dictionaries({}, optional={"min": st.integers(0, 3), "max": st.integers(3, 6)}),
        ),
    }
    for name in subtasks:
        body = draw(st.fixed_dictionaries({}, optional=optional))
        if name == "s0":
            body.pop("lags", None)
        if name in ("f {v}", "m") and "lags" in body:
            body["lags"].pop(name, None)
        subtasks[name].update(body)
    children = st.recursive(
        names,
        lambda inner: st.one_of(
            *(
                st.fixed_dictionaries({kind: st.lists(inner, min_size=1, max_size=3)})
                for kind in ("all", "any", "choice", "1 of")
            )
        ),
        max_leaves=6,
    )
    tasks = {f"t{k}": {"all": [draw(children)]} for k in range(draw(st.integers(0, 3)))}
    task: dict[str, Any] = {
        "subtasks": subtasks,
        "tasks": tasks,
        "horizon": draw(st.integers(1, 99)),
        "resources": {"r": 1},
    }
    if draw(st.booleans()):
        task["goal"] = draw(needs)
    if draw(st.booleans()):
        task["agents"] = draw(
            st.sampled_from(
                [2, [{"name": "x", "skills": ["cut"]}], [{"name": "x", "skills": []}, {"name": "y"}]]
            )
        )
    if draw(st.booleans()):
        task["constraints"] = [f"G(~running({draw(names)}))"]
        task["events"] = [
            {"at": 2, "undo": draw(names)},
            {"at": 3, "known": draw(st.booleans()), "stock": {"k": 1}},
        ]
    return task


@given(mappings())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_load_to_dict_load_is_the_identity(mapping: dict[str, Any]) -> None:
    """Loading the normal form gives an equal task, graph and normal form, also by way of YAML and JSON."""
    task = load_task(mapping)
    again = task.to_dict()
    for twin in (
        load_task(again),
        parse_task(json.dumps(again), is_json=True),
        parse_task(yaml.safe_dump(again, sort_keys=False, allow_unicode=True)),
    ):
        assert twin == task
        assert twin.graph == task.graph
        assert twin.to_dict() == again


@given(mappings())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_schema_accepts_every_valid_task(mapping: dict[str, Any]) -> None:
    """The JSON Schema accepts what loads, as written and in normal form."""
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(mapping)
    validator.validate(load_task(mapping).to_dict())


def test_the_schema_is_valid_and_strict() -> None:
    """The schema is a JSON Schema, accepts the samples, and refuses unknown fields at every level."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(json.loads(json.dumps(schema)))
    validator.validate(EVERYTHING)
    validator.validate(yaml.safe_load(TEA))
    for broken in (
        {"subtasks": {"a": {}}, "horizn": 1},
        {"subtasks": {"a": {"durtion": 1}}},
        {"subtasks": {"a": {"duration": 0}}},
        {"subtasks": {"a {d}": {"foreach": {"d": []}}}},
        {"subtasks": {"a": {"lags": {"a": {"mn": 1}}}}},
        {"subtasks": {"a": {"modes": {"x": {"due": 1}}}}},
        {"subtasks": {"a": {}}, "tasks": {"t": {"al": ["a"]}}},
        {"subtasks": {"a": {}}, "events": [{"at": 1, "undoo": "a"}]},
        {"subtasks": {"a": {}}, "agents": 0},
        {"name": "x"},
    ):
        assert not validator.is_valid(broken), broken


# --- fuzz ----------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "subtasks",
        "tasks",
        "a",
        "b",
        "{d}",
        "foreach",
        "needs",
        "all",
        "repeat",
        "times",
        "2 of",
        "duration",
        "lags",
        "modes",
        "events",
        "at",
        "undo",
        "goal",
        "agents",
        "name",
        "min",
        "from",
        "start",
        "uniform",
        "a & ~b",
        "(",
        "~",
    ]
)
ODD: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        WORDS,
        st.text(max_size=5),
        st.dates(),
        st.binary(),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


def _accepts_or_refuses(load: Any, argument: Any, **options: Any) -> None:
    try:
        result = load(argument, **options)
    except TaskError as error:
        result = error
    assert isinstance(result, Task) or str(result).isprintable()


@given(st.dictionaries(WORDS, ODD, max_size=5), ODD)
@settings(max_examples=300, deadline=None)
def test_a_random_mapping_loads_or_is_refused(mapping: dict[str, Any], body: Any) -> None:
    """No mapping makes the loader fail in another way than TaskError."""
    _accepts_or_refuses(load_task, mapping)
    _accepts_or_refuses(load_task, {"subtasks": {"a": body, "b {d}": {"foreach": {"d": [1]}, "needs": body}}})
    _accepts_or_refuses(load_task, {"subtasks": {"a": {}}, "tasks": {"b": body}, "goal": body})
    _accepts_or_refuses(
        load_task, {"subtasks": {"a": {}}, "events": [body], "constraints": [body], "agents": body}
    )


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_refused(content: bytes) -> None:
    """No bytes make the loader fail in another way than TaskError, as YAML or as JSON."""
    _accepts_or_refuses(parse_task, content)
    _accepts_or_refuses(parse_task, content, is_json=True)


@given(st.text(alphabet="ab: {}[]&*!|>-?,#'\"\n\t%@`<=.0129~\x00\ud800é", max_size=60))
@settings(max_examples=300, deadline=None)
def test_random_yaml_is_refused(text: str) -> None:
    """No text made of YAML's signs makes the loader fail in another way than TaskError."""
    _accepts_or_refuses(parse_task, text)
    _accepts_or_refuses(parse_task, f"subtasks:\n  {text}")
    _accepts_or_refuses(parse_task, text, is_json=True)


@given(st.integers(0, len(TEA)), st.integers(0, 20), st.text(alphabet="ab: {}[]&*!|>-?,#'\"\n1", max_size=4))
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_loads_or_is_refused(start: int, length: int, instead: str) -> None:
    """A good file with a piece replaced loads or ends in TaskError."""
    _accepts_or_refuses(parse_task, TEA[:start] + instead + TEA[start + length :])


# --- limits -----------------------------------------------------------------------------


def test_the_limits_are_reached_but_not_passed() -> None:
    """4,096 subtasks and 256 agents load; one more of either is refused."""
    whole = {
        "subtasks": {"s {i} {j}": {"foreach": {"i": list(range(64)), "j": list(range(64))}}},
        "agents": 256,
    }
    task = load_task(whole)
    assert len(task.graph.subtasks) == 4096
    assert len(task.graph.agents) == 256
    with pytest.raises(TaskError, match="4096"):
        load_task({**whole, "subtasks": {**whole["subtasks"], "one more": {}}})
    copied = {"subtasks": {"a": {}}, "tasks": {"t": {"repeat": "a", "times": 4096}}}
    assert len(load_task(copied).graph.subtasks) == 4096


BOMBS: dict[str, dict[str, Any]] = {
    "foreach": {"subtasks": {"s {a} {b} {c}": {"foreach": {v: list(range(9000)) for v in "abc"}}}},
    "repeat": {
        "subtasks": {"a": {}},
        "tasks": {
            "t0": {"repeat": "a", "times": 2},
            **{f"t{k}": {"repeat": f"t{k - 1}", "times": 2} for k in range(1, 60)},
        },
    },
    "repeat once, many times": {
        "subtasks": {"a": {}},
        "tasks": {
            "t0": {"repeat": "a", "times": 1},
            **{f"t{k}": {"repeat": f"t{k - 1}", "times": 1} for k in range(1, 9000)},
        },
    },
    "long fields in a family": {
        "subtasks": {"s {i}": {"foreach": {"i": list(range(4096))}, "needs": " & ".join(["s {i}"] * 50_000)}}
    },
    "long fields in modes": {
        "subtasks": {
            "s": {"needs": " & ".join(["s"] * 100_000), "modes": {f"m{k}": {} for k in range(4000)}},
        }
    },
    "shared members": {
        "subtasks": {"s {i}": {"foreach": {"i": list(range(4000))}}},
        "tasks": {
            f"t{k}": {"all": ["s {i}" if k % 2 else f"t{k - 1}", *(f"s {k % 4000}" for _ in range(k % 3))]}
            for k in range(1, 9000)
        },
    },
    "distinct members": {
        "subtasks": {"s {i}": {"foreach": {"i": list(range(4000))}}},
        "tasks": {
            "t0": {"all": [f"s {i}" for i in range(2000)]},
            **{
                f"t{k}": {"all": ["t0", f"s {2000 + k % 2000}", f"s {2000 + k // 2000}"]}
                for k in range(1, 20_000)
            },
        },
    },
}


@pytest.mark.parametrize("name", BOMBS)
def test_an_expansion_bomb_ends_soon(name: str) -> None:
    """A small file that would grow without end is refused, or loads, within seconds."""
    begun = time.perf_counter()
    _accepts_or_refuses(load_task, BOMBS[name])
    assert time.perf_counter() - begun < 20


def test_compositions_nest_to_any_depth() -> None:
    """Twenty thousand named compositions inside each other load."""
    tasks = {f"t{k}": {"any": [f"t{k + 1}"]} for k in range(20_000)}
    task = load_task({"subtasks": {"a": {}}, "tasks": {**tasks, "t20000": {"all": ["a"]}}, "goal": "t0"})
    assert task.graph.goal == 0


def test_summary() -> None:
    """The summary names the task and counts what is in it."""
    assert summary(parse_task(TEA)) == (
        "tea for two: 4 subtasks, 2 tasks, 1 agent, 2 resources, 2 items; horizon 60; goal tea round"
    )
