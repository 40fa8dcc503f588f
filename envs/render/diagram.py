"""What a drawing of a task graph shows: nodes, edges and groups, without positions.

Owns the reading of gates as arrows and glyphs: an AND becomes several arrows,
everything else a glyph of its own. Placing is done in ``layering``, drawing in
``drawing``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from stratagym.envs.task.graph import TRUE, Gate, Lag, Subtask, TaskGraph

NodeKind = Literal["subtask", "gate", "item", "goal"]


@dataclass(frozen=True, slots=True)
class Node:
    """A box of the drawing: a subtask by its index, a glyph (a gate or an item), or the goal."""

    kind: NodeKind
    text: str
    subtask: int = -1

    @property
    def glyph(self) -> bool:
        """Whether it is drawn small, between the boxes."""
        return self.kind in ("gate", "item")


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two nodes.

    Attributes:
        negative: whether it says "must not be done".
        lag: the time window in words, "" if there is none.
        from_start: whether the window counts from the start.
        item: amount and item that the source produces and the target takes or needs, "" if none.
        needed: whether it is part of ``needs`` or a lag, not of the flow of items alone.
    """

    source: int
    target: int
    negative: bool = False
    lag: str = ""
    from_start: bool = False
    item: str = ""
    needed: bool = True

    @property
    def words(self) -> str:
        """What is written on the arrow."""
        return ", ".join(w for w in (self.lag, self.item) if w)


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives that are drawn together, by node."""

    title: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Diagram:
    """Everything that is drawn of a graph.

    Attributes:
        nodes: subtasks first (those that have appeared), then glyphs, then the goal.
        wanted: subtasks that the goal asks for directly.
        tags: short marks by subtask, such as the branch of a choice or a cooldown.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Group, ...]
    wanted: frozenset[int]
    tags: dict[int, tuple[str, ...]]


def lag_words(lag: Lag) -> str:
    """Return the window of a lag in a few characters, "" if any wait will do."""
    low, high = lag.minimum, lag.maximum
    if high is None:
        return f"≥{low}" if low else ""
    if low == high:
        return f"={low}"
    return f"{low}..{high}" if low else f"≤{high}"


def duration_words(subtask: Subtask) -> str:
    """Return the duration in a few characters, such as ``8``, ``2..6``, ``2/5`` or ``world``."""
    duration = subtask.duration
    if duration.kind == "world":
        return "world"
    if duration.kind == "choice" and duration.drawn:
        return "/".join(str(v) for v in sorted(set(duration.values)))
    return f"{duration.shortest}..{duration.longest}" if duration.drawn else str(duration.shortest)


def _passes(gate: Gate) -> bool:
    """Whether a gate only hands one literal on."""
    return gate.count == 1 and len(gate.positive) + len(gate.negative) == 1


def _is_all(gate: Gate) -> bool:
    return gate.count == len(gate.positive) + len(gate.negative)


