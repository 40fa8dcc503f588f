"""What the ``graph`` view shows of a task itself: its nodes with their numbers, and its typed edges.

Owns the kinds of nodes and edges and the cutting down of a task to what is known of it
and has appeared. It knows neither lanes nor padding. What has not appeared leaves no
trace: not its node, not its edges, not the gates that only it reads, not a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stratagym.envs.task.graph import TRUE, Amounts, Constraint, Due, Duration, Event, Subtask, TaskGraph
from stratagym.envs.task.view import Knowledge

NODE_KINDS = (
    "padding",
    "subtask",
    "gate",
    "resource",
    "item",
    "agent",
    "branch",
    "automaton",
    "event",
    "goal",
)
"""Words of ``node_kind`` by code."""

EDGE_KINDS = (
    "padding",
    "needs",  # a subtask or gate -> the subtask whose needs it is
    "positive",  # a subtask or gate -> the gate that counts it while it holds
    "negative",  # ... while it does not hold
    "lag from completion",  # predecessor -> subtask: min, max, index (the lag's number)
    "lag from start",
    "uses",  # resource -> subtask: amount
    "consumes",  # item -> subtask: amount
    "requires",
    "produces",  # subtask -> item: amount
    "able",  # an agent -> a subtask that asks for a skill which it has
    "paid together",  # first of a pay group -> another of it
    "member",  # subtask -> branch of a choice
    "branch",  # a subtask or gate -> the branch that is done by it
    "alternative",  # first branch of a choice -> another of it
    "goal",  # a subtask or gate -> the goal
    "atom done",  # a subtask or gate -> automaton: index (number of the atom)
    "atom running",  # one of the atom's subtasks -> automaton: index
    "atom started",
    "undo",  # known event -> subtask
    "capacity",  # -> resource: amount
    "stock",  # -> item: amount
    "agent",  # -> agent: amount (ticks)
    "duration",  # -> subtask: min, max, amount (the mean)
    "deadline",  # -> subtask: amount
    "appear",  # -> subtask
    "attends",  # an agent -> the subtask that keeps it busy now
)
"""Words of ``edge_kind`` by code."""

SUBTASK_NUMBERS = (
    "shortest",
    "longest",
    "mean",
    "spread",
    "attended",
    "release",
    "due",
    "weight",
    "success",
    "attempts",
    "agents",
    "skilled",
    "reward",
    "repeatable",
)
"""Static numbers of a subtask under ``full``; -1 stands for "none"."""
DURATION_NUMBERS = 4
"""How many of them, from the first on, a new duration changes."""
STRUCTURE_NUMBERS = ("agents", "skilled", "reward", "repeatable")
"""Those that ``structure`` grants."""
NUMBERS: dict[str, tuple[str, ...]] = {
    "subtask": SUBTASK_NUMBERS,
    "gate": ("count",),
    "resource": ("capacity",),
    "automaton": ("states",),
    "event": ("from", "until"),
}
"""Static numbers by kind of node."""
EDGE_NUMBERS = ("min", "max", "amount", "index")

Row = tuple[float, ...]
Place = tuple[str, int]
"""A node: its kind, and its number among those of the kind that are shown."""


class Edge(NamedTuple):
    """One typed edge and its numbers."""

    kind: str
    source: Place
    target: Place
    minimum: float = 0.0
    maximum: float = 0.0
    amount: float = 0.0
    number: float = 0.0


class Parts(NamedTuple):
    """A task as far as it is known.

    Attributes:
        rows: static numbers by kind, one row a node (a subtask that is not shown has one of zeros).
        edges: all edges but those that move.
        gates: which gates are shown, in order.
        branches: the nodes by which the shown branches are done.
        automata: which constraints are shown, in order.
    """

    rows: dict[str, list[Row]]
    edges: list[Edge]
    gates: list[int]
    branches: list[int]
    automata: list[int]


def duration_numbers(duration: Duration) -> Row:
    """Return shortest, longest (-1 if the world decides), mean and variance of a duration in ticks."""
    values = duration.values
    if duration.kind == "uniform":
        values = (values[0], values[1])
        spread = ((values[1] - values[0] + 1) ** 2 - 1) / 12
    else:
        spread = sum((v - duration.mean) ** 2 for v in values) / max(1, len(values))
    longest = duration.longest
    return (duration.shortest, -1 if longest is None else longest, duration.mean, spread)


def subtask_numbers(s: Subtask, due: Due | None) -> Row:
    """Return the numbers ``SUBTASK_NUMBERS`` of a subtask."""
    return (
        *duration_numbers(s.duration),
        -1 if s.attended is None else s.attended,
        s.release,
        -1 if due is None else due.due,
        0 if due is None else due.weight,
        s.success,
        -1 if s.attempts is None else s.attempts,
        s.agents,
        s.skill is not None,
        s.reward,
        s.repeatable,
    )


class _Shown:
    """The parts of one task, gathered step by step."""

    def __init__(self, graph: TaskGraph, knowledge: Knowledge, hidden: frozenset[int]) -> None:
        self.graph, self.full, self.hidden = graph, knowledge == "full", hidden
        self.n = len(graph.subtasks)
        self.visible = [i for i in range(self.n) if i not in hidden]
        self.tells = self._telling()
        self.constraints = [
            c for c, one in enumerate(graph.constraints) if self.full and self._spoken_of(one)
        ]
        self.choices = [
            [b for b in choice.branches if any(i not in hidden for i in b.members)]
            for choice in graph.choices
        ]
        self.gates = self._reached()
        self._gate_place = {g: k for k, g in enumerate(self.gates)}
        self.edges: list[Edge] = []

    def _telling(self) -> list[bool]:
        """Return whether each gate still has something to read."""
        tells: list[bool] = []
        for gate in self.graph.gates:
            nodes = (*gate.positive, *gate.negative)
            tells.append(
                not nodes or any(v not in self.hidden if v < self.n else tells[v - self.n] for v in nodes)
            )
        return tells

    def shows(self, v: int) -> bool:
        """Return whether a node can be shown at all."""
        if v == TRUE:
            return False
        return v not in self.hidden if v < self.n else self.tells[v - self.n]

    def _spoken_of(self, constraint: Constraint) -> bool:
        """Return whether every atom of a constraint is about something that has appeared."""
        return all(
            self.shows(a.node) or a.node == TRUE if a.kind == "done"
            else any(i not in self.hidden for i in a.members)
            for a in constraint.atoms
        )  # fmt: skip

    def _reached(self) -> list[int]:
        """Return the gates under what is shown."""
        stack = [self.graph.subtasks[i].needs for i in self.visible]
        stack += [b.node for branches in self.choices for b in branches]
        stack += [
            a.node for c in self.constraints for a in self.graph.constraints[c].atoms if a.kind == "done"
        ]
        stack += [] if self.graph.goal is None else [self.graph.goal]
        found: set[int] = set()
        while stack:
            v = stack.pop()
            if v < self.n or v - self.n in found or not self.shows(v):
                continue
            found.add(v - self.n)
            gate = self.graph.gates[v - self.n]
            stack += (*gate.positive, *gate.negative)
        return sorted(found)

    def count(self, g: int) -> int:
        """Return how many literals a gate asks for among those shown."""
        gate = self.graph.gates[g]
        nodes = (*gate.positive, *gate.negative)
        shown = sum(self.shows(v) for v in nodes)
        return gate.count if shown == len(nodes) else min(gate.count, shown)

    # ------------------------------------------------------------------ edges

    def add(self, kind: str, source: Place, target: Place, *numbers: float) -> None:
        """Add an edge."""
        self.edges.append(Edge(kind, source, target, *numbers))

    def add_from(self, kind: str, v: int, target: Place, *numbers: float) -> None:
        """Add an edge from a node of the graph, if it is shown."""
        if not self.shows(v):
            return
        place = ("subtask", v) if v < self.n else ("gate", self._gate_place[v - self.n])
        self.edges.append(Edge(kind, place, target, *numbers))

    def add_logic(self) -> None:
        """Add needs, gates and the goal."""
        for i in self.visible:
            self.add_from("needs", self.graph.subtasks[i].needs, ("subtask", i))
        for k, g in enumerate(self.gates):
            for v in self.graph.gates[g].positive:
                self.add_from("positive", v, ("gate", k))
            for v in self.graph.gates[g].negative:
                self.add_from("negative", v, ("gate", k))
        if self.graph.goal is not None:
            self.add_from("goal", self.graph.goal, ("goal", 0))

    def add_lags(self) -> None:
        """Add the lags; the modes of one predecessor share a number."""
        for i in self.visible:
            for k, lag in enumerate(self.graph.subtasks[i].lags):
                maximum = -1 if lag.maximum is None else lag.maximum
                for p in lag.predecessors:
                    kind = f"lag from {lag.origin}"
                    self.add_from(kind, p, ("subtask", i), lag.minimum, maximum, 0, k + 1)

    def add_amounts(self) -> None:
        """Add what subtasks hold, take and make, who has the skill, and what is paid together."""
        payers: dict[int, int] = {}
        for i in self.visible:
            s, place = self.graph.subtasks[i], ("subtask", i)
            for kind, amounts in (("uses", s.uses), ("consumes", s.consumes), ("requires", s.requires)):
                self._add_all(kind, amounts, place)
            for k, amount in s.produces:
                self.add("produces", place, ("item", k), 0, 0, amount)
            for a, agent in enumerate(self.graph.agents if s.skill is not None else ()):
                if s.skill in agent.skills:
                    self.add("able", ("agent", a), place)
            first = payers.setdefault(s.pay_group, i)
            if first != i:
                self.add("paid together", ("subtask", first), place)

    def _add_all(self, kind: str, amounts: Amounts, place: Place) -> None:
        source = "resource" if kind == "uses" else "item"
        for k, amount in amounts:
            self.add(kind, (source, k), place, 0, 0, amount)

    def add_choices(self) -> list[int]:
        """Add the branches of all choices and return their nodes."""
        nodes: list[int] = []
        for branches in self.choices:
            first = len(nodes)
            for b in branches:
                place = ("branch", len(nodes))
                nodes.append(b.node)
                for i in b.members:
                    self.add_from("member", i, place)
                self.add_from("branch", b.node, place)
                if place[1] != first:
                    self.add("alternative", ("branch", first), place)
        return nodes

    def add_automata(self) -> None:
        """Add what each automaton reads."""
        for k, c in enumerate(self.constraints):
            for bit, atom in enumerate(self.graph.constraints[c].atoms):
                sources = (atom.node,) if atom.kind == "done" else atom.members
                for v in sources:
                    self.add_from(f"atom {atom.kind}", v, ("automaton", k), 0, 0, 0, bit + 1)

    def add_events(self) -> list[Row]:
        """Add the known events that are about something shown, and return their numbers."""
        rows: list[Row] = []
        for event in self.graph.events:
            targets = self._targets(event) if event.known else []
            for k, target in targets:
                drawn = duration_numbers(event.durations[k]) if event.durations else (0, 0, 0)
                amount = drawn[2] if event.durations else event.amounts[k] if event.amounts else 0
                self.add(event.kind, ("event", len(rows)), target, drawn[0], drawn[1], amount)
            if targets:
                rows.append(tuple(float(t) for t in event.at))
        return rows

    def _targets(self, event: Event) -> list[tuple[int, Place]]:
        kind = {"capacity": "resource", "stock": "item", "agent": "agent"}.get(event.kind, "subtask")
        return [
            (k, (kind, t))
            for k, t in enumerate(event.targets)
            if kind != "subtask" or t not in self.hidden
        ]  # fmt: skip


def parts_of(graph: TaskGraph, knowledge: Knowledge, hidden: frozenset[int] = frozenset()) -> Parts:
    """Return what is known of a task.

    Args:
        graph: the task.
        knowledge: ``full`` or ``structure`` (no times, probabilities, automata, events).
        hidden: subtasks that have not appeared.
    """
    shown = _Shown(graph, knowledge, hidden)
    shown.add_logic()
    if shown.full:
        shown.add_lags()
    shown.add_amounts()
    branches = shown.add_choices()
    events: list[Row] = []
    if shown.full:
        shown.add_automata()
        events = shown.add_events()
    due = {i: d for d in graph.dues for i in d.members}
    numbers = [subtask_numbers(s, due.get(i)) for i, s in enumerate(graph.subtasks)]
    if not shown.full:
        numbers = [_granted(row) for row in numbers]
    blank = tuple(0.0 for _ in numbers[0])
    automata = [graph.constraints[c].automaton for c in shown.constraints]
    rows: dict[str, list[Row]] = {
        "subtask": [blank if i in hidden else row for i, row in enumerate(numbers)],
        "gate": [(shown.count(g),) for g in shown.gates],
        "resource": [(r.capacity,) for r in graph.resources],
        "item": [()] * len(graph.items),
        "agent": [()] * len(graph.agents),
        "branch": [()] * len(branches),
        "automaton": [(len(a.table),) for a in automata],
        "event": events,
        "goal": [()] if graph.goal is not None else [],
    }
    return Parts(rows, shown.edges, shown.gates, branches, shown.constraints)


def _granted(row: Sequence[float]) -> Row:
    """Return the numbers of a subtask that ``structure`` grants."""
    return tuple(row[SUBTASK_NUMBERS.index(name)] for name in STRUCTURE_NUMBERS)


def numbers_of(kind: str, knowledge: Knowledge) -> tuple[str, ...]:
    """Return the names of the static numbers of a kind of node."""
    if kind == "subtask" and knowledge != "full":
        return STRUCTURE_NUMBERS
    return NUMBERS.get(kind, ())


def largest(rows: Iterable[int]) -> int:
    """Return the largest of some counts, 0 without any."""
    return max(rows, default=0)
