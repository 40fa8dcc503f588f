"""A world of places as a map: locations as cards, ways between them, bodies on their way.

Owns where the cards lie (by their coordinates, else by travel times) and what stands on
them: opening hours, receptacles with what is in them, who is there, what runs. It reads a
``PlacesView`` and nothing else of the world.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stratagym.envs.render.canvas import SMALL, TINY, Canvas, Point, fit, text_height, text_width
from stratagym.envs.render.facts import Facts
from stratagym.envs.render.marks import Plates, body_mark, carried, is_robot, pie, speech
from stratagym.envs.render.palette import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RULE,
    VERMILLION,
    WHITE,
    Colour,
    mix,
)
from stratagym.envs.render.things import icon, look_of, table, thing
from stratagym.envs.worlds.view import UNKNOWN, PlacesView, ReceptacleView

GAP = 26
"""Pixels between cards, where the ways are seen."""

WIDEST, HIGHEST = 262, 176
"""Most pixels of a card."""

PLAIN = (170, 72)
"""Most pixels of a card where there is nothing to show but who is there."""

LAND: Colour = (232, 238, 226)
WAY: Colour = (142, 150, 138)
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


def places_canvas(
    facts: Facts, view: PlacesView, truth: PlacesView | None, width: int, height: int
) -> Canvas:
    """Draw a map of locations.

    Args:
        facts: of the task; what runs is shown where it runs.
        view: what is seen; what is not known is grey.
        truth: the world without fog, None where there is none.
        width: most pixels.
        height: most pixels.

    Returns:
        A canvas of that size.
    """
    full = view if truth is None else truth
    canvas = Canvas(width, height, LAND)
    cards = _cards(
        full.spots or None, _ticks(full), len(full.locations), width, height, bool(full.receptacles)
    )
    plates = Plates(width, height, [(c.x, c.y, c.x + c.w, c.y + c.h) for c in cards])
    _ways(canvas, full, cards, plates)
    _lines(canvas, facts, full, cards, plates)
    for way in full.ways.values():
        canvas.dashed_stroke([cards[way.origin].middle, cards[way.target].middle], ORANGE, 6, 12, 7)
    for place, card in enumerate(cards):
        _card(canvas, facts, view, full, place, card)
    _travellers(canvas, full, cards)
    return canvas


def _ticks(view: PlacesView) -> tuple[tuple[int, ...], ...]:
    """Return the travel times as a value that can be remembered."""
    return tuple(map(tuple, view.travel.tolist()))


@functools.lru_cache(maxsize=64)
def _cards(
    spots: tuple[Point, ...] | None,
    ticks: tuple[tuple[int, ...], ...],
    count: int,
    width: int,
    height: int,
    rich: bool,
) -> tuple[Card, ...]:
    """Return where the locations are drawn: in columns from west to east, each from north to south.

    Within its column a card lies as near to its true place as the others let it.
    """
    if count == 0:
        return ()
    points = np.array(spots if spots is not None else scaled(ticks), np.float64).reshape(count, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - low) / np.where(high > low, high - low, 1.0)
    columns = max(1, min(count, round(math.sqrt(count * width / height * 0.75))))
    while columns > 1 and width / columns < 96:
        columns -= 1
    rows = -(-count // columns)
    most = (WIDEST, HIGHEST) if rich else PLAIN
    w, h = min(most[0], width // columns - GAP), min(most[1], height // rows - GAP)
    by_x = sorted(range(count), key=lambda k: (points[k, 0], points[k, 1], k))
    cards: dict[int, Card] = {}
    begin = 0
    for c in range(columns):
        share = (count - begin + columns - c - 1) // (columns - c)
        column = sorted(by_x[begin : begin + share], key=lambda k: (points[k, 1], k))
        begin += share
        tops = _apart(
            [float(points[k, 1]) * (height - h - 12) + 6 for k in column], h + GAP * 0.8, height - h - 6
        )
        for k, top in zip(column, tops, strict=True):
            spare = width / columns - w - 8
            sway = (float(points[k, 0]) * columns - c - 0.5) * spare
            x = width * (c + 0.5) / columns + min(max(sway, -spare / 2), spare / 2)
            cards[k] = Card(round(x - w / 2), round(top), w, h)
    return tuple(cards[k] for k in range(count))


def _apart(tops: list[float], step: float, last: float) -> list[float]:
    """Return ascending places that are at least ``step`` apart and at most ``last``, near to those given."""
    out = list(tops)
    for k in range(1, len(out)):
        out[k] = max(out[k], out[k - 1] + step)
    over = max(0.0, out[-1] - last)
    out[-1] -= over
    for k in range(len(out) - 2, -1, -1):
        out[k] = min(out[k], out[k + 1] - step)
    if out[0] < 6:  # too little room for all gaps: share out what there is
        out = [6 + (last - 6) * k / max(1, len(out) - 1) for k in range(len(out))]
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


def _ways(canvas: Canvas, view: PlacesView, cards: Sequence[Card], plates: Plates) -> None:
    """Draw the ways with their ticks; on those just travelled nothing else changes."""
    pairs = shown_ways(view)
    for a, b in pairs:
        canvas.stroke([cards[a].middle, cards[b].middle], WAY, 4)
    even = {int(view.travel[a, b]) for a, b in pairs}
    for a, b in pairs:
        one, other = int(view.travel[a, b]), int(view.travel[b, a])
        if len(even) == 1 and len(pairs) > 6:
            continue  # all alike: saying it once is enough
        words = f"{one}" if one == other else f"{one}/{other}"
        plates.place(canvas, words, _gaps(cards[a], cards[b]))
    if len(even) == 1 and len(pairs) > 6:
        canvas.text(6, canvas.height - 4, f"every way takes {even.pop()}", TINY, MUTED, "sw")


def _gaps(a: Card, b: Card) -> list[Point]:
    """Return points between two cards, the middle of what is seen of the way first."""
    (ax, ay), (bx, by) = a.middle, b.middle
    return [(ax + (bx - ax) * t, ay + (by - ay) * t) for t in (0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72)]


def _lines(canvas: Canvas, facts: Facts, view: PlacesView, cards: Sequence[Card], plates: Plates) -> None:
    """Draw what departs at times of its own and takes a body along, with its next departure."""
    drawn: set[tuple[int, int]] = set()
    for subtask, rules in sorted(view.rules.items()):
        for rule in rules:
            if rule.leads_to is None or rule.leads_to < 0 or rule.places is None:
                continue
            for a in sorted(rule.places):
                if a == rule.leads_to:
                    continue
                if (a, rule.leads_to) not in drawn:
                    canvas.dashed_stroke([cards[a].middle, cards[rule.leads_to].middle], BLUE, 3, 9, 6)
                    drawn.add((a, rule.leads_to))
                if subtask < len(facts.status) and facts.status[subtask] in ("eligible", "running"):
                    leaves = view.departure(rule, view.time)
                    words = facts.name(subtask) if leaves is None else f"{facts.name(subtask)}: {leaves}"
                    plates.place(
                        canvas, words, _gaps(cards[a], cards[rule.leads_to])[1:], mix(BLUE, WHITE, 0.8)
                    )


def is_open(view: PlacesView, place: int) -> bool:
    """Return whether a location is open at the moment."""
    return place not in view.locked and view.opens(place, view.time) == view.time


def _card(canvas: Canvas, facts: Facts, view: PlacesView, full: PlacesView, place: int, card: Card) -> None:
    """Draw one location."""
    open_now = is_open(full, place)
    here = [b for b, body in enumerate(full.bodies) if body.at == place and b not in full.ways]
    canvas.box(card.x + 2, card.y + 3, card.w, card.h, mix(LAND, INK, 0.16), radius=8)
    edge = INK if here else MUTED
    paper = WHITE if open_now else (236, 236, 238)
    canvas.box(card.x, card.y, card.w, card.h, paper, edge, radius=8, thick=2 if here else 1)
    name = full.locations[place]
    kind = full.kinds[place] if full.kinds and full.kinds[place] else name
    x, y = card.x + 6, card.y + 5
    size = 30 if card.h >= 64 else 22
    right = card.x + card.w - 6
    canvas.paste(thing(name if look_of(kind).icon is None else kind, size), x, y)
    canvas.text(x + size + 5, y + 8, name, SMALL, INK, "w", int(right - x - size - 5))
    choices, colour = _hours(full, place, open_now)
    if choices and size == 30:
        room = int(right - x - size - 5)
        words = next((c for c in choices if text_width(c, TINY) <= room), choices[-1])
        canvas.text(x + size + 5, y + 22, words, TINY, colour, "w", room)
    elif choices:
        right -= 12
        canvas.disc(right + 6, y + 8, 5, colour, INK)
    top = y + size + 4
    sites = [(k, r) for k, r in enumerate(full.receptacles) if r.place == place]
    seen = {k for k, r in sites if view is full or view.receptacles[k].things is not None}
    bottom = card.y + card.h - 6 - (28 if here or full.busy.get(place) else 0)
    _receptacles(canvas, facts, full, sites, seen, (x, top, right - x, bottom - top))
    _present(canvas, facts, full, place, here, (x, card.y + card.h - 31, right - x))


def _hours(view: PlacesView, place: int, open_now: bool) -> tuple[tuple[str, ...], Colour]:
    """Return what is said of a location's hours, the longest way first, and in which colour."""
    if place in view.locked:
        return ("locked",), _SHUT
    if not view.hours or not view.hours[place]:
        return (), MUTED
    spans = ", ".join(f"{opens}-{shuts}" for opens, shuts in view.hours[place])
    first = f"{view.hours[place][0][0]}-{view.hours[place][0][1]}"
    if open_now:
        return (f"open {spans}", f"open {first}", first), _OPEN
    return (f"closed (open {spans})", f"closed ({spans})", f"shut {first}", "shut"), _SHUT


