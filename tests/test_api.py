"""The single environment: options, seeds, what users see, rewards, dead ends."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contract_cases import FORGE, MOVE, STORM, TASKS, TEA
from random_tasks import small_task
from stratagym.envs.api import check, check_rules
from stratagym.envs.api.course import episode
from stratagym.envs.registry import TASK_ID
from stratagym.envs.rng import mix
from stratagym.envs.task.simulate import Simulator
from stratagym.envs.task.spec import TaskError, load_task


def make(task: dict[str, Any], **options: Any) -> Any:
    """Make a task's environment without wrappers."""
    return gymnasium.make(TASK_ID, task=task, **options).unwrapped


def play_names(env: Any, names: list[Any]) -> list[tuple[Any, ...]]:
    """Take actions by name (a list of names for several agents) and return the steps."""
    found = []
    for name in names:
        action = [env.action_names.index(n) for n in ([name] if isinstance(name, str) else name)]
        found.append(env.step(action[0] if isinstance(name, str) else action))
    return found


# ------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"clock": "decisions"}, "clock='decisions'.*did you mean 'decision'"),
        ({"reward": "spares"}, "reward='spares'.*did you mean 'sparse'"),
        ({"view": "flatt"}, "view='flatt'.*did you mean 'flat'"),
        ({"knowledge": "all"}, "knowledge='all' is not one of 'full', 'structure', 'none'"),
        ({"executor": "fast"}, "executor='fast'"),
        ({"clock": 3}, "clock=3"),
        ({"clock": ["tick"]}, "clock="),
        ({"end_on_dead_end": "yes"}, "end_on_dead_end='yes'"),
        ({"opaque": 2}, "opaque=2"),
        ({"render_mode": "text"}, "render_mode='text'"),
    ],
)
def test_wrong_options(options: dict[str, Any], text: str) -> None:
    """A wrong value of a common option raises one clear line that names it and what is allowed."""
    with pytest.raises(ValueError, match=text) as caught:
        registry_make(TEA, options)
    assert "\n" not in str(caught.value)


def registry_make(task: dict[str, Any], options: dict[str, Any]) -> Any:
    """Make without Gymnasium's own look at the render mode."""
    from stratagym.envs.api.make import single

    return single(task=task, **options)


@pytest.mark.parametrize(
    ("env_id", "options", "error", "text"),
    [
        (TASK_ID, {}, TypeError, "needs task=..., a file or a mapping"),
        (TASK_ID, {"task": TEA, "clok": "tick"}, TypeError, "unexpected keyword argument 'clok'"),
        (TASK_ID, {"task": {"subtasks": {"a": {"durations": 1}}}}, TaskError, "durations"),
        (TASK_ID, {"task": "no such file.yaml"}, (TaskError, OSError), "no such file.yaml"),
        ("stratagym/Cooking-v0", {"sise": "small"}, TypeError, "unexpected keyword argument 'sise'"),
        ("stratagym/Cooking-v0", {"size": "tiny"}, ValueError, "tiny"),
        ("stratagym/Graph-v0", {"split": "tests"}, ValueError, "tests"),
        ("stratagym/JobShop-v0", {"instance": "ft07"}, ValueError, "ft07"),
    ],
)
def test_wrong_tasks_and_domain_options(env_id: str, options: dict[str, Any], error: Any, text: str) -> None:
    """A missing or wrong task, or a wrong option of a domain, raises one clear line."""
    with pytest.raises(error, match=text) as caught:
        gymnasium.make(env_id, **options)
    assert "\n" not in str(caught.value)


def test_world_durations_need_a_world() -> None:
    """A task whose subtask lasts until a world reports is refused where there is no world."""
    with pytest.raises(ValueError, match=r"subtasks\.dig\.duration is 'world'"):
        make({"subtasks": {"dig": {"duration": "world"}}})


def test_options_in_words() -> None:
    """The default reward is sparse with a goal and the file's rewards without one."""
    assert make(TEA).options.reward_for(make(TEA).model) == "sparse"
    assert make(TASKS["garden"]).options.reward_for(make(TASKS["garden"]).model) == "task"


