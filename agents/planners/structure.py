"""What waits for what: the order hidden in a task graph, in the form planners reason over.

Owns the reading of gates as formulas without inner negation, and the relation
"must come before" with the measures built on it (relevance to the goal, tails,
latest starts, followers). It knows nothing of agents, capacities or choices of
action, and everything here is a heuristic's estimate: what is allowed is the
mask's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stratagym.envs.task.graph import TRUE, TaskGraph


@dataclass(frozen=True, slots=True)
class Literal:
    """A subtask is done (``positive``), or is not."""

    subtask: int
    positive: bool = True


@dataclass(frozen=True, slots=True)
class Threshold:
    """At least ``count`` of the parts hold: AND if it is all of them, OR if it is one."""

    count: int
    parts: tuple[Formula, ...]

    @property
    def conjunction(self) -> bool:
        """Whether every part is needed (of a single part, too)."""
        return self.count == len(self.parts)


Formula = Literal | Threshold
ALWAYS = Threshold(0, ())
NEVER = Threshold(1, ())


def threshold(count: int, parts: Iterable[Formula]) -> Formula:
    """Return "at least ``count`` of ``parts``" in its plainest form.

    Constants are folded away, an AND inside an AND and an OR inside an OR are
    merged, and the same literal is not said twice, so that a disjunctive normal
    form comes out as an OR of ANDs of literals however its gates were nested.
    """
    kept: list[Formula] = []
    for part in parts:
        if isinstance(part, Threshold) and part.count == 0:
            count -= 1
        elif not (isinstance(part, Threshold) and not part.parts):
            kept.append(part)
    if count <= 0:
        return ALWAYS
    if count > len(kept):
        return NEVER
    conjunction = count == len(kept)
    if conjunction or count == 1:
        kept = _merge(kept, conjunction)
        count = len(kept) if conjunction else 1
    return kept[0] if len(kept) == 1 else Threshold(count, tuple(kept))


def _merge(parts: list[Formula], conjunction: bool) -> list[Formula]:
    """Return the parts with inner gates of the same sort opened and double literals dropped."""
    flat: list[Formula] = []
    for part in parts:
        same = isinstance(part, Threshold) and (part.conjunction if conjunction else part.count == 1)
        flat.extend(part.parts if isinstance(part, Threshold) and same else (part,))
    seen: set[Literal] = set()
    merged: list[Formula] = []
    for part in flat:
        if isinstance(part, Literal):
            if part in seen:
                continue
            seen.add(part)
        merged.append(part)
    return merged


def literals(formula: Formula) -> set[Literal]:
    """Return every literal that occurs in the formula."""
    found: set[Literal] = set()
    stack, visited = [formula], set()
    while stack:
        part = stack.pop()
        if isinstance(part, Literal):
            found.add(part)
        elif id(part) not in visited:
            visited.add(id(part))
            stack.extend(part.parts)
    return found


class Formulas:
    """Formulas of a graph's nodes, negation pushed down to the subtasks (De Morgan for thresholds).

    "Not at least k of m" is "at least m - k + 1 of the negations".
    """

    def __init__(self, graph: TaskGraph) -> None:
        self._subtasks = len(graph.subtasks)
        self._gates = graph.gates
        self._known: dict[tuple[int, bool], Formula] = {}

    def of(self, node: int, positive: bool = True) -> Formula:
        """Return the formula of one node, or of its negation."""
        stack = [(node, positive)]
        while stack:
            key = stack[-1]
            wanted = [k for k in self._inputs(*key) if k not in self._known]
            if wanted:
                stack.extend(wanted)
                continue
            stack.pop()
            if key not in self._known:
                self._known[key] = self._build(*key)
        return self._known[node, positive]

    def _inputs(self, node: int, positive: bool) -> list[tuple[int, bool]]:
        if node < self._subtasks:
            return []
        gate = self._gates[node - self._subtasks]
        return [(i, positive) for i in gate.positive] + [(i, not positive) for i in gate.negative]

    def _build(self, node: int, positive: bool) -> Formula:
        if node == TRUE:
            return ALWAYS if positive else NEVER
        if node < self._subtasks:
            return Literal(node, positive)
        gate = self._gates[node - self._subtasks]
        inputs = self._inputs(node, positive)
        count = gate.count if positive else len(inputs) - gate.count + 1
        return threshold(count, [self._known[key] for key in inputs])


@dataclass(frozen=True, slots=True)
class Edge:
    """A subtask that comes later, and the ticks that must pass from this one's completion or start."""

    successor: int
    lag: int = 0
    from_start: bool = False


