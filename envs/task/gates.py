"""Threshold gates, shared and acyclic, from expressions over names.

Owns the list of gates of one task while it is built. Equal gates are made once;
a node occurs at most once on each side of a gate. Names are resolved by the
caller; nodes are numbered as in ``graph``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stratagym.envs.task.expr import And, AtLeast, Expr, Name, Not, Or
from stratagym.envs.task.graph import TRUE, Gate

Literal = tuple[int, bool]
"""A node, and whether it must hold (else it must not)."""


class Gates:
    """The gates of one task; ``gates`` is the finished list at any time."""

    def __init__(self, subtasks: int) -> None:
        self.subtasks = subtasks
        self.gates: list[Gate] = []
        self._nodes: dict[Gate, int] = {}

    def at_least(self, count: int, literals: Iterable[Literal]) -> int:
        """Return a node that holds if at least ``count`` of the literals do.

        A literal that is listed twice counts twice (through a gate that repeats it).
        """
        positive: list[int] = []
        negative: list[int] = []
        used: set[Literal] = set()
        for node, sign in literals:
            while (node, sign) in used:
                node, sign = self._gate(Gate(1, (node,)) if sign else Gate(1, (), (node,))), True
            used.add((node, sign))
            (positive if sign else negative).append(node)
        if count == 1 and len(used) == 1 and positive:
            return positive[0]
        return self._gate(Gate(count, tuple(sorted(positive)), tuple(sorted(negative))))

    def all(self, literals: Iterable[Literal]) -> int:
        """Return a node that holds if all literals do; ``TRUE`` without any."""
        distinct = set(literals) - {(TRUE, True)}
        return self.at_least(len(distinct), distinct) if distinct else TRUE

    def any(self, literals: Iterable[Literal]) -> int:
        """Return a node that holds if one of the literals does."""
        return self.at_least(1, set(literals))

    def literal(self, expr: Expr, node_of: Callable[[str], int]) -> Literal:
        """Return the literal that an expression comes down to.

        Args:
            expr: the expression.
            node_of: the node of a name.
        """
        match expr:
            case Name(name):
                return node_of(name), True
            case Not(part):
                node, sign = self.literal(part, node_of)
                return node, not sign
            case And(parts):
                return self.all(self.literal(p, node_of) for p in parts), True
            case Or(parts):
                return self.any(self.literal(p, node_of) for p in parts), True
            case AtLeast(count, parts):
                return self.at_least(count, [self.literal(p, node_of) for p in parts]), True

    def conjuncts(self, expr: Expr, node_of: Callable[[str], int]) -> list[Literal]:
        """Return literals that hold together exactly if the expression does."""
        if isinstance(expr, And):
            return [self.literal(p, node_of) for p in expr.parts]
        return [self.literal(expr, node_of)]

    def _gate(self, gate: Gate) -> int:
        node = self._nodes.get(gate)
        if node is None:
            node = self._nodes[gate] = self.subtasks + len(self.gates)
            self.gates.append(gate)
        return node
