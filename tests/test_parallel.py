"""PettingZoo: the parallel environment is the single one with the agent axis unpacked."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from typing import Any

import gymnasium
import numpy as np
import pettingzoo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, render_test, seed_test
from pettingzoo.utils.conversions import parallel_to_aec

import stratagym
from random_tasks import random_task
from stratagym.agents.zoo import make_agent
from stratagym.envs.api.options import OptionError
from stratagym.envs.api.parallel import TaskParallelEnv
from stratagym.envs.api.single import TaskEnv

HARMLESS = ("Observation is not a NumPy array", "probably should be gymnasium.spaces.box")
"""What PettingZoo says of every observation that is a dictionary."""

TEAM: dict[str, Any] = {
    "horizon": 30,
    "agents": [{"name": "ann", "skills": ["cook"]}, {"name": "bob"}],
    "resources": {"oven": 1},
    "subtasks": {
        "mix": {"duration": 3, "attended": 1},
        "lift": {"duration": 2, "needs": "mix", "agents": 2},
        "bake": {"duration": 4, "uses": {"oven": 1}, "skill": "cook", "reward": 2},
    },
    "goal": "lift & bake",
}
ALONE: dict[str, Any] = {"horizon": 9, "subtasks": {"a": {"duration": 2}, "b": {"needs": "a"}}, "goal": "b"}


def make(task: Any = TEAM, **options: Any) -> TaskParallelEnv:
    """Return an interpreted parallel environment."""
    return stratagym.parallel_env(task, **{"executor": "interpreted", **options})


def flat_equal(a: Any, b: Any) -> bool:
    """Return whether two nested results are equal."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(flat_equal(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(flat_equal(x, y) for x, y in zip(a, b, strict=True))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else bool(a == b)


# ------------------------------------------------------------------ PettingZoo's own tests


@pytest.mark.parametrize("task", [TEAM, ALONE], ids=["team", "alone"])
@pytest.mark.parametrize("view", ["flat", "graph"])
@pytest.mark.parametrize("knowledge", ["full", "none"])
def test_passes_the_tests_of_pettingzoo(task: Any, view: str, knowledge: str) -> None:
    """Both forms pass the tests of PettingZoo, and nothing is warned of but dictionaries."""
    options = {"view": view, "knowledge": knowledge}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parallel_api_test(make(task, **options), num_cycles=60)
        parallel_seed_test(lambda: make(task, **options), num_cycles=30)
        api_test(parallel_to_aec(make(task, **options)), num_cycles=30)
        seed_test(lambda: parallel_to_aec(make(task, **options)), num_cycles=30)
    texts = [str(w.message) for w in caught if "pettingzoo" in w.filename]
    assert [text for text in texts if not any(part in text for part in HARMLESS)] == []


def test_a_domain_passes_the_tests_of_pettingzoo() -> None:
    """An id makes, with the options of its domain, and passes them too."""
    parallel_api_test(make("stratagym/JobShop-v0", instance="ft06"), num_cycles=20)
    parallel_seed_test(lambda: make("stratagym/JobShop-v0", instance="ft06"), num_cycles=10)


def test_passes_the_render_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures, texts and windows come as PettingZoo wants them."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    render_test(lambda render_mode: parallel_to_aec(make(render_mode=render_mode)))


# ------------------------------------------------------------------ equals the single environment


def single(task: Any, **options: Any) -> TaskEnv:
    """Return the single environment of a task."""
    env = gymnasium.make(
        "stratagym/Task-v0", task=task, executor="interpreted", disable_env_checker=True, **options
    ).unwrapped
    assert isinstance(env, TaskEnv)
    return env


def check_equal(
    team: TaskParallelEnv, found: tuple[Any, ...], one: TaskEnv, expected: tuple[Any, ...]
) -> None:
    """Compare what every agent got with the row of the single environment."""
    rows = np.atleast_2d(expected[-1]["action_mask"])
    reasons = expected[-1]["refusal"] if len(rows) > 1 else [expected[-1]["refusal"]]
    for a, name in enumerate(found[0]):
        seen = dict(found[0][name]["observation"])
        if len(team.possible_agents) > 1:
            assert seen.pop("self").tolist() == [int(k == a) for k in range(len(rows))]
        assert flat_equal(seen, expected[0])
        assert np.array_equal(found[0][name]["action_mask"], rows[a])
        assert flat_equal(
            found[-1][name], {**expected[-1], "action_mask": rows[a], "refusal": reasons[a]}
        )  # fmt: skip
        for mine, theirs in zip(found[1:-1], expected[1:-1], strict=True):
            assert mine[name] == theirs
    assert team.status() == one.status()
    assert team.stock() == one.stock()
    assert team.free() == one.free()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["tick", "decision", "event"]),
    st.sampled_from(["task", "makespan", "tardiness"]),
    st.sampled_from([("flat", "full"), ("flat", "none"), ("graph", "structure")]),
)
def test_equals_the_single_environment(seed: int, clock: str, reward: str, seen: tuple[str, str]) -> None:
    """The same seed and the same joint actions, legal or not, give the same episode bit for bit."""
    options = {"clock": clock, "reward": reward, "view": seen[0], "knowledge": seen[1]}
    task = random_task(seed, horizon=True)
    team, one = make(task, **options), single(task, **options)
    rng = np.random.default_rng(seed)
    for episode in range(2):
        start = {"seed": seed} if episode == 0 else {}
        found: Any = team.reset(**start)
        expected: Any = one.reset(**start)
        check_equal(team, found, one, expected)
        for _ in range(20):
            joint = {name: team.action_space(name).sample() for name in team.agents}
            if rng.random() < 0.8:
                joint = {
                    name: int(rng.choice(np.flatnonzero(info["action_mask"])))
                    for name, info in found[-1].items()
                }
            actions = list(joint.values())
            step = one.step(actions[0] if len(actions) == 1 else actions)
            found = team.step(joint)
            check_equal(team, found, one, step)
            if not team.agents:
                break
        assert bool(team.agents) != bool(step[2] or step[3])


