"""A plane in the plainest way: the naive second implementation of its rules.

Owns the motion, the cable and the primitives of one plane, written from the words alone, with
fractions and one rounding at the end of each quotient. It shares with the package only the documented
generator of draws. What the task graph decides (which starts are accepted, what is due) it is told.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from stratagym.envs.rng import WORLD, draw, draw_below, threshold

UNIT = 1024
Vector = tuple[int, int]


def whole(x: Fraction) -> int:
    """Return the nearest whole number, halves up."""
    return math.floor(x + Fraction(1, 2))


def fixed(x: float) -> int:
    """Return a length in parts of a unit."""
    return round(x * UNIT)


def pair(at: Any) -> Vector:
    """Return a point in parts of a unit."""
    return fixed(at[0]), fixed(at[1])


def gap2(a: Vector, b: Vector) -> int:
    """Return the square of the distance of two points."""
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def away(at: Vector, centre: Vector, distance: int) -> Vector:
    """Return the point in the direction of ``at`` from a centre that is so far from it."""
    if at == centre:
        return centre[0] + distance, centre[1]
    length = max(1, math.isqrt(gap2(at, centre)))
    return (
        centre[0] + whole(Fraction((at[0] - centre[0]) * distance, length)),
        centre[1] + whole(Fraction((at[1] - centre[1]) * distance, length)),
    )


class Body:
    """A disc that is steered."""

    def __init__(self, spec: dict[str, Any]) -> None:
        """Put it where it begins, at rest."""
        self.at = pair(spec["at"])
        self.speed: Vector = (0, 0)
        self.push: Vector | None = None
        self.radius = fixed(spec.get("radius", 0.4))
        self.fastest = fixed(spec.get("speed", 0.4))
        self.strength = fixed(spec.get("acceleration", 0.15))
        self.run: int | None = None
        self.since = 0
        self.count = 0
        self.side = 0

    def slow(self) -> bool:
        """Return whether it moves at half its speed or less."""
        return gap2(self.speed, (0, 0)) <= (self.fastest // 2) ** 2


class Plane:
    """One plane.

    Args:
        scene: its mapping.
        names: of the subtasks.
        seed: of the episode.
    """

    def __init__(self, scene: dict[str, Any], names: list[str], seed: int) -> None:
        """Put everything where it begins."""
        self.scene, self.names, self.seed = scene, names, seed
        self.size = pair(scene["size"])
        self.bodies = [Body(spec) for spec in scene["bodies"]]
        self.posts: dict[str, list[Any]] = {}
        for name, o in scene.get("obstacles", {}).items():
            ends = o["line"] if "line" in o else [o["at"], o["at"]]
            self.posts[name] = [
                pair(ends[0]),
                pair(ends[1]),
                fixed(o.get("radius", 0.5)),
                not o.get("absent", False),
            ]
        self.spots = {**scene.get("sites", {}), **scene.get("clips", {})}
        self.rules = [scene["rules"][name] for name in names]
        self.holder: int | None = None
        self.stuck: str | None = None
        self.chain: list[Vector] = []
        cable = scene.get("cable")
        if cable:
            self.segment, self.grip = fixed(cable.get("segment", 0.6)), fixed(cable.get("grip", 0.5))
            self.chain = [pair(cable["end"])]
            self.pay_out_from(pair(cable["from"]), cable.get("nodes", 32))
        self.ticks = []
        for e, event in enumerate(scene.get("events", [])):
            at = event["at"]
            lo, hi = at["uniform"] if isinstance(at, dict) else (at, at)
            self.ticks.append(lo + draw_below(hi - lo + 1, seed, WORLD, e, 0))

    # ------------------------------------------------------------- acting

    def act(self, actions: list[list[int]], idle: list[bool], mask: Any) -> list[int | str | None]:
        """Steer; return for each body the subtask that it attempts, why it cannot, or None."""
        attempts: list[int | str | None] = []
        for a, body in enumerate(self.bodies):
            x, y, act = actions[a]
            if not idle[a]:
                attempts.append("busy" if act >= 500 else None)
                continue
            body.push = (whole(Fraction(x * body.strength, 1000)), whole(Fraction(y * body.strength, 1000)))
            found: int | str | None = None
            if act >= 500 and body.run is not None:
                found = "busy"
            elif act >= 500:
                here = [i for i in range(len(self.names)) if self.begins(a, i)]
                may = [i for i in here if mask[a][i]]
                found = may[0] if may else here[0] if here else "world"
            elif act <= -500 and self.holder == a:
                self.holder = None
            attempts.append(found)
        return attempts

    def begins(self, a: int, i: int) -> bool:
        """Return whether a body is where a subtask begins."""
        rule, body = self.rules[i], self.bodies[a]
        by, held = rule["by"], self.holder == a
        if by == "act":
            return self.near(body, rule, 1)
        if by == "reach":
            return not held and (self.holder is None or "at" in rule) and self.near(body, rule, 4)
        if by == "pick up":
            return self.holder is None and self.stuck is None and self.near(body, rule, 1)
        if by == "perturb":
            return self.holder is None and self.stuck is not None and self.near(body, rule, 1)
        if not held:
            return False
        u, v, radius, length, lane = self.seen_from(rule["at"], body.at)
        if by == "route":
            return (u + length + lane) ** 2 + v**2 <= (2 * radius) ** 2
        return abs(v) <= radius and -length - radius <= u <= 0

    def near(self, body: Body, rule: dict[str, Any], times: int) -> bool:
        """Return whether a body is within so many radii of the place of a rule."""
        if "at" not in rule:
            return gap2(body.at, self.chain[0]) <= (times * self.grip) ** 2
        spot = self.spots[rule["at"]]
        radius = fixed(spot.get("radius", 0.4 if rule["at"] in self.scene.get("clips", {}) else 0.5))
        return gap2(body.at, pair(spot["at"])) <= (times * radius) ** 2

    def seen_from(self, name: str, at: Vector) -> tuple[int, int, int, int, int]:
        """Return a point in the coordinates of a clip, and the clip's radius, length and lane."""
        clip = self.spots[name]
        turn = math.radians(clip.get("angle", 0.0))
        c, s = fixed(math.cos(turn)), fixed(math.sin(turn))
        x, y = at[0] - fixed(clip["at"][0]), at[1] - fixed(clip["at"][1])
        sizes = [fixed(clip.get(k, d)) for k, d in (("radius", 0.4), ("length", 0.6), ("lane", 1.2))]
        return whole(Fraction(x * c + y * s, UNIT)), whole(Fraction(y * c - x * s, UNIT)), *sizes

    # ------------------------------------------------------------- moving

    def move(self, now: int) -> dict[int, bool]:
        """Pass the tick that ends at ``now``; return the subtasks whose end is reported, and how."""
        for event, tick in zip(self.scene.get("events", []), self.ticks, strict=True):
            if tick == now:
                if "drop" in event:
                    self.holder = None
                else:
                    self.posts[event.get("appear", event.get("vanish"))][3] = "appear" in event
        for a in range(len(self.bodies)):
            self.move_body(a)
        if self.holder is not None:
            body = self.bodies[self.holder]
            self.chain[0] = body.at
            if self.follow():
                body.at, body.speed = self.chain[0], (0, 0)
                self.meet(self.holder)
        reports: dict[int, bool] = {}
        for a, body in enumerate(self.bodies):
            if body.run is not None:
                verdict = self.verdict(a, now)
                if verdict is not None:
                    reports.setdefault(body.run, verdict)
        return reports

    def move_body(self, a: int) -> None:
        """Accelerate, cut the speed, move, and let everything in the way act on the body."""
        body = self.bodies[a]
        vx, vy = body.speed
        if body.push is not None:
            vx, vy = vx + body.push[0], vy + body.push[1]
        else:
            vx -= max(-body.strength, min(body.strength, vx))
            vy -= max(-body.strength, min(body.strength, vy))
        body.push = None
        if vx**2 + vy**2 > body.fastest**2:
            length = math.isqrt(vx**2 + vy**2)
            vx, vy = whole(Fraction(vx * body.fastest, length)), whole(Fraction(vy * body.fastest, length))
        body.speed = (vx, vy)
        body.at = (body.at[0] + vx, body.at[1] + vy)
        self.meet(a)

    def meet(self, a: int) -> None:
        """Let walls, obstacles, other bodies and walls again act on a body."""
        body = self.bodies[a]
        self.wall(body)
        for start, end, radius, there in self.posts.values():
            if there:
                self.bounce(body, self.core(start, end, body.at), radius + body.radius)
        for b, other in enumerate(self.bodies):
            if b != a:
                self.bounce(body, other.at, other.radius + body.radius)
        self.wall(body)

    def wall(self, body: Body) -> None:
        """Keep a body on the table."""
        at, speed = list(body.at), list(body.speed)
        for axis in range(2):
            inside = min(max(at[axis], body.radius), self.size[axis] - body.radius)
            if inside != at[axis]:
                at[axis], speed[axis] = inside, 0
        body.at, body.speed = (at[0], at[1]), (speed[0], speed[1])

    def core(self, start: Vector, end: Vector, at: Vector) -> Vector:
        """Return the point of a line that is nearest to a point."""
        along = (end[0] - start[0], end[1] - start[1])
        length2 = along[0] ** 2 + along[1] ** 2
        if length2 == 0:
            return start
        t = Fraction((at[0] - start[0]) * along[0] + (at[1] - start[1]) * along[1], length2)
        t = min(max(t, Fraction(0)), Fraction(1))
        return start[0] + whole(along[0] * t), start[1] + whole(along[1] * t)

    def bounce(self, body: Body, centre: Vector, distance: int) -> None:
        """Push a body out of a disc; it loses the part of its speed that points inwards."""
        if gap2(body.at, centre) >= distance**2:
            return
        wx, wy = body.at[0] - centre[0], body.at[1] - centre[1]
        body.at = away(body.at, centre, distance)
        inwards = body.speed[0] * wx + body.speed[1] * wy
        if inwards < 0:
            share = Fraction(inwards, wx**2 + wy**2)
            body.speed = (body.speed[0] - whole(share * wx), body.speed[1] - whole(share * wy))

    # ------------------------------------------------------------- the cable

    def pay_out_from(self, at: Vector, nodes: int) -> None:
        """Let the live stretch begin at a point."""
        self.chain = [self.chain[0]] + [at] * (nodes - 1)
        self.follow()

    def pull(self, k: int, leader: int) -> bool:
        """Pull a node to within a segment of another; return whether it was farther away."""
        if math.isqrt(gap2(self.chain[k], self.chain[leader])) <= self.segment:
            return False
        at = away(self.chain[k], self.chain[leader], self.segment)
        for start, end, radius, there in self.posts.values():
            if there:
                core = self.core(start, end, at)
                if gap2(at, core) < radius**2:
                    at = away(at, core, radius)
        self.chain[k] = at
        return True

    def follow(self) -> bool:
        """Let the nodes follow the end; return whether the end itself is held back."""
        last = len(self.chain) - 1
        if not all(self.pull(k, k - 1) for k in range(1, last)):
            return False
        return all(self.pull(k, k + 1) for k in reversed(range(last)))

    # ------------------------------------------------------------- primitives

    def verdict(self, a: int, now: int) -> bool | None:
        """Return whether what a body does has succeeded or failed, None while it goes on."""
        body = self.bodies[a]
        assert body.run is not None
        rule = self.rules[body.run]
        found: bool | None = None
        if rule["by"] == "reach":
            if self.near(body, rule, 1) and body.slow():
                found = True
            elif not self.near(body, rule, 6):
                found = False
        elif rule["by"] == "pick up":
            if self.holder is not None or not self.near(body, rule, 2):
                found = False
            else:
                body.count = body.count + 1 if self.near(body, rule, 1) and body.slow() else 0
                found = True if body.count >= 3 else None
        elif rule["by"] == "perturb":
            found = self.swings(body, rule)
        else:
            found = self.threads(a, rule)
        if found is None and now - body.since >= rule.get("limit", 80):
            return False
        return found

    def swings(self, body: Body, rule: dict[str, Any]) -> bool | None:
        """Return how loosening stands."""
        if self.stuck is None or not self.near(body, rule, 3):
            return False
        aside = self.seen_from(self.stuck, body.at)[1] - self.seen_from(self.stuck, self.chain[0])[1]
        if 2 * abs(aside) >= self.grip:
            side = 1 if aside > 0 else -1
            if body.side == -side:
                body.count += 1
            body.side = side
        return True if body.count >= 3 else None

    def threads(self, a: int, rule: dict[str, Any]) -> bool | None:
        """Return how a route or inserting stands."""
        u, v, radius, length, lane = self.seen_from(rule["at"], self.bodies[a].at)
        if self.holder != a:
            return False
        if rule["by"] == "insert":
            if abs(v) > radius or u < -length - 2 * radius:
                return False
            return True if u >= length else None
        if u >= -length:
            return abs(v) <= radius
        return False if abs(v) > 2 * radius or u < -length - lane - 2 * radius else None

    # ------------------------------------------------------------- what the task brings

    def begin(self, i: int, a: int, now: int) -> None:
        """Take in that a body has begun a subtask."""
        if self.rules[i]["by"] != "act":
            body = self.bodies[a]
            body.run, body.since, body.count, body.side = i, now, 0, 0

    def end(self, i: int, success: bool, now: int) -> None:
        """Take in that a run has ended."""
        rule = self.rules[i]
        for a, body in enumerate(self.bodies):
            if body.run != i:
                continue
            body.run = None
            if rule["by"] == "pick up" and success:
                self.holder = a
            elif rule["by"] == "perturb" and success:
                self.stuck = None
            elif rule["by"] == "insert" and success:
                self.pay_out_from(pair(self.spots[rule["at"]]["at"]), len(self.chain))
            elif rule["by"] in ("route", "insert") and not success:
                if self.holder == a:
                    self.holder = None
                bits = draw(self.seed, WORLD, 65536 + i, now)
                if rule["by"] == "insert" and bits < threshold(self.scene["cable"].get("stick", 0.5)):
                    self.stuck = rule["at"]
