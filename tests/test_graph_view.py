"""The graph view: it tells tasks apart, follows the lane, and shows nothing that is hidden."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from random_tasks import random_task
from stratagym.envs.api.options import Options
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.api.vector import TaskVectorEnv
from stratagym.envs.registry import find_domains
from stratagym.envs.step import Model
from stratagym.envs.task.graph import Duration
from stratagym.envs.task.spec import TaskError, load_task
from stratagym.envs.task.view import Knowledge
from stratagym.envs.views.graph import GraphView
from stratagym.envs.views.graph_facts import COLUMNS, KEEPABLE, MOVING, facts_of
from stratagym.envs.views.graph_parts import EDGE_KINDS, EDGE_NUMBERS, NODE_KINDS, NUMBERS
from stratagym.envs.worlds.scene import load_scene

KNOWLEDGE = ("full", "structure", "none")

WORKSHOP: dict[str, Any] = {
    "horizon": 60,
    "agents": [{"name": "ann", "skills": ["weld"]}, {"name": "bob"}],
    "resources": {"saw": 2},
    "items": {"plank": 4},
    "subtasks": {
        "cut": {"duration": 3, "attended": 1, "uses": {"saw": 1}, "consumes": {"plank": 1}},
        "weld": {"duration": {"uniform": [2, 5]}, "skill": "weld", "success": 0.8, "attempts": 3},
        "lift": {"agents": 2, "needs": "2 of (cut, weld, ~paint)", "lags": {"cut": {"min": 1, "max": 9}}},
        "paint": {
            "modes": {"by hand": {"duration": 6}, "by gun": {"duration": 2}},
            "deadline": 40,
            "due": 20,
        },
        "sweep": {
            "repeatable": True,
            "lags": {"sweep": {"min": 4, "from": "start"}},
            "produces": {"dust": 2},
        },
    },
    "goal": "lift & paint",
    "constraints": ["G ~(running(weld) & running(sweep))"],
    "events": [
        {"at": 4, "capacity": {"saw": 1}, "known": True},
        {"at": {"uniform": [6, 9]}, "duration": {"cut": 5}, "known": True},
    ],
}


def make(task: Any, **options: Any) -> TaskEnv:
    """Return an interpreted environment with the graph view."""
    env = gymnasium.make(
        "stratagym/Task-v0",
        task=task,
        view="graph",
        executor="interpreted",
        disable_env_checker=True,
        **options,
    )
    inner = env.unwrapped
    assert isinstance(inner, TaskEnv)
    return inner


def view_of(env: TaskEnv) -> GraphView:
    """Return the view that an environment writes."""
    return GraphView.of(env.model, env.options.knowledge)


def first(task: Any, **options: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return the first observation of a task."""
    return make(task, **options).reset(seed=0)[0]


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Return whether two observations are equal, shapes included."""
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


def changed(**fields: Any) -> dict[str, Any]:
    """Return the workshop with other fields of the task as a whole."""
    return {**copy.deepcopy(WORKSHOP), **fields}


def with_subtask(name: str, **fields: Any) -> dict[str, Any]:
    """Return the workshop with other fields of one subtask."""
    task = copy.deepcopy(WORKSHOP)
    task["subtasks"][name].update(fields)
    return task


# ------------------------------------------------------------------ the contract


@pytest.mark.parametrize("knowledge", KNOWLEDGE)
def test_check_env_passes(knowledge: str) -> None:
    """Gymnasium's checker accepts the view: it lies in its space, and every array is fresh."""
    check_env(make(WORKSHOP, knowledge=knowledge), skip_render_check=True)


