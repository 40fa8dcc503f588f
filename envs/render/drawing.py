"""The task graph as a picture: what needs what, and how far everything is.

Owns the look of nodes, arrows, glyphs and frames. What is drawn comes from
``diagram``, where it lies from ``placing``. All that does not change while an
episode runs is drawn once and kept.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from stratagym.envs.render.canvas import (
    BODY,
    FINE,
    SMALL,
    TINY,
    TITLE,
    Canvas,
    Image,
    Point,
    Swatch,
    along,
    broken,
    flow,
    flow_height,
    text_height,
    text_width,
    wrap,
)
from stratagym.envs.render.diagram import Diagram, Edge, diagram, duration_words
from stratagym.envs.render.icons import arrow_head, bar_head, star, status_icon
from stratagym.envs.render.palette import (
    FORBIDS,
    INK,
    ITEM,
    LAG,
    MUTED,
    NEEDS,
    PANEL,
    STATUS_STYLE,
    WHITE,
    Colour,
    contrast,
    mix,
)
from stratagym.envs.render.placing import Box, Placement, drawable, place
from stratagym.envs.task.graph import Subtask, TaskGraph

MARGIN = 14
STRIP = 17
"""Width of the coloured strip with the status icon."""


MOST_ITEMS_NAMED = 30
"""With more arrows for items than this they carry no names."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What stays the same over an episode."""

    diagram: Diagram
    placement: Placement
    canvas: Canvas
    tags: dict[int, tuple[str, ...]]


def draw_graph(
    graph: TaskGraph,
    status: Sequence[str],
    *,
    progress: Sequence[float | None] | None = None,
    title: str = "",
    width: int = 960,
    height: int = 600,
) -> Image:
    """Draw the task graph with the status of every subtask.

    Args:
        graph: the task.
        status: status word by subtask; ``"unknown"`` ones are left out.
        progress: done share 0..1 of a running subtask, None where not known.
        title: written at the top.
        width: of the picture in pixels.
        height: of the picture in pixels.

    Returns:
        ``[height, width, 3]`` uint8.
    """
    return graph_canvas(graph, status, progress=progress, title=title, width=width, height=height).array()


def graph_canvas(
    graph: TaskGraph,
    status: Sequence[str],
    *,
    progress: Sequence[float | None] | None = None,
    title: str = "",
    width: int = 960,
    height: int = 600,
    numbered: bool = False,
) -> Canvas:
    """Draw as ``draw_graph`` does, but return the canvas, with the numbers of the actions if asked for."""
    hidden = frozenset(i for i, s in enumerate(status) if s == "unknown")
    plan = _plan(graph, hidden, width, height, bool(title))
    canvas = Canvas(width, height)
    canvas.paste(plan.canvas, 0, 0)
    if title:
        canvas.text(MARGIN, 10, title, TITLE, INK, "nw", width - 2 * MARGIN)
    for node, box in zip(plan.diagram.nodes, plan.placement.boxes, strict=True):
        if node.kind != "subtask":
            continue
        i = node.subtask
        share = progress[i] if progress is not None and status[i] == "running" else None
        picture = _node(
            f"{i} {node.text}" if numbered else node.text,
            _facts(graph.subtasks[i]),
            plan.tags.get(i, ()),
            i in plan.diagram.wanted,
            status[i],
            None if share is None else round(min(max(share, 0.0), 1.0) * 24),
            round(box.w),
            round(box.h),
        )
        canvas.paste(picture, box.x - _RIM, box.y - _RIM)
    if not plan.diagram.nodes:
        canvas.text(width / 2, height / 2, "no subtask is known yet", BODY, MUTED, "c")
    return canvas


@functools.lru_cache(maxsize=8)
def _plan(graph: TaskGraph, hidden: frozenset[int], width: int, height: int, titled: bool) -> _Plan:
    shown = diagram(graph, hidden)
    canvas = Canvas(width, height)
    entries = _legend(canvas, shown, drawable(shown))
    legend = flow_height([words for _, words in entries], width - 2 * MARGIN)
    top = 44 if titled else MARGIN
    area = Box(MARGIN, top, max(20, width - 2 * MARGIN), max(20, height - top - legend - 16))
    placement = place(shown, area)
    _frames(canvas, shown, placement)
    _arrows(canvas, shown, placement)
    _glyphs(canvas, shown, placement)
    _labels(canvas, shown, placement)
    canvas.box(0, height - legend - 8, width, legend + 8, PANEL)
    flow(canvas, MARGIN, height - legend - 4, width - 2 * MARGIN, entries)
    return _Plan(shown, placement, canvas, _tags(shown, placement))


