"""What agents may know: nothing hidden leaks, and everything granted can be seen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contract_cases import DOMAIN_IDS, FORGE, MOVE, STORM, TEA
from random_tasks import random_task
from stratagym.envs.api.course import difference, episode
from stratagym.envs.api.options import Options
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.certificates import certificate_of
from stratagym.envs.domains.domain import SPLITS
from stratagym.envs.registry import TASK_ID
from stratagym.envs.step import Model
from stratagym.envs.task import layout as at
from stratagym.envs.task.spec import TaskError, load_task
from stratagym.envs.views.flat import FEATURES, static_parts

LEVELS = ("structure", "none")


def make(task: dict[str, Any], **options: Any) -> Any:
    """Make a task's environment without wrappers."""
    return gymnasium.make(TASK_ID, task=task, **options).unwrapped


def changed(task: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Return a changed copy of a task."""
    other = copy.deepcopy(task)
    change(other)
    return other


# ------------------------------------------------------------------ nothing leaks

HIDDEN_FROM_STRUCTURE = {
    "duration": lambda t: t["subtasks"]["boil water"].update(duration=5),
    "drawn duration": lambda t: t["subtasks"]["boil water"].update(duration={"uniform": [2, 9]}),
    "attended": lambda t: t["subtasks"]["boil water"].update(attended=3),
    "lag": lambda t: t["subtasks"]["brew"]["lags"]["boil water"].update(max=9),
    "deadline": lambda t: t["subtasks"]["serve"].update(deadline=33),
    "due": lambda t: t["subtasks"]["serve"].update(due=9),
    "weight": lambda t: t["subtasks"]["serve"].update(weight=7),
    "success": lambda t: t["subtasks"]["serve"].update(success=0.4),
    "attempts": lambda t: t["subtasks"]["serve"].update(attempts=2),
    "release": lambda t: t["subtasks"]["serve"].update(release=4),
    "horizon": lambda t: t.update(horizon=50),
    "constraint": lambda t: t.update(constraints=["G ~(running(brew) & running(warm pot))"]),
    "event": lambda t: t.update(events=[{"at": 9, "capacity": {"kettle": 0}}]),
    "known event": lambda t: t.update(events=[{"at": 9, "capacity": {"kettle": 0}, "known": True}]),
}
"""Changes that must not show at first under ``structure``; ``none`` hides them too."""

HIDDEN_FROM_NONE = {
    "needs": lambda t: t["subtasks"]["brew"].update(needs="boil water"),
    "uses": lambda t: t["subtasks"]["serve"].update(uses={"table": 1}),
    "consumes": lambda t: t["subtasks"]["brew"].update(consumes={"leaves": 2}),
    "produces": lambda t: t["subtasks"]["brew"].update(produces={"tea": 2}),
    "stock": lambda t: t.update(items={"leaves": 2}),
    "capacity": lambda t: t.update(resources={"kettle": 2, "table": 1}),
    "reward": lambda t: t["subtasks"]["brew"].update(reward=3),
    "goal": lambda t: t.update(goal="brew"),
    "repeatable": lambda t: t["subtasks"]["serve"].update(repeatable=True),
}
"""Changes that must not show at first under ``none``."""


def assert_hidden(one: dict[str, Any], other: dict[str, Any], level: str) -> None:
    """Assert that two tasks of one family are the same to an agent at first."""
    for seed in range(3):
        seen = [first_of_pair(one, other, k, level, seed) for k in (0, 1)]
        for name, a, b in zip(("obs", "info", "view", "mask", "names"), *seen, strict=True):
            assert difference(a, b, name) is None


def first_of_pair(
    one: dict[str, Any], other: dict[str, Any], k: int, level: Any, seed: int
) -> tuple[Any, ...]:
    """Return all that an agent gets first of one of two tasks of a family: they share their spaces."""
    model = Model("pair", 2, (one, other).__getitem__, default_horizon=False)
    env = TaskEnv(model, Options(knowledge=level))
    obs, info = env.reset(seed=seed, options={"instance": k})
    seen = env.observation()
    return obs, info, seen.task, seen.mask, env.action_names


@pytest.mark.parametrize("name", HIDDEN_FROM_STRUCTURE)
@pytest.mark.parametrize("level", LEVELS)
def test_times_do_not_leak(name: str, level: str) -> None:
    """Two tasks that differ in a time, a chance or an event look the same at first without full knowledge."""
    assert_hidden(TEA, changed(TEA, HIDDEN_FROM_STRUCTURE[name]), level)


@pytest.mark.parametrize("name", HIDDEN_FROM_NONE)
def test_graphs_do_not_leak(name: str) -> None:
    """Two tasks that differ in their graph look the same at first where nothing is known."""
    assert_hidden(TEA, changed(TEA, HIDDEN_FROM_NONE[name]), "none")


@pytest.mark.parametrize("level", ["full", *LEVELS])
def test_unknown_events_do_not_leak(level: str) -> None:
    """An event that agents do not know of shows at no level, also in what has been drawn."""
    change = {"at": {"uniform": [6, 9]}, "capacity": {"kettle": 0}}
    other = changed(TEA, lambda t: t.update(events=[change]))
    later = changed(TEA, lambda t: t.update(events=[{**change, "at": 12, "capacity": {"kettle": 5}}]))
    assert_hidden(other, later, level)


APPEARING = {
    "duration": {"duration": 4, "attended": 1},
    "reward": {"reward": 9},
    "deadline": {"deadline": 22},
    "due": {"due": 5, "weight": 3},
    "needs": {"needs": "boil water"},
    "lag": {"lags": {"boil water": {"min": 2}}},
    "attempts": {"attempts": 1},
    "success": {"success": 0.5},
    "uses": {"uses": {"kettle": 1}},
    "items": {"consumes": {"leaves": 1}, "produces": {"tea": 1}},
    "repeatable": {"repeatable": True},
}


@pytest.mark.parametrize("level", ["full", *LEVELS])
@pytest.mark.parametrize("name", APPEARING)
def test_what_has_not_appeared_does_not_leak(name: str, level: str) -> None:
    """What a subtask is like before it appears shows at no level."""
    events = [{"at": 9, "appear": "warm pot"}, {"at": 12, "duration": {"serve": 3}}]
    hidden = changed(TEA, lambda t: t.update(events=events))
    other = changed(hidden, lambda t: t["subtasks"]["warm pot"].update(APPEARING[name]))
    assert_hidden(hidden, other, level)


def test_runs_of_drawn_durations_do_not_leak() -> None:
    """How long a run will take is not told before its end, whatever is known."""
    task = {
        "horizon": 30,
        "agents": 2,
        "subtasks": {"a": {"duration": {"choice": [3, 9]}}, "b": {"duration": 1, "repeatable": True}},
        "goal": "a & b",
    }
    shown: dict[int, Any] = {}
    for seed in range(20):
        env = make(task, clock="tick")
        env.reset(seed=seed)
        env.step([0, 1])
        obs, _, _, _, info = env.step([2, 1])
        seen = env.observation().task
        end = 2
        while env.status()["a"] == "running":
            end = env.step([2, 2])[4]["time"]
        shown.setdefault(end, (obs, info, seen))
    assert set(shown) == {3, 9}
    assert difference(shown[3][:2], shown[9][:2]) is None
    assert shown[3][2] == shown[9][2]


@pytest.mark.parametrize("task", [TEA, MOVE, FORGE, STORM], ids=lambda task: task["name"])
def test_refusals_and_dead_ends_are_withheld(task: dict[str, Any]) -> None:
    """No refusal and no dead end tells of a hidden graph; no tardiness is told without full knowledge."""
    plain = {None, "unknown", "busy", "finished", "refused"}
    told = set()
    for level in LEVELS:
        env = make(task, knowledge=level)
        for seed in range(4):
            for moment in episode(env, seed, illegal=0.6):
                reasons = np.atleast_1d(np.array(moment.info["refusal"], object))
                told |= set(reasons) if level == "none" else set()
                assert (moment.info["dead_end"] is None) == (level == "none")
                assert moment.over or moment.info["tardiness"] == 0.0
    assert "refused" in told
    assert told <= plain


HIDDEN_KINDS = {
    "structure": {"close", "duration", "deadline"},
    "none": {"close", "duration", "deadline", "capacity", "stock"},
}


@pytest.mark.parametrize("level", LEVELS)
def test_events_are_withheld(level: str) -> None:
    """Events that tell of what is hidden are not told."""
    env, full = make(STORM, knowledge=level, clock="tick"), make(STORM, clock="tick")
    kinds: dict[str, set[str]] = {}
    for name, e in (("less", env), ("full", full)):
        kinds[name] = {h["kind"] for s in range(5) for m in episode(e, s) for h in m.info["events"]}
    assert kinds["full"] >= {"capacity", "stock", "deadline", "duration", "agent", "appear"}
    assert kinds["full"] - kinds["less"] == kinds["full"] & HIDDEN_KINDS[level]


def test_order_is_shuffled() -> None:
    """Under ``none`` the order of the subtasks is drawn by the episode's seed; opaque names tell nothing."""
    orders = set()
    for seed in range(40):
        env = make(TEA, knowledge="none")
        env.reset(seed=seed)
        orders.add(env.action_names)
        again = make(TEA, knowledge="none")
        again.reset(seed=seed)
        assert again.action_names == env.action_names
        assert env.action_names[-1] == "wait"
        assert set(env.action_names) == {*TEA["subtasks"], "wait"}
    assert len(orders) > 12
    env = make(TEA, knowledge="none", opaque=True)
    _, info = env.reset(seed=0)
    assert env.action_names == ("subtask 0", "subtask 1", "subtask 2", "subtask 3", "wait")
    assert env.observation().task.names == env.action_names[:-1]
    _, _, _, _, info = env.step(int(np.flatnonzero(info["action_mask"])[0]))
    words = {e["subtask"] for e in info["events"]}
    assert words
    assert not words & set(TEA["subtasks"])


# ------------------------------------------------------------------ the probe


def logistic(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], steps: int = 300) -> np.ndarray[Any, Any]:
    """Return the weights of a logistic regression, by gradient descent with a little decay."""
    w = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        w -= 1.0 * (x.T @ (p - y) / len(y) + 1e-3 * w)
    return w


