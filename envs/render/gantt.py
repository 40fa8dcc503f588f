"""The Gantt chart: who did what when, what it used, and which windows it had to meet.

Owns the look of the rows, bars and markers. What is in them comes from
``chart``; where nothing fits, the least useful rows are left out and the chart
says how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from stratagym.envs.render import swatches
from stratagym.envs.render.bars import draw_bar, draw_label, place_labels
from stratagym.envs.render.canvas import (
    BODY,
    SMALL,
    TINY,
    TITLE,
    Canvas,
    Image,
    Swatch,
    fit,
    flow,
    flow_height,
    text_width,
)
from stratagym.envs.render.chart import (
    Bar,
    ResourceRow,
    RunBar,
    WindowRow,
    agent_rows,
    chart_span,
    hues,
    nice_step,
    resource_rows,
    unattended_lanes,
    window_rows,
)
from stratagym.envs.render.palette import (
    INK,
    LAG,
    MUTED,
    NOW,
    OUTCOME_HUE,
    PANEL,
    RULE,
    VERMILLION,
    WHITE,
    Colour,
    ink_on,
    mix,
)
from stratagym.envs.task.graph import TaskGraph

__all__ = ["RunBar", "draw_gantt", "gantt_canvas", "usual_height"]

HEIGHTS = {"head": 17, "agent": 26, "alone": 19, "resource": 34, "window": 18}
"""Natural height of each kind of row in pixels."""

PATIENCE = (
    ("window", 4),
    ("resource", 4),
    ("alone", 3),
    ("window", 2),
    ("resource", 2),
    ("alone", 1),
    ("window", 1),
    ("agent", 1),
)
"""Where room is short, rows of these kinds go first, down to so many."""

AXIS = 24
MOST_WINDOWS, MOST_LANES, MOST_KEYS = 10, 8, 24
NATURAL = 1100
"""A chart without a given height grows to at most this many pixels."""

Row = tuple[str, str, object]
"""Kind, label, content."""


def draw_gantt(
    graph: TaskGraph,
    runs: Sequence[RunBar],
    *,
    time: int,
    title: str = "",
    width: int = 960,
    height: int | None = None,
    hue: Literal["group", "outcome"] = "group",
    steady: bool = False,
) -> Image:
    """Draw a schedule: agents, what runs without them, resources, windows and lags over time.

    Args:
        graph: the task.
        runs: what ran, in any order.
        time: the present tick.
        title: written at the top.
        width: of the picture in pixels.
        height: of the picture in pixels; as high as needed if left out.
        hue: colour by group of subtasks, or by how the run ended.
        steady: let the time axis grow in large steps only (for animations).

    Returns:
        ``[height, width, 3]`` uint8.
    """
    return gantt_canvas(
        graph, runs, time=time, title=title, width=width, height=height, hue=hue, steady=steady
    ).array()


def gantt_canvas(
    graph: TaskGraph,
    runs: Sequence[RunBar],
    *,
    time: int,
    title: str = "",
    width: int = 960,
    height: int | None = None,
    hue: Literal["group", "outcome"] = "group",
    steady: bool = False,
) -> Canvas:
    """Draw as ``draw_gantt`` does, but return the canvas."""
    chart = _Chart(graph, runs, time, width, hue, chart_span(graph, runs, time, steady))
    return chart.draw(title, height)


def _rows(graph: TaskGraph, runs: Sequence[RunBar], time: int) -> list[Row]:
    """Return all rows from top to bottom."""
    rows: list[Row] = [("head", "agents", None)]
    for agent, bars in zip(graph.agents, agent_rows(graph, runs, time), strict=True):
        rows.append(("agent", agent.name, bars))
    if any(s.attended is not None and s.attended < (s.duration.longest or 2) for s in graph.subtasks):
        rows.append(("head", "running unattended", None))
        rows += [("alone", "", lane) for lane in unattended_lanes(graph, runs, time)[:MOST_LANES] or [[]]]
    if graph.resources:
        rows.append(("head", "resources (use and capacity)", None))
        rows += [("resource", r.name, r) for r in resource_rows(graph, runs, time)]
    windows = window_rows(graph, runs, time)
    if windows:
        more = len(windows) - MOST_WINDOWS
        rows.append(("head", "time windows" + (f" ({more} more not shown)" if more > 0 else ""), None))
        rows += [("window", graph.subtasks[w.subtask].name, w) for w in windows[:MOST_WINDOWS]]
    return rows


def _fitting(rows: list[Row], room: float) -> tuple[list[Row], float]:
    """Return the rows that fit into the room, and the factor on their heights (at most 1.25)."""
    total = sum(HEIGHTS[kind] for kind, _, _ in rows)
    for kind, least in PATIENCE:
        while total * 0.72 > room and sum(k == kind for k, _, _ in rows) > least:
            last = max(i for i, row in enumerate(rows) if row[0] == kind)
            head = max(i for i, row in enumerate(rows[:last]) if row[0] == "head")
            name = rows[head][1].split(" (")[0]
            gone = sum(k == kind for k, _, _ in rows)
            rows = [r for i, r in enumerate(rows) if i != last]
            rows[head] = ("head", f"{name} (first {gone - 1} only)", None)
            total -= HEIGHTS[kind]
    return rows, min(1.25, max(0.4, room / total))


class _Chart:
    """One chart while it is drawn: the scale, the colours and what the legend must explain."""

    def __init__(
        self,
        graph: TaskGraph,
        runs: Sequence[RunBar],
        time: int,
        width: int,
        hue: Literal["group", "outcome"],
        span: int,
    ) -> None:
        self.graph, self.time, self.width, self.span, self.hue = graph, time, width, span, hue
        self.colours, self.groups = hues(graph) if hue == "group" else ({}, [])
        self.runs = runs
        self.rows = _rows(graph, runs, time)
        names = [label for kind, label, _ in self.rows if kind != "head"]
        widest = max((text_width(n, SMALL) for n in names), default=0)
        self.left = min(max(70, widest + 22), round(width * 0.2))
        self.right = width - 14
        self.canvas = Canvas(1, 1)

    def x(self, tick: float) -> float:
        """Return where a tick lies, kept inside the plot."""
        return self.left + min(max(tick, 0), self.span) / self.span * (self.right - self.left)

    def draw(self, title: str, height: int | None) -> Canvas:
        """Draw everything and return the picture."""
        top = 54 if title else 24
        natural = sum(HEIGHTS[kind] for kind, _, _ in self.rows)
        width = self.width - 28
        legend = flow_height([w for _, w in self._legend()], width) + 10
        numbers = self._numbers()[:MOST_KEYS]
        names = [self.graph.subtasks[i].name for i in numbers]
        keys = flow_height(names, width)
        if height is None:
            height = round(min(NATURAL, top + natural + AXIS + legend + keys))
        if height - top - AXIS - legend - keys < 0.9 * natural:
            keys = 0.0
        if height - top - AXIS - legend < min(80, natural):
            legend = 0.0
        room = max(20.0, height - top - AXIS - legend - keys)
        rows, factor = _fitting(self.rows, room)
        self.canvas = Canvas(self.width, height)
        bottom = top + sum(HEIGHTS[kind] for kind, _, _ in rows) * factor
        self._grid(top, bottom)
        for heads in (True, False):
            y = float(top)
            for kind, label, content in rows:
                h = HEIGHTS[kind] * factor
                if (kind == "head") == heads:
                    self._row(kind, label, content, y, h)
                y += h
            if heads:
                self._lines(top, bottom)
        if title:
            self.canvas.text(14, 10, title, TITLE, INK, "nw", width)
        if legend:
            self.canvas.box(0, height - legend - keys, self.width, legend + keys, PANEL)
            flow(self.canvas, 14, height - legend - keys + 5, width, self._legend())
        if keys:
            entries = [(swatches.number(self.canvas, i), n) for i, n in zip(numbers, names, strict=True)]
            flow(self.canvas, 14, height - keys - 3, width, entries)
        return self.canvas

    def fill(self, run: RunBar) -> Colour:
        """Return the hue of a run."""
        return self.colours[run.subtask] if self.hue == "group" else OUTCOME_HUE[run.outcome]

    def _grid(self, top: float, bottom: float) -> None:
        """Draw the time axis and its vertical lines."""
        step = nice_step(self.span, (self.right - self.left) // 44)
        for tick in range(0, self.span + 1, step):
            x = self.x(tick)
            self.canvas.box(x, top, 1, bottom - top + 4, RULE)
            self.canvas.text(x, bottom + 6, str(tick), SMALL, MUTED, "n")
        self.canvas.text(self.left - 10, bottom + 6, "ticks", SMALL, MUTED, "ne")

    def _lines(self, top: float, bottom: float) -> None:
        """Draw the present and the horizon."""
        canvas, horizon = self.canvas, self.graph.horizon
        if horizon is not None and horizon <= self.span:
            x = self.x(horizon)
            canvas.box(x - 1, top - 4, 3, bottom - top + 8, INK)
            canvas.text(min(x + 4, self.right + 10), top - 6, f"horizon {horizon}", SMALL, INK, "se")
        elif horizon is not None:
            canvas.text(self.right + 10, top - 6, f"horizon {horizon} (later)", SMALL, MUTED, "se")
        x = self.x(self.time)
        canvas.box(x - 1, top - 4, 2, bottom - top + 6, NOW)
        canvas.chip(x, bottom + 11, f"now {self.time}", NOW, SMALL)

    def _row(self, kind: str, label: str, content: object, y: float, h: float) -> None:
        canvas = self.canvas
        if kind == "head":
            canvas.box(0, y, self.width, h, PANEL)
            canvas.text(10, y + h / 2 + 1, label, SMALL if h >= 14 else TINY, MUTED, "w", self.width - 20)
            return
        size = BODY if h >= 22 and text_width(label, BODY) <= self.left - 18 else SMALL if h >= 14 else TINY
        if h >= 9:
            canvas.text(self.left - 8, y + h / 2 + 1, label, size, INK, "e", self.left - 14)
        if kind in ("agent", "alone"):
            canvas.box(self.left, y + h - 1, self.right - self.left, 1, RULE)
            self._lane(content, y, h, solid=kind == "agent")  # type: ignore[arg-type]
        elif isinstance(content, ResourceRow):
            self._resource(content, y, h)
        elif isinstance(content, WindowRow):
            self._window(content, y, h)

    def _lane(self, bars: Sequence[Bar], y: float, h: float, solid: bool) -> None:
        """Draw the bars of one lane, then their labels where there is room."""
        pad = min(3.0, h * 0.12)
        for bar in bars:
            draw_bar(self.canvas, bar, self.x, y + pad, h - 2 * pad, self.fill(bar.run), solid)
        if h >= 11:
            for label in place_labels(bars, self.graph.names, self.x, self.right):
                draw_label(self.canvas, label, y + h / 2 + 1, self.fill(label.bar.run), solid)

    def _resource(self, row: ResourceRow, y: float, h: float) -> None:
        """Draw the use of a resource as stacked blocks under the capacity."""
        canvas = self.canvas
        canvas.box(self.left, y + h - 1, self.right - self.left, 1, RULE)
        unit = (h - 8) / row.top
        base = y + h - 2
        for block in row.blocks:
            a, b = self.x(block.start), self.x(block.end)
            top, tall = base - block.high * unit, (block.high - block.low) * unit
            colour = mix(self.fill(block.run), WHITE, 0.35)
            canvas.box(a, top, max(2, b - a - 1), tall, colour, mix(self.fill(block.run), INK, 0.35))
            name = self.graph.subtasks[block.run.subtask].name
            if tall >= 12 and (b - a >= 40 or text_width(name, TINY) + 6 <= b - a):
                canvas.text(a + 3, top + tall / 2 + 1, name, TINY, ink_on(colour), "w", int(b - a) - 5)
        ends = [t for t, _ in row.steps[1:]] + [self.span]
        for (tick, capacity), end in zip(row.steps, ends, strict=True):
            level = base - capacity * unit
            canvas.line([(self.x(tick), level), (self.x(end), level)], INK, 1, (6, 3))
            canvas.line([(self.x(end), level), (self.x(end), base)], INK, 1, (2, 6))
        level = base - row.steps[-1][1] * unit
        canvas.text(self.right + 2, max(level, y + 6), str(row.steps[-1][1]), TINY, INK, "w")

    def _window(self, row: WindowRow, y: float, h: float) -> None:
        """Draw one window or lag with the runs of the subtask inside."""
        canvas, middle = self.canvas, y + h / 2
        canvas.box(self.left, y + h - 1, self.right - self.left, 1, RULE)
        if row.words:
            self._lag(row, y, h)
        else:
            low, high = self.x(row.release), self.x(self.span if row.deadline is None else row.deadline)
            canvas.box(low, middle - 1, max(1, high - low), 2, MUTED)
        for bar in row.bars:
            if row.words:
                swatches.draw_start(canvas, self.x(bar.start), y + 2, h - 4, self.fill(bar.run))
                continue
            colour = VERMILLION if bar.run.outcome == "failure" else self.fill(bar.run)
            a, b = self.x(bar.start), self.x(bar.end)
            canvas.box(a, middle - 4, max(3, b - a), 8, colour, mix(colour, INK, 0.4))
            if bar.run.outcome == "failure":
                canvas.hatch(a + 1, middle - 3, max(2, b - a - 2), 6, INK, 5, cross=True)
        if not row.words:
            self._marks(row, y, h)

    def _marks(self, row: WindowRow, y: float, h: float) -> None:
        canvas, middle = self.canvas, y + h / 2
        if row.release > 0:
            swatches.draw_release(canvas, self.x(row.release), y + 2, h - 5)
        if row.due is not None and row.due <= self.span:
            swatches.draw_due(canvas, self.x(row.due), middle, min(6.0, h / 2 - 1))
        if row.deadline is not None and row.deadline <= self.span:
            canvas.box(self.x(row.deadline) - 3, y + 1, 4, h - 3, VERMILLION)
        later = [f"due {row.due}"] * (row.due is not None and row.due > self.span)
        later += [f"deadline {row.deadline}"] * (row.deadline is not None and row.deadline > self.span)
        if later and h >= 12:
            words = ", ".join(later)
            wide = text_width(words, TINY)
            canvas.box(self.right - wide - 8, y + 1, wide + 8, h - 3, WHITE)
            canvas.text(self.right - 5, middle + 1, words, TINY, VERMILLION, "e")

    def _lag(self, row: WindowRow, y: float, h: float) -> None:
        canvas, middle = self.canvas, y + h / 2
        for band in row.bands:
            anchor, low = self.x(band.anchor), self.x(band.low)
            high = self.x(self.span if band.high is None else band.high)
            canvas.line([(anchor, middle), (low, middle)], LAG, 1, (3, 2))
            canvas.disc(anchor, middle, 3.5, LAG)
            canvas.box(low, y + 3, max(3, high - low), h - 7, mix(LAG, WHITE, 0.78), LAG)
            if band.high is None:
                canvas.box(high - 1, y + 4, 1, h - 9, mix(LAG, WHITE, 0.78))
        marks = [self.x(b.anchor) - 4 for b in row.bands] + [self.x(b.start) - 6 for b in row.bars]
        ends = [self.x(b.start) + 6 for b in row.bars]
        ends += [self.x(b.low if b.high is None else b.high) for b in row.bands]
        free_from, free_to = max([self.left, *ends]) + 6, min([self.right, *marks]) - 6
        wide = text_width(row.words, TINY) + 2
        behind = wide <= self.right - free_from or self.right - free_from >= free_to - self.left
        words = fit(row.words, TINY, int(self.right - free_from if behind else free_to - self.left))
        x = free_from if behind else free_to - text_width(words, TINY)
        endless = behind and any(b.high is None for b in row.bands)
        plate = mix(LAG, WHITE, 0.78) if endless else WHITE
        canvas.box(x - 2, middle - 5, text_width(words, TINY) + 4, 10, plate)
        ink = mix(LAG, INK, 0.3)
        canvas.text(free_from if behind else free_to, middle + 1, words, TINY, ink, "w" if behind else "e")

    def _legend(self) -> list[tuple[Swatch, str]]:
        """Return what the marks mean, as far as they can occur."""
        runs, canvas = self.runs, self.canvas
        windows = [c for _, _, c in self.rows if isinstance(c, WindowRow)]
        alone = any(kind == "alone" for kind, _, _ in self.rows)
        entries = [(swatches.box(canvas, colour), name) for colour, name in self.groups]
        optional: list[tuple[bool, Swatch, str]] = [
            (self.hue == "outcome", swatches.box(canvas, OUTCOME_HUE["success"]), "succeeded"),
            (self.hue == "outcome", swatches.box(canvas, OUTCOME_HUE["running"]), "running"),
            (alone, swatches.box(canvas, swatches.GREY), "attended"),
            (alone, swatches.unattended(canvas), "unattended"),
            (any(r.outcome == "failure" for r in runs), swatches.failed(canvas), "failed"),
            (any(r.end is None for r in runs), swatches.ghost(canvas), "still to run"),
            (
                any(r.attended_until <= r.start for r in runs),
                swatches.dispatch(canvas),
                "started, left alone",
            ),
            (bool(self.graph.resources), swatches.capacity(canvas), "capacity"),
            (any(w.release for w in windows), swatches.release(canvas), "release"),
            (any(w.deadline is not None for w in windows), swatches.deadline(canvas), "deadline"),
            (any(w.due is not None for w in windows), swatches.due(canvas), "due"),
            (any(w.words for w in windows), swatches.lag(canvas), "may start within"),
            (any(w.words and w.bars for w in windows), swatches.start(canvas), "started"),
        ]
        return entries + [(swatch, words) for shown, swatch, words in optional if shown]

    def _numbers(self) -> list[int]:
        """Return the subtasks with a bar that has room for no more than a number."""
        lanes = [content for kind, _, content in self.rows if kind in ("agent", "alone")]
        labels = [
            label
            for lane in lanes
            for label in place_labels(lane, self.graph.names, self.x, self.right)  # type: ignore[arg-type]
        ]
        named = {label.bar.run.subtask for label in labels if label.words == self._name(label.bar)}
        return sorted({label.bar.run.subtask for label in labels if label.place == "number"} - named)

    def _bars(self) -> list[Bar]:
        """Return all bars of agents."""
        return [b for kind, _, bars in self.rows if kind == "agent" for b in bars]  # type: ignore[attr-defined]

    def _name(self, bar: Bar) -> str:
        return self.graph.subtasks[bar.run.subtask].name


def usual_height(graph: TaskGraph) -> int:
    """Return the height that shows a typical schedule of a graph; it stays the same over an episode."""
    rows = _rows(graph, (), 0)
    return sum(HEIGHTS[kind] for kind, _, _ in rows) + 2 * HEIGHTS["alone"] + 24 + AXIS + 50
