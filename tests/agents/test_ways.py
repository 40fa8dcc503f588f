"""Ways on maps: distances and steps against a plain search over cells and directions."""

from __future__ import annotations

from collections import deque
from typing import Any, Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stratagym.agents.memories.ways import FAR, Approach, Field, Grid, bits_of, each
from stratagym.envs.worlds.view import STEPS

Map = np.ndarray[Any, np.dtype[np.bool_]]
State = tuple[int, int, int]


@st.composite
def maps(draw: st.DrawFn) -> Map:
    """Return a map of free cells, at least one."""
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    cells = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    free = np.array(cells, np.bool_).reshape(height, width)
    free[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return free


def moved(free: Map, state: State, direction: int) -> State:
    """Return where a body is after a move, by the rule in words: blocked, it only turns."""
    x, y, _ = state
    dx, dy = STEPS[direction]
    inside = 0 <= x + dx < free.shape[1] and 0 <= y + dy < free.shape[0]
    return (x + dx, y + dy, direction) if inside and free[y + dy, x + dx] else (x, y, direction)


def plain_costs(free: Map, targets: set[tuple[int, int]], reach: str) -> dict[State, int]:
    """Return the fewest moves from every state to one from which a target is acted on."""
    height, width = free.shape
    states = [(x, y, d) for y in range(height) for x in range(width) if free[y, x] for d in range(4)]
    before: dict[State, list[State]] = {}
    for state in states:
        for d in range(4):
            before.setdefault(moved(free, state, d), []).append(state)
    ready = [
        (x, y, d)
        for x, y, d in states
        if ((x, y) if reach == "here" else (x + STEPS[d][0], y + STEPS[d][1])) in targets
    ]
    costs = dict.fromkeys(ready, 0)
    queue = deque(ready)
    while queue:
        state = queue.popleft()
        for other in before.get(state, ()):
            if other not in costs:
                costs[other] = costs[state] + 1
                queue.append(other)
    return costs


@settings(deadline=None, max_examples=150)
@given(free=maps(), data=st.data(), reach=st.sampled_from(["front", "here"]))
def test_an_approach_costs_the_fewest_moves(
    free: Map, data: st.DataObject, reach: Literal["front", "here"]
) -> None:
    """From every cell and direction the cost is that of a plain search, and each step makes it one less."""
    height, width = free.shape
    cells = [(x, y) for y in range(height) for x in range(width)]
    targets = set(data.draw(st.lists(st.sampled_from(cells), min_size=1, max_size=3)))
    grid = Grid(width, height)
    bits = sum(1 << grid.at(cell) for cell in targets)
    way = Approach(grid, bits_of(free), bits, reach)
    costs = plain_costs(free, targets, reach)
    for y, x in np.argwhere(free):
        for d in range(4):
            position = grid.at((int(x), int(y)))
            expected = costs.get((int(x), int(y), d), FAR)
            assert way.cost(position, d) == expected
            step = way.step(position, d)
            if expected == 0:
                assert step == -1
                assert grid.cell(way.target(position, d)) in targets
            elif expected == FAR:
                assert step == -2
            else:
                assert costs[moved(free, (int(x), int(y), d), step)] == expected - 1


@settings(deadline=None, max_examples=100)
@given(free=maps())
def test_a_field_counts_steps_from_its_start(free: Map) -> None:
    """Distances are those of a breadth-first search; what is reached is what has one."""
    height, width = free.shape
    grid = Grid(width, height)
    start = tuple(int(v) for v in np.argwhere(free)[0][::-1])
    distances = {start: 0}
    queue = deque([start])
    while queue:
        x, y = queue.popleft()
        for dx, dy in STEPS:
            cell = (x + dx, y + dy)
            if (
                0 <= cell[0] < width
                and 0 <= cell[1] < height
                and free[cell[1], cell[0]]
                and cell not in distances
            ):
                distances[cell] = distances[x, y] + 1
                queue.append(cell)
    field = Field(bits_of(free), 1 << grid.at(start), grid.stride)
    for y in range(height):
        for x in range(width):
            assert field.distance(grid.at((x, y))) == distances.get((x, y), FAR)
    assert {grid.cell(p) for p in each(field.reached())} == set(distances)


@settings(deadline=None, max_examples=100)
@given(free=maps())
def test_nothing_is_cut_off_behind_a_roomy_cell(free: Map) -> None:
    """Closing a roomy cell leaves all other cells that hung together connected."""
    height, width = free.shape
    grid, bits = Grid(width, height), bits_of(free)
    for position in each(grid.roomy(bits)):
        part = Field(bits, 1 << position, grid.stride).reached() & ~(1 << position)
        if part:
            start = part & -part
            assert Field(bits & ~(1 << position), start, grid.stride).reached() == part
