"""The whole picture of an environment with a world: the place, who is in it, and what is to do.

Owns how the parts share the picture: a title line, the world itself, a line for each
body, the subtasks as a row of plates, the latest events; and at the side, if asked for,
the task graph and the Gantt chart. Each kind of world is drawn by its own module.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from stratagym.envs.render.canvas import BODY, SMALL, TINY, TITLE, Canvas, Image, fit, text_width
from stratagym.envs.render.drawing import graph_canvas
from stratagym.envs.render.events import event_words
from stratagym.envs.render.facts import Facts
from stratagym.envs.render.gantt import gantt_canvas, usual_height
from stratagym.envs.render.icons import status_icon
from stratagym.envs.render.marks import VITAL, body_mark, carried, is_robot, speech, vital_mark
from stratagym.envs.render.palette import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    PANEL,
    RULE,
    STATUS_STYLE,
    VERMILLION,
    WHITE,
    mix,
)
from stratagym.envs.render.scene import EVENT_INK
from stratagym.envs.render.things import thing
from stratagym.envs.render.world_grid import grid_canvas
from stratagym.envs.render.world_places import places_canvas
from stratagym.envs.render.world_plane import plane_canvas
from stratagym.envs.worlds.view import NOTHING, BodyView, WorldView

SIZE = 640
"""Width and height of a picture without its side panel, in pixels."""

SIDE = 520
"""Width of the side panel."""

TOP, LINE, STOCK, FOOT = 38, 30, 26, 22
"""Heights of the title line, of one line of a body, of the common stock and of the events."""

EVENT_LINE = 18
MOST_ROWS = 3
MOST_PLATES = 5
"""Most rows of bodies and of subtasks."""

Drawer = Callable[[Facts, Any, Any, int, int], Canvas]
DRAWERS: Mapping[str, Drawer] = {"grid": grid_canvas, "places": places_canvas, "plane": plane_canvas}
"""Kind of world -> what draws it into at most (width, height) pixels."""


def draw_world(
    facts: Facts, view: WorldView, truth: WorldView | None = None, *, panel: bool = False, size: int = SIZE
) -> Image:
    """Draw an environment with a world.

    Args:
        facts: of the task.
        view: what is seen of the world.
        truth: the world without fog, drawn dark where nobody sees it; None to leave that blank.
        panel: whether the task graph and the Gantt chart stand beside it.
        size: width and height of the picture without the panel, in pixels.

    Returns:
        ``[size, size, 3]`` uint8, ``SIDE`` pixels wider with the panel.
    """
    canvas = Canvas(size + (SIDE if panel else 0), size, WHITE)
    _title(canvas, facts, size)
    bodies = (view if truth is None else truth).bodies
    crew = _Crew.of(bodies)
    stock = STOCK if facts.stock and not any(body.stock for body in bodies) else 0
    plates = min(MOST_PLATES, _rows_of(facts.graph.names, size - 16)) * CHIP + 8
    most = size - TOP - crew.height - stock - plates - FOOT - 3
    place = DRAWERS[view.kind](facts, view, truth, size, most)
    canvas.box(0, TOP, size, place.height, PANEL)
    canvas.paste(place, (size - place.width) // 2, TOP)
    y = TOP + place.height
    canvas.box(0, y, size, 1, RULE)
    _team(canvas, facts, view if truth is None else truth, y + 1, size, crew)
    y += 1 + crew.height
    if stock:
        canvas.box(0, y, size, 1, RULE)
        _stock(canvas, facts.stock, y + 1, size)
        y += stock
    canvas.box(0, y, size, 1, RULE)
    _subtasks(canvas, facts, 8, y + 6, size - 16, plates - 2)
    _events(canvas, facts, y + plates + 2, size, size)
    if panel:
        canvas.paste(_panel(facts, SIDE, size), size, 0)
        canvas.box(size, 0, 1, size, RULE)
    return canvas.array()


def _title(canvas: Canvas, facts: Facts, width: int) -> None:
    """Write what is played, how far it is, how it stands, and the clock."""
    graph = facts.graph
    canvas.box(0, 0, width, TOP, PANEL)
    canvas.box(0, TOP - 1, width, 1, RULE)
    clock = f"time {facts.time}" + (f" of {graph.horizon}" if graph.horizon is not None else "")
    right = width - 10
    right -= canvas.text(right, TOP / 2, clock, BODY, INK, "e") + 14
    if graph.horizon:
        canvas.box(right - 60, TOP / 2 - 4, 60, 7, WHITE, RULE)
        canvas.box(right - 60, TOP / 2 - 4, 60 * min(1.0, facts.time / graph.horizon), 7, BLUE)
        right -= 74
    known = [s for s in facts.status if s != "unknown"]
    done = sum(s == "done" for s in known)
    words = f"{done} of {len(known)} done"
    if graph.goal is None and facts.reward is not None:
        words = f"reward {facts.reward:.4g}"
    if facts.note:
        good = facts.note in ("goal reached", "success")
        wide = text_width(facts.note, BODY) + 18
        canvas.box(right - wide, 7, wide, TOP - 15, GREEN if good else VERMILLION, radius=5)
        canvas.text(right - wide / 2, TOP / 2, facts.note, BODY, WHITE, "c")
        right -= wide + 12
    else:
        right -= canvas.text(right, TOP / 2, words, BODY, MUTED, "e") + 14
    canvas.text(10, TOP / 2 + 1, facts.title or graph.name, TITLE, INK, "w", max(40, right - 12))


class _Crew(NamedTuple):
    """How the bodies share their part of the picture."""

    rows: int
    columns: int
    lines: int

    @property
    def height(self) -> int:
        return self.rows * self.lines * LINE - (self.lines - 1) * self.rows * 6

    @classmethod
    def of(cls, bodies: Sequence[BodyView]) -> _Crew:
        """One below the other where they are few, else in two columns; two lines each if they own things."""
        if len(bodies) <= 2:
            return cls(len(bodies), 1, 1)
        rich = any(body.vitals or body.stock for body in bodies)
        return cls(min(MOST_ROWS, -(-len(bodies) // 2)), 2, 2 if rich else 1)


def _team(canvas: Canvas, facts: Facts, view: WorldView, top: float, width: int, crew: _Crew) -> None:
    """Write for each body: who, doing what, holding what, owning what, how well."""
    room, high = width // crew.columns, crew.height // max(1, crew.rows)
    names = getattr(view, "thing_names", ())
    looks = getattr(view, "thing_looks", names)
    most = crew.rows * crew.columns
    for a, body in enumerate(view.bodies[:most]):
        x, y = (a % crew.columns) * room, top + (a // crew.columns) * high
        _body(canvas, facts, a, body, names, looks, (x, y, room), crew.lines)
    if len(view.bodies) > most:
        canvas.text(width - 6, top + crew.height - 3, f"+{len(view.bodies) - most}", SMALL, MUTED, "se")


def _body(
    canvas: Canvas,
    facts: Facts,
    a: int,
    body: BodyView,
    names: Sequence[str],
    looks: Sequence[str],
    place: tuple[float, float, float],
    lines: int,
) -> None:
    x, y, room = place
    middle, right = y + LINE / 2, x + room - 8
    canvas.paste(body_mark(a, 28, None, is_robot(body.name), body.down), x + 4, y + 1)
    left = x + 36
    if lines == 1:
        right = _owned(canvas, body, left + 150, right, middle)
    else:
        _owned(canvas, body, left, right, middle + LINE - 7)
    if body.message is not None:
        bubble = speech(str(body.message), TINY)
        right -= bubble.width + 4
        canvas.paste(bubble, right, middle - bubble.height / 2)
    holds = None
    if body.hand is not None and body.hand > NOTHING:
        # On a plane there is one thing to hold.
        holds, seems = (names[body.hand], looks[body.hand]) if names else ("the cable", "rope")
        canvas.paste(carried(seems, 24), left, middle - 12)
        left += 28
    agent = facts.agents[a] if a < len(facts.agents) else None
    left += canvas.text(left, middle, body.name, SMALL, INK, "w", int(max(20, right - left - 40))) + 8
    words = f"holds {holds}" if holds is not None else ""
    if body.down:
        words = "is down"
    elif agent is not None and not agent.idle:
        words = agent.attends or "busy"
        if agent.free_at is not None and agent.free_at > facts.time:
            words += f" until {agent.free_at}"
    canvas.text(left, middle, words, SMALL, MUTED, "w", int(max(10, right - left - 4)))


def _owned(canvas: Canvas, body: BodyView, left: float, right: float, middle: float) -> float:
    """Draw vitals and stock from the right edge on; return how far to the left they reach."""
    for name, value in list(body.vitals.items())[::-1]:
        if right - VITAL < left:
            break
        right -= VITAL
        vital_mark(canvas, right, middle - 9, name, value)
    owned = [(name, amount) for name, amount in body.stock.items() if amount]
    while owned:
        wide = [24 + text_width(str(amount), TINY) for _, amount in owned]
        if left + sum(wide) <= right:
            break
        owned.pop()
    reach = at = right - sum(24 + text_width(str(amount), TINY) for _, amount in owned)
    for name, amount in owned:
        canvas.paste(thing(name, 18), at, middle - 9)
        canvas.text(at + 20, middle + 1, str(amount), TINY, INK, "w")
        at += 24 + text_width(str(amount), TINY)
    return reach


def _stock(canvas: Canvas, stock: Mapping[str, int], y: float, width: int) -> None:
    """Write what all own together."""
    middle = y + STOCK / 2 - 1
    left = 12 + canvas.text(10, middle + 1, "stock", SMALL, MUTED, "w") + 8
    entries = sorted(stock.items(), key=lambda entry: entry[1] == 0)
    for k, (name, amount) in enumerate(entries):
        words = f"{amount} {name}"
        wide = 22 + text_width(words, SMALL) + 12
        if left + wide > width - 60 and k < len(entries) - 1:
            canvas.text(left, middle + 1, f"and {len(entries) - k} more", SMALL, MUTED, "w")
            return
        canvas.paste(thing(name, 18), left, middle - 9)
        canvas.text(left + 22, middle + 1, words, SMALL, INK if amount else MUTED, "w")
        left += wide


@functools.lru_cache(maxsize=64)
def _rows_of(names: tuple[str, ...], width: int) -> int:
    """Return how many rows the plates of all subtasks take."""
    left, rows = 0, 1
    for name in names:
        wide = _plate_width(name)
        if left + wide > width and left:
            left, rows = 0, rows + 1
        left += wide + 6
    return rows


def _plate_width(name: str) -> int:
    return min(text_width(name, SMALL), 190) + 26


CHIP = 22
"""Height of a subtask's plate with the gap below it."""

