"""The grid's kernel does what the naive second implementation does, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from random_grids import random_grid
from random_tasks import random_task
from reference_grid import BUSY, REFUSED, WAIT, ReferenceGrid
from stratagym.envs.api.lanes import (
    SET_EVENTS,
    SET_MODE,
    SET_PINNED,
    SETTINGS,
    Lanes,
    Outputs,
    modules_of,
)
from stratagym.envs.step import Model
from stratagym.envs.task import kernel
from stratagym.envs.task import layout as at
from stratagym.envs.task.compile import compile_graph, dims_of
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.linking import link
from stratagym.envs.task.nodes import has, u64
from stratagym.envs.task.simulate import Simulator, empty_lane, event_rows
from stratagym.envs.task.spec import load_task
from stratagym.envs.task.starts import idle, refresh
from stratagym.envs.task.view import REFUSALS
from stratagym.envs.worlds import grid, grid_kernel, playable, sites
from stratagym.envs.worlds.grid import BodySpec, EventSpec, GridScene, GridSpec, LegendSpec
from stratagym.envs.worlds.rules import EffectSpec, FixtureSpec, RuleSpec, ThingSpec
from stratagym.envs.worlds.scene import SceneError

HOOKS = link(modules_of(grid_kernel), ("play_step", "world_reset", "world_mask", "world_view"))


def playable_task(seed: int) -> dict[str, Any] | None:
    """Return a random task that can be played on a grid, None for a seed that draws none."""
    mapping = random_task(seed)
    graph = load_task(mapping).graph
    if any(s.duration.kind == "world" for s in graph.subtasks):
        return None
    return {**mapping, "horizon": graph.horizon or 60}


def loaded(mapping: dict[str, Any], task: Any) -> tuple[GridScene, str | None]:
    """Return a scene even if some subtask can never be played in it, and what is said of that."""
    refused: list[str] = []
    judge = playable.judge

    def lenient(scene: Any) -> int:
        try:
            return judge(scene)
        except SceneError as error:
            refused.append(str(error))
            return 1

    grid.playable.judge = lenient
    try:
        return grid.load(mapping, task), refused[0] if refused else None
    finally:
        grid.playable.judge = judge


def lane(graph: TaskGraph, scene: GridScene, seed: int) -> at.Memory:
    """Return a lane at reset."""
    room = grid_kernel.room(scene.sizes())
    dims = dims_of([graph])._replace(world_ints=room.ints, world_state=room.state, world_rows=room.rows)
    t, tb = compile_graph(graph, dims, scene.compile(scene.sizes(), dims.subtasks))
    m = empty_lane(t, tb)
    kernel.reset_lane(m, u64(seed))
    HOOKS["world_reset"](m)
    return m


def reference(mapping: dict[str, Any], graph: TaskGraph, seed: int) -> ReferenceGrid:
    """Return the naive grid at reset."""
    items = [item.name for item in graph.items]

    def amounts(pairs: Any) -> dict[str, int]:
        return {items[k]: amount for k, amount in pairs}

    def most(s: Any) -> dict[str, int]:
        both = [amounts(s.consumes), amounts(s.requires)]
        return {item: max(part.get(item, 0) for part in both) for part in both for item in part}

    return ReferenceGrid(
        mapping,
        list(graph.names),
        len(graph.agents),
        {s.name: s.agents for s in graph.subtasks},
        {item.name: item.stock for item in graph.items},
        {s.name: most(s) for s in graph.subtasks},
        {s.name: amounts(s.consumes) for s in graph.subtasks},
        {s.name: amounts(s.produces) for s in graph.subtasks},
        seed,
    )


def compare(m: at.Memory, scene: GridScene, naive: ReferenceGrid) -> None:
    """Assert that the lane and the naive grid show the same place."""
    view = scene.look(m, scene.graph, None, "full", fog=False)
    for x, y in naive.cells:
        assert scene.fixtures.names[view.fixtures[y, x]] == naive.fixture[x, y], (x, y)
        assert scene.things.names[view.things[y, x]].replace("nothing", "none") == naive.thing[x, y], (x, y)
        assert ((x, y) in view.busy) == naive.busy((x, y)), (x, y)
    for a, body in enumerate(view.bodies):
        assert body.at == naive.at[a]
        assert body.facing == naive.facing[a]
        assert body.message == naive.word[a]
        assert m.s[sites.body_of(m, a) + sites.UNTIL] == naive.free_at[a]
        if scene.hands:
            assert scene.things.names[body.hand or 0].replace("nothing", "none") == naive.hand[a]
        if scene.inventory:
            assert dict(body.stock) == naive.own[a]
        if scene.vitals:
            assert dict(body.vitals) == naive.vitals[a]
        assert body.down == naive.down[a]


def shown(m: at.Memory, scene: GridScene) -> list[list[int]]:
    """Return the masks of all agents."""
    columns = len(scene.actions) + 1
    found = [[0] * columns for _ in scene.bodies]
    for a, row in enumerate(found):
        HOOKS["world_mask"](m, a, row, 0)
    return found


class Episode:
    """One episode on both, compared after every step."""

    def __init__(self, seed: int) -> None:
        mapping = playable_task(seed)
        self.skipped, self.steps = mapping is None, 0
        self.seen, self.started = set[str](), set[str]()
        if mapping is None:
            return
        task = load_task(mapping)
        self.graph = task.graph
        self.mapping = random_grid(seed, self.graph)
        self.scene, self.refused = loaded(self.mapping, task)
        self.m = lane(self.graph, self.scene, seed)
        self.naive = reference(self.mapping, self.graph, seed)
        self.sim = Simulator(self.graph, seed)
        self.rng = np.random.default_rng(seed)

    def facts(self) -> tuple[list[bool], list[list[int]]]:
        """Return who is idle and what the graph lets each start."""
        agents, lane = range(len(self.graph.agents)), self.sim.memory
        self.naive.hidden = {name for i, name in enumerate(self.graph.names) if has(lane, at.UNKNOWN, i)}
        return [bool(idle(lane, a)) for a in agents], self.sim.mask().tolist()

    def play(self, steps: int) -> int:
        """Play some steps; return how many were taken."""
        compare(self.m, self.scene, self.naive)
        for k in range(steps):
            if self.sim.over is not None:
                return k
            self.step()
        return steps

    def step(self) -> None:
        """Take one step on both and compare."""
        m, naive, clock = self.m, self.naive, self.sim.time
        free, can = self.facts()
        masks = [naive.mask(a, clock, free, can) for a in range(naive.agents)]
        assert shown(m, self.scene) == masks
        actions = [self.choose(mask) for mask in masks]
        attempts = naive.act(actions, clock, free, can)
        wait = len(self.graph.subtasks)
        self.sim.step([naive.subtasks.index(x) if x in naive.subtasks else wait for x in attempts])
        refusals = [
            {WAIT: None, BUSY: "busy", REFUSED: "world"}.get(x, r)
            for x, r in zip(attempts, self.sim.refusals, strict=True)
        ]
        naive.told = []
        self.apply(clock)
        spare = at.Memory(m.t, m.tb, m.s[:], m.sb[:], m.x, m.xb)
        HOOKS["play_step"](m, spare, spare, actions, [0] * naive.agents, kernel.TICK_CLOCK)
        codes = [m.x[m.t[at.X_REFUSALS] + a] for a in range(naive.agents)]
        assert codes == [0 if r is None else at_refusal(r) for r in refusals]
        rows = [row for row in event_rows(m) if row[1] < at.E_MOVE]
        assert rows == [tuple(row) for row in event_rows(self.sim.memory)]
        told = [
            (t, at.EVENT_WORDS[kind], what, who) for t, kind, what, who in event_rows(m) if kind >= at.E_MOVE
        ]
        words = [
            (t, kind, what if kind == "harm" else self.scene.names(kind)[what], who)
            for t, kind, what, who in told
        ]
        assert words == naive.told
        assert m.s[at.CLOCK] == self.sim.time
        assert m.s[at.OVER] == self.sim.memory.s[at.OVER]
        self.seen |= {kind for _, kind, _, _ in naive.told} | {str(r) for r in refusals}
        self.seen |= {naive.actions[k][0] for k, x in zip(actions, attempts, strict=True) if x == WAIT}
        compare(m, self.scene, naive)

    def choose(self, mask: list[int]) -> int:
        """Return an action: mostly an allowed one, and mostly not just a move."""
        if self.rng.random() < 0.15:
            return int(self.rng.integers(len(mask)))
        allowed = [k for k, may in enumerate(mask) if may]
        better = [k for k in allowed if 4 <= k < len(mask) - 1]
        return int(self.rng.choice(better if better and self.rng.random() < 0.6 else allowed))

    def apply(self, clock: int) -> None:
        """Have the naive grid take in what the graph says, and go on by itself where time did."""
        sim, naive = self.sim, self.naive
        rows = event_rows(sim.memory)
        names = list(self.graph.names)
        first = [row for row in rows if row[1] in (at.E_START, at.E_JOIN)]
        for _, kind, what, who in first:
            if kind == at.E_START:
                self.started.add(names[what])
                naive.begun(names[what], who)
        if sim.time > clock:
            naive.pass_tick(sim.time)
        for _, kind, what, _ in rows[len(first) :]:
            if kind == at.E_SUCCESS:
                naive.ended(names[what], "success")
            elif kind == at.E_FAILURE:
                naive.ended(names[what], "failure")
            elif kind in (at.E_SPOIL, at.E_UNDO):
                naive.undone(names[what])
            elif kind == at.E_UNDO + at.X_STOCK:
                item = self.graph.items[what - sim.memory.t[at.T_RESOURCES]].name
                naive.settle(item, sim.stock()[item])
        m = sim.memory
        out = [m.t[at.Q_AGENTS] + a * at.AGENT_SIZE + at.DOWN_UNTIL for a in range(naive.agents)]
        fell = [q for q, down in zip(out, naive.down, strict=True) if down and m.s[q] < at.FAR]
        for q in fell:
            m.s[q] = at.FAR
        refresh(m)
        if fell:
            # The end is judged after all that the tick has brought.
            m.s[at.OVER] = 0
            kernel.judge(m, at.Memory(m.t, m.tb, m.s[:], m.sb[:], m.x, m.xb))


def at_refusal(reason: str) -> int:
    """Return the code of a refusal."""
    return REFUSALS.index(reason) + 1


def play(seed: int, steps: int) -> Episode:
    """Return an episode that was played on both."""
    episode = Episode(seed)
    if not episode.skipped:
        episode.steps = episode.play(steps)
        played = {episode.graph.names[i] for i in playable.attemptable(episode.scene)}
        assert episode.started <= played, "what nobody can ever attempt was started"
    return episode


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.integers(0, 10**9))
def test_kernel_equals_reference(seed: int) -> None:
    """Positions, hands, stocks, layers, masks, refusals and events agree after every step."""
    play(seed, 30)


def test_random_play_meets_everything() -> None:
    """In the episodes that are compared all that can happen on a grid does."""
    seen: set[str] = set()
    for seed in range(150):
        seen |= play(seed, 30).seen
    assert seen >= {
        "move",
        "carry",
        "share",
        "say",
        "lock",
        "unlock",
        "block",
        "clear",
        "harm",
        "busy",
        "world",
    }


def test_random_scenes_use_every_field() -> None:
    """Together the random scenes say all that a scene can say."""
    fields: set[str] = set()

    def collect(value: Any) -> None:
        for entry in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            collect(entry)
        fields.update(value if isinstance(value, dict) else ())

    for seed in range(60):
        mapping = playable_task(seed)
        if mapping is not None:
            collect(random_grid(seed, load_task(mapping).graph))
    models = (GridSpec, LegendSpec, BodySpec, EventSpec, FixtureSpec, ThingSpec, RuleSpec, EffectSpec)
    assert {name for model in models for name in model.model_fields} - fields == set()


@pytest.mark.slow
@pytest.mark.timeout(3600)  # two minutes of work, which may be ten where much else is going on
def test_kernel_equals_reference_at_length() -> None:
    """Five thousand episodes agree."""
    steps = starts = 0
    for seed in range(5000):
        episode = play(seed, 40)
        steps += episode.steps
        starts += len(episode.started)
    assert steps > 50_000
    assert starts > 4_000


def family(seeds: range) -> Model:
    """Return random tasks in random scenes as one family."""
    tasks, scenes = [], []
    for seed in seeds:
        mapping = playable_task(seed)
        if mapping is not None:
            tasks.append(load_task(mapping))
            scenes.append(loaded(random_grid(seed, tasks[-1].graph), tasks[-1])[0])
    return Model("grids", len(tasks), tasks.__getitem__, scene=scenes.__getitem__)


def test_compiled_equals_interpreted() -> None:
    """Both executors leave the same state, views, masks, refusals and events after every step."""
    model = family(range(300, 330))
    count = 2 * model.count
    lanes = [make_lanes(model, count, executor) for executor in ("interpreted", "compiled")]
    rng = np.random.default_rng(5)
    shown = [pair.reset(range(count)) for pair in lanes]
    compare_outputs(*shown)
    for _ in range(40):
        actions = rng.integers(0, model.room.actions + 1, (count, model.agents)).astype(np.int32)
        shown = [pair.step(actions) for pair in lanes]
        compare_outputs(*shown)
        assert np.array_equal(np.array(lanes[0].s)[:count], lanes[1].s[:count])


def make_lanes(model: Model, count: int, executor: Any) -> Lanes:
    """Return lanes of a family that show the flat view."""
    settings = [0] * SETTINGS
    settings[SET_MODE], settings[SET_EVENTS], settings[SET_PINNED] = kernel.TICK_CLOCK, 1, -1
    lanes = Lanes(model, count, settings, [], 2, executor)
    for lane_index in range(count):
        lanes.seed(lane_index, 1000 + lane_index)
    return lanes


def compare_outputs(one: Outputs, other: Outputs) -> None:
    """Assert that two batches show the same."""
    for name in ("obs", "mask", "refusals", "flags", "ints"):
        assert np.array_equal(np.array(getattr(one, name)), np.array(getattr(other, name))), name
    rows = [np.array(out.events, np.int32).reshape(-1, 5) for out in (one, other)]
    assert np.array_equal(*rows)