def probe(level: str, instances: int = 60, pairs: int = 24) -> float:
    """Return how often first observations tell whether one subtask is in another's needs, on unseen graphs.

    Pairs of subtasks that are both locked or both eligible are balanced between edges and
    others within each kind of pair, so that 0.5 is chance.
    """
    env = gymnasium.make("stratagym/Graph-v0", knowledge=level, instances=instances, size="small").unwrapped
    draws, rows = np.random.default_rng(0), []
    for k in range(instances):
        obs, info = env.reset(seed=k, options={"instance": k})
        graph = env.task.graph
        n = len(graph.subtasks)
        order = [graph.names.index(name) for name in env.action_names[:n]]
        edges = static_parts(graph, "full")["needs"][np.ix_(order, order)] == 1
        able = info["action_mask"][:n].astype(bool)
        kinds: dict[tuple[bool, bool], dict[bool, list[tuple[int, int]]]] = {}
        for i in range(n):
            for j in range(n):
                if i != j:
                    kind = kinds.setdefault((bool(able[i]), bool(able[j])), {True: [], False: []})
                    kind[bool(edges[i, j])].append((i, j))
        for by_edge in kinds.values():
            count = min(len(by_edge[True]), len(by_edge[False]), pairs)
            for edge, found in by_edge.items():
                for p in draws.permutation(len(found))[:count]:
                    i, j = found[p]
                    rows.append((k, edge, features(obs, env, i, j)))
    x = np.array([r[2] for r in rows])
    x = np.concatenate([(x - x.mean(0)) / (x.std(0) + 1e-9), np.ones((len(x), 1))], 1)
    y, graphs = np.array([r[1] for r in rows], float), np.array([r[0] for r in rows])
    train = graphs < instances * 2 // 3
    w = logistic(x[train], y[train])
    return float(((x[~train] @ w > 0) == (y[~train] > 0)).mean())