FIRST = ("running", "eligible", "failed", "closed", "locked", "done")
"""Where not all plates fit, those of a status further back go first."""


def _subtasks(canvas: Canvas, facts: Facts, x: float, y: float, width: float, height: float) -> None:
    """Draw each subtask as a plate with its status, as many as fit; the rest is counted."""
    shown = [i for i, s in enumerate(facts.status) if s != "unknown"]
    rows = max(1, int(height // CHIP))
    kept = _fitting(tuple((i, facts.status[i], facts.name(i)) for i in shown), int(width), rows)
    for i, left, row, wide in kept:
        status = facts.status[i]
        picture = _chip(facts.name(i), status, wide)
        canvas.paste(picture, x + left, y + row * CHIP)
        share = facts.shares[i]
        if status == "running" and share is not None:
            canvas.box(x + left + 2, y + row * CHIP + 17, max(1.0, (wide - 4) * share), 2, INK)
    hidden = len(shown) - len(kept)
    if hidden:
        gone = {i for i, *_ in kept}
        rest = [facts.status[i] for i in shown if i not in gone]
        counts = [f"{rest.count(s)} {STATUS_STYLE[s].words}" for s in STATUS_STYLE if s in rest]
        canvas.text(x + width, y + rows * CHIP - 12, "and " + ", ".join(counts), SMALL, MUTED, "e")


@functools.lru_cache(maxsize=256)
def _fitting(
    entries: tuple[tuple[int, str, str], ...], width: int, rows: int
) -> tuple[tuple[int, int, int, int], ...]:
    """Return (subtask, left, row, width) of the plates that fit, in order of the subtasks."""
    by_need = sorted(entries, key=lambda e: (FIRST.index(e[1]), e[0]))
    for count in range(len(entries), 0, -1):
        chosen = sorted(by_need[:count])
        placed, left, row = [], 0, 0
        for i, _, name in chosen:
            wide = _plate_width(name)
            if left + wide > width and left:
                left, row = 0, row + 1
            placed.append((i, left, row, wide))
            left += wide + 6
        spare = 0 if count == len(entries) else 250
        if row < rows and (row < rows - 1 or left + spare <= width):
            return tuple(placed)
    return ()


@functools.lru_cache(maxsize=1024)
def _chip(name: str, status: str, width: int) -> Canvas:
    style = STATUS_STYLE[status]
    canvas = Canvas(width, 20, None)
    canvas.box(0, 0, width, 20, style.fill, style.edge, radius=5)
    canvas.paste(status_icon(status, 11, mix(style.edge, INK, 0.25)), 6, 4)
    canvas.text(21, 10, fit(name, SMALL, width - 26), SMALL, INK if status != "locked" else MUTED, "w")
    return canvas


def _events(canvas: Canvas, facts: Facts, top: float, bottom: float, width: int) -> None:
    """Write the latest events, the newest first, on as many lines as there is room for."""
    canvas.box(0, top, width, bottom - top, PANEL)
    canvas.box(0, top, width, 1, RULE)
    lines = max(1, int((bottom - top) // EVENT_LINE))
    columns = 1 if lines == 1 else 2
    left, middle = 10.0, top + FOOT / 2 + 1
    for k, event in enumerate(list(facts.events)[::-1][: 6 if lines == 1 else lines * columns]):
        kind, what = str(event.get("kind", "")), event_words(event)
        tick = f"{event.get('tick', '')}"
        right = width
        if lines > 1:
            left = 10.0 + (k // lines) * width / columns
            middle = top + FOOT / 2 + 1 + (k % lines) * EVENT_LINE
            right = round(left - 10 + width / columns)
        elif left > 10 and left + sum(text_width(t, SMALL) for t in (tick, kind, what)) + 26 > width:
            break
        left += canvas.text(left, middle, tick, SMALL, MUTED, "w") + 5
        left += canvas.text(left, middle, kind, SMALL, EVENT_INK.get(kind, MUTED), "w") + 5
        left += canvas.text(left, middle, what, SMALL, INK, "w", max(8, int(right - left - 6))) + 16


def _panel(facts: Facts, width: int, height: int) -> Canvas:
    """Draw the task graph above the Gantt chart."""
    chart = max(130, min(usual_height(facts.graph), round(height * 0.42)))
    canvas = Canvas(width, height)
    graph = graph_canvas(
        facts.graph, facts.status, progress=facts.shares, width=width, height=height - chart, numbered=False
    )
    canvas.paste(graph, 0, 0)
    schedule = gantt_canvas(
        facts.graph, facts.runs, time=facts.time, width=width, height=chart, hue="outcome", steady=True
    )
    canvas.paste(schedule, 0, height - chart)
    canvas.box(0, height - chart, width, 1, RULE)
    return canvas
