"""The hierarchical agent: what bodies can do, when it plans anew, what it writes down, teams and batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import stratagym
from agent_scenes import CASES, Case, claims, in_a_fog, narrow, salad
from stratagym.agents.base import Goal
from stratagym.agents.hierarchy import HierarchicalAgent, narrowed
from stratagym.agents.planners.optimal import OptimalAgent
from stratagym.agents.skills.grid import GridSkill
from stratagym.agents.zoo import AGENTS, in_world, make_agent
from stratagym.baselines.evaluate import evaluate
from stratagym.baselines.rollout import Episode, play
from stratagym.baselines.suites import EnvironmentSpec

assert stratagym

PLANNERS = [name for name in AGENTS if name not in ("hierarchical", "random_primitive")]


def world(case: Case, **options: Any) -> Any:
    """Return the environment of a case."""
    graph, scene = case
    return gymnasium.make("stratagym/Task-v0", task=graph, world=scene, disable_env_checker=True, **options)


def told(env: Any, agent: Any, seed: int = 0) -> tuple[Episode, list[dict[str, Any]]]:
    """Play an episode and return it with the agent's trace."""
    rows: list[dict[str, Any]] = []
    episode = play(env, agent, seed, lambda step: rows.extend(dict(row) for row in step.trace))
    return episode, rows


# ------------------------------------------------------------------ what bodies can do


AIMLESS = ("random", "most_successors", "shortest")
"""Rules that repeat for ever what can be repeated, wherever the goal lies."""

TRIED = [
    (case, planner)
    for case in CASES
    for planner in PLANNERS
    if case != "from the crate" or planner not in AIMLESS
]


@pytest.mark.parametrize(("case", "planner"), TRIED)
def test_every_planner_reaches_the_goal_in_every_case(case: str, planner: str) -> None:
    """Fetching, handing over, opening, lifting together, passing, exploring: under any planner."""
    episode, rows = told(world(CASES[case]()), HierarchicalAgent(planner))
    assert episode.success, rows


@pytest.mark.parametrize("pocket", range(2, 7))
def test_bodies_pass_each_other_wherever_there_is_room(pocket: int) -> None:
    """Two bodies that meet in a corridor with one pocket both get through, under one mind."""
    episode, _ = told(world(narrow(pocket)), HierarchicalAgent("greedy"))
    assert episode.success


@pytest.mark.parametrize("pocket", range(2, 7))
def test_bodies_with_minds_of_their_own_do_not_block_each_other_for_good(pocket: int) -> None:
    """They do so as well where each decides for itself."""
    episode, _ = told(world(narrow(pocket)), HierarchicalAgent("greedy", team="each"))
    assert episode.success


def test_what_must_come_first_is_written_down() -> None:
    """Without an onion in sight the trace says what is missing, and that it is taken first."""
    _, rows = told(world(CASES["from the crate"]()), HierarchicalAgent("optimal"))
    assert rows[0]["chosen"] == "cook"
    assert "onion" in rows[0]["reason"]
    assert "take" in rows[0]["reason"]


def test_nothing_is_seen_beyond_the_fog() -> None:
    """The map grows while the maze is explored, and the skill says what it looks for."""
    env = world(in_a_fog())
    agent = HierarchicalAgent("greedy")
    env.reset(seed=0)
    agent.reset(0)
    seen = []
    over = False
    while not over:
        actions = agent.act(env.unwrapped.observation())
        memory: Any = agent.lane(0).minds[0].memory
        seen.append(int((memory.view.fixtures >= 0).sum()))
        _, _, terminated, truncated, _ = env.step(int(actions[0]))
        over = terminated or truncated
    assert terminated
    assert seen == sorted(seen)
    assert seen[0] < seen[-1]


def test_a_skill_is_the_same_for_all_lanes() -> None:
    """Cases of two lanes in one call get the moves that they get in two."""
    skill = GridSkill()
    agents = [HierarchicalAgent("greedy", skill=skill) for _ in range(2)]
    envs = [world(salad()), world(CASES["narrow"]())]
    cases = []
    for env, agent in zip(envs, agents, strict=True):
        env.reset(seed=0)
        agent.reset(0)
        cases.append(agent.lane(0).decide(env.unwrapped.observation()))
    together = skill.act([case for part in cases for case in part])
    assert list(together) == [move for part in cases for move in skill.act(part)]


# ------------------------------------------------------------------ when it plans anew


def disturbed(**events: Any) -> Case:
    """Return the salad with an event: once cut, the onion is spoilt and must be cut anew."""
    graph, scene = salad(events=[{"at": 14, "undo": "cut"}])
    graph["subtasks"]["cut"]["repeatable"] = True
    scene["rules"]["cut"] = [
        {**scene["rules"]["cut"], "undone": {"thing": "onion", "turn": {"cut onion": "onion"}}},
    ]
    return graph, scene