def _tags(shown: Diagram, placement: Placement) -> dict[int, tuple[str, ...]]:
    """Return the marks of subtasks, with a letter for alternatives that could not be framed together."""
    tags = dict(shown.tags)
    letters = iter("PQRSTUVWXYZ")
    for group, frame in zip(shown.groups, placement.groups, strict=True):
        if frame is None:
            letter = next(letters, "*")
            for k in group.members:
                i = shown.nodes[k].subtask
                tags[i] = (f"one of {letter}", *tags.get(i, ()))
    return tags


def _legend(canvas: Canvas, shown: Diagram, arrows: bool) -> list[tuple[Swatch, str]]:
    """Return what the colours, arrows and marks mean, as far as they occur."""

    def box(status: str) -> Swatch:
        return lambda x, y: canvas.paste(_swatch(status), x, y - 1)

    def line(edge: Edge) -> Swatch:
        return lambda x, y: canvas.paste(_line_swatch(edge), x, y)

    entries = [(box(status), style.words) for status, style in STATUS_STYLE.items()]
    if not arrows:
        entries.append((lambda x, y: None, "too many to draw what needs what"))
        return entries
    if any(not e.negative and not e.lag and e.needed for e in shown.edges):
        entries.append((line(Edge(0, 1)), "needs"))
    if any(e.negative for e in shown.edges):
        entries.append((line(Edge(0, 1, negative=True)), "only while not done"))
    if any(e.lag and not e.from_start for e in shown.edges):
        entries.append((line(Edge(0, 1, lag="x")), "ticks after its end"))
    if any(e.lag and e.from_start for e in shown.edges):
        entries.append((line(Edge(0, 1, lag="x", from_start=True)), "ticks after its start"))
    if any(not e.needed for e in shown.edges):
        entries.append((line(Edge(0, 1, needed=False)), "makes items for"))
    if shown.wanted or any(node.kind == "goal" for node in shown.nodes):
        entries.append((lambda x, y: canvas.paste(star(16), x + 2, y - 2), "goal"))
    return entries


@functools.cache
def _swatch(status: str) -> Canvas:
    canvas = Canvas(21, 14, PANEL)
    style = STATUS_STYLE[status]
    canvas.box(0, 0, 21, 14, style.fill, style.edge, radius=3)
    canvas.box(0, 0, 14, 14, style.edge, radius=3)
    canvas.paste(status_icon(status, 10, _icon_ink(style.edge)), 2, 2)
    return canvas


@functools.cache
def _line_swatch(edge: Edge) -> Canvas:
    canvas = Canvas(22 * FINE, 12 * FINE, PANEL)
    _arrow(canvas, [(0.0, 18.0), (22.0 * FINE - 2, 18.0)], edge)
    return canvas.shrunk(FINE)


def _icon_ink(background: Colour) -> Colour:
    return WHITE if contrast(WHITE, background) >= 2.2 else INK


def _frames(canvas: Canvas, shown: Diagram, placement: Placement) -> None:
    """Draw the frames around alternatives, with what they mean on top."""
    for group, frame in zip(shown.groups, placement.groups, strict=True):
        if frame is None:
            continue
        canvas.box(frame.x, frame.y, frame.w, frame.h, (250, 246, 236), radius=7)
        for a, b in _sides(frame):
            canvas.line((a, b), (176, 150, 96), 1, (4, 3))
        canvas.text(frame.x + 13, frame.y + 3, group.title, TINY, (110, 84, 30), "nw", int(frame.w) - 16)


def _sides(frame: Box) -> list[tuple[Point, Point]]:
    a, b = (frame.x, frame.y), (frame.x + frame.w, frame.y)
    c, d = (frame.x + frame.w, frame.y + frame.h), (frame.x, frame.y + frame.h)
    return [(a, b), (b, c), (c, d), (d, a)]


def _arrow(fine: Canvas, points: list[Point], edge: Edge, pale: float = 0.0) -> None:
    """Draw one arrow in its style, in fine pixels; ``pale`` (0..1) where there are many."""
    head = 8.5 * FINE
    if edge.negative:
        fine.dashed_stroke(points, FORBIDS, 1.7 * FINE, 5 * FINE, 3.5 * FINE)
        bar_head(fine, points, head, FORBIDS)
        return
    colour = LAG if edge.lag else mix(NEEDS if edge.needed else ITEM, WHITE, pale)
    if edge.from_start or not edge.needed:
        fine.dashed_stroke(
            points, colour, 1.6 * FINE, *((2 * FINE, 2.5 * FINE) if edge.needed else (7 * FINE, 3 * FINE))
        )
    else:
        fine.stroke(points, colour, (1.7 if edge.lag else 1.3) * FINE)
    arrow_head(fine, points, head, colour)


