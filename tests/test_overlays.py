"""The shipped overlays, each against the real package (extra ``overlays``), solved or driven there."""

from __future__ import annotations

import sys
from collections import deque
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from stratagym.envs.overlays import OVERLAYS, make_overlay

PACKAGES = {
    "minigrid/DoorKey": "minigrid",
    "crafter/Achievements": "crafter",
    "robotics/FrankaKitchen": "gymnasium_robotics",
}


def needs(name: str) -> Any:
    """Return the mark that skips a test, saying so, where an overlay's package is not installed."""
    package = PACKAGES[name]
    return pytest.mark.skipif(
        find_spec(package) is None,
        reason=f"{package} is not installed (pip install 'stratagym[overlays]')",
    )


EVERY = [pytest.param(name, marks=needs(name)) for name in OVERLAYS]


def test_every_overlay_is_tested_here() -> None:
    """No overlay is shipped without its package being named here."""
    assert set(PACKAGES) == set(OVERLAYS)


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_missing_package_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its package an overlay says in one line what to install."""
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    with pytest.raises(ModuleNotFoundError, match=r"is not installed; pip install 'stratagym\[overlays\]'"):
        make_overlay(name)


def test_an_unknown_overlay_is_refused() -> None:
    """The names that there are stand in the message."""
    with pytest.raises(ValueError, match="there is no overlay 'minigrid'; there are minigrid/DoorKey"):
        make_overlay("minigrid")


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_gymnasium_accepts_it(name: str) -> None:
    """It passes Gymnasium's own checker."""
    check_env(make_overlay(name), skip_render_check=True)


@pytest.mark.parametrize("name", EVERY)
def test_random_play_never_breaks_an_order(name: str) -> None:
    """In random play nothing is done before what it needs, and equal seeds give equal episodes."""
    logs = []
    for _ in range(2):
        env = make_overlay(name, reward="task")
        _, info = env.reset(seed=3)
        env.action_space.seed(3)
        log: list[Any] = []
        while len(log) < 300:
            _, reward, terminated, truncated, info = env.step(env.action_space.sample())
            log.append((float(reward), str(info["events"]), tuple(info["status"].values())))
            if terminated or truncated:
                break
        logs.append(log)
        done = [h for _, events, _ in log for h in eval_events(events) if h["kind"] == "success"]
        order = [h["subtask"] for h in done]
        for subtask in order:
            for other in needed(env, subtask):
                assert other in order[: order.index(subtask)]
        assert info["progress"] == pytest.approx(len(set(order)) / len(info["status"]), abs=1.0)
        env.close()
    assert logs[0] == logs[1]


def eval_events(text: str) -> list[dict[str, Any]]:
    """Return the events that were written as text."""
    from ast import literal_eval

    found: list[dict[str, Any]] = literal_eval(text)
    return found


def needed(env: Any, subtask: str) -> list[str]:
    """Return the subtasks that a conjunction of needs names."""
    fields = env.task.to_dict()["subtasks"][subtask] or {}
    return [name.strip() for name in str(fields.get("needs", "")).split("&") if name.strip()]


# ------------------------------------------------------------------ MiniGrid


def walk(env: Any, goal: tuple[int, int], adjacent: bool) -> list[int]:
    """Return the actions that lead to a cell, or in front of it facing it, in DoorKey."""
    level = env.unwrapped
    steps = [(1, 0), (0, 1), (-1, 0), (0, -1)]

    def free(x: int, y: int) -> bool:
        cell = level.grid.get(x, y)
        return cell is None or cell.can_overlap()

    start = (*map(int, level.agent_pos), int(level.agent_dir))
    came: dict[Any, Any] = {start: None}
    queue = deque([start])
    while queue:
        x, y, d = queue.popleft()
        front = (x + steps[d][0], y + steps[d][1])
        if (front if adjacent else (x, y)) == goal:
            path: list[int] = []
            state: Any = (x, y, d)
            while came[state] is not None:
                state, action = came[state]
                path.append(action)
            return path[::-1]
        moves = [((x, y, (d - 1) % 4), 0), ((x, y, (d + 1) % 4), 1)]
        if free(*front):
            moves.append(((*front, d), 2))
        for state, action in moves:
            if state not in came:
                came[state] = ((x, y, d), action)
                queue.append(state)
    raise AssertionError(f"no way to {goal}")


