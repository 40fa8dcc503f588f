"""Steering on a plane: ways around obstacles, beginning and carrying on primitives, and tours."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from random_planes import random_plane
from stratagym.agents.base import Case, Goal
from stratagym.agents.memories.latest import LatestMemory
from stratagym.agents.planners.tours import TourAgent, point_of
from stratagym.agents.skills.plane import PlaneSkill
from stratagym.agents.skills.plane_ways import bars_of, way_between, way_to
from stratagym.envs.api.options import Options
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.domains.cable_routing import layout, scene_of, task_of
from stratagym.envs.step import Model
from stratagym.envs.task.graph import holds


def table(seed: int, size: Any = "large", slip: float = 0.0) -> TaskEnv:
    """Return a drawn table as an environment."""
    drawn = layout(seed, size)
    model = Model(
        "table", 1, lambda k: {**task_of(drawn, slip, 0.0), "horizon": 600}, scene=lambda k: scene_of(drawn)
    )
    return TaskEnv(model, Options(clock="tick", reward="task", executor="interpreted"))


def seen(env: TaskEnv) -> LatestMemory:
    """Return a memory that knows the present moment."""
    memory = LatestMemory()
    memory.reset(0)
    memory.update(env.observation())
    return memory


def clearance(a: Any, b: Any, bar: Any) -> float:
    """Return how near a straight line comes to an obstacle's middle line, by trying points."""
    steps = np.linspace(0.0, 1.0, 200)[:, None]
    line = np.array(a) + steps * (np.array(b) - a)
    other = np.array(bar[0]) + steps * (np.array(bar[1]) - bar[0])
    return float(np.hypot(*(line[:, None] - other[None]).transpose(2, 0, 1)).min())


@pytest.mark.parametrize("seed", range(6))
def test_ways_keep_clear_of_obstacles_and_are_short(seed: int) -> None:
    """From anywhere to anywhere a body follows its way without touching anything, by no great detour."""
    env = table(seed)
    env.reset(seed=0)
    view = env.observation().world
    bars = bars_of(view, 0)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        points = [tuple(float(v) for v in rng.uniform(1.0, [19.0, 13.0])) for _ in range(2)]
        if any(clearance(p, p, bar) < bar[2] + 0.1 for p in points for bar in bars):
            continue
        here, target = points
        total, length = 0.0, way_between(here, target, bars, 0.4, view.size)[1]
        for _ in range(40):
            point, left = way_between(here, target, bars, 0.4, view.size)
            assert left <= length - total + 0.2
            for bar in bars:
                assert clearance(here, point, bar) >= bar[2]
            total += math.dist(here, point)
            here = point
            if here == target:
                break
        assert here == target
        assert math.dist(*points) <= total <= math.dist(*points) + 6.0


def test_a_body_comes_to_rest_where_it_is_sent() -> None:
    """The controller brings the gripper over the end of the cable and rests there."""
    for seed in range(5):
        env = table(seed)
        env.reset(seed=0)
        skill, goal = PlaneSkill(), Goal(env.task.graph.index("reach cable"), (0,))
        for _ in range(60):
            env.step(np.array(skill.act([Case(seen(env), 0, goal)])[0].action, np.float32))
            if env.status()["reach cable"] == "done":
                break
        view = env.observation().world
        assert env.status()["reach cable"] == "done"
        assert math.dist(view.positions[0], view.cable[-1]) <= view.grip


