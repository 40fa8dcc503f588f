"""Whether all of a task can be played on a map: what no body could ever do is refused by name.

Owns a relaxation in which nothing is ever lost: cells keep whatever may once have stood or
lain there, hands whatever they may once have held, needs and stocks are left aside, and
bodies and things in motion are in nobody's way. What cannot be done even so can never be
done. The converse does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from stratagym.envs.task.faults import join, quote
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.worlds import sites
from stratagym.envs.worlds.rules import Codes, Effect, Kinds, Rule
from stratagym.envs.worlds.scene import SceneError

Cells = np.ndarray[Any, np.dtype[np.bool_]]
"""One flag for each cell, row by row, with a ring around the map."""


class Map(Protocol):
    """What is read of a grid scene; see ``grid.GridScene``."""

    graph: TaskGraph
    fixtures: Kinds
    things: Kinds
    standing: Any
    lying: Any
    bodies: Any
    rules: tuple[Rule, ...]
    events: Any
    here: bool
    hands: bool
    width: int
    height: int

    @property
    def swaps(self) -> dict[str, list[int]]:
        """Kind of event -> what each fixture becomes by it."""


def judge(scene: Map) -> int:
    """Refuse a map on which some subtask can never be attempted.

    Returns:
        Ticks of the longest way that a body may have to go.

    Raises:
        SceneError: with the first such subtask and what is missing.
    """
    reach, graph = _grown(scene), scene.graph
    for i, subtask in enumerate(graph.subtasks):
        staffed = sum(reach.able(a, i) for a in range(len(graph.agents))) >= subtask.agents
        # That nobody has a skill is the task's own, and warned of there.
        if i not in reach.played and staffed:
            raise reach.refusal(i)
    pace: int = max(body.pace for body in scene.bodies)
    return max(min(2 * region.levels, int(region.cells.sum())) for region in reach.regions) * pace + 1


def attemptable(scene: Map) -> frozenset[int]:
    """Return the subtasks of which it is not certain that nobody can ever attempt them."""
    return frozenset(_grown(scene).played)


def _grown(scene: Map) -> _Reach:
    reach = _Reach(scene)
    while reach.grow():
        pass
    return reach


class _Region:
    """The cells to which some bodies can ever get."""

    def __init__(self, start: int, count: int) -> None:
        self.cells: Cells = np.zeros(count, bool)
        self.cells[start] = True
        self.edge = np.array([start])
        self.levels = 1


class _Reach:
    """What may ever stand, lie, be held and be reached, growing until nothing is added."""

    def __init__(self, scene: Map) -> None:
        self.scene = scene
        self.wide = scene.width + 2
        count = self.wide * (scene.height + 2)
        ring = np.zeros((scene.height + 2, self.wide), bool)
        ring[1:-1, 1:-1] = True
        self.inside: Cells = ring.ravel()
        self.standing = self._codes(scene.standing, len(scene.fixtures.names))
        self.lying = self._codes(scene.lying, len(scene.things.names))
        self.solid = self._flags(scene.fixtures, sites.SOLID)
        self.blocking = self._flags(scene.things, sites.SOLID)
        self.holding = self._flags(scene.fixtures, sites.HOLDS)
        self.swallowing = self._flags(scene.fixtures, sites.SWALLOWS)
        self.portable: list[int] = sorted(scene.things.flagged(sites.PORTABLE))
        self.moving: list[int] = sorted(scene.things.flagged(sites.MOVING))
        self.held = np.zeros((len(scene.bodies), len(scene.things.names)), bool)
        self.starts = [(body.at[1] + 1) * self.wide + body.at[0] + 1 for body in scene.bodies]
        for a, body in enumerate(scene.bodies):
            self.held[a, body.hand] = True
        self.regions: list[_Region] = []
        self.home: list[_Region] = []
        for start in self.starts:
            self.regions.append(_Region(start, count))
            self.home.append(self.regions[-1])
        self.played: set[int] = set()
        # Many subtasks are done in the same way (one for each unit of wood): it is looked at once.
        self.alike: dict[Any, list[int]] = {}
        self.ways: list[Rule] = []
        for rule in scene.rules:
            subtask = scene.graph.subtasks[rule.subtask]
            way = (rule.at, rule.thing, rule.hand, rule.near, rule.effects, subtask.skill, subtask.agents)
            if way not in self.alike:
                self.ways.append(rule)
            self.alike.setdefault(way, []).append(rule.subtask)
        self._gain = True

    def _codes(self, layer: Any, kinds: int) -> Any:
        """Return ``[kinds, cells]`` which cells of a layer have which code."""
        whole = np.full((self.scene.height + 2, self.wide), -1)
        whole[1:-1, 1:-1] = layer
        return whole.ravel() == np.arange(kinds)[:, None]

    @staticmethod
    def _flags(kinds: Kinds, flag: int) -> Any:
        return np.array([flags & flag != 0 for flags in kinds.flags])

    def able(self, a: int, i: int) -> bool:
        """Return whether agent ``a`` has the skill for a subtask."""
        skill = self.scene.graph.subtasks[i].skill
        return skill is None or skill in self.scene.graph.agents[a].skills

    def _add(self, layer: Any, code: int, cells: Cells) -> None:
        """Let a code be in some cells too."""
        new = cells & ~layer[code]
        if new.any():
            layer[code] |= new
            self._gain = True

    def _give(self, a: int, thing: int) -> None:
        """Let a body hold a thing too."""
        if not self.held[a, thing]:
            self.held[a, thing] = self._gain = True

    def _beside(self, cells: Cells) -> Cells:
        """Return the four neighbours of cells."""
        found: Cells = np.zeros_like(cells)
        for step in (1, self.wide):
            found[step:] |= cells[:-step]
            found[:-step] |= cells[step:]
        return found

    def _around(self, cells: Cells) -> Cells:
        """Return the cells and all that are within one of them."""
        rows = cells.copy()
        rows[1:] |= cells[:-1]
        rows[:-1] |= cells[1:]
        found = rows.copy()
        found[self.wide :] |= rows[: -self.wide]
        found[: -self.wide] |= rows[self.wide :]
        return found

    # -------------------------------------------------------------- one round

    def grow(self) -> bool:
        """Add all that follows from what there may be; return whether anything was added."""
        self._gain = False
        self._events()
        self._spread()
        targets = {}
        for region in self.regions:
            targets[id(region)] = (
                region.cells if self.scene.here else self._beside(region.cells) & self.inside
            )
        if self.scene.hands:
            for a, region in enumerate(self.home):
                self._carry(a, targets[id(region)])
        for rule, subtasks in zip(self.ways, self.alike.values(), strict=True):
            self._attempt(rule, subtasks, targets)
        return self._gain

    def _events(self) -> None:
        cells = np.zeros_like(self.inside)
        for event in self.scene.events:
            cells[:] = False
            cells[(event.cell[1] + 1) * self.wide + event.cell[0] + 1] = True
            if event.kind == "move":
                if self.lying[event.thing].any():
                    self._add(self.lying, sites.NOTHING, self.lying[event.thing].copy())
                    self._add(self.lying, event.thing, cells)
                continue
            for old, new in enumerate(self.scene.swaps[event.kind]):
                if new >= 0:
                    self._add(self.standing, new, cells & self.standing[old])
        grounds = self.standing[self.holding].any(axis=0)
        for thing in self.moving:
            if self.lying[thing].any():
                self._add(self.lying, sites.NOTHING, self.lying[thing].copy())
                self._add(self.lying, thing, grounds)

    def _spread(self) -> None:
        """Let bodies go on to where they can get now."""
        free = self.standing[~self.solid].any(axis=0) & self.lying[~self.blocking].any(axis=0)
        for region in self.regions:
            edge = np.flatnonzero(free & self._beside(region.cells) & ~region.cells)
            while edge.size:
                region.cells[edge] = True
                region.levels += 1
                near = np.concatenate([edge - 1, edge + 1, edge - self.wide, edge + self.wide])
                edge = np.unique(near[free[near] & ~region.cells[near]])
                self._gain = True
        # Bodies that can meet share one region.
        for a, start in enumerate(self.starts):
            for region in self.regions:
                if region.cells[start]:
                    self.home[a] = region
                    break
        self.regions = [region for region in self.regions if any(region is home for home in self.home)]

    def _carry(self, a: int, targets: Cells) -> None:
        open_cells = targets & self.standing[self.holding].any(axis=0)
        if self.held[a, sites.NOTHING]:
            for thing in self.portable:
                found = self.lying[thing] & open_cells
                if found.any():
                    self._give(a, thing)
                    self._add(self.lying, sites.NOTHING, found)
        empty = self.lying[sites.NOTHING] & open_cells
        sink = (targets & self.standing[self.swallowing].any(axis=0)).any()
        for thing in self.portable:
            if self.held[a, thing]:
                self._add(self.lying, thing, empty)
                if sink or empty.any():
                    self._give(a, sites.NOTHING)

    def _attempt(self, rule: Rule, subtasks: Sequence[int], targets: dict[int, Cells]) -> None:
        fits: dict[int, Cells] = {}
        crew: list[int] = []
        for a, region in enumerate(self.home):
            if not self.able(a, rule.subtask) or not self._holds(a, rule):
                continue
            if id(region) not in fits:
                fits[id(region)] = self._cells(rule, region, targets[id(region)])
            if fits[id(region)].any():
                crew.append(a)
        wanted = self.scene.graph.subtasks[rule.subtask].agents
        if len(crew) < wanted:
            return
        cells = np.logical_or.reduce([fits[id(self.home[a])] for a in crew])
        if wanted > 1 and not rule.on_the_spot:
            cells = np.sum([fits[id(self.home[a])] for a in crew], axis=0) >= wanted
            if not cells.any():
                return
        self.played.update(subtasks)
        for effect in rule.effects:
            if effect != Effect():
                self._apply(effect, cells, crew)

    def _holds(self, a: int, rule: Rule) -> bool:
        return rule.hand is None or bool(self.held[a, sorted(rule.hand)].any())

    def _cells(self, rule: Rule, region: _Region, targets: Cells) -> Cells:
        """Return the cells at which a body of a region may fit a rule, hands left aside."""
        stands = region.cells
        for codes in rule.near:
            stands = stands & self._around(self.standing[sorted(codes)].any(axis=0))
        if rule.on_the_spot:
            return stands
        if rule.near:
            targets = stands if self.scene.here else self._beside(stands) & self.inside
        return targets & self._sites(rule)

    def _sites(self, rule: Rule) -> Cells:
        """Return the cells where what stands and lies fits a rule."""
        found: Cells = self.inside
        if rule.at is not None:
            found = found & self.standing[sorted(rule.at)].any(axis=0)
        if rule.thing is not None:
            found = found & self.lying[sorted(rule.thing)].any(axis=0)
        return found

    def _apply(self, effect: Effect, cells: Cells, crew: Sequence[int]) -> None:
        if effect.fixture is not None:
            self._add(self.standing, effect.fixture, cells)
        if effect.thing is not None:
            self._add(self.lying, effect.thing, cells)
        if effect.hand is not None:
            for a in crew:
                self._give(a, effect.hand)
        for old, new in effect.turn:
            self._add(self.lying, new, self.lying[old].copy())
            for a in np.flatnonzero(self.held[:, old]).tolist():
                self._give(a, new)

    # -------------------------------------------------------------- what is missing

    def refusal(self, i: int) -> SceneError:
        """Return what to say of a subtask that nobody can ever attempt."""
        subtask = self.scene.graph.subtasks[i]
        rule = next(rule for rule in self.scene.rules if rule.subtask == i)
        crew = [a for a in range(len(self.home)) if self.able(a, i)]
        fixtures, things = self.scene.fixtures, self.scene.things
        for codes, field in ((rule.at, "at"), *((codes, "near") for codes in rule.near)):
            if codes is not None and not self.standing[sorted(codes)].any():
                return SceneError(
                    f"there is no {_words(codes, fixtures)} on the map, and nothing ever makes one",
                    join(rule.path, field),
                )
        if rule.thing is not None and not self.lying[sorted(rule.thing)].any():
            return SceneError(
                f"no {_words(rule.thing, things)} ever lies anywhere",
                join(rule.path, "thing"),
                "put one on the map, or have some rule make it",
            )
        holders = [a for a in crew if self._holds(a, rule)]
        if rule.hand is not None and len(holders) < subtask.agents:
            return SceneError(
                f"nobody who could do it ever holds {_words(rule.hand, things)}",
                join(rule.path, "hand"),
                "put one where it can be taken (carry: true), or have some rule give it",
            )
        if rule.at is not None and rule.thing is not None and not self._sites(rule).any():
            lies, stands = _words(rule.thing, things), _words(rule.at, fixtures)
            return SceneError(f"{lies} never lies on {stands}", join(rule.path, "thing"))
        what = _words(rule.at, fixtures) if rule.at is not None else ""
        what = what or (_words(rule.thing, things) if rule.thing is not None else "its place")
        who = "no body" if subtask.skill is None else f"no body with the skill {quote(self._skill(i))}"
        who = who if subtask.agents == 1 else f"fewer than {subtask.agents} bodies"
        return SceneError(
            f"{who} can ever reach {what}", rule.path, "look for walls and solid things in the way"
        )

    def _skill(self, i: int) -> str:
        skill = self.scene.graph.subtasks[i].skill
        return "" if skill is None else self.scene.graph.skills[skill]


def _words(codes: Codes, kinds: Kinds) -> str:
    """Return codes as names: ``'pot' or 'pan'``."""
    names = [
        quote(kinds.names[code]) if code or kinds.what == "fixture" else "nothing" for code in sorted(codes)
    ]
    shown = names[:3] + (["..."] if len(names) > 3 else [])
    return " or ".join(shown)