def find(env: Any, kind: str) -> tuple[int, int]:
    """Return where something lies."""
    grid = env.unwrapped.grid
    return next(
        (k % grid.width, k // grid.width)
        for k, cell in enumerate(grid.grid)
        if cell is not None and cell.type == kind
    )


@needs("minigrid/DoorKey")
@pytest.mark.parametrize("seed", range(5))
def test_door_key_is_solved_in_order(seed: int) -> None:
    """Fetch, unlock, open, walk: done in that order, each when it happens, and the goal is reached."""
    env = make_overlay("minigrid/DoorKey", reward="task")
    env.reset(seed=seed)
    told: list[tuple[str, str]] = []
    total, terminated, info = 0.0, False, {}
    for target, adjacent, last in (("key", True, 3), ("door", True, 5), ("goal", False, None)):
        plan = walk(env, find(env, target), adjacent) + ([] if last is None else [last])
        for action in plan:
            _, reward, terminated, _, info = env.step(action)
            total += float(reward)
            told += [(e["kind"], e["subtask"]) for e in info["events"] if e["kind"] != "start"]
    # MiniGrid opens a door by unlocking it: the graph counts one after the other, a tick apart.
    assert [name for _, name in told] == ["fetch key", "unlock door", "open door", "reach goal"]
    assert terminated
    assert info["success"]
    assert total == 6


@needs("minigrid/DoorKey")
def test_a_door_that_is_shut_again_is_undone() -> None:
    """The graph follows the state: a door that was opened and shut is not open, and its goal not near."""
    env = make_overlay("minigrid/DoorKey")
    env.reset(seed=1)
    for target, last in (("key", 3), ("door", 5)):
        for action in [*walk(env, find(env, target), True), last]:
            env.step(action)
    assert env.step(6)[4]["status"]["open door"] == "done"
    info = env.step(5)[4]
    assert [e["kind"] for e in info["events"]] == ["undo"]
    assert info["status"]["open door"] == "eligible"
    assert info["status"]["reach goal"] == "locked"


@needs("minigrid/DoorKey")
def test_pictures_of_a_level() -> None:
    """The level stands beside its graph."""
    env = make_overlay("minigrid/DoorKey", render_mode="rgb_array")
    env.reset(seed=1)
    picture = env.render()
    assert picture.dtype == np.uint8
    assert picture.shape[1] > 1.5 * picture.shape[0]


# ------------------------------------------------------------------ Crafter


@needs("crafter/Achievements")
def test_crafter_counts_what_its_own_achievements_say() -> None:
    """Wood, a table and a pickaxe, brought about in the real game, are done in that order, no others."""
    env = make_overlay("crafter/Achievements", reward="task")
    env.reset(seed=0)
    names = env.unwrapped.action_names
    player, world = env.unwrapped.world._player, env.unwrapped.world._world
    front = tuple(int(v) for v in player.pos + player.facing)
    total, told = 0.0, []

    def act(name: str, material: str) -> None:
        nonlocal total
        world[front] = material
        # Nobody is to disturb the test.
        for creature in [o for o in world.objects if o is not player]:
            world.remove(creature)
        _, reward, *_, info = env.step(names.index(name))
        total += float(reward)
        told.extend(e["subtask"] for e in info["events"] if e["kind"] == "success")

    for _ in range(6):
        act("do", "tree")
    act("place_table", "grass")
    act("make_wood_pickaxe", "table")
    act("do", "stone")
    act("place_stone", "grass")
    act("noop", "grass")
    wanted = ["collect wood", "place table", "make wood pickaxe", "collect stone", "place stone"]
    assert [name for name in told if name in wanted] == wanted
    assert total == len(told)
    assert env.status()["collect iron"] == "locked"
    assert env.status()["make wood sword"] == "eligible"


# ------------------------------------------------------------------ FrankaKitchen


def set_thing(env: Any, name: str, to_goal: bool) -> None:
    """Put a thing of the kitchen to its goal, or back where it began, in the simulation itself."""
    from gymnasium_robotics.envs.franka_kitchen.kitchen_env import OBS_ELEMENT_GOALS, OBS_ELEMENT_INDICES

    base = env.unwrapped
    robot = base.robot_env
    qpos, qvel = robot.data.qpos.copy(), robot.data.qvel.copy()
    index = OBS_ELEMENT_INDICES[name]
    qpos[index] = OBS_ELEMENT_GOALS[name] if to_goal else robot.init_qpos[index]
    qvel[:] = 0
    robot.set_state(qpos, qvel)


@needs("robotics/FrankaKitchen")
def test_the_kitchen_counts_in_order() -> None:
    """The light, on too early, counts once microwave and kettle are set; the cabinet ends it."""
    env = make_overlay("robotics/FrankaKitchen", reward="task")
    env.reset(seed=0)
    idle = np.zeros(env.action_space.shape, np.float32)
    told: list[str] = []

    def settle(ticks: int) -> Any:
        step: Any = None
        for _ in range(ticks):
            step = env.step(idle)
            told.extend(e["subtask"] for e in step[4]["events"] if e["kind"] == "success")
        return step

    set_thing(env, "light switch", True)
    settle(3)
    assert told == []
    set_thing(env, "microwave", True)
    settle(2)
    set_thing(env, "kettle", True)
    settle(3)
    assert told == ["microwave", "kettle", "light switch"]
    set_thing(env, "slide cabinet", True)
    step = settle(2)
    assert told == ["microwave", "kettle", "light switch", "slide cabinet"]
    assert step[4]["success"]
    assert env.status()["slide cabinet"] == "done"


@needs("robotics/FrankaKitchen")
def test_what_is_pushed_out_of_place_is_undone() -> None:
    """A microwave that is shut again is not open any more, and the light is locked again."""
    env = make_overlay("robotics/FrankaKitchen")
    env.reset(seed=0)
    idle = np.zeros(env.action_space.shape, np.float32)
    set_thing(env, "microwave", True)
    assert env.step(idle)[4]["status"]["microwave"] == "done"
    set_thing(env, "microwave", False)
    info = env.step(idle)[4]
    assert [(e["kind"], e["subtask"]) for e in info["events"]] == [("undo", "microwave")]
    assert info["status"]["light switch"] == "locked"