def test_prospects_tell_what_must_come_first() -> None:
    """Nothing is routed without the cable; a stuck cable is loosened first; an estimate is about right."""
    env = table(1, "medium", slip=1.0)
    env.reset(seed=2)
    skill, index = PlaneSkill(), env.task.graph.index
    prospect = skill.start(seen(env), 0, Goal(index("route clip 1"), (0,)))
    assert (prospect.possible, prospect.reason) == (False, "does not hold the cable")
    assert skill.start(seen(env), 0, Goal(index("perturb"), (0,))).reason == "the cable is not stuck"
    assert skill.start(seen(env), 0, Goal(index("reach cable"), (0,))).possible
    for name in ("reach cable", "pick up", "route clip 1", "insert clip 1"):
        begun = env.observation().task.time
        ticks = skill.start(seen(env), 0, Goal(index(name), (0,))).ticks
        while not any(e.kind in ("success", "failure") and e.subtask == name for e in env.happened):
            env.step(np.array(skill.act([Case(seen(env), 0, Goal(index(name), (0,)))])[0].action, np.float32))
        assert env.observation().task.time - begun <= ticks + 12
    stuck = 0
    for seed in range(2, 10):
        env.reset(seed=seed)
        for name in ("reach cable", "pick up", "route clip 1", "insert clip 1"):
            goal = Goal(index(name), (0,))
            while not any(e.kind in ("success", "failure") and e.subtask == name for e in env.happened):
                env.step(np.array(skill.act([Case(seen(env), 0, goal)])[0].action, np.float32))
        if env.observation().world.stuck:
            stuck += 1
            prospect = skill.start(seen(env), 0, Goal(index("pick up"), (0,)))
            assert prospect.first == Goal(index("perturb"), (0,))
    assert 0 < stuck < 8


def test_a_body_at_work_is_steered_whatever_it_is_asked() -> None:
    """Once a primitive is begun, the skill carries it on, with another goal or none."""
    env = table(3)
    env.reset(seed=0)
    skill, index = PlaneSkill(), env.task.graph.index
    while env.status()["reach cable"] != "running":
        goal = Goal(index("reach cable"), (0,))
        env.step(np.array(skill.act([Case(seen(env), 0, goal)])[0].action, np.float32))
    moves = [skill.act([Case(seen(env), 0, goal)])[0] for goal in (goal, None, Goal(index("pick up"), (0,)))]
    assert moves[0].action == moves[1].action == moves[2].action
    assert all(move.stop == "" for move in moves)


@pytest.mark.parametrize("seed", range(8))
def test_tours_begin_with_the_shortest_order(seed: int) -> None:
    """The first route that the planner chooses is that of the shortest of all orders that are allowed."""
    env = table(seed)
    env.reset(seed=0)
    planner, skill = TourAgent(), PlaneSkill()
    planner.reset(0)
    while env.stock()["held"] == 0:
        chosen = int(planner.act(env.observation())[0])
        env.step(np.array(skill.act([Case(seen(env), 0, Goal(chosen, (0,)))])[0].action, np.float32))
    observation = env.observation()
    view, graph = observation.world, env.task.graph
    bars = bars_of(view, 0)
    best, first = math.inf, ""
    for order in itertools.permutations(view.clips):
        done = frozenset(i for i, word in enumerate(observation.task.status) if word == "done")
        here, length, allowed = tuple(map(float, view.positions[0])), 0.0, True
        for clip in order:
            route = graph.index(f"route {clip.name}")
            allowed = allowed and holds(graph, graph.subtasks[route].needs, done)
            gate = point_of(clip, -clip.length - clip.lane)
            length += way_between(here, gate, bars, view.radii[0], view.size)[1]
            here = point_of(clip, clip.length)
            done |= {route, graph.index(f"insert {clip.name}")}
        if allowed and length < best - 1e-9:
            best, first = length, f"route {order[0].name}"
    assert graph.names[int(planner.act(observation)[0])] == first


def test_other_bodies_are_in_the_way() -> None:
    """A way leads around another body that stands between."""
    task, scene = random_plane(3)
    assert task["agents"] > 1
    scene = {**scene, "obstacles": {}, "events": []}
    scene["bodies"] = [{"at": [2.0, 4.0], "radius": 0.3, "speed": 0.3} for _ in scene["bodies"]]
    for k, body in enumerate(scene["bodies"]):
        body["at"] = [2.0 + 2.0 * k, 4.0]
    env = TaskEnv(Model("two", 1, lambda k: task, scene=lambda k: scene), Options(executor="interpreted"))
    env.reset(seed=0)
    view = env.observation().world
    target = (2.0 + 2.0 * len(scene["bodies"]), 4.0)
    point, length = way_to(view, 0, target)
    assert point != target
    assert length > math.dist((2.0, 4.0), target)