def test_task_v0_takes_files_and_tasks(tmp_path: Any) -> None:
    """Task-v0 takes a file, a mapping or a loaded task, and they play alike."""
    import yaml

    path = tmp_path / "tea.yaml"
    path.write_text(yaml.safe_dump(TEA, sort_keys=False), encoding="utf-8")
    courses = [
        check.play(gymnasium.make(TASK_ID, task=task), 1) for task in (TEA, str(path), path, load_task(TEA))
    ]
    for course in courses[1:]:
        check.demand_equal(course, courses[0], "another form of the task")


# ------------------------------------------------------------------ seeds


def test_golden_episodes() -> None:
    """The seed of the next episode and its course are pinned: changing them breaks every result."""
    assert [mix(5, k) for k in range(3)] == GOLDEN_SEEDS
    env = make(FORGE, clock="tick")
    ends = []
    env.reset(seed=5)
    for _ in range(3):
        told: list[tuple[Any, ...]] = []
        over = False
        while not over:
            wanted = [i for i in range(3) if env.action_masks()[i]]
            *_, terminated, truncated, info = env.step(wanted[0] if wanted else 4)
            told += [(e["tick"], e["kind"]) for e in info["events"] if e["subtask"] in ("strike", "quench")]
            over = terminated or truncated
        ends.append((info["time"], info["success"], len(told)))
        env.reset()
    assert ends == GOLDEN_ENDS


GOLDEN_SEEDS = [5, 6542311707026663385, 4229679425618464161]
GOLDEN_ENDS = [(4, True, 4), (11, True, 6), (6, True, 4)]


def test_auto_changes_executor_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """``auto`` has the lane compiled in the middle of an episode, and nobody can tell."""
    from stratagym.envs.api import lanes

    expected = check.play(make(STORM, executor="interpreted"), 6, 60)
    monkeypatch.setattr(lanes, "cached", lambda *_: False)
    monkeypatch.setattr(lanes, "TIER_STEPS", 5)
    env = make(STORM)
    assert env.lanes.compiled is False
    check.demand_equal(check.play(env, 6, 60), expected, "auto against interpreted")
    assert env.lanes.compiled is True


def test_no_global_random_state() -> None:
    """Playing neither reads nor moves NumPy's or Python's global random state."""
    import random

    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    course = check.play(make(STORM), 3)
    assert np.random.random() == np.random.RandomState(1).random_sample()  # noqa: NPY002
    assert random.random() == random.Random(1).random()
    check.demand_equal(check.play(make(STORM), 3), course, "under another global state")


# ------------------------------------------------------------------ what users see


def test_what_users_see() -> None:
    """Status, stock, free capacity, names and masks say where the episode stands, in words."""
    env = make(TEA)
    env.reset(seed=0)
    assert env.action_names == ("boil water", "warm pot", "brew", "serve", "wait")
    assert env.free() == {"kettle": 1, "table": 1}
    assert env.stock() == {"leaves": 3, "tea": 0}
    *_, info = play_names(env, ["boil water"])[0]
    assert env.status() == {
        "boil water": "running",
        "warm pot": "eligible",
        "brew": "locked",
        "serve": "locked",
    }
    assert env.free() == {"kettle": 0, "table": 1}
    assert info["events"] == [{"tick": 0, "kind": "start", "subtask": "boil water", "agents": [0]}]
    assert env.action_masks().tolist() == [False, True, False, False, True]
    *_, info = play_names(env, ["serve"])[0]
    assert info["refusal"] == "dependency"
    play_names(env, ["warm pot", "brew"])
    assert env.stock() == {"leaves": 2, "tea": 1}
    assert env.task.name == "tea for two"
    assert (env.reference.value, env.reference.kind) == (14, "proved")


def test_several_agents_in_words() -> None:
    """Several agents have one row of the mask and one refusal each; joint starts name their crew."""
    env = make(MOVE, clock="tick")
    _, info = env.reset(seed=0)
    assert info["action_mask"].shape == (3, 7)
    assert env.action_space == gymnasium.spaces.MultiDiscrete([7, 7, 7])
    *_, info = play_names(env, [["pack", "pack", "drive"]])[0]
    assert info["refusal"] == [None, "busy", "dependency"]
    assert [e["agents"] for e in info["events"]] == [[0]]
    *_, info = play_names(env, [["wait", "wait", "wait"], ["carry sofa"] * 3])[1]
    assert info["refusal"] == [None, None, "busy"]
    assert [(e["kind"], e["agents"]) for e in info["events"]] == [("start", [0, 1])]
    assert env.action_masks().shape == (21,)


