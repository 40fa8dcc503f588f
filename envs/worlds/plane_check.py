"""What is refused of a plane, by name and place.

Owns every check of a scene beyond the types of its fields: whether its parts fit each other and
the task.
"""

from __future__ import annotations

import math

from stratagym.envs.task.faults import TaskError, join, quote, suggest
from stratagym.envs.task.graph import Subtask, TaskGraph
from stratagym.envs.worlds import plane_layout as pl
from stratagym.envs.worlds.plane_reach import cut_off
from stratagym.envs.worlds.plane_spec import (
    LARGEST,
    PlaneSpec,
    Point,
    distance_to,
    ends_of,
    exit_of,
    gate_of,
)


def check_plane(spec: PlaneSpec, graph: TaskGraph) -> None:
    """Refuse a plane that does not fit together, or not with its task.

    Raises:
        TaskError: one line with the place, the fault and the likely fix.
    """
    _check_sizes(spec, graph)
    _check_obstacles(spec)
    _check_spots(spec)
    _check_cable(spec)
    _check_rules(spec, graph)
    _check_events(spec)
    for name in cut_off(spec):
        kind = "clips." if name in spec.clips else "sites." if name in spec.sites else ""
        raise TaskError("no body can get there: something closes it in", f"{kind}{name}")


def _on_table(spec: PlaneSpec, at_: Point, room: float, path: str) -> None:
    width, height = spec.size
    if not (room <= at_[0] <= width - room and room <= at_[1] <= height - room):
        raise TaskError(
            f"({at_[0]:g}, {at_[1]:g}) is off the plane",
            path,
            f"it needs {room:g} to each edge of {width:g} x {height:g}",
        )


def _check_sizes(spec: PlaneSpec, graph: TaskGraph) -> None:
    for side in spec.size:
        if not 1 <= side <= LARGEST:
            raise TaskError(f"a side must be 1 to {LARGEST} units, not {side:g}", "size")
    if len(spec.bodies) != len(graph.agents):
        raise TaskError(
            f"there are {len(spec.bodies)} bodies for {len(graph.agents)} agents",
            "bodies",
            "give each agent of the task one body",
        )
    for k, body in enumerate(spec.bodies):
        path = f"bodies[{k}]"
        _on_table(spec, body.at, body.radius, join(path, "at"))
        for j, other in enumerate(spec.bodies[:k]):
            if math.dist(body.at, other.at) < body.radius + other.radius:
                raise TaskError(f"it overlaps bodies[{j}]", join(path, "at"), "move one of them")
        thin = min([body.radius, *(o.radius + body.radius for o in spec.obstacles.values())])
        if body.speed > thin:
            raise TaskError(
                f"at {body.speed:g} a tick it would pass through things that are {thin:g} deep",
                join(path, "speed"),
                f"at most {thin:g}",
            )


def _check_obstacles(spec: PlaneSpec) -> None:
    for name, o in spec.obstacles.items():
        path = f"obstacles.{name}"
        if (o.at is None) == (o.line is None):
            raise TaskError("an obstacle is either `at` a point or along a `line`", path)
        if o.line is not None and len(o.line) != 2:
            raise TaskError(f"a line has two ends, not {len(o.line)}", join(path, "line"))
        for end in ends_of(o):
            _on_table(spec, end, 0.0, path)
        for k, body in enumerate(spec.bodies):
            if not o.absent and distance_to(o, body.at) < body.radius:
                raise TaskError(f"it stands on bodies[{k}]", path, "move one of them")


def _check_spots(spec: PlaneSpec) -> None:
    widest = max(body.radius for body in spec.bodies)
    swings = spec.cable is not None and any(rule.by == "perturb" for rule in spec.rules.values())
    aside = spec.cable.grip if spec.cable is not None and swings else 0.0
    for name in spec.sites:
        if name in spec.clips:
            raise TaskError("a site and a clip have one name", f"clips.{name}", "rename one of them")
        _on_table(spec, spec.sites[name].at, widest, f"sites.{name}.at")
    for name, clip in spec.clips.items():
        path = f"clips.{name}"
        gate, out = gate_of(clip), exit_of(clip)
        _on_table(spec, gate, widest, f"{path}: the begin of its lane")
        _on_table(spec, out, widest, f"{path}: its exit")
        for other, o in spec.obstacles.items():
            steps = [k / 16 for k in range(17)]
            points = [(gate[0] + (out[0] - gate[0]) * t, gate[1] + (out[1] - gate[1]) * t) for t in steps]
            gap = min(distance_to(o, p) for p in points)
            if not o.absent and gap < widest:
                raise TaskError(f"obstacle {quote(other)} stands in its lane", path, "move one of them")
            if not o.absent and gap < widest + aside:
                raise TaskError(
                    f"obstacle {quote(other)} leaves no room to loosen a cable that is stuck there",
                    path,
                    f"keep {widest + aside:g} from its lane and channel",
                )