def features(obs: Any, env: Any, i: int, j: int) -> np.ndarray[Any, Any]:
    """Return what a first observation says about a pair: both columns, their places, what stands there."""
    columns = obs["subtasks"].astype(float)
    n = columns.shape[1]
    places = np.zeros(2 * n)
    places[i], places[n + j] = 1, 1
    return np.concatenate(
        [columns[:, i], columns[:, j], columns[:, i] * columns[:, j], places, entry(obs, env, i, j)]
    )


def entry(obs: Any, env: Any, i: int, j: int) -> np.ndarray[Any, Any]:
    """Return the static numbers that stand at pair ``i, j`` of the blocks that have such places."""
    if "static" not in obs:
        return np.zeros(1)
    whole, found = np.zeros(sum(int(np.prod(b.shape)) for b in env.view.blocks)), []
    kept = np.arange(len(whole)) if env.view.kept is None else env.view.kept
    whole[kept] = obs["static"]
    start = 0
    for block in env.view.blocks:
        size = int(np.prod(block.shape))
        if block.name == "needs":
            found.append(whole[start : start + size].reshape(block.shape)[i, j])
        start += size
    return np.array(found)


def test_a_probe_finds_no_hidden_edges() -> None:
    """A probe on first observations finds hidden edges at chance, and shown ones well above it."""
    hidden, shown = probe("none"), probe("structure")
    assert abs(hidden - 0.5) < 0.06
    assert shown > 0.9


