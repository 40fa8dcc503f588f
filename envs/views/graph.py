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

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from gymnasium import spaces

from stratagym.envs.step import Model
from stratagym.envs.task import kernel
from stratagym.envs.task import layout as at
from stratagym.envs.task.graph import Automaton, Duration, TaskGraph
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.nodes import has, holds
from stratagym.envs.task.starts import idle, shortest
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
        self._moving = [self._column[name] for name in moving]
        self._picks = [SUBTASK_MOVING.index(name) for name in moving]
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
        if self.knowledge == "none":
            for k in range(len(graph.subtasks)):
                arrays["node_mask"][k] = k not in hidden
            return Fixed(graph, hidden, Parts({}, [], [], [], []), arrays, False, False)
        parts = parts_of(graph, self.knowledge, hidden)
        for kind, rows in parts.rows.items():
            self._fix_nodes(arrays, kind, rows, hidden if kind == "subtask" else frozenset())
        self._fix_edges(arrays, parts)
        if self._tables[0]:
            self._fix_tables(arrays, [graph.constraints[c].automaton for c in parts.automata])
        kinds = {e.kind for e in graph.events}
        return Fixed(graph, hidden, parts, arrays, "duration" in kinds, "capacity" in kinds)

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
        m = memory
        n = len(graph.subtasks)
        hidden = frozenset(i for i in range(n) if has(m, at.UNKNOWN, i)) if graph.events else frozenset()
        fixed = self.fixed(graph, hidden)
        out = {name: array.copy() for name, array in fixed.arrays.items()}
        nodes = out["nodes"]
        for i in range(n):
            if i not in hidden:
                row = subtask_now(m, i)
                nodes[i, self._moving] = [row[k] for k in self._picks]
        clock = m.s[at.CLOCK]
        out["time"][0] = clock
        if self.knowledge == "none":
            if order is not None:
                out["nodes"] = nodes[order.shown]
                out["node_mask"] = out["node_mask"][order.shown]
            return out
        if self.knowledge == "full":
            out["time"][1] = -1 if graph.horizon is None else graph.horizon - clock
        self._move_rest(m, fixed, nodes)
        self._move_agents(m, fixed, out)
        return out

    def _put(self, nodes: np.ndarray[Any, Any], kind: str, k: int, name: str, number: float) -> None:
        column = self._column.get(name)
        if column is not None:
            nodes[self.blocks[kind][0] + k, column] = number

    def _move_rest(self, m: Memory, fixed: Fixed, nodes: np.ndarray[Any, Any]) -> None:
        """Write gates, levels, branches, automata and the goal, and numbers that events have changed."""
        graph, parts = fixed.graph, fixed.parts
        for k, g in enumerate(parts.gates):
            self._put(nodes, "gate", k, "done", node_now(m, graph, len(graph.subtasks) + g))
        for k, v in enumerate(parts.branches):
            self._put(nodes, "branch", k, "done", node_now(m, graph, v))
        if graph.goal is not None:
            self._put(nodes, "goal", 0, "done", m.s[at.GOAL])
        levels = m.t[at.Q_LEVELS]
        for k in range(len(graph.resources)):
            self._put(nodes, "resource", k, "level", m.s[levels + k])
            if fixed.moving_capacities:
                self._put(nodes, "resource", k, "capacity", kernel.capacity(m, k))
        for k in range(len(graph.items)):
            self._put(nodes, "item", k, "level", m.s[levels + m.t[at.T_RESOURCES] + k])
        for k, c in enumerate(parts.automata):
            state = m.s[m.t[at.Q_AUTOMATA] + c]
            automaton = graph.constraints[c].automaton
            self._put(nodes, "automaton", k, "level", state)
            self._put(nodes, "automaton", k, "done", automaton.accepting[state])
            self._put(nodes, "automaton", k, "failed", automaton.dead[state])
        if fixed.moving_durations and self.knowledge == "full":
            self._move_durations(m, fixed, nodes)

    def _move_durations(self, m: Memory, fixed: Fixed, nodes: np.ndarray[Any, Any]) -> None:
        """Write the durations of starts made now."""
        for i in range(len(fixed.graph.subtasks)):
            if i not in fixed.hidden:
                for k, number in enumerate(duration_numbers(duration_now(m, i))):
                    self._put(nodes, "subtask", i, NUMBERS["subtask"][k], number)

    def _move_agents(self, m: Memory, fixed: Fixed, out: Obs) -> None:
        """Write the agents, and one edge to what each of them is busy with."""
        edge = len(fixed.parts.edges)
        for a in range(len(fixed.graph.agents)):
            q = m.t[at.Q_AGENTS] + a * at.AGENT_SIZE
            self._put(out["nodes"], "agent", a, "idle", idle(m, a))
            self._put(out["nodes"], "agent", a, "down", m.s[q + at.DOWN_UNTIL] > m.s[at.CLOCK])
            attended = m.s[q + at.ATTENDS]
            if attended >= 0 and m.s[q + at.FREE_AT] > m.s[at.CLOCK]:
                out["edges"][:, edge] = (self.blocks["agent"][0] + a, attended)
                out["edge_kind"][edge] = EDGE_KINDS.index("attends")
                out["edge_mask"][edge] = 1
                edge += 1


_views: WeakKeyDictionary[Model, dict[Knowledge, GraphView]] = WeakKeyDictionary()


def node_now(m: Memory, graph: TaskGraph, v: int) -> bool:
    """Return whether a node of the graph holds (in lanes, gates follow the padded subtasks)."""
    n = len(graph.subtasks)
    return holds(m, v if v < n else v - n + m.t[at.T_WIDE])


def subtask_now(m: Memory, i: int) -> tuple[float, ...]:
    """Return the numbers ``SUBTASK_MOVING`` of a subtask."""
    q = at.S_HEADS + i * at.S_COLUMNS
    clock = m.s[at.CLOCK]
    done, running = has(m, at.DONE, i), has(m, at.RUNNING, i)
    started, succeeded, deadline = m.s[q + at.START], m.s[q + at.SUCCEEDED], m.s[q + at.DEADLINE]
    attempts = m.t[at.HEADS + i * at.COLUMNS + at.ATTEMPTS]
    return (
        done,
        running,
        has(m, at.ELIGIBLE, i),
        has(m, at.CLOSED, i),
        has(m, at.SPENT, i) and not done and not running,
        clock - started if running else 0,
        clock - succeeded + 1 if succeeded >= 0 else 0,
        clock - started + 1 if started >= 0 else 0,
        -1 if deadline >= at.FAR else max(0, deadline - shortest(m, i) - clock + 1),
        -1 if attempts >= at.FAR else attempts - m.s[q + at.STARTS],
        -1 if deadline >= at.FAR else deadline,
    )


def duration_now(m: Memory, i: int) -> Duration:
    """Return the duration of a start made now."""
    d = m.s[at.S_HEADS + i * at.S_COLUMNS + at.DURATION]
    kind, a, b = m.t[d + at.DUR_KIND], m.t[d + at.DUR_A], m.t[d + at.DUR_B]
    if kind == at.DUR_UNIFORM:
        return Duration("uniform", (a, b))
    if kind == at.DUR_CHOICE:
        return Duration("choice", tuple(m.t[a : a + b]))
    return Duration("fixed", (a,))
