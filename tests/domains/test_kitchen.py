"""Kitchens: recipes that can be cooked, stations within reach, food that burns and is made anew."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from stratagym.agents.zoo import in_world, make_agent
from stratagym.envs.domains import kitchen
from stratagym.envs.domains.domain import SIZES
from stratagym.envs.domains.draft import generator
from stratagym.envs.domains.sources import data_beside
from stratagym.envs.domains.workplan import WorkPlan
from stratagym.envs.task.spec import load_task
from stratagym.envs.worlds.scene import load_scene

DATA = data_beside(kitchen.__file__)
LAYOUTS: tuple[tuple[Any, int], ...] = (("solo", 1), ("team", 2), ("team", 3), ("forced", 2))


def test_there_are_twenty_recipes_or_more() -> None:
    """The book holds at least twenty recipes, and no two of them are the same."""
    recipes = list(DATA["recipes"].values())
    assert len(recipes) >= 20
    assert all(a != b for i, a in enumerate(recipes) for b in recipes[:i])


@pytest.mark.parametrize("dish", DATA["recipes"])
def test_every_recipe_has_as_many_subtasks_as_its_order_takes(dish: str) -> None:
    """What is laid down for one order is what is reckoned with when orders are drawn."""
    plan = WorkPlan()
    kitchen._lay(plan, generator(0, 0), DATA, 1, dish, forced=False)
    assert plan.size() == kitchen.subtasks_of(DATA["recipes"][dish])


@pytest.mark.parametrize(("layout", "agents"), LAYOUTS)
@pytest.mark.parametrize("size", SIZES)
def test_every_station_can_be_reached(size: str, layout: Any, agents: int) -> None:
    """Scenes load, which refuses what can never be attempted, with and without disturbances."""
    for seed in range(6):
        for disturbed in (False, True):
            task, scene = kitchen.evening(seed, size, layout, agents, disturbed)
            load_scene(scene, load_task(task))


def test_disturbances_change_neither_the_orders_nor_the_kitchen() -> None:
    """With and without them a seed gives the same subtasks, map, bodies and rules."""
    for seed in range(5):
        calm, quiet = kitchen.evening(seed, "medium")
        stirred, loud = kitchen.evening(seed, "medium", disturbances=True)
        assert {**stirred, "horizon": 0, "events": 0} == {**calm, "horizon": 0, "events": 0}
        assert {**loud, "events": 0} == {**quiet, "events": 0}
        assert stirred["horizon"] > calm["horizon"]
        assert {kind for event in stirred["events"] for kind in event} == {"at", "undo", "agent", "down"}


def test_no_two_orders_of_an_evening_take_the_same_ingredient() -> None:
    """What comes out of a crate is for one order only, so an attempt there never means another's."""
    for seed in range(40):
        _, scene = kitchen.evening(seed, "large")
        crates = [rules[0]["at"] for name, rules in scene["rules"].items() if name.startswith("fetch ")]
        assert len(crates) == len(set(crates))


def test_cooks_of_the_forced_layout_need_each_other() -> None:
    """Crates and boards are on one side, stoves, plates and the hatch on the other; each task has passing."""
    for seed in range(5):
        task, plain = kitchen.evening(seed, "small", "forced", 2)
        scene: Any = load_scene(plain, load_task(task))
        half = scene.width // 2
        names = np.array(scene.fixtures.names)[scene.standing]
        for (_, x), name in np.ndenumerate(names):
            if name.endswith(" crate") or name == "board":
                assert x < half
            if name in ("pot", "pan", "hatch", "bin", "plate rack"):
                assert x > half
        assert set(names[1:-1, half]) == {"pass"}
        assert any(name.startswith("pass ") for name in task["subtasks"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layout": "open"}, "layout: 'open' is not one of solo, team, forced"),
        ({"layout": "team", "agents": 4}, "agents: layout 'team' takes 2 or 3, not 4"),
        ({"agents": 2}, "agents: layout 'solo' takes 1, not 2"),
        ({"agents": 1.5}, "agents: 1.5 is not an integer"),
        ({"disturbances": "yes"}, "disturbances: 'yes' is not one of True, False"),
        ({"size": "tiny"}, "size: 'tiny' is not one of"),
    ],
)
def test_wrong_options_are_refused_with_the_choices(options: dict[str, Any], words: str) -> None:
    """A wrong value is refused, and the message says what would do."""
    with pytest.raises(ValueError, match="^" + words):
        kitchen.DOMAIN.source(**options)