# ------------------------------------------------------------------ what is granted shows

CHANGES = {
    "needs": lambda t: t["subtasks"]["brew"].update(needs="boil water | warm pot"),
    "negation": lambda t: t["subtasks"]["brew"].update(needs="boil water & ~warm pot"),
    "lag": lambda t: t["subtasks"]["brew"]["lags"]["boil water"].update(max=7),
    "lag origin": lambda t: t["subtasks"]["brew"]["lags"]["boil water"].update({"from": "start"}),
    "release": lambda t: t["subtasks"]["serve"].update(release=3),
    "deadline": lambda t: t["subtasks"]["serve"].update(deadline=39),
    "due": lambda t: t["subtasks"]["serve"].update(due=15),
    "duration": lambda t: t["subtasks"]["serve"].update(duration=3),
    "attended": lambda t: t["subtasks"]["serve"].update(attended=1),
    "skill": lambda t: t.update(agents=[{"name": "ann", "skills": ["cook"]}]),
    "resource": lambda t: t["subtasks"]["serve"].update(uses={"table": 1}),
    "item": lambda t: t["subtasks"]["brew"].update(produces={"tea": 2}),
    "reward": lambda t: t["subtasks"]["serve"].update(reward=6),
    "success": lambda t: t["subtasks"]["serve"].update(success=0.5),
    "goal": lambda t: t.update(goal="serve & warm pot"),
    "constraint": lambda t: t.update(constraints=["G ~(running(brew) & running(warm pot))"]),
    "known event": lambda t: t.update(events=[{"at": 5, "undo": "warm pot", "known": True}]),
}


def static_numbers(task: dict[str, Any]) -> Any:
    """Return the static part of the flat view in named arrays."""
    return {name: part.tolist() for name, part in static_parts(load_task(task).graph, "full").items()}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_shows(name: str) -> None:
    """Two tasks that differ in one field look different at first under full knowledge."""
    other = changed(TEA, CHANGES[name])
    one, two = make(TEA).reset(seed=0)[0], make(other).reset(seed=0)[0]
    assert static_numbers(TEA) != static_numbers(other)
    assert difference(one, two) is not None


def test_each_automaton_shows() -> None:
    """Tasks that differ only in a formula look different, be it by one operator."""
    atoms = ["F done(brew)", "F running(brew)", "F started(brew)", "F done(serve)"]
    shapes = ["G done(brew)", "X done(brew)", "WX done(brew)", "done(brew) U done(serve)"]
    formulas = [*atoms, *shapes, "~done(brew) U done(serve)"]
    seen = [static_numbers({**TEA, "constraints": [formula]}) for formula in formulas]
    assert all(seen[i] != seen[j] for i in range(len(seen)) for j in range(i))


def rewrite_needs(task: dict[str, Any], draw: np.random.Generator) -> None:
    """Give one subtask other needs."""
    keys = [k for k, s in task["subtasks"].items() if "foreach" not in s]
    body = task["subtasks"][keys[int(draw.integers(len(keys)))]]
    needs = body.get("needs")
    body["needs"] = f"~({needs})" if isinstance(needs, str) else f"{keys[0]}"


