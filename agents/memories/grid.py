"""What is known of a map: cells seen now or before, as sets of bits that paths are searched in.

Owns what fog leaves (each cell's fixture and thing as last seen, with the tick), the sets
of cells derived from it, and who has the right of way among bodies that blocked each
other. It decides where nobody goes; ``skills.grid`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from stratagym.agents.memories.latest import LatestMemory
from stratagym.agents.memories.ways import Approach, Bits, Field, Grid, bits_of
from stratagym.envs.task.view import Observation
from stratagym.envs.worlds.view import UNKNOWN, GridView

FIELDS_KEPT = 256
"""Ways kept for one state of the map."""


class GridMemory(LatestMemory):
    """The map as far as it is known.

    Attributes:
        view: the latest view, its arrays completed by what was seen before.
        grid: the map's shape.
        free: cells that a body could stand on, bodies left aside; none that are not known.
        unknown: cells never seen.
        busy: cells where a run is known to go on.
        seen: ``[H, W]`` tick at which each cell was last seen, -1 for never.
        places: per body the position where it was last seen, -1 for never.
        way: body -> tick until which it goes first, after it could not make room for another,
            and cells where it would be in nobody's way (0 if it has a goal of its own).
        rested: body -> tick at which it was last where it wanted to be.
        blocked: body -> ticks for which another one has stood in its way.
        cache: what follows from the map, the things on it, the hands and the mask together.
    """

    view: GridView
    grid: Grid
    free: Bits
    unknown: Bits
    busy: Bits

    def __init__(self) -> None:
        super().__init__()
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Forget the episode."""
        super().reset(seed)
        self.seen: np.ndarray[Any, np.dtype[np.int32]] | None = None
        self.places: list[int] = []
        self.way: dict[int, tuple[int, Bits]] = {}
        self.rested: dict[int, int] = {}
        self.blocked: dict[int, int] = {}
        self._before: list[int] = []
        self._fixtures = self._things = b""
        self._token: Any = None
        self.free = self.unknown = self.busy = 0
        self._sets: dict[tuple[str, int], Bits] = {}
        self._ways: dict[Any, Any] = {}

    def update(self, observation: Observation) -> None:
        """Take in what is seen now; only what has changed is worked out anew."""
        view = observation.world
        if view.radius:
            view = self._complete(view)
            observation = replace(observation, world=view)
        self.view, self.observation = view, observation
        if not self._fixtures:
            self.grid = Grid(view.width, view.height)
            self.places = self._before or [-1] * len(view.bodies)
        for b, body in enumerate(view.bodies):
            if body.at is not None:
                self.places[b] = self.grid.at(body.at)
        fixtures, things = view.fixtures.tobytes(), view.things.tobytes()
        if fixtures != self._fixtures:
            self._sets = {}
            self.unknown = bits_of(view.fixtures == UNKNOWN)
        if things != self._things:
            self._sets = {key: bits for key, bits in self._sets.items() if key[0] == "fixture"}
        if fixtures != self._fixtures or (things != self._things and view.obstacles):
            free = bits_of(view.free())
            if free != self.free:
                self.free, self._ways = free, {}
        if fixtures != self._fixtures or things != self._things:
            self._fixtures, self._things = fixtures, things
            self.cache.clear()
        hands = [(b.hand, b.stock, b.ready, b.down) for b in view.bodies]
        token = (view.busy, observation.mask.tobytes(), observation.task.status, hands)
        if token != self._token:
            self._token = token
            self.busy = 0
            for cell in view.busy:
                self.busy |= 1 << self.grid.at(cell)
            self.cache.clear()

    def _complete(self, view: GridView) -> GridView:
        """Return the view with what was seen before in place of what fog hides."""
        now = view.fixtures != UNKNOWN
        if self.seen is None:
            self.seen = np.full(view.fixtures.shape, -1, np.int32)
            self._map = (view.fixtures.copy(), view.things.copy())
        fixtures, things = self._map
        fixtures[now] = view.fixtures[now]
        things[now] = view.things[now]
        self.seen[now] = view.time
        return replace(view, fixtures=fixtures, things=things)

    def known(self) -> Mapping[str, Any]:
        """Return where the bodies are, what they hold, what is under way and how much of the map is known."""
        account = dict(super().known())
        view = self.view
        if view.hands:
            account["hands"] = {
                b.name: view.thing_names[b.hand] for b in view.bodies if b.hand is not None and b.hand >= 0
            }
        if view.radius and self.seen is not None:
            account["seen"] = round(float((self.seen >= 0).mean()), 3)
        return account

    def save(self) -> dict[str, Any]:
        """Return the map as it was seen before, where the bodies were, and who has the right of way."""
        saved: dict[str, Any] = {
            "places": list(self.places),
            "way": [[b, tick, hex(bits)] for b, (tick, bits) in self.way.items()],
            "rested": [[b, tick] for b, tick in self.rested.items()],
            "blocked": [[b, ticks] for b, ticks in self.blocked.items()],
        }
        if self.seen is not None:
            saved["seen"] = [part.tolist() for part in (self.seen, *self._map)]
        return saved

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take back what ``save`` has returned."""
        self.reset(0)
        self._before = list(saved["places"])
        self.way = {b: (tick, int(bits, 16)) for b, tick, bits in saved["way"]}
        self.rested, self.blocked = dict(saved["rested"]), dict(saved["blocked"])
        if "seen" in saved:
            seen, fixtures, things = saved["seen"]
            self.seen = np.array(seen, np.int32)
            self._map = (np.array(fixtures, np.int16), np.array(things, np.int16))

    # -------------------------------------------------------------- sets of cells

    def fixtures(self, codes: Iterable[int] | None) -> Bits:
        """Return the known cells whose fixture is one of the codes (all known cells for None)."""
        if codes is None:
            return self.grid.inside & ~self.unknown
        return self._union("fixture", self.view.fixtures, codes)

    def things(self, codes: Iterable[int]) -> Bits:
        """Return the cells where one of the things lies, as far as it is known."""
        return self._union("thing", self.view.things, codes)

    def roomy(self) -> Bits:
        """Return the free cells that cut nothing off if somebody stands there for good."""
        bits: Bits = self._kept("roomy", lambda: self.grid.roomy(self.free))
        return bits

    def loose(self) -> Bits:
        """Return the cells that are closed only by a thing that can be carried away."""
        view = self.view
        barring = view.obstacles & view.portable
        if not barring or not view.hands:
            return 0
        return self.things(barring) & self.fixtures(view.holds - view.solid) & ~self.busy

    def _union(self, sort: str, array: np.ndarray[Any, np.dtype[np.int16]], codes: Iterable[int]) -> Bits:
        found = 0
        for code in codes:
            bits = self._sets.get((sort, code))
            if bits is None:
                bits = self._sets[sort, code] = bits_of(array == code)
            found |= bits
        return found

    # -------------------------------------------------------------- ways

    def others(self, body: int) -> Bits:
        """Return the cells that other bodies stand on, as far as they are in sight."""
        found = 0
        for b, other in enumerate(self.view.bodies):
            if b != body and other.at is not None:
                found |= 1 << self.places[b]
        return found

    def field(self, position: int) -> Field:
        """Return the distances from a cell, over what is free."""
        field: Field = self._kept(
            ("field", position), lambda: Field(self.free, 1 << position, self.grid.stride)
        )
        return field

    def approach(self, targets: Bits, standing: Bits | None = None, without: Bits = 0) -> Approach:
        """Return the way to where some of the cells can be acted on.

        Args:
            targets: cells to act on.
            standing: cells from which it may be done (all, if left out).
            without: cells that are not free just now.
        """
        way: Approach = self._kept(
            ("approach", targets, standing, without),
            lambda: Approach(self.grid, self.free & ~without, targets, self.view.reach, standing),
        )
        return way

    def onto(self, cells: Bits, without: Bits = 0) -> Approach:
        """Return the way that ends on one of some cells, whatever the reach.

        Args:
            cells: to end on.
            without: cells that are not free just now.
        """
        way: Approach = self._kept(
            ("onto", cells, without), lambda: Approach(self.grid, self.free & ~without, cells, "here")
        )
        return way

    def _kept(self, key: Any, make: Callable[[], Any]) -> Any:
        found = self._ways.get(key)
        if found is None:
            if len(self._ways) >= FIELDS_KEPT:
                self._ways.clear()
            found = self._ways[key] = make()
        return found
