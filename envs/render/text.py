"""The state of an environment as plain text, at most 100 columns wide.

Owns the table of ``render_mode="ansi"``: one line a subtask with its status and
its runs over time, then agents, capacity, stock and the latest events. No
colours and no cursor codes, so that it reads the same in a log.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from stratagym.envs.render.chart import RunBar, chart_span, expected_end, nice_step
from stratagym.envs.render.events import event_words
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.view import AgentView

MARKS = {"locked": "·", "eligible": "○", "running": ">", "done": "✓", "failed": "✗", "closed": "⊘"}
MOST_ROWS = 48
MOST_EVENTS = 6
LEGEND = "█ attended  ░ unattended  ┄ still to run  × failed  ! deadline  ┊ now"


def columns(string: str) -> int:
    """Return how many columns a terminal gives to the text."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in string
    )


def pad(string: str, width: int) -> str:
    """Return the text cut or filled with spaces to exactly ``width`` columns."""
    string = "".join(c if c.isprintable() else "?" for c in string)
    if columns(string) > width:
        while string and columns(string) > width - 1:
            string = string[:-1]
        string += "…"
    return string + " " * (width - columns(string))


def draw_text(
    graph: TaskGraph,
    status: Sequence[str],
    runs: Sequence[RunBar],
    time: int,
    stock: Mapping[str, int],
    free: Mapping[str, int],
    agents: Sequence[AgentView],
    title: str = "",
    *,
    events: Sequence[Mapping[str, Any]] = (),
    reward: float | None = None,
    note: str = "",
    width: int = 100,
) -> str:
    """Return the state of an environment as text.

    Args:
        graph: the task.
        status: status word by subtask, ``"unknown"`` where it has not appeared.
        runs: what ran so far and what runs.
        time: the present tick.
        stock: stock by item.
        free: free capacity by resource.
        agents: what every agent does.
        title: the first line.
        events: the latest last, with ``tick``, ``kind``, ``subtask`` and ``agents``.
        reward: sum of rewards so far.
        note: how the episode stands.
        width: columns, at least 60.

    Returns:
        Lines of at most ``width`` columns, ending with a newline.
    """
    width = max(60, width)
    clock = f"time {time}" + ("" if graph.horizon is None else f" of {graph.horizon}")
    facts = [clock, "" if reward is None else f"reward {reward:.4g}", note]
    lines = [pad(title, width)] if title else []
    lines += [pad("   ".join(f for f in facts if f), width), "─" * width]
    lines += _table(graph, status, runs, time, width)
    lines.append("─" * width)
    lines += _listed("agents", [_agent(a, time) for a in agents], width)
    capacity = {r.name: r.capacity for r in graph.resources}
    left = [f"{name} {free.get(name, c)} of {c}" for name, c in capacity.items()]
    lines += _listed("free", left, width)
    lines += _listed("stock", [f"{name} {amount}" for name, amount in stock.items()], width)
    recent = [
        f"{e.get('tick')} {e.get('kind')} {event_words(e)}".strip() for e in list(events)[-MOST_EVENTS:]
    ]
    lines += _listed("events", recent, width)
    lines.append(pad(LEGEND, width))
    return "\n".join(line.rstrip() for line in lines) + "\n"


