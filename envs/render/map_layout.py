"""Where locations are drawn: cards in columns, by coordinates or by travel times, in districts.

Owns the layout alone and draws nothing: which cards there are, where they lie, and between
which of them a way is worth a line.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratagym.envs.render.canvas import Point
from stratagym.envs.worlds.view import PlacesView

GAP = 26
"""Pixels between cards, where the ways are seen."""


WIDEST, HIGHEST = 262, 176
"""Most pixels of a card."""


PLAIN = (170, 72)
"""Most pixels of a card where there is nothing to show but who is there."""


MOST_WAYS = 3
"""Ways drawn from each location at least (the shortest); longer ones are left out where there are many."""


@dataclass(frozen=True, slots=True)
class Card:
    """Where a location is drawn, in pixels."""

    x: int
    y: int
    w: int
    h: int

    @property
    def middle(self) -> Point:
        """Its centre."""
        return (self.x + self.w / 2, self.y + self.h / 2)


@dataclass(frozen=True, slots=True)
class District:
    """Locations between which one can walk, where not all of them are so joined."""

    name: str
    frame: Card


@functools.lru_cache(maxsize=64)
def layout(
    spots: tuple[Point, ...] | None,
    ticks: tuple[tuple[int, ...], ...],
    names: tuple[str, ...],
    width: int,
    height: int,
    rich: bool,
) -> tuple[tuple[Card, ...], tuple[District, ...]]:
    """Return where the locations are drawn, and the frames of the districts if there are several."""
    count = len(names)
    if count == 0:
        return (), ()
    points = np.array(spots if spots is not None else scaled(ticks), np.float64).reshape(count, 2)
    groups = joined(ticks)
    if len(groups) == 1 or len(groups) == count:
        whole = _cards(points, range(count), Card(0, 0, width, height), rich, "")
        return tuple(whole[k] for k in range(count)), ()
    centres = [points[list(group)].mean(axis=0) for group in groups]
    columns = max(1, min(len(groups), round(math.sqrt(len(groups) * width / height * 0.8))))
    cards: dict[int, Card] = {}
    districts = []
    by_column = _columns([(float(x), float(y)) for x, y in centres], columns)
    # A column of small districts is narrower.
    wide = [3 if max(len(groups[g]) for g in column) > 2 else 2 for column in by_column]
    left = 4
    for c, column in enumerate(by_column):
        w = (width - 4) * sum(wide[: c + 1]) // sum(wide) + 4 - left
        # A district is the higher the more rows of cards it has.
        shares = [1 + 2 * -(-len(groups[g]) // (2 if w >= 270 else 1)) for g in column]
        for k, g in enumerate(column):
            top = 4 + (height - 4) * sum(shares[:k]) // sum(shares)
            below = 4 + (height - 4) * sum(shares[: k + 1]) // sum(shares)
            title = shared_words([names[i] for i in groups[g]])
            frame = Card(left, top, w - 6, below - top - 6)
            districts.append(District(title, frame))
            inner = Card(left + 3, top + 20, w - 12, frame.h - 22)
            cards |= _cards(points, groups[g], inner, rich, title)
        left += w
    return tuple(cards[k] for k in range(count)), tuple(districts)


@functools.lru_cache(maxsize=64)
def joined(ticks: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Return the groups of locations between which there are ways, by their first member."""
    left = list(range(len(ticks)))
    groups = []
    while left:
        group, fringe = {left[0]}, [left[0]]
        while fringe:
            a = fringe.pop()
            more = [b for b in left if b not in group and (ticks[a][b] >= 0 or ticks[b][a] >= 0)]
            group |= set(more)
            fringe += more
        groups.append(tuple(sorted(group)))
        left = [k for k in left if k not in group]
    return tuple(groups)


