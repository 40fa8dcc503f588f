"""The whole picture of an environment: task graph, Gantt chart and a panel of facts.

Owns how the parts share the picture and what the panel says. This is what
``render_mode="rgb_array"`` returns and ``"human"`` shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stratagym.envs.render.canvas import BODY, SMALL, TITLE, Canvas, Image, fit, text_width
from stratagym.envs.render.chart import RunBar, expected_end
from stratagym.envs.render.drawing import graph_canvas
from stratagym.envs.render.events import event_words
from stratagym.envs.render.gantt import gantt_canvas, usual_height
from stratagym.envs.render.palette import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    PANEL,
    RULE,
    VERMILLION,
    WHITE,
    Colour,
)
from stratagym.envs.render.window import Window
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.view import AgentView

__all__ = ["Window", "draw_scene", "run_progress"]

SIDE = 214
LINE = 17
MOST_AGENTS, MOST_RESOURCES, MOST_ITEMS = 6, 6, 8


def draw_scene(
    graph: TaskGraph,
    status: Sequence[str],
    runs: Sequence[RunBar],
    time: int,
    stock: Mapping[str, int],
    free: Mapping[str, int],
    agents: Sequence[AgentView],
    title: str = "",
    width: int = 960,
    height: int = 720,
    *,
    events: Sequence[Mapping[str, Any]] = (),
    reward: float | None = None,
    note: str = "",
) -> Image:
    """Draw the state of an environment.

    Args:
        graph: the task.
        status: status word by subtask, ``"unknown"`` where it has not appeared.
        runs: what ran so far and what runs.
        time: the present tick.
        stock: stock by item.
        free: free capacity by resource.
        agents: what every agent does.
        title: written at the top.
        width: of the picture in pixels.
        height: of the picture in pixels.
        events: the latest last, with ``tick``, ``kind``, ``subtask`` and ``agents``.
        reward: sum of rewards so far.
        note: how the episode stands, such as "goal reached".

    Returns:
        ``[height, width, 3]`` uint8.
    """
    side = min(SIDE, width // 3)
    main = width - side
    chart = max(120, min(usual_height(graph), round(height * (0.48 if len(graph.subtasks) < 20 else 0.44))))
    canvas = Canvas(width, height)
    picture = graph_canvas(
        graph,
        status,
        progress=run_progress(graph, runs, time),
        title=title,
        width=main,
        height=height - chart,
        numbered=True,
    )
    canvas.paste(picture, 0, 0)
    schedule = gantt_canvas(graph, runs, time=time, width=main, height=chart, hue="outcome", steady=True)
    canvas.paste(schedule, 0, height - chart)
    canvas.box(0, height - chart, main, 1, RULE)
    panel = _Panel(side, height)
    panel.clock(time, graph.horizon, reward, note)
    panel.agents(agents, time)
    panel.resources(graph, free)
    panel.items(stock)
    panel.events(events)
    canvas.paste(panel.canvas, main, 0)
    canvas.box(main, 0, 1, height, RULE)
    return canvas.array()


def run_progress(graph: TaskGraph, runs: Sequence[RunBar], time: int) -> list[float | None]:
    """Return the share 0..1 done of each running subtask, None where its end is not known."""
    out: list[float | None] = [None] * len(graph.subtasks)
    for run in runs:
        end = expected_end(graph, run)
        if run.end is None and end is not None:
            out[run.subtask] = min(1.0, max(0.0, (time - run.start) / max(1, end - run.start)))
    return out


class _Panel:
    """The column of facts, filled from top to bottom."""

    def __init__(self, width: int, height: int) -> None:
        self.canvas = Canvas(width, height, PANEL)
        self.width, self.height, self.y = width, height, 12.0

    @property
    def lines_left(self) -> int:
        """How many lines still fit."""
        return max(0, int((self.height - 8 - self.y) // LINE))

    def _head(self, words: str) -> None:
        self.y += 8
        self.canvas.text(12, self.y, words, SMALL, MUTED)
        self.canvas.box(12, self.y + 14, self.width - 24, 1, RULE)
        self.y += 20

    def _pair(self, left: str, right: str, colour: Colour = INK) -> None:
        """Write a name and a value on one line; the name gives way."""
        right = fit(right, SMALL, round(self.width * 0.6))
        wide = text_width(right, SMALL)
        self.canvas.text(12, self.y, left, SMALL, INK, "nw", max(10, self.width - 30 - wide))
        self.canvas.text(self.width - 12, self.y, right, SMALL, colour, "ne")
        self.y += LINE

    def _more(self, hidden: int) -> None:
        if hidden > 0:
            self.canvas.text(12, self.y, f"and {hidden} more", SMALL, MUTED)
            self.y += LINE

    def clock(self, time: int, horizon: int | None, reward: float | None, note: str) -> None:
        """Write the time, how much of it is gone, the reward and how the episode stands."""
        canvas = self.canvas
        wide = canvas.text(12, self.y, f"time {time}", TITLE, INK)
        if horizon is not None:
            canvas.text(18 + wide, self.y + 4, f"of {horizon}", BODY, MUTED)
        self.y += 24
        if horizon:
            canvas.box(12, self.y, self.width - 24, 6, WHITE, RULE)
            canvas.box(12, self.y, max(1.0, (self.width - 24) * min(1.0, time / horizon)), 6, BLUE)
            self.y += 12
        if reward is not None:
            self._pair("reward so far", f"{reward:.4g}")
        if note:
            good = note in ("goal reached", "success")
            canvas.box(12, self.y + 1, self.width - 24, 19, GREEN if good else VERMILLION, radius=4)
            canvas.text(self.width / 2, self.y + 11, note, BODY, WHITE, "c", self.width - 32)
            self.y += 24

    def agents(self, agents: Sequence[AgentView], time: int) -> None:
        """Write what every agent does."""
        self._head("agents")
        for agent in agents[:MOST_AGENTS]:
            if agent.idle:
                self._pair(agent.name, "idle", MUTED)
                continue
            until = f" until {agent.free_at}" if agent.free_at is not None and agent.free_at > time else ""
            self._pair(agent.name, "busy" + until, ORANGE_INK)
            if agent.attends is not None:
                self.canvas.text(24, self.y - 3, agent.attends, SMALL, INK, "nw", self.width - 36)
                self.y += LINE - 3
        self._more(len(agents) - MOST_AGENTS)

    def resources(self, graph: TaskGraph, free: Mapping[str, int]) -> None:
        """Write the free capacity of every resource."""
        if not graph.resources:
            return
        self._head("free capacity")
        for resource in graph.resources[:MOST_RESOURCES]:
            left = free.get(resource.name, resource.capacity)
            colour = VERMILLION_INK if left <= 0 else INK
            self._pair(resource.name, f"{left} of {resource.capacity}", colour)
        self._more(len(graph.resources) - MOST_RESOURCES)

    def items(self, stock: Mapping[str, int]) -> None:
        """Write the stock of every item."""
        if not stock:
            return
        self._head("stock")
        for name, amount in list(stock.items())[:MOST_ITEMS]:
            self._pair(name, str(amount), INK if amount else MUTED)
        self._more(len(stock) - MOST_ITEMS)

    def events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write the latest events, the newest first, as far as there is room."""
        if not events or self.lines_left < 3:
            return
        self._head("latest events")
        for event in list(events)[::-1][: self.lines_left]:
            kind, what = str(event.get("kind", "")), event_words(event)
            tick = str(event.get("tick", ""))
            left = 12 + max(22, text_width(tick, SMALL) + 6)
            self.canvas.text(left - 6, self.y, tick, SMALL, MUTED, "ne")
            wide = self.canvas.text(left, self.y, kind, SMALL, EVENT_INK.get(kind, MUTED))
            room = round(self.width - 16 - left - wide)
            self.canvas.text(left + wide + 5, self.y, what, SMALL, INK, "nw", max(8, room))
            self.y += LINE


ORANGE_INK: Colour = (140, 84, 0)
VERMILLION_INK: Colour = (168, 66, 0)
GREEN_INK: Colour = (0, 104, 76)
EVENT_INK: dict[str, Colour] = {
    "start": ORANGE_INK,
    "success": GREEN_INK,
    "failure": VERMILLION_INK,
    "spoil": VERMILLION_INK,
    "close": VERMILLION_INK,
    "undo": VERMILLION_INK,
}
"""Dark enough to read as text; the word itself says the same."""
