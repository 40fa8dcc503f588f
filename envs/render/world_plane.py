"""A plane seen from above: a table, clips with their mouths, obstacles, the cable, bodies that are steered.

Owns the scale and the order of the layers. It reads a ``PlaneView`` and nothing else of
the world. Everything is drawn twice as large and shrunk smoothly, since little on a plane
lies level.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from stratagym.envs.render.canvas import TINY, Canvas, Point, text_height, text_width
from stratagym.envs.render.facts import Facts
from stratagym.envs.render.marks import Plates, body_hue, pie
from stratagym.envs.render.palette import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    SKY,
    VERMILLION,
    WHITE,
    Colour,
    ink_on,
    mix,
)
from stratagym.envs.worlds.view import ClipView, PlaneView

TWICE = 2
TABLE: Colour = (238, 234, 224)
LINES: Colour = (226, 221, 209)
JAW: Colour = (84, 92, 106)
POST: Colour = (132, 112, 96)
EDGE = 8
"""Pixels of the table's rim."""


def plane_canvas(facts: Facts, view: PlaneView, truth: PlaneView | None, width: int, height: int) -> Canvas:
    """Draw a plane.

    Args:
        facts: of the task; what a body is at work on stands beside it.
        view: what is seen.
        truth: the same without fog, None where there is none.
        width: most pixels.
        height: most pixels.

    Returns:
        A canvas of at most that size.
    """
    view = view if truth is None else truth
    scale = min((width - 2 * EDGE) / view.size[0], (height - 2 * EDGE) / view.size[1])
    size = (round(view.size[0] * scale) + 2 * EDGE, round(view.size[1] * scale) + 2 * EDGE)
    big = Canvas(size[0] * TWICE, size[1] * TWICE)
    big.paste(_table(size, view.size, scale), 0, 0)
    unit = scale * TWICE
    at = functools.partial(_at, unit=unit)
    for site in view.sites:
        x, y = at(site.at)
        big.dashed_stroke(_ring(x, y, site.radius * unit), BLUE, 3, 9, 7)
    for obstacle in view.obstacles:
        _post(big, at(obstacle.ends[0]), at(obstacle.ends[1]), obstacle.radius * unit)
    for clip in view.clips:
        _clip(big, clip, at(clip.at), unit, view.stuck == clip.name)
    _cable(big, [at(p) for p in view.laid.tolist()], [at(p) for p in view.cable.tolist()], unit)
    for clip in view.clips:
        _jaws(big, clip, at(clip.at), unit)
    for a, (position, velocity) in enumerate(
        zip(view.positions.tolist(), view.velocities.tolist(), strict=True)
    ):
        _gripper(big, a, at(position), (velocity[0] * unit, velocity[1] * unit), view.radii[a] * unit,
                 view.holder == a)  # fmt: skip
    canvas = big.shrunk(TWICE)
    _words(canvas, facts, view, scale)
    return canvas


def _at(point: Sequence[float], unit: float) -> Point:
    """Return a point of the plane in pixels of the large canvas."""
    return (point[0] * unit + EDGE * TWICE, point[1] * unit + EDGE * TWICE)


def _ring(x: float, y: float, r: float) -> list[Point]:
    return [(x + r * math.cos(k * math.tau / 48), y + r * math.sin(k * math.tau / 48)) for k in range(49)]


@functools.lru_cache(maxsize=8)
def _table(size: tuple[int, int], units: tuple[float, float], scale: float) -> Canvas:
    """Return the empty table with a line at every unit."""
    canvas = Canvas(size[0] * TWICE, size[1] * TWICE, mix(POST, INK, 0.25))
    rim = EDGE * TWICE
    canvas.box(rim, rim, canvas.width - 2 * rim, canvas.height - 2 * rim, TABLE)
    for k in range(1, math.ceil(units[0])):
        canvas.box(rim + k * scale * TWICE, rim, 2, canvas.height - 2 * rim, LINES)
    for k in range(1, math.ceil(units[1])):
        canvas.box(rim, rim + k * scale * TWICE, canvas.width - 2 * rim, 2, LINES)
    return canvas