class _Builder:
    """Collects nodes and edges while the gates are walked through."""

    def __init__(self, graph: TaskGraph, hidden: frozenset[int]) -> None:
        self.graph = graph
        self.n = len(graph.subtasks)
        shown = [i for i in range(self.n) if i not in hidden]
        self.nodes = [Node("subtask", graph.subtasks[i].name, i) for i in shown]
        self.at = {i: k for k, i in enumerate(shown)}
        self.edges: dict[tuple[int, int, bool], Edge] = {}
        self.glyphs: dict[int, int] = {}
        self.users = Counter(
            node for g in graph.gates for node in (*g.positive, *g.negative) if node >= self.n
        )
        self.users.update(graph.subtasks[i].needs for i in shown if graph.subtasks[i].needs >= self.n)

    def edge(self, source: int, target: int, negative: bool = False) -> None:
        self.edges.setdefault((source, target, negative), Edge(source, target, negative))

    def attach(self, node: int, target: int, negative: bool = False) -> None:
        """Draw that ``target`` needs ``node`` (or, negative, its opposite)."""
        if node == TRUE and not negative:
            return
        if 0 <= node < self.n:
            if node in self.at:
                self.edge(self.at[node], target, negative)
            return
        gate = Gate(1) if node == TRUE else self.graph.gates[node - self.n]
        if gate.count <= 0 and not negative:
            return
        if _passes(gate):
            for literal in gate.positive:
                self.attach(literal, target, negative)
            for literal in gate.negative:
                self.attach(literal, target, not negative)
        elif not negative and self._spreads(node, gate, target):
            self._literals(gate, target)
        else:
            self.edge(self._glyph(node, gate), target, negative)

    def _spreads(self, node: int, gate: Gate, target: int) -> bool:
        """Whether an AND is drawn as plain arrows: its target means AND, and few arrows result."""
        if not _is_all(gate) or not (gate.positive or gate.negative):
            return False
        if self.nodes[target].text not in ("and", "goal") and self.nodes[target].kind == "gate":
            return False
        literals, users = len(gate.positive) + len(gate.negative), self.users[node]
        return literals * users <= literals + users + 1

    def _literals(self, gate: Gate, target: int) -> None:
        for literal in gate.positive:
            self.attach(literal, target)
        for literal in gate.negative:
            self.attach(literal, target, True)

    def _glyph(self, node: int, gate: Gate) -> int:
        """Return the glyph of a gate, made on first use."""
        if node in self.glyphs:
            return self.glyphs[node]
        size = len(gate.positive) + len(gate.negative)
        if gate.count > size:
            text = "never"
        elif gate.count == size:
            text = "and"
        else:
            text = "or" if gate.count == 1 else f"{gate.count} of {size}"
        self.glyphs[node] = glyph = len(self.nodes)
        self.nodes.append(Node("gate", text))
        self._literals(gate, glyph)
        return glyph

    def lag(self, lag: Lag, subtask: int) -> str:
        """Draw one lag; return a tag for the subtask if it is on itself."""
        words, target = lag_words(lag), self.at[subtask]
        if lag.predecessors == (subtask,):
            return f"cooldown {lag.minimum}"
        sources = {self.at[p] for p in lag.predecessors if p in self.at}
        if not sources:
            return ""
        source = next(iter(sources)) if len(sources) == 1 else self._any_of(sources, target)
        plain = self.edges.get((source, target, False), Edge(source, target))
        if plain.lag:
            words = f"{plain.lag}, {words}"
        self.edges[source, target, False] = replace(plain, lag=words, from_start=lag.origin == "start")
        return ""

    def _any_of(self, sources: set[int], target: int) -> int:
        """Return an OR glyph fed by exactly these nodes, one before ``target`` if there is."""
        for glyph in self.glyphs.values():
            fed = {e.source for e in self.edges.values() if e.target == glyph and not e.negative}
            if self.nodes[glyph].text == "or" and fed == sources and (glyph, target, False) in self.edges:
                return glyph
        self.nodes.append(Node("gate", "or"))
        for source in sorted(sources):
            self.edge(source, len(self.nodes) - 1)
        return len(self.nodes) - 1

    def items(self) -> None:
        """Draw which subtasks produce what others take, if that is few arrows."""
        subtasks = self.graph.subtasks
        flows: list[tuple[str, list[int], list[tuple[int, int]]]] = []
        for index, item in enumerate(self.graph.items):
            makers = [i for i in self.at if any(p == index for p, _ in subtasks[i].produces)]
            takers = [
                (i, max(a for p, a in (*subtasks[i].consumes, *subtasks[i].requires) if p == index))
                for i in self.at
                if any(p == index for p, _ in (*subtasks[i].consumes, *subtasks[i].requires))
            ]
            if makers and takers:
                flows.append((item.name, makers, takers))
        arrows = sum(min(len(m) * len(t), len(m) + len(t)) for _, m, t in flows)
        if arrows <= 2 * len(self.at) + 8:
            for name, makers, takers in flows:
                self._flow(name, makers, takers)

    def _flow(self, name: str, makers: list[int], takers: list[tuple[int, int]]) -> None:
        """Draw the way of one item: straight from maker to taker, or by way of a plate where many meet."""
        if len(makers) * len(takers) <= len(makers) + len(takers) + 1:
            for maker in makers:
                for taker, amount in takers:
                    if maker != taker:
                        self._hand(self.at[maker], self.at[taker], f"{amount} {name}" if amount > 1 else name)
            return
        plate = len(self.nodes)
        self.nodes.append(Node("item", name))
        for maker in makers:
            self._hand(self.at[maker], plate, "")
        for taker, amount in takers:
            self._hand(plate, self.at[taker], f"{amount}" if amount > 1 else "")

    def _hand(self, source: int, target: int, words: str) -> None:
        plain = self.edges.get((source, target, False), Edge(source, target, needed=False))
        both = ", ".join(w for w in (plain.item, words) if w)
        self.edges[source, target, False] = replace(plain, item=both)

    def goal(self) -> frozenset[int]:
        """Draw what of the goal is more than a list of subtasks; return that list."""
        if self.graph.goal is None:
            return frozenset()
        direct: set[int] = set()
        rest: list[tuple[int, bool]] = []
        self._split_goal(self.graph.goal, direct, rest)
        if rest:
            self.nodes.append(Node("goal", "goal"))
            goal = len(self.nodes) - 1
            for node, negative in rest:
                self.attach(node, goal, negative)
        return frozenset(i for i in direct if i in self.at)

    def _split_goal(self, node: int, direct: set[int], rest: list[tuple[int, bool]]) -> None:
        if 0 <= node < self.n:
            direct.add(node)
            return
        if node == TRUE:
            return
        gate = self.graph.gates[node - self.n]
        if _is_all(gate) and gate.count > 0:
            for literal in gate.positive:
                self._split_goal(literal, direct, rest)
            rest += [(literal, True) for literal in gate.negative]
        else:
            rest.append((node, False))

    def drop_empty_glyphs(self) -> None:
        """Remove glyphs that nothing leads into or out of, because all of it is hidden."""
        while True:
            fed = {e.target for e in self.edges.values()}
            used = {e.source for e in self.edges.values()}
            gone = {
                k
                for k, node in enumerate(self.nodes)
                if (node.glyph and (k not in used or (k not in fed and node.text != "never")))
            }
            if not gone:
                return
            keep = [k for k in range(len(self.nodes)) if k not in gone]
            new = {k: i for i, k in enumerate(keep)}
            self.nodes = [self.nodes[k] for k in keep]
            edges = [e for e in self.edges.values() if e.source in new and e.target in new]
            self.edges = {
                (new[e.source], new[e.target], e.negative): replace(
                    e, source=new[e.source], target=new[e.target]
                )
                for e in edges
            }