def test_another_seed_is_another_episode() -> None:
    """The seed reaches the draws: durations differ between seeds, and agree for one."""
    task = {"horizon": 99, "subtasks": {"a": {"duration": {"uniform": [1, 50]}}}, "agents": 2, "goal": "a"}
    ends = []
    for seed in (0, 1, 2, 0):
        env = make(task)
        env.reset(seed=seed)
        ends.append(env.step({"agent_0": 0})[-1]["agent_0"]["time"])
    assert ends[0] == ends[3]
    assert len(set(ends)) > 1


# ------------------------------------------------------------------ agents


def test_refusals_and_masks_are_the_agents_own() -> None:
    """Each agent is told why its own action was refused, and what it may do itself."""
    env = make()
    observations, infos = env.reset(seed=0)
    assert observations["agent_0"]["action_mask"].tolist() == [1, 0, 1, 1]
    assert observations["agent_1"]["action_mask"].tolist() == [1, 0, 0, 1]
    _, rewards, _, _, infos = env.step({"agent_0": 1, "agent_1": 2})
    assert infos["agent_0"]["refusal"] == "dependency"
    assert infos["agent_1"]["refusal"] == "skill"
    assert rewards["agent_0"] == rewards["agent_1"]


def test_agents_that_do_not_act_wait() -> None:
    """Who is missing from the dictionary, or names None, waits."""
    acted, waited = make(clock="tick"), make(clock="tick")
    acted.reset(seed=0)
    waited.reset(seed=0)
    wait = len(TEAM["subtasks"])
    assert flat_equal(acted.step({"agent_0": 2, "agent_1": wait}), waited.step({"agent_0": 2}))
    assert flat_equal(acted.step({"agent_0": wait, "agent_1": wait}), waited.step({"agent_1": None}))


def test_an_unknown_agent_is_named() -> None:
    """An action for an agent that is not there is refused by name."""
    env = make()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="no agent is called 'carl'; there are agent_0, agent_1"):
        env.step({"carl": 0})


def test_all_end_together_and_a_step_after_the_end_is_empty() -> None:
    """At the horizon every agent is truncated, none is left, and nothing more happens."""
    env = make(ALONE, clock="tick")
    env.reset(seed=0)
    while env.agents:
        _, _, terminated, truncated, infos = env.step({})
    assert truncated == {"agent_0": True}
    assert terminated == {"agent_0": False}
    assert infos["agent_0"]["time"] == 9
    assert env.step({}) == ({}, {}, {}, {}, {})


def test_max_cycles_is_without_effect() -> None:
    """Setting ``max_cycles`` does nothing; asking for it is refused, since the task has a horizon."""
    env = make(ALONE, clock="tick")
    env.max_cycles = 1
    env.reset(seed=0)
    env.step({})
    assert env.agents
    with pytest.raises(OptionError, match="max_cycles"):
        make(ALONE, max_cycles=5)


@pytest.mark.parametrize(
    ("agents", "names"),
    [
        (3, ["agent_0", "agent_1", "agent_2"]),
        ([{"name": "cook_0"}, {"name": "guest_7"}], ["cook_0", "guest_7"]),
        ([{"name": "Ann"}, {"name": "cook_0"}], ["agent_0", "agent_1"]),
    ],
)
def test_names_of_agents(agents: Any, names: list[str]) -> None:
    """Agents keep names that PettingZoo likes, and are numbered otherwise."""
    env = make({**ALONE, "agents": agents})
    env.reset(seed=0)
    assert env.agents == env.possible_agents == names


def test_agents_are_those_of_the_present_task() -> None:
    """In a family whose tasks have teams of different sizes, only the agents that there are take part."""
    stratagym.register("tests/Teams-v0", family=team_of, count=3)
    env = make("tests/Teams-v0")
    assert env.possible_agents == ["agent_0", "agent_1", "agent_2"]
    for k in range(3):
        observations, infos = env.reset(seed=0, options={"instance": k})
        assert list(observations) == list(infos) == env.agents == env.possible_agents[: k + 1]
        found = env.step({"agent_2": 0})
        assert all(list(part) == env.possible_agents[: k + 1] for part in found)
        assert env.status()["a"] == ("running" if k == 2 else "eligible")


