"""Drawing on a pygame surface without a display.

Owns text, boxes, hatching, lines and marks in pixel coordinates, and the way
from a surface to an array. It knows nothing of tasks. pygame (or pygame-ce, the
same module name) is imported on first use; only its bundled font is needed.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from stratagym.envs.render.palette import INK, PAPER, WHITE, Colour, mix

Image = np.ndarray[Any, np.dtype[np.uint8]]
Point = tuple[float, float]
Swatch = Callable[[float, float], object]
Anchor = Literal["nw", "n", "ne", "w", "c", "e", "sw", "s", "se"]

TINY, SMALL, BODY, TITLE = 15, 16, 18, 24
"""Font sizes; capitals are about half as many pixels high."""

FINE = 3
"""Slanted and round shapes are drawn this many times larger, then shrunk smoothly."""


@functools.cache
def pygame_module() -> Any:
    """Return pygame, imported without its greeting."""
    quiet = "PYGAME_HIDE_SUPPORT_PROMPT"
    chosen = quiet in os.environ
    os.environ.setdefault(quiet, "1")
    try:
        import pygame
    finally:
        if not chosen:
            del os.environ[quiet]
    return pygame


def _font(size: int) -> Any:
    """Return the bundled font, loaded anew: a font kept over somebody's ``pygame.quit`` would crash."""
    font = pygame_module().font
    if not font.get_init():
        font.init()
    return font.Font(None, size)


def _clean(string: str) -> str:
    """Replace what a font cannot draw on one line."""
    return "".join(c if c.isprintable() and ord(c) < 0x10000 else "?" for c in string)


@functools.lru_cache(maxsize=4096)
def _written(string: str, size: int, colour: Colour) -> Any:
    return _font(size).render(string, True, colour)


@functools.lru_cache(maxsize=8192)
def text_width(string: str, size: int) -> int:
    """Return the width of the text in pixels."""
    known = _advances(size)
    return sum(known[c] if c in known else _advance(c, size) for c in _clean(string))


@functools.lru_cache(maxsize=16)
def _advances(size: int) -> dict[str, int]:
    """Return the widths of the common characters."""
    common = "".join(map(chr, range(32, 127))) + "…≥≤×"
    return {c: m[4] for c, m in zip(common, _font(size).metrics(common), strict=True) if m is not None}


@functools.lru_cache(maxsize=4096)
def _advance(character: str, size: int) -> int:
    return int(_font(size).size(character)[0])


@functools.lru_cache(maxsize=64)
def text_height(size: int) -> int:
    """Return the height of a line of text in pixels."""
    return int(_font(size).get_height())


@functools.lru_cache(maxsize=8192)
def fit(string: str, size: int, width: int) -> str:
    """Return the text, cut with an ellipsis if it is wider than ``width`` pixels; "" if nothing fits."""
    if text_width(string, size) <= width:
        return string
    low, high = 0, len(string)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(string[:middle].rstrip() + "…", size) <= width:
            low = middle
        else:
            high = middle - 1
    return string[:low].rstrip() + "…" if low else ""


@functools.lru_cache(maxsize=8192)
def wrap(string: str, size: int, width: int, lines: int) -> tuple[str, ...]:
    """Return the text broken after spaces and slashes into at most ``lines`` lines, the last one cut."""
    pieces = re.findall(r"[^ /]*(?:/|[ ]+|$)", string)
    out: list[str] = []
    line = ""
    for k, piece in enumerate(pieces):
        if not line or text_width((line + piece).rstrip(), size) <= width:
            line += piece
            continue
        if len(out) == lines - 1:
            line = "".join([line, *pieces[k:]])
            break
        out.append(fit(line.rstrip(), size, width))
        line = piece
    return (*out, fit(line.rstrip(), size, width))


def broken(string: str, size: int, width: int, lines: int) -> bool:
    """Return whether ``wrap`` has to cut something off."""
    return any(part.endswith("…") or not part for part in wrap(string, size, width, lines))


