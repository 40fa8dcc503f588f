"""Grid scenes: what is refused and in which words, what happens by hand-worked steps, what is seen."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratagym.envs.task import kernel
from stratagym.envs.task import layout as at
from stratagym.envs.task.spec import TaskError, load_task
from stratagym.envs.task.view import REFUSALS
from stratagym.envs.worlds import grid_kernel
from stratagym.envs.worlds.grid import GridScene
from stratagym.envs.worlds.scene import SceneError, load_scene
from stratagym.envs.worlds.view import GridView
from test_grid_reference import HOOKS, lane

TASK: dict[str, Any] = {
    "name": "soup",
    "agents": [{"name": "cook", "skills": ["knife"]}, {"name": "waiter"}],
    "items": {"salt": 2},
    "subtasks": {
        "chop": {"duration": 2, "skill": "knife"},
        "cook": {"duration": 3, "attended": 0, "needs": "chop", "consumes": {"salt": 1}},
        "serve": {"needs": "cook"},
    },
    "goal": "serve",
}
SCENE: dict[str, Any] = {
    "world": "grid",
    "map": ["########", "#A.tBo.#", "#......#", "##p##s##"],
    "legend": {
        "A": {"body": 0},
        "B": {"body": 1},
        "t": "board",
        "p": "pot",
        "s": "hatch",
        "o": {"thing": "onion"},
    },
    "fixtures": {
        "board": {"solid": True, "holds": True},
        "pot": {"solid": True},
        "hatch": {"solid": True, "holds": True},
    },
    "things": {"onion": {"carry": True}, "pieces": {"carry": True}, "soup": {"carry": True}},
    "hands": True,
    "rules": {
        "chop": {"at": "board", "thing": "onion", "hand": "none", "success": {"thing": "pieces"}},
        "cook": {"at": "pot", "hand": "pieces", "start": {"hand": "none"}, "success": {"thing": "soup"}},
        "serve": {"at": "pot", "thing": "soup", "start": {"thing": "none", "hand": "soup"}},
    },
}

NOTHING: dict[str, Any] = {}
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no world": ({"world": None}, "the field 'world' is missing"),
    "an unknown world": ({"world": "gird"}, "world: there is no world 'gird'; did you mean 'grid'?"),
    "an unknown field": ({"hand": True}, "unknown field 'hand'; did you mean 'hands'?"),
    "no map": ({"map": None}, "the field 'map' is missing"),
    "an empty map": ({"map": []}, "map: the map is empty"),
    "an empty row": ({"map": [""]}, "map: the map is empty"),
    "a ragged map": ({"map": ["####", "#A.B#"]}, "map[1]: row 1 has 5 cells, the first has 4"),
    "too large a map": ({"map": ["." * 300]}, "map: 300 x 1 cells, and a side has at most 254"),
    "an unknown character": (
        {"map": ["A?tBo.ps"]},
        "map[0]: the character '?' at [1, 0] means nothing; say in `legend` what it is",
    ),
    "a long legend key": ({"legend": {"ab": "board"}}, "legend.ab: 'ab' is not one character"),
    "an odd legend entry": (
        {"legend": {"t": 3}},
        "legend.t: must be a fixture or {fixture, thing, body}, not 3",
    ),
    "an unknown field of a legend": (
        {"legend": {"t": {"fixtur": "board"}}},
        "legend.t: unknown field 'fixtur'",
    ),
    "an unknown fixture": (
        {"legend": {"t": "bord"}},
        "legend.t.fixture: no fixture 'bord'; did you mean 'board'?",
    ),
    "an unknown thing": (
        {"legend": {"o": {"thing": "unions"}}},
        "legend.o.thing: no thing 'unions'; did you mean 'onion'?",
    ),
    "a body too many in the legend": (
        {"legend": {"A": {"body": 2}}},
        "legend.A.body: no body 2: the task has 2 agents",
    ),
    "a body twice": (
        {"map": ["########", "#A.tBoA#", "#......#", "##p##s##"]},
        "map: body 0 is on the map twice, at [1, 1] and [6, 1]",
    ),
    "a body too few": (
        {"map": ["########", "#..tBo.#", "#......#", "##p##s##"]},
        "bodies: no body for agent 'cook': the task has 2 agents",
    ),
    "a body too many": ({"bodies": [NOTHING] * 3}, "bodies: 3 bodies, and the task has 2 agents"),
    "a body in two places": (
        {"bodies": [{"at": [1, 2]}]},
        "bodies[0].at: body 0 is on the map already, at [1, 1]",
    ),
    "a body outside": (
        {"map": ["########", "#..tBo.#", "#......#", "##p##s##"], "bodies": [{"at": [8, 1]}]},
        "bodies[0].at: cell [8, 1] lies outside the map of 8 x 4 cells; x is 0 to 7 and y is 0 to 3",
    ),
    "a body nowhere": (
        {"map": ["########", "#..tBo.#", "#......#", "##p##s##"], "bodies": [{"at": [1]}]},
        "bodies[0].at: a cell is [x, y], not a list of 1",
    ),
    "two bodies in one cell": (
        {"map": ["########", "#..tBo.#", "#......#", "##p##s##"], "bodies": [{"at": [4, 1]}]},
        "bodies: bodies 0 and 1 are both at [4, 1]",
    ),
    "a body in a wall": (
        {"map": ["########", "#..tBo.#", "#......#", "##p##s##"], "bodies": [{"at": [0, 0]}]},
        "bodies: body 0 is at [0, 0], where 'wall' is in the way",
    ),
    "a body on a thing in the way": (
        {"map": ["########", "#..tBo.#", "#......#", "##p##s##"], "bodies": [{"at": [5, 1]}]},
        "bodies: body 0 is at [5, 1], where 'onion' is in the way",
    ),
    "an unknown facing": (
        {"bodies": [{"facing": "north"}]},
        "bodies[0].facing: must be 'up', 'down', 'left' or 'right', not the text 'north'",
    ),
    "an unknown thing in a hand": ({"bodies": [{"hand": "knive"}]}, "bodies[0].hand: no thing 'knive'"),
    "a stock without inventory": (
        {"bodies": [{"stock": {"salt": 1}}]},
        "bodies[0].stock: bodies own nothing here; add `inventory: true`",
    ),
    "a stock of an unknown item": (
        {"inventory": True, "bodies": [{"stock": {"slat": 1}}]},
        "bodies[0].stock.slat: no item 'slat'; did you mean 'salt'?",
    ),
    "more stock than there is": (
        {"inventory": True, "bodies": [{"stock": {"salt": 3}}]},
        "bodies[0].stock.salt: bodies own more of 'salt' than the task's stock of 2",
    ),
    "sharing what is common": ({"share": True}, "share: bodies own nothing that they could share"),
    "two actions of one name": ({"verbs": ["use", "use"]}, "verbs[1]: there is an action 'use' already"),
    "a verb like a move": ({"verbs": ["up"]}, "verbs[0]: there is an action 'up' already"),
    "no verbs": ({"verbs": []}, "verbs: there is no verb"),
    "a thing called none": ({"things": {"none": {}}}, "things: a thing cannot be called 'none'"),
    "a chance above one": (
        {"things": {"onion": {"moves": 2}}},
        "things.onion.moves: must be at most 1, not 2",
    ),
    "two things in a cell": (
        {"objects": {"soup": [[5, 1]]}},
        "objects.soup[0]: at [5, 1] there lies 'onion' already",
    ),
    "a thing in a wall": (
        {"objects": {"soup": [[0, 0]]}},
        "objects.soup[0]: at [0, 0] there is a wall",
    ),
    "too many words": ({"messages": 65}, "messages: must be at most 64"),
    "an unknown object": (
        {"objects": {"sop": [[1, 2]]}},
        "objects.sop: no thing 'sop'; did you mean 'soup'?",
    ),
    "an unknown subtask": (
        {"rules": {"chopp": {}}},
        "rules.chopp: no subtask 'chopp'; did you mean 'chop'?",
    ),
    "a subtask without a rule": (
        {"rules": {"serve": ...}},
        "rules: subtask 'serve' has no rule, so that nobody",
    ),
    "an empty list of rules": ({"rules": {"chop": []}}, "rules.chop: the list of rules is empty"),
    "an unknown verb": ({"rules": {"chop": {"verb": "cut"}}}, "rules.chop.verb: no verb 'cut'"),
    "a rule at an unknown fixture": (
        {"rules": {"chop": {"at": "bord"}}},
        "rules.chop.at: no fixture 'bord'; did you mean 'board'?",
    ),
    "a rule near an unknown fixture": (
        {"rules": {"chop": {"near": ["pot", "hach"]}}},
        "rules.chop.near[1]: no fixture 'hach'; did you mean 'hatch'?",
    ),
    "a list of nothing": (
        {"rules": {"chop": {"at": []}}},
        "rules.chop.at: must be a name or a list of names",
    ),
    "an unknown field of a rule": (
        {"rules": {"chop": {"where": "pot"}}},
        "rules.chop: unknown field 'where'",
    ),
    "an unknown effect": (
        {"rules": {"chop": {"success": {"thin": "soup"}}}},
        "rules.chop.success: unknown field 'thin'",
    ),
    "an unknown thing in an effect": (
        {"rules": {"chop": {"success": {"thing": "peaces"}}}},
        "rules.chop.success.thing: no thing 'peaces'; did you mean 'pieces'?",
    ),
    "a hand where there are none": (
        {"hands": False},
        "rules.chop.hand: the bodies here have no hands; add `hands: true`",
    ),
    "a hand that has gone away": (
        {"rules": {"cook": {"at": "pot", "hand": "pieces", "success": {"hand": "soup"}}}},
        "rules.cook.success.hand: the body may have gone away by then",
    ),
    "a vital that is none": (
        {"rules": {"chop": {"success": {"restore": {"food": 2}}}}},
        "rules.chop.success.restore: no vital 'food'",
    ),
    "an event without deed": (
        {"events": [{"at": 3}]},
        "events[0]: the event does nothing; one of move, lock",
    ),
    "an event with two deeds": (
        {"events": [{"at": 3, "lock": [1, 1], "block": [1, 1]}]},
        "events[0]: lock and block in one event; one of",
    ),
    "a move to nowhere": (
        {"events": [{"at": 3, "move": "onion"}]},
        "events[0]: it is not said to where; add `to: [x, y]`",
    ),
    "an event outside": (
        {"events": [{"at": 3, "lock": [1, 9]}]},
        "events[0].lock: cell [1, 9] lies outside the map",
    ),
    "an event too early": ({"events": [{"at": 0, "lock": [1, 1]}]}, "events[0].at: 'at' must be 1 to"),
    "a wall that is blocked": (
        {"events": [{"at": 3, "block": [0, 0]}]},
        "events[0].block: 'wall' at [0, 0] cannot be entered as it is",
    ),
    "a fixture that is nowhere": (
        {"fixtures": {"oven": {"solid": True}}, "rules": {"chop": {"at": "oven"}}},
        "rules.chop.at: there is no 'oven' on the map, and nothing ever makes one",
    ),
    "a thing that nothing provides": (
        {"map": ["########", "#A.tB..#", "#......#", "##p##s##"]},
        "rules.chop.thing: no 'onion' ever lies anywhere; put one on the map, or have some rule make it",
    ),
    "an impossible recipe": (
        {
            "rules": {
                "cook": {"at": "pot", "hand": "soup", "success": {"thing": "soup"}},
                "serve": {"at": "hatch", "hand": "soup"},
            }
        },
        "rules.cook.hand: nobody who could do it ever holds 'soup'",
    ),
    "a thing that never lies there": (
        {"rules": {"serve": {"at": "board", "thing": "soup"}}, "things": {"soup": {"carry": False}}},
        "rules.serve.thing: 'soup' never lies on 'board'",
    ),
    "a station behind a wall": (
        {"map": ["########", "#A.tBo.#", "#......#", "##.#####", "###p####"]},
        "rules.cook: no body can ever reach 'pot'; look for walls and solid things in the way",
    ),
    "a station that the skilled cannot reach": (
        {"map": ["##########", "#A##..tBo#", "##########", "#p######s#"]},
        "rules.chop: no body with the skill 'knife' can ever reach 'board'",
    ),
}


def merged(base: Any, change: Any) -> Any:
    """Return a mapping with some entries changed; ``...`` leaves one out."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    found = {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}
    return {key: value for key, value in found.items() if value is not ...}


