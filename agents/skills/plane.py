"""Steering on a plane: the scripted skill that reaches, picks up, routes, inserts and loosens.

Owns a controller for bodies with bounded acceleration and speed: the speed that is wanted follows
from the distance left (so that the body can still brake), the acceleration from the difference to the
speed that it has. Ways lead around obstacles (``plane_ways``).

A subtask is begun by acting at its place and goes on until its geometry is fulfilled, so a body that
is at work on one (``PlaneView.runs``) is steered for that one, whatever goal it is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from stratagym.agents.base import Case, Goal, Memory, Move, Prospect
from stratagym.agents.skills.plane_ways import way_to
from stratagym.envs.worlds.view import ClipView, PlaneRuleView, PlaneView, Point, SiteView

ACT, IDLE = 1.0, 0.0

BRAKING = 0.7
"""Share of the greatest acceleration that braking counts on; the rest is for what rounding takes."""

NEAR = 0.6
"""Share of a radius within which a place counts as reached."""

SETTLE = 12
"""Ticks that beginning and ending a primitive takes beyond its way, for estimates."""


class PlaneSkill:
    """See the module."""

    def start(self, memory: Memory, body: int, goal: Goal) -> Prospect:
        """Tell whether the body could begin the subtask, and when."""
        view = _view(memory)
        rule = _rule(view, goal.subtask)
        if rule is None:
            return Prospect(False, "how it is done is not known")
        if view.runs[body] >= 0:
            busy = _rule(view, view.runs[body])
            return Prospect(False, f"is at work: {busy.by if busy else 'something'}")
        refusal = _refusal(view, body, rule)
        if refusal:
            return Prospect(False, refusal, first=_remedy(view, goal, rule))
        _, length = way_to(view, body, _begin(view, rule))
        return Prospect(True, _words(rule), math.ceil(length / view.speeds[body]) + SETTLE)

    def act(self, cases: Sequence[Case]) -> list[Move]:
        """Return one move per case."""
        return [self._move(case) for case in cases]

    def _move(self, case: Case) -> Move:
        view, b = _view(case.memory), case.body
        if view.runs[b] >= 0:
            rule = _rule(view, view.runs[b])
            if rule is None:
                return Move(_brake(view, b), "", "does not know what it is at")
            return Move((*_work(view, b, rule), IDLE), "", _words(rule))
        if case.goal is None:
            return Move(_brake(view, b), "", "nothing to do")
        rule = _rule(view, case.goal.subtask)
        if rule is None:
            return Move(_brake(view, b), "failed", "how it is done is not known")
        refusal = _refusal(view, b, rule)
        if refusal:
            return Move(_brake(view, b), "failed", refusal)
        pull = _toward(view, b, _begin(view, rule))
        if not _at_begin(view, b, rule):
            return Move((*pull, IDLE), "", f"on the way: {_words(rule)}")
        if not case.memory.observation.mask[b, case.goal.subtask]:
            return Move((*pull, IDLE), "", f"waits: {_words(rule)}")
        return Move((*pull, ACT), "attempt", _words(rule))


def _view(memory: Memory) -> PlaneView:
    view = memory.observation.world
    assert isinstance(view, PlaneView)
    return view


def _rule(view: PlaneView, subtask: int) -> PlaneRuleView | None:
    """Return how a subtask is done, None if that is not known."""
    rules = view.rules.get(subtask, ())
    return rules[0] if rules else None


def _words(rule: PlaneRuleView) -> str:
    return f"{rule.by} {rule.at}" if rule.at else rule.by


def _refusal(view: PlaneView, b: int, rule: PlaneRuleView) -> str:
    """Return why the place would not let the body begin, "" if it would."""
    if rule.by in ("route", "insert") and view.holder != b:
        return "does not hold the cable"
    if rule.by == "reach" and view.holder == b:
        return "holds the cable"
    if rule.by in ("pick up", "perturb") and view.holder >= 0:
        return "the cable is held"
    if rule.by == "pick up" and view.stuck is not None:
        return f"the cable is stuck in {view.stuck}"
    if rule.by == "perturb" and view.stuck is None:
        return "the cable is not stuck"
    return ""


def _remedy(view: PlaneView, goal: Goal, rule: PlaneRuleView) -> Goal | None:
    """Return what must be done before: a cable that is stuck is loosened before it is picked up."""
    if rule.by != "pick up" or view.stuck is None or view.holder >= 0:
        return None
    loosen = next((i for i, ways in view.rules.items() if ways[0].by == "perturb"), None)
    return None if loosen is None else Goal(loosen, goal.crew)


# ------------------------------------------------------------------ places


def _end(view: PlaneView) -> Point:
    return float(view.cable[-1, 0]), float(view.cable[-1, 1])


def _site(view: PlaneView, rule: PlaneRuleView) -> tuple[Point, float]:
    """Return the place of a rule and its radius."""
    if rule.at is None:
        return _end(view), view.grip
    spots: list[SiteView | ClipView] = [*view.sites, *view.clips]
    spot = next(s for s in spots if s.name == rule.at)
    return spot.at, spot.radius


def _clip(view: PlaneView, name: str | None) -> ClipView:
    return next(clip for clip in view.clips if clip.name == name)


def _point(clip: ClipView, along: float, across: float = 0.0) -> Point:
    """Return a point in the coordinates of a clip."""
    c, s = math.cos(clip.angle), math.sin(clip.angle)
    return clip.at[0] + along * c - across * s, clip.at[1] + along * s + across * c


def _in_clip(clip: ClipView, at: Point) -> tuple[float, float]:
    """Return where a point lies in the coordinates of a clip: along and across."""
    c, s = math.cos(clip.angle), math.sin(clip.angle)
    x, y = at[0] - clip.at[0], at[1] - clip.at[1]
    return x * c + y * s, y * c - x * s


def _begin(view: PlaneView, rule: PlaneRuleView) -> Point:
    """Return where a subtask is best begun."""
    if rule.by == "route":
        clip = _clip(view, rule.at)
        return _point(clip, -clip.length - clip.lane)
    if rule.by == "insert":
        clip = _clip(view, rule.at)
        return _point(clip, -clip.length)
    return _site(view, rule)[0]


def _at_begin(view: PlaneView, b: int, rule: PlaneRuleView) -> bool:
    """Return whether the body is where a subtask is begun, with some room to spare."""
    here = _here(view, b)
    if rule.by == "insert":
        clip = _clip(view, rule.at)
        along, across = _in_clip(clip, here)
        return abs(across) <= NEAR * clip.radius and -clip.length - NEAR * clip.radius <= along <= -0.05
    place, radius = _site(view, rule)
    if rule.by == "route":
        place = _begin(view, rule)
        return math.dist(here, place) <= NEAR * 2 * radius
    return math.dist(here, place) <= (3.8 if rule.by == "reach" else NEAR) * radius


def _work(view: PlaneView, b: int, rule: PlaneRuleView) -> tuple[float, float]:
    """Return the acceleration that carries on with a primitive that is under way."""
    if rule.by == "route":
        clip = _clip(view, rule.at)
        # Beyond the mouth, so that it is crossed; slowly enough to go on from there.
        return _toward(view, b, _ahead(view, b, clip, -clip.length + 0.25 * clip.length))
    if rule.by == "insert":
        clip = _clip(view, rule.at)
        return _toward(view, b, _ahead(view, b, clip, clip.length + 0.5))
    if rule.by == "perturb":
        return _swing(view, b)
    return _toward(view, b, _site(view, rule)[0])


def _ahead(view: PlaneView, b: int, clip: ClipView, goal: float) -> Point:
    """Return a point on a clip's axis: the goal, or nearer while the body is still beside the axis."""
    along, across = _in_clip(clip, _here(view, b))
    return _point(clip, min(goal, max(along, along + 4 * (clip.radius - abs(across)))))