_OPEN: Colour = mix(GREEN, INK, 0.35)
_SHUT: Colour = mix(VERMILLION, INK, 0.25)


def _receptacles(
    canvas: Canvas,
    facts: Facts,
    view: PlacesView,
    sites: Sequence[tuple[int, ReceptacleView]],
    seen: set[int],
    place: tuple[float, float, float, float],
) -> None:
    """Draw the receptacles of a location with what is in them, as large as fits."""
    x, y, w, h = place
    if not sites or h < 14:
        return
    size = next((s for s in (56, 48, 40, 34, 28, 22, 18, 15) if _rows(sites, s, w) * (s + 5) <= h), 13)
    left, top = x, y
    for k, site in sites:
        wide = _site_width(site, size)
        if left + wide > x + w + 1 and left > x:
            left, top = x, top + size + 5
        if top + size > y + h + 2:
            canvas.text(x + w, y + h, "...", TINY, MUTED, "se")
            return
        _site(canvas, facts, view, site, k in seen, left, top, size)
        left += wide


def _small(size: int) -> int:
    """Return the size of a thing beside a receptacle of a size."""
    return max(12, round(size * 0.66))


def _site_width(site: ReceptacleView, size: int) -> float:
    inside = min(4, len(site.things or ()))
    return size + inside * (_small(size) + 1) + 7


