"""Batches beside Gymnasium's own vector environments and wrappers."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from contract_cases import FILES, STORM, TASKS, Case
from random_tasks import random_task
from stratagym.envs.api import check
from stratagym.envs.api.course import choose
from stratagym.envs.registry import TASK_ID

LANES = 4
CASES = [
    Case("family", "stratagym/Crafting-v0", {"instances": 4}),
    FILES[1],
    FILES[4],
]
MODES = list(AutoresetMode)


def both(case: Case, mode: AutoresetMode) -> tuple[Any, SyncVectorEnv]:
    """Return our batch and Gymnasium's over singles."""
    ours = case.make_vec(num_envs=LANES, autoreset_mode=mode)
    theirs = SyncVectorEnv([partial(case.make, disable_env_checker=True)] * LANES, autoreset_mode=mode)
    return ours, theirs


def assert_same(ours: tuple[Any, ...], theirs: tuple[Any, ...], lanes: Any = None) -> None:
    """Assert that what two batches returned is one, ``info`` as far as both are arrays."""
    lanes = np.ones(LANES, bool) if lanes is None else lanes
    for key, part in theirs[0].items():
        assert np.array_equal(ours[0][key], part), key
        assert ours[0][key].dtype == part.dtype
    for one, other in zip(ours[1:-1], theirs[1:-1], strict=True):
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype
    for key in ("time", "elapsed", "action_mask", "success", "dead_end", "tardiness"):
        assert np.array_equal(ours[-1][key][lanes], np.asarray(theirs[-1][key])[lanes]), key


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_gymnasiums_batch_of_singles(case: Case, mode: AutoresetMode) -> None:
    """Spaces, seeds and all three autoreset modes are those of Gymnasium's batch of our singles."""
    ours, theirs = both(case, mode)
    for name in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    rng = np.random.default_rng(0)
    now = ours.reset(seed=7)
    assert_same(now, theirs.reset(seed=7))
    ends = 0
    for _ in range(120):
        actions = np.array([choose(mask, rng) for mask in now[-1]["action_mask"]])
        now, other = ours.step(actions), theirs.step(actions)
        assert_same(now, other)
        over = now[2] | now[3]
        ends += int(over.sum())
        if mode == AutoresetMode.SAME_STEP and over.any():
            for key, part in now[-1]["final_obs"].items():
                for lane in np.flatnonzero(over):
                    assert np.array_equal(part[lane], other[-1]["final_obs"][lane][key])
            final = other[-1]["final_info"]
            assert_same((now[0], now[-1]["final_info"]), (other[0], final), over)
            assert np.array_equal(now[-1]["_final_obs"], other[-1]["_final_obs"])
            assert np.array_equal(now[-1]["_final_info"], other[-1]["_final_info"])
        if mode == AutoresetMode.DISABLED and over.any():
            now = ours.reset(options={"reset_mask": over.copy()})
            assert_same(now, theirs.reset(options={"reset_mask": over.copy()}), over)
    assert ends > LANES


