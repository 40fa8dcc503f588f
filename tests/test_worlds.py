"""How worlds join the one transition, tried in a corridor: every executor, every API, every report."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import corridor
import stratagym
from contract_cases import TASKS
from stratagym.envs.api import check, lanes
from stratagym.envs.api.course import begin, demand_equal, play, take
from stratagym.envs.api.options import OptionError, Options
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.registry import TASK_ID
from stratagym.envs.step import Model
from stratagym.envs.task import layout as at
from stratagym.envs.task.kernel import TICK_CLOCK, reset_lane, step_lane
from stratagym.envs.task.linking import functions_of, link
from stratagym.envs.task.simulate import Simulator, copy_memory
from stratagym.envs.task.spec import load_task
from stratagym.envs.worlds import abstract, base

CASES: dict[str, dict[str, Any]] = {
    "two agents": {"task": corridor.TASK, "world": corridor.SCENE},
    "alone in a fog": {"task": corridor.LONE, "world": corridor.LONE_SCENE},
}
FACTS = [fact for fact in check.CHECKS if fact not in (check.check_spec, check.check_rendering)]
"""A scene that is not a mapping cannot be written into a spec, and nobody has drawn a corridor."""


def maker(case: str) -> Callable[..., Any]:
    """Return what makes a case's environment."""
    return partial(gymnasium.make, TASK_ID, **CASES[case])


def family() -> Model:
    """Return four tasks of different sizes, each in its corridor."""
    return Model("jobs", 4, corridor.task_of, scene=corridor.scene_of)


@pytest.fixture(autouse=True)
def _no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have windows open nowhere."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
@pytest.mark.parametrize("case", CASES)
def test_the_contract_holds(case: str, fact: Callable[..., None]) -> None:
    """Every fact of the contract holds in a world."""
    fact(maker(case))


@pytest.mark.parametrize("knowledge", ["structure", "none"])
@pytest.mark.parametrize("case", CASES)
def test_the_contract_holds_with_less_knowledge(case: str, knowledge: str) -> None:
    """Observations, masks and executors agree where less is known, too."""
    make = partial(maker(case), knowledge=knowledge)
    for fact in (check.check_observation, check.check_mask, check.check_executors, check.check_state):
        fact(make)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("executor", ["interpreted", "compiled"])
@pytest.mark.parametrize("knowledge", ["full", "none"])
@pytest.mark.parametrize("case", CASES)
def test_lanes_are_single_environments(case: str, knowledge: str, executor: str, mode: str) -> None:
    """Lane i of a batch is the single environment seeded with s + i, bit for bit."""
    make_vec = partial(gymnasium.make_vec, TASK_ID, **CASES[case])
    make = partial(maker(case), knowledge=knowledge)
    steps = 60 if executor == "interpreted" else 150
    batch = {"knowledge": knowledge, "executor": executor, "threads": 2}
    check.check_vector(make_vec, make, autoreset_mode=mode, steps=steps, **batch)


def test_families_are_padded() -> None:
    """Tasks and corridors of different sizes share one shape: each plays as it does alone."""
    model = family()
    chosen = np.random.default_rng(0).integers(0, 4, (30, 2))
    for k in range(model.count):
        alone = Model("job", 1, lambda _, k=k: model.task(k), scene=lambda _, k=k: corridor.scene_of(k))
        agents = len(model.graph(k).agents)
        courses = []
        for own, instance in ((model, k), (alone, 0)):
            env = TaskEnv(own, Options(reward="task"))
            env.reset(seed=3, options={"instance": instance})
            course: list[Any] = []
            for actions in chosen:
                joint = [*actions[:agents], *[3] * (env.acting.agents - agents)]
                moment = take(env, joint[0] if len(joint) == 1 else joint)
                course.append((moment.reward, moment.over, env.happened, env.refusals[:agents]))
                if moment.over:
                    break
            courses.append(course)
        assert courses[0] == courses[1]
        assert any(happened for _, _, happened, _ in courses[0])


