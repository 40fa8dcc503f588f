"""The task graph after expansion: the one form that every other room reads.

Owns the plain data that a task file means once families, modes, repeats and
compositions are compiled away: subtasks, threshold gates, choices, automata,
events, all referring to each other by index. It does not parse, validate or
simulate; ``spec`` and ``compose`` make these objects, ``compile`` turns them
into arrays.

Nodes: a *node* is an integer. ``0 <= node < n`` is "subtask ``node`` is done",
``n + g`` is the output of gate ``g`` and ``TRUE`` always holds. A gate refers
only to subtasks and to gates before it, so one pass in order evaluates all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

TRUE = -1
"""The node that always holds (``needs`` left out)."""

DurationKind = Literal["fixed", "uniform", "choice", "world"]
AtomKind = Literal["done", "running", "started"]
EventKind = Literal["undo", "capacity", "stock", "agent", "duration", "deadline", "appear"]
CompositionKind = Literal["all", "sequence", "any", "choice", "k of", "repeat", "family", "modes"]


@dataclass(frozen=True, slots=True)
class Duration:
    """How many ticks a run takes.

    Attributes:
        kind: ``fixed``, ``uniform`` (both ends included), ``choice`` or
            ``world`` (until the world reports; the shortest possible is 1).
        values: ``(d,)``, ``(lo, hi)``, the listed values, or ``()``.
    """

    kind: DurationKind
    values: tuple[int, ...] = ()

    @property
    def shortest(self) -> int:
        """The shortest possible duration in ticks."""
        return min(self.values, default=1)

    @property
    def longest(self) -> int | None:
        """The longest possible duration in ticks, None if the world decides."""
        return max(self.values, default=None)

    @property
    def drawn(self) -> bool:
        """Whether two starts may take different times."""
        return self.kind in ("uniform", "choice") and self.shortest != self.longest

    @property
    def mean(self) -> float:
        """The expected duration in ticks (1 if the world decides)."""
        if not self.values:
            return 1.0
        return sum(self.values) / len(self.values)


@dataclass(frozen=True, slots=True)
class Gate:
    """A threshold gate: holds if at least ``count`` of its literals do.

    AND is ``count = number of literals``, OR is ``count = 1``, NOT is one
    negative literal with ``count = 1``. A node occurs at most once in each of
    the two tuples; ``count = 1`` without literals never holds.
    """

    count: int
    positive: tuple[int, ...] = ()
    negative: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Lag:
    """A time window between a predecessor and the start of the subtask that owns it.

    Attributes:
        predecessors: the subtask; or, for one with modes, all its modes (the
            latest of those that are done, or were started, counts; one is enough).
        origin: what the window counts from.
        minimum: ticks that must have passed.
        maximum: ticks that may have passed, None for any number.
    """

    predecessors: tuple[int, ...]
    origin: Literal["completion", "start"]
    minimum: int = 0
    maximum: int | None = None


Amounts = tuple[tuple[int, int], ...]
"""Pairs of (index of a resource or item, amount >= 1)."""


@dataclass(frozen=True, slots=True)
class Subtask:
    """One subtask, all its conditions gathered (its own and its compositions').

    Attributes:
        attended: ticks for which its agents are busy, None for the whole run.
        needs: the node that must hold at a start.
        deadline: tick by which it must be complete, None for never.
        skill: index into ``TaskGraph.skills``, or None.
        attempts: accepted starts in all, None for any number.
        pay_group: subtasks of one group are paid once together (the modes of one
            subtask that is not repeatable); otherwise a group of its own.
    """

    name: str
    duration: Duration
    attended: int | None
    needs: int
    lags: tuple[Lag, ...]
    release: int
    deadline: int | None
    uses: Amounts
    consumes: Amounts
    requires: Amounts
    produces: Amounts
    agents: int
    skill: int | None
    success: float
    attempts: int | None
    repeatable: bool
    reward: float
    pay_group: int


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent by name, with the indices of its skills."""

    name: str
    skills: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Resource:
    """A renewable resource and its capacity at reset."""

    name: str
    capacity: int


@dataclass(frozen=True, slots=True)
class Item:
    """An item and its stock at reset."""

    name: str
    stock: int


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of a choice: the node that says it is done, and its subtasks."""

    node: int
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice: a member may start only if an open branch contains it."""

    name: str
    branches: tuple[Branch, ...]

    @property
    def members(self) -> tuple[int, ...]:
        """All subtasks under the choice, in order, each once."""
        return tuple(sorted({i for branch in self.branches for i in branch.members}))


@dataclass(frozen=True, slots=True)
class Due:
    """A soft due date; the modes of one subtask share one."""

    name: str
    due: int
    weight: float
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Composition:
    """A named entry of the hierarchy, as a planner sees it.

    Attributes:
        node: the node that says it is done.
        children: names of child subtasks or compositions (inline ones have
            generated names and stand in the list too).
        members: all subtasks under it.
        inline: whether the name was generated, not written by the user.
    """

    name: str
    kind: CompositionKind
    count: int
    node: int
    children: tuple[str, ...]
    members: tuple[int, ...]
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Atom:
    """One atom of a formula: ``done`` reads a node, the others any of the members."""

    kind: AtomKind
    name: str
    node: int
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Automaton:
    """A minimal complete automaton over letters of ``atoms`` bits (bit k: atom k).

    Attributes:
        initial: state before the first letter.
        table: ``table[state][letter]`` is the next state.
        accepting: whether the trace that led here satisfies the formula.
        dead: whether no continuation ever satisfies it.
    """

    initial: int
    table: tuple[tuple[int, ...], ...]
    accepting: tuple[bool, ...]
    dead: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Constraint:
    """One LTLf formula as data."""

    text: str
    atoms: tuple[Atom, ...]
    automaton: Automaton


@dataclass(frozen=True, slots=True)
class Event:
    """One disturbance.

    Attributes:
        at: ``(t, t)``, or ``(lo, hi)`` where the tick is drawn once an episode.
        known: whether agents know of it beforehand.
        targets: indices: subtasks (undo, duration, deadline, appear), the
            resources (capacity), the items (stock) or the agent (agent).
        amounts: one per target: new capacity, added stock, ticks down, new
            deadline; unused otherwise.
        durations: one per target of ``duration``.
    """

    kind: EventKind
    at: tuple[int, int]
    known: bool
    targets: tuple[int, ...]
    amounts: tuple[int, ...] = ()
    durations: tuple[Duration, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskGraph:
    """A whole task after expansion. Everything refers by index into these tuples."""

    name: str
    horizon: int | None
    agents: tuple[Agent, ...]
    skills: tuple[str, ...]
    resources: tuple[Resource, ...]
    items: tuple[Item, ...]
    subtasks: tuple[Subtask, ...]
    gates: tuple[Gate, ...]
    goal: int | None
    choices: tuple[Choice, ...] = ()
    dues: tuple[Due, ...] = ()
    compositions: tuple[Composition, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    events: tuple[Event, ...] = ()

    def index(self, name: str) -> int:
        """Return the index of the subtask called ``name``.

        Raises:
            KeyError: if there is none.
        """
        for i, subtask in enumerate(self.subtasks):
            if subtask.name == name:
                return i
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the subtasks, in order of their index."""
        return tuple(subtask.name for subtask in self.subtasks)

    @property
    def random(self) -> bool:
        """Whether anything is drawn: a duration, a success, the tick of an event."""
        return any(s.duration.drawn or 0.0 < s.success < 1.0 for s in self.subtasks) or any(
            e.at[0] != e.at[1] or any(d.drawn for d in e.durations) for e in self.events
        )


def truth_of(graph: TaskGraph, done: Collection[int]) -> list[bool]:
    """Return which nodes hold once some subtasks are done, ``[n + gates]``."""
    values = [i in done for i in range(len(graph.subtasks))]
    for gate in graph.gates:
        held = sum(v == TRUE or values[v] for v in gate.positive)
        held += sum(v != TRUE and not values[v] for v in gate.negative)
        values.append(held >= gate.count)
    return values


def holds(graph: TaskGraph, node: int, done: Collection[int]) -> bool:
    """Return whether a node holds once some subtasks are done."""
    return node == TRUE or truth_of(graph, done)[node]
