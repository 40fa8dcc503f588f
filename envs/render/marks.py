"""Small marks of a world in motion: bodies, timers, speech, what is carried, plates with words.

Owns their look, so that every world shows them alike. Everything that is slanted or
round is drawn large and shrunk smoothly, once for each size.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

from stratagym.envs.render.canvas import (
    FINE,
    SMALL,
    TINY,
    Canvas,
    Point,
    fit,
    text_height,
    text_width,
)
from stratagym.envs.render.palette import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RULE,
    SKY,
    VERMILLION,
    WHITE,
    YELLOW,
    Colour,
    ink_on,
    mix,
)
from stratagym.envs.render.things import look_of, thing

BODY_HUES: tuple[Colour, ...] = (BLUE, YELLOW, VERMILLION, SKY, PURPLE, GREEN)
"""Colours of bodies, in the order of agents; each carries its number too."""

DIRECTIONS: dict[str, Point] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}

LOW = 3
"""Vitals up to this are shown as low."""

SHADE: Colour = (46, 52, 64)
"""What cannot be seen lies under this colour."""


def body_hue(agent: int) -> Colour:
    """Return the colour of an agent's body."""
    return BODY_HUES[agent % len(BODY_HUES)]


@functools.lru_cache(maxsize=512)
def body_mark(agent: int, size: int, facing: str | None, robot: bool = False, down: bool = False) -> Canvas:
    """Return a body with its number, pointing where it looks, on a transparent square of ``size`` pixels."""
    canvas = Canvas(size * FINE, size * FINE, None)
    s = size * FINE
    fill = (150, 154, 160) if down else body_hue(agent)
    edge = mix(fill, INK, 0.72)
    middle, r = s / 2, s * 0.34
    if facing is not None and not down:
        dx, dy = DIRECTIONS[facing]
        tip = (middle + dx * s * 0.5, middle + dy * s * 0.5)
        base = [
            (middle + dx * r * 0.62 - dy * r * 0.82, middle + dy * r * 0.62 + dx * r * 0.82),
            (middle + dx * r * 0.62 + dy * r * 0.82, middle + dy * r * 0.62 - dx * r * 0.82),
        ]
        canvas.polygon([tip, *base], edge)
    if robot:
        canvas.box(
            middle - r, middle - r, 2 * r, 2 * r, WHITE, edge, round(r * 0.35), max(1, round(s * 0.05))
        )
        canvas.box(middle - r * 0.8, middle - r * 0.8, 1.6 * r, 1.6 * r, fill, None, round(r * 0.25))
    else:
        canvas.disc(middle, middle, r * 1.08, edge)
        canvas.disc(middle, middle, r * 0.96, WHITE)
        canvas.disc(middle, middle, r * 0.84, fill)
    if down:
        a = r * 0.5
        canvas.stroke([(middle - a, middle - a), (middle + a, middle + a)], INK, s * 0.08)
        canvas.stroke([(middle + a, middle - a), (middle - a, middle + a)], INK, s * 0.08)
    else:
        canvas.text(middle, middle + s * 0.02, str(agent), round(s * 0.5), ink_on(fill), "c")
    return canvas.shrunk(FINE)


def is_robot(name: str) -> bool:
    """Return whether a body of this name is drawn as a machine."""
    return look_of(name).icon == "robot"


