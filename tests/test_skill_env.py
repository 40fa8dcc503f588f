"""Environments made of skills: the SMDP of any environment, and the one in which a skill is learned."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_sb3

import stratagym
from agent_scenes import CASES
from stratagym.agents.base import Case, Goal
from stratagym.baselines.skill_env import SkillEnv, SkillVectorEnv
from stratagym.baselines.skill_training_env import SkillTrainingEnv, SkillTrainingVectorEnv, agent_mind

assert stratagym

WORLDS: list[tuple[str, dict[str, Any]]] = [
    ("stratagym/Playground-v0", {}),
    ("stratagym/Kitchen-v0", {"size": "small"}),
    ("stratagym/Warehouse-v0", {"size": "small"}),
    ("stratagym/CableRouting-v0", {}),
    ("stratagym/House-v0", {}),
]
ANYWHERE = [*WORLDS, ("stratagym/Cooking-v0", {"size": "small"})]
GRIDS = WORLDS[:3]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Leave out what the checkers say of masks and of boxes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def drawn(env: Any, mask: Any, rng: np.random.Generator) -> Any:
    """Return a random action that the mask allows."""
    rows = np.asarray(mask).reshape(-1, np.shape(mask)[-1])
    actions = np.array([rng.choice(np.flatnonzero(row)) for row in rows])
    return actions if np.ndim(mask) > 1 else int(actions[0])


def equal(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Return whether two observations are the same."""
    return set(first) == set(second) and all(np.array_equal(first[name], second[name]) for name in first)


# ------------------------------------------------------------------ SkillEnv


@pytest.mark.parametrize(("env_id", "options"), ANYWHERE, ids=str)
def test_the_smdp_passes_the_checkers(env_id: str, options: dict[str, Any]) -> None:
    """Gymnasium's and Stable-Baselines3's checkers find nothing wrong."""
    env = SkillEnv(env_id, **options)
    check_env(env, skip_render_check=True)
    check_sb3(env, skip_render_check=True)


@pytest.mark.parametrize(("env_id", "options"), GRIDS, ids=str)
def test_a_step_pays_what_its_ticks_pay(env_id: str, options: dict[str, Any]) -> None:
    """Elapsed ticks add up to the clock, and with no discount the rewards to the return of the events."""
    env = SkillEnv(env_id, gamma=1.0, reward="makespan", **options)
    rng = np.random.default_rng(0)
    for seed in range(2):
        _, info = env.reset(seed=seed)
        clock, total, over = int(info["time"]), 0.0, False
        while not over:
            _, reward, terminated, truncated, info = env.step(drawn(env, info["action_mask"], rng))
            clock += info["elapsed"]
            total += float(reward)
            over = terminated or truncated
            assert info["discount"] == 1.0
        assert clock == info["time"]
        assert total == pytest.approx(-clock)


def test_rewards_are_discounted_by_their_age() -> None:
    """A reward weighs gamma to the power of the ticks before the step that paid it."""
    graph, scene = CASES["salad"]()
    for gamma in (1.0, 0.9):
        options = {"task": graph, "world": scene, "reward": "makespan", "clock": "tick"}
        env = SkillEnv("stratagym/Task-v0", gamma=gamma, **options)
        env.reset(seed=0)
        _, reward, _, _, info = env.step(0)
        ticks = info["elapsed"]
        assert ticks > 3
        assert reward == pytest.approx(-sum(gamma**age for age in range(ticks)))
        assert info["discount"] == pytest.approx(gamma**ticks)


@pytest.mark.parametrize(("env_id", "options"), GRIDS, ids=str)
def test_a_skill_that_the_mask_allows_is_begun(env_id: str, options: dict[str, Any]) -> None:
    """Taking any allowed skill takes time, and the body is then under way to it or has done it."""
    env = SkillEnv(env_id, **options)
    rng = np.random.default_rng(1)
    _, info = env.reset(seed=0)
    over = False
    while not over:
        action = drawn(env, info["action_mask"], rng)
        _, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
        assert info["elapsed"] > 0 or over


MODES = [(*place, "SameStep") for place in ANYWHERE] + [(*GRIDS[0], "NextStep")]


