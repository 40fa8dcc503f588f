"""Turn task graphs into rows of integers.

Owns the map from ``TaskGraph`` to the memory of ``layout`` and the bank of several
tasks of one shape. It does not simulate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from stratagym.envs.rng import threshold
from stratagym.envs.task import layout as at
from stratagym.envs.task.bounds import relevant
from stratagym.envs.task.graph import TRUE, Constraint, Duration, Lag, Subtask, TaskGraph, truth_of

_DURATION_KINDS = {
    "fixed": at.DUR_FIXED,
    "uniform": at.DUR_UNIFORM,
    "choice": at.DUR_CHOICE,
    "world": at.DUR_WORLD,
}
_ATOM_KINDS = {"done": at.ATOM_DONE, "running": at.ATOM_RUNNING, "started": at.ATOM_STARTED}


class Bank(NamedTuple):
    """Tasks of one padded shape, and what else a step needs of them.

    Attributes:
        t: ``[M, ints]`` int32.
        tb: ``[M, rows * W]`` uint64.
        rewards: ``[M, N]`` float64, paid on success.
        weights: ``[M, D]`` float64, of the due dates.
    """

    t: Any
    tb: Any
    rewards: Any
    weights: Any


def dims_of(graphs: Iterable[TaskGraph]) -> at.Dims:
    """Return the smallest padded shape that holds all the graphs."""
    graphs = list(graphs)
    own = [_sizes(graph) for graph in graphs]
    plain = join_dims(own)
    # How long a row is depends on the padded sizes themselves.
    return join_dims(_Builder(graph, plain).dims for graph in graphs)


def join_dims(shapes: Iterable[at.Dims]) -> at.Dims:
    """Return the smallest shape that holds every given one."""
    return at.Dims(*(max(column) for column in zip(*shapes, strict=True)))


def compile_graph(graph: TaskGraph, dims: at.Dims, table: Sequence[int] = ()) -> tuple[list[int], list[int]]:
    """Return one task as a row of integers and a row of words, padded to ``dims``.

    Args:
        graph: the task.
        dims: the padded shape.
        table: of its world, at most ``dims.world_ints`` integers.

    Raises:
        ValueError: if the task or the table does not fit.
    """
    builder = _Builder(graph, dims)
    for name, have, room in zip(at.Dims._fields, builder.dims, dims, strict=True):
        if have > room:
            raise ValueError(f"task {graph.name!r} has {have} {name}, the padded shape has room for {room}")
    if len(table) > dims.world_ints:
        raise ValueError(
            f"task {graph.name!r}: the world's table has {len(table)} numbers, "
            f"the padded shape has room for {dims.world_ints}"
        )
    t = [*builder.t, *[0] * (dims.ints - len(builder.t)), *table, *[0] * (dims.world_ints - len(table))]
    tb = builder.tb + [0] * (dims.rows * dims.words - len(builder.tb))
    return t, tb


def compile_bank(
    graphs: Sequence[TaskGraph], dims: at.Dims, tables: Sequence[Sequence[int]] | None = None
) -> Bank:
    """Return several tasks (and their worlds' tables, if there are any) as one bank of the shape ``dims``."""
    own = tables or [()] * len(graphs)
    rows = [compile_graph(graph, dims, table) for graph, table in zip(graphs, own, strict=True)]
    dues = max([1, *(len(graph.dues) for graph in graphs)])
    bank = Bank(
        t=np.array([t for t, _ in rows], np.int32).reshape(len(rows), dims.length),
        tb=np.array([tb for _, tb in rows], np.uint64).reshape(len(rows), -1),
        rewards=np.zeros((len(rows), dims.subtasks)),
        weights=np.zeros((len(rows), dues)),
    )
    for m, graph in enumerate(graphs):
        bank.rewards[m, : len(graph.subtasks)] = [s.reward for s in graph.subtasks]
        bank.weights[m, : len(graph.dues)] = [due.weight for due in graph.dues]
    return bank


def _sizes(g: TaskGraph) -> at.Dims:
    """Return the plain counts of a graph (row lengths 0)."""
    return at.Dims(
        subtasks=len(g.subtasks),
        gates=len(g.gates),
        agents=len(g.agents),
        resources=len(g.resources),
        items=len(g.items),
        events=len(g.events),
        constraints=len(g.constraints),
        ints=0,
        rows=0,
    )


class _Builder:
    """Writes one task: the head and the subtasks first, everything that they point to behind."""

    def __init__(self, graph: TaskGraph, dims: at.Dims) -> None:
        self.graph = graph
        self.shape = dims
        self.n = len(graph.subtasks)
        self.t: list[int] = [0] * (at.HEADS + dims.subtasks * at.COLUMNS)
        self.tb: list[int] = [0] * (at.B_ROWS * dims.words)
        self._subtasks()
        self._lags()
        self._nodes()
        self._rules()
        self._sets()
        self._head()

    @property
    def dims(self) -> at.Dims:
        """The shape that this task needs, its padded sizes given."""
        rows = -(-len(self.tb) // self.shape.words)
        return _sizes(self.graph)._replace(ints=len(self.t), rows=rows)

    def node(self, node: int) -> int:
        """Return a node's number in the padded task."""
        return node if node < self.n else node - self.n + self.shape.subtasks

    def put(self, values: Iterable[int]) -> int:
        """Append numbers; return their position."""
        position = len(self.t)
        self.t.extend(values)
        return position

    def pairs(self, pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
        """Append pairs; return their position and count."""
        numbers = [x for pair in pairs for x in pair]
        return self.put(numbers), len(numbers) // 2

    def set_row(self, row: int, members: Iterable[int]) -> None:
        """Set the bits of ``members`` in a row that exists."""
        for i in members:
            self.tb[row * self.shape.words + i // 64] |= 1 << (i % 64)

    def mask(self, members: Iterable[int]) -> int:
        """Append a set of subtasks; return its row."""
        row = len(self.tb) // self.shape.words
        self.tb.extend([0] * self.shape.words)
        self.set_row(row, members)
        return row

    def duration(self, duration: Duration) -> int:
        """Append a duration; return its position."""
        kind, values = _DURATION_KINDS[duration.kind], duration.values
        if duration.kind == "choice":
            a, b = self.put(values), len(values)
        elif duration.kind == "uniform":
            a, b = values
        else:
            a, b = (values[0] if values else at.FAR), 0
        return self.put((kind, a, b, duration.shortest))

    def items(self, amounts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return amounts of items with the items' levels."""
        return [(self.shape.resources + k, amount) for k, amount in amounts]

    def _subtasks(self) -> None:
        groups: dict[int, list[int]] = {}
        for i, s in enumerate(self.graph.subtasks):
            groups.setdefault(s.pay_group, []).append(i)
        asked = relevant(self.graph)
        self.works: dict[int, int] = {}
        for i, s in enumerate(self.graph.subtasks):
            group = groups[s.pay_group]
            work = min(max(1, round(self.graph.subtasks[j].duration.mean)) for j in group)
            self.works[s.pay_group] = work if asked.intersection(group) else 0
            row = at.HEADS + i * at.COLUMNS
            self.t[row + at.PAY] = group[0]
            self.t[row + at.GROUP] = self.mask(group) if len(group) > 1 else -1
            self.t[row + at.WORK] = self.works[s.pay_group]
            self._subtask(row, s)

    def _subtask(self, row: int, s: Subtask) -> None:
        takes = [*s.uses, *self.items(s.consumes)]
        chance = threshold(s.success)
        values = {
            at.ATTENDED: at.FAR if s.attended is None else s.attended,
            at.NEEDS: self.node(s.needs),
            at.RELEASE: s.release,
            at.AGENTS: s.agents,
            at.CHANCE_HIGH: chance >> 16,
            at.CHANCE_LOW: chance & 0xFFFF,
            at.ATTEMPTS: at.FAR if s.attempts is None else s.attempts,
            at.DUE: -1,
            at.DURATION0: self.duration(s.duration),
            at.DEADLINE0: at.FAR if s.deadline is None else s.deadline,
        }
        for column, amounts in (
            (at.ASKS, [*takes, *self.items(s.requires)]),
            (at.TAKES, takes),
            (at.BACKS, s.uses),
            (at.MAKES, self.items(s.produces)),
        ):
            values[column], values[column + 1] = self.pairs(amounts)
        for column, value in values.items():
            self.t[row + column] = value

    def _lags(self) -> None:
        spoils: dict[int, list[int]] = {}
        for i, s in enumerate(self.graph.subtasks):
            records = [self._lag(i, lag) for lag in s.lags]
            start = len(self.t)
            for record, lag in zip(records, s.lags, strict=True):
                position = self.put(record)
                if lag.origin == "completion" and lag.maximum is not None:
                    for p in lag.predecessors:
                        spoils.setdefault(p, []).append(position)
            row = at.HEADS + i * at.COLUMNS
            self.t[row + at.LAGS], self.t[row + at.LAG_COUNT] = start, len(records)
        for p, positions in spoils.items():
            row = at.HEADS + p * at.COLUMNS
            self.t[row + at.SPOILS], self.t[row + at.SPOIL_COUNT] = self.put(positions), len(positions)

    def _lag(self, owner: int, lag: Lag) -> tuple[int, ...]:
        return (
            owner,
            self.put(lag.predecessors),
            len(lag.predecessors),
            at.FROM_COMPLETION if lag.origin == "completion" else at.FROM_START,
            lag.minimum,
            at.FAR if lag.maximum is None else lag.maximum,
            int(owner in lag.predecessors),
        )

    def _nodes(self) -> None:
        outgoing: dict[int, list[tuple[int, int]]] = {}
        for g, gate in enumerate(self.graph.gates):
            for sign, nodes in ((1, gate.positive), (-1, gate.negative)):
                for v in nodes:
                    if v != TRUE:  # what is constant is counted at reset
                        outgoing.setdefault(self.node(v), []).append((g, sign))
        users: dict[int, list[int]] = {}
        for i, s in enumerate(self.graph.subtasks):
            if s.needs != TRUE:
                users.setdefault(self.node(s.needs), []).append(i)
        records: list[int] = []
        for v in range(self.shape.subtasks + len(self.graph.gates)):
            position, count = self.pairs(outgoing.get(v, []))
            records += [position, count, self.put(users.get(v, [])), len(users.get(v, []))]
        self.t[at.P_NODES] = self.put(records)
        order = dependency_order(self.graph)
        self.t[at.P_ORDER], self.t[at.T_ORDERED] = self.put(self.node(v) for v in order), len(order)
        truth = truth_of(self.graph, ())
        self.t[at.P_GATES] = len(self.t)
        for gate in self.graph.gates:
            true = sum(v == TRUE or truth[v] for v in gate.positive)
            true += sum(v != TRUE and not truth[v] for v in gate.negative)
            most, fewest = true, true
            for v in gate.positive:
                if v >= self.n:
                    most, fewest = most - truth[v], fewest + (not truth[v])
            for v in gate.negative:
                if v >= self.n:
                    most, fewest = most - (not truth[v]), fewest + truth[v]
            self.put((gate.count, true, most, fewest))

    def _rules(self) -> None:
        choices = []
        for choice in self.graph.choices:
            everything = self.mask(choice.members)
            branches = [self.mask(branch.members) for branch in choice.branches]
            nodes = self.put(self.node(branch.node) for branch in choice.branches)
            choices += [everything, branches[0], len(branches), nodes]
        self.t[at.P_CHOICES] = self.put(choices)
        dues = []
        for d, due in enumerate(self.graph.dues):
            dues += [due.due, self.put(due.members), len(due.members)]
            for i in due.members:
                self.t[at.HEADS + i * at.COLUMNS + at.DUE] = d
        self.t[at.P_DUES] = self.put(dues)
        self._events()
        records = [number for c in self.graph.constraints for number in self._constraint(c)]
        self.t[at.P_DFA] = self.put(records)

    def _events(self) -> None:
        records: list[int] = []
        for event in self.graph.events:
            targets: Sequence[int] = event.targets
            amounts: Sequence[int] = event.amounts or (0,) * len(targets)
            if event.kind == "duration":
                amounts = [self.duration(d) for d in event.durations]
            elif event.kind == "stock":
                targets = [self.shape.resources + k for k in targets]
            kind = at.EVENT_KINDS.index(event.kind)
            records += [kind, *event.at, *self.pairs(zip(targets, amounts, strict=True)), int(event.known)]
        self.t[at.P_EVENTS] = self.put(records)

    def _constraint(self, constraint: Constraint) -> tuple[int, ...]:
        a = constraint.automaton
        atoms: list[int] = []
        for atom in constraint.atoms:
            kind = _ATOM_KINDS[atom.kind]
            what = self.node(atom.node) if kind == at.ATOM_DONE else self.mask(atom.members)
            atoms += [kind, what]
        return (
            self.put(atoms),
            len(constraint.atoms),
            self.put(q for letters in a.table for q in letters),
            self.put(int(accepts) for accepts in a.accepting),
            self.put(int(dead) for dead in a.dead),
            self.put(int(any(a.dead[q] for q in letters)) for letters in a.table),
            a.initial,
            self.mask(sorted(readers(self.graph, constraint))),
            len(a.table),
            sum(1 << k for k, atom in enumerate(constraint.atoms) if atom.kind == "started"),
        )

    def _sets(self) -> None:
        g, subtasks = self.graph, self.graph.subtasks
        touched = {
            kind: {i for e in g.events if e.kind == kind for i in e.targets} for kind in at.EVENT_KINDS
        }
        spoilable = {
            p
            for s in subtasks
            for lag in s.lags
            if lag.origin == "completion" and lag.maximum is not None
            for p in lag.predecessors
        }
        undoable = spoilable | touched["undo"]
        leads = {(p, lag.origin) for s in subtasks for lag in s.lags for p in lag.predecessors}
        rows: dict[int, Iterable[int]] = {
            at.B_ALL: range(self.n),
            at.B_REPEATABLE: (i for i, s in enumerate(subtasks) if s.repeatable),
            at.B_LAGGED: (i for i, s in enumerate(subtasks) if s.lags),
            at.B_RELEASED: (i for i, s in enumerate(subtasks) if s.release),
            at.B_STOCKED: (i for i, s in enumerate(subtasks) if s.uses or s.consumes or s.requires),
            at.B_CHOSEN: {i for c in g.choices for i in c.members},
            at.B_DEADLINE: {i for i, s in enumerate(subtasks) if s.deadline is not None}
            | touched["deadline"],
            at.B_SPOILABLE: spoilable,
            at.B_FINAL: (negated(g) | {i for c in g.choices for i in c.members}) - undoable,
            at.B_LIMITED: (i for i, s in enumerate(subtasks) if s.attempts is not None),
            at.B_HIDDEN: touched["appear"],
            at.B_LED: (p for p, origin in leads if origin == "completion"),
            at.B_TRACED: (p for p, origin in leads if origin == "start"),
            at.B_VARIED: touched["duration"],
            at.B_UNDOABLE: undoable,
            at.B_JOINT: (i for i, s in enumerate(subtasks) if s.agents > 1),
            at.B_STAFFED: (i for i, s in enumerate(subtasks) if s.agents <= skilled(g, s)),
            at.B_READ: {i for c in g.constraints for i in readers(g, c)},
        }
        for row, members in rows.items():
            self.set_row(row, members)
        able = [
            self.mask(i for i, s in enumerate(subtasks) if s.skill is None or s.skill in agent.skills)
            for agent in g.agents
        ]
        able += [self.mask(()) for _ in range(self.shape.agents - len(able))]
        self.t[at.R_ABLE] = able[0]
        makers = [
            self.mask(i for i, s in enumerate(subtasks) if k in dict(s.produces))
            for k in range(self.shape.items)
        ]
        users = [
            self.mask(i for i, s in enumerate(subtasks) if k in dict((*s.consumes, *s.requires)))
            for k in range(self.shape.items)
        ]
        self.t[at.R_MAKERS], self.t[at.R_USERS] = (makers[0], users[0]) if makers else (0, 0)
        start = [0] * self.shape.levels
        asked = [0] * self.shape.levels
        for k, r in enumerate(g.resources):
            start[k] = r.capacity
        for k, item in enumerate(g.items):
            start[self.shape.resources + k] = item.stock
        for s in subtasks:
            for level, amount in self.items((*s.consumes, *s.requires)):
                asked[level] = max(asked[level], amount)
        self.t[at.P_LEVELS] = self.put([*start, *asked])

    def _head(self) -> None:
        g = self.graph
        fragile = (
            g.constraints
            or g.choices
            or any(s.deadline is not None or s.attempts is not None or s.consumes for s in g.subtasks)
            or any(e.kind in ("deadline", "stock") for e in g.events)
            or negated(g)
        )
        head = {
            at.T_SUBTASKS: self.n,
            at.T_GATES: len(g.gates),
            at.T_AGENTS: len(g.agents),
            at.T_HORIZON: at.FAR if g.horizon is None else g.horizon,
            at.T_GOAL: at.NO_GOAL if g.goal is None else self.node(g.goal),
            at.T_CHOICES: len(g.choices),
            at.T_EVENTS: len(g.events),
            at.T_CONSTRAINTS: len(g.constraints),
            at.T_DUES: len(g.dues),
            at.T_FRAGILE: int(bool(fragile)),
            at.T_WORK: sum(self.works.values()),
            at.T_RELEASED: max((s.release for s in g.subtasks), default=0),
            at.T_MOVING: int(any(e.kind in ("deadline", "duration") for e in g.events)),
            **at.positions(self.shape._replace(ints=max(self.shape.ints, len(self.t)))),
        }
        for column, value in head.items():
            self.t[column] = value


def skilled(graph: TaskGraph, subtask: Subtask) -> int:
    """Return how many agents have the skill for a subtask."""
    return sum(subtask.skill is None or subtask.skill in agent.skills for agent in graph.agents)


def readers(graph: TaskGraph, constraint: Constraint) -> set[int]:
    """Return the subtasks on which a formula's letters depend."""
    found: set[int] = set()
    for atom in constraint.atoms:
        found |= support(graph, atom.node) if atom.kind == "done" else set(atom.members)
    return found


def dependency_order(graph: TaskGraph) -> list[int]:
    """Return the nodes on which the goal can depend, each after those that it depends on, cycles cut."""
    n = len(graph.subtasks)
    makers: dict[int, list[int]] = {}
    for i, s in enumerate(graph.subtasks):
        for item, _ in s.produces:
            makers.setdefault(item, []).append(i)
    reads: list[list[int]] = []
    for s in graph.subtasks:
        before = [p for lag in s.lags for p in lag.predecessors]
        before += [i for item, _ in (*s.consumes, *s.requires) for i in makers.get(item, [])]
        reads.append([v for v in (s.needs, *before) if v != TRUE])
    reads += [[v for v in (*g.positive, *g.negative) if v != TRUE] for g in graph.gates]
    order: list[int] = []
    state = [0] * (n + len(graph.gates))
    for root in () if graph.goal is None or graph.goal == TRUE else (graph.goal,):
        stack = [(root, 0)] if state[root] == 0 else []
        while stack:
            v, k = stack.pop()
            state[v] = 1
            if k < len(reads[v]):
                stack.append((v, k + 1))
                if state[reads[v][k]] == 0:
                    stack.append((reads[v][k], 0))
            elif state[v] == 1:
                state[v] = 2
                order.append(v)
    return order


def support(graph: TaskGraph, node: int) -> set[int]:
    """Return the subtasks on whose being done the truth of a node depends."""
    n = len(graph.subtasks)
    found: set[int] = set()
    seen: set[int] = set()
    stack = [node]
    while stack:
        v = stack.pop()
        if v in seen or v == TRUE:
            continue
        seen.add(v)
        if v < n:
            found.add(v)
        else:
            stack += graph.gates[v - n].positive
            stack += graph.gates[v - n].negative
    return found


def negated(graph: TaskGraph) -> set[int]:
    """Return the subtasks that stand, however deep, under a negative literal."""
    return {i for gate in graph.gates for v in gate.negative for i in support(graph, v)}