def test_states_of_others_are_refused() -> None:
    """A state of another task, version or shape is refused."""
    env, other = make(TEA), make(STORM)
    env.reset(seed=0)
    other.reset(seed=0)
    with pytest.raises(ValueError, match="not of"):
        env.set_state(other.get_state())
    with pytest.raises(ValueError, match="shape"):
        env.set_state({**env.get_state(), "s": np.zeros(3, np.int32)})


def test_maskable_ppo_learns_on_masks() -> None:
    """sb3-contrib's MaskablePPO finds the masks of one agent and of several."""
    from sb3_contrib import MaskablePPO

    for task in (TEA, MOVE):
        model = MaskablePPO(
            "MultiInputPolicy", gymnasium.make(TASK_ID, task=task), n_steps=16, batch_size=16, n_epochs=1
        )
        model.learn(32)
        assert model.num_timesteps == 32


# ------------------------------------------------------------------ rewards


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        ("task", [1, 0, 0, 5]),
        ("sparse", [0, 0, 0, 14 / 15]),
        ("dense", [8 / 15, 1 / 15, 4 / 15, 2 / 15 + 14 / 15]),
        ("makespan", [-8, -1, -4, -2]),
        ("tardiness", [0, 0, 0, -2]),
    ],
)
def test_rewards_by_hand(reward: str, expected: list[float]) -> None:
    """Each reward pays, step by step, what was worked out by hand for one late tea."""
    env = make(
        {**TEA, "subtasks": {**TEA["subtasks"], "warm pot": {"duration": 1}}}, reward=reward, clock="tick"
    )
    env.reset(seed=0)
    runs = [("boil water", 8), ("warm pot", 1), ("brew", 4), ("serve", 2)]
    steps = [play_names(env, [name] + ["wait"] * (ticks - 1)) for name, ticks in runs]
    paid = [sum(step[1] for step in part) for part in steps]
    assert steps[-1][-1][4]["time"] == 15
    assert paid == pytest.approx(expected)


def test_rewards_of_a_failure() -> None:
    """``makespan`` and ``tardiness`` charge a failure the horizon; ``dense`` pays its progress."""
    task = {**TEA, "subtasks": {**TEA["subtasks"], "brew": {"duration": 4, "needs": "boil water & warm pot"}}}
    for reward, expected in (
        ("makespan", -60),
        ("sparse", 0),
        ("dense", 8 / 15),
        ("tardiness", -2 * (60 - 14)),
    ):
        env = make(task, reward=reward)
        env.reset(seed=0)
        total, over = 0.0, False
        action = 0
        while not over:
            _, paid, terminated, over, info = env.step(action)
            total += paid
            action = 4
            assert not terminated
        assert total == pytest.approx(expected), reward
        assert info["tardiness"] == 2 * (60 - 14)


def test_undoing_earns_nothing() -> None:
    """Undone progress is taken back by ``dense``: doing it again earns nothing more in all."""
    task = {
        "horizon": 20,
        "subtasks": {"a": {"duration": 2}, "b": {"duration": 2, "needs": "a"}},
        "events": [{"at": 3, "undo": "a"}],
        "goal": "a & b",
    }
    env = make(task, reward="dense", clock="tick")
    env.reset(seed=0)
    paid = [step[1] for step in play_names(env, ["a", "wait", "wait", "a", "wait", "b", "wait"])]
    assert paid == pytest.approx([0, 0.5, -0.5, 0, 0.5, 0, 0.5 + min(1.0, env.reference.figure / 7)])


# ------------------------------------------------------------------ dead ends


def can_succeed(sim: Simulator, seen: set[bytes], budget: list[int]) -> bool | None:
    """Return whether any continuation reaches the goal; None if there are too many."""
    stack = [sim]
    while stack:
        here = stack.pop()
        if here.success:
            return True
        if here.over:
            continue
        key = np.array(here.memory.s).tobytes() + np.array(here.memory.sb, np.uint64).tobytes()
        if key in seen:
            continue
        seen.add(key)
        budget[0] -= 1
        if budget[0] < 0:
            return None
        rows = [np.flatnonzero(row).tolist() for row in here.mask()]
        for actions in itertools.product(*rows):
            after = here.clone()
            after.step(actions)
            stack.append(after)
    return False


