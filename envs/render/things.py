"""How fixtures, things and bodies look: icons drawn from a table of shapes.

Owns the reading of ``things.yaml`` and the way from a name to its icon: by the whole
name, by its words ("chopped onion 2" is an onion with a mark), else a letter on a
coloured plate. So what a new domain names has a picture without code. Icons are
drawn large and shrunk smoothly, once for each name and size.
"""

from __future__ import annotations

import functools
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stratagym.envs.render.canvas import FINE, SMALL, Canvas, Point, pygame_module
from stratagym.envs.render.palette import GROUP_HUES, INK, WHITE, Colour, ink_on, mix

TABLE = Path(__file__).with_suffix(".yaml")
FULL = 100
"""Icons are described on a square of this many units."""

OUTLINE = 4
"""Width of an outline in the same units."""

BASE = "floor"
"""The ground where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Icon:
    """One entry of the table.

    Attributes:
        shapes: one line of words each.
        ground: colour of the whole cell, None for what leaves its surroundings visible.
        material: colour of ``material`` where the name tells none.
    """

    shapes: tuple[str, ...]
    ground: str | None = None
    material: str = "stone"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a word before a name changes: shapes laid over, and a colour mixed in by a share."""

    shapes: tuple[str, ...]
    tint: str | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Table:
    """The content of ``things.yaml``."""

    colours: Mapping[str, Colour]
    materials: Mapping[str, str]
    icons: Mapping[str, Icon]
    same: Mapping[str, str]
    marks: Mapping[str, Mark]
    containers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Look:
    """What a name looks like.

    Attributes:
        icon: name of an icon of the table, None for the letter on a plate.
        marks: names of marks laid over it.
        material: colour of the material that the name tells, None if it tells none.
        letters: what stands on the plate.
        hue: of the plate.
        content: icon of what is in it, None for nothing that is known.
    """

    icon: str | None
    marks: tuple[str, ...] = ()
    material: str | None = None
    letters: str = ""
    hue: Colour = WHITE
    content: str | None = None


@functools.cache
def table() -> Table:
    """Return the table, read once."""
    data = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    marks = {name: _mark(entry) for name, entry in data["marks"].items()}
    marks |= {name: marks[other] for name, other in data["same marks"].items()}
    return Table(
        colours={name: (int(r), int(g), int(b)) for name, (r, g, b) in data["colours"].items()},
        materials=data["materials"],
        icons={name: _icon(entry) for name, entry in data["icons"].items()},
        same=data["same"],
        marks=marks,
        containers=frozenset(data["containers"]),
    )


def _icon(entry: Any) -> Icon:
    if isinstance(entry, list):
        return Icon(tuple(entry))
    return Icon(tuple(entry["draw"]), entry.get("ground"), entry.get("material", "stone"))


def _mark(entry: Any) -> Mark:
    if isinstance(entry, list):
        return Mark(tuple(entry))
    return Mark(tuple(entry["draw"]), entry["tint"], entry["share"] / 100)


@functools.lru_cache(maxsize=4096)
def look_of(name: str) -> Look:
    """Return what a name looks like; every name looks like something."""
    words = _words(name)
    content: list[str] = []
    if "with" in words[1:-1]:
        at = words.index("with", 1)
        words, content = words[:at], words[at + 1 :]
    known = table()
    icon, marks = _search(words, known)
    if icon is None:
        return Look(None, marks, None, _letters(name), _hue(name))
    if icon in known.containers and not content and words[-1] in (icon, f"{icon}s"):
        content = words[:-1]
    inside = _search(content, known)[0] if content else None
    if inside is not None and content == words[:-1]:
        marks = ()  # they are said of what is in it
    material = next((known.materials[w] for w in words if w in known.materials), None)
    return Look(icon, marks, material, content=inside if inside != icon else None)


def _words(name: str) -> list[str]:
    """Return the words of a name in small letters, without numbers."""
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def _search(words: Sequence[str], known: Table) -> tuple[str | None, tuple[str, ...]]:
    """Return the icon for some words and the marks laid over it.

    The words are tried together, then without those that are marks, then each for itself from
    the last one on.
    """
    marks: list[str] = []
    left = list(words)
    while left:
        icon = _icon_named(left, known)
        if icon is not None:
            return icon, tuple(marks)
        if left[0] in known.marks:
            marks.append(left.pop(0))
        elif left[-1] in known.marks:
            marks.append(left.pop())
        else:
            break
    for word in (*reversed(left[-1:]), *left[:-1]):
        icon = _icon_named([word], known)
        if icon is not None:
            return icon, tuple(marks)
    return None, tuple(marks)


