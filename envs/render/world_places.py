"""A world of places as a map: locations as cards, ways between them, bodies on their way.

Owns what stands on the cards: opening hours, receptacles with what is in them, who is
there, what runs. Where they lie is ``map_layout``'s. It reads a ``PlacesView`` and
nothing else of the world.
"""

from __future__ import annotations

from collections.abc import Sequence

from stratagym.envs.render.canvas import SMALL, TINY, Canvas, Point, fit, text_height, text_width
from stratagym.envs.render.facts import Facts
from stratagym.envs.render.map_layout import Card, joined, layout, shared_words, shown_ways
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
from stratagym.envs.render.things import BASE, icon, look_of, seems, table, thing
from stratagym.envs.worlds.view import UNKNOWN, PlacesView, ReceptacleView

LAND: Colour = (232, 238, 226)
DISTRICT: Colour = (218, 228, 208)
WAY: Colour = (142, 150, 138)


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
    ticks = _ticks(full)
    cards, districts = layout(
        full.spots or None, ticks, full.locations, width, height, bool(full.receptacles)
    )
    for district in districts:
        frame = district.frame
        canvas.box(frame.x, frame.y, frame.w, frame.h, DISTRICT, mix(DISTRICT, INK, 0.3), radius=10)
        canvas.text(frame.x + 10, frame.y + 11, district.name, SMALL, INK, "w", frame.w - 20)
    plates = Plates(width, height, [(c.x, c.y, c.x + c.w, c.y + c.h) for c in cards])
    _ways(canvas, full, cards, plates)
    _lines(canvas, facts, full, cards, plates)
    for way in full.ways.values():
        canvas.dashed_stroke([cards[way.origin].middle, cards[way.target].middle], ORANGE, 6, 12, 7)
    size = _common_size(full, cards)
    for place, card in enumerate(cards):
        _card(canvas, facts, view, full, place, card, size)
    _travellers(canvas, full, cards)
    return canvas


def _ticks(view: PlacesView) -> tuple[tuple[int, ...], ...]:
    """Return the travel times as a value that can be remembered."""
    return tuple(map(tuple, view.travel.tolist()))


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


def _card(
    canvas: Canvas,
    facts: Facts,
    view: PlacesView,
    full: PlacesView,
    place: int,
    card: Card,
    size: int,
) -> None:
    """Draw one location."""
    open_now = is_open(full, place)
    here = [b for b, body in enumerate(full.bodies) if body.at == place and b not in full.ways]
    canvas.box(card.x + 2, card.y + 3, card.w, card.h, mix(LAND, INK, 0.16), radius=8)
    paper = WHITE if open_now else (236, 236, 238)
    canvas.box(
        card.x, card.y, card.w, card.h, paper, INK if here else MUTED, radius=8, thick=2 if here else 1
    )
    name = full.locations[place]
    kind = full.kinds[place] if full.kinds and full.kinds[place] else name
    flat = card.h < FLAT
    x, y = card.x + 6, card.y + 4
    badge = 30 if card.h >= 40 else max(14, card.h - 8)
    canvas.paste(thing(name if look_of(kind).icon is None else kind, badge), x, y)
    left, right = x + badge + 5, card.x + card.w - 6
    busy = [i for i in full.busy.get(place, ()) if 0 <= i < len(facts.shares)]
    if flat and here:
        right -= 25 * len(here)
        _present(canvas, facts, full, here, (), (right, card.y + card.h / 2 - 14, 25 * len(here) + 8))
    own = _own_name(name, full, place)
    canvas.text(left, y + 8, own, SMALL, INK, "w", int(right - left))
    choices, colour = _hours(full, place, open_now)
    room = int(right - left)
    if flat and busy and card.h >= 38:
        _present(canvas, facts, full, (), busy, (left - 1, y + 8, room + 1))
    elif choices and card.h >= 38:
        words = next((c for c in choices if text_width(c, TINY) <= room), choices[-1])
        canvas.text(left, y + 23, words, TINY, colour, "w", room)
    elif choices:
        room -= text_width(own, SMALL) + 6
        words = next((c for c in choices if text_width(c, TINY) <= room), "")
        canvas.text(right, y + 9, words, TINY, colour, "e")
    if flat:
        return
    top, width = y + badge + 4, card.x + card.w - 6 - x
    sites = _shown_sites(full, place)
    seen = {k for k, r in sites if view is full or view.receptacles[k].things is not None}
    bottom = card.y + card.h - 6 - _FOOT
    _receptacles(canvas, facts, full, sites, seen, (x, top, width, bottom - top), size)
    _present(canvas, facts, full, here, busy, (x, card.y + card.h - 31, width))


FLAT = 66
"""A card lower than this has its bodies at the right instead of below."""

_FOOT = 28
"""Pixels at the lower edge of a card for who is there and what runs."""


