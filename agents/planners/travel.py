"""How far it is from one subtask to the next: distances on a map, for planners that count walking.

Owns the sites of each subtask as the rules of a ``GridView`` tell them, what a run leaves
there, and the walk to the nearest. Bodies in the way are left out of account; the map is
taken as it is seen, but for what the plan itself takes away or puts there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stratagym.agents.memories.ways import FAR, Bits, Field, Grid, bits_of, lowest
from stratagym.envs.worlds.view import GridView, RuleView


class Visit(NamedTuple):
    """One walk to a site, and what is left there.

    Attributes:
        ticks: from here to the attempt.
        stand: position of the body then.
        target: position of the site; -1 where the place does not matter.
        gone: the site, if a run takes away what makes it one.
        made: code of the fixture that a run puts there, and the site; None if it puts none.
    """

    ticks: int
    stand: int
    target: int
    gone: Bits
    made: tuple[int, Bits] | None


class Ground(NamedTuple):
    """What a plan has changed on the map: sites that are used up, and fixtures by code."""

    gone: Bits = 0
    made: tuple[tuple[int, Bits], ...] = ()

    def after(self, visit: Visit) -> Ground:
        """Return the ground after a run."""
        if not visit.gone and visit.made is None:
            return self
        return Ground(self.gone | visit.gone, self.made if visit.made is None else (*self.made, visit.made))


class _Site(NamedTuple):
    """One rule of a subtask: the cells where it applies as seen now, and what a run does there."""

    cells: Bits | None
    at: frozenset[int] | None
    near: tuple[frozenset[int], ...]
    gone: bool
    made: int | None


class Travel:
    """Walks on the map of one view."""

    def __init__(self, view: GridView) -> None:
        """Read a map."""
        self._view = view
        self.grid = Grid(view.width, view.height)
        self.free = bits_of(view.free())
        self._front = view.reach == "front"
        self._fixtures: dict[int, Bits] = {}
        self._fields: dict[int, Field] = {}
        self._stands: dict[Bits, Bits] = {}
        self._sites = {i: tuple(map(self._site, rules)) for i, rules in view.rules.items()}

    def place_of(self, body: int) -> int:
        """Return the position of a body; -1 if it is not known."""
        at = self._view.bodies[body].at
        return -1 if at is None else self.grid.at(at)

    def visit(self, subtask: int, position: int, last: int, ground: Ground, near: int = -1) -> Visit | None:
        """Return the walk to a site of a subtask, None if there is none to get to.

        Args:
            subtask: its number.
            position: where the walk begins.
            last: the target that the body looks at already, -1 for none.
            ground: what the plan has changed before.
            near: the site that is nearest to this position is walked to; to the body, if -1.
        """
        best: Visit | None = None
        for site in self._sites.get(subtask, ()):
            found = self._nearest(site, position, last, ground, near)
            if found is not None and (best is None or found.ticks < best.ticks):
                best = found
        return best

    def _nearest(self, site: _Site, position: int, last: int, ground: Ground, near: int) -> Visit | None:
        cells = site.cells
        if cells is not None:
            cells &= ~ground.gone
            for code, bits in ground.made:
                if site.at is not None and code in site.at:
                    cells |= bits
            if not cells:
                return None
        stands = self._around(site.near, ground)
        if cells is not None:
            beside = self._beside(cells)
            stands = beside if stands is None else stands & beside
        if stands is None:
            return Visit(0, position, -1, 0, None)
        if near >= 0:
            _, stands = self._field(near).nearest(stands)
        distance, hit = self._field(position).nearest(stands)
        if distance >= FAR:
            return None
        stand = position if hit >> position & 1 else lowest(hit)
        target, turn = -1, 0
        if cells is not None:
            target = stand
            if self._front:
                faced = self.grid.beside(1 << stand) & cells
                target = last if last >= 0 and faced >> last & 1 else lowest(faced)
                turn = int(target != last or distance > 0)
        bit = 1 << target if target >= 0 else 0
        made = None if site.made is None or not bit else (site.made, bit)
        return Visit(distance + turn, stand, target, bit if site.gone else 0, made)

    def _site(self, rule: RuleView) -> _Site:
        view = self._view
        cells: Bits | None = None
        if rule.at is not None:
            cells = 0
            for code in rule.at:
                cells |= self._of_fixture(code)
        if rule.thing is not None:
            lying = bits_of(np.isin(view.things, list(rule.thing)))
            cells = lying if cells is None else cells & lying
        effect = rule.effects.get("success") or rule.effects.get("start")
        made = None if effect is None else effect.fixture
        taken = effect is not None and effect.thing is not None
        return _Site(cells, rule.at, rule.near, made is not None or taken, made)

    def _of_fixture(self, code: int) -> Bits:
        if code not in self._fixtures:
            self._fixtures[code] = bits_of(self._view.fixtures == code)
        return self._fixtures[code]

    def _around(self, near: tuple[frozenset[int], ...], ground: Ground) -> Bits | None:
        """Return where one stands near one fixture of each set; None for anywhere."""
        if not near:
            return None
        stands = self.free
        for codes in near:
            there = 0
            for code in codes:
                there |= self._of_fixture(code)
            for made, bits in ground.made:
                there |= bits if made in codes else 0
            stands &= self.grid.around(there)
        return stands

    def _beside(self, cells: Bits) -> Bits:
        """Return where one stands to act on some cells."""
        if not self._front:
            return cells & self.free
        if cells not in self._stands:
            self._stands[cells] = self.grid.beside(cells) & self.free
        return self._stands[cells]

    def _field(self, position: int) -> Field:
        if position not in self._fields:
            self._fields[position] = Field(self.free | 1 << position, 1 << position, self.grid.stride)
        return self._fields[position]
