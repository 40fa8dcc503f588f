"""A world as plain text: its map in characters, and a line for each body.

Owns the characters. A grid has two columns a cell: a body as an arrow and its number,
else the fixture and what lies on it. No colours and no cursor codes, so that it reads
the same in a log.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stratagym.envs.render.canvas import Point
from stratagym.envs.render.facts import Facts
from stratagym.envs.render.text import columns, pad
from stratagym.envs.worlds.view import (
    NOTHING,
    UNKNOWN,
    BodyView,
    GridView,
    PlacesView,
    PlaneView,
    ReceptacleView,
    WorldView,
)

ARROWS = {"up": "^", "down": "v", "left": "<", "right": ">", None: "@"}
GROUND = {"floor": ".", "wall": "#", "water": "~", "grass": ",", "path": ":", "sand": "-", "nothing": " "}
MOST_ROWS = 40
SPARE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=%&$!?"


def draw_world_text(facts: Facts, view: WorldView, width: int = 100) -> str:
    """Return a world as lines of at most ``width`` columns, ending with a newline.

    Args:
        facts: of the task that is played there.
        view: what is seen; what is not known is blank.
        width: columns, at least 60.
    """
    width = max(60, width)
    lines = [*_DRAWN[view.kind](facts, view, width), *_bodies(facts, view, width)]
    return "\n".join(pad(line, width).rstrip() for line in lines) + "\n"


def _grid(facts: Facts, view: GridView, width: int) -> list[str]:
    fixtures = characters(view.fixture_names, str.upper)
    things = characters(view.thing_names, str.lower)
    known = np.argwhere(view.fixtures != UNKNOWN)
    (first_row, first), (last_row, last) = known.min(axis=0).tolist(), known.max(axis=0).tolist()
    wide, high = min(last - first + 1, width // 2), min(last_row - first_row + 1, MOST_ROWS)
    seen = [b.at for b in view.bodies if b.at is not None] or [(view.width // 2, view.height // 2)]
    left = min(max(seen[0][0] - wide // 2, first), last + 1 - wide)
    top = min(max(seen[0][1] - high // 2, first_row), last_row + 1 - high)
    bodies = {b.at: f"{ARROWS[b.facing]}{a}"[:2] for a, b in enumerate(view.bodies) if b.at is not None}
    lines, used, lying = [], set(), set()
    for y in range(top, top + high):
        cells = []
        for x in range(left, left + wide):
            fixture, thing = int(view.fixtures[y, x]), int(view.things[y, x])
            used.add(fixture)
            lying.add(thing)
            if (x, y) in bodies:
                cells.append(bodies[x, y])
                continue
            ground = " " if fixture == UNKNOWN else fixtures[fixture]
            over = things[thing] if thing > NOTHING else "*" if (x, y) in view.busy else " "
            cells.append(ground + over)
        lines.append("".join(cells).rstrip())
    legend = [(fixtures[k], view.fixture_names[k]) for k in sorted(used - {UNKNOWN})]
    legend += [(things[k], view.thing_names[k]) for k in sorted(lying - {UNKNOWN, NOTHING})]
    if view.busy:
        legend.append(("*", "something runs here"))
    return [*lines, *_wrapped([f"{mark} {name}" for mark, name in legend], width)]


def _places(facts: Facts, view: PlacesView, width: int) -> list[str]:
    """Return a line for each location: its ways, its hours, what is there, what runs there."""
    wide = max((columns(name) for name in view.locations), default=1)
    lines = []
    for place, name in enumerate(view.locations):
        parts = []
        if place in view.locked:
            parts.append("locked")
        elif view.hours and view.hours[place]:
            parts.append("open " + ", ".join(f"{a}-{b}" for a, b in view.hours[place]))
        for site in view.receptacles:
            if site.place == place:
                parts.append(_receptacle(site, view))
        parts += [f"running: {facts.name(i)}" for i in view.busy.get(place, ()) if i >= 0]
        ways = ", ".join(
            f"{view.locations[b]} {ticks}" for b, ticks in enumerate(view.travel[place].tolist()) if ticks > 0
        )
        parts.append(f"ways: {ways}" if ways else "no ways")
        said = _wrapped(parts, width - wide - 2, "; ")
        lines += [pad(name if k == 0 else "", wide + 2) + line for k, line in enumerate(said)]
    return lines


def _receptacle(site: ReceptacleView, view: PlacesView) -> str:
    if site.things is None:
        return f"{site.name} (?)"
    inside = ", ".join(
        view.thing_names[code] if amount == 1 else f"{amount} {view.thing_names[code]}"
        for code, amount in site.things.items()
    )
    return f"{site.name} ({inside})" if inside else site.name


PLANE_ROWS = 24


def _plane(facts: Facts, view: PlaneView, width: int) -> list[str]:
    """Return the plane as a raster: bodies by number, clips C (full: c), the cable ~, obstacles #."""
    across, down = view.size
    high = min(PLANE_ROWS, max(6, round(width / 2 * down / across)))
    wide = min(width, round(high * 2 * across / down))
    cells = [[" "] * wide for _ in range(high)]

    def put(x: float, y: float, mark: str) -> None:
        column, row = int(x / across * wide), int(y / down * high)
        cells[min(max(row, 0), high - 1)][min(max(column, 0), wide - 1)] = mark

    for row in range(high):
        for column in range(wide):
            x, y = (column + 0.5) * across / wide, (row + 0.5) * down / high
            if any(_distance((x, y), *o.ends) <= o.radius for o in view.obstacles):
                cells[row][column] = "#"
    for points in (view.laid.tolist(), view.cable.tolist()):
        for (ax, ay), (bx, by) in itertools.pairwise(points):
            steps = max(1, round(4 * math.hypot(bx - ax, by - ay)))
            for k in range(steps + 1):
                put(ax + (bx - ax) * k / steps, ay + (by - ay) * k / steps, "~")
    for site in view.sites:
        put(*site.at, "o")
    for clip in view.clips:
        put(*clip.at, "c" if clip.filled else "C")
    for a, position in enumerate(view.positions.tolist()):
        put(position[0], position[1], str(a)[-1])
    edge = "+" + "-" * wide + "+"
    legend = "C clip   c clip with the cable   ~ cable   # obstacle   o place   0 body"
    return [edge, *("|" + "".join(row) + "|" for row in cells), edge, legend]


