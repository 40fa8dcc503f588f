"""A world as plain text: its map in characters, and a line for each body.

Owns the characters. A grid has two columns a cell: a body as an arrow and its number,
else the fixture and what lies on it. No colours and no cursor codes, so that it reads
the same in a log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stratagym.envs.render.facts import Facts
from stratagym.envs.render.text import columns, pad
from stratagym.envs.worlds.view import NOTHING, UNKNOWN, BodyView, GridView, WorldView

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
    agent = facts.agents[a] if a < len(facts.agents) else None
    if body.down:
        parts.append("is down")
    elif agent is not None and not agent.idle:
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


def _wrapped(entries: Iterable[str], width: int) -> list[str]:
    """Return entries side by side on as many lines as it takes."""
    lines = [""]
    for entry in entries:
        longer = f"{lines[-1]}   {entry}" if lines[-1] else entry
        if lines[-1] and columns(longer) > width:
            lines.append(entry)
        else:
            lines[-1] = longer
    return lines


_DRAWN: Mapping[str, Callable[[Facts, Any, int], list[str]]] = {"grid": _grid}
