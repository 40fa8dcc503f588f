"""Mining and Playground: the published graphs and rooms, and families whose goals can be reached."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import stratagym  # noqa: F401  (registers the ids)
from stratagym.envs.domains import mining, playground
from stratagym.envs.domains.draft import generator
from stratagym.envs.domains.maps import FLOOR, WALL, distances, obstruct, reached, room
from stratagym.envs.domains.sources import data_beside
from stratagym.envs.domains.subtask_graphs import layered

MINING, PLAYGROUND = data_beside(mining.__file__), data_beside(playground.__file__)
SIZES = ("small", "medium", "large")


def cells_of(scene: Any) -> np.ndarray[Any, Any]:
    """Return a scene's map as an array of characters."""
    return np.array([list(row) for row in scene["map"]])


def test_distances_are_those_of_a_walk_around_walls() -> None:
    """Beyond a wall with a gap the way leads through the gap; what is shut off has no distance."""
    free = np.array([[c == "." for c in row] for row in (".#.", ".#.", "...", "###", "...")])
    found = distances(free, [(0, 0)])
    assert found.tolist() == [[0, -1, 6], [1, -1, 5], [2, 3, 4], [-1, -1, -1], [-1, -1, -1]]


@pytest.mark.parametrize("seed", range(20))
def test_obstacles_leave_the_floor_in_one_piece(seed: int) -> None:
    """As many as asked for are put on the floor, and the rest can be walked to from anywhere."""
    cells = room(10, 10)
    obstruct(generator(seed, 1), cells, {"block": ((6, 6), WALL), "water": ((3, 3), "~")})
    free = np.argwhere(cells == FLOOR)
    assert len(free) == 64 - 9
    assert reached(cells == FLOOR, (int(free[0][1]), int(free[0][0]))).sum() == len(free)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("module", [mining, playground])
def test_every_site_can_be_walked_to(module: Any, size: str) -> None:
    """Whatever a subtask is done at lies where the body can go, one object for every subtask."""
    source = module.DOMAIN.source(size=size)
    for k in range(12):
        scene, cells = source.scene(k), cells_of(source.scene(k))
        (y, x), *others = np.argwhere(cells == "@")
        assert not others
        seen = reached((cells != WALL) & (cells != "~"), (int(x), int(y)))
        assert seen.sum() == ((cells != WALL) & (cells != "~")).sum()
        names = {c: entry.get("fixture", entry.get("thing")) for c, entry in scene["legend"].items()}
        there = [names[c] for c in cells.flatten() if c in names]
        for name in source.mapping(k)["subtasks"]:
            where = scene["rules"][name]
            assert where.get("at", where.get("thing")) in there
        things = [rule["thing"] for rule in scene["rules"].values() if "thing" in rule]
        assert all(there.count(thing) == things.count(thing) for thing in set(things))


@pytest.mark.parametrize("set_name", playground.SETS)
def test_published_rooms_have_the_published_objects_and_actions(set_name: str) -> None:
    """Ten by ten cells, six actions, an object for each subtask, ice where something was transformed."""
    source = playground.DOMAIN.source(set=set_name)
    scene, task = source.scene(5), source.mapping(5)
    assert cells_of(scene).shape == (10, 10)
    assert scene["verbs"] == ["pick up", "transform"]
    assert scene["reach"] == "here"
    assert scene["things"]["cow"] == {"moves": 0.1}
    assert scene["things"]["duck"] == {"moves": 0.2}
    for name in task["subtasks"]:
        left = "ice" if name.startswith("transform") else "none"
        assert scene["rules"][name]["success"] == {"thing": left}
    assert "goal" not in task
    assert set(scene["rules"]) == set(task["subtasks"])


@pytest.mark.parametrize(("set_name", "budget"), [("D1", 60), ("D2", 65), ("D3", 70), ("D4", 70)])
def test_budgets_are_the_published_ones(set_name: str, budget: int) -> None:
    """An episode ends after the published number of primitive steps."""
    assert playground.DOMAIN.source(set=set_name).mapping(0)["horizon"] == budget


def test_mining_budgets_are_drawn_around_seventy() -> None:
    """The like of the stored graphs have 70 steps times 0.8 to 1.2, drawn for each task."""
    source = mining.DOMAIN.source(set="stored", instances=200)
    budgets = {source.mapping(k)["horizon"] for k in range(200)}
    assert min(budgets) == 56
    assert max(budgets) in (82, 83)
    assert len(budgets) > 20