def test_fields_of_the_workshop() -> None:
    """Kinds, numbers and edges of a task by hand stand where the page of the view says."""
    env = make(WORKSHOP)
    obs, _ = env.reset(seed=0)
    view = view_of(env)
    column = {name: k for k, name in enumerate(view.node_columns)}
    names = env.task.graph.names
    cut, lift = names.index("cut"), names.index("lift")
    assert obs["nodes"][cut, column["shortest"]] == 3
    assert obs["nodes"][cut, column["attended"]] == 1
    assert obs["nodes"][lift, column["agents"]] == 2
    assert obs["nodes"][names.index("weld"), column["spread"]] == pytest.approx(15 / 12)
    assert obs["time"].tolist() == [0, 60]
    edges = {
        (EDGE_KINDS[kind], int(source), int(target)): numbers.tolist()
        for kind, source, target, numbers, shown in zip(
            obs["edge_kind"], *obs["edges"], obs["edge_features"], obs["edge_mask"], strict=True
        )
        if shown
    }
    saw, plank = view.blocks["resource"][0], view.blocks["item"][0]
    assert view.edge_columns == EDGE_NUMBERS
    assert edges["lag from completion", cut, lift] == [1, 9, 0, 1]
    assert edges["uses", saw, cut] == [0, 0, 1, 0]
    assert edges["consumes", plank, cut] == [0, 0, 1, 0]
    assert ("able", view.blocks["agent"][0], names.index("weld")) in edges
    assert edges["capacity", view.blocks["event"][0], saw] == [0, 0, 1, 0]
    kinds = {EDGE_KINDS[kind] for kind in obs["edge_kind"]}
    assert {"positive", "negative", "member", "alternative", "goal", "atom running", "duration"} <= kinds
    by_kind = [int((obs["node_kind"] == code).sum()) for code in range(1, len(NODE_KINDS))]
    graph = env.task.graph
    assert by_kind == [6, len(graph.gates), 1, 2, 2, 2, 1, 2, 1]
    assert obs["automaton_next"].shape[0] == 1


def test_padding_is_blank() -> None:
    """What no mask shows is zero, in a family of tasks of different sizes too."""
    model = Model("sizes", 8, lambda k: random_task(k, size=4 + k, horizon=True))
    env = TaskEnv(model, Options(view="graph", executor="interpreted"))
    for k in range(model.count):
        obs, _ = env.reset(seed=0, options={"instance": k})
        assert env.observation_space.contains(obs)
        assert not obs["nodes"][obs["node_mask"] == 0].any()
        assert not obs["node_kind"][obs["node_mask"] == 0].any()
        assert not obs["edges"][:, obs["edge_mask"] == 0].any()
        assert not obs["edge_features"][obs["edge_mask"] == 0].any()
        assert obs["node_mask"][obs["edges"][:, obs["edge_mask"] == 1]].all()


# ------------------------------------------------------------------ tells tasks apart