def _check_cable(spec: PlaneSpec) -> None:
    if spec.cable is None:
        return
    cable = spec.cable
    _on_table(spec, cable.start, 0.0, "cable.from")
    _on_table(spec, cable.end, max(body.radius for body in spec.bodies), "cable.end")
    for name, o in spec.obstacles.items():
        if not o.absent and distance_to(o, cable.end) < min(body.radius for body in spec.bodies):
            raise TaskError(f"no body fits between it and obstacle {quote(name)}", "cable.end")
    reach = (cable.nodes - 1) * cable.segment
    points = {"the drum": (cable.start, cable.start)}
    points |= {name: (c.at, exit_of(c)) for name, c in spec.clips.items()}
    points["its end"] = (cable.end, cable.end)
    for a, (start, _) in points.items():
        for b, (_, end) in points.items():
            if a != "its end" and math.dist(start, end) > reach:
                raise TaskError(
                    f"it pays out {reach:g}, too short from {a} to {b} ({math.dist(start, end):.2f})",
                    "cable",
                    "give it more nodes or longer segments",
                )


def _check_rules(spec: PlaneSpec, graph: TaskGraph) -> None:
    for name in spec.rules:
        if name not in graph.names:
            raise TaskError(f"the task has no subtask {quote(name)}", "rules", suggest(name, graph.names))
    for subtask in graph.subtasks:
        if subtask.name not in spec.rules:
            raise TaskError(
                f"subtask {quote(subtask.name)} has no rule: nothing would ever begin it", "rules"
            )
        _check_rule(spec, subtask, f"rules.{subtask.name}")


def _check_rule(spec: PlaneSpec, subtask: Subtask, path: str) -> None:
    rule = spec.rules[subtask.name]
    if rule.at is None:
        if rule.by in ("act", "route", "insert"):
            raise TaskError(f"{quote(rule.by)} needs a place", path, "add `at: NAME`")
    elif rule.by in ("pick up", "perturb"):
        raise TaskError(f"{quote(rule.by)} is done at the cable's end", join(path, "at"), "leave it out")
    elif rule.by in ("route", "insert") and rule.at not in spec.clips:
        raise TaskError(
            f"no clip {quote(rule.at)}", join(path, "at"), suggest(rule.at, spec.clips, "there are")
        )
    elif rule.at not in spec.clips and rule.at not in spec.sites:
        known = [*spec.sites, *spec.clips]
        raise TaskError(
            f"no site or clip {quote(rule.at)}", join(path, "at"), suggest(rule.at, known, "there are")
        )
    if spec.cable is None and (rule.by not in ("act", "reach") or rule.at is None):
        raise TaskError(f"{quote(rule.by)} needs a cable, and the scene has none", path, "add `cable`")
    if rule.by == "act":
        if subtask.duration.kind == "world":
            raise TaskError("the plane reports no end of 'act'", path, "give the subtask a duration in ticks")
        return
    if subtask.duration.kind != "world":
        raise TaskError(
            f"the plane reports when {quote(rule.by)} ends", path, "give the subtask `duration: world`"
        )
    if subtask.attended != 1:
        raise TaskError(
            "its body must be free to steer while it is done", path, "give the subtask `attended: 1`"
        )
    if subtask.agents != 1:
        raise TaskError(f"{quote(rule.by)} is done by one body", path, f"not by {subtask.agents} agents")


def _check_events(spec: PlaneSpec) -> None:
    for k, event in enumerate(spec.events):
        path = f"events[{k}]"
        given = [word for word in pl.PLACE_EVENTS if getattr(event, word) is not None]
        if len(given) != 1:
            raise TaskError(
                "an event of the place has one kind", path, f"one of {', '.join(pl.PLACE_EVENTS)}"
            )
        name = event.appear or event.vanish
        if name is not None and name not in spec.obstacles:
            raise TaskError(
                f"no obstacle {quote(name)}", join(path, given[0]), suggest(name, spec.obstacles, "there are")
            )
        if event.drop and spec.cable is None:
            raise TaskError("there is no cable to drop", join(path, "drop"))
