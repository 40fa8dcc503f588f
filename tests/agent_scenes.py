"""Small tasks on small maps, each of which takes one thing that a scripted body must be able to do."""

from __future__ import annotations

from typing import Any

Case = tuple[dict[str, Any], dict[str, Any]]

WALLS = {"#": "wall", ".": "floor"}
CARRIED = {"onion": {"carry": True}, "cut onion": {"carry": True}}
COUNTERS = {
    "counter": {"solid": True, "holds": True},
    "board": {"solid": True, "holds": True},
    "pot": {"solid": True, "holds": True},
    "crate": {"solid": True},
    "hatch": {"solid": True},
}


def salad(**task: Any) -> Case:
    """Cut an onion that lies on a counter, and serve it."""
    graph = {
        "name": "salad",
        "horizon": 200,
        "subtasks": {"cut": {"duration": 3}, "serve": {"needs": "cut"}},
        "tasks": {"meal": {"all": ["serve"]}},
        "goal": "meal",
        **task,
    }
    scene = {
        "world": "grid",
        "map": ["#######", "#@....o", "#.....#", "##B##H#"],
        "legend": {
            "@": {"body": 0},
            "o": {"fixture": "counter", "thing": "onion"},
            "B": {"fixture": "board"},
            "H": {"fixture": "hatch"},
        },
        "fixtures": COUNTERS,
        "things": CARRIED,
        "hands": True,
        "rules": {
            "cut": {
                "at": "board",
                "thing": "none",
                "hand": "onion",
                "start": {"hand": "none", "thing": "onion"},
                "success": {"thing": "cut onion"},
            },
            "serve": {"at": "hatch", "hand": "cut onion", "start": {"hand": "none"}},
        },
    }
    return graph, scene


def from_the_crate() -> Case:
    """Cook what is nowhere to be seen: the graph asks for cooking alone, a crate gives onions."""
    graph = {
        "name": "soup",
        "horizon": 100,
        "subtasks": {"cook": {"duration": 2}, "take": {"repeatable": True}},
        "goal": "cook",
    }
    scene = {
        "world": "grid",
        "map": ["#####", "C@..P", "#...#", "#####"],
        "legend": {"@": {"body": 0}, "C": {"fixture": "crate"}, "P": {"fixture": "pot"}},
        "fixtures": COUNTERS,
        "things": CARRIED,
        "hands": True,
        "rules": {
            "cook": {"at": "pot", "hand": "onion", "start": {"hand": "none"}},
            "take": {"at": "crate", "hand": "none", "start": {"hand": "onion"}},
        },
    }
    return graph, scene


def behind_a_door() -> Case:
    """Reach a chest behind a locked door; the graph does not say that the door must be opened."""
    graph = {
        "name": "vault",
        "horizon": 60,
        "subtasks": {"open chest": {}, "open door": {"duration": 2}},
        "goal": "open chest",
    }
    scene = {
        "world": "grid",
        "map": ["#######", "#@.D..C", "#######"],
        "legend": {"@": {"body": 0}, "D": {"fixture": "locked door"}, "C": {"fixture": "chest"}},
        "fixtures": {"locked door": {"solid": True}, "door": {}, "chest": {"solid": True}},
        "rules": {
            "open chest": {"at": "chest"},
            "open door": {"at": "locked door", "success": {"fixture": "door"}},
        },
    }
    return graph, scene


def across_a_counter() -> Case:
    """Cook behind a counter what lies in front of it: one body must hand it over."""
    graph = {
        "name": "hatchway",
        "horizon": 80,
        "agents": [{"name": "left"}, {"name": "right", "skills": ["cooking"]}],
        "subtasks": {"cook": {"duration": 2, "skill": "cooking"}},
        "goal": "cook",
    }
    scene = {
        "world": "grid",
        "map": ["#######", "o@.c.AP", "#..c..#", "#######"],
        "legend": {
            "@": {"body": 0},
            "A": {"body": 1},
            "c": {"fixture": "counter"},
            "o": {"fixture": "counter", "thing": "onion"},
            "P": {"fixture": "pot"},
        },
        "fixtures": COUNTERS,
        "things": CARRIED,
        "hands": True,
        "rules": {"cook": {"at": "pot", "hand": "onion", "start": {"hand": "none"}}},
    }
    return graph, scene