class Structure:
    """The precedence structure of one task graph, made once and read at every decision.

    Attributes:
        graph: the task it was read from.
        conditions: ``[n]`` what must be done, and not done, before a start: ``needs``,
            the predecessors of lags, and the subtasks that a choice rules out.
        goal: the goal's formula, None without a goal.
        producers: item -> the subtasks that make it.
        edges: ``[n]`` what may wait for the subtask: positive literals, lags and, where
            stock alone cannot serve all, items.
        order: every subtask after those that wait for it; an edge that closes a
            cycle is left out of account.
        acyclic: whether no edge had to be left out.
        relevant: subtasks that the goal (and the formulas) may ask for; without a
            goal those that lead to a reward, or all if there is none.
        expected: ``[n]`` expected duration in ticks.
        quickest: ``[n]`` the same, but that of the quickest mode.
        longest: the longest duration or lag in ticks.
        settled: the tick after which no release and no known event is to come.
        choices: ``[n]`` the choices that the subtask is under.
    """

    def __init__(self, graph: TaskGraph) -> None:
        self.graph = graph
        formulas = Formulas(graph)
        count = len(graph.subtasks)
        lags = [t for s in graph.subtasks for lag in s.lags for t in (lag.minimum, lag.maximum or 0)]
        self.longest = max([1, *lags, *(s.duration.longest or 1 for s in graph.subtasks)])
        self.settled = max([0, *(s.release for s in graph.subtasks), *(e.at[1] for e in graph.events)])
        self.choices: list[list[int]] = [[] for _ in range(count)]
        for c, choice in enumerate(graph.choices):
            for i in choice.members:
                self.choices[i].append(c)
        self._undone = [Literal(i, False) for i in range(count)]
        self.conditions = [self._condition(formulas, i) for i in range(count)]
        self.goal = None if graph.goal is None else formulas.of(graph.goal)
        self.producers: dict[int, tuple[int, ...]] = {
            k: tuple(i for i, s in enumerate(graph.subtasks) if any(item == k for item, _ in s.produces))
            for k in range(len(graph.items))
        }
        self.edges = self._edges()
        self.order = _successors_first(self.edges)
        self._rank = {i: k for k, i in enumerate(self.order)}
        self.acyclic = all(self.forward(i, e.successor) for i, out in enumerate(self.edges) for e in out)
        self.relevant = self._relevant(formulas)
        self.expected = [s.duration.mean for s in graph.subtasks]
        self.quickest = list(self.expected)
        for group in graph.compositions:
            if group.kind == "modes" and group.members:
                best = min(self.expected[i] for i in group.members)
                for i in group.members:
                    self.quickest[i] = best

    def forward(self, i: int, successor: int) -> bool:
        """Tell whether the edge from ``i`` to ``successor`` is one that closes no cycle."""
        return self._rank[successor] < self._rank[i]

    def rivals(self, i: int) -> set[int]:
        """Return the subtasks which, once taken, no branch of some choice lets ``i`` join."""
        found: set[int] = set()
        for c in self.choices[i]:
            choice = self.graph.choices[c]
            beside = {j for b in choice.branches if i in b.members for j in b.members}
            found |= set(choice.members) - beside
        return found

    def _condition(self, formulas: Formulas, i: int) -> Formula:
        subtask = self.graph.subtasks[i]
        asked = [formulas.of(subtask.needs)]
        for lag in subtask.lags:
            others = [Literal(j) for j in lag.predecessors if j != i]
            if others:
                asked.append(threshold(1, others))
        condition = threshold(len(asked), asked)
        barred = tuple(self._undone[j] for j in sorted(self.rivals(i)))
        if not barred:
            return condition
        # ALWAYS stays as a part: beside it a bar weighs against something that holds.
        opened = isinstance(condition, Threshold) and condition.parts and condition.conjunction
        parts = condition.parts if opened and isinstance(condition, Threshold) else (condition,)
        return Threshold(len(parts) + len(barred), parts + barred)

    def _edges(self) -> list[list[Edge]]:
        subtasks = self.graph.subtasks
        demand = [0] * len(self.graph.items)
        for s in subtasks:
            for k, amount in (*s.consumes, *s.requires):
                demand[k] += amount
        short = {k for k, item in enumerate(self.graph.items) if demand[k] > item.stock}
        edges: list[list[Edge]] = [[] for _ in subtasks]
        for i, s in enumerate(subtasks):
            lagged = {j for lag in s.lags for j in lag.predecessors}
            before = {lit.subtask for lit in literals(self.conditions[i]) if lit.positive} - lagged
            before |= {j for k, _ in (*s.consumes, *s.requires) if k in short for j in self.producers[k]}
            for j in sorted(before - {i}):
                edges[j].append(Edge(i))
            for lag in s.lags:
                for j in lag.predecessors:
                    if j != i:
                        edges[j].append(Edge(i, lag.minimum, lag.origin == "start"))
        return edges

    def _relevant(self, formulas: Formulas) -> frozenset[int]:
        everything = frozenset(range(len(self.graph.subtasks)))
        if self.goal is not None:
            roots = {lit.subtask for lit in literals(self.goal) if lit.positive}
            for constraint in self.graph.constraints:
                for atom in constraint.atoms:
                    named = literals(formulas.of(atom.node)) if atom.kind == "done" else set()
                    roots |= {lit.subtask for lit in named} | set(atom.members)
        else:
            roots = {i for i, s in enumerate(self.graph.subtasks) if s.reward > 0}
        if not roots:
            return everything
        before: list[list[int]] = [[] for _ in self.graph.subtasks]
        for i, edges in enumerate(self.edges):
            for edge in edges:
                before[edge.successor].append(i)
        found, stack = set(roots), list(roots)
        while stack:
            for j in before[stack.pop()]:
                if j not in found:
                    found.add(j)
                    stack.append(j)
        return frozenset(found)

    def pending(self, status: Sequence[str]) -> list[bool]:
        """Return, per subtask, whether it matters, has not started and may still be done."""
        return [i in self.relevant and word in ("locked", "eligible") for i, word in enumerate(status)]

    def tails(self, status: Sequence[str]) -> list[float]:
        """Return ``[n]`` ticks from a start to the end of the longest chain of pending subtasks after it.

        Its own duration counts (that of its quickest mode), minimal lags too. The
        critical path measure of project scheduling (Kelley and Walker, 1959).
        """
        pending = self.pending(status)
        tails = [0.0] * len(pending)
        for i in self.order:
            longest = self.quickest[i]
            for edge in self.edges[i]:
                if pending[edge.successor] and self.forward(i, edge.successor):
                    lead = edge.lag + (0.0 if edge.from_start else self.quickest[i])
                    longest = max(longest, lead + tails[edge.successor])
            tails[i] = longest
        return tails

    def latest_starts(self, status: Sequence[str], limits: Sequence[float]) -> list[float]:
        """Return ``[n]`` the tick by which each must start for all that waits for it to meet its limit.

        Args:
            status: ``[n]`` status words.
            limits: ``[n]`` the tick by which each should be complete.
        """
        pending = self.pending(status)
        latest = [0.0] * len(pending)
        for i in self.order:
            tick = limits[i] - self.quickest[i]
            for edge in self.edges[i]:
                if pending[edge.successor] and self.forward(i, edge.successor):
                    lead = edge.lag + (0.0 if edge.from_start else self.quickest[i])
                    tick = min(tick, latest[edge.successor] - lead)
            latest[i] = tick
        return latest

    def followers(self, status: Sequence[str]) -> list[int]:
        """Return ``[n]`` how many pending subtasks wait for each, directly or through others."""
        pending = self.pending(status)
        reached: list[int] = [0] * len(pending)  # bit sets: bit s is subtask s
        for i in self.order:
            for edge in self.edges[i]:
                if pending[edge.successor] and self.forward(i, edge.successor):
                    reached[i] |= 1 << edge.successor | reached[edge.successor]
        return [bits.bit_count() for bits in reached]


def _successors_first(edges: list[list[Edge]]) -> list[int]:
    """Return all subtasks in the order in which a depth-first search leaves them."""
    order: list[int] = []
    state = [0] * len(edges)
    for root in range(len(edges)):
        stack = [(root, 0)] if state[root] == 0 else []
        while stack:
            i, k = stack.pop()
            state[i] = 1
            while k < len(edges[i]) and state[edges[i][k].successor]:
                k += 1
            if k < len(edges[i]):
                stack += [(i, k + 1), (edges[i][k].successor, 0)]
            else:
                order.append(i)
    return order