@pytest.mark.parametrize(("env_id", "options", "mode"), MODES, ids=str)
def test_lanes_equal_the_single_environment(env_id: str, options: dict[str, Any], mode: str) -> None:
    """Every lane gives what the single environment with its seed gives, over the ends of episodes."""
    batch = SkillVectorEnv(env_id, 2, autoreset_mode=mode, **options)
    singles = [SkillEnv(env_id, **options) for _ in range(2)]
    rng = np.random.default_rng(2)
    obs, info = batch.reset(seed=3)
    for k, single in enumerate(singles):
        assert equal(single.reset(seed=3 + k)[0], {name: part[k] for name, part in obs.items()})
    over = [False, False]
    for _ in range(16):
        actions = np.array([drawn(batch, info["action_mask"][k], rng) for k in range(2)])
        obs, rewards, terminated, truncated, info = batch.step(actions)
        for k, single in enumerate(singles):
            if over[k]:
                own, told = single.reset()
                over[k] = False
            else:
                own, reward, ended, cut, told = single.step(actions[k])
                assert (reward, ended, cut) == (rewards[k], terminated[k], truncated[k])
                over[k] = ended or cut
            if over[k] and mode == "SameStep":
                assert equal(own, {name: part[k] for name, part in info["final_obs"].items()})
                assert info["final_info"]["elapsed"][k] == told["elapsed"]
                own, told = single.reset()
                over[k] = False
            assert equal(own, {name: part[k] for name, part in obs.items()})
            assert np.array_equal(told["action_mask"], info["action_mask"][k])


@pytest.mark.parametrize(("env_id", "options"), ANYWHERE, ids=str)
def test_a_saved_batch_goes_on_as_if_it_had_not_stopped(env_id: str, options: dict[str, Any]) -> None:
    """What another batch takes over in the middle, skills under way included, goes on to the bit."""
    batch = SkillVectorEnv(env_id, 2, autoreset_mode="SameStep", **options)
    rng = np.random.default_rng(4)
    _, info = batch.reset(seed=9)
    for _ in range(7):
        actions = np.array([drawn(batch, info["action_mask"][k], rng) for k in range(2)])
        _, _, _, _, info = batch.step(actions)
    other = SkillVectorEnv(env_id, 2, autoreset_mode="SameStep", **options)
    other.set_state(batch.get_state())
    for _ in range(8):
        actions = np.array([drawn(batch, info["action_mask"][k], rng) for k in range(2)])
        obs, rewards, _, _, info = batch.step(actions)
        seen, paid, _, _, told = other.step(actions)
        assert equal(obs, seen)
        assert np.array_equal(rewards, paid)
        assert np.array_equal(info["action_mask"], told["action_mask"])


def test_what_cannot_be_meant_is_refused() -> None:
    """A foreign environment, a wrong word, hidden rules: one line each."""
    with pytest.raises(ValueError, match="not an environment of stratagym"):
        SkillEnv(gymnasium.make("CartPole-v1"))
    with pytest.raises(ValueError, match="there is no skill 'learned'"):
        SkillEnv("stratagym/Playground-v0", skills="learned")
    with pytest.raises(ValueError, match="knowledge='none'"):
        SkillEnv("stratagym/Playground-v0", knowledge="none")
    with pytest.raises(ValueError, match="gamma=2"):
        SkillEnv("stratagym/Playground-v0", gamma=2)
    with pytest.raises(ValueError, match="nothing to learn"):
        SkillTrainingEnv("stratagym/Cooking-v0")


# ------------------------------------------------------------------ SkillTrainingEnv


@pytest.mark.parametrize(("env_id", "options"), WORLDS, ids=str)
def test_the_training_environment_passes_the_checkers(env_id: str, options: dict[str, Any]) -> None:
    """Gymnasium's and Stable-Baselines3's checkers find nothing wrong."""
    env = SkillTrainingEnv(env_id, **options)
    check_env(env, skip_render_check=True)
    check_sb3(env, skip_render_check=True)


@pytest.mark.parametrize(("env_id", "options"), GRIDS[:2], ids=str)  # nobody else starts the goal there
def test_the_scripted_skill_reaches_every_goal(env_id: str, options: dict[str, Any]) -> None:
    """Put in the learner's place it succeeds in nine of ten episodes, and random play in fewer."""
    assert _scripted(SkillTrainingEnv(env_id, **options)) >= 0.9
    assert _random(SkillTrainingEnv(env_id, **options)) < 0.9