def test_families_play_in_batches() -> None:
    """Lanes of a family, each on the task that its seed picks, are the single environments."""
    from stratagym.envs.api.vector import TaskVectorEnv

    model = family()
    options = Options(reward="task")
    check.check_vector(
        lambda **batch: TaskVectorEnv(model=model, options=options, **batch),
        lambda: TaskEnv(model, options),
        lanes=6,
    )


def test_a_world_that_adds_nothing_is_the_abstract_one() -> None:
    """With the abstract hooks a step of a world is the kernel's own, tick by tick."""
    plain = link((*lanes.MODULES, base, _hooks()), ("play_step",))["play_step"]
    for mapping in TASKS.values():
        graph = load_task(mapping).graph
        sim = Simulator(graph, 5)
        one, other = copy_memory(sim.memory), copy_memory(sim.memory)
        spares = [copy_memory(sim.memory) for _ in range(2)]
        agents = len(graph.agents)
        rng = np.random.default_rng(1)
        attempts = [0] * agents
        for _ in range(60):
            if one.s[at.OVER]:
                break
            actions = rng.integers(0, len(graph.subtasks) + 1, agents).tolist()
            step_lane(one, *spares, actions, TICK_CLOCK)
            plain(other, *spares, actions, attempts, TICK_CLOCK)
            assert (one.s, one.sb) == (other.s, other.sb)
            rows = 1 + one.x[0] * at.EVENT_SIZE
            assert one.x[:rows] == other.x[:rows]


def _hooks() -> Any:
    """Return the abstract hooks as a kernel of their own, without the abstract step."""
    import types

    module = types.ModuleType(abstract.__name__)
    for name in ("world_act", "world_apply", "world_move", "world_ready"):
        setattr(module, name, getattr(abstract, name))
    return module


# ------------------------------------------------------------------ reports, events, refusals


def names_of(env: Any, actions: list[str]) -> Any:
    """Return named actions as numbers."""
    numbers = [env.action_names.index(name) for name in actions]
    return numbers[0] if len(numbers) == 1 else np.array(numbers)


def test_the_world_ends_runs() -> None:
    """A run of duration ``world`` ends when the world reports it, well or badly, and frees its agent."""
    outcomes = set()
    for seed in range(12):
        env: Any = maker("two agents")(clock="tick").unwrapped
        env.reset(seed=seed)
        env.step(names_of(env, ["wait", "right"]))
        _, _, _, _, info = env.step(names_of(env, ["wait", "work"]))
        told = [(e["kind"], e["tick"]) for e in info["events"] if e["subtask"] == "press"]
        while len(told) == 1:
            assert env.status()["press"] == "running"
            assert not info["action_mask"][1][:-1].any()
            _, _, _, _, info = env.step(names_of(env, ["wait", "wait"]))
            told += [(e["kind"], e["tick"]) for e in info["events"] if e["subtask"] == "press"]
        (start, begun), (ended, tick) = told
        assert (start, begun) == ("start", 1)
        assert 1 <= tick - begun <= 4
        assert (env.status()["press"] == "done") == (ended == "success")
        assert info["action_mask"][1][0]
        outcomes.add((ended, tick - begun))
    assert {kind for kind, _ in outcomes} == {"success", "failure"}
    assert len({ticks for _, ticks in outcomes}) > 1


def test_own_draw_counts_too() -> None:
    """A run that the world lets succeed may still fail by its own draw."""
    sure = {"horizon": 30, "subtasks": {"a": {"duration": "world", "success": 0}}, "goal": "a"}
    env: Any = gymnasium.make(
        TASK_ID, task=sure, world=corridor.Corridor(3, (-1,), (0,), 2, (9, 9, 1))
    ).unwrapped
    for seed in range(8):
        _, info = env.reset(seed=seed)
        while not any(e["kind"] == "failure" for e in info["events"]):
            _, _, terminated, truncated, info = env.step(2)
            assert not terminated
            assert not truncated