def _own_name(name: str, view: PlacesView, place: int) -> str:
    """Return a location's name without what its whole district is called."""
    for group in joined(_ticks(view)):
        if place in group and len(group) < len(view.locations):
            return name.removeprefix(shared_words([view.locations[k] for k in group])).strip() or name
    return name


def _shown_sites(view: PlacesView, place: int) -> list[tuple[int, ReceptacleView]]:
    """Return the receptacles of a location that are drawn: a bare floor is not."""
    sites = [(k, r) for k, r in enumerate(view.receptacles) if r.place == place]
    return [(k, r) for k, r in sites if r.things or r.run is not None or not _is_floor(view, r)]


def _is_floor(view: PlacesView, site: ReceptacleView) -> bool:
    return site.fixture > UNKNOWN and look_of(view.fixture_looks[site.fixture]).icon == BASE


def _common_size(view: PlacesView, cards: Sequence[Card]) -> int:
    """Return the size of receptacles that fits into every card."""
    for size in SIZES:
        if all(
            _rows(view, _shown_sites(view, place), size, card.w - 12) * (size + 5) <= card.h - 44 - _FOOT
            for place, card in enumerate(cards)
        ):
            return size
    return SIZES[-1]


SIZES = (48, 40, 34, 28, 24, 20, 17, 14)


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
    size: int,
) -> None:
    """Draw the receptacles of a location with what is in them."""
    x, y, w, h = place
    left, top = x, y
    for k, site in sites:
        wide = _site_width(view, site, size)
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


MOST_INSIDE = 4


def _site_width(view: PlacesView, site: ReceptacleView, size: int) -> float:
    inside = min(MOST_INSIDE, len(site.things or ()))
    return (0 if _is_floor(view, site) else size) + inside * (_small(size) + 1) + 7


def _rows(view: PlacesView, sites: Sequence[tuple[int, ReceptacleView]], size: int, width: float) -> int:
    left, rows = 0.0, 1
    for _, site in sites:
        wide = _site_width(view, site, size)
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
    inside = list((site.things or {}).items())[:MOST_INSIDE]
    floor = _is_floor(view, site)
    own = 0 if floor else size
    ground = mix(MUTED, WHITE, 0.72) if not seen else table().colours["floor"]
    canvas.box(x - 1, y - 1, own + len(inside) * (small + 1) + 3, size + 2, ground, RULE, radius=4)
    if site.fixture > UNKNOWN and not floor:
        seeming = seems(view.fixture_names[site.fixture], view.fixture_looks[site.fixture])
        canvas.paste(icon(seeming, size), x, y)
    left = x + own + 1
    for code, amount in inside:
        seeming = seems(view.thing_names[code], view.thing_looks[code])
        canvas.paste(thing(seeming, small), left, y + (size - small) / 2)
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
    here: Sequence[int],
    running: Sequence[int],
    area: tuple[float, float, float],
) -> None:
    """Draw who is at a location and what runs there, from the left edge of an area on."""
    x, y, w = area
    left = x
    for b in here:
        body = view.bodies[b]
        canvas.paste(body_mark(b, 28, None, is_robot(body.name), body.down), left - 1, y)
        left += 25
        if body.hand:
            canvas.paste(carried(_in_hand(view, body.hand), 18), left - 8, y + 9)
            left += 9
        if body.message is not None:
            bubble = speech(str(body.message), TINY)
            canvas.paste(bubble, left - 6, y - 10)
            left += bubble.width - 6
    for i in running:
        room = x + w - left - 20
        if room < 24:
            break
        share = facts.shares[i]
        canvas.paste(pie(-1 if share is None else round(share * 24), 16), left + 1, y + 6)
        words = fit(facts.name(i), TINY, int(room) - 6)
        wide, high = text_width(words, TINY) + 6, text_height(TINY) + 3
        canvas.box(left + 18, y + 14 - high / 2, wide, high, mix(ORANGE, WHITE, 0.72), radius=4)
        canvas.text(left + 21, y + 15, words, TINY, INK, "w")
        left += 22 + wide


def _in_hand(view: PlacesView, code: int) -> str:
    return seems(view.thing_names[code], view.thing_looks[code])


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
            canvas.paste(carried(_in_hand(view, body.hand), 18), x + 8, y + 6)
        words = f"to {view.locations[way.target]}, {way.arrives - view.time} left"
        wide = text_width(words, TINY) + 8
        left = min(max(x - wide / 2, 2), canvas.width - wide - 2)
        top = y - 36 if y > 44 else y + 20
        canvas.box(left, top, wide, 15, mix(ORANGE, WHITE, 0.72), mix(ORANGE, INK, 0.5), radius=4)
        canvas.text(left + wide / 2, top + 8, words, TINY, INK, "c")