def test_a_plan_that_is_never_changed_does_not_survive_an_event() -> None:
    """What is undone stays undone for a fixed plan; replanning on events or failures does it again."""
    env = world(disturbed())
    fixed, _ = told(env, HierarchicalAgent("optimal", replan="never"))
    assert not fixed.success
    for policy in ("event", "failure", "always", None):
        episode, rows = told(env, HierarchicalAgent("optimal", replan=policy))
        assert episode.success, (policy, rows)


def test_without_events_a_fixed_plan_is_as_good() -> None:
    """Where nothing happens, replanning changes nothing."""
    times = {p: told(world(salad()), HierarchicalAgent("optimal", replan=p))[0].time for p in ("never", None)}
    assert times["never"] == times[None]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"replan": "sometimes"}, "sometimes"),
        ({"replan": ["never", "event"]}, "stands alone"),
        ({"team": "all"}, "team"),
        ({"replan": 3}, "replan: 3 is not one of"),
        ({"planner": "optimum"}, "planner: there is no agent 'optimum'; nearest: optimal"),
        ({"planner": "random_primitive"}, "'random_primitive' moves bodies itself"),
        ({"planner": 3}, "planner: 3 is neither"),
        ({"skill": "scriptd"}, "there is no skill 'scriptd'; nearest: scripted"),
        ({"skill": object()}, "object is no skill, it has no start and no act method"),
        ({"travel": "no"}, "travel: 'no' is neither True nor False"),
        ({"rehearse": -1}, "rehearse: -1 is not a number of ticks"),
    ],
)
def test_wrong_options_are_refused_by_name(options: dict[str, Any], text: str) -> None:
    """A policy, team, planner or skill that does not exist is named; so is a wrong value."""
    with pytest.raises(ValueError, match=text):
        HierarchicalAgent(**options)


# ------------------------------------------------------------------ what it writes down


@pytest.mark.parametrize("case", ["salad", "from the crate", "across a counter", "claims"])
def test_every_decision_has_one_row_and_one_outcome(case: str) -> None:
    """Each number is told once when made and at most once with its outcome, in plain values."""
    _, rows = told(world(CASES[case]()), HierarchicalAgent("optimal"))
    made = [row for row in rows if row["outcome"] is None]
    ended = [row for row in rows if row["outcome"] is not None]
    numbers = [row["decision"] for row in made]
    assert numbers == sorted(set(numbers))
    assert len({row["decision"] for row in ended}) == len(ended)
    assert {row["decision"] for row in ended} <= set(numbers)
    for row in rows:
        assert json.loads(json.dumps(row)) == row
        assert set(row) == {"decision", "time", "agent", "known", "plan", "chosen", "reason", "outcome"}
    for row in ended:
        assert row["outcome"]["status"] in ("success", "failure", "dropped")
        assert row["outcome"]["elapsed"] >= 0


# ------------------------------------------------------------------ teams and batches


def test_words_keep_teammates_apart() -> None:
    """Where each decides for itself, saying what is taken up leaves fewer options forestalled by others."""

    def forestalled(words: int) -> int:
        graph, scene = claims(words)
        if not words:
            del scene["messages"]
        _, rows = told(world((graph, scene)), HierarchicalAgent("shortest", team="each"))
        return sum(row["outcome"] is not None and row["outcome"]["status"] != "success" for row in rows)

    assert forestalled(4) < forestalled(0)


def test_narrowing_hides_what_one_body_does_not_see() -> None:
    """A body's own view has its own rows only."""
    env = world(claims())
    env.reset(seed=0)
    seen = narrowed(env.unwrapped.observation(), 1)
    assert seen.world.viewer == 1
    assert not seen.mask[0, :-1].any()
    assert seen.mask[1, :-1].all()
    assert not seen.world.mask[0, :-1].any()


@pytest.mark.parametrize("case", ["salad", "claims", "narrow"])
def test_lanes_of_a_batch_equal_agents_of_their_own(case: str) -> None:
    """Three lanes in one agent act as three agents do."""
    envs = [world(CASES[case]()) for _ in range(3)]
    one = HierarchicalAgent("random")
    each = [HierarchicalAgent("random") for _ in range(3)]
    one.reset_batch([0, 1, 2])
    for seed, (env, agent) in enumerate(zip(envs, each, strict=True)):
        env.reset(seed=seed)
        agent.reset(seed)
    live = [True] * 3
    for _ in range(25):
        seen = [env.unwrapped.observation() if on else None for env, on in zip(envs, live, strict=True)]
        actions = one.act_batch(seen)
        for k, env in enumerate(envs):
            if seen[k] is None:
                assert actions[k] is None
                continue
            assert np.array_equal(actions[k], each[k].act(seen[k]))
            action = actions[k] if len(actions[k]) > 1 else int(actions[k][0])
            _, _, terminated, truncated, _ = env.step(action)
            live[k] = not (terminated or truncated)


