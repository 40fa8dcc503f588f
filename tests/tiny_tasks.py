"""Tiny random tasks that use every rule a schedule must obey, draws and events included."""

from __future__ import annotations

import random
from typing import Any


def tiny_task(seed: int) -> dict[str, Any]:
    """Return a task of 2 to 4 subtasks within 4 to 9 ticks."""
    draw = random.Random(seed)
    names = list("abcd")[: draw.randint(2, 4)]
    skilled = draw.random() < 0.25
    agents: Any = [{"name": "u", "skills": ["k"]}, {"name": "v"}] if skilled else draw.choice([1, 1, 2])
    task: dict[str, Any] = {"horizon": draw.randint(4, 9), "agents": agents, "subtasks": {}}
    if draw.random() < 0.5:
        task["resources"] = {"r": draw.randint(1, 2)}
    if draw.random() < 0.4:
        task["items"] = {"w": draw.randint(0, 2)}
    spoils = draw.random() < 0.4
    for place, name in enumerate(names):
        fields = _timing(draw, names[:place], spoils)
        fields |= _conditions(draw, name, names, place)
        fields |= _holdings(draw, task, skilled)
        task["subtasks"][name] = fields
    if draw.random() < 0.2 and "lags" not in (fields := task["subtasks"][draw.choice(names)]):
        fields["modes"] = {"f": {"duration": 1, "attended": 1}, "g": {"duration": 3}}
    if draw.random() < 0.3 and len(names) >= 3:
        kind = draw.choice(["choice", "any", "all", "sequence"])
        task["tasks"] = {"t": {kind: draw.sample(names, 2)}}
    if draw.random() < 0.75:
        pool = names + list(task.get("tasks", {}))
        some = draw.sample(pool, min(len(pool), draw.randint(1, 3)))
        both = " & ".join(some)
        task["goal"] = draw.choice([both, both, " | ".join(some), " & ".join([*some[:-1], "~" + some[-1]])])
    if draw.random() < 0.2:
        task["constraints"] = [_formula(draw, names)]
    if draw.random() < 0.3 and (event := _event(draw, task, names, skilled)):
        task["events"] = [event]
    return task


def _timing(draw: random.Random, before: list[str], spoils: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"duration": draw.randint(1, 3)}
    if draw.random() < 0.12:
        fields["duration"] = draw.choice([{"uniform": [1, 3]}, {"choice": [1, 3]}])
    if draw.random() < 0.35:
        fields["attended"] = draw.choice([0, 1, 1, 2])
    if before and draw.random() < (0.5 if spoils else 0.2):
        least = draw.choice([0, 0, 1, 2])
        lag: dict[str, Any] = {"min": least} if least else {}
        if spoils:
            lag["max"] = least + draw.randint(0, 2)
        if draw.random() < 0.25:
            lag["from"] = "start"
        fields["lags"] = {draw.choice(before): lag}
    if draw.random() < 0.15:
        fields["release"] = draw.randint(1, 3)
    if draw.random() < 0.2:
        fields["deadline"] = draw.randint(3, 8)
    if draw.random() < 0.3:
        fields |= {"due": draw.randint(1, 5), "weight": draw.choice([1, 2])}
    return fields


def _conditions(draw: random.Random, name: str, names: list[str], place: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    others = [other for other in names if other != name]
    if place and draw.random() < 0.5:
        fields["needs"] = draw.choice(names[:place])
    elif draw.random() < 0.3:
        p, q = draw.choice(others), draw.choice(others)
        fields["needs"] = draw.choice([f"{p} | {q}", f"{p} & ~{q}", f"~{p}", f"{p} & {q}", f"1 of ({p})"])
    if draw.random() < 0.1:
        fields["success"] = draw.choice([0.5, 0.5, 0])
    if draw.random() < 0.1:
        fields["attempts"] = draw.randint(1, 2)
    if draw.random() < 0.15:
        fields["repeatable"] = True
    if draw.random() < 0.5:
        fields["reward"] = draw.choice([1, 2, 0.5, -1])
    return fields


def _holdings(draw: random.Random, task: dict[str, Any], skilled: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "resources" in task and draw.random() < 0.5:
        fields["uses"] = {"r": draw.randint(1, task["resources"]["r"])}
    if "items" in task:
        for key, most, chance in (("consumes", 1, 0.4), ("requires", 2, 0.2), ("produces", 2, 0.4)):
            if draw.random() < chance:
                fields[key] = {"w": draw.randint(1, most)}
    if task["agents"] == 2 and draw.random() < 0.15:
        fields["agents"] = 2
    if skilled and draw.random() < 0.4:
        fields["skill"] = "k"
    return fields


def _formula(draw: random.Random, names: list[str]) -> str:
    a, b = draw.choice(names), draw.choice(names)
    return draw.choice(
        [
            f"G ~(running({a}) & running({b}))",
            f"(~started({a})) U done({b})",
            f"F done({a})",
            f"G(started({a}) -> X X ~done({b}))",
            f"G(done({a}) -> F running({b}))",
        ]
    )


def _event(
    draw: random.Random, task: dict[str, Any], names: list[str], skilled: bool
) -> dict[str, Any] | None:
    name = draw.choice(names)
    events: dict[str, Any] = {
        "undo": name,
        "agent": "u" if skilled else "agent 0",
        "duration": {name: draw.randint(1, 4)},
        "deadline": {name: draw.randint(2, 9)},
        "appear": name,
        "capacity": {"r": draw.randint(0, 2)} if "resources" in task else None,
        "stock": {"w": draw.choice([-2, -1, 1, 2])} if "items" in task else None,
    }
    kind = draw.choice(list(events))
    if events[kind] is None:
        return None
    event = {"at": draw.randint(1, 5), kind: events[kind]}
    return event | {"down": draw.randint(1, 3)} if kind == "agent" else event
