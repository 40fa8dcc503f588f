"""Ways among places: how soon a body can be where, by ways and, where these end, by rides.

Owns the search for the earliest arrival (Dijkstra; waiting never hurts, so that an earlier
arrival is never worse). It chooses no goal and does nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stratagym.envs.worlds.view import PlacesRuleView, PlacesView

Ride = tuple[int, PlacesRuleView, int]
"""A subtask that leads to another location, its rule, and the ticks that it takes."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How soon a location is reached.

    Attributes:
        tick: of the arrival.
        hop: the first location to go to, -1 if one is there already or must ride first.
        ride: the first subtask to ride by, -1 if none is needed.
    """

    tick: int
    hop: int = -1
    ride: int = -1


def arrivals(
    view: PlacesView, here: int, since: int, pace: int = 1, rides: Iterable[Ride] = ()
) -> Mapping[int, Arrival]:
    """Return the earliest arrival at every location that can be reached.

    Args:
        view: ways, hours and departures.
        here: where the body is.
        since: tick from which on it can go.
        pace: factor on the ticks of its ways.
        rides: what it could ride by, once each.
    """
    rides = list(rides)
    ways = view.travel.tolist()
    found: dict[int, Arrival] = {}
    heap = [(since, here, 0, -1, -1)]
    while heap:
        # Of ways that take as long the one over the fewest places is taken.
        tick, place, legs, hop, ride = heapq.heappop(heap)
        if place in found:
            continue
        found[place] = Arrival(tick, hop, ride)
        for there, ticks in enumerate(ways[place]):
            if ticks > 0 and there not in found:
                first = there if hop < 0 and ride < 0 else hop
                heapq.heappush(heap, (tick + ticks * pace, there, legs + 1, first, ride))
        for subtask, rule, ticks in rides:
            if rule.leads_to is None or rule.leads_to in found:
                continue
            if rule.places is not None and place not in rule.places:
                continue
            start = first_start(view, rule, place, tick, ticks)
            if start is not None:
                first = subtask if ride < 0 else ride
                heapq.heappush(heap, (start + ticks, rule.leads_to, legs + 1, hop, first))
    return found


def first_start(view: PlacesView, rule: PlacesRuleView, place: int, since: int, ticks: int) -> int | None:
    """Return the first tick from ``since`` on at which a rule lets its subtask start at a location.

    None if there is none for all that is known; ``ticks``: for which the place must be open.
    """
    if rule.bound and place in view.locked:
        return None
    tick: int | None = since
    while tick is not None:
        departs = view.departure(rule, tick)
        opens = None
        if departs is not None:
            opens = view.opens(place, departs, ticks) if rule.bound else departs
        if opens == departs:
            return departs
        # What departs while the place is shut is waited for again, for so many days as there are departures.
        late = opens is None or (view.day and opens - since > view.day * (1 + len(rule.departs)))
        tick = None if late else opens
    return None
