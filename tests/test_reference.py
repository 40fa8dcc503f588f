"""The naive second implementation does what the rules say, fact by fact."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from random_tasks import random_task, small_task
from reference import Reference
from reference_task import (
    accepts,
    atoms_of,
    initial_state,
    living_states,
    next_state,
    parse_expression,
    parse_formula,
    read_task,
)
from scenarios import SCENARIOS, Scenario
from stratagym.envs.rng import DURATION, EVENT, SUCCESS, draw, draw_below, threshold
from stratagym.envs.task.spec import load_task

CLOCKS = ("tick", "decision", "event")


def check(sim: Reference, expected: dict[str, Any]) -> None:
    """Assert what a scenario says of the state and of the last step."""
    over = "terminated" if sim.terminated else "truncated" if sim.truncated else None
    allowed = [[name for name, may in zip(sim.names, row, strict=False) if may] for row in sim.mask()]
    seen: dict[str, Any] = {
        "time": sim.time,
        "elapsed": sim.elapsed,
        "refusals": sim.refusals,
        "can": [sorted(row) for row in allowed],
        "reward": sim.reward,
        "tardiness": sim.tardiness,
        "over": over,
        "success": sim.success,
        "dead": sim.automata_dead,
        "names": sim.names,
        "events": sorted(sim.events),
    }
    for key, value in expected.items():
        if key in ("status", "stock", "free"):
            whole = getattr(sim, key)()
            assert {name: whole[name] for name in value} == value, key
        elif key == "events":
            assert seen[key] == sorted(value)
        elif key == "can":
            assert seen[key] == [sorted(row) for row in value]
        else:
            assert seen[key] == value, key


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_scenario(scenario: Scenario) -> None:
    """Every hand-worked episode takes its course."""
    sim = Reference(scenario.mapping, scenario.seed, scenario.clock)
    check(sim, scenario.reset)
    for actions, expected in scenario.steps:
        assert not sim.terminated
        assert not sim.truncated
        sim.step([len(sim.names) if action == "-" else sim.names.index(action) for action in actions])
        check(sim, expected)


def test_scenarios_are_valid() -> None:
    """The loader accepts the task of every hand-worked episode."""
    for name, scenario in SCENARIOS.items():
        assert list(load_task(scenario.mapping).graph.names) == list(
            read_task(scenario.mapping)["subtasks"]
        ), name


# --- Random play


def play(
    sim: Reference, rng: np.random.Generator, steps: int = 50, legal: float = 0.8
) -> Iterator[list[int]]:
    """Yield the actions of random play before each step is taken, until the end or ``steps``."""
    for _ in range(steps):
        if sim.terminated or sim.truncated:
            return
        actions = []
        for row in sim.mask():
            allowed = [i for i, may in enumerate(row) if may]
            anything = rng.random() >= legal
            actions.append(int(rng.integers(len(row))) if anything else int(rng.choice(allowed)))
        yield actions
        sim.step(actions)


def accepted_alone(sim: Reference, agent: int, action: int) -> bool:
    """Return whether a copy accepts the action of this agent, as many idle others joining as it needs."""
    twin = copy.deepcopy(sim)
    name = twin.names[action]
    others = [other for other in twin.able_agents(name) if other != agent]
    joining = [agent, *others[: twin.task["subtasks"][name]["agents"] - 1]]
    wait = len(twin.names)
    twin.clock = "tick"
    twin.step([action if a in joining else wait for a in range(len(sim.refusals))])
    return twin.refusals[agent] is None


@pytest.mark.parametrize("clock", CLOCKS)
def test_random_play(clock: str) -> None:
    """Random play never breaks, keeps the counts sane, and ends at the horizon at the latest."""
    for seed in range(300):
        sim = Reference(random_task(seed), seed, clock)
        horizon, before = sim.task["horizon"], 0
        for _ in play(sim, np.random.default_rng(seed)):
            assert all(amount >= 0 for amount in sim.stock().values())
            assert horizon is None or sim.time < horizon
            assert sim.time - before == sim.elapsed
            before = sim.time


@pytest.mark.parametrize("clock", CLOCKS)
def test_mask_is_exact(clock: str) -> None:
    """The mask allows a start exactly if it is accepted when that agent is served first."""
    compared = 0
    for seed in range(50):
        sim = Reference(random_task(seed), seed, clock)
        for step, _ in enumerate(play(sim, np.random.default_rng(seed), steps=12)):
            if step % 3:
                continue
            for agent, row in enumerate(sim.mask()):
                assert row[-1] == 1
                for action, may in enumerate(row[:-1]):
                    assert bool(may) == accepted_alone(sim, agent, action), (seed, step, agent, action)
                    compared += may
    assert compared > 150


@pytest.mark.parametrize("clock", ["decision", "event"])
def test_clocks_agree(clock: str) -> None:
    """The same starts at the same ticks give the same trajectory under the tick clock."""
    for seed in range(80):
        sim = Reference(random_task(seed), seed, clock)
        ticking = Reference(random_task(seed), seed, "tick")
        waits = [len(sim.names)] * len(sim.refusals)
        paid = 0.0
        for actions in play(sim, np.random.default_rng(seed)):
            paid -= sim.reward
            paid += catch_up(ticking, sim.time, waits)
            assert everything(ticking) == everything(sim), seed
            assert paid == 0, seed
            ticking.step(actions)
            paid += ticking.reward
        catch_up(ticking, sim.time, waits)
        assert everything(ticking) == everything(sim), seed


def catch_up(ticking: Reference, time: int, waits: list[int]) -> float:
    """Wait until the clock shows ``time`` and return what was paid on the way."""
    paid = 0.0
    while ticking.time < time:
        ticking.step(waits)
        paid += ticking.reward
    return paid


def everything(sim: Reference) -> Any:
    """Return all that can be seen of an episode, but the last step."""
    ended = (sim.terminated, sim.truncated, sim.success, sim.automata_dead)
    return sim.time, sim.status(), sim.stock(), sim.free(), sim.mask(), sim.tardiness, ended


def test_status_and_mask_agree() -> None:
    """A subtask is eligible exactly if the mask allows it to some agent."""
    for seed in range(60):
        sim = Reference(random_task(seed), seed, "tick")
        for _ in play(sim, np.random.default_rng(seed), steps=15):
            status = sim.status()
            for i, name in enumerate(sim.names):
                assert (status[name] == "eligible") == any(
                    row[i] for row in sim.mask()
                ) or name in sim.finished


# --- Draws


def test_draws() -> None:
    """Durations, successes and ticks of events are the documented functions of seed, index and attempt."""
    mapping = {
        "horizon": 99,
        "subtasks": {
            "z": {},
            "a": {"duration": {"uniform": [2, 9]}, "repeatable": True, "success": 0.5},
            "b": {"duration": {"choice": [4, 1, 7]}},
        },
        "events": [{"at": 1, "undo": "z"}, {"at": {"uniform": [3, 8]}, "undo": "z"}],
    }
    for seed in range(20):
        sim = Reference(mapping, seed, "tick")
        assert sim.ticks_of_events == [1, 3 + draw_below(6, seed, EVENT, 1, 1)]
        for attempt in (1, 2):
            start = sim.time
            sim.step([1])
            while "a" in sim.running:
                sim.step([3])
            assert sim.time - start == 2 + draw_below(8, seed, DURATION, 1, attempt)
            kind = "success" if draw(seed, SUCCESS, 1, attempt) < threshold(0.5) else "failure"
            assert (sim.time, kind, "a") in sim.events
        start = sim.time
        sim.step([2])
        while "b" in sim.running:
            sim.step([3])
        assert sim.time - start == [4, 1, 7][draw_below(3, seed, DURATION, 2, 1)]


# --- Formulas, against their definition


def holds_from(tree: Any, trace: list[frozenset[Any]], i: int) -> bool:
    """Return whether the formula holds at position i of a finite trace, by the definition of LTLf."""
    head, rest = tree[0], range(i, len(trace))
    if head == "atom":
        return tree[1] in trace[i]
    if head == "not atom":
        return tree[1] not in trace[i]
    if head == "and":
        return holds_from(tree[1], trace, i) and holds_from(tree[2], trace, i)
    if head == "or":
        return holds_from(tree[1], trace, i) or holds_from(tree[2], trace, i)
    if head in ("X", "WX"):
        return holds_from(tree[1], trace, i + 1) if i + 1 < len(trace) else head == "WX"
    if head == "F":
        return any(holds_from(tree[1], trace, j) for j in rest)
    if head == "G":
        return all(holds_from(tree[1], trace, j) for j in rest)
    if head == "U":
        return any(
            holds_from(tree[2], trace, j) and all(holds_from(tree[1], trace, k) for k in range(i, j))
            for j in rest
        )
    return all(
        holds_from(tree[2], trace, j) or any(holds_from(tree[1], trace, k) for k in range(i, j)) for j in rest
    )


def formulas() -> list[str]:
    """Return the formulas of random tasks."""
    found = [text for seed in range(400) for text in random_task(seed).get("constraints", [])]
    assert len(found) > 100
    return found


def test_formula_accepts() -> None:
    """A trace is accepted exactly if the formula holds on it by the definition."""
    rng = np.random.default_rng(0)
    for text in formulas():
        tree = parse_formula(text)
        atoms = atoms_of(tree)
        state, trace = initial_state(tree), []
        for _ in range(6):
            letter = frozenset(atom for atom in atoms if rng.random() < 0.5)
            trace.append(letter)
            state = next_state(state, letter)
            assert accepts(state) == holds_from(tree, trace, 0), (text, trace)


def test_formula_lives() -> None:
    """A state lives exactly if some continuation is accepted."""
    rng = np.random.default_rng(1)
    compared = 0
    for text in formulas():
        tree = parse_formula(text)
        atoms = atoms_of(tree)
        if len(atoms) > 2:
            continue
        letters = [frozenset(c) for n in range(len(atoms) + 1) for c in itertools.combinations(atoms, n)]
        trace = [letters[int(rng.integers(len(letters)))] for _ in range(int(rng.integers(1, 4)))]
        state = initial_state(tree)
        for letter in trace:
            state = next_state(state, letter)
        extended = (trace + list(more) for n in range(4) for more in itertools.product(letters, repeat=n))
        assert (state in living_states(tree)) == any(holds_from(tree, t, 0) for t in extended), (text, trace)
        compared += 1
    assert compared > 60


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a | b & ~c", ("or", [("name", "a"), ("and", [("name", "b"), ("not", ("name", "c"))])])),
        (
            "2 of (a, b & c, w {d})",
            ("at least", 2, [("name", "a"), ("and", [("name", "b"), ("name", "c")]), ("name", "w {d}")]),
        ),
        ("~(x [by hand] | y.1)", ("not", ("or", [("name", "x [by hand]"), ("name", "y.1")]))),
    ],
)
def test_expression(text: str, tree: Any) -> None:
    """Expressions are read as the page says."""
    assert parse_expression(text) == tree


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("~done(a) U done(b) & done(c)", "((~done(a)) U done(b)) & done(c)"),
        ("done(a) U done(b) U done(c)", "done(a) U (done(b) U done(c))"),
        ("done(a) -> done(b) -> done(c)", "done(a) -> (done(b) -> done(c))"),
        ("done(a) & done(b) | done(c) -> X done(a)", "((done(a) & done(b)) | done(c)) -> (X done(a))"),
        ("G F done(a) & WX ~X done(b)", "(G (F done(a))) & (WX (WX (~done(b))))"),
    ],
)
def test_formula_precedence(text: str, same: str) -> None:
    """Unary operators bind tightest, then U, &, | and ->; U and -> lean to the right."""
    assert parse_formula(text) == parse_formula(same)


# --- Random tasks


@pytest.mark.parametrize("make", [random_task, small_task])
def test_random_tasks_are_valid(make: Callable[[int], dict[str, Any]]) -> None:
    """The loader accepts every random task and expands it to the same subtasks in the same order."""
    for seed in range(200):
        mapping = make(seed)
        assert list(load_task(mapping).graph.names) == list(read_task(mapping)["subtasks"]), seed


def test_random_tasks_are_functions_of_the_seed() -> None:
    """The same seed gives the same task, another seed another."""
    assert random_task(3) == random_task(3)
    assert small_task(3) == small_task(3)
    assert len({str(random_task(seed)) for seed in range(50)}) == 50


def test_small_tasks() -> None:
    """Small tasks have at most 5 subtasks, a goal and a horizon, and draw nothing."""
    for seed in range(200):
        graph = load_task(small_task(seed)).graph
        assert len(graph.subtasks) <= 5
        assert graph.goal is not None
        assert graph.horizon is not None
        assert not graph.random


def words_in(value: Any) -> set[str]:
    """Return every key of a mapping, and of what is in it."""
    if isinstance(value, dict):
        return {str(key) for key in value}.union(*(words_in(part) for part in value.values()))
    if isinstance(value, list):
        return set().union(*(words_in(part) for part in value))
    return set()


def test_random_tasks_use_every_field() -> None:
    """Every field, composition and kind of event of the language occurs in random tasks."""
    words: set[str] = set()
    for seed in range(300):
        words |= words_in(random_task(seed))
    fields = """
    name horizon agents resources items subtasks tasks goal constraints events skills foreach modes
    duration uniform choice attended needs lags min max from release deadline due weight uses consumes
    requires produces skill success attempts repeatable reward all sequence any repeat times at known undo
    capacity stock agent down appear
    """
    assert set(fields.split()) <= words
    assert {"1 of", "2 of", "3 of"} <= words
