"""The ``planes`` view: a grid as layers of 0 and 1, one channel a kind of thing, for convolutions.

Owns its space and the writing of layers from many lanes at a time. Where every body sees the
whole map, the layers show the map; where fog hides some of it, they show the window around
each body that the flat view has, so that nothing can be seen that the body does not see.

Channels, in order: each fixture, each thing, the body itself (on the map only: in its window
it is in the middle), other bodies, cells where a run is going on, and the cell that the body
acts on (where that is the one in front of it). A cell that is not seen, or outside, is 0 in
all of them. What a family never uses has no channel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from stratagym.envs.step import Model
from stratagym.envs.task import layout as at
from stratagym.envs.task.view import Knowledge
from stratagym.envs.worlds import grid_kernel, sites
from stratagym.envs.worlds.grid_kernel import RING, Sizes
from stratagym.envs.worlds.view import STEPS

Planes = np.ndarray[Any, np.dtype[np.uint8]]


class PlanesView:
    """The layers of a family of grids.

    Args:
        model: the tasks and their scenes, which are grids.

    Attributes:
        names: of the channels.
        whole: whether they show the whole map.
        space: ``[C, H, W]`` uint8; with several agents ``[A, C, H, W]``.
    """

    def __init__(self, model: Model) -> None:
        scenes: list[Any] = model.scenes()
        self._model, self._sizes = model, Sizes(*model.sizes)
        z = self._sizes
        self._agents, self.whole = z.agents, not z.fog
        widest = max(scenes, key=lambda scene: len(scene.fixtures.names))
        richest = max(scenes, key=lambda scene: len(scene.things.names))
        self._fixtures, self._things = len(widest.fixtures.names), len(richest.things.names) - 1
        self.names = (
            *widest.fixtures.names,
            *richest.things.names[1:],
            *(("self",) if self.whole else ()),
            *(("other",) if z.agents > 1 else ()),
            *(("busy",) if z.marks else ()),
            *(("target",) if z.facing else ()),
        )
        wide = 2 * z.radius + 1
        self._height = max(scene.height for scene in scenes) if self.whole else wide
        self._width = max(scene.width for scene in scenes) if self.whole else wide
        shape = (len(self.names), self._height, self._width)
        self.space = spaces.Box(0, 1, shape if z.agents == 1 else (z.agents, *shape), np.uint8)

    @classmethod
    def of(cls, model: Model, knowledge: Knowledge) -> PlanesView:
        """Return the planes of a model; a place is seen alike at every knowledge."""
        return cls(model)

    def planes(self, world: Any, states: Any) -> Planes:
        """Return the layers of some lanes.

        Args:
            world: ``[..., V]`` uint8 what the world writes into their flat view.
            states: ``[..., S]`` their states.

        Returns:
            ``[..., C, H, W]`` uint8, with several agents ``[..., A, C, H, W]``.
        """
        one = world.ndim == 1
        rows = np.asarray(world)[None] if one else np.asarray(world)
        found = (
            self._map(np.array(states, np.int32).reshape(len(rows), -1)) if self.whole else self._local(rows)
        )
        if self._agents == 1:
            found = found[:, 0]
        return found[0] if one else found

    def _write(self, out: Planes, fixtures: Any, things: Any) -> int:
        """Write the channels of fixtures and things from codes ``[..., H, W]``; return how many they are."""
        for code in range(self._fixtures):
            out[..., code, :, :] = fixtures == code
        for code in range(self._things):
            out[..., self._fixtures + code, :, :] = things == code + 1
        return self._fixtures + self._things

    def _map(self, states: np.ndarray[Any, np.dtype[np.int32]]) -> Planes:
        """Return ``[B, A, C, H, W]`` the whole map."""
        z, count = self._sizes, len(states)
        out = np.zeros((count, self._agents, len(self.names), self._height, self._width), np.uint8)
        tasks = states[:, at.TASK]
        heads = {task: self._heads(int(task)) for task in np.unique(tasks)}
        for stride, cells in set(heads.values()):
            lanes = np.flatnonzero(
                np.isin(tasks, [task for task, head in heads.items() if head == (stride, cells)])
            )
            self._fill(out, lanes, states[lanes], stride, cells, z)
        return out

    def _heads(self, task: int) -> tuple[int, int]:
        t, _ = self._model.row(task)
        table = t[at.T_WORLD]
        return t[table + grid_kernel.G_STRIDE], t[table + grid_kernel.G_CELLS]

    def _fill(self, out: Planes, lanes: Any, states: Any, stride: int, cells: int, z: Sizes) -> None:
        """Write the maps of lanes that are of one size."""
        t, _ = self._model.row(int(states[0, at.TASK]))
        world = t[at.Q_WORLD]
        height, width = cells // stride - 2 * RING, stride - 2 * RING
        first = world + grid_kernel.CELLS
        grid = states[:, first : first + cells].reshape(len(states), -1, stride)[:, RING:-RING, RING:-RING]
        layers = np.zeros((len(states), len(self.names), height, width), np.uint8)
        codes = (grid & grid_kernel.FIXTURE_BITS) - 1
        channel = self._write(layers, codes, (grid & grid_kernel.THING_BITS) >> grid_kernel.THING_SHIFT)
        here = (grid & grid_kernel.BODY_BIT) != 0
        busy = (grid & grid_kernel.BUSY_BIT) != 0
        bodies = world + t[t[at.T_WORLD] + sites.Q_BODIES]
        every = np.arange(len(states))
        for a in range(z.agents):
            mine = layers.copy()
            body = states[:, bodies + a * sites.BODY_SIZE : bodies + (a + 1) * sites.BODY_SIZE]
            there = body[:, sites.BODY_AT] > 0  # a body that only fills up is nowhere
            y, x = np.divmod(body[:, sites.BODY_AT], stride)
            y, x = np.where(there, y - RING, 0), np.where(there, x - RING, 0)
            k = channel
            mine[every, k, y, x] = there
            k += 1
            if z.agents > 1:
                mine[:, k] = here
                mine[every, k, y, x] &= ~there
                k += 1
            if z.marks:
                mine[:, k] = busy
                k += 1
            if z.facing:
                dx, dy = np.array(STEPS)[body[:, sites.FACING]].T
                inside = there & (x + dx >= 0) & (x + dx < width) & (y + dy >= 0) & (y + dy < height)
                seen = np.flatnonzero(inside)
                mine[seen, k, (y + dy)[seen], (x + dx)[seen]] = 1
            out[lanes, a, :, :height, :width] = mine

    def _local(self, rows: np.ndarray[Any, np.dtype[np.uint8]]) -> Planes:
        """Return ``[B, A, C, H, W]`` the windows around the bodies."""
        z, wide = self._sizes, self._width
        own = self._model.room.own if self._model.room is not None else 0
        blocks = rows[:, rows.shape[1] - z.agents * own :].reshape(len(rows), z.agents, own)
        layers = 1 + z.things + z.marks
        windows = blocks[..., own - layers * wide * wide :].reshape(len(rows), z.agents, layers, wide, wide)
        out = np.zeros((len(rows), z.agents, len(self.names), wide, wide), np.uint8)
        things = windows[:, :, 1] if z.things else np.zeros_like(windows[:, :, 0])
        k = self._write(out, windows[:, :, 0].astype(np.int16) - 1, things)
        if z.agents > 1:
            out[:, :, k] = windows[:, :, -1] & 1
            k += 1
        if z.marks:
            out[:, :, k] = windows[:, :, -1] >> 1
            k += 1
        if z.facing:
            steps = np.array(STEPS)[blocks[..., FACING_AT]]
            lanes, agents = np.indices(steps.shape[:2])
            out[lanes, agents, k, z.radius + steps[..., 1], z.radius + steps[..., 0]] = 1
        return out


FACING_AT = 2
"""Where a body's direction stands among its own numbers, behind its cell (``grid_kernel.write_body``)."""