def _scripted(env: SkillTrainingEnv, episodes: int = 12) -> float:
    """Return the share of whole episodes in which the scripted skill succeeds."""
    env.reset(seed=0)
    done = whole = 0
    for _ in range(episodes):
        success, _ = _led(env)
        done += success
        whole += (
            success or env._time >= env._until or not env._over
        )  # else the episode inside has ended before
        env.reset()
    return done / whole


def _led(env: SkillTrainingEnv) -> tuple[bool, float]:
    """Let the scripted skill play one episode; return whether it succeeds, and what is paid."""
    total, over = 0.0, False
    while not over:
        memory = agent_mind(env.agent).memory
        memory.update(env._seen)
        case = Case(memory, env._body, Goal(env._goal, (env._body,)), env._since)
        action: Any = env.agent.skill_of("grid").act([case])[0].action
        waits = action == len(env._seen.world.actions) - 1
        last: Any = env.action_space
        _, reward, terminated, truncated, info = env.step(last.n - 1 if waits else action)
        total += float(reward)
        over = terminated or truncated
    return bool(info["success"]), total


def _random(env: SkillTrainingEnv, episodes: int = 12) -> float:
    rng = np.random.default_rng(0)
    _, info = env.reset(seed=0)
    done = 0
    for _ in range(episodes):
        over = False
        while not over:
            action = drawn(env, info["action_mask"], rng)
            _, reward, terminated, truncated, info = env.step(action)
            over = terminated or truncated
            assert reward == float(info["success"])
        done += info["success"]
        _, info = env.reset()
    return done / episodes


@pytest.mark.parametrize(("env_id", "options"), GRIDS, ids=str)
def test_starts_and_goals_differ(env_id: str, options: dict[str, Any]) -> None:
    """Start states are drawn from play: they lie at many ticks, and the goals are of many sorts."""
    env = SkillTrainingEnv(env_id, **options)
    seen = [env.reset(seed=seed)[1] for seed in range(10)]
    assert len({info["time"] for info in seen}) > 4
    assert len({info["goal"] for info in seen}) > 2


@pytest.mark.parametrize(("env_id", "options"), WORLDS, ids=str)
def test_training_lanes_equal_the_single_environment(env_id: str, options: dict[str, Any]) -> None:
    """Every lane gives what the single one gives, and a saved batch goes on to the bit."""
    batch = SkillTrainingVectorEnv(env_id, 2, autoreset_mode="SameStep", **options)
    singles = [SkillTrainingEnv(env_id, **options) for _ in range(2)]
    batch.single_action_space.seed(0)
    obs, _ = batch.reset(seed=5)
    for k, single in enumerate(singles):
        assert equal(single.reset(seed=5 + k)[0], {name: part[k] for name, part in obs.items()})
    for _ in range(40):
        actions = [batch.single_action_space.sample() for _ in range(2)]
        obs, rewards, terminated, truncated, _ = batch.step(actions)
        for k, single in enumerate(singles):
            own, reward, ended, cut, _ = single.step(actions[k])
            assert (reward, ended, cut) == (rewards[k], terminated[k], truncated[k])
            if ended or cut:
                own, _ = single.reset()
            assert equal(own, {name: part[k] for name, part in obs.items()})
    other = SkillTrainingVectorEnv(env_id, 2, autoreset_mode="SameStep", **options)
    other.set_state(batch.get_state())
    for _ in range(40):
        actions = [batch.single_action_space.sample() for _ in range(2)]
        obs, rewards, *_ = batch.step(actions)
        seen, paid, *_ = other.step(actions)
        assert equal(obs, seen)
        assert np.array_equal(rewards, paid)


def test_shaping_adds_up_to_nothing_but_the_first_potential() -> None:
    """With no discount what shaping pays over an episode that succeeds is minus the first potential."""
    graph, scene = CASES["salad"]()
    env = SkillTrainingEnv("stratagym/Task-v0", shaping=1.0, gamma=1.0, task=graph, world=scene)
    env.reset(seed=0)
    for _ in range(6):
        first = env._potential
        success, total = _led(env)
        assert success
        assert first < 0
        assert total == pytest.approx(1.0 - first)
        env.reset()
