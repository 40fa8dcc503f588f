"""Places: the kernel against the naive second implementation, views, fog, events, executors."""

from __future__ import annotations

from collections import Counter

import gymnasium as gym
import numpy as np
import pytest

from random_places import random_places
from reference_places import PlacesReference
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.registry import TASK_ID


def compare(env: TaskEnv, naive: PlacesReference) -> None:
    """Assert that both are in the same state."""
    observation = env.observation()
    task, view = observation.task, env.scene.look(env.memory(), env.task.graph, None, "full", fog=False)
    assert task.time == naive.graph.time
    assert dict(zip(task.names, task.status, strict=True)) == naive.graph.status()
    assert view.mask.tolist() == naive.mask()
    assert [view.locations[body.at] for body in view.bodies] == naive.at
    assert [view.thing_names[body.hand] for body in view.bodies] == naive.hand
    assert [body.message for body in view.bodies] == naive.words
    if naive.own:
        assert [{k: v for k, v in body.stock.items() if v} for body in view.bodies] == [
            {k: v for k, v in own.items() if v} for own in naive.own
        ]
    for receptacle in view.receptacles:
        assert view.fixture_names[receptacle.fixture] == naive.fixture[receptacle.name]
        lies = {view.thing_names[code]: amount for code, amount in receptacle.things.items()}
        assert lies == dict(+naive.lies[receptacle.name])
        run = None if receptacle.run is None else task.names[receptacle.run]
        assert run == naive.occupied.get(receptacle.name)


def play(seed: int, clock: str, steps: int, executor: str = "interpreted") -> Counter[str]:
    """Play one random episode on both, compare after every step, and count what came up."""
    task, scene = random_places(seed)
    env = gym.make(TASK_ID, task=task, world=scene, clock=clock, executor=executor).unwrapped
    _, info = env.reset(seed=seed)
    naive = PlacesReference(task, scene, seed, clock)
    assert env.action_names == tuple(
        what if kind == "do" else "wait" if kind == "wait" else f"{kind} {what}"
        for kind, what in naive.actions()
    )
    compare(env, naive)
    rng = np.random.default_rng(seed)
    seen: Counter[str] = Counter()
    for _ in range(steps):
        actions = []
        for row in np.atleast_2d(info["action_mask"]):
            legal = np.flatnonzero(row)
            doing = legal[(legal >= len(naive.places)) & (legal < len(row) - 1)]
            options = doing if len(doing) and rng.random() < 0.5 else legal
            actions.append(int(rng.choice(options) if rng.random() < 0.85 else rng.integers(len(row))))
        _, _, terminated, truncated, info = env.step(actions[0] if len(actions) == 1 else actions)
        naive.step(actions)
        compare(env, naive)
        assert env.refusals == naive.refusals
        assert sorted((e.tick, e.kind, e.subtask) for e in env.happened) == sorted(naive.events)
        seen.update(kind for _, kind, _ in naive.events)
        seen.update(reason for reason in naive.refusals if reason)
        seen.update(
            naive.actions()[k][0] for k, reason in zip(actions, naive.refusals, strict=True) if not reason
        )
        assert (terminated, truncated) == (naive.graph.terminated, naive.graph.truncated)
        if terminated or truncated:
            break
    return seen


CASES = [("interpreted", "tick"), ("compiled", "decision")]


@pytest.mark.parametrize(("executor", "clock"), CASES)
def test_the_kernel_agrees_with_the_naive_implementation(executor: str, clock: str) -> None:
    """State, mask, refusals and events are the same after every step of random episodes."""
    seen: Counter[str] = Counter()
    for seed in range(24):
        seen += play(seed, clock, 40, executor)
    for what in ("go", "do", "take", "put", "turn", "share", "say", "world", "busy", "lock", "block", "move"):
        assert seen[what] > 0, f"nothing of the kind {what!r} came up"


@pytest.mark.slow
@pytest.mark.parametrize(("executor", "clock"), CASES)
def test_it_agrees_in_many_thousand_steps(executor: str, clock: str) -> None:
    """The same over more episodes than a default run has time for."""
    for seed in range(24, 400):
        play(seed, clock, 50, executor)