class _Scale:
    """Ticks to cells: several cells a tick for short schedules, several ticks a cell for long ones."""

    def __init__(self, span: int, cells: int) -> None:
        self.ticks = -(-span // cells)
        self.cells_a_tick = max(1, min(4, cells // span)) if self.ticks == 1 else 1
        self.count = min(cells, -(-span // self.ticks) * self.cells_a_tick)

    def cell(self, tick: int) -> int:
        """Return the first cell of a tick."""
        return tick // self.ticks * self.cells_a_tick

    def stop(self, tick: int) -> int:
        """Return the first cell that lies after everything before a tick."""
        return -(-tick // self.ticks) * self.cells_a_tick


def _table(
    graph: TaskGraph, status: Sequence[str], runs: Sequence[RunBar], time: int, width: int
) -> list[str]:
    """Return one line a subtask, under a line with the ticks."""
    shown = [i for i, s in enumerate(status) if s != "unknown"]
    rest: list[int] = []
    if len(shown) > MOST_ROWS:
        lively = [i for i in shown if status[i] in ("running", "eligible", "failed", "closed")]
        order = (lively + [i for i in shown if i not in set(lively)])[:MOST_ROWS]
        rest = sorted(set(shown) - set(order))
        shown = sorted(order)
    number = max([1, *(len(str(i)) for i in shown)])
    name = min(28, max([7, *(columns(graph.subtasks[i].name) for i in shown)]))
    scale = _Scale(chart_span(graph, runs, time, steady=True), width - number - name - 15)
    step = nice_step(scale.count * scale.ticks // scale.cells_a_tick, scale.count // 8)
    ruler = [" "] * scale.count
    for tick in range(0, scale.count * scale.ticks // scale.cells_a_tick, step):
        if scale.cell(tick) + len(str(tick)) <= scale.count:
            ruler[scale.cell(tick) : scale.cell(tick) + len(str(tick))] = str(tick)
    head = f"{pad('#', number)}  {pad('subtask', name)}  {pad('status', 10)} {''.join(ruler)}"
    lines = [head]
    by_subtask: dict[int, list[RunBar]] = {}
    for run in sorted(runs, key=lambda r: r.start):
        by_subtask.setdefault(run.subtask, []).append(run)
    for i in shown:
        cells = _cells(graph, i, by_subtask.get(i, []), time, scale)
        mark = f"{MARKS.get(status[i], '?')} {status[i]}"
        lines.append(f"{i:>{number}}  {pad(graph.subtasks[i].name, name)}  {pad(mark, 10)} {cells}")
    if rest:
        counts = {s: sum(status[i] == s for i in rest) for s in MARKS}
        words = ", ".join(f"{count} {s}" for s, count in counts.items() if count)
        lines.append(pad(f"and {len(rest)} more: {words}", width))
    return lines


def _cells(graph: TaskGraph, subtask: int, runs: Sequence[RunBar], time: int, scale: _Scale) -> str:
    """Return the runs of one subtask over time."""
    cells = [" "] * scale.count
    if scale.cell(time) < scale.count:
        cells[scale.cell(time)] = "┊"
    deadline = graph.subtasks[subtask].deadline
    if deadline is not None and scale.cell(deadline) < scale.count:
        cells[scale.cell(deadline)] = "!"
    for run in runs:
        end = run.end if run.end is not None else max(time, run.start)
        to_come = expected_end(graph, run)
        _fill(cells, scale, end, to_come if to_come is not None else end, "┄")
        _fill(cells, scale, run.start, end, "×" if run.outcome == "failure" else "░")
        if run.outcome != "failure":
            _fill(cells, scale, run.start, min(run.attended_until, end), "█")
    return "".join(cells)


def _fill(cells: list[str], scale: _Scale, start: int, end: int, what: str) -> None:
    if end > start:
        for k in range(scale.cell(start), min(scale.stop(end), len(cells))):
            cells[k] = what


def _agent(agent: AgentView, time: int) -> str:
    if agent.idle:
        return f"{agent.name}: idle"
    until = f" until {agent.free_at}" if agent.free_at is not None and agent.free_at > time else ""
    return f"{agent.name}: {agent.attends or 'busy'}{until}"


def _listed(head: str, entries: Sequence[str], width: int, most: int = 3) -> list[str]:
    """Return entries separated by commas behind a head, on at most ``most`` lines."""
    lines: list[str] = []
    line = ""
    for k, entry in enumerate(entries):
        longer = f"{line}, {entry}" if line else entry
        if line and columns(longer) > width - 10:
            lines.append(line + ",")
            line = entry
            if len(lines) == most:
                lines[-1] = pad(f"{lines[-1]} and {len(entries) - k} more", width - 8).rstrip()
                line = ""
                break
        else:
            line = longer
    if line:
        lines.append(line)
    heads = [head, *[""] * len(lines)]
    return [f"{pad(h, 8)}{pad(text, width - 8)}" for h, text in zip(heads, lines, strict=False)]