def test_the_whole_recipe_graph_has_a_site_for_every_recipe() -> None:
    """All 26 recipes are there, a verb and an object each, and no two are done in the same way."""
    task = mining.DOMAIN.source(set="whole").mapping(0)
    done = [tuple(MINING["subtasks"][name]["do"]) for name in task["subtasks"]]
    assert len(done) == len(set(done)) == 26
    assert {verb for verb, _ in done} == set(MINING["verbs"])


@pytest.mark.parametrize("size", SIZES)
def test_a_treasure_takes_what_the_recipes_say(size: str) -> None:
    """All that the wanted things need is among the subtasks, with the published needs."""
    source = mining.DOMAIN.source(size=size)
    for k in range(12):
        task = source.mapping(k)
        wanted = task["tasks"]["treasure"]["all"]
        assert len(wanted) == MINING["family"][size]["wanted"]
        assert mining.needed(MINING["subtasks"], wanted) <= set(task["subtasks"])
        for name, fields in task["subtasks"].items():
            if "|" not in MINING["subtasks"][name].get("needs", ""):
                assert fields.get("needs") == MINING["subtasks"][name].get("needs")


@pytest.mark.parametrize("size", SIZES)
def test_a_quest_has_a_way_that_keeps_what_it_forbids(size: str) -> None:
    """The order that the generator has found does each subtask when one of its ways holds."""
    for seed in range(12):
        rng = generator(seed, 0xD1D5)
        nodes = layered(rng, PLAYGROUND, PLAYGROUND["family"][size])
        order = playground.way_to(rng, nodes[-1])
        done: set[str] = set()
        for node in order:
            held = [
                all(k.name in done for k in way.positive) and not any(k.name in done for k in way.negative)
                for way in node.ways
            ]
            assert not node.ways or any(held)
            done.add(node.name)
        assert not order or nodes[-1].name in done


def test_circles_have_no_way() -> None:
    """A subtask that needs what forbids it can not be reached."""
    from stratagym.envs.domains.subtask_graphs import Node, Way

    a, b = Node("a", 0, 0, False, 1.0), Node("b", 1, 1, False, 1.0)
    b.ways.append(Way(1, [a], []))
    a.ways.append(Way(0, [], [b]))
    assert [n.name for n in playground.way_to(generator(0, 0), b)] == ["a", "b"]
    a.ways[0].positive.append(b)
    assert playground.way_to(generator(0, 0), b) == []


def attempts_of(attempts: str) -> list[tuple[str, bool]]:
    """Play one graph at random, and return what was started and whether that was a lost chance."""
    env = gymnasium.make("stratagym/Mining-v0", set="stored", spare=True, attempts=attempts, instances=5)
    rng, found = np.random.default_rng(0), []
    for seed in range(40):
        env.reset(seed=seed)
        over = False
        while not over:
            _, _, terminated, truncated, info = env.step(int(rng.integers(10)))
            over = terminated or truncated
            found += [e["subtask"] for e in info["events"] if e["kind"] == "start"]
    env.close()
    return [(name, name.startswith(mining.MISSED)) for name in found]


def test_what_is_attempted_too_early_is_refused_or_lost() -> None:
    """In the published rules a chance is lost and cannot be taken again; by default nothing happens."""
    lost = attempts_of("lost")
    assert any(missed for _, missed in lost)
    assert any(not missed for _, missed in lost)
    assert not any(missed for _, missed in attempts_of("refused"))


def test_a_lost_chance_does_not_come_again() -> None:
    """Once ``miss x`` is done, x can never start."""
    task = mining.losing({"subtasks": {"a": {}, "b": {"needs": "a", "reward": 1}}})
    from stratagym.envs.task.simulate import Simulator
    from stratagym.envs.task.spec import load_task

    graph = load_task(task).graph
    simulator = Simulator(graph)
    place = {name: k for k, name in enumerate(graph.names)}
    simulator.step([place["miss b"]])
    simulator.step([place["a"]])
    mask = simulator.mask()[0]
    assert not mask[place["b"]]
    assert not mask[place["miss b"]]


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        (mining, {"set": "D1"}, "set: 'D1' is not one of stored, whole"),
        (mining, {"attempts": "lost"}, "attempts: only with set"),
        (mining, {"set": "whole", "attempts": "never"}, "attempts: 'never' is not one of refused, lost"),
        (mining, {"obstacles": "no"}, "obstacles: 'no' is not one of True, False"),
        (playground, {"set": "D5"}, "set: 'D5' is not one of D1, D2"),
        (playground, {"animals": 3}, "animals: 3 is not one of True, False"),
    ],
)
def test_wrong_options_are_refused_with_the_choices(module: Any, options: Any, words: str) -> None:
    """A value that is none of the choices raises ValueError that names them."""
    with pytest.raises(ValueError, match=words):
        module.DOMAIN.source(**options)
