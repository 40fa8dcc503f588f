"""Warehouses: goods within reach, crates that two lift, what fog and disturbances change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stratagym.envs.domains import warehouse
from stratagym.envs.domains.domain import SIZES
from stratagym.envs.domains.maps import beside
from stratagym.envs.task.spec import load_task
from stratagym.envs.worlds.scene import load_scene


@pytest.mark.parametrize("size", SIZES)
def test_everything_in_a_hall_can_be_reached(size: str) -> None:
    """Scenes load, which refuses what can never be attempted, with and without fog and disturbances."""
    for seed in range(6):
        for fog in (False, True):
            for disturbed in (False, True):
                task, scene = warehouse.shift(seed, size, fog, disturbed)
                assert load_scene(scene, load_task(task)).fog == fog


def test_a_crate_takes_two_lifters_and_stands_where_two_can_reach_it() -> None:
    """Every shift has a crate; lifting is joint, and at least two cells beside the pallet are free."""
    for seed in range(20):
        task, plain = warehouse.shift(seed, "medium")
        lifts = {k: v for k, v in task["subtasks"].items() if k.startswith("lift ")}
        assert lifts
        assert all(fields["agents"] == 2 and fields["skill"] == "lift" for fields in lifts.values())
        scene: Any = load_scene(plain, load_task(task))
        free = np.array([not flags & 1 for flags in scene.fixtures.flags])[scene.standing]
        for y, x in np.argwhere(scene.standing == scene.fixtures.names.index("pallet")):
            assert sum(bool(free[b, a]) for a, b in beside(free, (int(x), int(y)))) >= 2


def test_lifters_are_slower_than_pickers() -> None:
    """Bodies come in the order of the crew, with the pace of their kind."""
    task, scene = warehouse.shift(0, "medium")
    paces = {agent["name"]: body["pace"] for agent, body in zip(task["agents"], scene["bodies"], strict=True)}
    assert paces == {"picker 1": 1, "picker 2": 1, "lifter 1": 2, "lifter 2": 2}


def test_disturbances_and_fog_change_neither_the_orders_nor_the_hall() -> None:
    """With and without them a seed gives the same subtasks, map, bodies and rules."""
    for seed in range(5):
        calm, clear = warehouse.shift(seed, "medium")
        stirred, dim = warehouse.shift(seed, "medium", fog=True, disturbances=True)
        assert {**stirred, "horizon": 0, "events": 0} == {**calm, "horizon": 0, "events": 0}
        assert {**dim, "events": 0} == {**clear, "events": 0, "view": 4}
        assert {kind for event in stirred["events"] for kind in event} == {"at", "undo", "agent", "down"}
        assert {kind for event in dim["events"] for kind in event} == {"at", "move", "to", "block", "clear"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fog": 3}, "fog: 3 is not one of True, False"),
        ({"disturbances": "no"}, "disturbances: 'no' is not one of True, False"),
        ({"split": "dev"}, "split: 'dev' is not one of train"),
    ],
)
def test_wrong_options_are_refused_with_the_choices(options: dict[str, Any], words: str) -> None:
    """A wrong value is refused, and the message says what would do."""
    with pytest.raises(ValueError, match="^" + words):
        warehouse.DOMAIN.source(**options)
