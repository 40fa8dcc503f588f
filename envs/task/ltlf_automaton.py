"""Minimal automata of LTLf formulas, by formula progression over decision diagrams.

Owns the translation of a formula, read by ``ltlf``, into an automaton: a formula is a
shared graph of true, atoms, ``not``, ``and``, ``or``, ``X`` and ``U``. What a trace read so
far leaves to be satisfied is a Boolean function over *obligations*, one per strong next
or until: "there is a further letter, and from it on this subformula holds". Functions are
kept as ordered decision diagrams (Bryant, 1986), so equal ones are one number, and reading
a letter substitutes each obligation by the unfolding of its subformula (formula
progression, Bacchus and Kabanza, 1998; LTLf by De Giacomo and Vardi, 2013). A trace is
accepted if what is left holds with every obligation false. Partition refinement (Moore,
1956) then merges equivalent states. Nothing recurses, so the depth of a formula is
limited by its length only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stratagym.envs.task.graph import AtomKind, Automaton

MAX_STATES = 256
MAX_RAW_STATES = 8192
"""States allowed before minimisation."""
MAX_WORK = 1_500_000
"""Steps of diagram arithmetic allowed for one formula (a few seconds)."""

Atom = tuple[AtomKind, str]


class FormulaError(ValueError):
    """A formula that cannot be used.

    Attributes:
        position: index of the character at fault, 0 for the formula as a whole.
        reason: what is wrong, without the position.
    """

    def __init__(self, reason: str, position: int = 0) -> None:
        super().__init__(f"{reason} (at character {position + 1})" if position else reason)
        self.reason = reason
        self.position = position


class Formula:
    """Subformulas, each stored once; operands come before what uses them.

    ``nodes[i]`` is ``(operator, left, right)``; 0 is false and 1 is true.
    """

    def __init__(self) -> None:
        self.nodes: list[tuple[str, int, int]] = [("false", 0, 0), ("true", 0, 0)]
        self.atoms: dict[Atom, int] = {}
        self._index: dict[tuple[str, int, int], int] = {}

    def make(self, operator: str, left: int, right: int = 0) -> int:
        """Return the number of a core subformula, made if it is new."""
        key = (operator, left, right)
        if key not in self._index:
            self._index[key] = len(self.nodes)
            self.nodes.append(key)
        return self._index[key]

    def atom(self, atom: Atom) -> int:
        """Return the subformula that is one atom."""
        return self.make("atom", self.atoms.setdefault(atom, len(self.atoms)))

    def negate(self, a: int) -> int:
        """Return not ``a``."""
        if a < 2:
            return 1 - a
        operator, left, _ = self.nodes[a]
        return left if operator == "not" else self.make("not", a)

    def both(self, a: int, b: int) -> int:
        """Return ``a`` and ``b``."""
        if 0 in (a, b) or a == self.negate(b):
            return 0
        if a == b or b == 1:
            return a
        return b if a == 1 else self.make("and", min(a, b), max(a, b))

    def either(self, a: int, b: int) -> int:
        """Return ``a`` or ``b``."""
        return self.negate(self.both(self.negate(a), self.negate(b)))

    def until(self, a: int, b: int) -> int:
        """Return ``a U b``."""
        if b < 2 or a == 0 or a == b:
            return b
        if self.nodes[b][0] == "U" and self.nodes[b][1] == a:
            return b
        if a == 1 and self._eventually(self._eventually(b)):
            return b  # F G F c is G F c
        return self.make("U", a, b)

    def _eventually(self, a: int) -> int:
        """Return b if ``a`` is ``G ~b``, that is ``~F b``, with b no constant; else 0."""
        operator, left, _ = self.nodes[a]
        if operator == "not" and self.nodes[left][:2] == ("U", 1):
            return self.nodes[left][2]
        return 0

    def next(self, a: int) -> int:
        """Return the strong next of ``a``."""
        return self.make("X", a) if a else 0

    def unary(self, operator: str, a: int) -> int:
        """Return a prefix operator applied to ``a``."""
        match operator:
            case "~":
                return self.negate(a)
            case "X":
                return self.next(a)
            case "WX":
                return self.negate(self.next(self.negate(a)))
            case "F":
                return self.until(1, a)
            case _:
                return self.negate(self.until(1, self.negate(a)))

    def binary(self, operator: str, a: int, b: int) -> int:
        """Return an infix operator applied to ``a`` and ``b``."""
        match operator:
            case "&":
                return self.both(a, b)
            case "|":
                return self.either(a, b)
            case "->":
                return self.either(self.negate(a), b)
            case _:
                return self.until(a, b)


def automaton_of(formula: Formula, root: int) -> Automaton:
    """Return the minimal automaton of one subformula, over the atoms of the whole.

    Raises:
        FormulaError: if it needs too many states or too much work.
    """
    table, accepting = _explore(formula, root)
    return _minimise(table, accepting)


class _Diagrams:
    """Reduced ordered decision diagrams; 0 and 1 are the constants.

    Levels are numbered from the root; operands of a diagram have smaller numbers.
    """

    def __init__(self) -> None:
        self.level = [1 << 60, 1 << 60]
        self.low = [0, 1]
        self.high = [0, 1]
        self._nodes: dict[tuple[int, int, int], int] = {}
        self._known: dict[tuple[int, int, int], int] = {}
        self.work = 0

    def node(self, level: int, low: int, high: int) -> int:
        """Return the diagram that tests ``level`` first."""
        if low == high:
            return low
        key = (level, low, high)
        found = self._nodes.get(key)
        if found is None:
            found = self._nodes[key] = len(self.level)
            self.level.append(level)
            self.low.append(low)
            self.high.append(high)
        return found

    def choose(self, condition: int, then: int, other: int) -> int:
        """Return "if ``condition`` then ``then`` else ``other``"."""
        level, low, high, known = self.level, self.low, self.high, self._known
        todo = [(condition, then, other, -1)]
        values: list[int] = []
        while todo:
            f, g, h, top = todo.pop()
            if top >= 0:
                upper = values.pop()
                known[f, g, h] = result = self.node(top, values.pop(), upper)
                values.append(result)
                continue
            simple = self._simple(f, g, h)
            if simple is not None:
                values.append(simple)
                continue
            self.work += 1
            top = min(level[f], level[g], level[h])
            todo.append((f, g, h, top))
            f0, f1 = (low[f], high[f]) if level[f] == top else (f, f)
            g0, g1 = (low[g], high[g]) if level[g] == top else (g, g)
            h0, h1 = (low[h], high[h]) if level[h] == top else (h, h)
            todo += [(f1, g1, h1, -1), (f0, g0, h0, -1)]
            if self.work > MAX_WORK:
                raise FormulaError("too intricate: its automaton would take too long to build")
        return values[0]

    def _simple(self, f: int, g: int, h: int) -> int | None:
        """Return the result where no work is needed."""
        if f == 1 or g == h:
            return g
        if f == 0:
            return h
        if g == 1 and h == 0:
            return f
        return self._known.get((f, g, h))

    def substitute(self, root: int, replacement: Callable[[int], int], done: dict[int, int]) -> int:
        """Return ``root`` with every level replaced by a diagram; ``done`` keeps results."""
        todo = [root]
        below: set[int] = set()
        while todo:
            node = todo.pop()
            if node not in done and node not in below:
                below.add(node)
                todo += [self.low[node], self.high[node]]
        for node in sorted(below):
            done[node] = self.choose(
                replacement(self.level[node]), done[self.high[node]], done[self.low[node]]
            )
        return done[root]


def _explore(formula: Formula, root: int) -> tuple[list[list[int]], list[bool]]:
    """Return the table of the reachable states (0 is initial) and which accept."""
    diagrams = _Diagrams()
    letters = len(formula.atoms)
    unfolded, owed = _unfold(formula, root, diagrams)
    start = diagrams.node(letters + owed.index(root), 0, 1)
    states = {start: 0}
    order = [start]
    table: list[list[int]] = []
    done = {0: 0, 1: 1}
    for state in order:
        after = diagrams.substitute(state, lambda level: unfolded[owed[level - letters]], done)
        row = [after]
        for k in range(letters):
            tests = [diagrams.level[d] == k for d in row]
            lows = [diagrams.low[d] if t else d for d, t in zip(row, tests, strict=True)]
            highs = [diagrams.high[d] if t else d for d, t in zip(row, tests, strict=True)]
            row = lows + highs
        for successor in row:
            if successor not in states:
                states[successor] = len(states)
                order.append(successor)
        if len(states) > MAX_RAW_STATES:
            raise FormulaError(f"needs too many states (at most {MAX_STATES} are allowed)")
        table.append([states[d] for d in row])
    return table, [_holds_at_end(diagrams, state) for state in order]


def _unfold(formula: Formula, root: int, diagrams: _Diagrams) -> tuple[list[int], list[int]]:
    """Return what each subformula demands of the present letter and leaves open.

    Returns:
        A diagram per subformula, over the atoms and then the obligations; and the
        subformula that each obligation is about.
    """
    owed: list[int] = []
    place: dict[int, int] = {}

    def obligation(about: int) -> int:
        if about not in place:
            place[about] = len(owed)
            owed.append(about)
        return diagrams.node(len(formula.atoms) + place[about], 0, 1)

    result = [0, 1]
    for i, (operator, left, right) in enumerate(formula.nodes[2:], 2):
        match operator:
            case "atom":
                unfolded = diagrams.node(left, 0, 1)
            case "not":
                unfolded = diagrams.choose(result[left], 0, 1)
            case "and":
                unfolded = diagrams.choose(result[left], result[right], 0)
            case "X":
                unfolded = obligation(left)
            case _:
                go_on = diagrams.choose(result[left], obligation(i), 0)
                unfolded = diagrams.choose(result[right], 1, go_on)
        result.append(unfolded)
    obligation(root)
    return result, owed


def _holds_at_end(diagrams: _Diagrams, state: int) -> bool:
    """Return the value of a diagram with every obligation false."""
    while state > 1:
        state = diagrams.low[state]
    return state == 1


def _minimise(table: list[list[int]], accepting: list[bool]) -> Automaton:
    """Return the minimal automaton, numbered breadth first from state 0."""
    moves = np.asarray(table, dtype=np.int32)
    columns = np.unique(moves, axis=1)
    block = np.asarray(accepting, dtype=np.int32)
    count = len(set(accepting))
    while True:
        names: dict[bytes, int] = {}
        keys = np.concatenate([block[:, None], block[columns]], axis=1)
        block = np.asarray([names.setdefault(row.tobytes(), len(names)) for row in keys], dtype=np.int32)
        if len(names) > MAX_STATES:
            raise FormulaError(f"needs more than {MAX_STATES} states when minimal")
        if len(names) == count:
            break
        count = len(names)
    member = {int(b): i for i, b in reversed(list(enumerate(block)))}
    order = {int(block[0]): 0}
    queue = [int(block[0])]
    rows: list[tuple[int, ...]] = []
    for b in queue:
        successors = block[moves[member[b]]].tolist()
        for successor in successors:
            if successor not in order:
                order[successor] = len(order)
                queue.append(successor)
        rows.append(tuple(order[s] for s in successors))
    accepts = tuple(accepting[member[b]] for b in queue)
    return Automaton(0, tuple(rows), accepts, _dead(rows, accepts))


def _dead(rows: list[tuple[int, ...]], accepting: tuple[bool, ...]) -> tuple[bool, ...]:
    """Return for each state whether no accepting state can be reached from it."""
    alive = list(accepting)
    changed = True
    while changed:
        changed = False
        for state, row in enumerate(rows):
            if not alive[state] and any(alive[s] for s in row):
                alive[state] = changed = True
    return tuple(not a for a in alive)