def _arrows(canvas: Canvas, shown: Diagram, placement: Placement) -> None:
    if placement.mosaic:
        return
    fine = Canvas(canvas.width * FINE, canvas.height * FINE, None)
    pale = min(0.55, max(0.0, len(shown.edges) / 250 - 0.2))
    loud = sorted(
        zip(shown.edges, placement.paths, strict=True), key=lambda p: (bool(p[0].lag), p[0].negative)
    )
    for edge, path in loud:
        _arrow(fine, [(x * FINE, y * FINE) for x, y in path], edge, pale)
    canvas.paste(fine.shrunk(FINE), 0, 0)


def _glyphs(canvas: Canvas, shown: Diagram, placement: Placement) -> None:
    """Draw the gates and the goal."""
    for node, box in zip(shown.nodes, placement.boxes, strict=True):
        if node.glyph and placement.mosaic:
            continue
        if node.kind == "item":
            canvas.box(box.x, box.y, box.w, box.h, WHITE, ITEM, radius=3)
            canvas.text(*box.centre, node.text, TINY, ITEM, "c", int(box.w) - 4)
        elif node.kind == "gate":
            dark = FORBIDS if node.text == "never" else NEEDS
            canvas.box(box.x, box.y, box.w, box.h, WHITE, dark, radius=round(box.h / 2), thick=2)
            canvas.text(*box.centre, node.text, TINY, INK, "c")
        elif node.kind == "goal":
            canvas.box(box.x, box.y, box.w, box.h, WHITE, INK, radius=5, thick=2)
            if box.w >= 60 and box.h >= 16:
                canvas.paste(star(18), box.x + box.w / 2 - 32, box.y + box.h / 2 - 9)
                canvas.text(box.x + box.w / 2 + 8, box.y + box.h / 2 + 1, "goal", BODY, INK, "c")
            else:
                canvas.paste(star(12), box.x + box.w / 2 - 6, box.y + box.h / 2 - 6)


def _labels(canvas: Canvas, shown: Diagram, placement: Placement) -> None:
    """Write lags and items on plates on their arrows, where they cover no box and no other plate."""
    if placement.mosaic:
        return
    taken = list(placement.boxes)
    many = sum(bool(e.item) for e in shown.edges) > MOST_ITEMS_NAMED
    for edge, path in zip(shown.edges, placement.paths, strict=True):
        words = edge.lag if many else edge.words
        if not words:
            continue
        w, h = text_width(words, TINY) + 8, text_height(TINY) + 4
        spots = []
        for share in (0.5, 0.6, 0.4, 0.7, 0.3, 0.8, 0.2, 0.9, 0.1):
            x, y = along(path, share)
            x = min(max(x, w / 2 + 1), canvas.width - w / 2 - 1)
            spots.append(Box(x - w / 2, y - h / 2, w, h))
        plate = min(spots, key=lambda s: sum(s.overlaps(t) for t in taken))
        if edge.lag or not any(plate.overlaps(t) for t in taken):
            taken.append(plate)
            canvas.chip(*plate.centre, words, WHITE, TINY, LAG if edge.lag else ITEM)


def _facts(subtask: Subtask) -> str:
    """Return duration, team and reward in a few characters."""
    words = duration_words(subtask)
    facts = [words if words == "world" else f"{words} ticks" if words != "1" else "1 tick"]
    if subtask.agents > 1:
        facts.append(f"{subtask.agents} agents")
    if subtask.reward:
        facts.append(f"{subtask.reward:+.4g}")
    return ", ".join(facts)


_RIM = 9
"""Room around a node's picture for its star and tags."""