@pytest.mark.parametrize("name", ["greedy", "beam", "optimal"])
def test_without_a_world_it_is_its_planner(name: str) -> None:
    """In the abstract world the same actions come out."""
    env = gymnasium.make("stratagym/Cooking-v0", size="small", disable_env_checker=True)
    plain, _ = told(env, make_agent(name), 3)
    layered, rows = told(env, HierarchicalAgent(name), 3)
    assert plain.events == layered.events
    assert rows


def test_planners_are_wrapped_and_bodies_are_not() -> None:
    """``in_world`` puts skills under what names subtasks and leaves alone what acts itself."""
    assert isinstance(in_world(OptimalAgent()), HierarchicalAgent)
    primitive = make_agent("random_primitive")
    assert in_world(primitive) is primitive


# ------------------------------------------------------------------ rehearsal


@pytest.mark.parametrize("seed", range(4))
def test_a_rehearsal_foresees_the_end_of_one_cook_to_the_tick(seed: int) -> None:
    """Where one body works alone and nothing is drawn, the plan ends when it said it would."""
    env = gymnasium.make("stratagym/Kitchen-v0", size="small", disable_env_checker=True)
    agent = HierarchicalAgent("optimal")
    episode, rows = told(env, agent, seed)
    assert episode.success
    told_of = [row["reason"] for row in rows if "rehearsed to" in row["reason"]]
    ends = {reason.split("rehearsed to ")[1].split(";")[0] for reason in told_of}
    assert ends == {str(episode.time)}


@pytest.mark.parametrize("family", ["Kitchen", "Warehouse", "Rearrangement", "Mining"])
def test_rehearsing_is_worth_it(family: str) -> None:
    """Over a few seeds plans that were rehearsed take less time than the same planner's without."""
    env = gymnasium.make(f"stratagym/{family}-v0", size="small", disable_env_checker=True)
    times = {
        ticks: sum(told(env, HierarchicalAgent("optimal", rehearse=ticks), seed)[0].time for seed in range(4))
        for ticks in (0, 20_000)
    }
    assert times[20_000] < times[0]


# ------------------------------------------------------------------ the witness


FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("Kitchen", {"size": "small"}),
    ("Kitchen", {"size": "small", "layout": "forced"}),
    ("Warehouse", {"size": "small"}),
    ("Rearrangement", {"size": "small"}),
    ("Playground", {"size": "small"}),
    ("Mining", {"size": "small"}),
    ("Wilderness", {"size": "small"}),
    ("House", {"size": "small"}),
    ("Itinerary", {"size": "small"}),
    ("CableRouting", {"size": "small", "slip": 0.0}),
]


@pytest.mark.parametrize(("family", "options"), FAMILIES, ids=str)
def test_the_optimal_planner_succeeds_on_every_seed(family: str, options: dict[str, Any]) -> None:
    """On each of ten seeds of every family in a world the goal is reached."""
    _succeeds(family, options, range(10))


@pytest.mark.slow
@pytest.mark.parametrize(("family", "options"), FAMILIES, ids=str)
def test_the_optimal_planner_succeeds_on_two_hundred_seeds(family: str, options: dict[str, Any]) -> None:
    """On each of 200 seeds of every family in a world the goal is reached."""
    _succeeds(family, options, range(200))


def _succeeds(family: str, options: dict[str, Any], seeds: range) -> None:
    env = gymnasium.make(f"stratagym/{family}-v0", disable_env_checker=True, **options)
    failed = [seed for seed in seeds if not play(env, HierarchicalAgent("optimal"), seed).success]
    assert failed == []


def test_goals_are_values() -> None:
    """Goals can be compared and kept in sets: levels talk by them."""
    assert Goal(1, (0,)) == Goal(1, (0,))
    assert len({Goal(1, (0,)), Goal(1, (0,)), Goal(1, None)}) == 2


# ------------------------------------------------------------------ evaluation


def test_an_evaluation_gives_planners_bodies(tmp_path: Path) -> None:
    """A planner by name plays in a world under skills, a primitive agent as it is; the record keeps both."""
    graph, scene = salad()
    spec = EnvironmentSpec("stratagym/Task-v0", {"task": graph, "world": scene}, "salad")
    found = evaluate([spec], ["greedy", "random_primitive"], episodes=1, out=tmp_path, record=True)
    rows = {row["agent"]: row for row in found.rows}
    assert rows["greedy"]["success"]
    assert rows["random"]["success"]
    assert rows["greedy"]["time"] < rows["random_primitive"]["time"]
    (path,) = tmp_path.rglob("*greedy*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    actions = {action for line in lines for action in line.get("actions", [])}
    assert {"carry", "interact", "right"} <= actions
