"""The planes show what a view shows, cell for cell, on one lane and on many."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import stratagym  # noqa: F401  (registers the ids)
from test_grid import SCENE, TASK, merged


def drawn(env: Any, agent: int, names: tuple[str, ...], shape: tuple[int, int], whole: bool) -> Any:
    """Return the layers of an agent as they follow from its ``GridView``."""
    scene = env.unwrapped.model.scene(0)
    memory = env.unwrapped.lanes.memory(0)
    view = scene.look(memory, scene.graph, agent, "full")
    out = np.zeros((len(names), *shape), np.uint8)
    x0, y0 = (
        (0, 0)
        if whole
        else (view.bodies[agent].at[0] - shape[1] // 2, view.bodies[agent].at[1] - shape[0] // 2)
    )

    def mark(name: str, cell: tuple[int, int]) -> None:
        x, y = cell[0] - x0, cell[1] - y0
        if name in names and 0 <= x < shape[1] and 0 <= y < shape[0]:
            out[names.index(name), y, x] = 1

    for y in range(view.height):
        for x in range(view.width):
            if view.fixtures[y, x] >= 0:
                mark(view.fixture_names[view.fixtures[y, x]], (x, y))
                mark(view.thing_names[view.things[y, x]], (x, y))
    for cell in view.busy:
        mark("busy", cell)
    for b, body in enumerate(view.bodies):
        if body.at is not None:
            mark("self" if b == agent else "other", body.at)
    steps = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
    dx, dy = steps[view.bodies[agent].facing]
    mark("target", (view.bodies[agent].at[0] + dx, view.bodies[agent].at[1] + dy))
    return out


@pytest.mark.parametrize("radius", [0, 2, 5])
@pytest.mark.parametrize("agents", [1, 2])
def test_planes_show_what_is_seen(radius: int, agents: int) -> None:
    """Each channel marks the cells where its kind is, on the map or, under fog, in the window."""
    task, change = dict(TASK), {"view": radius}
    if agents == 1:
        task = merged(TASK, {"agents": [{"name": "cook", "skills": ["knife"]}]})
        change |= {"legend": {"B": "floor", "A": {"body": 0}}}
    env = gymnasium.make(
        "stratagym/Task-v0", task=task, world=merged(SCENE, change), view="planes", clock="tick"
    )
    observation, info = env.reset(seed=3)
    planes = env.unwrapped._planes
    rng = np.random.default_rng(radius)
    assert planes.whole == (radius in (0, 7))
    for _ in range(60):
        assert env.observation_space.contains(observation)
        layers = observation["planes"] if agents > 1 else observation["planes"][None]
        for a in range(agents):
            expected = drawn(env, a, planes.names, layers.shape[-2:], planes.whole)
            for name, layer, marks in zip(planes.names, layers[a], expected, strict=True):
                assert np.array_equal(layer, marks), (a, name)
        mask = np.atleast_2d(info["action_mask"])
        actions = [int(rng.choice(np.flatnonzero(row))) for row in mask]
        observation, _, over, late, info = env.step(actions[0] if agents == 1 else actions)
        if over or late:
            observation, info = env.reset()


def test_planes_of_a_batch() -> None:
    """Lane i of a batch shows the planes of the single environment with its seed."""
    options: dict[str, Any] = {"task": TASK, "world": SCENE, "view": "planes", "clock": "tick"}
    batch = gymnasium.make_vec("stratagym/Task-v0", num_envs=3, **options)
    singles = [gymnasium.make("stratagym/Task-v0", **options) for _ in range(3)]
    seen, _ = batch.reset(seed=11)
    alone = [env.reset(seed=11 + k)[0] for k, env in enumerate(singles)]
    rng = np.random.default_rng(0)
    for _ in range(25):
        for k, one in enumerate(alone):
            assert np.array_equal(seen["planes"][k], one["planes"])
        actions = rng.integers(0, batch.single_action_space.nvec[0], (3, 2))
        seen, _, over, late, _ = batch.step(actions)
        assert not (over | late).any()
        alone = [env.step(action)[0] for env, action in zip(singles, actions, strict=True)]