class Canvas:
    """A surface to draw on, in pixels from the top left corner."""

    def __init__(self, width: int, height: int, background: Colour | None = PAPER) -> None:
        """Make a canvas of ``width`` x ``height`` pixels, transparent without a background."""
        pygame = pygame_module()
        self.width, self.height = max(1, width), max(1, height)
        if background is None:
            self.surface = pygame.Surface((self.width, self.height), pygame.SRCALPHA, 32)
            self.surface.fill((*WHITE, 0))
        else:
            self.surface = pygame.Surface((self.width, self.height), 0, 32)
            self.surface.fill(background)

    def array(self) -> Image:
        """Return a copy of the pixels, ``[height, width, 3]`` uint8."""
        data = pygame_module().image.tobytes(self.surface, "RGB")
        return np.frombuffer(data, np.uint8).reshape(self.height, self.width, 3).copy()

    def paste(self, other: Canvas, x: float, y: float) -> None:
        """Draw another canvas with its top left corner at ``(x, y)``."""
        self.surface.blit(other.surface, (round(x), round(y)))

    def shrunk(self, factor: int) -> Canvas:
        """Return the canvas ``factor`` times smaller, smoothed."""
        small = Canvas(self.width // factor, self.height // factor, None)
        small.surface = pygame_module().transform.smoothscale(self.surface, (small.width, small.height))
        return small

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        fill: Colour | None,
        edge: Colour | None = None,
        radius: int = 0,
        thick: int = 1,
    ) -> None:
        """Draw a box with an optional fill, edge and rounded corners."""
        draw = pygame_module().draw
        left, top = round(x), round(y)
        rect = (left, top, max(1, round(x + w) - left), max(1, round(y + h) - top))
        if fill is not None:
            draw.rect(self.surface, fill, rect, border_radius=radius)
        if edge is not None:
            draw.rect(self.surface, edge, rect, width=thick, border_radius=radius)

    def hatch(
        self, x: float, y: float, w: float, h: float, colour: Colour, gap: int = 6, cross: bool = False
    ) -> None:
        """Fill a box with slanted lines, ``gap`` pixels apart; crossed ones if asked for."""
        pygame = pygame_module()
        left, top = round(x), round(y)
        area = pygame.Rect(left, top, round(x + w) - left, round(y + h) - top)
        before = self.surface.get_clip()
        self.surface.set_clip(area.clip(before))
        for k in range(left - area.h - (left - area.h) % gap, area.right, gap):
            pygame.draw.line(self.surface, colour, (k, area.bottom), (k + area.h, top))
            if cross:
                pygame.draw.line(self.surface, colour, (k, top), (k + area.h, area.bottom))
        self.surface.set_clip(before)

    def line(
        self, points: Sequence[Point], colour: Colour, thick: int = 1, dash: tuple[float, float] | None = None
    ) -> None:
        """Draw a line through the points, dashed as (on, off) pixels if asked for."""
        draw = pygame_module().draw
        if dash is None:
            for a, b in itertools.pairwise(points):
                draw.line(self.surface, colour, _int(a), _int(b), thick)
            return
        for a, b in _dashes(points, *dash):
            draw.line(self.surface, colour, _int(a), _int(b), thick)

    def stroke(self, points: Sequence[Point], colour: Colour, thick: float) -> None:
        """Draw a line of any slope with an even thickness and round joints."""
        draw = pygame_module().draw
        for (ax, ay), (bx, by) in itertools.pairwise(points):
            length = math.hypot(bx - ax, by - ay)
            if length == 0:
                continue
            if ay == by:
                self.box(min(ax, bx), ay - thick / 2, length, round(thick), colour)
                continue
            nx, ny = (ay - by) / length * thick / 2, (bx - ax) / length * thick / 2
            draw.polygon(
                self.surface,
                colour,
                [(ax + nx, ay + ny), (bx + nx, by + ny), (bx - nx, by - ny), (ax - nx, ay - ny)],
            )
        if thick >= 3:
            for p in points[1:-1]:
                draw.circle(self.surface, colour, p, thick / 2)

    def dashed_stroke(
        self, points: Sequence[Point], colour: Colour, thick: float, on: float, off: float
    ) -> None:
        """Draw a dashed line of any slope with an even thickness."""
        for a, b in _dashes(points, on, off):
            self.stroke((a, b), colour, thick)

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        """Fill a polygon."""
        pygame_module().draw.polygon(self.surface, fill, points)

    def disc(
        self, x: float, y: float, r: float, fill: Colour | None, edge: Colour | None = None, thick: int = 1
    ) -> None:
        """Draw a disc with an optional fill and edge."""
        draw = pygame_module().draw
        if fill is not None:
            draw.circle(self.surface, fill, (x, y), r)
        if edge is not None:
            draw.circle(self.surface, edge, (x, y), r, thick)

    def text(
        self,
        x: float,
        y: float,
        string: str,
        size: int = SMALL,
        colour: Colour = INK,
        anchor: Anchor = "nw",
        width: int | None = None,
    ) -> int:
        """Write one line of text and return its width in pixels.

        Args:
            x: of the anchor.
            y: of the anchor.
            string: the text.
            size: font size.
            colour: of the text.
            anchor: which point of the text lies at ``(x, y)``.
            width: cut the text with an ellipsis beyond this many pixels.
        """
        string = _clean(string if width is None else fit(string, size, width))
        if not string:
            return 0
        image = _written(string, size, colour)
        w, h = image.get_width(), text_height(size)
        left = x if "w" in anchor else x - w if "e" in anchor else x - w / 2
        top = y if "n" in anchor else y - h if "s" in anchor else y - h / 2
        self.surface.blit(image, (round(left), round(top)))
        return int(w)

    def chip(
        self, x: float, y: float, string: str, fill: Colour, size: int = TINY, edge: Colour | None = None
    ) -> None:
        """Write text on a small filled plate centred at ``(x, y)``, kept inside the canvas."""
        w, h = text_width(string, size) + 8, text_height(size) + 4
        left = min(max(x - w / 2, 0), self.width - w)
        top = min(max(y - h / 2, 0), self.height - h)
        self.box(left, top, w, h, fill, edge or mix(fill, INK, 0.25), radius=4)
        dark = sum(fill) < 3 * 128
        self.text(left + w / 2, top + h / 2 + 1, string, size, WHITE if dark else INK, "c")