def _distance(point: Point, a: Point, b: Point) -> float:
    """Return how far a point is from the line between two others."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    t = 0.0 if length == 0 else ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / length
    t = min(max(t, 0.0), 1.0)
    return math.hypot(point[0] - a[0] - t * dx, point[1] - a[1] - t * dy)


def characters(names: Sequence[str], case: Callable[[str], str]) -> tuple[str, ...]:
    """Return one character for each name: its own for ground, else one of its letters that is free."""
    taken = set(GROUND.values()) | {"*", "@"}
    out = []
    for name in names:
        if name in GROUND:
            out.append(GROUND[name])
            continue
        free = [c for c in (case(c) for c in name if c.isascii() and c.isalnum()) if c not in taken]
        free += [c for c in (case(c) for c in SPARE) if c not in taken] or ["?"]
        out.append(free[0])
        taken.add(free[0])
    return tuple(out)


def _bodies(facts: Facts, view: WorldView, width: int) -> list[str]:
    names: Sequence[str] = getattr(view, "thing_names", ())
    return [f"{a} {_body(facts, a, body, view, names)}" for a, body in enumerate(view.bodies)]


def _body(facts: Facts, a: int, body: BodyView, view: WorldView, names: Sequence[str]) -> str:
    """Return a line on one body."""
    parts = [body.name, f"at {_place(body.at, view)}" if body.at is not None else "out of sight"]
    way = view.ways.get(a) if isinstance(view, PlacesView) else None
    if way is not None:
        origin, target = _place(way.origin, view), _place(way.target, view)
        parts = [body.name, f"on the way from {origin} to {target} until {way.arrives}"]
    agent = facts.agents[a] if a < len(facts.agents) else None
    if body.down:
        parts.append("is down")
    elif agent is not None and not agent.idle and (agent.attends or way is None):
        parts.append(agent.attends or "busy")
    if body.hand is not None and body.hand > NOTHING:
        parts.append(f"holds {names[body.hand] if names else 'the cable'}")
    owned = ", ".join(f"{amount} {name}" for name, amount in body.stock.items() if amount)
    parts += [f"owns {owned}"] if owned else []
    vitals = ", ".join(f"{name} {value}" for name, value in body.vitals.items())
    parts += [vitals] if vitals else []
    parts += [f"says {body.message}"] if body.message is not None else []
    return "; ".join(parts)


def _place(at: Any, view: WorldView) -> str:
    locations: Sequence[str] = getattr(view, "locations", ())
    if isinstance(at, int):
        return locations[at] if 0 <= at < len(locations) else str(at)
    return "(" + ", ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in at) + ")"


def _wrapped(entries: Iterable[str], width: int, between: str = "   ") -> list[str]:
    """Return entries side by side on as many lines as it takes."""
    lines = [""]
    for entry in entries:
        longer = f"{lines[-1]}{between}{entry}" if lines[-1] else entry
        if lines[-1] and columns(longer) > width:
            lines.append(entry)
        else:
            lines[-1] = longer
    return lines


_DRAWN: Mapping[str, Callable[[Facts, Any, int], list[str]]] = {
    "grid": _grid,
    "places": _places,
    "plane": _plane,
}