def _swing(view: PlaneView, b: int) -> tuple[float, float]:
    """Return the acceleration of a body that swings from side to side of a stuck end."""
    clip, end = _clip(view, view.stuck), _end(view)
    along, middle = _in_clip(clip, end)
    aside = _in_clip(clip, _here(view, b))[1] - middle
    vx, vy = (float(v) for v in view.velocities[b])
    moving = vy * math.cos(clip.angle) - vx * math.sin(clip.angle)
    turn = 0.6 * view.grip
    side = -1.0 if aside > turn else 1.0 if aside < -turn else 1.0 if moving >= 0 else -1.0
    return _toward(view, b, _point(clip, along, middle + side * 1.2 * view.grip), free=True)


# ------------------------------------------------------------------ steering


def _here(view: PlaneView, b: int) -> Point:
    return float(view.positions[b, 0]), float(view.positions[b, 1])


def _toward(view: PlaneView, b: int, target: Point, *, free: bool = False) -> tuple[float, float]:
    """Return the acceleration, in shares of the greatest, that brings a body to rest at a target.

    Args:
        view: the plane.
        b: the body.
        target: where to.
        free: whether it may go straight on without looking for obstacles.
    """
    point, length = (target, math.dist(_here(view, b), target)) if free else way_to(view, b, target)
    x, y = point[0] - float(view.positions[b, 0]), point[1] - float(view.positions[b, 1])
    leg = math.hypot(x, y)
    fastest, push = view.speeds[b], view.accelerations[b]
    speed = min(fastest, math.sqrt(2 * BRAKING * push * length), length)
    if leg < length - 1e-9:
        # A corner lies ahead: slow enough to turn there.
        speed = min(speed, math.sqrt((0.5 * fastest) ** 2 + 2 * BRAKING * push * leg))
    wanted = (speed * x / leg, speed * y / leg) if leg > 0 else (0.0, 0.0)
    ax, ay = ((wanted[k] - float(view.velocities[b, k])) / push for k in range(2))
    return min(max(ax, -1.0), 1.0), min(max(ay, -1.0), 1.0)


def _brake(view: PlaneView, b: int) -> tuple[float, float, float]:
    """Return the action of a body that comes to rest."""
    ax, ay = (-float(view.velocities[b, k]) / view.accelerations[b] for k in range(2))
    return min(max(ax, -1.0), 1.0), min(max(ay, -1.0), 1.0), IDLE
