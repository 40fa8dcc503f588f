"""Steps of several bodies at once: nobody walks into anybody, and all get where they want to."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stratagym.agents.memories.ways import Approach, Grid, bits_of
from stratagym.agents.skills.traffic import STAY, Mover, share_steps

OPEN = np.ones((4, 5), np.bool_)


def served(positions: list[int], chosen: dict[int, int], deltas: tuple[int, ...], free: int) -> list[int]:
    """Return where bodies are after a tick, served one after the other as the world does it."""
    now = list(positions)
    for b in range(len(now)):
        if chosen[b] == STAY:
            continue
        to = now[b] + deltas[chosen[b]]
        assert free >> to & 1
        assert to not in now, f"body {b} walks into another"
        now[b] = to
    return now


@settings(deadline=None, max_examples=200)
@given(places=st.permutations(range(20)), goals=st.permutations(range(20)), count=st.integers(2, 6))
@example(
    places=[0, 1, 2, 15, *range(4, 15), 3, *range(16, 20)], goals=[0, 1, 5, 3, 4, 2, *range(6, 20)], count=4
)
def test_bodies_in_an_open_room_all_reach_their_goals(
    places: list[int], goals: list[int], count: int
) -> None:
    """Every step succeeds when bodies are served by index; within 60 ticks all have been at their goal."""
    grid, free = Grid(5, 4), bits_of(OPEN)
    positions = [grid.at((p % 5, p // 5)) for p in places[:count]]
    ways = [Approach(grid, free, 1 << grid.at((g % 5, g // 5)), "here") for g in goals[:count]]
    since = [0] * count
    reached: set[int] = set()
    for tick in range(60):
        movers = {}
        for b in range(count):
            now = ways[b].cost(positions[b], 0)
            if now == 0:
                reached.add(b)
                since[b] = tick

            def cost(d: int, way: Approach = ways[b], place: int = positions[b], now: int = now) -> int:
                return now if d == STAY else way.after(place, d)

            movers[b] = Mover(positions[b], cost, now > 0)
        if len(reached) == count:
            return
        order = sorted(range(count), key=lambda b: (since[b], b))
        chosen, _ = share_steps(movers, order, grid.deltas, free, 0)
        positions = served(positions, chosen, grid.deltas, free)
    raise AssertionError(f"only {reached} got there")


def test_one_who_is_pushed_steps_aside() -> None:
    """In an open room a body in the way makes room at the side, not in front of the one that pushes it on."""
    grid, free = Grid(7, 5), bits_of(np.ones((5, 7), np.bool_))
    for d in range(4):
        pusher = grid.at((3, 2))
        pushed = pusher + grid.deltas[d]
        way = Approach(grid, free, 1 << pushed + grid.deltas[d], "here")

        def cost(direction: int, way: Approach = way, place: int = pusher) -> int:
            return way.cost(place, 0) if direction == STAY else way.after(place, direction)

        movers = {0: Mover(pusher, cost, True), 1: Mover(pushed, lambda k: int(k != STAY), False)}
        chosen, _ = share_steps(movers, (0, 1), grid.deltas, free, 0)
        assert chosen[1] not in (d, d ^ 1, STAY)