def _rows(sites: Sequence[tuple[int, ReceptacleView]], size: int, width: float) -> int:
    left, rows = 0.0, 1
    for _, site in sites:
        wide = _site_width(site, size)
        if left + wide > width + 1 and left:
            left, rows = 0.0, rows + 1
        left += wide
    return rows


def _site(
    canvas: Canvas,
    facts: Facts,
    view: PlacesView,
    site: ReceptacleView,
    seen: bool,
    x: float,
    y: float,
    size: int,
) -> None:
    """Draw one receptacle: what it is, what is in it, what runs in it."""
    small = _small(size)
    inside = list((site.things or {}).items())[:4]
    wide = size + len(inside) * (small + 1) + 3
    shut = site.fixture in view.closed
    ground = mix(MUTED, WHITE, 0.72) if not seen else table().colours["floor"]
    canvas.box(x - 1, y - 1, wide, size + 2, ground, RULE, radius=4)
    if site.fixture > UNKNOWN:
        canvas.paste(icon(view.fixture_looks[site.fixture], size), x, y)
    if shut and size >= 18:
        canvas.box(x + size - 11, y + size - 9, 11, 9, INK, radius=2)
        canvas.box(x + size - 8, y + size - 6, 5, 3, WHITE)
    left = x + size + 1
    for code, amount in inside:
        canvas.paste(thing(view.thing_looks[code], small), left, y + (size - small) / 2)
        if amount > 1:
            canvas.text(left + small, y + size, str(amount), TINY, INK, "se")
        left += small + 1
    if site.run is not None:
        share = facts.shares[site.run] if 0 <= site.run < len(facts.shares) else None
        mark = max(12, round(size * 0.5))
        canvas.paste(pie(-1 if share is None else round(share * 24), mark), x - 2, y - 3)


