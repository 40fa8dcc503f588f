"""A map in the head: where bodies would be, what they would hold and what would lie where.

Owns the stage on which plans of grid domains are rehearsed (``agents.rehearsal``): the walks of the
grid skill, leg by leg and without other bodies in the way, and the effects of rules. It moves nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stratagym.agents.memories.grid import GridMemory
from stratagym.agents.memories.ways import FAR, Approach, Bits, facing_number
from stratagym.envs.worlds.view import NOTHING, EffectView, Moment, RuleView

MOMENTS: dict[str, Moment] = {
    "start": "start",
    "success": "success",
    "failure": "failure",
    "undo": "undone",
    "spoil": "undone",
}


class Spot(NamedTuple):
    """Where a body stands, and what it looks at."""

    position: int
    facing: int


class Walk(NamedTuple):
    """A walk: its moves, where it ends, and the cell that is acted on from there."""

    moves: int
    end: Spot
    target: int


class Ways:
    """The walks on one map, worked out once for all stages."""

    def __init__(self, m: GridMemory) -> None:
        self.m = m
        self._walks: dict[tuple[Spot, Bits, Bits | None], Walk | None] = {}
        self._approaches: dict[tuple[Bits, Bits | None], Approach] = {}

    def to(self, start: Spot, targets: Bits, standing: Bits | None = None) -> Walk | None:
        """Return the shortest walk to where one of some cells can be acted on, None if there is none."""
        if not targets:
            return None
        key = (start, targets, standing)
        if key not in self._walks:
            self._walks[key] = self._find(start, targets, standing)
        return self._walks[key]

    def _find(self, start: Spot, targets: Bits, standing: Bits | None) -> Walk | None:
        m = self.m
        way = self._approaches.get((targets, standing))
        if way is None:
            way = Approach(m.grid, m.free, targets, m.view.reach, standing)
            self._approaches[targets, standing] = way
        position, facing = start
        moves = 0
        while (step := way.step(position, facing)) >= 0:
            to = position + m.grid.deltas[step]
            if way.free >> to & 1:
                position = to
            facing = step
            moves += 1
        return None if step == -2 else Walk(moves, Spot(position, facing), way.target(position, facing))


class GridStage:
    """See the module.

    Args:
        ways: of the map.
    """

    def __init__(self, ways: Ways) -> None:
        m = ways.m
        view = m.view
        self._ways, self._view = ways, view
        self.spots = [
            Spot(place, facing_number(body.facing)) for place, body in zip(m.places, view.bodies, strict=True)
        ]
        self.hands = [body.hand for body in view.bodies]
        self._things: dict[int, Bits] = {c: m.things((c,)) for c in range(1, len(view.thing_names))}
        self._things = {code: bits for code, bits in self._things.items() if bits}
        self._made: dict[int, int] = {}  # position -> fixture that has changed
        self._busy = m.busy
        self._runs: dict[int, tuple[int, int, RuleView]] = {}  # subtask -> site, body, rule
        self._aims: dict[int, tuple[int, RuleView]] = {}  # body -> site, rule of its next attempt
        for cell, subtask in view.busy.items():
            rules = view.rules.get(subtask, ())
            if rules:
                body = next(
                    (
                        b
                        for b, a in enumerate(m.observation.task.agents)
                        if a.attends == m.observation.task.names[subtask]
                    ),
                    0,
                )
                self._runs[subtask] = (m.grid.at(cell), body, rules[0])

    def clone(self) -> GridStage:
        """Return an independent copy."""
        other = GridStage.__new__(GridStage)
        other._ways, other._view = self._ways, self._view
        other.spots, other.hands = list(self.spots), list(self.hands)
        other._things, other._made = dict(self._things), dict(self._made)
        other._busy, other._runs, other._aims = self._busy, dict(self._runs), dict(self._aims)
        return other

    # -------------------------------------------------------------- what a body does

    def set_out(self, body: int, subtask: int) -> int | None:
        """Walk to where a subtask can be attempted (see ``rehearsal.Stage``)."""
        best: tuple[int, GridStage] | None = None
        for rule in self._view.rules.get(subtask, ()):
            trial = self.clone()
            ticks = trial._attempt(body, rule)
            if ticks is not None and (best is None or ticks < best[0]):
                best = (ticks, trial)
        if best is None:
            return None
        ticks, trial = best
        self.spots, self.hands, self._things, self._aims = (
            trial.spots,
            trial.hands,
            trial._things,
            trial._aims,
        )
        return ticks * self._view.bodies[body].pace if self._view.bodies[body].pace > 1 else ticks

    def _attempt(self, body: int, rule: RuleView) -> int | None:
        """Do what comes before an attempt by a rule; return the ticks, None if it cannot be done."""
        ticks = self._clear(body, rule)
        hand = self.hands[body]
        if ticks is None:
            return None
        if rule.hand is not None and hand is not None and hand not in rule.hand:
            if hand != NOTHING:
                put = self._put_down(body)
                if put is None:
                    return None
                ticks += put
            if NOTHING not in rule.hand:
                fetched = self._fetch(body, rule.hand)
                if fetched is None:
                    return None
                ticks += fetched
        standing = self._near(rule)
        if standing == 0:
            return None
        if rule.at is None and rule.thing is None:
            return self._on_the_spot(body, rule, ticks, standing)
        sites = self._fixtures(rule.at)
        fit = sites if rule.thing is None else sites & self._lying(rule.thing)
        walk = self._ways.to(self.spots[body], fit & ~self._busy, standing)
        if walk is None:
            walk = self._ways.to(self.spots[body], sites & self._busy & self._coming(rule), standing)
        if walk is None:
            return self._brought(body, rule, sites, ticks, standing)
        self.spots[body] = walk.end
        self._aims[body] = (walk.target, rule)
        return ticks + walk.moves

    def _clear(self, body: int, rule: RuleView) -> int | None:
        """Take away what stands where nothing may; return the ticks, None if it cannot be done."""
        if rule.thing is None or NOTHING not in rule.thing or not self._view.hands:
            return 0
        sites = self._fixtures(rule.at)
        if sites & self._lying(rule.thing) & ~self._busy or sites & self._busy & self._coming(rule):
            return 0
        ticks = 0
        if self.hands[body] != NOTHING:
            put = self._put_down(body)
            if put is None:
                return None
            ticks += put
        taken = self._fetch(body, self._view.portable, sites)
        if taken is None:
            return None
        put = self._put_down(body)
        return None if put is None else ticks + taken + put

    def _brought(
        self, body: int, rule: RuleView, sites: Bits, ticks: int, standing: Bits | None
    ) -> int | None:
        """Bring the thing that must lie at the site; return the ticks, None if it cannot be done."""
        if rule.thing is None or NOTHING in rule.thing or not self._view.hands:
            return None
        if rule.hand is not None and NOTHING not in rule.hand:
            return None
        if self.hands[body] not in rule.thing:
            if self.hands[body] != NOTHING:
                put = self._put_down(body)
                if put is None:
                    return None
                ticks += put
            fetched = self._fetch(body, rule.thing)
            if fetched is None:
                return None
            ticks += fetched
        empty = sites & self._ways.m.fixtures(self._view.holds) & ~self._occupied() & ~self._busy
        walk = self._ways.to(self.spots[body], empty, standing)
        code = self.hands[body]
        if walk is None or code is None:
            return None
        self.spots[body] = walk.end
        self._lay(code, walk.target)
        self.hands[body] = NOTHING
        self._aims[body] = (walk.target, rule)
        return ticks + walk.moves + 1

    def _on_the_spot(self, body: int, rule: RuleView, ticks: int, standing: Bits | None) -> int | None:
        """Go to where a body may stand for what is done anywhere."""
        spot = self.spots[body]
        self._aims[body] = (-1, rule)
        if standing is None or standing >> spot.position & 1:
            return ticks
        distance, hit = self._ways.m.field(spot.position).nearest(standing)
        if distance >= FAR:
            return None
        self.spots[body] = Spot((hit & -hit).bit_length() - 1, spot.facing)
        return ticks + distance

    def _fetch(self, body: int, codes: frozenset[int], among: Bits = -1) -> int | None:
        """Take one of some things into the empty hand; return the ticks, None if there is none to be had."""
        lying = 0
        for code in codes & self._view.portable:
            lying |= self._things.get(code, 0) & among
        walk = self._ways.to(self.spots[body], lying & ~self._busy)
        if walk is None:
            return None
        self.spots[body] = walk.end
        bit = 1 << walk.target
        for code in codes:
            if self._things.get(code, 0) & bit:
                self.hands[body] = code
                self._things[code] &= ~bit
                break
        return walk.moves + 1

    def _put_down(self, body: int) -> int | None:
        """Put down what is held; return the ticks, None if there is nowhere to."""
        m, view = self._ways.m, self._view
        cells = m.fixtures(view.holds - view.swallows) & ~self._occupied() & ~self._busy
        walk = self._ways.to(self.spots[body], cells & ~self._stations()) or self._ways.to(
            self.spots[body], cells
        )
        code = self.hands[body]
        if walk is None or code is None:
            return None
        self.spots[body] = walk.end
        self._lay(code, walk.target)
        self.hands[body] = NOTHING
        return walk.moves + 1

    # -------------------------------------------------------------- what happens

    def begun(self, body: int, subtask: int, allowed: Callable[[int], bool]) -> int:
        """Return the first subtask whose rule fits what the body acts on (see ``rehearsal.Stage``)."""
        site, aim = self._aims.get(body, (-1, None))
        if site < 0 or aim is None:
            return subtask
        bit = 1 << site
        for i in sorted(self._view.rules):
            if i >= subtask:
                break
            for rule in self._view.rules[i]:
                fits = rule.action == aim.action and bool(self._fixtures(rule.at) & bit)
                fits = fits and (rule.hand is None or self.hands[body] in rule.hand)
                fits = fits and (rule.thing is None or bool(self._lying(rule.thing) & bit))
                if fits and not rule.near and allowed(i):
                    self._aims[body] = (site, rule)
                    return i
        return subtask

    def happen(self, subtask: int, kind: str, bodies: Sequence[int]) -> None:
        """Take in an event of a subtask (see ``rehearsal.Stage``)."""
        moment = MOMENTS.get(kind)
        if moment is None or subtask not in self._view.rules:
            return
        if moment == "start":
            found = self._aimed(subtask, bodies)
            if found is None:
                return
            self._runs[subtask] = found
        run = self._runs.get(subtask)
        if run is None:
            return
        site, body, rule = run
        if site >= 0 and (rule.at is not None or rule.thing is not None):
            self._busy = self._busy | 1 << site if moment == "start" else self._busy & ~(1 << site)
        effect = rule.effects.get(moment)
        if effect is not None:
            self._change(effect, site, body)

    def _aimed(self, subtask: int, bodies: Sequence[int]) -> tuple[int, int, RuleView] | None:
        """Return where, by whom and by which rule a subtask was attempted."""
        rules = self._view.rules[subtask]
        for body in bodies:
            site, rule = self._aims.get(body, (-1, None))
            if rule is not None and any(rule is own for own in rules):
                del self._aims[body]
                return site, body, rule
        return None

    def _change(self, effect: EffectView, site: int, body: int) -> None:
        """Apply what a moment changes."""
        if site >= 0 and effect.thing is not None:
            for code, bits in self._things.items():
                self._things[code] = bits & ~(1 << site)
            if effect.thing != NOTHING:
                self._lay(effect.thing, site)
        if site >= 0 and effect.fixture is not None:
            self._made[site] = effect.fixture
        if effect.hand is not None:
            self.hands[body] = effect.hand
        for old, new in effect.turn.items():
            bits = self._things.pop(old, 0)
            if bits and new != NOTHING:
                self._things[new] = self._things.get(new, 0) | bits
            self.hands = [new if hand == old else hand for hand in self.hands]

    # -------------------------------------------------------------- sets of cells

    def _lay(self, code: int, position: int) -> None:
        self._things[code] = self._things.get(code, 0) | 1 << position

    def _occupied(self) -> Bits:
        found = 0
        for bits in self._things.values():
            found |= bits
        return found

    def _lying(self, codes: frozenset[int]) -> Bits:
        """Return the cells where one of the things lies (with 0: nothing)."""
        found = self._ways.m.grid.inside & ~self._occupied() if NOTHING in codes else 0
        for code in codes:
            found |= self._things.get(code, 0)
        return found

    def _fixtures(self, codes: frozenset[int] | None) -> Bits:
        """Return the cells whose fixture is one of the codes, changes counted."""
        found = self._ways.m.fixtures(codes)
        if codes is not None:
            for position, fixture in self._made.items():
                found = found | 1 << position if fixture in codes else found & ~(1 << position)
        return found

    def _near(self, rule: RuleView) -> Bits | None:
        """Return where a body may stand, None for anywhere."""
        if not rule.near:
            return None
        m = self._ways.m
        standing = m.free
        for codes in rule.near:
            standing &= m.grid.around(self._fixtures(codes))
        return standing

    def _coming(self, rule: RuleView) -> Bits:
        """Return the sites of runs that will leave what the rule asks for."""
        found = 0
        for site, _, other in self._runs.values():
            effect = other.effects.get("success")
            leaves = None if effect is None else effect.thing
            if site >= 0 and (rule.thing is None or leaves in rule.thing):
                found |= 1 << site
        return found

    def _stations(self) -> Bits:
        """Return the cells whose fixtures rules are about."""
        codes = {c for rules in self._view.rules.values() for r in rules for c in r.at or ()}
        return self._ways.m.fixtures(codes)
