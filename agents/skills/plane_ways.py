"""Ways on a plane: around posts and bars, by way-points that lie close about them.

Owns path finding for bodies that are discs: the shortest way over a visibility graph (Lozano-Perez
and Wesley, 1979), its corners on circles about the ends of the obstacles. Everything in here is a
pure function of what is seen, and remembered only to save time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from stratagym.envs.worlds.view import PlaneView, Point

Points = np.ndarray[Any, np.dtype[np.float64]]
Bar = tuple[Point, Point, float]
"""Both ends of an obstacle's middle line, and how far from it a body's middle must stay."""

MARGIN = 0.06
"""Units by which a way keeps off obstacles, beyond what touches."""

CORNERS = 12
"""Way-points about each end of an obstacle."""


def bars_of(view: PlaneView, body: int) -> tuple[Bar, ...]:
    """Return what is in a body's way: obstacles, and other bodies where they are now."""
    own = view.radii[body]
    bars = [(o.ends[0], o.ends[1], o.radius + own) for o in view.obstacles]
    for b, at in enumerate(view.positions.tolist()):
        if b != body:
            bars.append(((at[0], at[1]), (at[0], at[1]), view.radii[b] + own))
    return tuple(bars)


def way_to(view: PlaneView, body: int, target: Point) -> tuple[Point, float]:
    """Return the next point of a body's shortest way to a target, and how long the way is.

    The target itself is the next point if nothing is between, or if there is no way.
    """
    here = (float(view.positions[body, 0]), float(view.positions[body, 1]))
    return way_between(here, target, bars_of(view, body), view.radii[body], view.size)


def way_between(
    here: Point, target: Point, bars: tuple[Bar, ...], radius: float, size: Point
) -> tuple[Point, float]:
    """Return the same for a disc anywhere.

    Args:
        here: where it is.
        target: where to.
        bars: what is in its way, see ``bars_of``.
        radius: of the disc.
        size: of the plane.
    """
    straight = math.dist(here, target)
    if _clear(here, np.array([target]), bars)[0]:
        return target, straight
    points, lengths = _lengths(bars, radius, size, target)
    if not len(points):
        return target, straight
    legs = np.hypot(*(points - here).T)
    legs[~_clear(here, points, bars)] = np.inf
    # A corner that is reached would be its own next point for ever.
    legs[legs < MARGIN / 2] = np.inf
    whole = legs + lengths
    k = int(np.argmin(whole))
    if not np.isfinite(whole[k]):
        return target, straight
    return (float(points[k, 0]), float(points[k, 1])), float(whole[k])


def _gaps(starts: Points, ends: Points, bar: Bar) -> Points:
    """Return how far each straight line stays from the middle line of an obstacle.

    Args:
        starts: ``[k, 2]``.
        ends: ``[k, 2]``.
        bar: the obstacle.
    """
    a, b = np.array(bar[0]), np.array(bar[1])
    gaps = np.minimum(_reach(starts, a, b), _reach(ends, a, b))
    gaps = np.minimum(gaps, np.minimum(_reach(a, starts, ends), _reach(b, starts, ends)))
    along, bars = ends - starts, b - a
    side_a, side_b = _cross(along, a - starts), _cross(along, b - starts)
    side_s, side_e = _cross(bars, starts - a), _cross(bars, ends - a)
    crossing = (side_a * side_b < 0) & (side_s * side_e < 0)
    return np.where(crossing, 0.0, gaps)


def _cross(u: Points, v: Points) -> Points:
    product: Points = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    return product


def _reach(point: Points, a: Points, b: Points) -> Points:
    """Return how far points are from lines, whichever of the arguments there are several of."""
    line = b - a
    length2 = np.maximum((line * line).sum(axis=-1), 1e-12)
    t = np.clip(((point - a) * line).sum(axis=-1) / length2, 0.0, 1.0)
    gap = point - a - t[..., None] * line
    distance: Points = np.hypot(gap[..., 0], gap[..., 1])
    return distance


def _clear(here: Point, points: Points, bars: Sequence[Bar]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return to which points a body can go straight on; one that is too near something may leave it."""
    start = np.broadcast_to(np.array(here, np.float64), points.shape)
    free = np.ones(len(points), np.bool_)
    for bar in bars:
        now = float(_gaps(start[:1], start[:1], bar)[0])
        room = min(bar[2] + MARGIN / 2, now - 1e-6)
        free &= _gaps(start, points, bar) >= room
    return free


@lru_cache(maxsize=64)
def _corners(bars: tuple[Bar, ...], radius: float, size: Point) -> tuple[Points, Points]:
    """Return the way-points ``[k, 2]`` and how far each is from each other straight on, ``[k, k]``."""
    found = []
    for a, b, room in bars:
        # So far out that the straight lines between neighbours keep off too.
        out = (room + MARGIN) / math.cos(math.pi / CORNERS)
        for end in {a, b}:
            for k in range(CORNERS):
                turn = 2 * math.pi * k / CORNERS
                found.append((end[0] + out * math.cos(turn), end[1] + out * math.sin(turn)))
    points = np.array(sorted(found), np.float64).reshape(-1, 2)
    inside = (points >= radius).all(axis=1) & (points <= np.array(size) - radius).all(axis=1)
    points = points[inside]
    for bar in bars:
        points = points[_gaps(points, points, bar) >= bar[2] + MARGIN / 2]
    k = len(points)
    starts, ends = np.repeat(points, k, axis=0), np.tile(points, (k, 1))
    lengths = np.hypot(*(ends - starts).T)
    for bar in bars:
        lengths[_gaps(starts, ends, bar) < bar[2] + MARGIN / 2] = np.inf
    return points, lengths.reshape(k, k)


@lru_cache(maxsize=512)
def _lengths(bars: tuple[Bar, ...], radius: float, size: Point, target: Point) -> tuple[Points, Points]:
    """Return the way-points and how long the way from each to the target is (Dijkstra)."""
    points, lengths = _corners(bars, radius, size)
    whole = np.hypot(*(points - target).T) if len(points) else np.zeros(0)
    whole[~_clear(target, points, bars)] = np.inf
    open_ = np.ones(len(points), np.bool_)
    for _ in range(len(points)):
        k = int(np.argmin(np.where(open_, whole, np.inf)))
        if not open_[k] or not np.isfinite(whole[k]):
            break
        open_[k] = False
        whole = np.minimum(whole, whole[k] + lengths[k])
    return points, whole