def kitchen_with(subtask: str) -> Any:
    """Return the environment of a kitchen with one order that has a subtask, without a tight end."""
    seed = next(k for k in range(200) if subtask in kitchen.evening(k, "tiny")[0]["subtasks"])
    task, scene = kitchen.evening(seed, "tiny")
    env = gymnasium.make("stratagym/Task-v0", task={**task, "horizon": 400}, world=scene, reward="task")
    env.reset(seed=0)
    return env


def status(env: Any, subtask: str) -> str:
    """Return the status of a subtask."""
    return str(env.unwrapped.observation().task.status[env.unwrapped.task.graph.index(subtask)])


def things(env: Any) -> list[str]:
    """Return what lies and is held, by name."""
    world = env.unwrapped.observation().world
    lying = [world.thing_names[code] for code in world.things.ravel() if code > 0]
    return lying + [world.thing_names[body.hand] for body in world.bodies if body.hand]


class Player:
    """The scripted agent at a kitchen, and the starts that it made."""

    def __init__(self, env: Any) -> None:
        self.env, self.agent, self.over, self.starts = env, in_world(make_agent("optimal")), False, []
        self.agent.reset(0)

    def step(self, action: str | None = None) -> None:
        """Take an action by name, or the one that the agent takes."""
        names = self.env.unwrapped.action_names
        chosen = int(self.agent.act(self.env.unwrapped.observation())[0])
        *_, done, cut, info = self.env.step(chosen if action is None else names.index(action))
        self.over = done or cut
        self.starts += [event["subtask"] for event in info["events"] if event["kind"] == "start"]

    def until(self, subtask: str, wanted: str) -> None:
        """Play until a subtask has a status."""
        while status(self.env, subtask) != wanted:
            self.step()


def test_what_is_left_on_the_stove_burns_and_is_made_anew() -> None:
    """One tick too long and the pan holds burnt food; it goes into the bin, and a new egg is fetched."""
    env = kitchen_with("fry egg 1")
    fields = env.unwrapped.task.to_dict()["subtasks"]
    keeps = fields["plate egg 1"]["lags"]["fry egg 1"]["max"]
    player = Player(env)
    player.until("fry egg 1", "running")
    for _ in range(fields["fry egg 1"]["duration"] + keeps - 1):
        player.step("wait")
    while status(env, "fry egg 1") == "done":
        assert "burnt egg 1" not in things(env)
        player.step("wait")
    assert "burnt egg 1" in things(env)
    assert status(env, "bin egg 1") == "eligible"
    assert env.unwrapped.observation().task.stock["free pan"] == 0
    player.agent.reset(0)
    while not player.over:
        player.step()
    assert status(env, "serve order 1") == "done"
    assert [player.starts.count(name) for name in ("fetch raw egg 1", "fry egg 1", "bin egg 1")] == [2, 2, 1]


def test_what_is_taken_off_in_time_is_made_once() -> None:
    """Without the wait nothing burns, and nothing goes into the bin."""
    env = kitchen_with("fry egg 1")
    player = Player(env)
    while not player.over:
        assert "burnt egg 1" not in things(env)
        player.step()
    assert [player.starts.count(name) for name in ("fetch raw egg 1", "fry egg 1", "bin egg 1")] == [1, 1, 0]


def test_cutting_may_be_left_and_taken_up_again() -> None:
    """After one stroke of three the rest waits on the board, and the other two finish it."""
    env = kitchen_with("cut carrot 1")
    player = Player(env)
    player.until("cut carrot 1.1", "done")
    for action in ("left", "right", "wait", "up", "down", "wait"):
        assert "carrot 1 cut 1/3" in things(env)
        player.step(action)
    player.agent.reset(0)
    while not player.over:
        player.step()
    assert status(env, "serve order 1") == "done"
    assert [player.starts.count(f"cut carrot 1.{k}") for k in (1, 2, 3)] == [1, 1, 1]
