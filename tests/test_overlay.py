"""A task graph over somebody else's environment: what counts when, rewards, ends, pictures, refusals."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from stratagym.agents.zoo import make_agent
from stratagym.envs.api.options import OptionError
from stratagym.envs.api.wrapped import TaskGraphWrapper
from stratagym.envs.task.faults import TaskError

LAMPS = ("a", "b", "c")
TASK: dict[str, Any] = {
    "name": "lamps",
    "horizon": 12,
    "subtasks": {"a": {"reward": 1}, "b": {"needs": "a", "reward": 2}, "c": {"reward": 4}},
    "goal": "a & b & c",
}
WAIT = 3


class Lamps(gym.Env[Any, Any]):
    """Three lamps; action k turns lamp k over, the last does nothing. Pays 0.5 a step, ends after 50."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        """Have all lamps out."""
        self.observation_space = spaces.MultiBinary(3)
        self.action_space = spaces.Discrete(4)
        self.render_mode = render_mode
        self.lit, self.steps = np.zeros(3, np.int8), 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        """Light the lamps that ``options`` names."""
        super().reset(seed=seed)
        self.lit, self.steps = np.zeros(3, np.int8), 0
        for k in (options or {}).get("lit", ()):
            self.lit[k] = 1
        return self.lit.copy(), {"success": "perhaps"}

    def step(self, action: Any) -> Any:
        """Turn a lamp over."""
        if action < 3:
            self.lit[action] ^= 1
        self.steps += 1
        return self.lit.copy(), 0.5, False, self.steps >= 50, {"success": "perhaps"}

    def render(self) -> Any:
        """Return a grey picture."""
        return np.full((90, 120, 3), 128, np.uint8) if self.render_mode else None


def is_lit(k: int) -> Any:
    """Return the predicate of a lamp."""
    return lambda env, obs, info: bool(env.unwrapped.lit[k])


PREDICATES = {name: is_lit(k) for k, name in enumerate(LAMPS)}


def overlay(**options: Any) -> TaskGraphWrapper:
    """Return the lamps with their task."""
    return TaskGraphWrapper(Lamps(options.pop("render_mode", None)), TASK, PREDICATES, **options)


def play(env: TaskGraphWrapper, actions: list[int], **reset: Any) -> list[Any]:
    """Reset, play, and return what the steps gave."""
    env.reset(seed=0, **reset)
    return [env.step(a) for a in actions]


def done_at(steps: list[Any]) -> dict[str, list[tuple[str, int]]]:
    """Return for each subtask its ends and undoings with their ticks."""
    found: dict[str, list[tuple[str, int]]] = {}
    for step in steps:
        for e in step[4]["events"]:
            if e["kind"] != "start":
                found.setdefault(e["subtask"], []).append((e["kind"], e["tick"]))
    return found


def test_what_is_lit_in_order_counts_at_once() -> None:
    """A predicate that becomes true when its needs are met is done in that tick; the goal terminates."""
    steps = play(overlay(), [0, 1, 2])
    assert done_at(steps) == {"a": [("success", 1)], "b": [("success", 2)], "c": [("success", 3)]}
    assert [s[2] for s in steps] == [False, False, True]
    assert [s[4]["success"] for s in steps] == [False, False, True]
    assert [s[4]["progress"] for s in steps] == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_a_state_that_came_too_early_counts_when_its_needs_are_met() -> None:
    """Lamp b, lit before a, counts one tick after a, since it is still lit; out again, it would not."""
    assert done_at(play(overlay(), [1, 0, WAIT]))["b"] == [("success", 3)]
    assert "b" not in done_at(play(overlay(), [1, 1, 0, WAIT, WAIT]))
    assert done_at(play(overlay(), [0, WAIT], options={"lit": [1]}))["b"] == [("success", 2)]


def test_a_moment_that_came_too_early_is_lost() -> None:
    """As a moment, lighting b counts only when a is done; it must be lit anew."""
    steps = play(overlay(moments={"b"}), [1, 0, WAIT, 1, 1])
    assert done_at(steps) == {"a": [("success", 2)], "b": [("success", 5)]}


def test_what_falls_is_undone_where_it_is_asked_for() -> None:
    """With ``undo`` a lamp that goes out is undone, can be done again, not paid twice; else it stays."""
    actions = [0, 0, WAIT, 0]
    assert done_at(play(overlay(), actions)) == {"a": [("success", 1)]}
    steps = play(overlay(undo={"a"}, reward="task"), actions)
    assert done_at(steps) == {"a": [("success", 1), ("undo", 2), ("success", 4)]}
    assert [s[1] for s in steps] == [1.0, 0.0, 0.0, 0.0]
    assert [s[4]["status"]["b"] for s in steps] == ["eligible", "locked", "locked", "eligible"]


def test_masks_tell_which_skills_make_sense() -> None:
    """The mask over subtasks follows the graph; the last entry waits."""
    env = overlay()
    _, info = env.reset(seed=0)
    assert info["subtask_mask"].tolist() == [1, 0, 1, 1]
    assert env.step(0)[4]["subtask_mask"].tolist() == [0, 1, 1, 1]
    planner = make_agent("critical_path")
    planner.reset(0)
    assert planner.act(env.observation_of_task()).tolist() in ([1], [2])


def test_rewards_come_from_the_environment_or_from_the_graph() -> None:
    """None leaves the environment's reward; the graph's are those of every environment."""
    actions = [0, 1, 2]
    assert [s[1] for s in play(overlay(), actions)] == [0.5, 0.5, 0.5]
    assert [s[1] for s in play(overlay(reward="task"), actions)] == [1, 2, 4]
    assert [s[1] for s in play(overlay(reward="makespan"), actions)] == [-1, -1, -1]
    dense = [s[1] for s in play(overlay(reward="dense"), actions)]
    assert dense == pytest.approx([1 / 3, 1 / 3, 1 / 3 + 2 / 3])
    assert [s[1] for s in play(overlay(reward="sparse"), actions)] == pytest.approx([0, 0, 2 / 3])


def test_the_horizon_truncates_and_the_goal_need_not_end() -> None:
    """The task's horizon truncates; ``end_on_goal=False`` plays on, and nothing more is counted."""
    steps = play(overlay(), [WAIT] * 12)
    assert [s[3] for s in steps] == [False] * 11 + [True]
    steps = play(overlay(end_on_goal=False), [0, 1, 2, WAIT])
    assert [s[2] for s in steps] == [False] * 4
    assert steps[-1][4]["success"] is True