def test_events_of_the_place() -> None:
    """The world's own events come at their drawn tick with the scene's name, under every clock alike."""
    seen: list[set[Any]] = []
    for clock in ("tick", "decision", "event"):
        env: Any = maker("two agents")(clock=clock).unwrapped
        told = set()
        for seed in range(5):
            moment = begin(env, seed=seed)
            while not moment.over:
                moment = take(env, np.array([3, 3]))
                told |= {
                    (seed, e["tick"], e["kind"], e["subtask"])
                    for e in moment.info["events"]
                    if e["kind"] in ("block", "clear")
                }
        seen.append(told)
    assert seen[0] == seen[1] == seen[2]
    assert {name for *_, name in seen[0]} == {"rubble"}
    starts = {seed: tick for seed, tick, kind, _ in seen[0] if kind == "block"}
    assert all(2 <= tick <= 8 for tick in starts.values())
    assert len(set(starts.values())) > 1
    assert {seed: tick - 6 for seed, tick, kind, _ in seen[0] if kind == "clear"} == starts


def test_fog_hides_events() -> None:
    """Whoever does not see the place is told nothing of what happens there; records know all."""
    env: Any = maker("alone in a fog")(clock="tick").unwrapped
    env.reset(seed=0)
    for action in ["right", *["wait"] * 14]:
        _, _, _, _, info = env.step(names_of(env, [action]))
        assert not any(e["kind"] in ("block", "clear") for e in info["events"])
    near: Any = maker("alone in a fog")(clock="tick").unwrapped
    near.reset(seed=0)
    kinds = []
    for _ in range(15):
        _, _, _, _, info = near.step(3)
        kinds += [e["kind"] for e in info["events"]]
        assert [h.kind for h in near.happened] == [e["kind"] for e in info["events"]]
    assert kinds == ["block", "clear"]


def test_bodies_are_in_each_others_way() -> None:
    """Bumping into a body, a wall or rubble is legal, changes nothing and passes a tick."""
    env: Any = maker("two agents")(clock="tick").unwrapped
    env.reset(seed=0)
    for expected in ((0, 3), (0, 2), (0, 1), (0, 1), (0, 1)):
        _, _, _, _, info = env.step(names_of(env, ["left", "left"]))
        assert info["refusal"] == [None, None]
        assert tuple(b.at for b in env.observation().world.bodies) == expected


def test_refusals() -> None:
    """Work where there is none is refused by the world or the graph; a busy body is ``busy``."""
    task = {"horizon": 20, "subtasks": {"a": {"duration": 3}, "b": {"needs": "a"}}, "goal": "b"}
    env: Any = gymnasium.make(
        TASK_ID, task=task, world=corridor.Corridor(4, (1, 2), (0,), 3, (9, 9, 1)), clock="tick"
    ).unwrapped
    env.reset(seed=0)
    course = [("work", "world"), ("right", None), ("right", None), ("work", "dependency"), ("left", None)]
    for action, reason in [*course, ("work", None), ("work", "busy"), ("left", "busy"), ("wait", None)]:
        _, _, _, _, info = env.step(names_of(env, [action]))
        assert info["refusal"] == reason, action


# ------------------------------------------------------------------ what agents get


def test_observations_are_local() -> None:
    """Each agent of PettingZoo sees what its own body sees; the controller of all sees the union."""
    scene = corridor.Corridor(9, corridor.SCENE.at, (0, 8), 2, (2, 8, 6), 2)
    env = stratagym.parallel_env(corridor.TASK, world=scene)
    seen, _ = env.reset(seed=0)
    assert seen["agent_0"]["observation"]["world"].tolist() == [9, 0, 1, 0]
    assert seen["agent_1"]["observation"]["world"].tolist() == [9, 0, 0, 9]
    assert [[b.at for b in o.world.bodies] for o in env.observation()] == [[0, None], [None, 8]]
    assert [b.at for b in env.env.observation().world.bodies] == [0, 8]
    assert [o.world.mask[:, :-1].any(axis=1).tolist() for o in env.observation()] == [
        [True, False],
        [False, True],
    ]


