"""Small marks drawn as shapes, so that no picture depends on a font having them.

Owns the icon of each status, the goal's star and arrow heads, all drawn large
and shrunk smoothly.
"""

from __future__ import annotations

import functools
import math

from stratagym.envs.render.canvas import FINE, Canvas, Point
from stratagym.envs.render.palette import INK, YELLOW, Colour


@functools.lru_cache(maxsize=256)
def status_icon(status: str, size: int, colour: Colour) -> Canvas:
    """Return the icon of a status on a transparent square of ``size`` pixels."""
    canvas = Canvas(size * FINE, size * FINE, None)
    s = size * FINE

    def points(*pairs: tuple[float, float]) -> list[Point]:
        return [(x * s, y * s) for x, y in pairs]

    thick = 0.17 * s
    if status == "done":
        canvas.stroke(points((0.14, 0.52), (0.4, 0.78), (0.88, 0.22)), colour, thick)
    elif status == "running":
        canvas.polygon(points((0.2, 0.1), (0.9, 0.5), (0.2, 0.9)), colour)
    elif status == "eligible":
        canvas.disc(s / 2, s / 2, 0.4 * s, None, colour, round(0.16 * s))
    elif status == "failed":
        canvas.stroke(points((0.16, 0.16), (0.84, 0.84)), colour, thick)
        canvas.stroke(points((0.84, 0.16), (0.16, 0.84)), colour, thick)
    elif status == "closed":
        canvas.disc(s / 2, s / 2, 0.44 * s, None, colour, round(0.14 * s))
        canvas.stroke(points((0.5, 0.2), (0.5, 0.54), (0.74, 0.66)), colour, 0.12 * s)
    else:
        canvas.box(0.16 * s, 0.44 * s, 0.68 * s, 0.5 * s, colour, radius=round(0.08 * s))
        arch = [(0.5 + 0.22 * math.cos(a), 0.34 - 0.24 * math.sin(a)) for a in _half_turn()]
        canvas.stroke(points((0.72, 0.48), *arch, (0.28, 0.48)), colour, 0.11 * s)
    return canvas.shrunk(FINE)


def _half_turn() -> list[float]:
    return [math.pi * k / 10 for k in range(11)]


@functools.lru_cache(maxsize=16)
def star(size: int, fill: Colour = YELLOW, edge: Colour = INK) -> Canvas:
    """Return a five-pointed star on a transparent square of ``size`` pixels."""
    canvas = Canvas(size * FINE, size * FINE, None)
    s = size * FINE

    def outline(outer: float) -> list[Point]:
        return [
            (
                s / 2 + (outer if k % 2 == 0 else outer * 0.45) * s * math.sin(math.pi * k / 5),
                s * 0.53 - (outer if k % 2 == 0 else outer * 0.45) * s * math.cos(math.pi * k / 5),
            )
            for k in range(10)
        ]

    canvas.polygon(outline(0.52), edge)
    canvas.polygon(outline(0.36), fill)
    return canvas.shrunk(FINE)


def arrow_head(canvas: Canvas, points: list[Point], size: float, colour: Colour) -> None:
    """Draw an arrow head at the end of a line (in the canvas' own pixels)."""
    ux, uy = _direction(points, size)
    x, y = points[-1]
    bx, by = x - ux * size, y - uy * size
    half = size * 0.5
    canvas.polygon([(x, y), (bx - uy * half, by + ux * half), (bx + uy * half, by - ux * half)], colour)


def bar_head(canvas: Canvas, points: list[Point], size: float, colour: Colour) -> None:
    """Draw a bar across the end of a line: "this forbids that" (in the canvas' own pixels)."""
    ux, uy = _direction(points, size)
    x, y = points[-1][0] - ux * size * 0.3, points[-1][1] - uy * size * 0.3
    half = size * 0.62
    canvas.stroke([(x - uy * half, y + ux * half), (x + uy * half, y - ux * half)], colour, size * 0.36)


def _direction(points: list[Point], back: float) -> Point:
    """Return the unit vector in which a line arrives, judged over its last ``back`` pixels."""
    x, y = points[-1]
    for px, py in reversed(points[:-1]):
        length = math.hypot(x - px, y - py)
        if length >= back * 0.8:
            return ((x - px) / length, (y - py) / length)
    px, py = points[0]
    length = math.hypot(x - px, y - py) or 1.0
    return ((x - px) / length, (y - py) / length)
