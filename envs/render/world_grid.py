"""A grid world as a map: fixtures, things, bodies, timers, fog.

Owns the camera (the whole map where it is legible, else what lies around the bodies)
and the order of the layers. It reads a ``GridView`` and nothing else of the world, so
every domain of this world has a picture without code of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stratagym.envs.render.canvas import TINY, Canvas, Point, fit, pygame_module, text_height, text_width
from stratagym.envs.render.facts import Facts
from stratagym.envs.render.marks import (
    DIRECTIONS,
    SHADE,
    Plates,
    body_hue,
    body_mark,
    carried,
    is_robot,
    pie,
    shade,
    speech,
    unseen,
)
from stratagym.envs.render.palette import INK, ORANGE, WHITE, mix
from stratagym.envs.render.things import BASE, look_of, seems, stands, table, thing, tile
from stratagym.envs.worlds.view import NOTHING, UNKNOWN, BodyView, Codes, GridView

LARGEST, SMALLEST = 84, 22
"""Most and fewest pixels of a cell; a map that would need smaller ones is shown in part."""

FAR = 14
"""Fewest pixels of a cell where bodies are far apart."""

APART = 24
"""Pixels of a cell where they are too far apart for that."""

LEAST_BODY = 24
"""A body is drawn at least as large, however small the cells are."""

AROUND = 5
"""Cells shown around the bodies at least."""

NAMED = 40
"""Stations carry their names where a cell has at least so many pixels."""

FEW = 3
"""Only fixtures that occur at most so often are named."""

FOG = 150
"""Darkness of what nobody sees at the moment, 0..255."""


@dataclass(frozen=True, slots=True)
class Camera:
    """What part of a map is shown: its first cell, how many, and their size in pixels."""

    x: int
    y: int
    columns: int
    rows: int
    cell: int

    def at(self, x: float, y: float) -> Point:
        """Return the upper left corner of a cell in pixels."""
        return ((x - self.x) * self.cell, (y - self.y) * self.cell)

    def shows(self, x: int, y: int) -> bool:
        """Return whether a cell is in the picture."""
        return self.x <= x < self.x + self.columns and self.y <= y < self.y + self.rows


def camera(view: GridView, width: int, height: int) -> Camera:
    """Return what is shown of a map in ``width`` x ``height`` pixels; the same for the same view."""
    whole = min(width // view.width, height // view.height, LARGEST)
    if whole >= SMALLEST:
        return Camera(0, 0, view.width, view.height, whole)
    seen = [b.at for b in view.bodies if b.at is not None] or [(view.width // 2, view.height // 2)]
    xs, ys = [x for x, _ in seen], [y for _, y in seen]
    wide, high = max(xs) - min(xs) + 1 + 2 * AROUND, max(ys) - min(ys) + 1 + 2 * AROUND
    fitting = min(width // wide, height // high)
    cell = next((c for c in (32, 28, 24, 20, 17, FAR) if c <= fitting), 0)
    if not cell:
        # Too far apart for one picture: legible again, around the body that has most others near it.
        cell = APART
        near_x, near_y = width // cell // 2 - 1, height // cell // 2 - 1
        x, y = max(
            seen, key=lambda at: sum(abs(a - at[0]) <= near_x and abs(b - at[1]) <= near_y for a, b in seen)
        )
        xs, ys = [x], [y]
    columns, rows = min(width // cell, view.width), min(height // cell, view.height)
    left = (min(xs) + max(xs) + 1 - columns) // 2
    top = (min(ys) + max(ys) + 1 - rows) // 2
    return Camera(
        min(max(left, 0), view.width - columns), min(max(top, 0), view.height - rows), columns, rows, cell
    )


def grid_canvas(facts: Facts, view: GridView, truth: GridView | None, width: int, height: int) -> Canvas:
    """Draw a map.

    Args:
        facts: of the task; what runs is shown at its station.
        view: what is seen.
        truth: the whole map, drawn dark where ``view`` knows nothing; None to leave that blank.
        width: most pixels.
        height: most pixels.

    Returns:
        A canvas of at most that size, cut to whole cells.
    """
    shown = camera(view, width, height)
    canvas = Canvas(shown.columns * shown.cell, shown.rows * shown.cell)
    full = view if truth is None else truth
    _ground(canvas, shown, full)
    _things(canvas, shown, full)
    if shown.cell >= NAMED:
        _names(canvas, shown, full)
    _fog(canvas, shown, view, full)
    _bodies(canvas, shown, full)
    _timers(canvas, shown, facts, full)
    _speech(canvas, shown, full)
    if shown.columns < view.width or shown.rows < view.height:
        _overview(canvas, shown, view, full)
    return canvas


def _ground(canvas: Canvas, shown: Camera, view: GridView) -> None:
    """Draw the fixtures, with the shadow that solid ones throw on the floor below them."""
    cell, blits, base = shown.cell, [], base_of(view)
    tiles = [
        tile(seems(name, look), cell, base).surface
        for name, look in zip(view.fixture_names, view.fixture_looks, strict=True)
    ]
    dark = shade(cell, max(2, cell // 9), 70).surface
    part = view.fixtures[shown.y : shown.y + shown.rows, shown.x : shown.x + shown.columns]
    walls = {
        k for k, name in enumerate(view.fixture_looks) if k in view.solid and look_of(name).icon == "wall"
    }
    for r, row in enumerate(part.tolist()):
        for c, code in enumerate(row):
            at = (c * cell, r * cell)
            blits.append((unseen(cell).surface if code == UNKNOWN else tiles[code], at))
            if r and code != UNKNOWN and code not in walls and int(part[r - 1, c]) in walls:
                blits.append((dark, at))
    canvas.surface.blits(blits, doreturn=False)


def base_of(view: GridView) -> str:
    """Return the commonest fixture with a ground of its own on which bodies can stand."""
    codes, counts = np.unique(view.fixtures, return_counts=True)
    common = [
        (count, -code)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
        if code != UNKNOWN and code not in view.solid and not stands(view.fixture_looks[code])
    ]
    return view.fixture_looks[-max(common)[1]] if common else BASE


def _things(canvas: Canvas, shown: Camera, view: GridView) -> None:
    part = view.things[shown.y : shown.y + shown.rows, shown.x : shown.x + shown.columns]
    here = {b.at for b in view.bodies}
    for r, c in np.argwhere(part > NOTHING).tolist():
        code, cell = int(part[r, c]), shown.cell
        on_top = int(view.fixtures[shown.y + r, shown.x + c]) in view.solid
        share = 0.62 if on_top else 1.0 if code in view.obstacles else 0.82
        size, margin = round(cell * share), (cell - round(cell * share)) / 2
        if (c + shown.x, r + shown.y) in here:  # the body stands in the lower right, see `_bodies`
            size, margin = round(cell * 0.62), 1
        canvas.paste(
            thing(seems(view.thing_names[code], view.thing_looks[code]), size),
            c * cell + margin,
            r * cell + margin,
        )


def _names(canvas: Canvas, shown: Camera, view: GridView) -> None:
    """Write the names of the stations and obstacles that there are few of."""
    cell, plates = shown.cell, Plates(canvas.width, canvas.height)
    layers = (
        (view.fixtures, view.fixture_names, view.fixture_looks, view.solid | view.holds | _used(view)),
        (view.things, view.thing_names, view.thing_looks, view.obstacles - view.portable),
    )
    for codes, names, looks, stations in layers:
        counts = Counter(codes.ravel().tolist())
        for y, x in np.argwhere(codes > UNKNOWN).tolist():
            code = int(codes[y, x])
            if code not in stations or counts[code] > FEW or look_of(looks[code]).icon in _PLAIN:
                continue
            left, top = shown.at(x, y)
            below = (left + cell / 2, top + cell - text_height(TINY) / 2)
            if not plates.place(canvas, names[code], [below], WHITE, round(cell * 2.3)):
                plates.place(canvas, _short(names[code], cell - 10), [below])


def _used(view: GridView) -> frozenset[int]:
    """Return the fixtures that a rule names."""
    return frozenset(k for rules in view.rules.values() for rule in rules for k in rule.at or ())


def _short(name: str, width: int) -> str:
    """Return a name that fits: as it is, as what it is the same as, without marks, one word, or cut."""
    plain = [word for word in name.split() if word not in table().marks] or name.split()
    for words in (name, table().same.get(name, name), " ".join(plain), plain[0], plain[-1]):
        if text_width(words, TINY) <= width:
            return words
    return fit(name, TINY, width)


_PLAIN = frozenset(("wall", "floor", "counter", "grass", "path", "sand", "water", "stone", "tree"))
"""Fixtures that need no name."""


def _fog(canvas: Canvas, shown: Camera, view: GridView, full: GridView) -> None:
    if full is view:
        return
    dark = shade(shown.cell, shown.cell, FOG).surface
    part = view.fixtures[shown.y : shown.y + shown.rows, shown.x : shown.x + shown.columns]
    hidden = np.argwhere(part == UNKNOWN).tolist()
    canvas.surface.blits([(dark, (c * shown.cell, r * shown.cell)) for r, c in hidden], doreturn=False)


def _bodies(canvas: Canvas, shown: Camera, view: GridView) -> None:
    cell = shown.cell
    for a, body in enumerate(view.bodies):
        if body.at is None or not shown.shows(*body.at):
            continue
        left, top = shown.at(*body.at)
        size = max(cell, LEAST_BODY)
        left, top = left - (size - cell) / 2, top - (size - cell) / 2
        if cell >= LEAST_BODY and _covers(view, body.at):
            size = round(cell * 0.66)
            left, top = left + cell - size, top + cell - size
        canvas.paste(body_mark(a, size, body.facing, is_robot(body.name), body.down), left, top)
        if body.hand is not None and body.hand > NOTHING:
            size = max(14, round(cell * 0.46))
            left, top = shown.at(*body.at)
            dx, dy = DIRECTIONS[body.facing or "down"]
            x = left + cell / 2 + (dx or 0.72) * cell * 0.42 - size / 2
            y = top + cell / 2 + (dy or 0.72) * cell * 0.42 - size / 2
            x, y = min(max(x, 0), canvas.width - size), min(max(y, 0), canvas.height - size)
            canvas.paste(carried(seems(view.thing_names[body.hand], view.thing_looks[body.hand]), size), x, y)


def _covers(view: GridView, at: tuple[int, int]) -> bool:
    """Return whether a body stands on something that it would hide."""
    if int(view.things[at[1], at[0]]) > NOTHING:
        return True
    fixture = int(view.fixtures[at[1], at[0]])
    here = view.reach == "here" and fixture > UNKNOWN
    return here and look_of(view.fixture_looks[fixture]).icon not in _PLAIN


def _timers(canvas: Canvas, shown: Camera, facts: Facts, view: GridView) -> None:
    """Draw a pie for each run under way at its cell, and what runs where there is room for words."""
    size = max(13, min(30, round(shown.cell * 0.42)))
    plates = Plates(canvas.width, canvas.height, _occupied(shown, view.bodies))
    for (x, y), subtask in sorted(view.busy.items()):
        if subtask < 0 or not shown.shows(x, y):
            continue
        left, top = shown.at(x, y)
        share = facts.shares[subtask] if subtask < len(facts.shares) else None
        canvas.paste(pie(-1 if share is None else round(share * 24), size), left + 1, top + 1)
        middle = left + shown.cell / 2
        anchors = [(middle, top - 8), (middle, top + shown.cell + 9), (middle, top + shown.cell * 0.8)]
        if y == shown.y:
            anchors = anchors[1:]
        plates.place(canvas, facts.name(subtask), anchors, mix(ORANGE, WHITE, 0.72))


def _occupied(shown: Camera, bodies: Sequence[BodyView]) -> list[tuple[float, float, float, float]]:
    """Return the boxes of bodies in pixels, which words must not cover."""
    boxes = []
    for body in bodies:
        if body.at is not None and shown.shows(*body.at):
            left, top = shown.at(*body.at)
            inset = shown.cell * 0.16
            boxes.append((left + inset, top + inset, left + shown.cell - inset, top + shown.cell - inset))
    return boxes


def _speech(canvas: Canvas, shown: Camera, view: GridView) -> None:
    for body in view.bodies:
        if body.message is not None and body.at is not None and shown.shows(*body.at):
            left, top = shown.at(*body.at)
            bubble = speech(str(body.message))
            x = min(left + shown.cell * 0.62, canvas.width - bubble.width)
            canvas.paste(bubble, x, max(0, top + shown.cell * 0.2 - bubble.height))


MAP = 132
"""Pixels of the longer side of the overview."""


def _overview(canvas: Canvas, shown: Camera, view: GridView, full: GridView) -> None:
    """Draw the whole map small in a corner away from the bodies, with a frame around what is shown."""
    unit = max(1, MAP // max(view.width, view.height))
    w, h = view.width * unit, view.height * unit
    at = [shown.at(*b.at) for b in view.bodies if b.at is not None]
    left_used = sum(x < w + 60 and y < h + 60 for x, y in at)
    right_used = sum(x > canvas.width - w - 90 and y < h + 60 for x, y in at)
    left = 6 if left_used < right_used else canvas.width - w - 6
    canvas.box(left - 2, 4, w + 4, h + 4, WHITE, INK)
    canvas.paste(_small_map(full, view.fixtures, unit), left, 6)
    canvas.box(
        left + shown.x * unit, 6 + shown.y * unit, shown.columns * unit, shown.rows * unit, None, WHITE
    )
    for a, body in enumerate(view.bodies):
        if body.at is not None:
            x, y = left + (body.at[0] + 0.5) * unit, 6 + (body.at[1] + 0.5) * unit
            canvas.disc(x, y, 4, body_hue(a), WHITE)
            canvas.disc(x, y, 5, None, INK)


def _small_map(full: GridView, seen: Codes, unit: int) -> Canvas:
    """Return a map with one patch of colour for each cell, darker where it is not seen."""
    base = base_of(full)
    hues = np.array([*(_mean_colour(name, base) for name in full.fixture_names), SHADE], np.float32)
    colours = hues[full.fixtures]  # -1 is the last one
    colours = np.where((seen == UNKNOWN)[..., None], colours * 0.6, colours).astype(np.uint8)
    big = np.repeat(np.repeat(colours, unit, axis=0), unit, axis=1)
    canvas = Canvas(big.shape[1], big.shape[0])
    data = np.ascontiguousarray(big).tobytes()
    canvas.surface.blit(pygame_module().image.frombuffer(data, (big.shape[1], big.shape[0]), "RGB"), (0, 0))
    return canvas


def _mean_colour(name: str, base: str) -> tuple[float, float, float]:
    """Return the colour of a fixture seen from far away."""
    pixels = tile(name, 16, base).array().reshape(-1, 3).mean(axis=0)
    return (float(pixels[0]), float(pixels[1]), float(pixels[2]))