def _post(canvas: Canvas, a: Point, b: Point, r: float) -> None:
    """Draw an obstacle: a post or a bar with round ends."""
    for grow, colour in ((0, mix(POST, INK, 0.55)), (-4, POST), (-0.55 * r, mix(POST, WHITE, 0.25))):
        if r + grow > 0:
            canvas.stroke([a, b], colour, 2 * (r + grow))
            canvas.disc(*a, r + grow, colour)
            canvas.disc(*b, r + grow, colour)


def _along(clip: ClipView) -> tuple[Point, Point]:
    """Return the directions along and across a clip's channel."""
    ux, uy = math.cos(clip.angle), math.sin(clip.angle)
    return (ux, uy), (-uy, ux)


def _clip(canvas: Canvas, clip: ClipView, at: Point, unit: float, stuck: bool) -> None:
    """Draw the foot of a clip, which way one passes it, and the lane that leads to its mouth."""
    (ux, uy), (vx, vy) = _along(clip)
    half, gap = clip.length * unit, clip.radius * unit
    mouth = (at[0] - ux * half, at[1] - uy * half)
    gate = (mouth[0] - ux * clip.lane * unit, mouth[1] - uy * clip.lane * unit)
    canvas.dashed_stroke([gate, mouth], mix(BLUE, WHITE, 0.2), 4, 10, 8)
    foot = VERMILLION if stuck else GREEN if clip.filled else SKY
    corners = [
        (at[0] + s * ux * half + t * vx * gap, at[1] + s * uy * half + t * vy * gap)
        for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    canvas.polygon(corners, mix(foot, WHITE, 0.35))
    for k in (-0.35, 0.25):
        tip = (at[0] + ux * half * (k + 0.35), at[1] + uy * half * (k + 0.35))
        wings = [
            (at[0] + ux * half * k + t * vx * gap * 0.6, at[1] + uy * half * k + t * vy * gap * 0.6)
            for t in (-1, 1)
        ]
        canvas.stroke([wings[0], tip, wings[1]], mix(foot, INK, 0.45), 4)


def _jaws(canvas: Canvas, clip: ClipView, at: Point, unit: float) -> None:
    """Draw the two jaws of a clip, over the cable between them; the mouth is wider than the exit."""
    (ux, uy), (vx, vy) = _along(clip)
    half, gap = clip.length * unit, clip.radius * unit
    thick = max(8.0, 0.16 * unit)
    for side in (-1, 1):
        mouth, exit_ = (
            (at[0] + s * ux * half + side * vx * gap, at[1] + s * uy * half + side * vy * gap)
            for s in (-1, 1)
        )
        flare = (mouth[0] + (side * vx - ux) * thick * 1.3, mouth[1] + (side * vy - uy) * thick * 1.3)
        colour = GREEN if clip.filled else JAW
        for width, ink in ((thick + 5, INK), (thick, colour)):
            _line(canvas, [flare, mouth, exit_], ink, width)


def _cable(canvas: Canvas, laid: list[Point], live: list[Point], unit: float) -> None:
    """Draw the cable from its drum: what is laid darker than the stretch that still moves."""
    thick = max(8.0, 0.13 * unit)
    whole = [*laid, *live]
    if not whole:
        return
    _line(canvas, whole, INK, thick + 5)
    if laid:
        _line(canvas, [*laid, *live[:1]], mix(ORANGE, INK, 0.28), thick)
    _line(canvas, live, ORANGE, thick)
    x, y = whole[0]
    for r, colour in ((0.42, INK), (0.36, mix(ORANGE, INK, 0.28)), (0.2, INK), (0.14, TABLE)):
        canvas.disc(x, y, r * unit, colour)
    end = whole[-1]
    canvas.disc(*end, thick * 0.95, INK)
    canvas.disc(*end, thick * 0.65, WHITE)


def _line(canvas: Canvas, points: list[Point], colour: Colour, thick: float) -> None:
    canvas.stroke(points, colour, thick)
    for p in points:
        canvas.disc(*p, thick / 2, colour)


def _gripper(canvas: Canvas, a: int, at: Point, velocity: Point, r: float, holds: bool) -> None:
    """Draw a body: a disc with its number, two fingers (shut while it holds), an arrow along its motion."""
    x, y = at
    hue = body_hue(a)
    dark = mix(hue, INK, 0.6)
    r = max(r, 22.0)
    speed = math.hypot(*velocity)
    ux, uy = (velocity[0] / speed, velocity[1] / speed) if speed > 0.5 else (0.0, -1.0)
    if speed > 0.5:
        tip = (x + ux * (r + 10 + 1.5 * speed), y + uy * (r + 10 + 1.5 * speed))
        canvas.stroke([(x, y), tip], dark, 6)
        side = (-uy * 11, ux * 11)
        canvas.polygon(
            [
                (tip[0] + ux * 16, tip[1] + uy * 16),
                (tip[0] + side[0], tip[1] + side[1]),
                (tip[0] - side[0], tip[1] - side[1]),
            ],
            dark,
        )
    spread = 0.42 if holds else 0.95
    for sign in (-1, 1):
        turn = math.atan2(uy, ux) + sign * spread
        knuckle = (x + 1.25 * r * math.cos(turn), y + 1.25 * r * math.sin(turn))
        nail = (
            knuckle[0] + 0.42 * r * math.cos(math.atan2(uy, ux) - sign * 0.25),
            knuckle[1] + 0.42 * r * math.sin(math.atan2(uy, ux) - sign * 0.25),
        )
        canvas.stroke([(x, y), knuckle, nail], dark, max(6.0, r * 0.26))
    canvas.disc(x, y, r, dark)
    canvas.disc(x, y, r * 0.9, WHITE)
    canvas.disc(x, y, r * 0.78, hue)
    canvas.text(x, y + 1, str(a), round(r * 1.3), ink_on(hue), "c")


def _words(canvas: Canvas, facts: Facts, view: PlaneView, scale: float) -> None:
    """Write the names of clips and sites, and beside each body what it is at work on."""

    def pixel(point: Sequence[float]) -> Point:
        return (point[0] * scale + EDGE, point[1] * scale + EDGE)

    taken = []
    for (x, y), r in zip(map(pixel, view.positions.tolist()), view.radii, strict=True):
        reach = max(r * scale, 11) + 4
        taken.append((x - reach, y - reach, x + reach, y + reach))
    plates = Plates(canvas.width, canvas.height, taken)
    for a, subtask in enumerate(view.runs):
        if 0 <= subtask < len(facts.graph.names):
            x, y = pixel(view.positions[a].tolist())
            words = facts.name(subtask)
            beside = max(view.radii[a] * scale, 11) + 18
            offset = text_width(words, TINY) / 2 + 8
            spots = [(x, y - beside), (x, y + beside), (x + beside + offset, y), (x - beside - offset, y)]
            plates.place(canvas, words, spots, mix(ORANGE, WHITE, 0.72))
            share = facts.shares[subtask]
            if share is not None:
                canvas.paste(pie(round(share * 24), 18), x + beside * 0.35, y - beside * 0.95)
    for name, at, r in (
        *((c.name, c.at, max(c.radius, c.length)) for c in view.clips),
        *((s.name, s.at, s.radius) for s in view.sites),
    ):
        x, y = pixel(at)
        away = r * scale + text_height(TINY) + 2
        wide = text_width(name, TINY) / 2 + r * scale + 8
        plates.place(canvas, name, [(x, y + away), (x, y - away), (x + wide, y), (x - wide, y)])
    if view.stuck is not None:
        clip = next(c for c in view.clips if c.name == view.stuck)
        x, y = pixel(clip.at)
        plates.place(canvas, "stuck", [(x, y - clip.radius * scale - 22)], VERMILLION)