@functools.lru_cache(maxsize=512)
def carried(name: str, size: int) -> Canvas:
    """Return what a hand holds on a small white plate."""
    canvas = Canvas(size, size, None)
    canvas.box(0, 0, size, size, WHITE, INK, radius=max(2, size // 4))
    inner = max(4, size - 4)
    canvas.paste(thing(name, inner), (size - inner) / 2, (size - inner) / 2)
    return canvas


@functools.lru_cache(maxsize=1024)
def pie(share: int, size: int, colour: Colour = ORANGE) -> Canvas:
    """Return a disc of which ``share`` twenty-fourths are filled; -1: no share is known."""
    canvas = Canvas(size * FINE, size * FINE, None)
    s = size * FINE
    canvas.disc(s / 2, s / 2, s * 0.5, INK)
    canvas.disc(s / 2, s / 2, s * 0.42, WHITE)
    if share < 0:
        for k in range(3):
            canvas.disc(s * (0.28 + 0.22 * k), s / 2, s * 0.08, INK)
    elif share > 0:
        turns = [math.tau * k / 48 for k in range(2 * share + 1)]
        rim = [(s / 2 + s * 0.42 * math.sin(a), s / 2 - s * 0.42 * math.cos(a)) for a in turns]
        canvas.polygon([(s / 2, s / 2), *rim], colour)
    return canvas.shrunk(FINE)


@functools.lru_cache(maxsize=256)
def speech(words: str, size: int = SMALL) -> Canvas:
    """Return words in a speech bubble; its tail ends in the lower left corner."""
    w, h = text_width(words, size) + 12, text_height(size) + 6
    canvas = Canvas(w + 4, h + 7, None)
    canvas.polygon([(0, h + 6), (4, h - 5), (14, h - 3)], INK)
    canvas.box(2, 0, w, h, WHITE, INK, radius=7, thick=2)
    canvas.polygon([(3, h + 2), (6, h - 5), (12, h - 4)], WHITE)
    canvas.text(2 + w / 2, h / 2 + 1, words, size, INK, "c")
    return canvas


@functools.lru_cache(maxsize=64)
def shade(width: int, height: int, strength: int) -> Canvas:
    """Return a see-through dark box, ``strength`` 0..255."""
    canvas = Canvas(width, height, None)
    canvas.surface.fill((*SHADE, strength))
    return canvas


@functools.lru_cache(maxsize=16)
def unseen(size: int) -> Canvas:
    """Return the cell of which nothing is known."""
    canvas = Canvas(size, size, SHADE)
    light = mix(SHADE, WHITE, 0.09)
    canvas.line([(0, size), (size, 0)], light, max(1, size // 12))
    return canvas


VITAL = 36
"""Width of a vital's mark."""


def vital_mark(canvas: Canvas, x: float, y: float, name: str, value: int, most: int = 9) -> None:
    """Draw the icon of a vital, how much of it is left, and a bar below the number."""
    low = value <= LOW
    canvas.paste(thing(name, 17), x, y)
    canvas.text(x + 25, y + 6, str(value), TINY, VERMILLION_TEXT if low else INK, "c")
    canvas.box(x + 18, y + 13, 15, 4, WHITE, MUTED)
    canvas.box(x + 18, y + 13, max(2.0, 15 * min(value, most) / most), 4, VERMILLION if low else GREEN)


VERMILLION_TEXT: Colour = (168, 66, 0)


class Plates:
    """Words beside what happens on a map, so placed that none covers another."""

    def __init__(
        self, width: int, height: int, taken: Iterable[tuple[float, float, float, float]] = ()
    ) -> None:
        self.width, self.height = width, height
        self._taken = list(taken)

    def place(
        self, canvas: Canvas, words: str, anchors: Sequence[Point], fill: Colour = WHITE, widest: int = 150
    ) -> bool:
        """Write words on a plate centred at the first anchor that has room; return whether one had."""
        words = fit(words, TINY, widest)
        w, h = text_width(words, TINY) + 8, text_height(TINY) + 3
        for x, y in anchors:
            left = min(max(x - w / 2, 0), self.width - w)
            top = min(max(y - h / 2, 0), self.height - h)
            box = (left, top, left + w, top + h)
            if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in self._taken):
                continue
            self._taken.append(box)
            canvas.box(left, top, w, h, fill, RULE if fill == WHITE else mix(fill, INK, 0.5), radius=4)
            canvas.text(left + w / 2, top + h / 2 + 1, words, TINY, ink_on(fill), "c")
            return True
        return False
