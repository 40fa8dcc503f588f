"""Scenes of places as data: what is refused, by name and place, and what a loaded one says of itself."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import yaml

from stratagym.envs.registry import TASK_ID
from stratagym.envs.task.spec import load_task
from stratagym.envs.worlds import places
from stratagym.envs.worlds.scene import SceneError, load_scene

TASK: dict[str, Any] = {
    "name": "errand",
    "horizon": 60,
    "items": {"money": 5},
    "subtasks": {
        "buy milk": {"duration": 1, "consumes": {"money": 2}},
        "ride": {"duration": 4, "consumes": {"money": 1}},
        "put milk away": {"duration": 1, "needs": "buy milk & ride"},
    },
    "goal": "put milk away",
}
SCENE: dict[str, Any] = {
    "world": "places",
    "day": 12,
    "locations": {
        "home": {"sites": {"fridge": {"fixture": "closed fridge", "things": ["egg"]}}},
        "shop": {"hours": [[4, 8]]},
        "station": None,
    },
    "ways": [["shop", "station", 2]],
    "fixtures": {"closed fridge": {"closed": True, "turns": "fridge"}, "fridge": {"turns": "closed fridge"}},
    "things": {"milk": {"carry": True}, "egg": {"carry": True}},
    "hands": True,
    "bodies": [{"at": "shop"}],
    "rules": {
        "buy milk": {"place": "shop", "success": {"hand": "milk"}},
        "ride": {"place": "station", "departs": [10], "success": {"body": "home"}},
        "put milk away": {"at": "fridge", "hand": "milk", "start": {"hand": "none", "thing": "milk"}},
    },
}

Change = Callable[[dict[str, Any], dict[str, Any]], None]


def put(path: str, value: Any) -> Change:
    """Return a change of the scene: ``a/b`` names an entry of nested mappings, ``b`` of the last one."""

    def change(task: dict[str, Any], scene: dict[str, Any]) -> None:
        *above, last = path.split("/")
        target: Any = scene
        for key in above:
            target = target[int(key) if isinstance(target, list) else key]
        if value is None:
            del target[last]
        else:
            target[int(last) if isinstance(target, list) else last] = value

    return change


def subtask(name: str, **fields: Any) -> Change:
    """Return a change of one subtask of the task."""
    return lambda task, scene: task["subtasks"][name].update(fields)


REFUSED: dict[str, tuple[Change, str]] = {
    "a field that there is not": (put("vieww", 3), "scene: unknown field 'vieww'; did you mean 'view'?"),
    "no location": (put("locations", {}), "scene: locations: there is no location"),
    "a way to nowhere": (
        put("ways/0", ["shop", "statoin", 2]),
        "scene: ways[0]: no location 'statoin'; did you mean 'station'?",
    ),
    "a way of no time": (
        put("ways/0", ["shop", "station", 0]),
        "scene: ways[0]: the ticks of a way must be a whole number of at least 1, not 0",
    ),
    "a way of two": (put("ways/0", ["shop", 2]), "scene: ways[0]: a way is [place, place, ticks]"),
    "two ways": (
        put("ways", [["shop", "station", 2], ["station", "shop", 3]]),
        "scene: ways[1]: there is another way between 'station' and 'shop'",
    ),
    "a way in a circle": (put("ways/0", ["shop", "shop", 2]), "scene: ways[0]: leads from 'shop' to itself"),
    "ways and travel": (
        put("travel", [[0, 1, 1], [1, 0, 1], [1, 1, 0]]),
        "scene: say how far it is from place to place: `ways` or `travel`, one of them",
    ),
    "a location that nobody reaches": (
        put("locations/cellar", {}),
        "scene: locations.cellar: no body ever gets there; add a way, or a ride that leads there",
    ),
    "an event on a way that there is not": (
        put("events", [{"at": 3, "block": ["home", "shop"]}]),
        "scene: events[0].block: there is no way between 'home' and 'shop'",
    ),
    "hours the wrong way round": (
        put("locations/shop/hours", [[8, 4]]),
        "scene: locations.shop.hours[0]: opens at 8 and shuts at 4; it must open before it shuts",
    ),
    "hours outside the day": (
        put("locations/shop/hours", [[13, 15]]),
        "scene: locations.shop.hours: from 13 to 15 is not within a day of 12 ticks",
    ),
    "hours that no run fits": (
        subtask("buy milk", duration=6),
        "scene: rules.buy milk: 'buy milk' takes 6 ticks, and 'shop' is never open for so long",
    ),
    "hours after the horizon": (
        lambda task, scene: (task.update(horizon=4), scene["rules"]["ride"].update(departs=[0])),
        "scene: rules.buy milk: 'shop' opens too late for the horizon of 4",
    ),
    "a departure outside the day": (
        put("rules/ride/departs", [14]),
        "scene: rules.ride.departs: 14 is not within a day of 12 ticks; departures are the same on each day",
    ),
    "a departure after the horizon": (
        lambda task, scene: task.update(horizon=12),
        "scene: rules.ride.departs: departs at 10 at the earliest and takes 4 ticks, the horizon is 12",
    ),
    "departures while it is shut": (
        put("rules/buy milk/departs", [9]),
        "scene: rules.buy milk.departs: 'shop' is shut at every departure",
    ),
    "a ride that is not attended": (
        subtask("ride", attended=1),
        "scene: rules.ride.success.body: who rides must attend to it to its end",
    ),
    "a ride to nowhere": (
        put("rules/ride/success/body", "hame"),
        "scene: rules.ride.success.body: no location 'hame'; did you mean 'home'?",
    ),
    "a rule for nothing": (
        put("rules/buy mlik", {}),
        "scene: rules.buy mlik: no subtask 'buy mlik'; did you mean 'buy milk'?",
    ),
    "a subtask without a rule": (
        put("rules/ride", None),
        "scene: rules: subtask 'ride' has no rule, so that nobody could ever do it",
    ),
    "a place that there is not": (
        put("rules/buy milk/place", "shpo"),
        "scene: rules.buy milk.place: no location 'shpo'; did you mean 'shop'?",
    ),
    "a fixture that there is not": (
        put("rules/put milk away/at", "frigde"),
        "scene: rules.put milk away.at: no fixture 'frigde'; did you mean 'fridge'?",
    ),
    "a fixture that never is": (
        lambda task, scene: (
            scene["fixtures"].update(oven=None),
            scene["rules"]["put milk away"].update(at="oven"),
        ),
        "scene: rules.put milk away.at: no receptacle is ever 'oven'",
    ),
    "a thing that there is not": (
        put("rules/put milk away/hand", "mlik"),
        "scene: rules.put milk away.hand: no thing 'mlik'; did you mean 'milk'?",
    ),
    "a thing that never is": (
        put("rules/buy milk/success", {}),
        "scene: rules.put milk away.hand: there is never 'milk'",
    ),
    "something near that never is": (
        lambda task, scene: (
            scene["fixtures"].update(oven=None),
            scene["rules"]["put milk away"].update(near="oven"),
        ),
        "scene: rules.put milk away.near: no receptacle is ever 'oven'",
    ),
    "a receptacle where there is none": (
        put("rules/put milk away/place", "shop"),
        "scene: rules.put milk away.place: there is no receptacle at these places",
    ),
    "a hand where there is none": (
        put("hands", False),
        "scene: rules.buy milk.success.hand: the bodies here have no hands; add `hands: true`",
    ),
    "another number of bodies": (
        lambda task, scene: task.update(agents=2),
        "scene: bodies: there are 1 bodies for 2 agents; give each agent of the task one body",
    ),
    "a body nowhere": (
        put("bodies/0/at", "shep"),
        "scene: bodies[0].at: no location 'shep'; did you mean 'shop'?",
    ),
    "stock of a body where it is common": (
        put("bodies/0/stock", {"money": 5}),
        "scene: bodies[0].stock: stock belongs to all here; add `inventory: true`",
    ),
    "stock that does not add up": (
        lambda task, scene: (scene.update(inventory=True), scene["bodies"][0].update(stock={"money": 7})),
        "scene: bodies: the bodies own 7 of 'money', the task has 5",
    ),
    "sharing what is common": (
        put("share", True),
        "scene: share: what belongs to all cannot be shared; add `inventory: true`",
    ),
    "two receptacles of one name": (
        put("locations/shop/sites", {"fridge": {}}),
        "scene: locations.shop.sites.fridge: there is another receptacle of this name",
    ),
    "something of a solid receptacle": (
        put("fixtures/fridge/solid", True),
        "scene: fixtures.fridge.solid: a receptacle is not solid",
    ),
    "a receptacle that turns into nothing": (
        put("fixtures/fridge/turns", "frdge"),
        "scene: fixtures.fridge.turns: no fixture 'frdge'; did you mean 'fridge'?",
    ),
    "an end that nobody reports": (
        subtask("ride", duration="world"),
        "scene: rules: nothing here ever reports the end of 'ride', whose duration is 'world'",
    ),
    "an event of no kind": (
        put("events", [{"at": 3}]),
        "scene: events[0]: an event is one of block, clear, lock, unlock, move",
    ),
    "an event of two kinds": (
        put("events", [{"at": 3, "lock": "shop", "unlock": "shop"}]),
        "scene: events[0]: an event is one of",
    ),
    "a move to nowhere": (
        put("events", [{"at": 3, "move": "egg"}]),
        "scene: events[0]: `move` and `to` belong together",
    ),
    "a move to what there is not": (
        put("events", [{"at": 3, "move": "egg", "to": "fride"}]),
        "scene: events[0].to: no receptacle 'fride'; did you mean 'fridge'?",
    ),
    "a way of three ends": (
        put("events", [{"at": 3, "block": ["shop", "station", "home"]}]),
        "scene: events[0].block: a way has two ends, not 3",
    ),
    "a lock on nothing": (
        put("events", [{"at": 3, "lock": "shup"}]),
        "scene: events[0].lock: no location 'shup'; did you mean 'shop'?",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_cannot_be_is_refused_by_name(fault: str) -> None:
    """Each fault is told in one line with the place, the thing and the likely fix."""
    change, words = REFUSED[fault]
    task, scene = copy.deepcopy(TASK), copy.deepcopy(SCENE)
    change(task, scene)
    with pytest.raises(SceneError) as caught:
        load_scene(scene, load_task(task))
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


def test_a_scene_is_written_as_it_was_read() -> None:
    """Loading, writing and loading again gives an equal scene."""
    task = load_task(TASK)
    scene = load_scene(SCENE, task)
    assert scene.to_dict() == SCENE
    again = load_scene(scene.to_dict(), task)
    assert again.digest == scene.digest
    assert again.compile(again.sizes(), 3) == scene.compile(scene.sizes(), 3)


def test_its_table_fits_the_room_that_it_takes() -> None:
    """A scene fits its own sizes and any greater ones."""
    scene = load_scene(SCENE, load_task(TASK))
    own = scene.sizes()
    greater = tuple(size + 3 for size in own)
    for sizes in (own, greater):
        assert len(scene.compile(sizes, 3)) == places.room(sizes).ints


def test_a_table_of_ticks_can_stand_for_ways() -> None:
    """`travel` says for each pair of locations how long one takes, null for no way."""
    scene = copy.deepcopy(SCENE)
    del scene["ways"]
    scene["travel"] = [[0, None, None], [None, 0, 2], [None, 2, 0]]
    task = load_task(TASK)
    assert load_scene(scene, task).ways == load_scene(SCENE, task).ways


def test_a_rule_of_a_composition_holds_for_all_under_it() -> None:
    """A key that names a composition stands for those of its subtasks that have no rule of their own."""
    task = {**TASK, "tasks": {"all of it": {"all": ["buy milk", "ride"]}}}
    scene = copy.deepcopy(SCENE)
    scene["rules"]["all of it"] = {"place": "station"}
    del scene["rules"]["ride"]
    scene["locations"]["home"], scene["locations"]["station"] = None, SCENE["locations"]["home"]
    scene["ways"].append(["shop", "home", 1])
    loaded = load_scene(scene, load_task(task))
    rides = [rule for rule in loaded.rules if rule.rule.subtask == 1]
    assert [sorted(rule.places or ()) for rule in rides] == [[2]]


def test_an_errand_is_run_by_hand() -> None:
    """Shop hours, the departure, the lid and the hand: played through, step by step, at the right ticks."""
    env = gym.make(TASK_ID, task=TASK, world=SCENE).unwrapped
    env.reset(seed=0)
    names = env.action_names

    def can(name: str) -> bool:
        return bool(env.action_masks()[names.index(name)])

    def do(name: str, ticks: int) -> None:
        assert can(name), name
        before = env.observation().task.time
        env.step(names.index(name))
        assert env.observation().task.time - before == ticks

    for _ in range(4):
        assert not can("buy milk")
        do("wait", 1)
    do("buy milk", 1)
    assert env.observation().world.thing_names[env.observation().world.bodies[0].hand] == "milk"
    assert not can("go home")
    do("go station", 2)
    while not can("ride"):
        do("wait", 1)
    assert env.observation().task.time == 10
    do("ride", 4)
    assert env.observation().world.bodies[0].at == 0
    assert not can("put milk away")
    do("turn fridge", 1)
    do("put milk away", 1)
    assert env.observation().task.time == 16
    assert env.status()["put milk away"] == "done"
    assert env.observation().world.receptacles[0].things == {1: 1, 2: 1}


def test_the_worked_example_of_the_page() -> None:
    """What `docs/worlds.md` shows of places is played as it says, tick by tick, to the goal."""
    page = (Path(__file__).parent.parent / "docs" / "worlds.md").read_text(encoding="utf-8")
    part = page[page.index("## Places\n") : page.index("## Plane\n")]
    task, scene = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", part, re.DOTALL)[:2])
    lines = re.findall(r"```text\n(.*?)```", part, re.DOTALL)[0].splitlines()
    env = gym.make(TASK_ID, task=task, world=scene).unwrapped
    env.reset(seed=0)
    for tick, action in (line.split(None, 1) for line in lines):
        assert env.observation().task.time == int(tick)
        number = env.action_names.index(action)
        assert env.action_masks()[number]
        *_, terminated, _, info = env.step(number)
    assert terminated
    assert info["success"]


def test_fog_hides_what_is_elsewhere_or_shut_in() -> None:
    """A body sees what is at its location, and not into what is closed; who watches sees all."""
    scene = {**copy.deepcopy(SCENE), "view": "here"}
    env = gym.make(TASK_ID, task=TASK, world=scene).unwrapped
    env.reset(seed=0)
    seen = env.observation().world.receptacles[0]
    assert (seen.fixture, seen.things) == (-1, None)
    watched = env.scene.look(env.memory(), env.task.graph, None, "full", fog=False).receptacles[0]
    assert watched.things == {2: 1}
    scene["bodies"], scene["ways"] = [{"at": "home"}], [*SCENE["ways"], ["home", "shop", 1]]
    env = gym.make(TASK_ID, task=TASK, world=scene).unwrapped
    env.reset(seed=0)
    assert env.observation().world.receptacles[0].things is None
    env.step(env.action_names.index("turn fridge"))
    assert env.observation().world.receptacles[0].things == {2: 1}


def test_without_knowledge_the_rules_are_hidden() -> None:
    """Rules name subtasks: under `none` there are none to read."""
    env = gym.make(TASK_ID, task=TASK, world=SCENE, knowledge="none").unwrapped
    env.reset(seed=0)
    assert env.observation().world.rules == {}


def test_events_of_the_place_are_told_and_count() -> None:
    """A blocked way cannot be gone, a locked shop sells nothing, and both are told when they happen."""
    scene = copy.deepcopy(SCENE)
    scene["events"] = [
        {"at": 1, "block": ["shop", "station"]},
        {"at": 3, "clear": ["station", "shop"]},
        {"at": 4, "lock": "shop"},
        {"at": 6, "unlock": "shop"},
    ]
    env = gym.make(TASK_ID, task=TASK, world=scene).unwrapped
    env.reset(seed=0)
    names, told, ways, buys = env.action_names, [], [], []
    for _ in range(7):
        mask = env.action_masks()
        ways.append(bool(mask[names.index("go station")]))
        buys.append(bool(mask[names.index("buy milk")]))
        env.step(len(names) - 1)
        told += [(event.tick, event.kind, event.subtask) for event in env.happened]
    assert told == [(1, "block", "shop"), (3, "clear", "station"), (4, "lock", "shop"), (6, "unlock", "shop")]
    assert ways == [True, False, False, True, True, True, True]
    assert buys == [False, False, False, False, False, False, True]
