"""Skills and plans among places: ways, waits, carrying, what comes first, and the witness of each family."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from stratagym.agents.base import Goal
from stratagym.agents.hierarchy import HierarchicalAgent
from stratagym.agents.memories.places import PlacesMemory
from stratagym.agents.planners.rounds import RoundAgent, Rounds
from stratagym.agents.planners.structure import Structure
from stratagym.agents.skills.places import PlacesSkill
from stratagym.agents.skills.roads import arrivals, first_start
from stratagym.agents.zoo import in_world, make_agent
from stratagym.baselines.rollout import play
from stratagym.envs.registry import TASK_ID
from stratagym.envs.worlds.view import PlacesRuleView, PlacesView
from test_places_scene import SCENE, TASK


def view_of(**changes: Any) -> PlacesView:
    """Return a small view: three places in a row, the second open from 4 to 8 of a day of 12."""
    fields: dict[str, Any] = {
        "kind": "places",
        "time": 0,
        "actions": ("wait",),
        "mask": np.ones((1, 1), np.int8),
        "bodies": (),
        "locations": ("a", "b", "c"),
        "travel": np.array([[0, 2, -1], [2, 0, 3], [-1, 3, 0]], np.int32),
        "hours": ((), ((4, 8),), ()),
        "day": 12,
    }
    return PlacesView(**{**fields, **changes})


def rule(**fields: Any) -> PlacesRuleView:
    """Return a rule about the second place."""
    return PlacesRuleView(**{"action": 0, "places": frozenset({1}), "bound": True, **fields})


def test_hours_come_round_each_day() -> None:
    """The next opening that a run fits into, today or tomorrow; without days only once."""
    view = view_of()
    assert [view.opens(1, since, 2) for since in (0, 4, 6, 7, 12, 16)] == [4, 4, 6, 16, 16, 16]
    assert view.opens(1, 0, 5) is None
    assert view.opens(0, 7, 100) == 7
    once = view_of(day=0)
    assert [once.opens(1, since, 2) for since in (0, 6, 7)] == [4, 6, None]
    night = view_of(hours=((), ((10, 15),), ()))
    assert [night.opens(1, since, 2) for since in (0, 1, 2, 11, 13)] == [0, 1, 10, 11, 13]


def test_departures_come_round_each_day() -> None:
    """The next departure, today or tomorrow; None when the last one has left for good."""
    view, twice = view_of(), rule(departs=(3, 9))
    assert [view.departure(twice, since) for since in (0, 3, 4, 10)] == [3, 3, 9, 15]
    assert view_of(day=0).departure(twice, 10) is None


def test_a_start_waits_for_hours_and_departures_together() -> None:
    """What departs while the place is shut is not taken; what never fits is said to be never."""
    view = view_of()
    assert first_start(view, rule(departs=(3, 5)), 1, 0, 1) == 5
    assert first_start(view, rule(departs=(3, 5)), 1, 6, 1) == 17
    assert first_start(view, rule(departs=(3, 9)), 1, 0, 1) is None
    assert first_start(view_of(locked=frozenset({1})), rule(), 1, 0, 1) is None


def test_arrivals_are_the_shortest_ways() -> None:
    """Ways over several places add up, the pace counts, and rides lead where no way does."""
    view = view_of()
    assert [arrivals(view, 0, 5)[place].tick for place in range(3)] == [5, 7, 10]
    assert arrivals(view, 0, 5, pace=2)[2].tick == 15
    assert arrivals(view, 0, 5)[2].hop == 1
    island = view_of(travel=np.array([[0, 2, -1], [2, 0, -1], [-1, -1, 0]], np.int32), hours=((), (), ()))
    assert 2 not in arrivals(island, 0, 0)
    ridden = arrivals(island, 0, 0, rides=[(7, rule(departs=(4,), leads_to=2), 5)])[2]
    assert (ridden.tick, ridden.hop, ridden.ride) == (9, 1, 7)


def environment(scene: dict[str, Any] | None = None, task: dict[str, Any] | None = None) -> Any:
    """Return the errand of the scene tests, reset."""
    env = gym.make(TASK_ID, task=task or TASK, world=scene or SCENE).unwrapped
    env.reset(seed=0)
    return env


def memory_of(env: Any) -> PlacesMemory:
    """Return a memory that has seen the present moment."""
    memory = PlacesMemory()
    memory.update(env.observation())
    return memory


def test_the_skill_tells_how_long_it_takes() -> None:
    """An attempt is foreseen with its way, its wait and its carrying; what must come first is named."""
    env = environment()
    skill, memory = PlacesSkill(), memory_of(env)
    assert skill.start(memory, 0, Goal(0, (0,))).ticks == 4
    ride = skill.start(memory, 0, Goal(1, (0,)))
    assert (ride.possible, ride.ticks) == (True, 10)
    last = skill.start(memory, 0, Goal(2, (0,)))
    assert not last.possible
    assert last.first == Goal(1, (0,))


def test_the_scripted_agent_runs_the_errand() -> None:
    """Hours, a departure, a lid and a hand: done at the first tick at which it can be."""
    task = copy.deepcopy(TASK)
    task["subtasks"]["ride"]["needs"] = "buy milk"  # nothing leads back to the shop
    for agent in (HierarchicalAgent("optimal"), HierarchicalAgent(RoundAgent)):
        env = environment(task=task)
        episode = play(env, agent, 0)
        assert episode.success
        assert episode.time == 16
        assert not episode.refusals


def test_what_is_in_the_way_is_put_down_first() -> None:
    """A full hand is emptied, a thing that is needed is fetched from where it lies."""
    task = {"name": "t", "horizon": 40, "subtasks": {"cook egg": {"duration": 2}}, "goal": "cook egg"}
    scene = copy.deepcopy(SCENE)
    scene["ways"].append(["shop", "home", 1])
    scene["locations"]["shop"] = {"sites": {"stove": {}, "shelf": {"things": ["egg"]}}}
    scene["locations"]["home"] = None
    scene["fixtures"] = {}
    scene["bodies"] = [{"at": "home", "hand": "milk"}]
    scene["rules"] = {"cook egg": {"at": "stove", "hand": "egg", "start": {"hand": "none", "thing": "egg"}}}
    env = environment(scene, task)
    told: list[Any] = []
    episode = play(env, HierarchicalAgent("optimal"), 0, lambda step: told.append(step.actions[0]))
    assert episode.success
    assert told[0] == "go shop"
    assert told[1].startswith("put ")
    assert told[2:] == ["take egg", "cook egg"]


def test_in_the_fog_it_looks_around() -> None:
    """What lies nobody knows where is found by going and looking, also behind a lid."""
    task = {"name": "t", "horizon": 60, "subtasks": {"eat egg": {"duration": 1}}, "goal": "eat egg"}
    scene = copy.deepcopy(SCENE)
    scene |= {"view": "here", "ways": [["shop", "station", 2], ["station", "home", 2]]}
    scene["rules"] = {"eat egg": {"hand": "egg", "start": {"hand": "none"}}}
    scene["locations"]["station"] = {"sites": {"bench": {"things": ["milk"]}}}
    env = environment(scene, task)
    told: list[Any] = []
    episode = play(env, HierarchicalAgent("optimal"), 0, lambda step: told.append(step.actions[0]))
    assert episode.success
    assert told == ["go station", "go home", "turn fridge", "take egg", "eat egg"]


def test_two_meet_to_start_a_joint_subtask() -> None:
    """Who arrives first waits for the other, and both ask in one step."""
    task = {
        "name": "t",
        "horizon": 60,
        "agents": 2,
        "subtasks": {"carry sofa": {"duration": 3, "agents": 2}},
        "goal": "carry sofa",
    }
    scene = copy.deepcopy(SCENE)
    scene["ways"].append(["home", "shop", 5])
    scene |= {"bodies": [{"at": "home"}, {"at": "shop", "pace": 2}], "fixtures": {}, "hands": False}
    scene["locations"] = {"home": {}, "shop": {}, "station": {}}
    scene["rules"] = {"carry sofa": {"place": "station"}}
    env = environment(scene, task)
    episode = play(env, HierarchicalAgent("optimal"), 0)
    assert episode.success
    assert episode.time == 10


def test_memory_recalls_what_fog_hides_and_can_be_saved() -> None:
    """What was seen in one place is known in the next, also after saving and loading."""
    scene = copy.deepcopy(SCENE)
    scene |= {
        "view": "here",
        "bodies": [{"at": "home"}],
        "ways": [["shop", "station", 2], ["home", "shop", 1]],
    }
    env = environment(scene)
    memory = memory_of(env)
    for action in ("turn fridge", "go shop"):
        env.step(env.action_names.index(action))
        memory.update(env.observation())
    known = memory.observation.world.receptacles[0]
    assert (known.fixture, known.things) == (1, {2: 1})
    other = PlacesMemory()
    other.load(memory.save())
    other.update(env.observation())
    assert other.observation.world.receptacles[0] == known


def test_a_wider_search_finds_no_better_round_in_small_tasks() -> None:
    """On small trips and houses the search has converged at its usual width."""
    for domain in ("Itinerary", "House"):
        env = gym.make(f"stratagym/{domain}-v0", size="small", split="test").unwrapped
        for seed in range(3):
            env.reset(seed=seed)
            observation = env.observation()
            structure = Structure(env.task.graph)
            ends = []
            for width in (24, 400):
                plan = Rounds(structure, observation.task, observation.world, width).best()
                assert plan is not None
                ends.append(plan[-1][1])
            assert ends[0] == ends[1]


def witness(domain: str, size: str, agent: str, seeds: range, least: float = 1.0) -> None:
    """Assert that an agent reaches the goal from every seed, or from a stated share of them."""
    env = gym.make(f"stratagym/{domain}-v0", size=size, split="test", reward="task").unwrapped
    player = in_world(make_agent(agent))
    failed = [seed for seed in seeds if not play(env, player, seed).success]
    assert len(failed) <= (1 - least) * len(seeds), f"{agent} failed on seeds {failed}"


@pytest.mark.parametrize("agent", ["optimal", "rounds"])
@pytest.mark.parametrize("domain", ["House", "Itinerary"])
def test_the_witness_succeeds(domain: str, agent: str) -> None:
    """The scripted hierarchical agent reaches the goal of small tasks (a sample; see the slow test)."""
    witness(domain, "small", agent, range(4))


@pytest.mark.slow
@pytest.mark.parametrize("size", ["small", "medium", "large"])
@pytest.mark.parametrize("domain", ["House", "Itinerary"])
def test_the_witness_always_succeeds(domain: str, size: str) -> None:
    """The hierarchical agent that plans rounds reaches the goal from 200 seeds."""
    witness(domain, size, "rounds", range(200))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("domain", "size", "least"),
    [
        ("House", "small", 1.0),
        ("House", "medium", 0.95),
        ("House", "large", 0.75),
        ("Itinerary", "small", 1.0),
        ("Itinerary", "medium", 1.0),
    ],
)
def test_the_optimum_planner_succeeds_at_a_stated_rate(domain: str, size: str, least: float) -> None:
    """It plans without ways, and where its plan is late a full hand before a full machine is a dead end."""
    witness(domain, size, "optimal", range(200), least)
