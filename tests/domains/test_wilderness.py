"""Wilderness: lands on which all can be reached, the published costs, teams that share the work."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import stratagym  # noqa: F401  (registers the ids)
from stratagym.envs.domains import wilderness
from stratagym.envs.domains.draft import generator
from stratagym.envs.domains.maps import distances
from stratagym.envs.domains.wilderness import CHARACTERS, bill, expedition, land, noise, starts
from stratagym.envs.task.spec import load_task

SIZES = ("small", "medium", "large")
FIRST_TOOLS = {"wood": 5, "stone": 5, "coal": 1, "iron": 1}
"""What the published way to an iron pickaxe costs: table, furnace and three pickaxes."""


def test_the_bill_of_an_iron_pickaxe_is_the_published_one() -> None:
    """Five wood, five stone, one coal and one iron, gathered with the tools that they need."""
    assert bill("medium") == FIRST_TOOLS
    subtasks = expedition(0, "medium")["subtasks"]
    assert subtasks["place table"]["consumes"] == {"wood": 2}
    assert subtasks["place furnace"]["consumes"] == {"stone": 4}
    assert subtasks["make iron pickaxe"]["consumes"] == {"wood": 1, "coal": 1, "iron": 1}
    assert subtasks["make iron pickaxe"]["needs"] == "place furnace"
    assert subtasks["collect coal 1"]["requires"] == {"wood pickaxe": 1}
    assert subtasks["collect iron 1"]["requires"] == {"stone pickaxe": 1}
    assert expedition(0, "large")["subtasks"]["collect diamond 1"]["requires"] == {"iron pickaxe": 1}


@pytest.mark.parametrize("size", SIZES)
def test_units_pay_the_bill_exactly(size: Any) -> None:
    """What is gathered is what is built and made from, and the stock that is wanted besides."""
    subtasks = expedition(0, size)["subtasks"]
    made = {item: sum(f.get("produces", {}).get(item, 0) for f in subtasks.values()) for item in bill(size)}
    spent = {item: sum(f.get("consumes", {}).get(item, 0) for f in subtasks.values()) for item in bill(size)}
    assert made == dict(bill(size))
    assert all(made[item] >= spent[item] for item in made)


@pytest.mark.parametrize("size", SIZES)
def test_twice_what_is_needed_can_be_walked_to(size: Any) -> None:
    """Trees, stone and ores enough stand beside cells that can be reached without digging."""
    for seed in range(25):
        cells, _ = land(seed, size)
        free = np.isin(cells, [CHARACTERS[k] for k in ("grass", "sand", "path")])
        steps = distances(free, starts(len(cells), 1))
        near = np.pad(steps >= 0, 1)
        beside = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:]
        for item, count in bill(size).items():
            what = CHARACTERS["tree" if item == "wood" else item]
            assert ((cells == what) & beside).sum() >= (1 if item == "wood" else 2 * count)


def test_six_bodies_start_side_by_side_on_grass() -> None:
    """On every land there is room for a team in the middle."""
    for seed in range(25):
        cells, _ = land(seed, "large")
        assert all(cells[y, x] == CHARACTERS["grass"] for x, y in starts(len(cells), 6))


def test_a_team_plays_the_same_land() -> None:
    """The map does not depend on how many play."""
    one, six = (wilderness.DOMAIN.source(size="large", agents=count).scene(3) for count in (1, 6))
    assert one["map"] == six["map"]
    assert len(six["bodies"]) == 6


def test_noise_is_smooth_and_between_zero_and_one() -> None:
    """Neighbouring cells differ by little where knots are far apart, and the whole range is used."""
    field = noise(generator(0, 1), 64, [[16, 1.0]])
    assert field.min() >= 0.0
    assert field.max() <= 1.0
    assert np.ptp(field) > 0.5
    assert np.abs(np.diff(field, axis=0)).max() < 0.15


def test_options_are_in_the_scene() -> None:
    """Fog, words, vitals with cows, and sharing are there if asked for, and only then."""
    plain = wilderness.DOMAIN.source().scene(0)
    assert not {"view", "messages", "vitals", "share"} & set(plain)
    source = wilderness.DOMAIN.source(agents=3, vitals=True, fog=4, messages=5)
    scene, task = source.scene(0), source.mapping(0)
    assert (scene["view"], scene["messages"], scene["share"]) == (4, 5, True)
    assert scene["vitals"] == {"food": 25, "drink": 20, "energy": 30}
    assert any("C" in row for row in scene["map"])
    assert {"drink", "eat", "sleep"} <= set(task["subtasks"]) & set(scene["rules"])
    assert "share" not in wilderness.DOMAIN.source(agents=3, share=False).scene(0)


@pytest.mark.parametrize("agents", [1, 2, 6])
def test_every_subtask_has_a_rule(agents: int) -> None:
    """Whatever the graph asks for can be attempted somewhere, and nothing else can."""
    source = wilderness.DOMAIN.source(size="large", agents=agents)
    assert set(source.scene(1)["rules"]) == set(load_task(source.mapping(1)).graph.names)


def test_an_animal_is_eaten_and_water_is_drunk() -> None:
    """With vitals a body gets hungry with time, and drinking raises what it restores."""
    env = gymnasium.make("stratagym/Wilderness-v0", size="small", vitals=True, reward="task")
    env.reset(seed=0)
    base: Any = env.unwrapped
    before = dict(base.observation().world.bodies[0].vitals)
    for _ in range(41):
        env.step(len(base.action_names) - 1)
    after = base.observation().world.bodies[0].vitals
    assert (after["food"], after["drink"]) == (before["food"] - 1, before["drink"] - 2)
    env.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"agents": 7}, "agents: 7 is not one of 1, 2, 3, 4, 5, 6"),
        ({"fog": -1}, "fog: -1 is not an integer of at least 0"),
        ({"vitals": "yes"}, "vitals: 'yes' is not one of True, False"),
        ({"size": "huge"}, "size: 'huge' is not one of small, medium, large"),
    ],
)
def test_wrong_options_are_refused_with_the_choices(options: Any, words: str) -> None:
    """A value that is none of the choices raises ValueError that names them."""
    with pytest.raises(ValueError, match=words):
        wilderness.DOMAIN.source(**options)