def test_pettingzoo_accepts() -> None:
    """PettingZoo's own tests of the parallel and of the turn-based environment pass."""
    from pettingzoo.test import api_test, parallel_api_test

    from stratagym.envs.api.parallel import aec

    parallel_api_test(stratagym.parallel_env(corridor.TASK, world=corridor.SCENE), num_cycles=60)
    api_test(aec(task=corridor.TASK, world=corridor.SCENE), num_cycles=60)


def test_parallel_is_single() -> None:
    """A parallel environment is the single one with the agent axis unpacked."""
    env = stratagym.parallel_env(corridor.TASK, world=corridor.SCENE)
    single: Any = maker("two agents")().unwrapped
    rng = np.random.default_rng(0)
    for seed in range(3):
        env.reset(seed=seed)
        moment = begin(single, seed=seed)
        while not moment.over:
            actions = rng.integers(0, 4, 2)
            _, rewards, ended, cut, infos = env.step(dict(zip(env.possible_agents, actions, strict=True)))
            moment = take(single, actions)
            assert set(rewards.values()) == {moment.reward}
            assert set(ended.values()) == {moment.terminated}
            assert set(cut.values()) == {moment.truncated}
            for a, name in enumerate(infos):
                assert infos[name]["events"] == moment.info["events"]
                assert infos[name]["refusal"] == moment.info["refusal"][a]
                assert infos[name]["action_mask"].tolist() == moment.info["action_mask"][a].tolist()
        assert env.agents == []


def test_individual_rewards() -> None:
    """Shared, all get what the file pays; individually, those who started share it, with the same sum."""
    shared = stratagym.parallel_env(corridor.TASK, world=corridor.SCENE, reward="task")
    own = stratagym.parallel_env(
        corridor.TASK, world=corridor.SCENE, reward="task", reward_sharing="individual"
    )
    rng = np.random.default_rng(3)
    paid = np.zeros(2)
    for seed in range(6):
        shared.reset(seed=seed)
        own.reset(seed=seed)
        while own.agents:
            actions = dict(zip(own.agents, rng.choice(4, 2, p=(0.25, 0.25, 0.4, 0.1)), strict=True))
            one, other = shared.step(actions)[1], own.step(actions)[1]
            assert sum(other.values()) == pytest.approx(one["agent_0"])
            assert one["agent_0"] == one["agent_1"]
            paid += list(other.values())
    assert (paid > 0).all()
    with pytest.raises(OptionError, match="reward_sharing='individual': reward='sparse' measures the whole"):
        stratagym.parallel_env(corridor.TASK, world=corridor.SCENE, reward_sharing="individual")
    with pytest.raises(OptionError, match="did you mean 'shared'"):
        stratagym.parallel_env(corridor.TASK, world=corridor.SCENE, reward_sharing="share")


def test_the_lane_of_an_observation_is_without_world() -> None:
    """A planner goes on from what it observes as in the abstract world; the lane tells of no place."""
    events = {k: v for k, v in corridor.TASK.items() if k != "events"}
    env: Any = gymnasium.make(TASK_ID, task=events, world=corridor.SCENE).unwrapped
    env.reset(seed=0)
    other = copy.deepcopy(env)
    other.step(names_of(other, ["right", "left"]))
    lane = env.observation().task.lane
    assert len(lane.s) == lane.t[at.Q_WORLD] == lane.t[at.S_LENGTH]
    assert len(lane.t) == lane.t[at.T_WORLD]
    sim = Simulator(env.task.graph, 0, lane=lane)
    graph = env.observation().mask
    assert sim.mask().tolist() == graph.tolist()
    sim.step([0, len(env.task.graph.subtasks)])
    assert sim.status()[0] == "running"


