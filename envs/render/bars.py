"""The bars of a Gantt chart: how a run looks, and where its name has room.

Owns one lane of bars with their labels. Which bars there are comes from
``chart``, where the lane lies from ``gantt``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from stratagym.envs.render.canvas import SMALL, TINY, Canvas, fit, text_width
from stratagym.envs.render.chart import Bar
from stratagym.envs.render.icons import status_icon
from stratagym.envs.render.palette import INK, VERMILLION, WHITE, Colour, ink_on, mix

CUT = 46
"""A name is cut to fit a bar at least this wide; narrower bars get a number."""

FAILED_MARK = 18
"""Width that the mark of a failure takes at the right end of a bar."""


@dataclass(frozen=True, slots=True)
class Label:
    """The words of one bar: inside it, beside it, or only the number of the subtask."""

    bar: Bar
    place: Literal["inside", "beside", "number"]
    x: float
    words: str


def bar_edges(bar: Bar, x: Callable[[float], float]) -> tuple[float, float]:
    """Return the left and right edge of a bar, its expected rest included, in pixels."""
    a = x(bar.start)
    return a, max(x(max(bar.end, bar.ghost or 0)), a + 3)


def place_labels(
    bars: Sequence[Bar], names: Sequence[str], x: Callable[[float], float], right: float
) -> list[Label]:
    """Return a label for each bar of a lane that has room for one, none overlapping another.

    Args:
        bars: from left to right.
        names: of the subtasks.
        x: from ticks to pixels.
        right: right end of the lane in pixels.
    """
    edges = [bar_edges(bar, x) for bar in bars]
    labels: list[Label] = []
    left_over: list[int] = []
    for k, (bar, (a, b)) in enumerate(zip(bars, edges, strict=True)):
        name = names[bar.run.subtask]
        if text_width(name, SMALL) + 6 <= _inside(bar, a, b):
            labels.append(Label(bar, "inside", a + 4, name))
        else:
            left_over.append(k)
    gap_from = [max(b for _, b in edges[: k + 1]) for k in range(len(edges))]
    for k in left_over:
        bar, (a, b) = bars[k], edges[k]
        name = names[bar.run.subtask]
        wide = text_width(name, SMALL) + 8
        after = edges[k + 1][0] if k + 1 < len(edges) else right
        if wide <= after - gap_from[k] and gap_from[k] == b:
            labels.append(Label(bar, "beside", b + 4, name))
            gap_from[k] = b + wide
        elif k and wide <= a - gap_from[k - 1]:
            labels.append(Label(bar, "beside", a - wide + 4, name))
            gap_from[k - 1] = a
        elif _inside(bar, a, b) >= CUT:
            labels.append(Label(bar, "inside", a + 4, fit(name, SMALL, int(_inside(bar, a, b)) - 6)))
        elif text_width(str(bar.run.subtask), TINY) + 2 <= b - a:
            labels.append(Label(bar, "number", (a + b) / 2, str(bar.run.subtask)))
    return labels


def _inside(bar: Bar, a: float, b: float) -> float:
    """Return the room for words within a bar."""
    if bar.end == bar.start and bar.ghost is None:
        return 0.0
    return b - a - (FAILED_MARK if bar.run.outcome == "failure" and b - a > 30 else 0)


def draw_bar(
    canvas: Canvas, bar: Bar, x: Callable[[float], float], y: float, h: float, colour: Colour, solid: bool
) -> None:
    """Draw one bar: solid if attended, else hatched; crossed out if it failed; dashed where it is to come."""
    a, b = x(bar.start), x(bar.end)
    failed = bar.run.outcome == "failure"
    dark = mix(colour, INK, 0.4)
    if bar.ghost is not None:
        end = x(bar.ghost)
        canvas.box(a, y, max(3, end - a), h, mix(colour, WHITE, 0.82))
        corners = [(a, y), (end - 1, y), (end - 1, y + h - 1), (a, y + h - 1)]
        canvas.line(corners, dark, 1, (3, 3))
    if bar.end == bar.start:
        if bar.dispatched:
            canvas.polygon([(a, y), (a + 7, y + h / 2), (a, y + h)], dark)
        return
    w = max(3.0, b - a - 1)
    body = colour if solid else mix(colour, WHITE, 0.62)
    canvas.box(a, y, w, h, mix(body, WHITE, 0.55) if failed else body)
    if not solid:
        canvas.hatch(a, y, w, h, mix(colour, WHITE, 0.25), 7)
    if failed:
        canvas.hatch(a, y, w, h, VERMILLION, 7, cross=True)
    canvas.box(a, y, w, h, None, VERMILLION if failed else dark, thick=2 if failed else 1)
    if bar.open:
        canvas.box(a + w - 1, y + 1, 2, h - 2, body)
    if failed and w > FAILED_MARK and h >= 12:
        canvas.box(b - 17, y + h / 2 - 7, 14, 14, WHITE, VERMILLION, radius=3)
        canvas.paste(status_icon("failed", 10, VERMILLION), b - 15, y + h / 2 - 5)


def draw_label(canvas: Canvas, label: Label, middle: float, colour: Colour, solid: bool) -> None:
    """Write one label, on a plate where hatching would make it hard to read."""
    bar, size = label.bar, TINY if label.place == "number" else SMALL
    failed = bar.run.outcome == "failure"
    wide = text_width(label.words, size)
    plain = solid and not failed and bar.ghost is None
    ink = ink_on(colour) if plain and label.place != "beside" else INK
    left = label.x - wide / 2 if label.place == "number" else label.x
    if label.place != "beside" and not plain and not (solid and not failed):
        pale = WHITE if failed else mix(colour, WHITE, 0.62)
        canvas.box(left - 2, middle - 6, wide + 4, 11, pale)
    if label.place == "beside":
        canvas.box(left - 1, middle - 6, wide + 2, 11, WHITE)
    canvas.text(left, middle, label.words, size, ink, "w")
