"""The content of a Gantt chart: rows, lanes, windows and the scale, without pixels.

Owns what is shown in which row of a schedule. It draws nothing and simulates
nothing: what ran when is given.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from stratagym.envs.render.diagram import lag_words
from stratagym.envs.render.palette import GROUP_HUES, OTHER, Colour
from stratagym.envs.task.graph import Lag, TaskGraph

Outcome = Literal["running", "success", "failure"]


@dataclass(frozen=True, slots=True)
class RunBar:
    """One run of a subtask.

    Attributes:
        subtask: its index.
        agents: the agents that started it.
        start: tick of the start.
        end: tick of the completion, None while it runs.
        attended_until: tick until which its agents are busy with it.
        outcome: how it ended, or ``running``.
    """

    subtask: int
    agents: tuple[int, ...]
    start: int
    end: int | None
    attended_until: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a run in one lane, in ticks.

    ``open`` is whether it still goes on at the right end; ``ghost`` is the tick at which
    it is expected to end, if that is later; ``dispatched`` is whether it kept no agent busy.
    """

    run: RunBar
    start: int
    end: int
    open: bool = False
    ghost: int | None = None
    dispatched: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of one run's use of a resource, in ticks and units from the bottom.

    A run has several where others below it come and go.
    """

    run: RunBar
    start: int
    end: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """Use of one resource against its capacity.

    Attributes:
        steps: (tick, capacity from there on), the first at 0.
    """

    name: str
    blocks: tuple[Block, ...]
    steps: tuple[tuple[int, int], ...]

    @property
    def top(self) -> int:
        """The largest number of units to be drawn, at least 1."""
        return max([1, *(c for _, c in self.steps), *(b.high for b in self.blocks)])


@dataclass(frozen=True, slots=True)
class Band:
    """The ticks in which a lag lets a subtask start: from ``anchor``, between ``low`` and ``high``."""

    anchor: int
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class WindowRow:
    """When a subtask may run: its own window, or a lag.

    Attributes:
        subtask: its index.
        words: what the lag says, "" for the subtask's own window.
        release: tick before which it may not start (0: none).
        deadline: tick by which it must be complete, or None.
        due: tick after which it counts as late, or None.
        bands: of the lag, one for each start and the present one.
        bars: the runs of the subtask.
    """

    subtask: int
    words: str
    release: int
    deadline: int | None
    due: int | None
    bands: tuple[Band, ...]
    bars: tuple[Bar, ...]


def expected_end(graph: TaskGraph, run: RunBar) -> int | None:
    """Return the tick at which a run ends, None if that is not known beforehand."""
    duration = graph.subtasks[run.subtask].duration
    if run.end is not None:
        return run.end
    known = duration.kind != "world" and not duration.drawn
    return run.start + duration.shortest if known else None


def attended_end(graph: TaskGraph, run: RunBar) -> int | None:
    """Return the tick at which a run frees its agents, None if that is not known beforehand.

    While it runs this follows from the task, since the record may know only the past.
    """
    if run.end is not None:
        return min(run.attended_until, run.end)
    attended, end = graph.subtasks[run.subtask].attended, expected_end(graph, run)
    if attended is None:
        return end
    return run.start + attended if end is None else min(end, run.start + attended)


def _piece(run: RunBar, start: int, end: int | None, time: int, dispatched: bool = False) -> Bar:
    """Return the bar from ``start`` to ``end`` (None: not known) as far as it lies before ``time``."""
    if end is not None and (run.end is not None or end <= time):
        return Bar(run, start, max(start, end), dispatched=dispatched)
    ghost = end if end is not None and end > time else None
    return Bar(run, start, max(start, time), True, ghost, dispatched)


def agent_rows(graph: TaskGraph, runs: Sequence[RunBar], time: int) -> list[list[Bar]]:
    """Return what each agent attends to, by agent."""
    rows: list[list[Bar]] = [[] for _ in graph.agents]
    for run in runs:
        end = attended_end(graph, run)
        piece = _piece(run, run.start, end, time, end == run.start)
        for agent in run.agents:
            if 0 <= agent < len(rows):
                rows[agent].append(piece)
    return [sorted(row, key=lambda b: (b.start, b.end)) for row in rows]


def unattended_lanes(graph: TaskGraph, runs: Sequence[RunBar], time: int) -> list[list[Bar]]:
    """Return the parts that run without an agent, packed into few lanes."""
    parts = []
    for run in runs:
        start, end = attended_end(graph, run), expected_end(graph, run)
        if start is None or start > time or (end is not None and start >= end):
            continue
        parts.append(_piece(run, start, end, time))
    lanes: list[list[Bar]] = []
    for part in sorted(parts, key=lambda b: (b.start, b.end, b.run.subtask)):
        lane = next((x for x in lanes if max(x[-1].end, x[-1].ghost or 0) <= part.start), None)
        if lane is None:
            lanes.append([part])
        else:
            lane.append(part)
    return lanes


def resource_rows(graph: TaskGraph, runs: Sequence[RunBar], time: int) -> list[ResourceRow]:
    """Return the use of each resource, stacked in the order of the starts."""
    out = []
    for index, resource in enumerate(graph.resources):
        held: list[tuple[RunBar, int, int, int]] = []
        for run in runs:
            amount = sum(a for r, a in graph.subtasks[run.subtask].uses if r == index)
            end = run.end if run.end is not None else max(time, run.start)
            if amount and end > run.start:
                held.append((run, run.start, end, amount))
        out.append(ResourceRow(resource.name, tuple(_stack(held)), tuple(_capacity(graph, index, time))))
    return out


def _stack(held: list[tuple[RunBar, int, int, int]]) -> list[Block]:
    """Stack what runs at each tick from the bottom, so that the top is the total use."""
    held = sorted(held, key=lambda h: (h[1], h[0].subtask))
    ticks = sorted({t for _, start, end, _ in held for t in (start, end)})
    blocks: list[Block] = []
    last: dict[RunBar, int] = {}
    for a, b in itertools.pairwise(ticks):
        low = 0
        for run, start, end, amount in held:
            if not (start <= a and b <= end):
                continue
            k = last.get(run)
            if k is not None and blocks[k].end == a and blocks[k].low == low:
                blocks[k] = replace(blocks[k], end=b)
            else:
                last[run] = len(blocks)
                blocks.append(Block(run, a, b, low, low + amount))
            low += amount
    return blocks


def _capacity(graph: TaskGraph, index: int, time: int) -> list[tuple[int, int]]:
    """Return the capacity over time as far as it is fixed by the task."""
    steps = [(0, graph.resources[index].capacity)]
    for event in sorted(graph.events, key=lambda e: e.at[0]):
        if event.kind == "capacity" and event.at[0] == event.at[1] and (event.known or event.at[0] <= time):
            steps += [
                (event.at[0], a) for t, a in zip(event.targets, event.amounts, strict=True) if t == index
            ]
    return steps


def window_rows(graph: TaskGraph, runs: Sequence[RunBar], time: int) -> list[WindowRow]:
    """Return the windows by deadline, then the lags in the order of the subtasks."""
    dues = {i: d.due for d in graph.dues for i in d.members}
    by_subtask: dict[int, list[RunBar]] = {}
    for run in runs:
        by_subtask.setdefault(run.subtask, []).append(run)
    windows, lags = [], []
    for i, s in enumerate(graph.subtasks):
        bars = tuple(
            _piece(r, r.start, expected_end(graph, r), time)
            for r in sorted(by_subtask.get(i, []), key=lambda r: r.start)
        )
        if s.release > 0 or s.deadline is not None or i in dues:
            windows.append(WindowRow(i, "", s.release, s.deadline, dues.get(i), (), bars))
        for lag in s.lags:
            if lag.predecessors == (i,) or (lag.minimum == 0 and lag.maximum is None):
                continue
            bands = tuple(_bands(lag, bars, by_subtask))
            lags.append(WindowRow(i, _lag_sentence(graph, lag), 0, None, None, bands, bars))
    far = 2**62
    windows.sort(key=lambda w: (w.deadline if w.deadline is not None else w.due or far, w.subtask))
    return windows + lags


def _lag_sentence(graph: TaskGraph, lag: Lag) -> str:
    names = " or ".join(graph.subtasks[p].name for p in lag.predecessors)
    what = "start of" if lag.origin == "start" else "end of"
    return f"{lag_words(lag)} after {what} {names}"


def _bands(lag: Lag, bars: Sequence[Bar], by_subtask: dict[int, list[RunBar]]) -> Iterable[Band]:
    """Return the windows that a lag opened: those that starts used, and the latest."""
    before = [r for p in lag.predecessors for r in by_subtask.get(p, [])]
    if lag.origin == "completion":
        marks = sorted(r.end for r in before if r.outcome == "success" and r.end is not None)
    else:
        marks = sorted(r.start for r in before)
    anchors = {max(m for m in marks if m <= bar.start) for bar in bars if marks and marks[0] <= bar.start}
    anchors.update(marks[-1:])
    for anchor in sorted(anchors):
        high = None if lag.maximum is None else anchor + lag.maximum
        yield Band(anchor, anchor + lag.minimum, high)


def hues(graph: TaskGraph) -> tuple[dict[int, Colour], list[tuple[Colour, str]]]:
    """Return the hue of every subtask by its group, and the groups by hue for the legend."""
    groups = _groups(graph)
    if not groups:
        return {i: GROUP_HUES[i % len(GROUP_HUES)] for i in range(len(graph.subtasks))}, []
    colours = dict.fromkeys(range(len(graph.subtasks)), OTHER)
    legend: list[tuple[Colour, str]] = []
    for k, (name, members) in enumerate(groups[: len(GROUP_HUES)]):
        legend.append((GROUP_HUES[k], name))
        colours.update(dict.fromkeys(members, GROUP_HUES[k]))
    if OTHER in colours.values():
        legend.append((OTHER, "others"))
    return colours, legend


def _groups(graph: TaskGraph) -> list[tuple[str, tuple[int, ...]]]:
    """Return the largest named compositions that do not overlap, or the parts of a combined task."""
    n = len(graph.subtasks)
    parts: dict[str, list[int]] = {}
    for i, s in enumerate(graph.subtasks):
        if "/" in s.name:
            parts.setdefault(s.name.split("/", 1)[0], []).append(i)
    if len(parts) > 1:
        return [(name, tuple(members)) for name, members in parts.items()]
    taken: set[int] = set()
    out = []
    named = [c for c in graph.compositions if not c.inline and 1 < len(c.members) < n and c.kind != "modes"]
    for c in sorted(named, key=lambda c: -len(c.members)):
        if not taken & set(c.members):
            taken |= set(c.members)
            out.append((c.name, c.members))
    out.sort(key=lambda g: min(g[1]))
    return out if len(out) > 1 and 2 * len(taken) >= n else []


def nice_step(span: int, most: int) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, ... that cuts ``span`` ticks into at most ``most`` parts."""
    step, k = 1, 0
    while span > step * max(1, most):
        k += 1
        step = (1, 2, 5)[k % 3] * 10 ** (k // 3)
    return step


def chart_span(graph: TaskGraph, runs: Sequence[RunBar], time: int, steady: bool) -> int:
    """Return how many ticks the time axis shows.

    Args:
        graph: the task.
        runs: what ran.
        time: the present tick.
        steady: grow in steps of a factor, so that frames of an animation seldom rescale.
    """
    ends = [max(expected_end(graph, r) or 0, r.end or 0, r.start) for r in runs]
    reach = max([time, *ends, 1])
    marks = [
        m
        for i, s in enumerate(graph.subtasks)
        for m in (s.release, s.deadline or 0, *(d.due for d in graph.dues if i in d.members))
    ]
    if steady:
        span = 20
        while span < reach + 2:
            span = span * 3 // 2
    else:
        span = max(10, reach + max(1, reach // 25), *(m + 1 for m in marks if m <= 1.5 * reach), 0)
    if graph.horizon is not None:
        if graph.horizon <= 1.35 * span:
            span = graph.horizon + max(1, graph.horizon // 40)
        span = min(span, max(graph.horizon + max(1, graph.horizon // 40), reach + 1))
    return span