def together() -> Case:
    """Lift what takes two, from a corridor where the second body must come round."""
    graph = {
        "name": "lift",
        "horizon": 80,
        "agents": 2,
        "subtasks": {"lift": {"agents": 2, "duration": 2}},
        "goal": "lift",
    }
    scene = {
        "world": "grid",
        "map": ["#######", "#.@A..#", "#.###.#", "#.#L..#", "#.....#", "#######"],
        "legend": {"@": {"body": 0}, "A": {"body": 1}, "L": {"fixture": "crate"}},
        "fixtures": COUNTERS,
        "rules": {"lift": {"at": "crate"}},
    }
    return graph, scene


def narrow(pocket: int = 3) -> Case:
    """Pass each other in a corridor that has room for one, but for one pocket."""
    width = 9
    rows = [
        "#" * width,
        "".join("." if x == pocket else "#" for x in range(width)),
        "L" + "." * 7 + "R",
        "#" * width,
    ]
    rows[2] = "L@" + "." * 5 + "AR"
    graph = {
        "name": "corridor",
        "horizon": 120,
        "agents": [{"name": "one", "skills": ["east"]}, {"name": "two", "skills": ["west"]}],
        "subtasks": {"right": {"skill": "east"}, "left": {"skill": "west"}},
        "tasks": {"both": {"all": ["left", "right"]}},
        "goal": "both",
    }
    scene = {
        "world": "grid",
        "map": rows,
        "legend": {
            "@": {"body": 0},
            "A": {"body": 1},
            "L": {"fixture": "west end"},
            "R": {"fixture": "east end"},
        },
        "fixtures": {"west end": {"solid": True}, "east end": {"solid": True}},
        "rules": {"right": {"at": "east end"}, "left": {"at": "west end"}},
    }
    return graph, scene


def in_a_fog() -> Case:
    """Find what is out of sight in a maze."""
    graph = {"name": "search", "horizon": 200, "subtasks": {"find": {}}, "goal": "find"}
    scene = {
        "world": "grid",
        "map": [
            "###########",
            "#@........#",
            "#########.#",
            "#.........#",
            "#.#########",
            "#.........X",
            "###########",
        ],
        "legend": {"@": {"body": 0}, "X": {"fixture": "exit"}},
        "fixtures": {"exit": {"solid": True}},
        "view": 2,
        "rules": {"find": {"at": "exit"}},
    }
    return graph, scene


def claims(words: int = 4) -> Case:
    """Four jobs for two bodies that see the same and may say what they take up."""
    names = ["north", "south", "east", "west"]
    graph = {
        "name": "jobs",
        "horizon": 120,
        "agents": 2,
        "subtasks": {name: {"duration": 2} for name in names},
        "tasks": {"day": {"all": names}},
        "goal": "day",
    }
    scene = {
        "world": "grid",
        "map": ["###N###", "#.....#", "#.....#", "W.@.A.E", "#.....#", "#.....#", "###S###"],
        "legend": {
            "@": {"body": 0},
            "A": {"body": 1},
            "N": {"fixture": "north gate"},
            "S": {"fixture": "south gate"},
            "E": {"fixture": "east gate"},
            "W": {"fixture": "west gate"},
        },
        "fixtures": {f"{name} gate": {"solid": True} for name in names},
        "messages": words,
        "rules": {name: {"at": f"{name} gate"} for name in names},
    }
    return graph, scene


CASES = {
    "salad": salad,
    "from the crate": from_the_crate,
    "behind a door": behind_a_door,
    "across a counter": across_a_counter,
    "together": together,
    "narrow": narrow,
    "in a fog": in_a_fog,
    "claims": claims,
}
"""Every case by name."""
