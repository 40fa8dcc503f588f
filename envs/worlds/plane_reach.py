"""What bodies can get to on a plane: a check made once, when a scene is loaded.

Owns a coarse flood over a grid of points. It errs on neither side by more than a step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

STEP = 0.125
"""Distance of two points of the grid, in units of the plane."""


def cut_off(spec: Any) -> list[str]:
    """Return the names of the places that no body can reach, as the scene begins.

    Args:
        spec: a ``PlaneSpec`` whose parts are checked.
    """
    thin = min(body.radius for body in spec.bodies)
    columns, rows = (math.floor(side / STEP) + 1 for side in spec.size)
    x, y = np.meshgrid(np.arange(columns) * STEP, np.arange(rows) * STEP)
    free = (x >= thin) & (x <= spec.size[0] - thin) & (y >= thin) & (y <= spec.size[1] - thin)
    for obstacle in spec.obstacles.values():
        if obstacle.absent:
            continue
        (x1, y1), (x2, y2) = (obstacle.line or [obstacle.at, obstacle.at])[:2]
        dx, dy = x2 - x1, y2 - y1
        length2 = dx * dx + dy * dy
        t = np.clip(((x - x1) * dx + (y - y1) * dy) / length2, 0.0, 1.0) if length2 else 0.0
        free &= np.hypot(x - x1 - t * dx, y - y1 - t * dy) >= obstacle.radius + thin

    def cell(point: tuple[float, float]) -> tuple[int, int]:
        return min(round(point[1] / STEP), rows - 1), min(round(point[0] / STEP), columns - 1)

    reached = np.zeros_like(free)
    for body in spec.bodies:
        reached[cell(body.at)] = True
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= grown[:, :-1]
        grown[:, :-1] |= grown[:, 1:]
        grown &= free | reached
        if (grown == reached).all():
            break
        reached = grown
    places = {name: spot.at for kind in (spec.sites, spec.clips) for name, spot in kind.items()}
    if spec.cable is not None:
        places["cable.end"] = spec.cable.end
    return [name for name, at in places.items() if not near(reached, cell(at))]


def near(reached: np.ndarray[Any, np.dtype[np.bool_]], at: tuple[int, int]) -> bool:
    """Return whether a cell or one of its neighbours is reached."""
    row, column = at
    return bool(reached[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].any())
