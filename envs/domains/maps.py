"""Maps: rooms with obstacles that leave the rest in one piece, as the rows of a grid scene.

Owns what the domains on grids share. A map is an array of characters, ``[H, W]``; what
they stand for is the legend's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stratagym.envs.domains.draft import between

Map = np.ndarray[Any, np.dtype[np.str_]]
Cells = np.ndarray[Any, np.dtype[np.bool_]]
Cell = tuple[int, int]
"""``(x, y)``; y grows downwards."""

FLOOR, WALL = ".", "#"
"""Characters that need no entry in a legend."""


def room(width: int, height: int) -> Map:
    """Return an empty room with walls around it, ``width`` and ``height`` with the walls."""
    cells = np.full((height, width), WALL)
    cells[1:-1, 1:-1] = FLOOR
    return cells


def rows_of(cells: Map) -> list[str]:
    """Return a map as the rows of a scene."""
    return ["".join(row) for row in cells.tolist()]


def reached(free: Cells, start: Cell) -> Cells:
    """Return the cells that can be walked to from a free cell, itself among them.

    Args:
        free: ``[H, W]`` where one can stand.
        start: where the walk begins.
    """
    return distances(free, [start]) >= 0


def distances(free: Cells, starts: Sequence[Cell]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the steps from the nearest of some cells to every cell, ``[H, W]``, -1 where there is no way.

    Args:
        free: ``[H, W]`` where one can stand.
        starts: where walks begin; those that are not free are left out.
    """
    height, width = free.shape
    wide = width + 2
    # A margin that is not free saves looking whether a step leaves the map.
    open_cells = np.zeros((height + 2) * wide, bool)
    open_cells.reshape(height + 2, wide)[1:-1, 1:-1] = free
    steps = np.full(len(open_cells), -1, np.int32)
    here = np.unique([(y + 1) * wide + x + 1 for x, y in starts])
    here = here[open_cells[here]]
    count = 0
    while here.size:
        steps[here] = count
        open_cells[here] = False
        count += 1
        near = np.concatenate([here - 1, here + 1, here - wide, here + wide])
        here = np.unique(near[open_cells[near]])
    return steps.reshape(height + 2, wide)[1:-1, 1:-1]


def obstruct(
    rng: np.random.Generator, cells: Map, obstacles: Mapping[str, tuple[Sequence[int], str]]
) -> None:
    """Put obstacles on the floor, each where the rest of the floor stays in one piece.

    Args:
        rng: the instance's generator.
        cells: the map, changed in place.
        obstacles: name -> how many at least and at most, and their character.
    """
    for span, character in obstacles.values():
        left = between(rng, span)
        for x, y in shuffled(rng, cells):
            if not left:
                break
            cells[y, x] = character
            free = cells == FLOOR
            others = np.argwhere(free)
            if len(others) and reached(free, (int(others[0][1]), int(others[0][0]))).sum() == len(others):
                left -= 1
            else:
                cells[y, x] = FLOOR


def shuffled(rng: np.random.Generator, cells: Map) -> list[Cell]:
    """Return the cells of the floor in a drawn order."""
    return [(int(x), int(y)) for y, x in rng.permutation(np.argwhere(cells == FLOOR))]


SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$%&*+-/:;<=>?@^_|~"
"""Characters that stand for what is furnished, in this order."""


def furnished(cells: Map, where: Mapping[Cell, Mapping[str, str]]) -> dict[str, Any]:
    """Return a map with things in it as ``map`` and ``legend`` of a scene.

    Args:
        cells: walls and floor.
        where: cell -> its ``fixture`` and ``thing``, as an entry of a legend.

    Raises:
        ValueError: if there are more kinds of cells than characters.
    """
    kinds = {tuple(sorted(spot.items())): dict(spot) for spot in where.values()}
    if len(kinds) > len(SYMBOLS):
        raise ValueError(f"{len(kinds)} kinds of cells are more than the {len(SYMBOLS)} characters of a map")
    symbol = dict(zip(sorted(kinds), SYMBOLS, strict=False))
    drawn = cells.copy()
    for (x, y), spot in where.items():
        drawn[y, x] = symbol[tuple(sorted(spot.items()))]
    return {"map": rows_of(drawn), "legend": {symbol[kind]: kinds[kind] for kind in symbol}}


def beside(cells: np.ndarray[Any, Any], cell: Cell) -> list[Cell]:
    """Return the cells of a map ``[H, W]`` that share an edge with one."""
    height, width = cells.shape
    x, y = cell
    near = ((x, y - 1), (x, y + 1), (x - 1, y), (x + 1, y))
    return [(a, b) for a, b in near if 0 <= a < width and 0 <= b < height]


def within_reach(free: Cells, cell: Cell) -> bool:
    """Return whether one can stand beside a cell, given where one can stand."""
    return any(bool(free[y, x]) for x, y in beside(free, cell))


def in_one_piece(free: Cells) -> bool:
    """Return whether one can walk from any free cell to any other."""
    others = np.argwhere(free)
    return len(others) == 0 or reached(free, (int(others[0][1]), int(others[0][0]))).sum() == len(others)