def assert_dead_ends_are_dead(task: dict[str, Any], seed: int, states: int) -> int:
    """Play at random; from the first dead end on, try every continuation. Returns how many were tried."""
    sim, rng = Simulator(load_task(task).graph, seed), np.random.default_rng(seed)
    while not sim.over:
        if sim.dead_end:
            budget = [states]
            assert can_succeed(sim, set(), budget) is not True
            return states - max(0, budget[0])
        sim.step([int(rng.choice(np.flatnonzero(row))) for row in sim.mask()])
    return 0


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 10**6))
@example(seed=198)  # needs in a cycle that an outside subtask can open
def test_dead_ends_are_dead(seed: int) -> None:
    """Where a dead end is reported, no continuation of a small task reaches the goal."""
    assert_dead_ends_are_dead(small_task(seed), seed, 300)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_dead_ends_are_dead_exhaustively(block: int) -> None:
    """Dead ends of hundreds of small tasks are dead, whatever is tried."""
    tried = [
        assert_dead_ends_are_dead(small_task(seed), seed, 5000) for seed in range(block * 60, block * 60 + 60)
    ]
    assert sum(1 for n in tried if n) >= 5


TRAP: dict[str, Any] = {
    "horizon": 20,
    "items": {"key": 1},
    "subtasks": {
        "left": {"consumes": {"key": 1}},
        "right": {"consumes": {"key": 1}},
        "rest": {"repeatable": True},
    },
    "goal": "right",
}


def test_end_on_dead_end() -> None:
    """A dead end is told; it ends the episode only if that was asked for."""
    for ends in (False, True):
        env = make(TRAP, end_on_dead_end=ends, reward="makespan")
        _, info = env.reset(seed=0)
        assert info["dead_end"] is False
        _, _, terminated, truncated, info = play_names(env, ["left"])[0]
        assert info["dead_end"] is True
        assert terminated is ends
        assert truncated is False
        assert info["success"] is False


def test_a_charged_dead_end() -> None:
    """An episode that ends at a dead end is a failure: ``makespan`` charges it up to the horizon."""
    env = make(TRAP, end_on_dead_end=True, reward="makespan")
    env.reset(seed=0)
    assert play_names(env, ["left"])[0][1] == -20
    vec = gymnasium.make_vec(TASK_ID, task=TRAP, end_on_dead_end=True, reward="makespan", num_envs=2)
    vec.reset(seed=0)
    assert vec.step(np.array([0, 1]))[1].tolist() == [-20, -1]


def test_both_outcomes_are_checked() -> None:
    """Three tasks of the contract both succeed and fail under the random play that checks rewards."""
    for name in ("move", "forge", "storm"):
        ends = [list(episode(make(TASKS[name]), seed, 0.1, 0.02))[-1] for seed in check_rules.REWARD_SEEDS]
        assert {last.info["success"] for last in ends} == {True, False}, name


def test_a_compiled_environment_picks_what_the_interpreted_one_picks() -> None:
    """One environment that fills in its tasks one at a time plays the episodes of the interpreter."""
    compiled, interpreted = (
        gymnasium.make("stratagym/Graph-v0", split="test", executor=executor).unwrapped
        for executor in ("compiled", "interpreted")
    )
    for seed in range(6):
        _, one = compiled.reset(seed=seed)
        _, two = interpreted.reset(seed=seed)
        over = False
        while not over:
            assert compiled.instance == interpreted.instance  # type: ignore[attr-defined]
            assert one["action_mask"].tolist() == two["action_mask"].tolist()
            action = int(one["action_mask"].argmax())
            *first, one = compiled.step(action)
            *second, two = interpreted.step(action)
            assert first[1:] == second[1:]
            over = bool(first[2] or first[3])