def test_subtask_masks_are_the_graphs() -> None:
    """The mask beside the world's is that of the task graph alone, wherever the bodies stand."""
    env: Any = maker("two agents")(clock="tick").unwrapped
    env.reset(seed=0)
    seen = env.observation()
    allowed = {(a, seen.task.names[i]) for a, i in np.argwhere(seen.mask[:, :-1])}
    every = {"dig", "press", "ring"}
    assert allowed == {(a, name) for a in (0, 1) for name in every}
    assert not seen.world.mask[0, seen.world.action("work")] or env.scene.at[3] == -1


# ------------------------------------------------------------------ making, refusing, keeping


def test_only_the_abstract_world_refuses_durations_of_worlds() -> None:
    """``duration: world`` needs a world that would report the end."""
    with pytest.raises(ValueError, match=r"subtasks.press.duration is 'world'"):
        gymnasium.make(TASK_ID, task=corridor.TASK)
    maker("two agents")()


def test_worlds_have_a_horizon() -> None:
    """A task without a horizon gets one that leaves room for the ways."""
    task = {"subtasks": {"a": {"duration": 2}, "b": {"duration": 3, "needs": "a"}}, "goal": "b"}
    env: Any = gymnasium.make(TASK_ID, task=task, world=corridor.Corridor(6, (0, 5), (3,), 2, (1, 2, 1)))
    assert env.unwrapped.task.graph.horizon == 2 * (5 + 2 * 6)
    reference = env.unwrapped.reference
    assert (reference.kind, reference.value, reference.bound) == ("bound", None, 5)


def test_planes_need_a_grid() -> None:
    """The view of a map is refused where there is none."""
    with pytest.raises(OptionError, match="it shows a grid, and here is a 'corridor' world"):
        maker("two agents")(view="planes")
    with pytest.raises(OptionError, match="it shows a grid, and here is no place"):
        gymnasium.make(TASK_ID, task=TASKS["tea"], view="planes")


def test_copies_in_both_executors() -> None:
    """A pickled copy, made in the middle, goes on identically under both executors."""
    for executor in ("interpreted", "compiled"):
        env = maker("two agents")(executor=executor)
        play(env, 1, 9)
        twin = pickle.loads(pickle.dumps(env))
        actions = [np.array([k % 4, (k + 1) % 4]) for k in range(12)]
        demand_equal([take(env, a) for a in actions], [take(twin, a) for a in actions], executor)


def test_users_register_families_in_worlds() -> None:
    """A family of tasks with a family of scenes is an id like any other."""
    stratagym.register("mine/Jobs-v0", family=corridor.task_of, world=corridor.scene_of, count=3)
    env: Any = gymnasium.make("mine/Jobs-v0").unwrapped
    for k in range(3):
        env.reset(seed=0, options={"instance": k})
        assert env.scene == corridor.scene_of(k)
        assert env.task.name == f"jobs {k}"
    assert pickle.loads(pickle.dumps(env)).scene == corridor.scene_of(2)


def test_names_must_not_clash() -> None:
    """Two modules that define functions of one name are refused: one would be called for both."""
    with pytest.raises(ValueError, match=r"abstract and .*base both define play_step\(\)"):
        functions_of((abstract, base))


def test_state_keeps_the_world() -> None:
    """What is saved holds the bodies and the ticks of the world's runs."""
    env: Any = maker("two agents")().unwrapped
    env.reset(seed=2)
    for actions in (["right", "right"], ["work", "work"]):
        env.step(names_of(env, actions))
    state = env.get_state()
    other: Any = maker("two agents")(executor="compiled").unwrapped
    other.set_state(state)
    assert [b.at for b in other.observation().world.bodies] == [b.at for b in env.observation().world.bodies]
    reset_lane(env.memory(), 0)  # a copy: nothing changes
    assert env.get_state()["s"].tolist() == state["s"].tolist()


# ------------------------------------------------------------------ worlds that are data