def shared_words(names: Sequence[str]) -> str:
    """Return the words with which all of several names begin; of one name all but the last."""
    split = [name.split()[:-1] for name in names]
    shared = []
    for words in zip(*split, strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return " ".join(shared)


def _columns(points: Sequence[Point], columns: int) -> list[list[int]]:
    """Return points by number in columns from west to east, each from north to south."""
    by_x = sorted(range(len(points)), key=lambda k: (points[k], k))
    out, begin = [], 0
    for c in range(columns):
        share = (len(points) - begin + columns - c - 1) // (columns - c)
        out.append(sorted(by_x[begin : begin + share], key=lambda k: (points[k][1], k)))
        begin += share
    return out


def _cards(
    points: np.ndarray[Any, np.dtype[np.float64]], members: Sequence[int], area: Card, rich: bool, title: str
) -> dict[int, Card]:
    """Return where some locations are drawn within an area, in columns.

    Within its column a card lies as near to its true place as the others let it.
    """
    own = points[list(members)]
    low, high = own.min(axis=0), own.max(axis=0)
    own = (own - low) / np.where(high > low, high - low, 1.0)
    count = len(members)
    columns = max(1, min(count, round(math.sqrt(count * area.w / area.h * 0.75))))
    while columns > 1 and area.w / columns < (124 if title else 96):
        columns -= 1
    rows = -(-count // columns)
    most = (WIDEST, HIGHEST) if rich else PLAIN
    gap = 18 if title else GAP
    w = min(most[0], area.w // columns - gap)
    h = min(most[1], area.h // rows - (12 if title else GAP))
    cards: dict[int, Card] = {}
    for c, column in enumerate(_columns([(float(x), float(y)) for x, y in own], columns)):
        wanted = [float(own[k, 1]) * (area.h - h - 8) + 4 for k in column]
        tops = _apart(wanted, h + gap * 0.8, area.h - h - 4)
        for k, top in zip(column, tops, strict=True):
            spare = max(0.0, area.w / columns - w - 8)
            sway = (float(own[k, 0]) * columns - c - 0.5) * spare
            x = area.w * (c + 0.5) / columns + min(max(sway, -spare / 2), spare / 2)
            cards[members[k]] = Card(round(area.x + x - w / 2), round(area.y + top), w, h)
    return cards


def _apart(tops: list[float], step: float, last: float) -> list[float]:
    """Return ascending places that are at least ``step`` apart and at most ``last``, near to those given."""
    out = list(tops)
    for k in range(1, len(out)):
        out[k] = max(out[k], out[k - 1] + step)
    over = max(0.0, out[-1] - last)
    out[-1] -= over
    for k in range(len(out) - 2, -1, -1):
        out[k] = min(out[k], out[k + 1] - step)
    if out[0] < 2:  # too little room for all gaps: share out what there is
        out = [2 + (last - 2) * k / max(1, len(out) - 1) for k in range(len(out))]
    return out


def scaled(ticks: Sequence[Sequence[int]]) -> list[Point]:
    """Return points whose distances are like travel times (classical multidimensional scaling).

    Args:
        ticks: of the direct ways, -1 where there is none.
    """
    n = len(ticks)
    far = np.array(ticks, np.float64)
    far[far < 0] = np.inf
    np.fill_diagonal(far, 0)
    far = np.minimum(far, far.T)
    for k in range(n):
        far = np.minimum(far, far[:, k : k + 1] + far[k : k + 1, :])
    apart = far[np.isfinite(far)].max(initial=1.0)
    far[~np.isfinite(far)] = 2 * apart
    middle = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-0.5 * middle @ far**2 @ middle)
    points = []
    for axis in (-1, -2):
        if n < -axis:
            points.append(np.zeros(n))
            continue
        line = vectors[:, axis] * math.sqrt(max(values[axis], 0.0))
        # The sign of an axis is arbitrary: the first location lies to the west, and to the north.
        points.append(np.round(line if line[0] <= 0 else -line, 6))
    return [(float(x), float(y)) for x, y in zip(*points, strict=True)]


def shown_ways(view: PlacesView) -> list[tuple[int, int]]:
    """Return the pairs of locations between which a way is drawn: all if few, else each one's shortest.

    A way is left out too if another over one more location is as short.
    """
    n = len(view.locations)
    ticks = view.travel.astype(np.float64)
    ticks[ticks < 0] = np.inf
    pairs = [(a, b) for a, b in itertools.combinations(range(n), 2) if np.isfinite(ticks[a, b])]
    direct = [
        (a, b)
        for a, b in pairs
        if not any(c not in (a, b) and ticks[a, c] + ticks[c, b] <= ticks[a, b] for c in range(n))
    ]
    if len(direct) <= 2 * n:
        return direct
    nearest = set()
    for a in range(n):
        for b in np.argsort(ticks[a], kind="stable")[: MOST_WAYS + 1].tolist():
            if a != b and np.isfinite(ticks[a, b]):
                nearest.add((min(a, b), max(a, b)))
    return sorted(nearest)