def test_pictures_say_how_an_episode_stands() -> None:
    """The text names the task, sums what was paid, and says whether the goal is reached or out of reach."""
    task = {
        "name": "one egg",
        "horizon": 9,
        "items": {"egg": 1},
        "subtasks": {
            "boil": {"duration": 2, "consumes": {"egg": 1}, "reward": 3},
            "drop": {"consumes": {"egg": 1}, "reward": 1},
        },
        "goal": "boil",
    }
    env = gymnasium.make("stratagym/Task-v0", task=task, reward="task", render_mode="ansi").unwrapped
    for action, paid, note in ((0, "reward 3", "goal reached"), (1, "reward 1", "dead end")):
        env.reset(seed=0)
        assert env.render().splitlines()[1].split() == ["time", "0", "of", "9", "reward", "0"]
        env.step(action)
        title, facts = env.render().splitlines()[:2]
        assert title == "one egg"
        assert paid in facts
        assert facts.endswith(note)
    while not env.step(2)[3]:
        pass
    assert env.render().splitlines()[1].endswith("dead end")


def test_events_can_be_left_out() -> None:
    """Without ``events`` no info has that key, and nothing else differs."""
    loud, quiet = (
        gymnasium.make("stratagym/Cooking-v0", size="small", events=told) for told in (True, False)
    )
    (_, a), (_, b) = loud.reset(seed=1), quiet.reset(seed=1)
    for _ in range(5):
        assert set(a) - set(b) == {"events"}
        action = int(a["action_mask"].argmax())
        (*_, a), (*_, b) = loud.step(action), quiet.step(action)
        assert a["time"] == b["time"]


# ------------------------------------------------------------------ numbers at the edge

PAIR: dict[str, Any] = {
    "horizon": 30,
    "agents": 2,
    "subtasks": {"a": {"duration": 2}, "b": {"repeatable": True}},
    "goal": "a",
}


@pytest.mark.parametrize("executor", ["interpreted", "compiled"])
@pytest.mark.parametrize("number", [3, -1, 2**31, 2**32, 2**32 + 1, 10**12])
def test_numbers_of_no_action_wait(executor: Any, number: int) -> None:
    """However large a number is, it starts nothing, alone and in batches."""
    env = gymnasium.make("stratagym/Task-v0", task=PAIR, executor=executor, clock="tick").unwrapped
    env.reset(seed=0)
    info = env.step(np.array([number, number]))[4]
    assert info["events"] == []
    assert info["refusal"] == [None, None]
    envs = gymnasium.make_vec("stratagym/Task-v0", num_envs=2, task=PAIR, executor=executor, clock="tick")
    envs.reset(seed=0)
    info = envs.step(np.full((2, 2), number))[4]
    assert len(info["events"]) == 0
    assert not info["refusal"].any()


@pytest.mark.parametrize("executor", ["interpreted", "compiled"])
def test_every_agent_has_an_action(executor: Any) -> None:
    """Too few or too many actions are refused, and nothing is played."""
    env = gymnasium.make("stratagym/Task-v0", task=PAIR, executor=executor, clock="tick").unwrapped
    env.reset(seed=0)
    env.step([2, 1])
    for actions in ([2], [2, 2, 2], []):
        with pytest.raises(ValueError, match=f"{len(actions)} actions for 2 agents"):
            env.step(actions)
    assert env.step([2, 2])[4]["time"] == 2


@pytest.mark.parametrize("executor", ["interpreted", "compiled"])
def test_amounts_and_ticks_at_their_limit(executor: Any) -> None:
    """A stock stays at the largest number there is, and the longest run ends by itself."""
    most = 2**31 - 1
    rich = {
        "horizon": 30,
        "items": {"gold": most - 1},
        "subtasks": {"mint": {"produces": {"gold": most}, "repeatable": True}},
        "events": [{"at": 5, "stock": {"gold": 5}}],
    }
    env = gymnasium.make("stratagym/Task-v0", task=rich, executor=executor, clock="tick").unwrapped
    env.reset(seed=0)
    for _ in range(8):
        env.step(0)
    assert env.stock() == {"gold": most}
    slow = {"subtasks": {"a": {"duration": most}}, "goal": "a"}
    env = gymnasium.make("stratagym/Task-v0", task=slow, executor=executor).unwrapped
    env.reset(seed=0)
    info = env.step(0)[4]
    assert info["success"]
    assert info["time"] == most - 1
