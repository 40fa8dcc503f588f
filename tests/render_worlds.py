"""Views of worlds made by hand, so that pictures of them can be tested without any world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stratagym.envs.render.chart import RunBar
from stratagym.envs.render.facts import Facts
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.spec import load_task
from stratagym.envs.task.view import AgentView
from stratagym.envs.worlds.view import (
    BodyView,
    ClipView,
    GridView,
    ObstacleView,
    PlacesRuleView,
    PlacesView,
    PlaneView,
    ReceptacleView,
    SiteView,
    WayView,
)

DINNER = {
    "name": "dinner for two",
    "horizon": 60,
    "agents": [{"name": "ann"}, {"name": "bob"}],
    "items": {"money": 9},
    "subtasks": {
        "fetch onion": {"duration": 1},
        "chop onion": {"duration": 4, "needs": "fetch onion"},
        "boil soup": {"duration": 8, "attended": 1, "needs": "chop onion"},
        "fry steak": {"duration": 6, "attended": 1},
        "serve": {"needs": "boil soup & fry steak", "due": 30},
    },
    "goal": "serve",
}
KITCHEN = (
    "#########",
    "#CBBCSOC#",
    "#.......#",
    "P..CCC..H",
    "#.......#",
    "#IKCCCNC#",
    "#########",
)
FIXTURES: Mapping[str, tuple[str, str | None]] = {
    "#": ("wall", None),
    ".": ("floor", None),
    "C": ("counter", None),
    "B": ("cutting board", None),
    "S": ("stove", "pot"),
    "O": ("stove", "pan"),
    "P": ("plate rack", "plate"),
    "H": ("hatch", None),
    "I": ("onion crate", None),
    "K": ("meat crate", None),
    "N": ("frobnicator", None),
}


def dinner(time: int = 12, **changes: Any) -> Facts:
    """Return the facts of a dinner in the middle: one thing done, three running, one locked."""
    graph: TaskGraph = load_task(DINNER).graph
    facts: dict[str, Any] = {
        "graph": graph,
        "status": ["done", "running", "running", "running", "locked"],
        "runs": [
            RunBar(0, (0,), 0, 1, 1, "success"),
            RunBar(1, (0,), 10, None, 12, "running"),
            RunBar(2, (1,), 6, None, 7, "running"),
            RunBar(3, (1,), 9, None, 10, "running"),
        ],
        "time": time,
        "stock": {"money": 9},
        "free": {},
        "agents": [
            AgentView("ann", False, "chop onion", 14, frozenset()),
            AgentView("bob", True, None, time, frozenset()),
        ],
        "title": "dinner for two",
        "events": [{"tick": 10, "kind": "start", "subtask": "chop onion", "agents": (0,)}],
        "reward": 0.5,
    }
    return Facts(**{**facts, **changes})


def kitchen(rows: Sequence[str] = KITCHEN, **changes: Any) -> GridView:
    """Return a kitchen with two cooks; two boards, of which one is in use, and two stoves at work."""
    names, things = ["floor", "wall"], ["nothing", "chopped tomato"]
    height, width = len(rows), len(rows[0])
    fixtures, lying = np.zeros((height, width), np.int16), np.zeros((height, width), np.int16)
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            fixture, thing = FIXTURES[character]
            for name, known in ((fixture, names), (thing, things)):
                if name is not None and name not in known:
                    known.append(name)
            fixtures[y, x] = names.index(fixture)
            lying[y, x] = things.index(thing) if thing is not None else 0
    fields: dict[str, Any] = {
        "kind": "grid",
        "time": 12,
        "actions": ("up", "down", "left", "right", "carry", "interact", "wait"),
        "mask": np.ones((2, 7), np.int8),
        "bodies": (
            BodyView(name="ann", at=(3, 2), facing="up", hand=0, ready=False),
            BodyView(name="bob", at=(6, 4), facing="right", hand=1, message=2),
        ),
        "fixtures": fixtures,
        "things": lying,
        "fixture_names": tuple(names),
        "thing_names": tuple(things),
        "fixture_looks": tuple(names),
        "thing_looks": tuple(things),
        "solid": frozenset(range(1, len(names))),
        "holds": frozenset({names.index("counter")} if "counter" in names else ()),
        "reach": "front",
        "hands": True,
        "busy": {(3, 1): 1, (5, 1): 2, (6, 1): 3},
    }
    return GridView(**{**fields, **changes})


def wilderness(size: int = 64, bodies: int = 3, radius: int = 4) -> tuple[GridView, GridView]:
    """Return a wide land with scouts: as they see it, and as it is."""
    rng = np.random.default_rng(5)
    names = ("grass", "water", "sand", "stone", "tree", "coal", "iron", "diamond", "path", "table", "furnace")
    fixtures = np.zeros((size, size), np.int16)
    fixtures[: size // 4] = 1
    fixtures[size // 4 : size // 4 + 2] = 2
    fixtures[:, -size // 4 :] = 3
    fixtures[rng.random((size, size)) < 0.08] = 4
    fixtures[size // 2, size // 2 + 2] = 9
    vitals = {"health": 7, "food": 2, "drink": 5, "energy": 9}
    scouts = tuple(
        BodyView(
            name=f"scout {k}",
            at=(size // 2 + 3 * k, size // 2 + 1 + k),
            facing="left",
            stock={"wood": 3, "stone": 0, "wood pickaxe": 1},
            vitals=vitals,
            down=k == 5,
        )
        for k in range(bodies)
    )
    truth = GridView(
        kind="grid",
        time=12,
        actions=("up", "down", "left", "right", "collect", "wait"),
        mask=np.ones((bodies, 6), np.int8),
        bodies=scouts,
        fixtures=fixtures,
        things=(rng.random((size, size)) < 0.01).astype(np.int16),
        fixture_names=names,
        thing_names=("nothing", "cow"),
        fixture_looks=names,
        thing_looks=("nothing", "cow"),
        solid=frozenset((1, 3, 4, 5, 6, 7, 9, 10)),
        holds=frozenset(),
        reach="front",
        busy={(size // 2 + 2, size // 2): 0},
        radius=radius,
    )
    seen = np.zeros((size, size), bool)
    for body in scouts:
        x, y = body.at
        seen[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1] = True
    return (
        replace(
            truth,
            fixtures=np.where(seen, truth.fixtures, -1).astype(np.int16),
            things=np.where(seen, truth.things, -1).astype(np.int16),
        ),
        truth,
    )


def city() -> PlacesView:
    """Return two towns with a train between them; one body looks at a museum, one is under way."""
    names = ("Ax station", "Ax museum", "Ax castle", "By station", "By zoo")
    travel = np.full((5, 5), -1, np.int32)
    travel[:3, :3] = [[0, 2, 3], [2, 0, 4], [3, 4, 0]]
    travel[3:, 3:] = [[0, 5], [5, 0]]
    return PlacesView(
        kind="places",
        time=12,
        actions=("wait",),
        mask=np.ones((2, 1), np.int8),
        bodies=(BodyView(name="ann", at=1, stock={"money": 60}), BodyView(name="bob", at=4, hand=1)),
        locations=names,
        kinds=("station", "museum", "castle", "station", "zoo"),
        travel=travel,
        hours=((), ((8, 17),), ((14, 20),), (), ()),
        day=24,
        locked=frozenset({4}),
        thing_names=("nothing", "ticket"),
        thing_looks=("nothing", "ticket"),
        ways={1: WayView(3, 4, 10, 15)},
        busy={1: (1,)},
        rules={3: (PlacesRuleView(action=1, places=frozenset({0}), departs=(14, 20), leads_to=3),)},
    )


def house() -> PlacesView:
    """Return four rooms with receptacles; what is in the drawer is not known."""
    rooms = ("kitchen", "bedroom", "bathroom", "living room")
    fixtures = ("fridge", "sink", "microwave", "table", "shelf", "bed", "drawer", "floor")
    things = ("nothing", "apple", "mug", "plate", "book")
    sites = (
        ("fridge", 0, 0, {1: 2}),
        ("sink", 0, 1, {2: 1, 3: 2}),
        ("microwave", 0, 2, {}),
        ("bed", 1, 5, {4: 1}),
        ("drawer", 1, 6, None),
        ("sink 2", 2, 1, {}),
        ("floor", 2, 7, {}),
        ("shelf", 3, 4, {4: 3}),
        ("table", 3, 3, {}),
    )
    return PlacesView(
        kind="places",
        time=12,
        actions=("wait",),
        mask=np.ones((1, 1), np.int8),
        bodies=(BodyView(name="robot 1", at=0, hand=2),),
        locations=rooms,
        kinds=rooms,
        travel=np.array([[0, 2, 4, 1], [2, 0, 2, 2], [4, 2, 0, 3], [1, 2, 3, 0]], np.int32),
        receptacles=tuple(
            ReceptacleView(name, place, fixture, inside, 2 if name == "microwave" else None)
            for name, place, fixture, inside in sites
        ),
        fixture_names=fixtures,
        fixture_looks=fixtures,
        thing_names=things,
        thing_looks=things,
        closed=frozenset({0, 6}),
        hands=True,
        busy={0: (2,)},
    )


def plane() -> PlaneView:
    """Return a table with three clips, the first filled, and an arm that carries the cable to the second."""
    clips = tuple(
        ClipView(
            name=f"clip {k + 1}",
            at=(5 + 3.2 * k, 5 + (-1) ** k * 1.2),
            angle=0.5 * (-1) ** k,
            radius=0.4,
            length=0.6,
            lane=1.2,
            filled=k == 0,
        )
        for k in range(3)
    )
    return PlaneView(
        kind="plane",
        time=120,
        actions=(),
        mask=np.ones((1, 1), np.int8),
        bodies=(BodyView(name="arm", at=(6.9, 3.7), hand=1, ready=False),),
        positions=np.array([[6.9, 3.7]], np.float32),
        velocities=np.array([[0.25, -0.1]], np.float32),
        runs=(1,),
        since=(100,),
        radii=(0.3,),
        speeds=(0.4,),
        accelerations=(0.15,),
        size=(16.0, 10.0),
        sites=(SiteView("home", (14, 8.5), 0.6),),
        clips=clips,
        obstacles=(
            ObstacleView("post", ((9, 8.5), (9, 8.5)), 0.5),
            ObstacleView("bar", ((10, 1), (13, 2)), 0.3),
        ),
        cable=np.array([[5.8, 6.3], [6.9, 5.2], [7.0, 4.1], [6.9, 3.7]], np.float32),
        laid=np.array([[1.2, 2], [3.5, 5.4], [5, 6.2], [5.8, 6.3]], np.float32),
        holder=0,
        grip=0.5,
    )
