"""Random tasks with random scenes of places, crowded on purpose, so that rules meet.

Owns the drawing only: a pair of mappings is a function of its seed. Whether a task can be won
is left to chance; that every scene is accepted is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

THINGS = ["cup", "jug", "egg"]
KINDS = ["shelf", "box", "open box", "stove"]


def random_places(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a task and its scene as plain values."""
    rng = np.random.default_rng([seed, 77])

    def chance(p: float) -> bool:
        return bool(rng.random() < p)

    def pick(options: Any) -> Any:
        options = list(options)
        return options[int(rng.integers(len(options)))]

    def between(lo: int, hi: int) -> int:
        return int(rng.integers(lo, hi + 1))

    places = [f"place {k}" for k in range(between(2, 4))]
    agents = between(1, 3)
    own = chance(0.4)
    day = between(6, 12) if chance(0.6) else None
    horizon = 40
    scene: dict[str, Any] = {"world": "places", "hands": True, "messages": between(0, 2)}
    if day:
        scene["day"] = day
    if own:
        scene |= {"inventory": True, "share": chance(0.8)}
    if chance(0.4):
        scene["view"] = "here"
    scene["fixtures"] = {
        "box": {"closed": True, "turns": "open box"},
        "open box": {"turns": "box"},
        "shelf": None,
        "stove": {"holds": chance(0.5)},
    }
    scene["things"] = {"cup": {"carry": True}, "jug": {"carry": True}, "egg": {"carry": chance(0.5)}}
    scene["locations"] = {}
    for k, place in enumerate(places):
        fields: dict[str, Any] = {}
        if chance(0.4):
            opens = between(0, 5)
            fields["hours"] = [[opens, opens + between(4, 6)]]
            if day is None:
                fields["hours"].append([opens + 10, opens + between(16, 25)])
        fields["sites"] = {
            f"site {k}{j}": {
                "fixture": pick(KINDS),
                "things": [pick(THINGS) for _ in range(between(0, 3))],
            }
            for j in range(between(1, 3))
        }
        scene["locations"][place] = fields
    scene["ways"] = []
    for k in range(1, len(places)):
        scene["ways"].append([places[k - 1], places[k], between(1, 3)])
        if k > 1 and chance(0.5):
            scene["ways"].append([places[0], places[k], between(1, 4), pick([None, 1, 2])])
    scene["bodies"] = [{"at": pick(places), "pace": between(1, 2)} for _ in range(agents)]
    if chance(0.3):
        scene["bodies"][0]["hand"] = pick(THINGS)

    names = [f"do {k}" for k in range(between(3, 6))]
    task: dict[str, Any] = {
        "name": "errands",
        "horizon": horizon,
        "agents": agents,
        "items": {"coin": between(0, 4)},
        "resources": {"tool": 1},
        "subtasks": {},
    }
    scene["rules"] = {}
    present = {site["fixture"] for place in scene["locations"].values() for site in place["sites"].values()}
    present |= {"box", "open box"} if present & {"box", "open box"} else set()
    here = {
        t for place in scene["locations"].values() for site in place["sites"].values() for t in site["things"]
    }
    here |= {scene["bodies"][0].get("hand", "cup")} & ({"cup"} if "cup" in here else here)
    for k, name in enumerate(names):
        fields = {"duration": pick([1, 2, 3, {"uniform": [1, 4]}, {"choice": [2, 3]}]), "reward": 1}
        if chance(0.3):
            fields["attended"] = between(0, 2)
        if k and chance(0.4):
            fields["needs"] = pick(names[:k])
        if k and chance(0.3):
            fields["lags"] = {pick(names[:k]): {"max": between(1, 4)}}
        if chance(0.3):
            fields["success"] = 0.6
        if chance(0.4):
            fields["repeatable"] = True
        if chance(0.25):
            fields["uses"] = {"tool": 1}
        if chance(0.3):
            fields["consumes"] = {"coin": 1}
        elif chance(0.3):
            fields["produces"] = {"coin": 1}
        if agents > 1 and chance(0.25):
            fields["agents"] = 2
        task["subtasks"][name] = fields
        whole = "attended" not in fields
        rules = [_rule(chance, pick, between, places, sorted(present), sorted(here), whole)]
        always = [place for place, fields in scene["locations"].items() if "hours" not in fields]
        if always and chance(0.25):
            rules[0] |= {
                "place": pick(always),
                "departs": sorted({between(0, (day or 30) - 1) for _ in range(3)}),
            }
        if chance(0.3):
            rules.append({"place": pick(places)})
        scene["rules"][name] = rules if len(rules) > 1 else rules[0]
    if chance(0.5):
        task["goal"] = " & ".join(names)
    task["events"] = [{"at": between(3, 20), "undo": pick(names)}] if chance(0.5) else []
    if chance(0.4):
        task["events"].append({"at": between(3, 20), "stock": {"coin": between(-3, 3) or 1}})
    if chance(0.3):
        task["events"].append({"at": between(3, 20), "agent": "agent 0", "down": between(1, 5)})
    scene["events"] = _events(
        chance, pick, between, places, [s for p in scene["locations"].values() for s in p["sites"]]
    )
    return task, scene


def _rule(
    chance: Any, pick: Any, between: Any, places: Any, fixtures: Any, things: Any, whole: bool
) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if chance(0.3):
        rule["at"] = pick(fixtures) if chance(0.7) else fixtures[:2]
    elif chance(0.7):
        rule["place"] = pick(places) if chance(0.7) else [places[0], places[-1]]
    if things and chance(0.3):
        rule["thing"] = pick([*things, "none"])
    if things and chance(0.25):
        rule["hand"] = pick(["none", *things])
    if chance(0.15):
        rule["near"] = pick(fixtures)
    moments = {"start": 0.3, "success": 0.5, "failure": 0.2, "undone": 0.4}
    for moment, p in moments.items():
        effect: dict[str, Any] = {}
        if chance(p):
            effect["thing"] = pick([*THINGS, "none"])
        if chance(p / 2):
            effect["fixture"] = pick(KINDS)
        if chance(p / 2) and (moment == "start" or (whole and moment != "undone")):
            effect["hand"] = pick([*THINGS, "none"])
        if moment == "success" and whole and chance(0.3):
            effect["body"] = pick(places)
        if effect:
            rule[moment] = effect
    return rule


def _events(chance: Any, pick: Any, between: Any, places: Any, sites: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    for _ in range(between(0, 4)):
        at = between(1, 25) if chance(0.6) else {"uniform": [2, 15]}
        kind = pick(["block", "clear", "lock", "unlock", "move"])
        if kind == "move":
            events.append({"at": at, "move": pick(THINGS), "to": pick(sites)})
        elif kind in ("block", "clear"):
            events.append({"at": at, kind: [places[0], places[1]]})
        else:
            events.append({"at": at, kind: pick(places)})
    return events
