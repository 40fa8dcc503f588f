"""The ``graph`` view: nodes and typed edges as padded arrays, for graph networks.

Owns its space, the padding, and what moves: how a lane is written into the nodes that
``graph_parts`` makes of a task. Keys (V nodes, E edges, F and K columns):

- ``nodes`` ``[V, F]`` float32, columns ``GraphView.node_columns``; node ``i`` is subtask ``i``,
  which action ``i`` starts; the other kinds follow in blocks (``GraphView.blocks``);
- ``node_kind`` ``[V]`` int8 (``NODE_KINDS``) and ``node_mask`` ``[V]`` int8, both 0 in padding;
- ``edges`` ``[2, E]`` int32, source over target; ``edge_kind`` ``[E]`` int8 (``EDGE_KINDS``),
  ``edge_features`` ``[E, K]`` float32 (``GraphView.edge_columns``), ``edge_mask`` ``[E]`` int8;
- ``time`` float32: the clock, and under ``full`` the ticks left (-1 without a horizon);
- ``automaton_next`` ``[C, S, L]`` int16 (one more than the next state, by letter) and
  ``automaton_states`` ``[C, S]`` int8 (1, +1 if accepting, +2 if dead), where there are formulas.

Numbers are ticks and amounts as they are; -1 stands for "none". What has not appeared is
absent, and so are events that nobody knows of. Under ``structure`` there are no times,
probabilities, automata and events; under ``none`` there are only ``nodes`` (done, running,
eligible, in the order drawn by the seed), ``node_mask`` and ``time``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from gymnasium import spaces

from stratagym.envs.step import Model
from stratagym.envs.task import kernel
from stratagym.envs.task import layout as at
from stratagym.envs.task.graph import TRUE, Automaton, Duration, TaskGraph
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.starts import shortest
from stratagym.envs.task.view import Knowledge
from stratagym.envs.views.graph_facts import COLUMNS, SUBTASK_MOVING, Facts, certified, facts_of
from stratagym.envs.views.graph_parts import (
    EDGE_KINDS,
    EDGE_NUMBERS,
    NODE_KINDS,
    NUMBERS,
    Parts,
    duration_numbers,
    numbers_of,
    parts_of,
)

Obs = dict[str, np.ndarray[Any, Any]]


class Ordered(Protocol):
    """An order of the subtasks: ``shown[k]`` stands at place ``k``."""

    shown: list[int]


class Fixed(NamedTuple):
    """The static part of one task with a given set of hidden subtasks, padded."""

    graph: TaskGraph
    hidden: frozenset[int]
    parts: Parts
    arrays: Obs
    moving_durations: bool
    moving_capacities: bool
    lengths: Any  # [N] shortest durations at reset
    attempts: Any  # [N], -1 for any number
    thresholds: Any  # [G] of all gates, FAR in padding
    truths: Any  # [V] what of ``GraphView._truth`` says that a node is done
    levels: Any  # [V] what of a lane's state is the level of a node, -1 for nothing


class GraphView:
    """Writes the graph view of the tasks of one family.

    Args:
        dims: the padded shape.
        facts: what the tasks have in common.
        knowledge: what is granted.

    Attributes:
        node_columns: names of the columns of ``nodes``.
        edge_columns: names of the columns of ``edge_features``.
        blocks: kind of node -> its first place and how many there are.
        space: of the observation.
    """

    def __init__(self, dims: at.Dims, facts: Facts, knowledge: Knowledge) -> None:
        self.knowledge: Knowledge = knowledge
        self.node_columns = tuple(name for name in COLUMNS if name in facts.kept)
        self.edge_columns = tuple(name for name in EDGE_NUMBERS if name in facts.kept)
        sizes = dict(facts.sizes)
        full = knowledge == "full"
        counts = {
            "subtask": dims.subtasks,
            "gate": dims.gates,
            "resource": dims.resources,
            "item": dims.items,
            "agent": dims.agents,
            "branch": sizes.get("branches", 0),
            "automaton": dims.constraints if full else 0,
            "event": sizes.get("events", 0),
            "goal": 1,
        }
        if knowledge == "none":
            counts = {"subtask": dims.subtasks}
        self.blocks: dict[str, tuple[int, int]] = {}
        self._nodes = 0
        for kind, size in counts.items():
            self.blocks[kind] = (self._nodes, size)
            self._nodes += size
        # What agents attend to comes last.
        self._edges = sizes.get("edges", 0) + dims.agents
        self._tables = (0, 0, 0)
        if full and dims.constraints and "tables" in facts.kept:
            self._tables = (dims.constraints, sizes["states"], sizes["letters"])
        self._column = {name: k for k, name in enumerate(self.node_columns)}
        moving = [name for name in self.node_columns if name in SUBTASK_MOVING]
        self._moving = [(name, self._column[name]) for name in moving]
        self._dims, self._places = dims, at.positions(dims)
        self._fixed: dict[int, Fixed] = {}
        self.space = self._space()

    @classmethod
    def of(cls, model: Model, knowledge: Knowledge) -> GraphView:
        """Return the view of a model's tasks; it is made once for each knowledge.

        Without a certificate that speaks of graph views, all tasks are looked at.
        """
        made = _views.setdefault(model, {})
        if knowledge not in made:
            facts = certified(model, knowledge)
            if facts is None:
                facts = facts_of([model.loaded(k).graph for k in range(model.count)], knowledge)
            made[knowledge] = cls(model.dims, facts, knowledge)
        return made[knowledge]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fixed": {}}

    def _space(self) -> spaces.Dict:
        def numbers(*shape: int) -> spaces.Box:
            return spaces.Box(-np.inf, np.inf, shape, np.float32)

        def codes(high: int, *shape: int, dtype: Any = np.int8) -> spaces.Box:
            return spaces.Box(0, high, shape, dtype)

        v, e = self._nodes, self._edges
        parts: dict[str, spaces.Space[Any]] = {
            "nodes": numbers(v, len(self.node_columns)),
            "node_mask": codes(1, v),
            "time": numbers(2 if self.knowledge == "full" else 1),
        }
        if self.knowledge != "none":
            parts["node_kind"] = codes(len(NODE_KINDS) - 1, v)
            parts["edges"] = codes(v - 1, 2, e, dtype=np.int32)
            parts["edge_kind"] = codes(len(EDGE_KINDS) - 1, e)
            parts["edge_mask"] = codes(1, e)
            if self.edge_columns:
                parts["edge_features"] = numbers(e, len(self.edge_columns))
        if self._tables[0]:
            parts["automaton_next"] = codes(self._tables[1], *self._tables, dtype=np.int16)
            parts["automaton_states"] = codes(4, *self._tables[:2])
        return spaces.Dict(parts)

    # -------------------------------------------------------------- what stands

    def fixed(self, graph: TaskGraph, hidden: frozenset[int] = frozenset()) -> Fixed:
        """Return what stands of a task while the same subtasks are hidden (shared: copy before writing)."""
        known = self._fixed.get(id(graph))
        if known is None or known.graph is not graph or known.hidden != hidden:
            known = self._fixed[id(graph)] = self._fix(graph, hidden)
        return known

    def _fix(self, graph: TaskGraph, hidden: frozenset[int]) -> Fixed:
        arrays: Obs = {
            name: np.zeros(space.shape or (), space.dtype)
            for name, space in self.space.spaces.items()
        }  # fmt: skip
        numbers = self._numbers_of(graph)
        if self.knowledge == "none":
            for k in range(len(graph.subtasks)):
                arrays["node_mask"][k] = k not in hidden
            return Fixed(graph, hidden, Parts({}, [], [], [], []), arrays, False, False, *numbers, [], [])
        parts = parts_of(graph, self.knowledge, hidden)
        for kind, rows in parts.rows.items():
            self._fix_nodes(arrays, kind, rows, hidden if kind == "subtask" else frozenset())
        self._fix_edges(arrays, parts)
        if self._tables[0]:
            self._fix_tables(arrays, [graph.constraints[c].automaton for c in parts.automata])
        kinds = {e.kind for e in graph.events}
        moving = "duration" in kinds, "capacity" in kinds
        return Fixed(graph, hidden, parts, arrays, *moving, *numbers, *self._sources(graph, parts))

    def _numbers_of(self, graph: TaskGraph) -> tuple[Any, Any, Any]:
        """Return shortest durations, attempts and thresholds of gates, padded."""
        lengths = np.zeros(self._dims.subtasks, np.int32)
        attempts = np.full(self._dims.subtasks, -1, np.int32)
        thresholds = np.full(self._dims.gates, at.FAR, np.int32)
        for i, one in enumerate(graph.subtasks):
            lengths[i] = one.duration.shortest
            attempts[i] = -1 if one.attempts is None else one.attempts
        thresholds[: len(graph.gates)] = [gate.count for gate in graph.gates]
        return lengths, attempts, thresholds

    def _sources(self, graph: TaskGraph, parts: Parts) -> tuple[Any, Any]:
        """Return for every node which place of ``_truth`` and which of the lane's state it shows."""
        n, wide = len(graph.subtasks), self._dims.subtasks
        goal, true, false = (wide + self._dims.gates + k for k in range(3))
        truths = np.full(self._nodes, false)
        levels = np.full(self._nodes, -1)

        def put(to: Any, kind: str, places: Sequence[int]) -> None:
            first = self.blocks[kind][0]
            to[first : first + len(places)] = places

        put(truths, "gate", [wide + g for g in parts.gates])
        nodes = [true if v == TRUE else v if v < n else v - n + wide for v in parts.branches]
        put(truths, "branch", nodes)
        put(truths, "goal", [] if graph.goal is None else [goal])
        first = self._places[at.Q_LEVELS]
        put(levels, "resource", [first + k for k in range(len(graph.resources))])
        put(levels, "item", [first + self._dims.resources + k for k in range(len(graph.items))])
        put(levels, "automaton", [self._places[at.Q_AUTOMATA] + c for c in parts.automata])
        return truths, levels

    def _fix_nodes(
        self, arrays: Obs, kind: str, rows: Sequence[tuple[float, ...]], hidden: frozenset[int]
    ) -> None:
        first = self.blocks[kind][0]
        names = numbers_of(kind, self.knowledge)
        for k, row in enumerate(rows):
            if k in hidden:
                continue
            arrays["node_kind"][first + k] = NODE_KINDS.index(kind)
            arrays["node_mask"][first + k] = 1
            for name, number in zip(names, row, strict=True):
                if name in self._column:
                    arrays["nodes"][first + k, self._column[name]] = number

    def _fix_edges(self, arrays: Obs, parts: Parts) -> None:
        columns = [EDGE_NUMBERS.index(name) for name in self.edge_columns]
        for k, edge in enumerate(parts.edges):
            for end, (kind, number) in enumerate((edge.source, edge.target)):
                arrays["edges"][end, k] = self.blocks[kind][0] + number
            arrays["edge_kind"][k] = EDGE_KINDS.index(edge.kind)
            arrays["edge_mask"][k] = 1
            if columns:
                arrays["edge_features"][k] = [edge[3 + column] for column in columns]

    def _fix_tables(self, arrays: Obs, automata: Sequence[Automaton]) -> None:
        for c, automaton in enumerate(automata):
            table = np.array(automaton.table, np.int16) + 1
            arrays["automaton_next"][c, : table.shape[0], : table.shape[1]] = table
            states = [1 + a + 2 * d for a, d in zip(automaton.accepting, automaton.dead, strict=True)]
            arrays["automaton_states"][c, : len(states)] = states

    # -------------------------------------------------------------- what moves

    def observation(self, graph: TaskGraph, memory: Memory, order: Ordered | None = None) -> Obs:
        """Return the view of a lane; every array is fresh.

        Args:
            graph: the lane's task.
            memory: the lane, interpreted.
            order: the order of the subtasks under ``none``.
        """
        s, sb = np.array([memory.s], np.int32), np.array([memory.sb], np.uint64)
        found = self.observations([graph], s, sb, lambda lane: memory, [order])
        return {name: part[0] for name, part in found.items()}

    def observations(
        self,
        graphs: Sequence[TaskGraph],
        s: Any,
        sb: Any,
        memory: Callable[[int], Memory],
        orders: Sequence[Ordered | None],
    ) -> Obs:
        """Return the view of many lanes, ``[B, ...]``; every array is fresh.

        Args:
            graphs: the lanes' tasks.
            s: ``[B, S]`` their state.
            sb: ``[B, W]`` its bit sets.
            memory: number of a lane -> the lane, interpreted; asked for where events change numbers.
            orders: the orders of the subtasks under ``none``.
        """
        unknown = self._bits(sb, at.UNKNOWN)
        fixed = [
            self.fixed(graph, frozenset(np.flatnonzero(unknown[k]).tolist()) if graph.events else frozenset())
            for k, graph in enumerate(graphs)
        ]
        out = {name: np.stack([one.arrays[name] for one in fixed]) for name in self.space.spaces}
        clock = s[:, at.CLOCK]
        out["time"][:, 0] = clock
        self._move_subtasks(s, sb, fixed, memory, out)
        if self.knowledge == "none":
            for k, order in enumerate(orders):
                if order is not None:
                    for name in ("nodes", "node_mask"):
                        out[name][k] = out[name][k][order.shown]
            return out
        if self.knowledge == "full":
            horizons = np.array([-1 if graph.horizon is None else graph.horizon for graph in graphs])
            out["time"][:, 1] = np.where(horizons < 0, -1, horizons - clock)
        self._move_rest(s, sb, fixed, out["nodes"])
        self._move_agents(s, fixed, out)
        for k, one in enumerate(fixed):
            self._move_by_events(one, memory, k, out["nodes"][k])
        return out

    def _bits(self, sb: Any, row: int) -> Any:
        """Return of each subtask whether it is in a row of the lane, ``[B, N]`` bool."""
        count = self._dims.words
        words = np.ascontiguousarray(sb[:, row * count : (row + 1) * count]).astype("<u8").view(np.uint8)
        return np.unpackbits(words, axis=1, bitorder="little")[:, : self._dims.subtasks].astype(bool)

    def _move_subtasks(
        self, s: Any, sb: Any, fixed: Sequence[Fixed], memory: Callable[[int], Memory], out: Obs
    ) -> None:
        """Write the columns ``SUBTASK_MOVING`` of the subtasks that are shown."""
        n = self._dims.subtasks
        heads = s[:, at.S_HEADS : at.S_HEADS + n * at.S_COLUMNS].reshape(len(s), n, at.S_COLUMNS)
        clock = s[:, at.CLOCK, None]
        done, running = self._bits(sb, at.DONE), self._bits(sb, at.RUNNING)
        started, succeeded = heads[..., at.START], heads[..., at.SUCCEEDED]
        deadline = heads[..., at.DEADLINE]
        endless = deadline >= at.FAR

        def room() -> Any:
            lengths = [
                [shortest(memory(k), i) for i in range(n)] if one.moving_durations else one.lengths
                for k, one in enumerate(fixed)
            ]
            return np.where(endless, -1, np.maximum(0, deadline - np.array(lengths) - clock + 1))

        def attempts_left() -> Any:
            attempts = np.array([one.attempts for one in fixed])
            return np.where(attempts < 0, -1, attempts - heads[..., at.STARTS])

        numbers: dict[str, Callable[[], Any]] = {
            "done": lambda: done,
            "running": lambda: running,
            "eligible": lambda: self._bits(sb, at.ELIGIBLE),
            "closed": lambda: self._bits(sb, at.CLOSED),
            "failed": lambda: self._bits(sb, at.SPENT) & ~done & ~running,
            "age": lambda: np.where(running, clock - started, 0),
            "since success": lambda: np.where(succeeded >= 0, clock - succeeded + 1, 0),
            "since start": lambda: np.where(started >= 0, clock - started + 1, 0),
            "room": room,
            "attempts left": attempts_left,
            "deadline": lambda: np.where(endless, -1, deadline),
        }
        shown = out["node_mask"][:, :n].astype(bool)
        for name, column in self._moving:
            out["nodes"][:, :n, column] = np.where(shown, numbers[name](), 0)

    def _truth(self, s: Any, sb: Any, fixed: Sequence[Fixed]) -> Any:
        """Return which subtasks are done, which gates hold, whether the goal does; then True and False."""
        first = self._places[at.Q_GATES]
        gates = s[:, first : first + self._dims.gates] >= np.stack([one.thresholds for one in fixed])
        rest = np.stack([s[:, at.GOAL] != 0, np.ones(len(s), bool), np.zeros(len(s), bool)], axis=1)
        return np.concatenate([self._bits(sb, at.DONE), gates, rest], axis=1)

    def _move_rest(self, s: Any, sb: Any, fixed: Sequence[Fixed], nodes: np.ndarray[Any, Any]) -> None:
        """Write gates, levels, branches, automata and the goal."""
        first = self._dims.subtasks
        if "done" in self._column:
            where = np.stack([one.truths[first:] for one in fixed])
            truth = np.take_along_axis(self._truth(s, sb, fixed), where, axis=1)
            nodes[:, first:, self._column["done"]] = truth
        if "level" in self._column:
            where = np.stack([one.levels[first:] for one in fixed])
            levels = np.where(where < 0, 0, np.take_along_axis(s, where, axis=1))
            nodes[:, first:, self._column["level"]] = levels
        for lane, one in enumerate(fixed):
            for k, c in enumerate(one.parts.automata):
                automaton = one.graph.constraints[c].automaton
                state = int(s[lane, self._places[at.Q_AUTOMATA] + c])
                self._put(nodes[lane], "automaton", k, "done", automaton.accepting[state])
                self._put(nodes[lane], "automaton", k, "failed", automaton.dead[state])

    def _put(self, nodes: np.ndarray[Any, Any], kind: str, k: int, name: str, number: float) -> None:
        column = self._column.get(name)
        if column is not None:
            nodes[self.blocks[kind][0] + k, column] = number

    def _move_by_events(
        self, fixed: Fixed, memory: Callable[[int], Memory], lane: int, nodes: np.ndarray[Any, Any]
    ) -> None:
        """Write what only an event changes: capacities, and durations of starts made now."""
        if fixed.moving_capacities:
            for k in range(len(fixed.graph.resources)):
                self._put(nodes, "resource", k, "capacity", kernel.capacity(memory(lane), k))
        if fixed.moving_durations and self.knowledge == "full":
            for i in range(len(fixed.graph.subtasks)):
                if i not in fixed.hidden:
                    for k, number in enumerate(duration_numbers(duration_now(memory(lane), i))):
                        self._put(nodes, "subtask", i, NUMBERS["subtask"][k], number)

    def _move_agents(self, s: Any, fixed: Sequence[Fixed], out: Obs) -> None:
        """Write the agents, and one edge to what each of them is busy with."""
        place, count = self.blocks["agent"]
        first = self._places[at.Q_AGENTS]
        rows = s[:, first : first + count * at.AGENT_SIZE]
        agents = rows.reshape(len(s), count, at.AGENT_SIZE)
        clock = s[:, at.CLOCK, None]
        there = out["node_mask"][:, place : place + count].astype(bool)
        down = (agents[..., at.DOWN_UNTIL] > clock) & there
        busy = (agents[..., at.FREE_AT] > clock) & there
        for name, flags in (("idle", there & ~busy & ~down), ("down", down)):
            if name in self._column:
                out["nodes"][:, place : place + count, self._column[name]] = flags
        edge = np.array([len(one.parts.edges) for one in fixed])
        attended = agents[..., at.ATTENDS]
        for a in range(count):
            lanes = np.flatnonzero(busy[:, a] & (attended[:, a] >= 0))
            out["edges"][lanes, 0, edge[lanes]] = place + a
            out["edges"][lanes, 1, edge[lanes]] = attended[lanes, a]
            out["edge_kind"][lanes, edge[lanes]] = EDGE_KINDS.index("attends")
            out["edge_mask"][lanes, edge[lanes]] = 1
            edge[lanes] += 1


_views: WeakKeyDictionary[Model, dict[Knowledge, GraphView]] = WeakKeyDictionary()


def duration_now(m: Memory, i: int) -> Duration:
    """Return the duration of a start made now."""
    d = m.s[at.S_HEADS + i * at.S_COLUMNS + at.DURATION]
    kind, a, b = m.t[d + at.DUR_KIND], m.t[d + at.DUR_A], m.t[d + at.DUR_B]
    if kind == at.DUR_UNIFORM:
        return Duration("uniform", (a, b))
    if kind == at.DUR_CHOICE:
        return Duration("choice", tuple(m.t[a : a + b]))
    return Duration("fixed", (a,))
