"""Boolean circuits over points in time, as a constraint solver reads them.

Owns literals (constants folded, equal gates shared), comparisons of instants and
values that depend on an instant. It knows nothing of tasks; ``schedule`` writes the
rules in it. The solver is imported when a circuit is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Literal = Any
"""``True``, ``False`` or a Boolean variable of the solver, possibly negated."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time: a variable (or none) plus a constant, with its range.

    Attributes:
        variable: an integer variable of the solver, None for a constant.
        offset: ticks added to it.
        lo: smallest value.
        hi: largest value.
    """

    variable: Any
    offset: int
    lo: int
    hi: int

    @classmethod
    def constant(cls, tick: int) -> Instant:
        """Return a fixed point in time."""
        return cls(None, tick, tick, tick)

    def plus(self, ticks: int) -> Instant:
        """Return the instant so many ticks later."""
        return Instant(self.variable, self.offset + ticks, self.lo + ticks, self.hi + ticks)

    @property
    def expression(self) -> Any:
        """The instant as an expression of the solver."""
        return self.offset if self.variable is None else self.variable + self.offset

    @property
    def key(self) -> tuple[int, int]:
        """What tells two instants apart."""
        return (-1 if self.variable is None else self.variable.index, self.offset)


class Circuit:
    """A constraint model that is written as gates over literals.

    Attributes:
        model: the solver's model.
        gates: how many literals were made, a measure of its size.
    """

    def __init__(self) -> None:
        from ortools.sat.python import cp_model

        self.model = cp_model.CpModel()
        self.gates = 0
        self._domain = cp_model.Domain
        self._known: dict[Any, Literal] = {}

    def flag(self) -> Literal:
        """Return a free literal."""
        self.gates += 1
        return self.model.new_bool_var("")

    def instant(self, spans: Sequence[tuple[int, int]]) -> Instant | None:
        """Return a free instant within the spans (both ends included), None if all are empty."""
        spans = [(lo, hi) for lo, hi in spans if lo <= hi]
        if not spans:
            return None
        domain = self._domain.from_intervals([list(span) for span in spans])
        variable = self.model.new_int_var_from_domain(domain, "")
        return Instant(variable, 0, domain.min(), domain.max())

    def negate(self, a: Literal) -> Literal:
        """Return not ``a``."""
        return not a if isinstance(a, bool) else a.negated()

    def clause(self, *literals: Literal) -> None:
        """Demand that one of the literals holds."""
        if not any(a is True for a in literals):
            self.model.add_bool_or([a for a in literals if a is not False])

    def both(self, *literals: Literal) -> Literal:
        """Return the conjunction."""
        return self.all_of(literals)

    def all_of(self, literals: Iterable[Literal]) -> Literal:
        """Return the conjunction, made if it is new."""
        parts: dict[int, Literal] = {}
        for a in literals:
            if a is False:
                return False
            if a is not True:
                parts[a.index] = a
        if any(a.negated().index in parts for a in parts.values()):
            return False
        if not parts:
            return True
        if len(parts) == 1:
            return next(iter(parts.values()))
        key = ("and", *sorted(parts))
        if key not in self._known:
            result = self._known[key] = self.flag()
            for a in parts.values():
                self.model.add_implication(result, a)
            self.model.add_bool_or([result, *(a.negated() for a in parts.values())])
        return self._known[key]

    def any_of(self, literals: Iterable[Literal]) -> Literal:
        """Return the disjunction."""
        return self.negate(self.all_of([self.negate(a) for a in literals]))

    def at_least(self, count: int, literals: Sequence[Literal]) -> Literal:
        """Return whether at least ``count`` of the literals hold."""
        count -= sum(a is True for a in literals)
        free = [a for a in literals if not isinstance(a, bool)]
        if count <= 0:
            return True
        if count > len(free):
            return False
        if count == 1:
            return self.any_of(free)
        if count == len(free):
            return self.all_of(free)
        key = ("count", count, *sorted(a.index for a in free))
        if key not in self._known:
            result = self._known[key] = self.flag()
            self.model.add(sum(free) >= count).only_enforce_if(result)
            self.model.add(sum(free) <= count - 1).only_enforce_if(result.negated())
        return self._known[key]

    def before(self, a: Instant, b: Instant) -> Literal:
        """Return whether ``a <= b``."""
        if a.hi <= b.lo:
            return True
        if a.lo > b.hi:
            return False
        if a.key[0] == b.key[0]:
            return a.offset <= b.offset
        if a.key[0] > b.key[0]:
            return self.negate(self.before(b.plus(1), a))
        key = ("before", a.key[0], b.key[0], a.offset - b.offset)
        if key not in self._known:
            result = self._known[key] = self.flag()
            self.model.add(a.expression <= b.expression).only_enforce_if(result)
            self.model.add(a.expression > b.expression).only_enforce_if(result.negated())
        return self._known[key]

    def demand_before(self, a: Instant, b: Instant, *conditions: Literal) -> None:
        """Demand ``a <= b`` where all conditions hold."""
        free = [c for c in conditions if c is not True]
        if any(c is False for c in free) or a.hi <= b.lo:
            return
        if a.lo > b.hi:
            self.clause(*(self.negate(c) for c in free))
        elif free:
            self.model.add(a.expression <= b.expression).only_enforce_if(free)
        else:
            self.model.add(a.expression <= b.expression)

    def within(self, a: Instant, lo: int, hi: int) -> Literal:
        """Return whether ``lo <= a <= hi``."""
        return self.both(
            self.before(Instant.constant(lo), a),
            self.before(a, Instant.constant(hi)),
        )

    def at(self, a: Instant, tick: int) -> Literal:
        """Return whether ``a`` is this tick."""
        return self.within(a, tick, tick)

    def pick(self, a: Instant, values: Callable[[int], Literal]) -> Literal:
        """Return the value that belongs to the tick at which ``a`` is."""
        table = [(t, values(t)) for t in range(a.lo, a.hi + 1)]
        first = table[0][1]
        if all(value is first for _, value in table):
            return first
        result = self.flag()
        for t, value in table:
            elsewhere = self.negate(self.at(a, t))
            self.clause(elsewhere, self.negate(value), result)
            self.clause(elsewhere, value, self.negate(result))
        return result

    def demand_pick(self, condition: Literal, a: Instant, values: Callable[[int], Literal]) -> None:
        """Demand the value that belongs to the tick of ``a``, where the condition holds."""
        for t in range(a.lo, a.hi + 1):
            value = values(t)
            if value is not True:
                self.clause(self.negate(condition), self.negate(self.at(a, t)), value)