def _icon_named(words: Sequence[str], known: Table) -> str | None:
    """Return the icon of these words together, singular or plural."""
    whole = " ".join(words)
    for form in (whole, whole.removesuffix("s"), whole.removesuffix("es"), whole.removesuffix("ies") + "y"):
        found = known.same.get(form, form)
        if found in known.icons:
            return found
    return None


def _letters(name: str) -> str:
    """Return at most two letters that stand for a name, its number kept: "gizmo 12" is "G12"."""
    number = re.search(r"\d+$", name.strip())
    words = re.findall(r"[^\W\d_]+", name)
    initials = "".join(word[0].upper() for word in words[:2]) or "?"
    if len(words) == 1:
        initials = words[0][:2].capitalize()
    return (initials[:1] + number.group()[-2:]) if number else initials


def _hue(name: str) -> Colour:
    """Return the hue of a plate: the same for names that differ by their number only."""
    kind = re.sub(r"[\s_]*\d+$", "", name.strip()).lower()
    return GROUP_HUES[zlib.crc32(kind.encode()) % len(GROUP_HUES)]


def seems(name: str, look: str) -> str:
    """Return by which of two names something is drawn.

    Args:
        name: its own.
        look: what the scene says it looks like; it counts, unless the name says the same and more.
    """
    return name if look_of(name).icon == look_of(look).icon is not None else look


def stands(name: str) -> bool:
    """Return whether a fixture stands on the ground of its surroundings and has none of its own."""
    look = look_of(name)
    return look.icon is None or (look.icon != BASE and table().icons[look.icon].ground in (None, BASE))


@functools.lru_cache(maxsize=2048)
def icon(name: str, size: int) -> Canvas:
    """Return the icon of a name on a transparent square of ``size`` pixels, without its ground."""
    look, known = look_of(name), table()
    canvas = Canvas(size * FINE, size * FINE, None)
    if look.icon is None:
        _plate(canvas, look)
    else:
        entry = known.icons[look.icon]
        unit = canvas.width / FULL
        _draw(canvas, entry, 0.0, 0.0, unit, look.material or entry.material)
        if look.content is not None:
            inside = known.icons[look.content]
            _draw(canvas, inside, 24 * unit, 24 * unit, 0.52 * unit, inside.material)
    for name_of_mark in look.marks:
        mark = known.marks[name_of_mark]
        if mark.tint is not None:
            _tint(canvas, known.colours[mark.tint], mark.share)
        _draw(canvas, Icon(mark.shapes), 0.0, 0.0, canvas.width / FULL, "stone")
    return canvas.shrunk(FINE)


@functools.lru_cache(maxsize=2048)
def thing(name: str, size: int) -> Canvas:
    """Return what lies somewhere or is carried: the icon, on a patch of its ground if it has one."""
    look, known = look_of(name), table()
    ground = known.icons[look.icon].ground if look.icon is not None else None
    if ground in (None, BASE):
        return icon(name, size)
    s = size * FINE
    canvas = Canvas(s, s, None)
    colour = known.colours[ground]
    thick = max(1, round(s * OUTLINE / FULL))
    canvas.box(0, 0, s, s, colour, mix(colour, INK, 0.62), round(s * 0.2), thick)
    patch = canvas.shrunk(FINE)
    inner = round(size * 0.86)
    patch.paste(icon(name, inner), (size - inner) / 2, (size - inner) / 2)
    return patch


@functools.lru_cache(maxsize=1024)
def tile(name: str, size: int, base: str = BASE) -> Canvas:
    """Return a whole cell: a fixture's icon on its own ground, or on that of its surroundings.

    Args:
        name: of the fixture.
        size: of the cell in pixels.
        base: name of the fixture that is the ground of the surroundings.
    """
    known = table()
    if stands(name) and name != base:
        canvas = Canvas(size, size)
        canvas.paste(tile(base, size, base), 0, 0)
    else:
        look = look_of(name)
        ground = known.icons[look.icon].ground if look.icon is not None else None
        canvas = Canvas(size, size, known.colours[ground or BASE])
    canvas.paste(icon(name, size), 0, 0)
    return canvas


def _plate(canvas: Canvas, look: Look) -> None:
    """Draw letters on a rounded plate."""
    s = canvas.width
    thick = max(1, round(s * 0.04))
    canvas.box(
        s * 0.1, s * 0.14, s * 0.8, s * 0.72, look.hue, mix(look.hue, INK, 0.5), round(s * 0.16), thick
    )
    size = max(SMALL, round(s * (0.62 if len(look.letters) < 3 else 0.48)))
    canvas.text(s * 0.5, s * 0.52, look.letters, size, ink_on(look.hue), "c")