def _present(
    canvas: Canvas,
    facts: Facts,
    view: PlacesView,
    place: int,
    here: Sequence[int],
    area: tuple[float, float, float],
) -> None:
    """Draw who is at a location and what runs there."""
    x, y, w = area
    left = x
    for b in here:
        body = view.bodies[b]
        if left + 26 > x + w:
            break
        canvas.paste(body_mark(b, 28, None, is_robot(body.name), body.down), left - 1, y)
        left += 25
        if body.hand:
            canvas.paste(carried(view.thing_looks[body.hand], 18), left - 8, y + 9)
            left += 9
        if body.message is not None:
            bubble = speech(str(body.message), TINY)
            canvas.paste(bubble, left - 6, y - 10)
            left += bubble.width - 6
    running = view.busy.get(place, ())
    for i in running:
        if not 0 <= i < len(facts.shares):
            continue
        room = x + w - left - 20
        if room < 24:
            break
        share = facts.shares[i]
        canvas.paste(pie(-1 if share is None else round(share * 24), 16), left + 1, y + 6)
        words = fit(facts.name(i), TINY, int(room) - 6)
        wide = text_width(words, TINY) + 6
        high = text_height(TINY) + 3
        canvas.box(left + 18, y + 14 - high / 2, wide, high, mix(ORANGE, WHITE, 0.72), radius=4)
        canvas.text(left + 21, y + 15, words, TINY, INK, "w")
        left += 22 + wide


def _travellers(canvas: Canvas, view: PlacesView, cards: Sequence[Card]) -> None:
    """Draw the bodies under way between where they come from and where they go."""
    for b, way in sorted(view.ways.items()):
        (ax, ay), (bx, by) = cards[way.origin].middle, cards[way.target].middle
        share = (view.time - way.left) / max(1, way.arrives - way.left)
        share = 0.12 + 0.76 * min(max(share, 0.0), 1.0)
        x, y = ax + (bx - ax) * share, ay + (by - ay) * share
        body = view.bodies[b]
        facing = (
            ("right" if bx > ax else "left")
            if abs(bx - ax) >= abs(by - ay)
            else ("down" if by > ay else "up")
        )
        canvas.paste(body_mark(b, 38, facing, is_robot(body.name), body.down), x - 19, y - 19)
        if body.hand:
            canvas.paste(carried(view.thing_looks[body.hand], 18), x + 8, y + 6)
        words = f"to {view.locations[way.target]}, {way.arrives - view.time} left"
        wide = text_width(words, TINY) + 8
        left = min(max(x - wide / 2, 2), canvas.width - wide - 2)
        top = y - 36 if y > 44 else y + 20
        canvas.box(left, top, wide, 15, mix(ORANGE, WHITE, 0.72), mix(ORANGE, INK, 0.5), radius=4)
        canvas.text(left + wide / 2, top + 8, words, TINY, INK, "c")
