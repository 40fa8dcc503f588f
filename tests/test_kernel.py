"""The kernel agrees with the naive second implementation, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from random_tasks import random_task, small_task
from reference import Reference
from scenarios import SCENARIOS
from stratagym.envs.task.simulate import Simulator
from stratagym.envs.task.spec import load_task

CLOCKS = ("tick", "decision", "event")
EPISODE_STEPS = 60


def events_of(sim: Simulator, happened: list[Any]) -> list[tuple[int, str, str]]:
    """Return the events in the reference's form."""
    return sorted((h.tick, h.kind, h.subtask) for h in happened)


def naive_events(naive: Reference, hidden: set[str]) -> list[tuple[int, str, str]]:
    """Return the reference's events; what closes before it appears is not told.

    Of several events that let a subtask appear the last counts, so only that one is told.
    """
    events = [e[:3] for e in naive.events]
    shown = {name: tick for tick, kind, name in sorted(events) if kind == "appear" and name not in hidden}
    told = [
        (tick, kind, name)
        for tick, kind, name in events
        if kind != "appear" and not (kind == "close" and (name in hidden or tick < shown.get(name, 0)))
    ]
    return sorted(told + [(tick, "appear", name) for name, tick in shown.items()])


def compare(sim: Simulator, naive: Reference) -> None:
    """Assert that both are in the same state."""
    assert sim.time == naive.time
    assert dict(zip(sim.graph.names, sim.status(), strict=True)) == naive.status()
    assert sim.mask().tolist() == [list(row) for row in naive.mask()]
    assert sim.stock() == naive.stock()
    assert sim.free() == naive.free()
    assert (sim.over == "terminated") == naive.terminated
    assert (sim.over == "truncated") == naive.truncated
    assert sim.success == naive.success
    assert sim.tardiness == pytest.approx(naive.tardiness)


def play(mapping: dict[str, Any], seed: int, clock: str) -> int:
    """Play one random episode on both and compare after every step; return the steps."""
    graph = load_task(mapping).graph
    sim, naive = Simulator(graph, seed, clock=clock), Reference(mapping, seed, clock)
    rng = np.random.default_rng(seed)
    n = len(graph.subtasks)
    assert list(graph.names) == list(naive.names)
    compare(sim, naive)
    for k in range(EPISODE_STEPS):
        if sim.over:
            return k
        actions = []
        for row in sim.mask():
            legal = np.flatnonzero(row)
            actions.append(int(rng.choice(legal) if rng.random() < 0.8 else rng.integers(n + 1)))
        hidden = {name for name, r in zip(sim.graph.names, unknown(sim), strict=True) if r}
        before = sim.paid
        happened = sim.step(actions)
        naive.step(actions)
        compare(sim, naive)
        assert sim.refusals == naive.refusals
        assert sim.paid - before == pytest.approx(naive.reward)
        hidden &= {name for name, r in zip(sim.graph.names, unknown(sim), strict=True) if r}
        assert events_of(sim, happened) == naive_events(naive, hidden)
        if sim.dead_end:
            assert not sim.success
    return EPISODE_STEPS


def unknown(sim: Simulator) -> list[bool]:
    """Return which subtasks have not appeared."""
    from stratagym.envs.task import layout as at
    from stratagym.envs.task.nodes import has

    return [bool(has(sim.memory, at.UNKNOWN, i)) for i in range(len(sim.graph.subtasks))]


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_scenarios(name: str) -> None:
    """Every hand-worked episode runs as it was worked out."""
    scenario = SCENARIOS[name]
    graph = load_task(scenario.mapping).graph
    sim = Simulator(graph, scenario.seed, clock=scenario.clock)
    names = [*graph.names, "-"]
    paid, time = 0.0, 0
    happened: list[Any] = []
    for actions, expected in [(None, scenario.reset), *scenario.steps]:
        if actions is not None:
            paid, time = sim.paid, sim.time
            happened = sim.step([names.index(a) for a in actions])
        seen: dict[str, Any] = {
            "time": sim.time,
            "elapsed": sim.time - time,
            "refusals": sim.refusals,
            "can": [sorted(n for n, ok in zip(graph.names, row, strict=False) if ok) for row in sim.mask()],
            "reward": pytest.approx(sim.paid - paid),
            "tardiness": pytest.approx(sim.tardiness),
            "over": sim.over,
            "success": sim.success,
            "names": list(graph.names),
            "events": events_of(sim, happened),
        }
        for key, value in expected.items():
            if key == "status":
                status = dict(zip(graph.names, sim.status(), strict=True))
                assert {n: status[n] for n in value} == value
            elif key in ("stock", "free"):
                whole = getattr(sim, key)()
                assert {n: whole[n] for n in value} == value
            elif key == "events":
                assert seen[key] == sorted(tuple(e) for e in value)
            elif key == "can":
                assert seen[key] == [sorted(n for n in row if n != "-") for row in value]
            elif key == "dead":
                assert bool(sim.memory.s[5]) == value
            else:
                assert seen[key] == value, key


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6), clock=st.sampled_from(CLOCKS), small=st.booleans())
def test_random_episodes(seed: int, clock: str, small: bool) -> None:
    """Random episodes over random tasks agree in everything, under all three clocks."""
    play(small_task(seed) if small else random_task(seed), seed, clock)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(100))
def test_ten_thousand_episodes(block: int) -> None:
    """Ten thousand random episodes agree in everything."""
    for seed in range(block * 34, block * 34 + 34):
        for clock in CLOCKS:
            play(random_task(seed, size=6 + seed % 7), seed, clock)