def team_of(k: int) -> dict[str, Any]:
    """Return a task for ``k + 1`` agents."""
    return {"horizon": 20, "agents": k + 1, "subtasks": {"a": {"duration": 9}, "b": {}}, "goal": "a & b"}


# ------------------------------------------------------------------ observations for the zoo


@pytest.mark.parametrize("name", ["greedy", "beam"])
def test_agents_of_the_zoo_can_sit_in_every_place(name: str) -> None:
    """Agents that plan for all, one in each place, play the joint subtask together."""
    env = make()
    env.reset(seed=0)
    players = [make_agent(name) for _ in env.agents]
    for player in players:
        player.reset(0)
    infos: dict[str, Any] = {}
    while env.agents:
        own = env.observation()
        assert all(o.mask.shape == (2, 4) for o in own)
        actions = [int(player.act(o)[a]) for a, (player, o) in enumerate(zip(players, own, strict=True))]
        infos = env.step(dict(zip(env.agents, actions, strict=True)))[-1]
    assert infos["agent_0"]["success"]


def test_under_none_an_agent_learns_nothing_of_the_skills_of_others() -> None:
    """Where skills are not known, the observation of an agent shows only its own mask."""
    env = make(knowledge="none")
    _, infos = env.reset(seed=0)
    for a, observation in enumerate(env.observation()):
        assert np.array_equal(observation.mask[a], infos[env.agents[a]]["action_mask"])
        assert observation.mask[1 - a].tolist() == [0, 0, 0, 1]


# ------------------------------------------------------------------ copies, states, spaces


def test_copies_go_on_alike() -> None:
    """A pickled, a deep-copied and a restored environment continue exactly like the original."""
    task = random_task(7, horizon=True)
    env, other = make(task), make(task)
    env.reset(seed=4)
    env.step({env.agents[0]: 0})
    other.set_state(pickle.loads(pickle.dumps(env.get_state())))
    copies = [pickle.loads(pickle.dumps(env)), copy.deepcopy(env), other]
    while env.agents:
        actions = {name: env.action_space(name).sample() for name in env.agents}
        found = env.step(actions)
        for twin in copies:
            assert flat_equal(twin.step(actions), found)
            assert twin.agents == env.agents


def test_agents_share_no_arrays() -> None:
    """What one agent writes into its observation or info, no other sees."""
    env = make(view="graph")
    observations, infos = env.reset(seed=0)
    arrays = [a for o in observations.values() for a in [*o["observation"].values(), o["action_mask"]]]
    arrays += [info["action_mask"] for info in infos.values()]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


# ------------------------------------------------------------------ ids and registries


def test_importing_stratagym_does_not_import_pettingzoo() -> None:
    """PettingZoo is imported only when it is asked for."""
    code = "import sys, stratagym; sys.exit('pettingzoo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ids_are_in_the_registry_of_pettingzoo() -> None:
    """After ``register_pettingzoo`` every id makes by PettingZoo's own ``make``, in both forms."""
    stratagym.register("tests/Mine-v0", task=TEAM)
    assert stratagym.register_pettingzoo()
    ids = {
        i for i, spec in gymnasium.registry.items() if spec.entry_point == "stratagym.envs.api.make:single"
    }
    assert ids <= set(pettingzoo.parallel_registry) & set(pettingzoo.aec_registry)
    parallel = pettingzoo.make("parallel", "tests/Mine-v0", reward="makespan")
    assert isinstance(parallel, TaskParallelEnv)
    assert parallel.env.options.reward == "makespan"
    turns = pettingzoo.make("aec", "tests/Mine-v0")
    turns.reset(seed=0)
    assert turns.agent_selection == "agent_0"


def test_registering_again_takes_the_new_task() -> None:
    """An id that is given another task leads to it in PettingZoo's registry, without a warning."""
    stratagym.register("tests/Again-v0", task=TEAM)
    stratagym.register_pettingzoo()
    stratagym.register("tests/Again-v0", task=ALONE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stratagym.register_pettingzoo()
    assert pettingzoo.make("parallel", "tests/Again-v0").possible_agents == ["agent_0"]


def test_old_pettingzoo_has_no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 1.27 there is no registry, and that is said."""
    monkeypatch.delattr(pettingzoo, "register")
    assert stratagym.register_pettingzoo() is False


def test_ids_of_others_are_refused() -> None:
    """An id that is not ours, or that does not exist, is refused by name."""
    with pytest.raises(ValueError, match="'CartPole-v1' is not an environment of stratagym"):
        stratagym.parallel_env("CartPole-v1")
    with pytest.raises(gymnasium.error.NameNotFound, match="Coking"):
        stratagym.parallel_env("stratagym/Coking-v0")


def test_a_file_makes_an_environment(tmp_path: Any) -> None:
    """The path of a task file does as well as a mapping."""
    path = tmp_path / "alone-v0"
    path = path.with_suffix(".yaml")
    path.write_text("subtasks: {a: {}}\nhorizon: 5\nagents: 2\ngoal: a\n", encoding="utf-8")
    for given_path in (path, str(path)):
        assert make(given_path).possible_agents == ["agent_0", "agent_1"]