DIFFERENT = {
    "needs": with_subtask("weld", needs="cut"),
    "gate count": with_subtask("lift", needs="1 of (cut, weld, ~paint)"),
    "literal": with_subtask("lift", needs="2 of (cut, weld, paint)"),
    "lag": with_subtask("lift", lags={"cut": {"min": 1, "max": 8}}),
    "lag origin": with_subtask("lift", lags={"cut": {"min": 1, "max": 9, "from": "start"}}),
    "window": with_subtask("weld", release=3),
    "deadline": with_subtask("weld", deadline=50),
    "modes": with_subtask("paint", modes={"by hand": {"duration": 6}, "by gun": {"duration": 3}}),
    "no modes": with_subtask("paint", modes=None),
    "automaton": changed(constraints=["G ~(running(weld) & done(sweep))"]),
    "table": changed(constraints=["G (running(weld) -> ~running(sweep)) & F running(weld)"]),
    "no constraint": changed(constraints=None),
    "goal": changed(goal="lift | paint"),
    "known event": changed(events=[{"at": 5, "capacity": {"saw": 1}, "known": True}, WORKSHOP["events"][1]]),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_tasks_that_differ_in_one_thing_look_different(name: str) -> None:
    """Under full knowledge each of needs, lags, windows, modes, automata and known events can be seen."""
    assert not same(first(WORKSHOP), first(DIFFERENT[name]))


def mutate(task: dict[str, Any], rng: np.random.Generator) -> None:
    """Change one field of one subtask, or of the task as a whole."""
    key = str(rng.choice(list(task["subtasks"])))
    body = task["subtasks"][key]
    number = int(rng.integers(1, 4))
    others = [k for k in task["subtasks"] if k != key and "{" not in k]
    changes: dict[str, Any] = {
        "duration": number + 4,
        "attended": number + 2,
        "release": 6 + number,
        "deadline": 40 + number,
        "due": 20 + number,
        "success": 0.15 * number,
        "attempts": 3 + number,
        "agents": 1 + number % 2,
        "repeatable": not body.get("repeatable"),
        "reward": 10 + number,
        "produces": {"slag": number},
        "lags": {others[0]: {"min": 5, "max": 6 + number}} if others else {},
        "needs": str(rng.choice(others)) if others else True,
        "modes": {"left": {"duration": 11}, "right": {"release": number}},
    }
    whole = {
        "horizon": 45 + number,
        "goal": key if "{" not in key else "~(a & ~a)",
        "constraints": [f"G ~(done({key}) & X running({key}))"],
        "agents": 3 + number,
    }
    if rng.random() < 0.2:
        field = str(rng.choice(list(whole)))
        task[field] = whole[field]
    else:
        field = str(rng.choice(list(changes)))
        body[field] = changes[field]


def meaning(task: dict[str, Any]) -> Any:
    """Return a task without what nobody can tell: names, and how a certain duration is written."""
    graph = load_task(task).graph
    subtasks = tuple(
        replace(s, name="", duration=Duration("fixed", (s.duration.shortest,)))
        if s.duration.shortest == s.duration.longest
        else replace(s, name="")
        for s in graph.subtasks
    )
    return replace(graph, subtasks=subtasks, compositions=())


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_one_change_anywhere_shows_at_once(seed: int, other: int) -> None:
    """Whatever single field of a random task is changed, if it means another task the first view differs."""
    task = random_task(seed, events=False)
    mutant = copy.deepcopy(task)
    mutate(mutant, np.random.default_rng(other))
    try:
        assume(meaning(task) != meaning(mutant))
    except TaskError:
        assume(False)
    assert not same(first(task), first(mutant))


# ------------------------------------------------------------------ follows the lane


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_what_moves_agrees_with_what_agents_get(seed: int) -> None:
    """Along random play, nodes and edges say what the words and numbers of the ``TaskView`` say."""
    env = make(random_task(seed, horizon=True), clock="tick")
    rng = np.random.default_rng(seed)
    obs, info = env.reset(seed=seed)
    for _ in range(25):
        check_moment(env, obs)
        rows = np.atleast_2d(info["action_mask"])
        actions = [int(rng.choice(np.flatnonzero(row))) for row in rows]
        obs, _, terminated, truncated, info = env.step(actions[0] if len(rows) == 1 else actions)
        if terminated or truncated:
            break
    check_moment(env, obs)


def check_moment(env: TaskEnv, obs: dict[str, np.ndarray[Any, Any]]) -> None:
    """Compare one observation with the ``TaskView`` of the same moment."""
    view, seen, mask = view_of(env), env.observation().task, env.observation().mask
    column = {name: k for k, name in enumerate(view.node_columns)}

    def at(kind: str, k: int, name: str) -> float:
        return float(obs["nodes"][view.blocks[kind][0] + k, column[name]])

    assert env.observation_space.contains(obs)
    assert seen.graph is not None
    for i, name in enumerate(seen.names):
        assert obs["node_mask"][i] == (name is not None)
        if name is None:
            assert not obs["nodes"][i].any()
            continue
        status, run, subtask = seen.status[i], seen.runs[i], seen.graph.subtasks[i]
        assert at("subtask", i, "running") == (status == "running")
        assert at("subtask", i, "eligible") == mask[:, i].any()
        assert status not in ("done", "closed", "failed") or at("subtask", i, status) == 1
        assert at("subtask", i, "shortest") == subtask.duration.shortest
        assert at("subtask", i, "deadline") == (-1 if subtask.deadline is None else subtask.deadline)
        since = 0 if run.succeeded is None else seen.time - run.succeeded + 1
        assert at("subtask", i, "since success") == since
    for k, resource in enumerate(seen.graph.resources):
        assert at("resource", k, "level") == seen.free[resource.name]
        assert at("resource", k, "capacity") == resource.capacity
    for k, item in enumerate(seen.graph.items):
        assert at("item", k, "level") == seen.stock[item.name]
    attended = set()
    for a, agent in enumerate(seen.agents):
        assert at("agent", a, "idle") == agent.idle
        if agent.attends is not None:
            attended.add((view.blocks["agent"][0] + a, seen.names.index(agent.attends)))
    pairs = obs["edges"][:, obs["edge_kind"] == EDGE_KINDS.index("attends")]
    assert {(int(a), int(i)) for a, i in pairs.T} == attended


# ------------------------------------------------------------------ hides what is hidden


@pytest.mark.parametrize("knowledge", KNOWLEDGE)
def test_unknown_events_leave_no_trace(knowledge: str) -> None:
    """Events that nobody knows of change nothing in the first observation."""
    plain = changed(events=None)
    surprise = changed(events=[{"at": 3, "undo": "cut"}, {"at": 9, "duration": {"lift": 7}}])
    assert same(first(plain, knowledge=knowledge), first(surprise, knowledge=knowledge))


@pytest.mark.parametrize("knowledge", KNOWLEDGE)
def test_what_has_not_appeared_is_blank(knowledge: Any) -> None:
    """Neither needs, gates nor numbers of a subtask that is to appear change the first observation."""

    def task(needs: str, duration: int, lag: int) -> dict[str, Any]:
        order = {"needs": needs, "duration": duration, "lags": {"a": {"max": lag}}, "uses": {"oven": 1}}
        return {
            "horizon": 30,
            "resources": {"oven": 2},
            "subtasks": {"a": {}, "b": {"needs": "a"}, "order": order, "c": {"needs": "order & (a | b)"}},
            "goal": "c",
            "events": [{"at": 9, "appear": "order"}],
        }

    tasks = [task("a & b", 3, 5), task("a | b", 8, 2), task("~a & (b | ~b)", 1, 1)]
    model = Model("hidden", len(tasks), lambda k: tasks[k])
    env = TaskEnv(model, Options(view="graph", knowledge=knowledge, executor="interpreted"))
    seen = [env.reset(seed=0, options={"instance": k})[0] for k in range(len(tasks))]
    assert same(seen[0], seen[1])
    assert same(seen[0], seen[2])
    assert seen[0]["node_mask"][: len(tasks[0]["subtasks"])].sum() == 3
    assert not seen[0]["nodes"][seen[0]["node_mask"] == 0].any()


def test_what_appears_is_shown() -> None:
    """Once a subtask has appeared, the view is that of a task in which it was there from the start."""
    task = {
        "horizon": 30,
        "subtasks": {
            "a": {"duration": 5},
            "order": {"needs": "a", "duration": 3},
            "c": {"needs": "order | a"},
        },
        "goal": "c",
    }
    hidden, open_ = (
        make({**task, "events": [{"at": 2, "appear": "order"}]}, clock="tick"),
        make(task, clock="tick"),
    )
    seen, there = hidden.reset(seed=0)[0], open_.reset(seed=0)[0]
    assert seen["node_mask"].sum() < there["node_mask"].sum()
    assert seen["edge_mask"].sum() < there["edge_mask"].sum()
    for _ in range(2):
        seen, there = hidden.step(3)[0], open_.step(3)[0]
    assert same(seen, there)


def test_structure_hides_times_and_chances() -> None:
    """Under ``structure``, tasks that differ in times, chances, automata and events look the same."""
    task = changed(constraints=None, events=None, horizon=80)
    task["subtasks"]["cut"].update(duration=7, attended=2, due=9)
    task["subtasks"]["weld"].update(duration=1, success=0.2, attempts=9)
    task["subtasks"]["lift"]["lags"] = {"weld": {"min": 3}}
    assert same(first(WORKSHOP, knowledge="structure"), first(task, knowledge="structure"))
    needs = with_subtask("weld", needs="cut")
    assert not same(first(WORKSHOP, knowledge="structure"), first(needs, knowledge="structure"))


def test_none_shows_three_bits_in_the_order_of_the_seed() -> None:
    """Under ``none`` there are done, running and eligible by action, and no edges."""
    env = make(WORKSHOP, knowledge="none")
    assert set(env.observation_space.spaces) == {"nodes", "node_mask", "time"}  # type: ignore[attr-defined]
    orders = set()
    for seed in range(8):
        obs, info = env.reset(seed=seed)
        able = info["action_mask"].any(axis=0)[:-1]
        assert (obs["nodes"][:, 2] >= able).all()
        status = env.status()
        assert obs["nodes"][:, 2].tolist() == [status[name] == "eligible" for name in env.action_names[:-1]]
        orders.add(env.action_names)
    assert len(orders) > 1


# ------------------------------------------------------------------ families


@pytest.mark.parametrize("domain", sorted(find_domains()))
@pytest.mark.parametrize("knowledge", ["full", "structure"])
def test_no_column_is_constant_over_a_family(domain: str, knowledge: Any) -> None:
    """Every static column of nodes and edges takes several values over what is shown of a family."""
    source = find_domains()[domain].source(size="small")
    tasks = [{"horizon": 300, **source.mapping(k)} for k in range(20)]
    graphs = [load_task(task).graph for task in tasks]
    place = source.scene
    scene = None if place is None else (lambda k: load_scene(place(k), load_task(tasks[k])))
    model = Model(f"small {domain}", len(tasks), lambda k: tasks[k], scene=scene)
    view = GraphView.of(model, knowledge)
    fixed = [view.fixed(graph).arrays for graph in graphs]
    nodes = np.concatenate([f["nodes"][f["node_mask"] == 1] for f in fixed])
    kinds = np.concatenate([f["node_kind"][f["node_mask"] == 1] for f in fixed])
    for kind, names in NUMBERS.items():
        for name in set(names) & set(view.node_columns):
            values = nodes[kinds == NODE_KINDS.index(kind)][:, view.node_columns.index(name)]
            assert len(set(values.tolist())) > 1 or name in MOVING, name
    for k, name in enumerate(view.edge_columns):
        values = np.concatenate([f["edge_features"][f["edge_mask"] == 1][:, k] for f in fixed])
        assert len(set(values.tolist())) > 1, name
    assert set(view.node_columns) < set(COLUMNS)


def test_moving_columns_move() -> None:
    """In play over a family that uses everything, no column of the nodes stays the same."""
    model = Model("everything", 40, lambda k: random_task(k, size=8, horizon=True))
    env = TaskEnv(model, Options(view="graph", clock="tick", executor="interpreted"))
    rng = np.random.default_rng(0)
    lows, highs = [], []
    for k in range(model.count):
        obs, info = env.reset(seed=k, options={"instance": k})
        for _ in range(30):
            nodes = obs["nodes"][obs["node_mask"] == 1]
            lows.append(nodes.min(axis=0))
            highs.append(nodes.max(axis=0))
            actions = [int(rng.choice(np.flatnonzero(row))) for row in info["action_mask"]]
            obs, _, terminated, truncated, info = env.step(actions)
            if terminated or truncated:
                break
    constant = np.flatnonzero(np.min(lows, axis=0) == np.max(highs, axis=0))
    assert [view_of(env).node_columns[k] for k in constant] == []


def test_one_view_serves_all_environments_of_a_model() -> None:
    """The view of a model is made once for each knowledge."""
    env = make(WORKSHOP)
    assert GraphView.of(env.model, "full") is GraphView.of(make(WORKSHOP).model, "full")
    assert GraphView.of(env.model, "full") is not GraphView.of(env.model, "structure")


def test_certified_facts_replace_the_look_at_all_tasks() -> None:
    """Facts that a certificate holds under ``graph/...`` give the same view without loading tasks."""
    from stratagym.envs.step import Certificate

    tasks = [random_task(k, horizon=True) for k in range(6)]
    model = Model("plain", len(tasks), lambda k: tasks[k])
    facts = facts_of([model.graph(k) for k in range(model.count)], "full")
    shapes: Any = {"graph/full": {name: (size,) for name, size in facts.sizes.items()}}
    kept: Any = {"graph/full": tuple(k for k, name in enumerate(KEEPABLE) if name in facts.kept)}
    known = Certificate(model.dims, (), shapes, kept, ())
    certified = Model("certified", len(tasks), lambda k: pytest.fail("a task was loaded"), known)
    assert GraphView.of(certified, "full").space == GraphView.of(model, "full").space
    assert GraphView.of(certified, "full").node_columns == GraphView.of(model, "full").node_columns


# ------------------------------------------------------------------ batches


@pytest.mark.parametrize("knowledge", KNOWLEDGE)
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_lanes_of_a_batch_equal_single_environments(knowledge: str, mode: str) -> None:
    """Lane ``i`` of a batch shows what the single environment with seed ``s + i`` shows, over episodes."""
    options = {"task": WORKSHOP, "view": "graph", "knowledge": knowledge, "executor": "interpreted"}
    batch = gymnasium.make_vec("stratagym/Task-v0", num_envs=3, autoreset_mode=mode, **options)
    singles = [make(WORKSHOP, knowledge=knowledge) for _ in range(3)]
    seen, info = batch.reset(seed=11)
    alone = [env.reset(seed=11 + k) for k, env in enumerate(singles)]
    rng, over = np.random.default_rng(0), [False] * 3
    ends = 0
    for _ in range(70):
        assert batch.observation_space.contains(seen)
        for k in range(3):
            assert same({name: part[k] for name, part in seen.items()}, alone[k][0])
        actions = np.array(
            [[rng.choice(np.flatnonzero(row)) for row in info["action_mask"][k]] for k in range(3)]
        )
        seen, _, _, _, info = batch.step(actions)
        for k, env in enumerate(singles):
            if over[k]:
                alone[k], over[k] = env.reset(), False
                continue
            obs, _, terminated, truncated, own = env.step(actions[k])
            alone[k], over[k] = (obs, own), terminated or truncated
            if over[k] and mode == "SameStep":
                assert same({name: part[k] for name, part in info["final_obs"].items()}, obs)
                alone[k], over[k] = env.reset(), False
                ends += 1
            ends += int(over[k])
    assert ends > 0
    batch.close()


@pytest.mark.parametrize("knowledge", KNOWLEDGE)
def test_lanes_show_what_single_environments_show(knowledge: Knowledge) -> None:
    """Many lanes on tasks of different sizes, with events and automata, are written as one alone is."""
    count = 6
    model = Model("lanes", count, lambda k: random_task(30 + k, size=4 + k, horizon=True))
    options = Options(view="graph", knowledge=knowledge, reward="task", executor="interpreted")
    lanes = TaskVectorEnv(count, model, options, autoreset_mode="Disabled")
    singles = [TaskEnv(model, options) for _ in range(count)]
    rng = np.random.default_rng(0)
    shown, info = lanes.reset(seed=0)
    alone = [env.reset(seed=k)[0] for k, env in enumerate(singles)]
    over = np.zeros(count, bool)
    for _ in range(40):
        for k in np.flatnonzero(~over):
            assert same({name: part[k] for name, part in shown.items()}, alone[k])
        masks = info["action_mask"].reshape(count, model.agents, -1)
        actions = (masks * rng.random(masks.shape)).argmax(axis=-1)
        shown, _, terminated, truncated, info = lanes.step(actions if model.agents > 1 else actions[:, 0])
        for k in np.flatnonzero(~over):
            alone[k] = singles[k].step(actions[k] if model.agents > 1 else actions[k, 0])[0]
        over |= terminated | truncated
    assert {int(i) for i in info["instance"]} != {int(info["instance"][0])}