def flow(
    canvas: Canvas, x: float, y: float, width: float, entries: Sequence[tuple[Swatch, str]], size: int = SMALL
) -> float:
    """Write a legend that wraps like text and return its height in pixels.

    Args:
        canvas: to draw on.
        x: left edge.
        y: top edge.
        width: at which to wrap.
        entries: what draws a mark of 20 x 12 pixels at a position, and the words after it.
        size: font size of the words.
    """
    line = text_height(size) + 7
    for (left, top), (swatch, words) in zip(
        _flowing([w for _, w in entries], width, size), entries, strict=True
    ):
        swatch(x + left, y + top + line / 2 - 6)
        canvas.text(x + left + 26, y + top + line / 2 + 1, words, size, INK, "w", int(width) - 26)
    return flow_height([w for _, w in entries], width, size)


def flow_height(words: Sequence[str], width: float, size: int = SMALL) -> float:
    """Return the height that ``flow`` takes for entries with these words."""
    places = _flowing(words, width, size)
    return places[-1][1] + text_height(size) + 7 if places else 0.0


def _flowing(words: Sequence[str], width: float, size: int) -> list[Point]:
    """Return the top left corner of each entry of a legend."""
    left = top = 0.0
    out: list[Point] = []
    for word in words:
        wide = 26 + text_width(word, size) + 14
        if left + wide - 14 > width and left > 0:
            left, top = 0.0, top + text_height(size) + 7
        out.append((left, top))
        left += wide
    return out


def curve(
    start: Point, end: Point, bend: float, out: float = 1.0, into: float = 1.0, steps: int = 14
) -> list[Point]:
    """Return the points of a cubic curve that leaves and arrives horizontally.

    Args:
        start: first point.
        end: last point.
        bend: length of the two handles in pixels.
        out: direction in which it leaves, 1 to the right, -1 to the left.
        into: direction in which it travels on arrival.
        steps: number of pieces.
    """
    (x0, y0), (x3, y3) = start, end
    x1, x2 = x0 + out * bend, x3 - into * bend
    points = []
    for k in range(steps + 1):
        t = k / steps
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        points.append((a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y0 + c * y3 + d * y3))
    return points


def along(points: Sequence[Point], share: float) -> Point:
    """Return the point after ``share`` (0..1) of the length of a line."""
    lengths = [math.dist(a, b) for a, b in itertools.pairwise(points)]
    left = sum(lengths) * share
    for (a, b), length in zip(itertools.pairwise(points), lengths, strict=True):
        if left <= length and length > 0:
            t = left / length
            return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)
        left -= length
    return points[-1]


def _int(point: Point) -> tuple[int, int]:
    return (round(point[0]), round(point[1]))


def _dashes(points: Sequence[Point], on: float, off: float) -> list[tuple[Point, Point]]:
    """Cut a line into its dashes."""
    out: list[tuple[Point, Point]] = []
    position, drawing = 0.0, True
    for a, b in itertools.pairwise(points):
        length = math.dist(a, b)
        done = 0.0
        while done < length:
            step = min((on if drawing else off) - position, length - done)
            if drawing and length > 0:
                t, u = done / length, (done + step) / length
                out.append(
                    (
                        (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t),
                        (a[0] + (b[0] - a[0]) * u, a[1] + (b[1] - a[1]) * u),
                    )
                )
            done += step
            position += step
            if position >= (on if drawing else off) - 1e-9:
                position, drawing = 0.0, not drawing
    return out