def test_an_environment_that_ends_first_has_failed_the_task() -> None:
    """When the environment ends and the goal is not reached, the makespan is charged up to the horizon."""
    env = TaskGraphWrapper(Lamps(), {**TASK, "horizon": 80}, PREDICATES, reward="makespan")
    steps = play(env, [WAIT] * 50)
    assert (steps[-1][2], steps[-1][3]) == (False, True)
    assert sum(s[1] for s in steps) == -80


def test_runs_with_a_course_of_their_own() -> None:
    """With a start condition a run begins there, may fail, and ends when its predicate is true."""
    env = overlay(starts={"c": is_lit(0)}, failures={"c": is_lit(1)})
    steps = play(env, [2, 2, 0, 1, 1, 2])
    assert done_at(steps)["c"] == [("failure", 4), ("success", 6)]
    assert [s[4]["status"]["c"] for s in steps][2] == "running"


def test_the_observation_may_hold_the_task() -> None:
    """Asked for, the observation holds what is done, eligible and running."""
    env = overlay(observe=True)
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    obs = env.step(0)[0]
    assert obs["subtasks"].tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
    assert obs["env"].tolist() == [1, 0, 0]


def test_what_the_environment_says_is_kept() -> None:
    """An entry of ``info`` under one of the graph's names moves to ``wrapped``."""
    info = play(overlay(), [0])[0][4]
    assert info["wrapped"] == {"success": "perhaps"}
    assert info["success"] is False


@pytest.mark.parametrize("options", [{}, {"observe": True, "reward": "dense"}, {"render_mode": "rgb_array"}])
def test_gymnasium_accepts_it(options: dict[str, Any]) -> None:
    """It passes Gymnasium's own checker."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*wrapper.*")
        check_env(overlay(**options), skip_render_check=not options.get("render_mode"))


def test_pictures_show_the_graph_beside_the_environment() -> None:
    """The picture is the environment's, scaled, and the graph's, which changes with what is done."""
    env = overlay(render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    assert before.shape[0] >= 360
    assert before.shape[1] > before.shape[0]
    env.step(0)
    after = env.render()
    left = round(120 * before.shape[0] / 90)
    assert np.array_equal(before[:, :left], after[:, :left])
    assert not np.array_equal(before[:, left:], after[:, left:])
    assert overlay(render_mode="rgb_array", beside=False).render().shape == (90, 120, 3)


def test_episodes_of_one_seed_are_alike_and_later_ones_draw_anew() -> None:
    """Draws of the task follow the reset's seed; the next episode has its own."""
    task = {
        **TASK,
        "subtasks": {**TASK["subtasks"], "c": {"success": 0.5, "repeatable": True}},
        "goal": "a & b",
    }
    env = TaskGraphWrapper(Lamps(), task, PREDICATES, moments={"c"})

    def outcomes(seed: int | None) -> list[str]:
        env.reset(seed=seed)
        found = []
        for _ in range(11):
            found += [e["kind"] for e in env.step(2)[4]["events"] if e["kind"] != "start"]
        return found

    first, second = outcomes(5), outcomes(None)
    assert outcomes(5) == first
    assert len(first) > 1
    assert len({tuple(outcomes(seed)) for seed in range(8)}) > 1
    assert outcomes(5) == first
    assert outcomes(None) == second


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"agents": 2}, "agents: an overlay has one agent, not 2"),
        (
            {"subtasks": {"a": {"duration": 3}, "b": {}, "c": {}}},
            "subtasks.a.duration: its end is the environment's to say",
        ),
        (
            {"subtasks": {"a": {"modes": {"x": {}, "y": {}}}, "b": {}, "c": {}}, "goal": "b"},
            "subtasks.a: an overlay cannot tell modes apart",
        ),
        ({"goal": "a & d"}, "goal: "),
    ],
)
def test_tasks_that_do_not_suit_are_refused(change: dict[str, Any], message: str) -> None:
    """What an overlay cannot play is refused in one line with its place."""
    with pytest.raises(TaskError) as error:
        TaskGraphWrapper(Lamps(), TASK | change, PREDICATES)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"predicates": {"a": is_lit(0), "b": is_lit(1)}}, "predicates: none says when 'c' is done"),
        ({"predicates": {**PREDICATES, "lamp": is_lit(0)}}, "predicates: no subtask 'lamp'"),
        ({"predicates": {**PREDICATES, "a": 3}}, "predicates: what stands for 'a' is not a function"),
        ({"undo": ("z",)}, "undo: no subtask 'z'"),
        ({"moments": ("z",)}, "moments: no subtask 'z'"),
        ({"failures": {"a": is_lit(0)}}, "failures: 'a' has no start condition"),
        ({"reward": "spars"}, "reward='spars' is not one of"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    """A wrong option is refused in one line that names it."""
    options = {"predicates": PREDICATES, **options}
    with pytest.raises(OptionError) as error:
        TaskGraphWrapper(Lamps(), TASK, options.pop("predicates"), **options)
    assert str(error.value).startswith(message)
