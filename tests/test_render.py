"""Tests of the pictures: their form, that they only look, and that they can be told apart and read."""

from __future__ import annotations

import copy
import itertools
import os
import subprocess
import sys
import time as clock
from pathlib import Path

import numpy as np
import pytest

from hand_made import subtask
from random_tasks import random_task
from render_graphs import bakery, random_graph, tea
from stratagym.envs.render import (
    bars,
    canvas,
    chart,
    diagram,
    drawing,
    gantt,
    icons,
    images,
    palette,
    placing,
    scene,
)
from stratagym.envs.render.chart import RunBar
from stratagym.envs.render.text import columns, draw_text, pad
from stratagym.envs.task.graph import Agent, Event, TaskGraph
from stratagym.envs.task.spec import load_task
from stratagym.envs.task.view import STATUS, AgentView

TEA_RUNS = (
    RunBar(0, (0,), 0, 8, 1, "success"),
    RunBar(1, (0,), 1, 2, 2, "success"),
    RunBar(2, (0,), 9, 13, 10, "success"),
    RunBar(4, (0,), 10, 13, 13, "failure"),
    RunBar(3, (0,), 14, None, 16, "running"),
)
TEA_STATUS = ("done", "done", "done", "running", "eligible")
TEA_AGENTS = (AgentView("agent 0", False, "serve", 16, frozenset()),)
TEA_EVENTS = (
    {"tick": 13, "kind": "success", "subtask": "brew", "agents": (0,)},
    {"tick": 14, "kind": "start", "subtask": "serve", "agents": (0,)},
)
EVERYTHING = {
    "name": "everything",
    "horizon": 90,
    "agents": [{"name": "ann", "skills": ["saw"]}, {"name": "bob"}],
    "resources": {"bench": 1, "room": 3},
    "items": {"wood": 5, "nails": 9},
    "subtasks": {
        "fetch {thing}": {"foreach": {"thing": ["wood", "paint", "glue"]}, "duration": 2, "reward": 0.5},
        "saw": {
            "needs": "fetch wood",
            "duration": {"uniform": [2, 5]},
            "skill": "saw",
            "uses": {"bench": 1},
            "consumes": {"wood": 2},
            "produces": {"board": 4},
            "success": 0.8,
            "attempts": 3,
        },
        "glue": {
            "needs": "fetch glue & saw",
            "duration": 8,
            "attended": 1,
            "lags": {"saw": {"min": 1, "max": 9}},
        },
        "paint": {
            "needs": "~packed & (saw | glue)",
            "modes": {"by brush": {"duration": 7}, "by spray": {"duration": 2, "uses": {"room": 2}}},
            "due": 40,
        },
        "lift": {
            "needs": "2 of (saw, glue, paint)",
            "agents": 2,
            "duration": 3,
            "release": 12,
            "deadline": 60,
        },
        "packed": {"needs": "lift", "repeatable": True, "lags": {"packed": {"min": 5, "from": "start"}}},
        "sweep": {
            "duration": {"choice": [1, 4]},
            "attended": 0,
            "lags": {"saw": {"max": 30, "from": "start"}},
        },
        "call": {"duration": "world"},
    },
    "tasks": {
        "prepare": {"all": ["fetch {thing}", "saw"]},
        "join": {"choice": ["glue", {"sequence": ["call", "sweep"]}]},
    },
    "goal": "prepare & join & (packed | lift) & ~call",
    "constraints": ["G (running(lift) -> ~running(sweep))"],
    "events": [
        {"at": 12, "undo": "saw"},
        {"at": 20, "capacity": {"room": 1}},
        {"at": {"uniform": [5, 9]}, "stock": {"wood": -2}},
        {"at": 15, "appear": "sweep"},
    ],
}


def has_colour(picture: np.ndarray, colour: palette.Colour) -> bool:
    """Return whether any pixel has this colour, up to the rounding of a smoothed edge."""
    return bool((np.abs(picture.astype(int) - np.array(colour)) <= 2).all(axis=2).any())