ROOM: dict[str, Any] = {
    "world": "grid",
    "map": ["#######", "#A.T..#", "#..#..#", "#B...o#", "#######"],
    "legend": {
        "T": {"fixture": "table"},
        "o": {"thing": "onion"},
        "A": {"body": 0},
        "B": {"body": 1},
    },
    "fixtures": {"table": {"solid": True, "holds": True}},
    "things": {"onion": {"carry": True}},
    "reach": "front",
    "hands": True,
    "messages": 2,
    "rules": {
        "chop": {"verb": "interact", "at": "table", "thing": "onion", "success": {"thing": "none"}},
        "wipe": {"verb": "interact", "at": "table", "thing": "none"},
    },
    "events": [{"at": {"uniform": [4, 9]}, "move": "onion", "to": [4, 1]}],
}
COOKS: dict[str, Any] = {
    "name": "cooks",
    "horizon": 60,
    "agents": 2,
    "subtasks": {"chop": {"duration": 3, "reward": 2}, "wipe": {"duration": 1, "needs": "chop"}},
    "goal": "wipe",
}


def test_worlds_of_data_keep_every_fact() -> None:
    """A grid that is a mapping keeps the whole contract: its spec can be written, too."""
    check.check_environment(partial(gymnasium.make, TASK_ID, task=COOKS, world=ROOM))


COURSE = [*["right"] * 3, "carry", "up", "up", "left", "carry", "interact", *["wait"] * 3, "interact"]


class Follower:
    """Has the second body take a course while the first waits."""

    def reset(self, seed: int) -> None:
        """Begin."""
        self.left = list(COURSE)

    def act(self, observation: Any) -> list[int]:
        """Return the next actions."""
        world = observation.world
        return [world.action("wait"), world.action(self.left.pop(0) if self.left else "wait")]


def test_records_of_worlds_are_played_again(tmp_path: Path) -> None:
    """A record is verified by its task, scene, seed and the bodies' own actions; a false one is not."""
    from stratagym.baselines.player import EpisodeRecorder
    from stratagym.baselines.rollout import play as roll
    from stratagym.envs.record import read_record, verify

    quiet = {key: value for key, value in ROOM.items() if key != "events"}
    for clock in ("tick", "decision"):
        env = gymnasium.make(TASK_ID, task=COOKS, world=quiet, clock=clock, reward="task")
        path = tmp_path / f"{clock}.jsonl"
        with EpisodeRecorder(path, {"seed": 5, "clock": clock, "reward": "task"}, env.unwrapped) as recorder:
            episode = roll(env, Follower(), 5, recorder.step)
            recorder.finish(episode)
        assert (episode.success, episode.time, episode.total) == (True, len(COURSE), 2.0)
        record = read_record(path)
        assert record.header["scene"]["map"] == ROOM["map"]
        assert verify(record).agrees, verify(record)
        busy = next(k for k, step in enumerate(record.steps) if "interact" in step["actions"])
        record.steps[busy]["actions"][:] = ["wait a bit", None]
        assert verify(record).difference == f"step {busy}: no action is called 'wait a bit'"
        record.steps[busy]["actions"][:] = [None, None]
        assert not verify(record).agrees


def test_vectors_are_actions() -> None:
    """On a plane an action is a vector, taken as an array or a list; what is no number is refused."""
    env: Any = gymnasium.make("stratagym/CableRouting-v0", clock="tick")
    box = env.action_space
    twin = pickle.loads(pickle.dumps(env))
    env.reset(seed=1)
    twin.reset(seed=1)
    rng = np.random.default_rng(0)
    for _ in range(20):
        action = rng.uniform(box.low, box.high).astype(np.float32)
        one, other = take(env, action), take(twin, action.astype(np.float64).tolist())
        demand_equal([one], [other], "a vector and the same numbers as a list")
        assert "action_mask" not in one.info
        assert one.obs["world"].dtype == np.float32
    with pytest.raises(ValueError, match="an action is not a number: nan"):
        env.step(np.full(box.shape, np.nan, np.float32))
    with pytest.raises(ValueError, match="there is no mask"):
        env.unwrapped.action_masks()