def scene_of(change: dict[str, Any] | None = None, task: dict[str, Any] | None = None) -> GridScene:
    """Return the kitchen with some entries changed."""
    found = load_scene(merged(SCENE, change or {}), load_task(merged(TASK, task or {})))
    assert isinstance(found, GridScene)
    return found


@pytest.mark.parametrize(("change", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_scenes_are_refused(change: dict[str, Any], words: str) -> None:
    """Each fault gets one line with the place in the scene, what is wrong and the likely fix."""
    with pytest.raises(SceneError) as refused:
        scene_of(change)
    line = str(refused.value)
    assert line.startswith(f"scene: {words}")
    assert "\n" not in line


def test_world_durations_are_refused() -> None:
    """A run whose end nobody would report is refused."""
    with pytest.raises(SceneError, match=r"rules\.chop: subtask 'chop' has the duration 'world'"):
        scene_of(task={"subtasks": {"chop": {"duration": "world"}}})


def test_a_file_is_named(tmp_path: Path) -> None:
    """A scene in a file is refused with the file's name."""
    path = tmp_path / "kitchen.yaml"
    path.write_text(yaml.safe_dump(merged(SCENE, {"legend": {"t": "bord"}})), encoding="utf-8")
    with pytest.raises(SceneError, match=r"^kitchen\.yaml: legend\.t\.fixture: no fixture 'bord'"):
        load_scene(path, load_task(TASK))


def test_loading_is_the_identity_on_its_own_words() -> None:
    """What a scene says of itself loads to an equal scene with the same digest and table."""
    events = [{"at": {"uniform": [2, 5]}, "block": [1, 2]}, {"at": 9, "clear": [1, 2]}]
    scene = scene_of({"events": events, "view": None, "bodies": [{"pace": 2}]})
    again = load_scene(scene.to_dict(), load_task(TASK))
    assert again == scene
    assert again.digest == scene.digest
    assert again.to_dict() == scene.to_dict()
    assert again.compile(scene.sizes(), 3) == scene.compile(scene.sizes(), 3)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.floats()
    | st.sampled_from(["", "board", "none", "x", "A.", "#t", "wait"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["at", "thing", "fixture", "hand", "chop", "A", "to", "move", "uniform", "success", "turn"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.data())
def test_no_value_crashes_the_loader(data: st.DataObject) -> None:
    """Whatever stands anywhere in a scene, it loads or is refused in one line."""
    mapping = copy.deepcopy(SCENE)
    mapping |= {"events": [{"at": 3, "move": "onion", "to": [1, 2]}], "bodies": [{"pace": 1}], "objects": {}}
    place: Any = mapping
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        deeper = isinstance(place[key], dict | list) and len(place[key]) > 0
        if not deeper or data.draw(st.booleans()):
            place[key] = data.draw(VALUES)
            break
        place = place[key]
    line = ""
    try:
        load_scene(mapping, load_task(TASK))
    except TaskError as error:
        line = str(error)
    assert "\n" not in line


# ------------------------------------------------------------------ hand-worked steps


class Play:
    """A scene that is played by the names of actions."""

    def __init__(self, scene: GridScene, seed: int = 0) -> None:
        self.scene, self.m = scene, lane(scene.graph, scene, seed)

    def step(self, *names: str) -> list[str]:
        """Take one step of one action an agent; return the refusals ('' for none) in words."""
        m, scene = self.m, self.scene
        wait = len(scene.actions)
        actions = [wait if name == "wait" else scene.actions.index(name) for name in names]
        spare = at.Memory(m.t, m.tb, m.s[:], m.sb[:], m.x, m.xb)
        HOOKS["play_step"](m, spare, spare, actions, [0] * len(actions), kernel.TICK_CLOCK)
        codes = [m.x[m.t[at.X_REFUSALS] + a] for a in range(len(actions))]
        return ["" if code == 0 else REFUSALS[code - 1] for code in codes]

    def run(self, *steps: str) -> None:
        """Take steps of a single agent, none of which is refused."""
        for name in steps:
            assert self.step(name) == [""], (name, self.m.s[at.CLOCK])

    def look(self, agent: int | None = None) -> GridView:
        """Return what is seen."""
        return self.scene.look(self.m, self.scene.graph, agent, "full")

    def at(self, a: int = 0) -> Any:
        """Return where a body is."""
        return self.look().bodies[a].at

    def allowed(self, a: int = 0) -> list[str]:
        """Return the names of the actions that a body may take."""
        view = self.look()
        return [name for name, may in zip(view.actions, view.mask[a], strict=True) if may]


def simple(
    rows: list[str], subtasks: dict[str, Any], rules: dict[str, Any], agents: int = 1, **more: Any
) -> Play:
    """Return a play of a small scene, bodies drawn as A, B, ...; ``s`` is a solid station, ``d`` a door."""
    task = {
        "agents": agents,
        "items": more.pop("items", {}),
        "subtasks": subtasks,
        "goal": list(subtasks)[-1],
    }
    legend: dict[str, Any] = {letter: {"body": k} for k, letter in enumerate("ABC"[:agents])}
    legend |= {
        "s": "station",
        "d": "door",
        "o": {"thing": "onion"},
        "c": {"fixture": "table", "thing": "onion"},
    }
    scene = {
        "world": "grid",
        "map": rows,
        "legend": legend,
        "fixtures": {"station": {"solid": True}, "door": {}, "table": {"solid": True, "holds": True}},
        "things": {"onion": {"carry": True}, "pie": {"carry": True}, "cow": {"moves": 1.0}},
        "rules": rules,
        **more,
    }
    found = load_scene(scene, load_task(task))
    assert isinstance(found, GridScene)
    return Play(found)


def test_walking_and_bumping() -> None:
    """A body moves by one cell a tick; into what is solid, or off the map, it only turns."""
    play = simple(["A.s"], {"x": {}}, {"x": {"at": "station"}})
    play.run("up", "left")
    assert play.at() == (0, 0)
    assert play.look().bodies[0].facing == "left"
    play.run("right", "right")
    assert play.at() == (1, 0)
    assert play.allowed() == ["up", "down", "left", "right", "interact", "wait"]
    play.run("interact")
    assert play.m.s[at.OVER] == 1
    assert play.m.s[at.CLOCK] == 5


def test_bodies_block_each_other_in_order() -> None:
    """Nobody passes through another, but one may enter what an earlier body has left in the same step."""
    play = simple(["AB.s"], {"x": {}}, {"x": {"at": "station"}}, agents=2)
    assert play.step("right", "left") == ["", ""]
    assert (play.at(0), play.at(1)) == ((0, 0), (1, 0))
    play.step("right", "right")
    assert (play.at(0), play.at(1)) == ((0, 0), (2, 0))
    play.step("right", "left")
    assert (play.at(0), play.at(1)) == ((1, 0), (2, 0))
    play = simple(["BA.s"], {"x": {}}, {"x": {"at": "station"}}, agents=2)
    play.step("right", "right")
    assert (play.at(0), play.at(1)) == ((2, 0), (1, 0))


def test_pace() -> None:
    """A slow body is not ready until its move is over, and turning takes a tick only."""
    play = simple(["A..s"], {"x": {}}, {"x": {"at": "station"}}, bodies=[{"pace": 3}])
    play.run("right")
    assert not play.look().bodies[0].ready
    assert play.allowed() == ["wait"]
    assert play.step("right") == ["busy"]
    play.run("wait", "up", "right")
    assert play.at() == (2, 0)


def test_carrying() -> None:
    """A thing is taken from where things can lie, carried, and put where nothing lies."""
    play = simple(
        ["#c#", "A..", "#s#"],
        {"x": {}},
        {"x": {"at": "station", "hand": "onion", "start": {"hand": "none"}}},
        hands=True,
    )
    assert play.step("carry") == ["world"]
    play.run("right", "up", "carry")
    assert play.look().things[0, 1] == 0
    assert play.look().bodies[0].hand == play.look().thing_names.index("onion")
    play.run("carry", "carry", "down")
    assert play.allowed() == ["up", "down", "left", "right", "interact", "wait"]
    play.run("interact")
    assert play.look().bodies[0].hand == 0
    assert play.m.s[at.OVER] == 1


def test_a_run_keeps_its_cell_busy() -> None:
    """While a run goes on nothing is attempted at its cell nor taken from it; then it is changed."""
    play = simple(
        ["c#", "A."],
        {"bake": {"duration": 3, "attended": 1}, "eat": {"needs": "bake"}},
        {
            "bake": {"at": "table", "thing": "onion", "success": {"thing": "pie"}},
            "eat": {"at": "table", "thing": "pie"},
        },
        hands=True,
    )
    play.run("up", "interact")
    assert dict(play.look().busy) == {(0, 0): 0}
    assert play.allowed() == ["up", "down", "left", "right", "wait"]
    assert play.step("interact") == ["world"]
    assert play.step("carry") == ["world"]
    assert play.look().things[0, 0] == play.look().thing_names.index("pie")
    assert not play.look().busy
    play.run("interact")
    assert play.m.s[at.OVER] == 1


def test_one_cell_is_claimed_by_the_first() -> None:
    """Of two bodies that attempt different things at one cell the first has it; twins go to one each."""
    rules = {"x": {"verb": "one", "at": "table"}, "y": {"verb": "two", "at": "table"}}
    play = simple(
        ["AcB"],
        {"x": {}, "y": {}},
        rules,
        agents=2,
        verbs=["one", "two"],
        bodies=[{"facing": "right"}, {"facing": "left"}],
    )
    assert play.step("one", "two") == ["", "world"]
    rules = {"x": {"at": "station"}, "y": {"at": "station"}}
    play = simple(
        ["AsBs"], {"x": {}, "y": {}}, rules, agents=2, bodies=[{"facing": "right"}, {"facing": "right"}]
    )
    assert play.step("interact", "interact") == ["", ""]


def test_joint_subtasks_begin_at_one_cell() -> None:
    """Two bodies lift one thing together only if both are at it."""
    task = {"lift": {"agents": 2, "duration": 2}}
    facing = [{"facing": "right"}, {"facing": "left"}]
    play = simple(["AsB"], task, {"lift": {"at": "station"}}, agents=2, bodies=facing)
    assert play.step("interact", "wait") == ["agents", ""]
    assert play.step("interact", "interact") == ["", ""]
    play = simple(
        ["sAsBs"],
        task,
        {"lift": {"at": "station"}},
        agents=2,
        bodies=[{"facing": "left"}, {"facing": "left"}],
    )
    assert play.step("interact", "interact") == ["agents", "world"]


def test_own_stocks_and_sharing() -> None:
    """What a subtask asks for must be the body's own; a unit can be given to the nearest other body."""
    play = simple(
        ["AB.s"],
        {"x": {"consumes": {"gold": 1}, "produces": {"ring": 1}}},
        {"x": {"at": "station"}},
        agents=2,
        inventory=True,
        share=True,
        items={"gold": 1, "ring": 0},
    )
    assert [dict(body.stock) for body in play.look().bodies] == [
        {"gold": 1, "ring": 0},
        {"gold": 0, "ring": 0},
    ]
    play.step("wait", "right")
    play.step("wait", "right")
    assert play.step("wait", "interact") == ["", "world"]
    assert "share gold" in play.allowed(0)
    assert "share ring" not in play.allowed(0)
    play.step("share gold", "wait")
    assert play.step("wait", "interact") == ["", ""]
    assert [dict(body.stock) for body in play.look().bodies] == [
        {"gold": 0, "ring": 0},
        {"gold": 0, "ring": 1},
    ]


def test_rules_on_the_spot_and_near() -> None:
    """What only has to be near something needs no target and keeps no cell busy."""
    play = simple(
        ["A..", "..s"],
        {"x": {"duration": 4, "attended": 1}, "y": {"needs": "x"}},
        {"x": {"near": "station"}, "y": {"near": "station"}},
    )
    assert play.step("interact") == ["world"]
    play.run("right", "interact")
    assert not play.look().busy


def test_alternatives_and_families() -> None:
    """A rule may be a list of ways, and stand for all members of a family."""
    task = {"wash {dish}": {"foreach": {"dish": ["pan", "pot"]}}, "end": {"needs": "wash {dish}"}}
    way = [{"at": "table"}, {"at": "station"}]
    play = simple(["sAc"], task, {"wash {dish}": way, "end": {"at": "station"}}, bodies=[{"facing": "left"}])
    play.run("interact", "right", "interact", "left", "interact")
    assert play.m.s[at.OVER] == 1


def test_fog() -> None:
    """A body sees a square around it; what lies beyond is unknown, and so are bodies there."""
    play = simple(["A....Bs"], {"x": {}}, {"x": {"at": "station"}}, agents=2, view=2, messages=2)
    view = play.look(0)
    assert view.fixtures[0].tolist() == [0, 0, 0, -1, -1, -1, -1]
    assert view.things[0].tolist() == [0, 0, 0, -1, -1, -1, -1]
    assert view.bodies[1].at is None
    assert view.mask[1].tolist() == [0] * (len(view.actions) - 1) + [1]
    play.step("wait", "say 1")
    assert play.look(0).bodies[1].message == 1
    assert play.look(None).fixtures[0].tolist() == [0, 0, 0, 0, 0, 0, 3 - 1]
    assert play.scene.sees(play.m, 0, 2)
    assert not play.scene.sees(play.m, 0, 3)


def test_rules_are_hidden_without_knowledge() -> None:
    """Under ``none`` nothing in the view names a subtask."""
    play = simple(
        ["As"], {"x": {"duration": 3, "attended": 1}}, {"x": {"at": "station"}}, bodies=[{"facing": "right"}]
    )
    play.run("interact")
    view = play.scene.look(play.m, play.scene.graph, 0, "none")
    assert not view.rules
    assert set(view.busy.values()) == {-1}


def test_events_of_the_place() -> None:
    """A cell is blocked only once nobody is on it, and cleared again; a thing is moved."""
    events = [
        {"at": 1, "block": [1, 0]},
        {"at": 5, "clear": [1, 0]},
        {"at": 6, "move": "onion", "to": [0, 0]},
    ]
    play = simple(["..As", "o..."], {"x": {}}, {"x": {"at": "station"}}, events=events)
    play.run("left", "wait")
    assert play.look().fixture_names[play.look().fixtures[0, 1]] == "floor"
    play.run("right")
    assert play.look().fixture_names[play.look().fixtures[0, 1]] == "blocked floor"
    play.run("left")
    assert play.at() == (2, 0)
    assert play.look().fixture_names[play.look().fixtures[0, 1]] == "blocked floor"
    play.run("wait")
    assert play.look().fixture_names[play.look().fixtures[0, 1]] == "floor"
    play.run("wait")
    assert play.look().things[0, 0] == play.look().thing_names.index("onion")
    assert play.look().things[1, 0] == 0


def test_a_locked_door_is_in_the_way() -> None:
    """Locking makes a door solid, unlocking opens it."""
    events = [{"at": 1, "lock": [1, 0]}, {"at": 4, "unlock": [1, 0]}]
    play = simple(["Ad.s"], {"x": {}}, {"x": {"at": "station"}}, events=events)
    play.run("wait", "right", "right")
    assert play.at() == (0, 0)
    play.run("wait", "right")
    assert play.at() == (1, 0)


def test_vitals() -> None:
    """Hunger costs health in the end, and who has none left is out for good and in nobody's way."""
    play = simple(["BA.s"], {"x": {}}, {"x": {"at": "station"}}, agents=2, vitals={"food": 1, "health": 1})
    for _ in range(9):
        play.step("wait", "wait")
    assert dict(play.look().bodies[0].vitals) == {"health": 8, "food": 0}
    for _ in range(8):
        play.step("wait", "wait")
    assert all(body.down for body in play.look().bodies)
    assert play.allowed(0) == ["wait"]
    assert play.step("right", "wait") == ["busy", ""]
    assert not grid_kernel.world_ready(play.m)


def test_things_move_at_their_rate() -> None:
    """A thing that moves takes a free neighbour with its probability a tick."""
    rows = ["A.......", "........", ".......s"]
    cow = {"objects": {"cow": [[4, 1]]}, "things": {"onion": {}, "cow": {"moves": 0.25}}, "reach": "here"}
    passable = {"station": {}, "door": {}, "table": {}}
    play = simple(rows, {"x": {}}, {"x": {"at": "station"}}, fixtures=passable, **cow)
    moved, ticks = 0, 2000
    before = np.argwhere(play.look().things)[0]
    for _ in range(ticks):
        play.step("wait")
        after = np.argwhere(play.look().things)
        assert len(after) == 1
        moved += int(np.abs(after[0] - before).sum())
        before = after[0]
    assert abs(moved / ticks - 0.25) < 0.04


def test_undone_takes_back_only_what_is_still_there() -> None:
    """What has spoiled becomes what the rule says, unless it was taken away before."""
    subtasks = {"boil": {}, "eat": {"needs": "boil", "lags": {"boil": {"max": 1}}}}
    rules = {
        "boil": {"at": "table", "success": {"thing": "pie"}, "undone": {"thing": "onion"}},
        "eat": {"at": "table", "hand": "pie"},
    }
    play = simple(["Ac."], subtasks, rules, hands=True, bodies=[{"facing": "right"}])
    play.run("interact", "wait", "wait")
    assert play.look().things[0, 1] == play.look().thing_names.index("onion")
    play = simple(["Ac."], subtasks, rules, hands=True, bodies=[{"facing": "right"}])
    play.run("interact", "carry", "wait", "wait")
    assert play.look().things[0, 1] == 0


def test_flat_view_of_the_window() -> None:
    """The flat view shows the body's cell and the cells around it, 0 beyond the map."""
    play = simple(["As", "o."], {"x": {}}, {"x": {"at": "station"}})
    room = grid_kernel.room(play.scene.sizes())
    out = [7] * room.view
    HOOKS["world_view"](play.m, out, 0)
    assert out[:3] == [0, 0, 1]
    window = np.array(out[3:]).reshape(2, 7, 7)
    names = play.scene.fixtures.names
    assert window[0, 3, 3:6].tolist() == [1, names.index("station") + 1, 0]
    assert window[0, :3].sum() == window[0, :, :3].sum() == 0
    assert window[1, 4, 3] == play.scene.things.names.index("onion")
    assert room.own == 2 * 49