def some_runs(graph: TaskGraph, seed: int, until: int) -> list[RunBar]:
    """Return a made-up schedule with failures, unattended parts and runs under way."""
    rng = np.random.default_rng(seed)
    free = [0] * len(graph.agents)
    runs = []
    for i in map(int, rng.permutation(len(graph.subtasks))):
        agent = int(np.argmin(free))
        start = free[agent] + int(rng.integers(0, 3))
        length = graph.subtasks[i].duration.shortest
        attended = graph.subtasks[i].attended
        busy = start + (length if attended is None else min(attended, length))
        if start <= until:
            over = start + length <= until
            outcome: chart.Outcome = "running" if not over else "failure" if rng.random() < 0.2 else "success"
            runs.append(RunBar(i, (agent,), start, start + length if over else None, busy, outcome))
            free[agent] = busy
    return runs


def some_status(graph: TaskGraph, seed: int) -> list[str]:
    """Return a random status for every subtask."""
    return [str(s) for s in np.random.default_rng(seed).choice(STATUS, len(graph.subtasks))]


def scene_of(
    graph: TaskGraph, seed: int = 0, until: int = 40, width: int = 960, height: int = 720
) -> np.ndarray:
    """Return a scene of a graph in a made-up state."""
    agents = [AgentView(a.name, True, None, until, frozenset()) for a in graph.agents]
    stock = {item.name: item.stock for item in graph.items}
    free = {r.name: r.capacity for r in graph.resources}
    return scene.draw_scene(
        graph,
        some_status(graph, seed),
        some_runs(graph, seed, until),
        until,
        stock,
        free,
        agents,
        "x",
        width,
        height,
    )


@pytest.mark.parametrize("size", [(960, 600), (640, 400), (1200, 300)])
def test_pictures_have_the_size_asked_for(size: tuple[int, int]) -> None:
    """Every picture is [height, width, 3] uint8."""
    width, height = size
    graph = bakery()
    runs = some_runs(graph, 0, 40)
    pictures = (
        drawing.draw_graph(graph, some_status(graph, 0), title="x", width=width, height=height),
        gantt.draw_gantt(graph, runs, time=40, title="x", width=width, height=height),
        scene_of(graph, width=width, height=height),
    )
    for picture in pictures:
        assert picture.shape == (height, width, 3)
        assert picture.dtype == np.uint8
        assert picture.flags.owndata or picture.base is None
    assert gantt.draw_gantt(graph, runs, time=40, width=width).shape[1:] == (width, 3)


def test_drawing_changes_nothing_and_repeats_itself() -> None:
    """Inputs stay as they were, and the same input gives the same bytes, with warm and cold caches."""
    graph, runs, status = tea(), list(TEA_RUNS), list(TEA_STATUS)
    stock, free, events = {"leaves": 2}, {"kettle": 1, "table": 0}, [dict(e) for e in TEA_EVENTS]
    before = copy.deepcopy((graph, runs, status, stock, free, events))

    def draw() -> tuple[bytes, str]:
        args = (graph, status, runs, 15, stock, free, TEA_AGENTS, "tea")
        picture = scene.draw_scene(*args, events=events, reward=1.0, note="goal reached")
        picture[:] = 0
        again = scene.draw_scene(*args, events=events, reward=1.0, note="goal reached")
        return again.tobytes(), draw_text(*args, events=events)

    first = draw()
    assert draw() == first
    drawing._plan.cache_clear()
    drawing._node.cache_clear()
    assert draw() == first
    assert (graph, runs, status, stock, free, events) == before


def test_every_status_has_its_own_colours() -> None:
    """Each status shows its fill and its edge, and no other status shows them."""
    graph = random_graph(6, 1, 2)
    styles = palette.STATUS_STYLE
    assert set(styles) == set(STATUS)
    legend = 40
    for status in STATUS:
        picture = drawing.draw_graph(graph, [status] * 6, width=800, height=400)[:-legend]
        for other, style in styles.items():
            shown = has_colour(picture, style.fill)
            assert shown == (other == status), (status, other)
        assert has_colour(picture, styles[status].edge)


