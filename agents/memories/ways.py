"""Ways on a map of cells: how far it is, and which step comes next.

Owns breadth-first search over sets of cells that are kept as the bits of one integer: a
wave spreads by four shifts, so that even a map of 64 by 64 cells costs a few
microseconds a wave and no array is touched. It knows neither bodies nor subtasks.

Cell (x, y) is bit ``x + y * stride`` with ``stride = width + 1``: the spare column keeps
a row's end apart from the next row's beginning.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from stratagym.envs.worlds.view import FACINGS, STEPS

Bits = int
"""A set of cells."""

FAR = 1 << 30
"""A distance that nothing has."""


def bits_of(cells: np.ndarray[Any, np.dtype[np.bool_]]) -> Bits:
    """Return the set of the cells that are true in a ``[H, W]`` array."""
    padded = np.pad(cells, ((0, 0), (0, 1)))
    return int.from_bytes(np.packbits(padded, bitorder="little").tobytes(), "little")


def lowest(bits: Bits) -> int:
    """Return the position of the first cell of a set that is not empty."""
    return (bits & -bits).bit_length() - 1


def each(bits: Bits) -> list[int]:
    """Return the positions of all cells of a set, in order."""
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found


class Grid:
    """The shape of a map: positions, neighbours and directions."""

    __slots__ = ("deltas", "height", "inside", "stride", "width")

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height, self.stride = width, height, width + 1
        self.deltas = tuple(dx + dy * self.stride for dx, dy in STEPS)
        self.inside: Bits = bits_of(np.ones((height, width), np.bool_))

    def at(self, cell: tuple[int, int]) -> int:
        """Return the position of a cell ``(x, y)``."""
        return cell[0] + cell[1] * self.stride

    def cell(self, position: int) -> tuple[int, int]:
        """Return the cell ``(x, y)`` of a position."""
        return position % self.stride, position // self.stride

    def shift(self, bits: Bits, direction: int) -> Bits:
        """Return the cells one step on in a direction (``FACINGS``), those inside."""
        delta = self.deltas[direction]
        return (bits << delta if delta > 0 else bits >> -delta) & self.inside

    def beside(self, bits: Bits) -> Bits:
        """Return the cells that are one step from a cell of the set."""
        s = self.stride
        return (bits << 1 | bits >> 1 | bits << s | bits >> s) & self.inside

    def around(self, bits: Bits, radius: int = 1) -> Bits:
        """Return the cells within a square of the radius about a cell of the set, itself among them."""
        for _ in range(radius):
            wide = (bits | bits << 1 | bits >> 1) & self.inside
            bits = (wide | wide << self.stride | wide >> self.stride) & self.inside
        return bits

    def roomy(self, free: Bits) -> Bits:
        """Return the free cells that cut nothing off if closed: what is free round each hangs together."""
        found = 0
        for position in each(free):
            ring = self.around(1 << position) & free & ~(1 << position)
            part = ring & self.beside(1 << position)
            part &= -part
            while (more := (part | self.beside(part)) & ring) != part:
                part = more
            if part and not ring & self.beside(1 << position) & ~part:
                found |= 1 << position
        return found


class Field:
    """Distances from a set of cells, worked out as far as they are asked for."""

    __slots__ = ("_done", "_free", "_known", "_seen", "_stride", "levels")

    def __init__(self, free: Bits, start: Bits, stride: int) -> None:
        self._free, self._stride = free, stride
        self._seen = start
        self.levels = [start]
        self._done = not start
        self._known: dict[int, int] = {}

    def _grow(self) -> Bits:
        """Add the next wave and return it; empty when there is none."""
        last, s = self.levels[-1], self._stride
        wave = (last << 1 | last >> 1 | last << s | last >> s) & self._free & ~self._seen
        if wave:
            self.levels.append(wave)
            self._seen |= wave
        else:
            self._done = True
        return wave

    def distance(self, position: int) -> int:
        """Return the steps from the set to a cell, ``FAR`` where no way leads."""
        known = self._known.get(position)
        if known is not None:
            return known
        bit = 1 << position
        while not self._done and not self._seen & bit:
            self._grow()
        found = FAR
        if self._seen & bit:
            found = next(k for k, wave in enumerate(self.levels) if wave & bit)
        self._known[position] = found
        return found

    def nearest(self, cells: Bits) -> tuple[int, Bits]:
        """Return the distance of the nearest cells of a set, and those cells (``FAR``, none: no way)."""
        level = 0
        while True:
            if level == len(self.levels) and (self._done or not self._grow()):
                return FAR, 0
            hit = self.levels[level] & cells
            if hit:
                return level, hit
            level += 1

    def reached(self) -> Bits:
        """Return every cell that a way leads to."""
        while not self._done:
            self._grow()
        return self._seen


class Approach:
    """The way to where some target cells can be acted on, from everywhere at once.

    With reach ``here`` a body stands on the target; with ``front`` beside it and looks at it.
    To look somewhere is to move there: against what is solid this only turns, into an
    open cell it leads, so an open target is looked at by coming straight towards it.

    Args:
        grid: the map's shape.
        free: cells that can be stood on.
        targets: cells to act on.
        reach: ``front`` or ``here``.
        standing: cells from which it may be done (all, if left out).
    """

    __slots__ = ("_first", "_looks", "_turns", "field", "free", "grid", "targets")

    def __init__(
        self,
        grid: Grid,
        free: Bits,
        targets: Bits,
        reach: Literal["front", "here"],
        standing: Bits | None = None,
    ) -> None:
        self.grid, self.free, self.targets = grid, free, targets
        allowed = free if standing is None else free & standing
        if reach == "here":
            self._looks = [targets & allowed] * 4
            self._turns = [0] * 4
            self._first = 0
            self.field = Field(free, targets & allowed, grid.stride)
            return
        closed = targets & ~free
        self._looks = [grid.shift(targets, d ^ 1) & allowed for d in range(4)]  # d ^ 1 is the way back
        self._turns = [grid.shift(closed, d ^ 1) & allowed for d in range(4)]
        begin = 0
        for d in range(4):
            begin |= self._turns[d] | grid.shift(self._looks[d], d ^ 1) & free
        self._first = 1
        self.field = Field(free, begin, grid.stride)

    def cost(self, position: int, facing: int) -> int:
        """Return the moves still to make from a cell and a direction: 0 if ready, ``FAR`` if never."""
        if self._looks[facing] >> position & 1:
            return 0
        distance = self.field.distance(position)
        return distance + self._first if distance < FAR else FAR

    def after(self, position: int, direction: int) -> int:
        """Return what is still to make after a move in a direction (``FAR`` if it leads nowhere)."""
        to = position + self.grid.deltas[direction]
        if to >= 0 and self.free >> to & 1:
            return self.cost(to, direction)
        return 0 if self._turns[direction] >> position & 1 else FAR

    def step(self, position: int, facing: int) -> int:
        """Return the direction of the next move, -1 when all is ready, -2 if no way leads there."""
        cost = self.cost(position, facing)
        if cost == 0:
            return -1
        if cost >= FAR:
            return -2
        ahead = self.after(position, facing)
        if ahead < cost:
            return facing
        return min(range(4), key=lambda d: (self.after(position, d), d))

    def target(self, position: int, facing: int) -> int:
        """Return the position of the cell that would be acted on from here."""
        if self._first == 0:
            return position
        return position + self.grid.deltas[facing]


def facing_number(word: str | None) -> int:
    """Return the number of a direction, 0 where there is none."""
    return FACINGS.index(word) if word in FACINGS else 0