def rewrite_lag(task: dict[str, Any], draw: np.random.Generator) -> None:
    """Move one lag's window by a tick."""
    lags = [lag for s in task["subtasks"].values() for lag in (s.get("lags") or {}).values()]
    lag = lags[int(draw.integers(len(lags)))]
    field = "max" if "max" in lag else "min"
    lag[field] = lag.get(field, 0) + 1


def rewrite_window(task: dict[str, Any], draw: np.random.Generator) -> None:
    """Move one release, deadline or due date by a tick."""
    bodies = [(s, f) for s in task["subtasks"].values() for f in ("release", "deadline", "due") if f in s]
    body, field = bodies[int(draw.integers(len(bodies)))]
    body[field] += 1


def rewrite_formula(task: dict[str, Any], draw: np.random.Generator) -> None:
    """Negate one formula."""
    formulas = task["constraints"]
    k = int(draw.integers(len(formulas)))
    formulas[k] = f"~({formulas[k]})"


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rewrite=st.sampled_from([rewrite_needs, rewrite_lag, rewrite_window, rewrite_formula]),
)
def test_rewritten_random_tasks_look_different(seed: int, rewrite: Any) -> None:
    """Random tasks that differ only in needs, lags, windows or automata look different."""
    task = random_task(seed, events=False)
    other = copy.deepcopy(task)
    try:
        rewrite(other, np.random.default_rng(seed))
        one, two = load_task(task).graph, load_task(other).graph
    except (KeyError, ValueError, IndexError, TaskError):
        assume(False)
    names = ("subtasks", "gates", "goal", "constraints", "dues", "choices")
    assume(any(getattr(one, name) != getattr(two, name) for name in names))
    assume([c.automaton for c in one.constraints] != [c.automaton for c in two.constraints] or any(
        getattr(one, name) != getattr(two, name) for name in names if name != "constraints"
    ))  # fmt: skip
    assert static_numbers(task) != static_numbers(other)


# ------------------------------------------------------------------ nothing is constant


IN_WORLDS = [i for i in DOMAIN_IDS if gymnasium.make(i, instances=1).unwrapped.model.kernel is not None]
"""Ids whose tasks are played somewhere."""


@pytest.mark.parametrize("env_id", IN_WORLDS)
def test_no_feature_of_a_world_is_constant(env_id: str) -> None:
    """What a certificate keeps of the view is what moves in random play and a witness's, and nothing else."""
    from stratagym.baselines.certify import what_moves
    from stratagym.envs.registry import source_of

    domain, models = env_id.split("/")[1].removesuffix("-v0"), []
    for split in SPLITS:
        source = source_of(domain, {"split": split})
        known = certificate_of(source)
        assert known is not None
        bare = replace(known, moves={}, shapes={}, kept={})
        models.append(Model(source.key, source.count, source.mapping, bare, scene=source.scene))
    for clock in ("tick", "decision"):
        assert tuple(map(tuple, what_moves(models, clock))) == tuple(known.moves[clock])


@pytest.mark.parametrize("env_id", [i for i in DOMAIN_IDS if i not in IN_WORLDS])
def test_no_feature_is_constant(env_id: str) -> None:
    """No feature row and no number of the state is constant over a family's episodes."""
    lanes = gymnasium.make_vec(env_id, num_envs=200)
    rng = np.random.default_rng(7)
    wait = np.linspace(0.0, 0.7, 200)
    obs, info = lanes.reset(seed=1000)
    low, high = dict(obs), dict(obs)
    for _ in range(200):
        taste = info["action_mask"] * rng.random(info["action_mask"].shape)
        taste[:, -1] = rng.random(200) < wait
        obs, _, _, _, info = lanes.step(taste.argmax(axis=1))
        low = {key: np.minimum(low[key], obs[key]) for key in low}
        high = {key: np.maximum(high[key], obs[key]) for key in high}
    moves = low["subtasks"].min(axis=(0, 2)) < high["subtasks"].max(axis=(0, 2))
    names = [FEATURES[k] for k in lanes.unwrapped.view.features]  # type: ignore[attr-defined]
    assert [name for name, moving in zip(names, moves, strict=True) if not moving] == []
    # The state: the clock twice, then each agent's idle and down, each level, each automaton.
    still = low["state"].min(axis=0) == high["state"].max(axis=0)
    assert np.flatnonzero(still).tolist() == []
    lanes.close()


