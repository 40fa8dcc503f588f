"""The legend of a Gantt chart: a small mark for everything that can occur in it.

Owns the marks and their words. Which of them a chart needs is decided by
``gantt``.
"""

from __future__ import annotations

from stratagym.envs.render.canvas import SMALL, Canvas, Point, Swatch
from stratagym.envs.render.palette import INK, LAG, MUTED, PURPLE, VERMILLION, WHITE, Colour, mix

GREY: Colour = (150, 157, 168)


def box(canvas: Canvas, fill: Colour, hatch: Colour | None = None, cross: bool = False) -> Swatch:
    """Return a filled box, hatched or crossed if asked for."""

    def draw(x: float, y: float) -> None:
        canvas.box(x, y, 20, 12, fill)
        if hatch is not None:
            canvas.hatch(x, y, 20, 12, hatch, 6, cross)
        canvas.box(x, y, 20, 12, None, hatch if cross and hatch else mix(fill, INK, 0.4))

    return draw


def failed(canvas: Canvas) -> Swatch:
    """Return the mark of a run that failed."""
    return box(canvas, mix(VERMILLION, WHITE, 0.7), VERMILLION, True)


def unattended(canvas: Canvas) -> Swatch:
    """Return the mark of a part that runs without an agent."""
    return box(canvas, mix(GREY, WHITE, 0.5), GREY)


def ghost(canvas: Canvas) -> Swatch:
    """Return the mark of the part of a run that is still to come."""

    def draw(x: float, y: float) -> None:
        canvas.box(x, y, 20, 12, (240, 240, 240))
        canvas.line([(x, y), (x + 19, y), (x + 19, y + 11), (x, y + 11), (x, y)], MUTED, 1, (3, 3))

    return draw


def dispatch(canvas: Canvas) -> Swatch:
    """Return the mark of a start that keeps no agent busy."""
    return lambda x, y: canvas.polygon([(x + 7, y), (x + 15, y + 6), (x + 7, y + 12)], MUTED)


def capacity(canvas: Canvas) -> Swatch:
    """Return the line of a capacity."""
    return lambda x, y: canvas.line([(x, y + 6), (x + 21, y + 6)], INK, 1, (6, 3))


def release(canvas: Canvas) -> Swatch:
    """Return the bracket of a release."""
    return lambda x, y: draw_release(canvas, x + 8, y, 12)


def deadline(canvas: Canvas) -> Swatch:
    """Return the bar of a deadline."""
    return lambda x, y: canvas.box(x + 9, y - 1, 4, 14, VERMILLION)


def due(canvas: Canvas) -> Swatch:
    """Return the diamond of a due date."""
    return lambda x, y: draw_due(canvas, x + 10, y + 6, 6)


def lag(canvas: Canvas) -> Swatch:
    """Return the window that a lag opens."""

    def draw(x: float, y: float) -> None:
        canvas.disc(x + 3, y + 6, 3, LAG)
        canvas.box(x + 8, y + 1, 12, 10, mix(LAG, WHITE, 0.78), LAG)

    return draw


def start(canvas: Canvas) -> Swatch:
    """Return the triangle of a start within a window."""
    return lambda x, y: draw_start(canvas, x + 10, y, 12, GREY)


def number(canvas: Canvas, value: int) -> Swatch:
    """Return the number that stands for a name."""
    return lambda x, y: canvas.text(x + 22, y + 7, str(value), SMALL, MUTED, "e")


def draw_release(canvas: Canvas, x: float, y: float, h: float) -> None:
    """Draw an opening bracket with its back at ``x``."""
    canvas.box(x, y, 2, h, INK)
    canvas.box(x, y, 6, 2, INK)
    canvas.box(x, y + h - 2, 6, 2, INK)


def draw_due(canvas: Canvas, x: float, y: float, r: float) -> None:
    """Draw a diamond around a point."""
    shape: list[Point] = [(x, y - r), (x + r, y), (x, y + r), (x - r, y)]
    canvas.polygon(shape, PURPLE)
    canvas.line([*shape, shape[0]], INK)


def draw_start(canvas: Canvas, x: float, y: float, h: float, colour: Colour) -> None:
    """Draw a triangle that points up at ``x``."""
    shape: list[Point] = [(x, y + 1), (x + 6, y + h - 1), (x - 6, y + h - 1)]
    canvas.polygon(shape, colour)
    canvas.line([*shape, shape[0]], INK)