@functools.lru_cache(maxsize=2048)
def _node(
    name: str,
    facts: str,
    tags: tuple[str, ...],
    wanted: bool,
    status: str,
    progress: int | None,
    w: int,
    h: int,
) -> Canvas:
    """Return the picture of one node with a rim around it; ``progress`` in 24ths."""
    style = STATUS_STYLE.get(status, STATUS_STYLE["locked"])
    canvas = Canvas(w + 2 * _RIM, h + 2 * _RIM, None)
    strip = w >= 84 and h >= 13
    canvas.paste(_plate(w, h, style.fill, style.edge, strip), _RIM, _RIM)
    ink = mix(INK, style.fill, 0.3) if status == "locked" else INK
    left = _RIM + 5
    if strip:
        size = min(13, h - 3)
        icon = status_icon(status, size, _icon_ink(style.edge))
        canvas.paste(icon, _RIM + STRIP / 2 - size / 2 + 0.5, _RIM + h / 2 - size / 2)
        left = _RIM + STRIP + 4
    room = _RIM + w - 4 - left
    if w >= 30 and h >= 12:
        _node_text(canvas, name, facts, left, room, h - (7 if progress is not None else 0), ink)
    elif min(w, h) >= 8:
        size = min(w, h) - 4
        canvas.paste(status_icon(status, size, style.edge), _RIM + w / 2 - size / 2, _RIM + h / 2 - size / 2)
    if not strip and w >= 30 and h >= 14:
        canvas.paste(_badge(status), _RIM - 9, _RIM - 8)
    if progress is not None and h >= 8:
        _progress(canvas, w, h, progress / 24)
    if wanted and min(w, h) >= 12:
        size = 15 if h >= 20 else 11
        canvas.paste(star(size), _RIM + w - size + 6, _RIM - 6)
    if tags and w >= 40 and h >= 20:
        words = " ".join(tags[:2]) + ("…" if len(tags) > 2 else "")
        wide = min(text_width(words, TINY) + 6, w)
        canvas.box(_RIM + w - wide - 2, _RIM + h - 6, wide, 13, (110, 84, 30), radius=4)
        canvas.text(_RIM + w - wide / 2 - 2, _RIM + h + 1, words, TINY, WHITE, "c", wide - 2)
    return canvas


@functools.cache
def _badge(status: str) -> Canvas:
    """Return the status as a small disc, for boxes too narrow for a strip."""
    style = STATUS_STYLE.get(status, STATUS_STYLE["locked"])
    fine = Canvas(13 * FINE, 13 * FINE, None)
    fine.disc(6.5 * FINE, 6.5 * FINE, 6.5 * FINE - 1, style.edge)
    canvas = fine.shrunk(FINE)
    canvas.paste(status_icon(status, 9, _icon_ink(style.edge)), 2, 2)
    return canvas


@functools.lru_cache(maxsize=128)
def _plate(w: int, h: int, fill: Colour, edge: Colour, strip: bool) -> Canvas:
    """Return the smooth background of a node."""
    fine = Canvas(w * FINE, h * FINE, None)
    radius = min(6, h // 3) * FINE
    fine.box(0, 0, w * FINE, h * FINE, edge, radius=radius)
    border = (2 if h >= 10 else 1) * FINE
    left = STRIP * FINE if strip else border
    inner = max(1, radius - border)
    fine.box(left, border, w * FINE - border - left, h * FINE - 2 * border, fill, radius=inner)
    if strip:
        fine.box(left, border, radius, h * FINE - 2 * border, fill)
    return fine.shrunk(FINE)


def _node_text(canvas: Canvas, name: str, facts: str, left: float, room: int, h: int, ink: Colour) -> None:
    """Write the name on as many lines as help, and the facts if there is room for them."""
    for size in (BODY, SMALL, TINY):
        line = text_height(size) + (size != TINY)
        most = max(1, min(3, (h - (2 if size == TINY else 4)) // line))
        if not broken(name, size, room, most):
            break
    lines = wrap(name, size, room, most)
    small = text_height(TINY) + 1
    with_facts = h - 6 >= len(lines) * line + small and text_width(facts, TINY) <= room
    total = len(lines) * line + (small if with_facts else 0)
    y = _RIM + (h - total) / 2 + 1
    for words in lines:
        canvas.text(left, y, words, size, ink, "nw", room)
        y += line
    if with_facts:
        canvas.text(left, y, facts, TINY, mix(MUTED, ink, 0.2), "nw")


def _progress(canvas: Canvas, w: int, h: int, share: float) -> None:
    thick = 4 if h >= 20 else 2
    left, y = _RIM + (STRIP + 3 if w >= 84 else 5), _RIM + h - thick - 4
    wide = _RIM + w - 6 - left
    canvas.box(left, y, wide, thick, WHITE)
    if share > 0:
        canvas.box(left, y, max(1.0, wide * share), thick, (122, 78, 0))