@pytest.mark.parametrize("level", ["full", "structure"])
@pytest.mark.parametrize("env_id", DOMAIN_IDS)
def test_no_static_number_is_constant(env_id: str, level: str) -> None:
    """No static number is the same in all instances of a family; its certificate says which differ."""
    rows = []
    for split in SPLITS:
        env = gymnasium.make(env_id, knowledge=level, split=split).unwrapped
        assert env.model.certificate is not None
        rows += [env.view.static(env.model.graph(k)) for k in range(env.model.count)]
    constant = np.flatnonzero((np.array(rows) == rows[0]).all(axis=0))
    assert len(constant) == 0, f"{len(constant)} of {len(rows[0])} numbers are constant"


# ------------------------------------------------------------------ known events


def test_known_durations_are_told_apart() -> None:
    """Durations that an event brings, of one mean but drawn otherwise, look different in the flat view."""
    shown = set()
    for duration in (3, {"uniform": [1, 5]}, {"choice": [1, 5]}, {"choice": [1, 3, 5]}):
        event = {"at": 5, "duration": {"serve": duration}, "known": True}
        env = make(changed(TEA, lambda t, e=event: t.update(events=[e])))
        shown.add(tuple(env.reset(seed=0)[0]["static"].tolist()))
    assert len(shown) == 4


# ------------------------------------------------------------------ in play


@pytest.mark.parametrize("level", LEVELS)
def test_the_horizon_is_withheld_in_play(level: str) -> None:
    """Two tasks that differ in their horizon alone look the same at every step, waiting or not."""
    shown = []
    for horizon in (40, 55):
        env = make(changed(TEA, lambda t, h=horizon: t.update(horizon=h)), knowledge=level, clock="tick")
        env.reset(seed=0)
        shown.append([env.step(k % 3)[0]["state"].tolist() for k in range(20)])
    assert shown[0] == shown[1]


ROLL_CALL: dict[str, Any] = {
    "horizon": 40,
    "subtasks": {name: {"duration": 2, "repeatable": True} for name in "abcdef"},
    "events": [{"at": 1, "agent": "agent 0", "down": 8}],
}


@pytest.mark.parametrize("level", LEVELS)
def test_for_how_long_an_agent_is_down_is_withheld_from_batches(level: str) -> None:
    """The amount of the event `agent` is a duration."""
    for knowledge, told in (("full", 8), (level, 0)):
        envs = gymnasium.make_vec(TASK_ID, num_envs=2, task=ROLL_CALL, knowledge=knowledge)
        envs.reset(seed=0)
        events = envs.step(np.array([6, 6]))[4]["events"]
        assert [int(row[4]) for row in events if row[2] == at.E_UNDO + at.X_AGENT] == [told, told]


@pytest.mark.parametrize("opaque", [False, True])
def test_names_of_actions_in_a_batch(opaque: bool) -> None:
    """A batch names its actions as the single environment of its first lane does."""
    options: dict[str, Any] = {"task": ROLL_CALL, "knowledge": "none", "opaque": opaque}
    envs = gymnasium.make_vec(TASK_ID, num_envs=2, **options).unwrapped
    env = gymnasium.make(TASK_ID, **options).unwrapped
    for seed in range(4):
        env.reset(seed=seed)
        envs.reset(seed=seed)
        assert envs.action_names == env.action_names  # type: ignore[attr-defined]


def test_a_batch_goes_on_in_its_order() -> None:
    """A state put back brings the order of the subtasks with it."""
    envs: Any = gymnasium.make_vec(TASK_ID, num_envs=2, task=ROLL_CALL, knowledge="none").unwrapped
    envs.reset(seed=3)
    state = envs.get_state()
    expected = envs.step(np.array([0, 0]))[4]["events"]
    envs.reset(seed=77)
    envs.set_state(state)
    assert np.array_equal(envs.step(np.array([0, 0]))[4]["events"], expected)