def _groups(graph: TaskGraph, at: dict[int, int]) -> tuple[list[Group], dict[int, list[str]]]:
    """Return the choices as groups, and the marks of branches with more than one subtask."""
    named = {c.name: c for c in graph.compositions}
    groups: list[Group] = []
    tags: dict[int, list[str]] = {}
    letters = iter("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    for choice in graph.choices:
        members = tuple(at[i] for i in choice.members if i in at)
        if len(members) < 2:
            continue
        entry = named.get(choice.name)
        title = "one of" if entry is None or entry.inline else f"one of: {choice.name}"
        groups.append(Group(title, members))
        if all(len(b.members) == 1 for b in choice.branches):
            continue
        letter = next(letters, "*")
        for k, branch in enumerate(choice.branches):
            for i in branch.members:
                tags.setdefault(i, []).append(f"{letter}{k + 1}")
    return groups, tags


def diagram(graph: TaskGraph, hidden: frozenset[int] = frozenset()) -> Diagram:
    """Return what is drawn of a graph; subtasks in ``hidden`` and what hangs on them only are left out."""
    builder = _Builder(graph, hidden)
    groups, tags = _groups(graph, builder.at)
    for i, k in builder.at.items():
        builder.attach(graph.subtasks[i].needs, k)
    for i in builder.at:
        for lag in graph.subtasks[i].lags:
            tag = builder.lag(lag, i)
            if tag:
                tags.setdefault(i, []).append(tag)
    builder.items()
    wanted = builder.goal()
    builder.drop_empty_glyphs()
    return Diagram(
        nodes=tuple(builder.nodes),
        edges=tuple(builder.edges.values()),
        groups=tuple(groups),
        wanted=wanted,
        tags={i: tuple(marks) for i, marks in tags.items()},
    )