def _tint(canvas: Canvas, colour: Colour, share: float) -> None:
    """Mix a colour into everything drawn, without touching what is transparent."""
    pygame = pygame_module()
    keep, add = round(255 * (1 - share)), [round(c * share) for c in colour]
    canvas.surface.fill((keep, keep, keep, 255), special_flags=pygame.BLEND_RGBA_MULT)
    canvas.surface.fill((*add, 0), special_flags=pygame.BLEND_RGB_ADD)


def _draw(canvas: Canvas, entry: Icon, left: float, top: float, unit: float, material: str) -> None:
    """Draw the shapes of an icon at a place of a canvas, ``unit`` pixels for each of its units."""
    known = table()
    for shape in entry.shapes:
        kind, name, *rest = shape.split()
        if kind == "use":
            # The icon's name may be of several words; the last three are numbers.
            *more, x, y, size = rest
            other = known.icons[" ".join([name, *more])]
            inner = unit * float(size) / FULL
            _draw(canvas, other, left + float(x) * unit, top + float(y) * unit, inner, material)
            continue
        bare = name.removesuffix(".")
        fill = known.colours[material if bare == "material" else bare]
        edge = None if name.endswith(".") else mix(fill, INK, 0.62)
        numbers = [float(word) for word in rest]
        _SHAPES[kind](canvas, (left, top), unit, fill, edge, numbers)


def _box(
    canvas: Canvas, at: Point, unit: float, fill: Colour, edge: Colour | None, n: Sequence[float]
) -> None:
    x, y, w, h = at[0] + n[0] * unit, at[1] + n[1] * unit, n[2] * unit, n[3] * unit
    radius = round(n[4] * unit) if len(n) > 4 else 0
    canvas.box(x, y, w, h, fill, edge, radius, max(1, round(OUTLINE * unit)))


def _disc(
    canvas: Canvas, at: Point, unit: float, fill: Colour, edge: Colour | None, n: Sequence[float]
) -> None:
    r = n[2] * unit
    canvas.disc(at[0] + n[0] * unit, at[1] + n[1] * unit, r, fill, edge, max(1, round(OUTLINE * unit)))


def _oval(
    canvas: Canvas, at: Point, unit: float, fill: Colour, edge: Colour | None, n: Sequence[float]
) -> None:
    x, y, rx, ry = at[0] + n[0] * unit, at[1] + n[1] * unit, n[2] * unit, n[3] * unit
    round_by = [(x + rx * math.cos(k * math.pi / 24), y + ry * math.sin(k * math.pi / 24)) for k in range(48)]
    _filled(canvas, round_by, unit, fill, edge)


def _poly(
    canvas: Canvas, at: Point, unit: float, fill: Colour, edge: Colour | None, n: Sequence[float]
) -> None:
    _filled(canvas, _points(at, unit, n), unit, fill, edge)


def _line(
    canvas: Canvas, at: Point, unit: float, fill: Colour, edge: Colour | None, n: Sequence[float]
) -> None:
    points = _points(at, unit, n[1:])
    _stroked(canvas, points, n[0] * unit, fill, edge, unit)


def _arc(
    canvas: Canvas, at: Point, unit: float, fill: Colour, edge: Colour | None, n: Sequence[float]
) -> None:
    thick, x, y, r, first, last = n
    steps = max(8, round(abs(last - first) / 10))
    turns = [math.radians(first + (last - first) * k / steps) for k in range(steps + 1)]
    round_by = [(at[0] + (x + r * math.cos(a)) * unit, at[1] + (y + r * math.sin(a)) * unit) for a in turns]
    _stroked(canvas, round_by, thick * unit, fill, edge, unit)


_SHAPES = {"box": _box, "disc": _disc, "oval": _oval, "poly": _poly, "line": _line, "arc": _arc}


def _points(at: Point, unit: float, n: Sequence[float]) -> list[Point]:
    return [(at[0] + x * unit, at[1] + y * unit) for x, y in zip(n[::2], n[1::2], strict=True)]


def _filled(canvas: Canvas, points: list[Point], unit: float, fill: Colour, edge: Colour | None) -> None:
    canvas.polygon(points, fill)
    if edge is not None:
        canvas.stroke([*points, *points[:2]], edge, max(1.0, OUTLINE * unit))


def _stroked(
    canvas: Canvas, points: list[Point], thick: float, fill: Colour, edge: Colour | None, unit: float
) -> None:
    """Draw a thick line with round ends, within an outline if it has one."""
    if edge is not None:
        _capped(canvas, points, thick + 2 * OUTLINE * unit, edge)
    _capped(canvas, points, thick, fill)


def _capped(canvas: Canvas, points: list[Point], thick: float, colour: Colour) -> None:
    canvas.stroke(points, colour, thick)
    for point in (points[0], points[-1]):
        canvas.disc(*point, thick / 2, colour)