@pytest.mark.parametrize("seed", range(12))
def test_lanes_of_random_tasks(seed: int) -> None:
    """Lanes are the singles for tasks of every field, clock, reward, knowledge and autoreset mode."""
    common = {
        "task": random_task(seed, horizon=True),
        "clock": ("tick", "decision", "event")[seed % 3],
        "reward": ("task", "sparse", "dense", "makespan", "tardiness")[seed % 5],
        "knowledge": ("full", "structure", "none")[seed // 3 % 3],
        "end_on_dead_end": bool(seed % 2),
    }
    make_vec, make = (partial(f, TASK_ID, **common) for f in (gymnasium.make_vec, gymnasium.make))
    mode = MODES[seed % 3].value
    check.check_vector(make_vec, make, autoreset_mode=mode, steps=120, threads=1 + seed % 2)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_lanes_of_many_random_tasks(block: int) -> None:
    """Lanes are the singles over hundreds of random tasks, in all autoreset modes."""
    for seed in range(100 + block * 20, 120 + block * 20):
        common = {"task": random_task(seed, horizon=True), "clock": ("tick", "decision", "event")[seed % 3]}
        make_vec, make = (partial(f, TASK_ID, **common) for f in (gymnasium.make_vec, gymnasium.make))
        for mode in MODES:
            check.check_vector(make_vec, make, autoreset_mode=mode.value, steps=100)


def test_data_of_a_batch_is_fresh() -> None:
    """What a batch returned is not written to by later steps."""
    vec = gymnasium.make_vec("stratagym/Cooking-v0", num_envs=3, instances=4)
    obs, info = vec.reset(seed=0)
    rng = np.random.default_rng(0)
    kept = [(obs, info)]
    copies = [({k: v.copy() for k, v in obs.items()}, info["action_mask"].copy())]
    for _ in range(60):
        actions = np.array([choose(mask, rng) for mask in info["action_mask"]])
        obs, _, _, _, info = vec.step(actions)
        kept.append((obs, info))
        copies.append(({k: v.copy() for k, v in obs.items()}, info["action_mask"].copy()))
    for (seen, told), (before, mask) in zip(kept, copies, strict=True):
        assert all(np.array_equal(seen[k], before[k]) for k in before)
        assert np.array_equal(told["action_mask"], mask)


def test_state_of_a_batch() -> None:
    """A batch's saved state goes on exactly, pickled and in another batch too."""
    import pickle

    make = partial(gymnasium.make_vec, TASK_ID, task=STORM, num_envs=3)
    vec = make()
    _, info = vec.reset(seed=3)
    for _ in range(5):
        _, _, _, _, info = vec.step(
            np.array([choose(m, np.random.default_rng(1)) for m in info["action_mask"]])
        )
    state, other = pickle.dumps(vec.get_state()), make()
    other.set_state(pickle.loads(state))
    rng = np.random.default_rng(2)
    for _ in range(40):
        actions = np.array([choose(m, rng) for m in info["action_mask"]])
        one, two = vec.step(actions), other.step(actions)
        info = one[-1]
        assert_three(one, two)


def assert_three(one: tuple[Any, ...], two: tuple[Any, ...]) -> None:
    """Assert that two batches returned the same."""
    for key in one[0]:
        assert np.array_equal(one[0][key], two[0][key])
    for a, b in zip(one[1:4], two[1:4], strict=True):
        assert np.array_equal(a, b)
    for key in one[4]:
        if key not in ("final_obs", "final_info"):
            assert np.array_equal(one[4][key], two[4][key]), key


def test_what_has_not_appeared_closes_in_silence() -> None:
    """A batch tells of no closing of a subtask that has not appeared, as the single environment does not."""
    task = {
        "horizon": 12,
        "subtasks": {"a": {"duration": 9}, "hidden": {"deadline": 3}},
        "events": [{"at": 8, "appear": "hidden"}],
    }
    vec = gymnasium.make_vec(TASK_ID, task=task, num_envs=2, clock="tick")
    vec.reset(seed=0)
    kinds: set[str] = set()
    for _ in range(6):
        rows = vec.step(np.array([0, 2]))[-1]["events"]
        kinds |= {vec.unwrapped.event_names[row[2]] for row in rows}
    assert kinds == {"start"}


@pytest.mark.parametrize("name", ["tea", "move"])
def test_vector_wrappers(name: str) -> None:
    """Gymnasium's statistics wrapper for batches reports the returns and lengths of episodes."""
    from gymnasium.wrappers.vector import RecordEpisodeStatistics

    vec = RecordEpisodeStatistics(
        gymnasium.make_vec(TASK_ID, task=TASKS[name], num_envs=3, autoreset_mode="SameStep")
    )
    _, info = vec.reset(seed=0)
    rng = np.random.default_rng(0)
    total, length, reported = np.zeros(3), np.zeros(3, int), 0
    for _ in range(150):
        actions = np.array([choose(m, rng) for m in info["action_mask"]])
        _, reward, terminated, truncated, info = vec.step(actions)
        total, length = total + reward, length + 1
        over = terminated | truncated
        if over.any():
            reported += int(over.sum())
            stats = info["final_info"].get("episode", info.get("episode"))
            assert np.allclose(stats["r"][over], total[over])
            assert np.array_equal(stats["l"][over], length[over])
        total[over], length[over] = 0, 0
    assert reported > 5


def test_single_wrappers() -> None:
    """TimeLimit, RecordEpisodeStatistics and FlattenObservation wrap the single environment."""
    from gymnasium.wrappers import FlattenObservation, RecordEpisodeStatistics, TimeLimit

    env: Any = gymnasium.make("stratagym/Graph-v0", instances=4, reward="makespan")
    env = FlattenObservation(RecordEpisodeStatistics(TimeLimit(env, 7)))
    obs, info = env.reset(seed=0)
    assert obs in env.observation_space
    total = 0.0
    for step in range(1, 8):
        obs, reward, terminated, truncated, info = env.step(
            choose(info["action_mask"], np.random.default_rng(step))
        )
        total += float(reward)
        assert obs in env.observation_space
    assert (terminated, truncated) == (False, True)
    assert info["episode"]["r"] == pytest.approx(total)
    assert info["episode"]["l"] == 7
    gymnasium.make("stratagym/Graph-v0", instances=4, max_episode_steps=3).reset(seed=0)


def test_async_batch_of_singles() -> None:
    """Singles run in processes of their own, as Gymnasium's asynchronous batch wants them."""
    make = partial(gymnasium.make, TASK_ID, task=TASKS["tea"])
    vec = gymnasium.vector.AsyncVectorEnv([make, make])
    obs, _ = vec.reset(seed=1)
    alone, _ = make().reset(seed=2)
    assert all(np.array_equal(obs[key][1], alone[key]) for key in alone)
    vec.close()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"num_envs": 0}, "num_envs=0"),
        ({"num_envs": 1.5}, "num_envs=1.5"),
        ({"threads": 0}, "threads=0"),
        ({"threads": "two"}, "threads='two'"),
        ({"autoreset_mode": "Never"}, "autoreset_mode='Never' is not one of 'NextStep'"),
        ({"render_mode": "rgb_array"}, "render_mode='rgb_array'"),
        ({"max_episode_steps": 5}, "max_episode_steps"),
        ({"clock": "hour"}, "clock='hour'"),
    ],
)
def test_wrong_options_of_a_batch(options: dict[str, Any], text: str) -> None:
    """A wrong option of a batch raises one clear line that names it."""
    with pytest.raises(ValueError, match=text) as caught:
        gymnasium.make_vec(TASK_ID, **{"num_envs": 2, "task": TASKS["tea"], **options})
    assert "\n" not in str(caught.value)