@pytest.mark.parametrize("size", [(120, 40), (50, 24), (12, 12)])
def test_statuses_differ_without_colour(size: tuple[int, int]) -> None:
    """The shape of the icon tells two statuses apart even if all colours looked alike."""
    shapes = {}
    for status in STATUS:
        icon = icons.status_icon(status, max(8, min(13, size[1] - 4)), (0, 0, 0))
        shapes[status] = canvas.pygame_module().image.tobytes(icon.surface, "RGBA")
        node = drawing._node("x", "", (), False, status, None, *size)
        assert node.width > size[0]
    assert len(set(shapes.values())) == len(STATUS)


def test_text_can_be_read_on_every_background() -> None:
    """Text on bars, nodes and plates has a contrast of at least 4.5 (WCAG AA)."""
    for hue in (*palette.GROUP_HUES, palette.OTHER, *palette.OUTCOME_HUE.values()):
        assert palette.contrast(palette.ink_on(hue), hue) >= 4.5
    for style in palette.STATUS_STYLE.values():
        assert palette.contrast(palette.INK, style.fill) >= 7
    locked = palette.STATUS_STYLE["locked"].fill
    assert palette.contrast(palette.mix(palette.INK, locked, 0.3), locked) >= 4.5
    for ink in (palette.MUTED, *scene.EVENT_INK.values()):
        assert palette.contrast(ink, palette.PANEL) >= 4.5


