"""Houses: all seven errands, doors and furniture within reach, and what a preference changes."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from stratagym.agents.zoo import in_world, make_agent
from stratagym.envs.domains import rearrangement, tidying
from stratagym.envs.domains.domain import SIZES
from stratagym.envs.domains.maps import in_one_piece
from stratagym.envs.task.spec import load_task
from stratagym.envs.worlds.scene import load_scene

TYPES = (tidying.MIXED, *tidying.TASK_TYPES)
LIKES_SHELVES = {"mug": "shelf", "book": "shelf", "toy": "shelf", "pillow": "bed"}
LIKES_LIDS = {"mug": "cabinet", "book": "desk", "toy": "chest", "pillow": "chest"}


@pytest.mark.parametrize("task_type", TYPES)
@pytest.mark.parametrize("size", SIZES)
def test_everything_in_a_house_can_be_reached(size: str, task_type: str) -> None:
    """Scenes of every task type load, which refuses what can never be attempted."""
    for seed in range(4):
        for disturbed in (False, True):
            task, scene = rearrangement.morning(seed, size, task_type, disturbances=disturbed)
            load_scene(scene, load_task(task))


@pytest.mark.parametrize("task_type", tidying.TASK_TYPES)
def test_a_task_type_is_that_of_all_errands(task_type: str) -> None:
    """With ``task_type`` every errand is of that type and has the steps that are reckoned with."""
    for seed in range(5):
        home = rearrangement.house(seed, "medium", task_type)
        assert {errand.task_type for errand in home.errands} == {task_type}
        task, _ = rearrangement.morning(seed, "medium", task_type)
        errand = home.errands[0]
        assert len(task["tasks"][f"see to {errand.thing.name}"]["all"]) == tidying.subtasks_of(task_type)


def test_mixed_houses_hold_all_seven_types() -> None:
    """Over a hundred houses every type occurs, none in more than a third of the errands."""
    kinds = [e.task_type for seed in range(100) for e in rearrangement.house(seed, "medium").errands]
    assert set(kinds) == set(tidying.TASK_TYPES)
    assert max(kinds.count(kind) for kind in set(kinds)) < len(kinds) / 3


def test_one_can_walk_everywhere_even_past_a_locked_door() -> None:
    """The floor is in one piece, and the door that is locked leaves another way."""
    locked = 0
    for seed in range(20):
        task, plain = rearrangement.morning(seed, "medium", disturbances=True)
        scene: Any = load_scene(plain, load_task(task))
        free = np.array([not flags & 1 for flags in scene.fixtures.flags])[scene.standing] & (
            scene.lying == 0
        )
        assert in_one_piece(free)
        for event in plain["events"]:
            if "lock" in event:
                x, y = event["lock"]
                assert scene.fixtures.names[scene.standing[y, x]] == "door"
                free[y, x] = False
                assert in_one_piece(free)
                locked += 1
    assert locked >= 15


def test_a_preference_changes_what_is_misplaced_and_nothing_else() -> None:
    """Under two vectors a house has the same map and objects, but other objects are out of place."""
    changed = 0
    for seed in range(30):
        try:
            tasks = [rearrangement.morning(seed, "medium", preference=p) for p in (LIKES_SHELVES, LIKES_LIDS)]
        except ValueError:  # not all of it fits on the shelf of this house
            continue
        (one, first), (two, second) = tasks
        for part in ("map", "legend", "fixtures", "bodies"):
            assert first[part] == second[part]
        home = rearrangement.house(seed, "medium")
        vectors = [{**home.preference, **p} for p in (LIKES_SHELVES, LIKES_LIDS)]
        misplaced = [set(home.misplaced(vector)) for vector in vectors]
        for task, found in zip((one, two), misplaced, strict=True):
            moved = {
                name.removeprefix("pick up ") for name in task["subtasks"] if name.startswith("pick up ")
            }
            assert found <= moved | {e.thing.name for e in home.errands} | {
                e.things[-1].name for e in home.errands
            }
        changed += misplaced[0] != misplaced[1]
    assert changed >= 5


def test_the_same_vector_changes_nothing() -> None:
    """Stating the seed's own vector gives the very task that is drawn without one."""
    for seed in range(5):
        home = rearrangement.house(seed, "medium")
        assert rearrangement.morning(seed, "medium", preference=home.preference) == rearrangement.morning(
            seed, "medium"
        )


def replayed(
    actions: list[int] | None, preference: dict[str, str] | None, seed: int
) -> tuple[bool, list[int]]:
    """Play house ``seed`` with the scripted agent, or with given actions; return success and the actions."""
    task, scene = rearrangement.morning(seed, "small", "pick and place", preference)
    env = gymnasium.make("stratagym/Task-v0", task={**task, "horizon": 300}, world=scene, reward="task")
    env.reset(seed=0)
    agent = in_world(make_agent("optimal"))
    agent.reset(0)
    taken: list[int] = []
    while True:
        if actions is None:
            taken.append(int(agent.act(env.unwrapped.observation())[0]))
        elif len(taken) < len(actions):
            taken.append(actions[len(taken)])
        else:
            return False, taken
        *_, done, cut, info = env.step(taken[-1])
        if done or cut:
            return bool(info["success"]), taken


def test_the_agent_of_one_vector_fails_under_another() -> None:
    """What tidies a house under one vector leaves it untidy under another, and tidies it under the same."""
    for seed in range(3):
        own = rearrangement.house(seed, "small", "pick and place").preference
        other = {
            kind: next(place for place in facts["fits"] if place != own[kind])
            for kind, facts in tidying.catalogue()["kinds"].items()
        }
        success, actions = replayed(None, own, seed)
        assert success
        assert replayed(actions, own, seed)[0]
        assert not replayed(actions, other, seed)[0]


@pytest.mark.parametrize(
    ("preference", "words"),
    [
        ({"muc": "shelf"}, "preference: 'muc' is not one of mug, bowl"),
        ({"mug": "shelve"}, "preference: mug: 'shelve' is not one of cabinet"),
        ({"mug": "bed"}, "preference: mug cannot go to the bed; it fits cabinet, shelf, table"),
        ("shelf", "preference: 'shelf' is not a mapping"),
    ],
)
def test_a_broken_preference_is_refused_by_name(preference: Any, words: str) -> None:
    """An unknown kind, an unknown receptacle and one that the kind does not fit are named."""
    with pytest.raises(ValueError, match="^" + words):
        rearrangement.DOMAIN.source(preference=preference)


def test_a_preference_for_which_there_is_no_room_is_refused_by_name() -> None:
    """What would pile up on one piece of furniture is refused with its name and how much it holds."""
    fits = tidying.catalogue()["kinds"]
    crowded = {kind: "table" for kind, facts in fits.items() if "table" in facts["fits"]}
    with pytest.raises(
        ValueError, match=r"preference: in house \d+ \d+ objects belong on the table, which holds 3"
    ):
        rearrangement.DOMAIN.source(size="large", preference=crowded)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"task_type": "cook"}, "task_type: 'cook' is not one of mixed, pick and place"),
        ({"disturbances": 2}, "disturbances: 2 is not one of True, False"),
    ],
)
def test_wrong_options_are_refused_with_the_choices(options: dict[str, Any], words: str) -> None:
    """A wrong value is refused, and the message says what would do."""
    with pytest.raises(ValueError, match="^" + words):
        rearrangement.DOMAIN.source(**options)