def test_wrong_steps() -> None:
    """A step before the first reset, and actions of another shape, are refused; alone and in a batch."""
    vec = gymnasium.make_vec(TASK_ID, num_envs=2, task=TASKS["tea"], executor="interpreted")
    alone = gymnasium.make(TASK_ID, task=TASKS["tea"]).unwrapped
    with pytest.raises(ResetNeeded):
        vec.step(np.zeros(2, int))
    with pytest.raises(ResetNeeded):
        alone.step(0)
    vec.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions have shape \(3,\), not \(2,\)"):
        vec.step(np.zeros(3, int))


def test_wrong_resets_of_a_batch() -> None:
    """Wrong numbers of seeds, masks and instances are refused with one clear line."""
    vec = gymnasium.make_vec(TASK_ID, num_envs=2, task=TASKS["tea"])
    with pytest.raises(ValueError, match="3 seeds for 2 lanes"):
        vec.reset(seed=[1, 2, 3])
    with pytest.raises(ValueError, match="reset_mask"):
        vec.reset(options={"reset_mask": np.ones(3, bool)})
    with pytest.raises(ValueError, match="instance"):
        vec.reset(options={"instance": 1})
    with pytest.raises(ValueError, match="instance"):
        vec.reset(options={"instance": "tea"})
    with pytest.raises(ValueError, match="not of"):
        vec.set_state({"version": 1, "key": "other", "lanes": []})
