"""Who steps where, when several bodies share a map: nobody blocks another for good.

Owns the choice of one step for all bodies together, by priority inheritance with
backtracking (Okumura et al., 2019): bodies choose in order of priority; one that stands
where another wants to go must make room first, and passes that on. Bodies are served by
index within a tick, so one that follows a body of a higher index lets it go first and comes
after. Where a body cannot make room, being in a dead end, it gets the right of way for a
while, and the one that pressed it backs out. Where bodies want to go is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

STAY = -1


@dataclass(frozen=True, slots=True)
class Mover:
    """A body that may step.

    Attributes:
        position: its cell.
        cost: what is still to make after a move in a direction (0..3) or after staying
            (``STAY``); a direction that leads nowhere is not to be asked for.
        pressing: whether it wants to get on; one that waits or has nothing to do does not.
    """

    position: int
    cost: Callable[[int], int]
    pressing: bool


def share_steps(
    movers: Mapping[int, Mover], order: Sequence[int], deltas: Sequence[int], free: int, fixed: int
) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Choose a step for every mover.

    Args:
        movers: by body.
        order: the bodies, those that choose first in front.
        deltas: what each direction adds to a position.
        free: cells that can be stood on (bits).
        fixed: cells of bodies that do not move now (bits).

    Returns:
        For every mover its direction or ``STAY``, and pairs (a body that pressed in vain,
        the body that could not make room).
    """
    return _Round(movers, deltas, free, fixed).run(order)


class _Round:
    """One tick's choices."""

    def __init__(self, movers: Mapping[int, Mover], deltas: Sequence[int], free: int, fixed: int) -> None:
        self._movers, self._deltas, self._free, self._taken = movers, deltas, free, fixed
        self._stands = {mover.position: b for b, mover in movers.items()}
        self._chosen: dict[int, int] = {}
        self._open: set[int] = set()  # bodies whose choice is being made
        self._jams: list[tuple[int, int]] = []

    def run(self, order: Sequence[int]) -> tuple[dict[int, int], list[tuple[int, int]]]:
        for b in order:
            if b not in self._chosen:
                self._decide(b, None)
        return self._chosen, self._jams

    def _decide(self, b: int, pusher: int | None) -> bool:
        """Choose for one body; return whether it leaves its cell, now or after those before it."""
        mover = self._movers[b]
        self._open.add(b)
        options = []
        # Who is pushed steps aside rather than ahead, where the other one most likely goes on.
        ahead = None if pusher is None else mover.position - self._movers[pusher].position
        for d, delta in enumerate(self._deltas):
            to = mover.position + delta
            if to >= 0 and self._free >> to & 1:
                options.append((mover.cost(d), int(delta == ahead), d))
        if pusher is None:
            options.append((mover.cost(STAY), -1 if not mover.pressing else 1, STAY))
        options.sort()
        for _, _, d in options:
            if d == STAY:
                break
            to = mover.position + self._deltas[d]
            bit = 1 << to
            if self._taken & bit or (pusher is not None and to == self._movers[pusher].position):
                continue
            other = self._stands.get(to)
            if other is None or other == b:
                return self._go(b, d, bit)
            if other in self._open:
                continue
            if other in self._chosen:
                if self._chosen[other] == STAY:  # it leaves later
                    continue
                return self._go(b, d, bit) if other < b else self._wait(b, leaving=True)
            self._taken |= bit
            if self._decide(other, b):
                self._taken &= ~bit
                return (
                    self._go(b, d, bit)
                    if other < b and self._chosen[other] != STAY
                    else self._wait(b, leaving=True)
                )
            self._taken &= ~bit
            # It could not make room and keeps its cell.
            self._taken |= 1 << to
            if mover.pressing and pusher is None:
                self._jams.append((b, other))
        return self._wait(b, leaving=False)

    def _go(self, b: int, direction: int, bit: int) -> bool:
        self._open.discard(b)
        self._taken |= bit
        self._chosen[b] = direction
        return True

    def _wait(self, b: int, leaving: bool) -> bool:
        """Keep the cell for this tick."""
        self._open.discard(b)
        self._taken |= 1 << self._movers[b].position
        self._chosen[b] = STAY
        return leaving