@pytest.mark.parametrize("n", [1, 2, 8, 16, 32, 64, 130, 400])
def test_nodes_neither_overlap_nor_leave_the_picture(n: int) -> None:
    """Boxes of subtasks and glyphs are disjoint and inside, at every size."""
    for seed in range(3):
        graph = random_graph(n, seed, depth=max(2, n // 6))
        area = placing.Box(14, 40, 932, 520)
        shown = diagram.diagram(graph)
        placed = placing.place(shown, area)
        boxes = [b for b in placed.boxes if b.w > 0]
        for b in boxes:
            assert b.x >= -1
            assert b.x + b.w <= 961
            assert b.y >= area.y - 1
            assert b.y + b.h <= area.y + area.h + 1
        for k, b in enumerate(boxes):
            assert not any(b.overlaps(c) for c in boxes[k + 1 :])


@pytest.mark.parametrize("n", [8, 16, 32])
def test_names_can_be_read_up_to_32_subtasks(n: int) -> None:
    """At 960 pixels at least nine names in ten stand there uncut, and boxes are at least 20 high."""
    cut = total = 0
    for seed in range(4):
        shown = diagram.diagram(random_graph(n, seed, 5))
        placed = placing.place(shown, placing.Box(14, 44, 932, 510))
        for node, box in zip(shown.nodes, placed.boxes, strict=True):
            if node.kind != "subtask":
                continue
            assert box.h >= 20
            room = round(box.w) - (25 if box.w >= 84 else 9)
            lines = max(1, min(3, (round(box.h) - 1) // (canvas.text_height(canvas.TINY) + 1)))
            cut += canvas.broken(node.text, canvas.TINY, room, lines)
            total += 1
    assert cut <= 0.1 * total


def test_arrows_start_and_end_at_their_nodes() -> None:
    """Every path begins at the border of its source and ends at that of its target."""
    for graph in (tea(), bakery(), random_graph(16, 2), random_graph(32, 4, 12)):
        shown = diagram.diagram(graph)
        placed = placing.place(shown, placing.Box(14, 40, 932, 520))
        for edge, path in zip(shown.edges, placed.paths, strict=True):
            for (x, y), k in ((path[0], edge.source), (path[-1], edge.target)):
                box = placed.boxes[k]
                assert min(abs(x - box.x), abs(x - box.x - box.w)) < 1
                assert box.y - 1 <= y <= box.y + box.h + 1


def test_gates_become_arrows_and_glyphs() -> None:
    """AND is plain arrows; OR, k of and NOT are told apart; lags carry their window."""
    shown = diagram.diagram(bakery())
    texts = [n.text for n in shown.nodes if n.kind == "gate"]
    assert sorted(texts) == ["2 of 3", "or", "or"]
    assert [n.kind for n in shown.nodes].count("goal") == 1
    names = [n.text for n in shown.nodes]
    edges = {(names[e.source], names[e.target]): e for e in shown.edges}
    assert edges["taste", "pack"].negative
    assert not edges["assemble the cake", "pack"].negative
    assert edges["prove dough", "bake [stone oven]"].lag == "2..12"
    assert edges["light oven", "bake [stone oven]"].lag == ""
    assert edges["light oven", "deliver to the customer"].from_start
    assert edges["or", "assemble the cake"].lag == "≥3"
    assert shown.tags[5] == ("cooldown 5",)
    assert shown.wanted == {11}
    assert [g.title for g in shown.groups] == ["one of: bake"]


def test_frames_hold_their_members_only() -> None:
    """The frame of a choice encloses its members and no other node."""
    shown = diagram.diagram(bakery())
    placed = placing.place(shown, placing.Box(14, 40, 932, 520))
    for group, frame in zip(shown.groups, placed.groups, strict=True):
        assert frame is not None
        inside = {k for k, b in enumerate(placed.boxes) if frame.overlaps(b)}
        assert inside == set(group.members)


def test_cycles_and_self_needs_are_drawn() -> None:
    """Mutual needs, a subtask that needs itself and one that can never start do not upset the layout."""
    file = {"subtasks": {"a": {"needs": "b | a"}, "b": {"needs": "a & ~c"}, "c": {"needs": "~c & b"}}}
    graph = load_task(file).graph
    picture = drawing.draw_graph(graph, ["locked", "eligible", "running"], progress=[None, None, 0.5])
    assert has_colour(picture, palette.FORBIDS)


def test_hidden_subtasks_leave_no_trace() -> None:
    """A picture does not depend on anything of a subtask that has not appeared."""
    one = TaskGraph("t", None, (Agent("a"),), (), (), (), (subtask("seen"), subtask("x" * 40, 9)), (), 0)
    two = TaskGraph("t", None, (Agent("a"),), (), (), (), (subtask("seen"), subtask("y", needs=0)), (), 0)
    status = ["eligible", "unknown"]
    assert np.array_equal(drawing.draw_graph(one, status), drawing.draw_graph(two, status))
    lines = draw_text(two, status, (), 0, {}, {}, ())
    assert "seen" in lines
    assert "unknown" not in lines
    assert drawing.draw_graph(one, ["unknown", "unknown"]).shape == (600, 960, 3)


def test_progress_shows_on_running_subtasks_only() -> None:
    """The share done changes the picture of a running subtask and of no other."""
    graph = tea()

    def draw(status: str, share: float) -> np.ndarray:
        return drawing.draw_graph(graph, [status] * 5, progress=[share] * 5)

    assert not np.array_equal(draw("running", 0.2), draw("running", 0.9))
    assert np.array_equal(draw("done", 0.2), draw("done", 0.9))


def test_a_gantt_chart_puts_bars_where_the_ticks_are() -> None:
    """The pixels of a run's bar have its hue from its start to its end and not beyond."""
    graph = tea()
    whole = gantt._Chart(graph, TEA_RUNS[:3], 20, 960, "group", 20)
    whole.draw("", None)
    row = 24 + gantt.HEIGHTS["head"] + 5
    picture = whole.canvas.array()
    hue = np.array(palette.GROUP_HUES[1], np.uint8)
    inside = picture[row, round(whole.x(1)) + 3 : round(whole.x(2)) - 3]
    assert (inside == hue).all()
    outside = picture[row, round(whole.x(2)) + 2 : round(whole.x(9)) - 2]
    assert not (outside == hue).all(axis=1).any()


def test_unattended_parts_have_lanes_without_overlap() -> None:
    """Parts that run without an agent start when it leaves, and lanes never hold two at once."""
    graph = random_graph(40, 3)
    runs = some_runs(graph, 1, 50)
    lanes = chart.unattended_lanes(graph, runs, 50)
    parts = [b for lane in lanes for b in lane]
    assert {b.run for b in parts} == {
        r for r in runs if r.attended_until < (r.end if r.end is not None else 51)
    }
    assert all(b.start == max(b.run.start, b.run.attended_until) for b in parts)
    for lane in lanes:
        for a, b in itertools.pairwise(lane):
            assert max(a.end, a.ghost or 0) <= b.start


def test_a_record_of_the_past_is_enough_for_what_still_runs() -> None:
    """What is under way is drawn by the task's attended ticks, even if the record ends at the present."""
    graph = tea()
    cut = RunBar(3, (0,), 14, None, 15, "running")
    assert chart.unattended_lanes(graph, [cut], 15) == []
    assert chart.agent_rows(graph, [cut], 15) == [[chart.Bar(cut, 14, 15, True, 16)]]
    just = RunBar(0, (0,), 15, None, 15, "running")
    assert chart.agent_rows(graph, [just], 15) == [[chart.Bar(just, 15, 15, True, 16)]]
    later = RunBar(0, (0,), 12, None, 13, "running")
    assert chart.agent_rows(graph, [later], 15) == [[chart.Bar(later, 12, 13)]]
    assert chart.unattended_lanes(graph, [later], 15) == [[chart.Bar(later, 13, 15, True, 20)]]


def test_resource_blocks_add_up_to_the_use() -> None:
    """At every tick the blocks of a resource are disjoint and sum to the amounts of what runs."""
    graph = random_graph(40, 3)
    runs = some_runs(graph, 2, 60)
    for index, row in enumerate(chart.resource_rows(graph, runs, 60)):
        for tick in range(60):
            held = [b for b in row.blocks if b.start <= tick < b.end]
            units = [u for b in held for u in range(b.low, b.high)]
            assert len(units) == len(set(units))
            running = [r for r in runs if r.start <= tick < (r.end if r.end is not None else 60)]
            assert len(units) == sum(
                a for r in running for k, a in graph.subtasks[r.subtask].uses if k == index
            )


def test_capacity_events_step_when_they_are_known() -> None:
    """A capacity changes in the chart at its tick, and not before if nobody may know."""
    base = tea()
    event = Event("capacity", (20, 20), False, (0,), (0,))
    graph = TaskGraph(**{**{f: getattr(base, f) for f in base.__dataclass_fields__}, "events": (event,)})
    assert chart.resource_rows(graph, (), 19)[0].steps == ((0, 1),)
    assert chart.resource_rows(graph, (), 20)[0].steps == ((0, 1), (20, 0))


def test_lags_open_the_windows_that_starts_used() -> None:
    """The window of a lag is anchored at the completion that a start relied on, and at the latest one."""
    graph = tea()
    again = (*TEA_RUNS, RunBar(0, (0,), 20, 28, 21, "success"))
    row = next(w for w in chart.window_rows(graph, again, 30) if w.words)
    assert row.words == "≤6 after end of boil water"
    assert row.bands == (chart.Band(8, 8, 14), chart.Band(28, 28, 34))
    windows = [w for w in chart.window_rows(graph, again, 30) if not w.words]
    assert [(w.subtask, w.release, w.deadline, w.due) for w in windows] == [
        (3, 0, 40, 25),
        (4, 5, None, None),
    ]


def test_labels_of_bars_do_not_overlap() -> None:
    """Names beside bars keep clear of other bars and of each other."""
    for seed in range(6):
        graph = random_graph(40, seed)
        runs = some_runs(graph, seed, 70)
        for lane in (*chart.agent_rows(graph, runs, 70), *chart.unattended_lanes(graph, runs, 70)):

            def x(tick: float) -> float:
                return 100 + tick * 11.5

            edges = [bars.bar_edges(b, x) for b in lane]
            spans: list[tuple[float, float]] = []
            for label in bars.place_labels(lane, graph.names, x, 960):
                if label.place == "beside":
                    a, b = label.x, label.x + canvas.text_width(label.words, canvas.SMALL)
                    assert not any(a < right - 0.5 and left + 0.5 < b for left, right in edges)
                    assert not any(a < right and left < b for left, right in spans)
                    spans.append((a, b))


def test_failed_and_running_bars_are_marked() -> None:
    """A failure is crossed in its own colour, and the rest of a run under way is pale."""
    graph = tea()
    failed = gantt.draw_gantt(graph, TEA_RUNS[3:4], time=20)
    fine = gantt.draw_gantt(graph, (RunBar(4, (0,), 10, 13, 13, "success"),), time=20)
    area = slice(24, 75)
    assert has_colour(failed[area], palette.VERMILLION)
    assert not has_colour(fine[area], palette.VERMILLION)
    pale = palette.mix(palette.GROUP_HUES[0], palette.WHITE, 0.82)
    assert has_colour(gantt.draw_gantt(graph, (RunBar(0, (0,), 0, None, 8, "running"),), time=3), pale)


def test_the_time_axis_has_round_ticks_and_seldom_rescales() -> None:
    """Steps are 1, 2 or 5 times a power of ten; over an animation the axis changes a few times only."""
    for span in (1, 7, 60, 900, 123456):
        step = chart.nice_step(span, 12)
        assert span <= 12 * step
        assert str(step).rstrip("0") in ("1", "2", "5")
    spans = [chart.chart_span(tea(), (), t, steady=True) for t in range(60)]
    assert spans == sorted(spans)
    assert len(set(spans)) <= 4
    assert all(s > t for t, s in enumerate(spans))


def test_groups_get_their_own_hues() -> None:
    """Parts of a combined task and large compositions are coloured as groups, and named in the legend."""
    jobs = {f"{j}{k}": {"uses": {"m": 1}} for j in "abc" for k in "12"}
    tasks = {f"job {j}": {"sequence": [f"{j}1", f"{j}2"]} for j in "abc"}
    graph = load_task({"subtasks": jobs, "tasks": tasks, "resources": {"m": 1}}).graph
    colours, legend = chart.hues(graph)
    assert [name for _, name in legend] == ["job a", "job b", "job c"]
    assert colours[graph.index("a1")] == colours[graph.index("a2")] != colours[graph.index("b1")]


GOLDEN = """\
tea for two
time 15 of 60   reward 1   on the way
────────────────────────────────────────────────────────────────────────────────
#  subtask     status     0         5         10        15
0  boil water  ✓ done     ██░░░░░░░░░░░░░░              ┊
1  warm pot    ✓ done       ██                          ┊
2  brew        ✓ done                       ██░░░░░░    ┊
3  serve       > running                              ██┄┄
4  tidy up     ○ eligible                     ××××××    ┊
────────────────────────────────────────────────────────────────────────────────
agents  agent 0: serve until 16
free    kettle 1 of 1, table 0 of 1
stock   leaves 2, tea 1
events  13 success brew, 14 start serve
█ attended  ░ unattended  ┄ still to run  × failed  ! deadline  ┊ now
"""


def test_text_for_a_small_task_is_as_pinned() -> None:
    """The text of a small task is exactly this."""
    text = draw_text(
        tea(),
        TEA_STATUS,
        TEA_RUNS,
        15,
        {"leaves": 2, "tea": 1},
        {"kettle": 1, "table": 0},
        TEA_AGENTS,
        "tea for two",
        events=TEA_EVENTS,
        reward=1.0,
        note="on the way",
        width=80,
    )
    assert text == GOLDEN


def test_text_stays_within_its_columns() -> None:
    """No line is wider than asked for, with wide characters, many subtasks and many agents too."""
    names = ("切菜和煮饭的长长的名字一二三四五六七八九十", "é́ combined", "tab\there")
    wide = TaskGraph("t", 9, (Agent("a"),), (), (), (), tuple(subtask(n) for n in names), (), None)
    graphs = [wide, bakery(), random_graph(8, 0), random_graph(120, 0), load_task(EVERYTHING).graph]
    for graph in graphs:
        agents = [AgentView(f"agent {k}", True, None, 0, frozenset()) for k in range(60)]
        free = {r.name: 0 for r in graph.resources}
        stock = {f"item number {k}": k for k in range(40)}
        args = (graph, some_status(graph, 1), some_runs(graph, 1, 30), 30, stock, free, agents, "t" * 200)
        lines = draw_text(*args).splitlines()
        assert max(map(columns, lines)) <= 100
        assert len(lines) <= 70
    assert columns(pad("切菜切菜", 5)) == 5


@pytest.mark.parametrize("n", [1, 3, 16, 32, 100, 300])
def test_random_graphs_are_drawn_in_every_way(n: int) -> None:
    """Scene, chart and text take any graph, also in small pictures and with everything under way."""
    for seed in range(4):
        graph = random_graph(n, seed, depth=1 + seed * 3)
        until = 10 + 15 * seed
        assert scene_of(graph, seed, until).shape == (720, 960, 3)
        assert scene_of(graph, seed, until, width=320, height=240).shape == (240, 320, 3)
        runs = some_runs(graph, seed, until)
        assert gantt.draw_gantt(graph, runs, time=until, width=640).ndim == 3
        assert gantt.draw_gantt(graph, (), time=0, width=200, height=60).shape == (60, 200, 3)
        assert draw_text(graph, some_status(graph, seed), runs, until, {}, {}, ())


def test_a_task_that_uses_every_field_is_drawn() -> None:
    """A file with families, modes, choices, lags, events, skills and constraints passes through all."""
    graph = load_task(EVERYTHING).graph
    for seed in range(3):
        assert scene_of(graph, seed).shape == (720, 960, 3)
    status = ["unknown" if k % 2 else "done" for k in range(len(graph.subtasks))]
    assert drawing.draw_graph(graph, status, title="half of it").shape == (600, 960, 3)


@pytest.mark.parametrize("seed", range(40))
def test_random_task_files_are_drawn(seed: int) -> None:
    """Tasks that together use the whole language go through every picture."""
    graph = load_task(random_task(seed)).graph
    assert scene_of(graph, seed, 5 + seed).shape == (720, 960, 3)
    hidden = ["unknown" if k % 3 == seed % 3 else "locked" for k in range(len(graph.subtasks))]
    assert drawing.draw_graph(graph, hidden, width=700, height=300).shape == (300, 700, 3)
    runs = some_runs(graph, seed, 5 + seed)
    assert gantt.draw_gantt(graph, runs, time=5 + seed).shape[2] == 3
    assert max(map(columns, draw_text(graph, hidden, runs, 9, {}, {}, ()).splitlines())) <= 100


@pytest.mark.parametrize("seed", range(60, 90))
def test_random_task_files_stay_tidy(seed: int) -> None:
    """Boxes are disjoint, arrows stay inside the picture, frames hold their members only, cycles or not."""
    shown = diagram.diagram(load_task(random_task(seed, size=8 + seed % 17)).graph)
    placed = placing.place(shown, placing.Box(14, 44, 932, 500))
    for k, b in enumerate(placed.boxes):
        assert not any(b.overlaps(c) for c in placed.boxes[k + 1 :])
    for x, y in itertools.chain.from_iterable(placed.paths):
        assert 0 <= x <= 960
        assert 0 <= y <= 600
    for group, frame in zip(shown.groups, placed.groups, strict=True):
        if frame is not None:
            assert {k for k, b in enumerate(placed.boxes) if frame.overlaps(b)} == set(group.members)


def test_items_with_many_makers_meet_at_a_plate() -> None:
    """Three makers and three takers of one item are joined by six arrows, not nine."""
    makers = {f"make {k}": {"produces": {"egg": 1}} for k in range(3)}
    takers = {f"take {k}": {"consumes": {"egg": 2}} for k in range(3)}
    shown = diagram.diagram(load_task({"subtasks": {**makers, **takers}}).graph)
    assert [n.text for n in shown.nodes if n.kind == "item"] == ["egg"]
    assert len(shown.edges) == 6
    assert sorted(e.item for e in shown.edges) == ["", "", "", "2", "2", "2"]


def test_items_lead_from_maker_to_taker() -> None:
    """Who makes what another takes is an arrow of its own, with the item's name."""
    file = {
        "items": {"flour": 3},
        "subtasks": {
            "mill": {"produces": {"flour": 1}},
            "oven": {},
            "bake": {"consumes": {"flour": 2}, "needs": "oven"},
        },
    }
    shown = diagram.diagram(load_task(file).graph)
    assert shown.edges == (
        diagram.Edge(1, 2),
        diagram.Edge(0, 2, item="2 flour", needed=False),
    )


def test_a_task_without_subtasks_or_runs_is_drawn() -> None:
    """Nothing to show is no error."""
    empty = TaskGraph("empty", None, (Agent("a"),), (), (), (), (), (), None)
    assert scene_of(empty).shape == (720, 960, 3)
    assert gantt.draw_gantt(empty, (), time=0).shape[1] == 960
    assert "time 0" in draw_text(empty, (), (), 0, {}, {}, ())


def test_widths_of_text_hold() -> None:
    """What is measured before drawing is what the text takes, but for kerning, and cut text fits."""
    for string in ("boil water", "AVATAR Tomato", "2..12 after end of x", "wéiß ≥3", "茶", "", "a\tb"):
        for size in (canvas.TINY, canvas.SMALL, canvas.BODY, canvas.TITLE):
            measured = canvas.text_width(string, size)
            drawn = canvas.Canvas(400, 40).text(0, 0, string, size)
            assert abs(measured - drawn) <= 1 + len(string) // 4, (string, size)
            for width in (8, 20, 60):
                assert canvas.text_width(canvas.fit(string, size, width), size) <= width


def test_pictures_survive_somebody_elses_pygame_quit() -> None:
    """Fonts are loaded again when another package has shut pygame down."""
    pygame = canvas.pygame_module()
    first = scene_of(bakery())
    pygame.quit()
    assert np.array_equal(scene_of(bakery()), first)
    pygame.quit()
    pygame.font.init()
    canvas._written.cache_clear()
    drawing._node.cache_clear()
    assert np.array_equal(scene_of(bakery()), first)


def test_a_window_shows_closes_and_leaves_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a screen the dummy driver is used for a moment; closing twice and quit events do no harm."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    pygame = canvas.pygame_module()
    frame = np.full((60, 80, 3), 7, np.uint8)
    first, second = scene.Window("a", fps=0), scene.Window("b", fps=0)
    assert first.show(frame)
    assert second.show(frame[:30])
    assert "SDL_VIDEODRIVER" not in os.environ
    assert (
        pygame.surfarray.array3d(pygame.display.get_surface()).transpose(1, 0, 2).tolist()
        == frame[:30].tolist()
    )
    first.close()
    first.close()
    assert not first.show(frame)
    assert second.show(frame)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert not second.show(frame)
    assert second.closed
    second.close()
    assert not pygame.display.get_init()
    never = scene.Window()
    never.close()
    assert not never.show(frame)


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    """A png holds the very pixels, a gif its frames, and a failed write leaves nothing behind."""
    from PIL import Image

    picture = scene_of(tea())
    path = images.save_png(picture, tmp_path / "deep" / "scene.png")
    with Image.open(path) as file:
        assert np.array_equal(np.asarray(file.convert("RGB")), picture)
    movie = images.save_gif((scene_of(tea(), until=t) for t in (1, 5, 9)), tmp_path / "scene.gif", 5)
    with Image.open(movie) as file:
        assert getattr(file, "n_frames", 1) == 3
        frame = np.asarray(file.convert("RGB"))
    small = images.save_png(picture, tmp_path / "deep" / "small.png", colours=160)
    with Image.open(small) as file:
        reduced = np.asarray(file.convert("RGB"))
    assert small.stat().st_size < path.stat().st_size
    for style in palette.STATUS_STYLE.values():
        assert has_colour(frame, style.edge)
        assert has_colour(reduced, style.edge)
    with pytest.raises(ValueError, match="at least one frame"):
        images.save_gif([], tmp_path / "none.gif", 5)
    with pytest.raises((TypeError, ValueError, KeyError)):
        images.save_png(np.zeros((2, 2, 7), np.uint8), tmp_path / "bad.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", "scene.gif"]
    assert sorted(p.name for p in path.parent.iterdir()) == ["scene.png", "small.png"]


def test_pygame_is_imported_on_first_use_only() -> None:
    """Importing the modules of this room does not import pygame, and its greeting never appears."""
    code = (
        "import sys; from stratagym.envs.render import scene, gantt, drawing, text, images; "
        "assert 'pygame' not in sys.modules; import os; before = dict(os.environ); "
        "from stratagym.envs.render.canvas import Canvas; Canvas(4, 4).text(0, 0, 'x'); "
        "assert dict(os.environ) == before"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_scenes_are_drawn_at_thirty_frames_a_second() -> None:
    """With 32 subtasks a frame takes less than a thirtieth of a second once the layout stands."""
    graph = random_graph(32, 3, 6)
    scene_of(graph)
    began = clock.process_time()
    for k in range(60):
        scene_of(graph, seed=k, until=k)
    rate = 60 / (clock.process_time() - began)
    print(f"{rate:.0f} frames a second")
    assert rate >= 30
