"""Walking, carrying and interacting on a map: the scripted skill of every grid domain.

Owns how a subtask is brought about from the rules that a ``GridView`` shows: which cell to go
to, what to fetch first, where to put down what is in the way, when to wait, and when another
body or another subtask must come first. It is general over domains, since all that it knows
of them are rules. Steps of several bodies are shared out in ``traffic``; it chooses no goal.

What is to be done next is a ``Leg``: one walk with one action at its end. It follows from
what is known alone, so a leg that was cut short is simply found again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from stratagym.agents.base import Case, Goal, Memory, Move, Prospect, Survey
from stratagym.agents.memories.grid import GridMemory
from stratagym.agents.memories.ways import FAR, Approach, Bits, Field, each, facing_number, lowest
from stratagym.agents.skills.grid_stage import GridStage, Ways
from stratagym.agents.skills.traffic import STAY, Mover, share_steps
from stratagym.envs.worlds.view import NOTHING, BodyView, EffectView, Moment, RuleView

DEPTH = 6
"""How many subtasks that must come first are followed from one goal."""

PATIENCE = 6
"""Ticks of right of way, beyond the way itself, for a body that could not make room."""

CROWDED = 12
"""Sites that are more than this are everywhere, and no place that bodies come from."""

LOW = 3
"""Level of a vital (of 9) at which it goes before all else."""

_MAKING: tuple[Moment, ...] = ("start", "success")


@dataclass(frozen=True, slots=True)
class Leg:
    """One walk, and the action at its end.

    Attributes:
        way: where to; None to stay.
        action: what to do there; the last action waits.
        stop: what that ends, see ``Move.stop``.
        reason: in words.
        ticks: estimate of the ticks until the attempt, legs to come included.
        site: the cells among which the target is (0 if it does not matter).
    """

    way: Approach | None
    action: int
    stop: Literal["", "attempt", "reached", "failed"]
    reason: str
    ticks: int = 0


Found = Leg | Prospect
"""A leg, or why there is none and what must come first."""


class GridSkill:
    """See the module."""

    # -------------------------------------------------------------- the protocol

    def start(self, memory: Memory, body: int, goal: Goal) -> Prospect:
        """Tell whether the body could pursue the goal now, and how long it would take to get there."""
        found = self._found(_grid(memory), body, goal, 0)
        return found if isinstance(found, Prospect) else Prospect(True, found.reason, found.ticks)

    def act(self, cases: Sequence[Case]) -> list[Move]:
        """Return one move per case; the bodies of one lane make room for each other."""
        lanes: dict[int, list[int]] = {}
        for k, case in enumerate(cases):
            lanes.setdefault(id(case.memory), []).append(k)
        moves: list[Move | None] = [None] * len(cases)
        for members in lanes.values():
            for k, move in zip(members, self._lane([cases[k] for k in members]), strict=True):
                moves[k] = move
        return [move for move in moves if move is not None]

    def survey(self, memory: Memory) -> Survey:
        """Return what walking and fetching add to each subtask, and who could ever get there (estimates)."""
        m = _grid(memory)
        known = m.cache.get("survey")
        if known is None:
            known = m.cache["survey"] = _survey(m)
        found: Survey = known
        return found

    def urgent(self, memory: Memory, body: int) -> Goal | None:
        """Return the subtask that restores what a body runs out of first; None while all is well."""
        m = _grid(memory)
        own = m.view.bodies[body]
        for name, level in sorted(own.vitals.items(), key=lambda pair: pair[1]):
            if level > LOW:
                break
            for j, rules in m.view.rules.items():
                restores = any(e.restore.get(name) for r in rules for e in r.effects.values())
                if restores and m.observation.mask[body, j]:
                    return Goal(j, (body,))
        return None

    def stage(self, memory: Memory) -> GridStage | None:
        """Return the map in the head; None where too little is known, or bodies own their items."""
        m = _grid(memory)
        hidden = bool(m.unknown) or any(place < 0 for place in m.places)
        if hidden or not m.view.rules or any(body.stock for body in m.view.bodies):
            return None
        return GridStage(Ways(m))

    def _lane(self, cases: Sequence[Case]) -> list[Move]:
        """Return the moves of one lane's ready bodies."""
        m = _grid(cases[0].memory)
        legs = [self._leg(m, case) for case in cases]
        if len(m.view.bodies) == 1:
            return [self._alone(m, cases[0], legs[0])]
        return _Crowd(m, cases, legs).moves()

    def _leg(self, m: GridMemory, case: Case) -> Leg:
        """Return what the body does next."""
        wait = len(m.view.actions) - 1
        if case.goal is None:
            return Leg(None, wait, "", "nothing to do")
        key = ("leg", case.body, case.goal, _mates(m, case.goal))
        leg = m.cache.get(key)
        if leg is None:
            found = self._found(m, case.body, case.goal, 0)
            leg = Leg(None, wait, "failed", found.reason) if isinstance(found, Prospect) else found
            m.cache[key] = leg
        return leg

    @staticmethod
    def _alone(m: GridMemory, case: Case, leg: Leg) -> Move:
        """Return the move of the only body."""
        if leg.way is None:
            return Move(leg.action, leg.stop, leg.reason)
        body = m.view.bodies[case.body]
        step = leg.way.step(m.places[case.body], facing_number(body.facing))
        if step >= 0:
            return Move(step, "", leg.reason)
        if step == -1:
            return Move(leg.action, leg.stop, leg.reason)
        return Move(len(m.view.actions) - 1, "failed", f"no way: {leg.reason}")

    # -------------------------------------------------------------- goals

    def _found(self, m: GridMemory, body: int, goal: Goal, depth: int) -> Found:
        """Return the leg that serves a goal best, or why there is none (kept while nothing changes)."""
        key = ("found", body, goal, m.places[body], depth, _mates(m, goal))
        found = m.cache.get(key)
        if found is None:
            m.cache[key] = Prospect(False, "goes round in a circle")  # what its own search meets
            plan = _Plan(self, m, body, goal, depth)
            found = m.cache[key] = (
                plan.do() if goal.kind == "do" else plan.bring() if goal.kind == "bring" else plan.give()
            )
        known: Found = found
        return known


class _Plan:
    """The search for one body's next leg."""

    def __init__(self, skill: GridSkill, m: GridMemory, body: int, goal: Goal, depth: int) -> None:
        self._skill, self._m, self._goal, self._depth = skill, m, goal, depth
        self._view = m.view
        self._b = body
        self._body: BodyView = m.view.bodies[body]
        self._at = m.places[body]
        self._facing = facing_number(self._body.facing)
        self._wait = len(m.view.actions) - 1
        self._hand = self._body.hand
        self._parked, self._parked_for = self._still()

    def _still(self) -> tuple[Bits, int]:
        """Return the cells of bodies that attend to something or are down, and for how many ticks at most."""
        found, ticks, agents = 0, 0, self._m.observation.task.agents
        for b, other in enumerate(self._view.bodies):
            if b == self._b or other.at is None or not (other.down or not agents[b].idle):
                continue
            found |= 1 << self._m.places[b]
            until = None if other.down else agents[b].free_at
            ticks = max(ticks, FAR if until is None else until - self._view.time)
        return found, ticks

    # -------------------------------------------------------------- do

    def do(self) -> Found:
        """Return the best of the ways to attempt the subtask."""
        rules = self._view.rules.get(self._goal.subtask, ())
        if not rules:
            return Prospect(False, f"no way is known to {self._name(self._goal.subtask)}")
        missing = self._items()
        if missing is not None:
            return missing
        return self._best(self._attempt(rule) for rule in rules)

    def _best(self, ways: Iterable[Found]) -> Found:
        """Return the quickest leg; without one what can be done first; without that the first reason."""
        legs: list[Leg] = []
        prospects: list[Prospect] = []
        for found in ways:
            if isinstance(found, Leg):
                legs.append(found)
            else:
                prospects.append(found)
        if legs:
            return min(legs, key=lambda leg: leg.ticks)
        helped = [p for p in prospects if p.first is not None]
        return min(helped, key=lambda p: p.ticks) if helped else prospects[0]

    def _attempt(self, rule: RuleView) -> Found:
        """Return the next leg of one way to attempt the subtask."""
        m = self._m
        standing = self._near(rule)
        if isinstance(standing, Leg | Prospect):
            return standing
        if rule.at is None and rule.thing is None:
            return self._on_the_spot(rule, standing)
        sites = m.fixtures(rule.at)
        if not sites:
            return self._missing(f"a {self._fixtures(rule.at)}", self._makers_of_fixture(rule.at))
        fit = sites if rule.thing is None else sites & m.things(rule.thing)
        ready = self._met(fit & ~m.busy)
        plain = self._plain(ready, rule)
        asked = 0 if self._goal.at is None else (plain or ready) & 1 << m.grid.at(self._goal.at)
        way = self._open(asked, standing) or self._way(plain, standing) or self._way(ready, standing)
        done = rule.action
        if way is None:
            soon = self._soon(sites, rule.thing)
            way = self._way(soon, standing)
            done = self._wait
        if way is None:
            return self._prepare(rule, sites, fit, standing)
        if rule.hand is not None and self._hand is not None and self._hand not in rule.hand:
            return self._take_in_hand(rule.hand, way)
        may = bool(m.observation.mask[self._b, self._goal.subtask])
        reason = self._name(self._goal.subtask)
        if done == self._wait or not may:
            return Leg(way, self._wait, "", f"waits to {reason}", self._ticks(way))
        return Leg(way, done, "attempt", reason, self._ticks(way))

    def _on_the_spot(self, rule: RuleView, standing: Bits | None) -> Found:
        """Return the next leg of what can be done anywhere, or anywhere near something."""
        here = standing is None or standing >> self._at & 1
        way = None if here or standing is None else self._onto(standing)
        if way is not None and self._cost(way) >= FAR:
            return self._barred(standing or 0, " and ".join(map(self._fixtures, rule.near)), None)
        if rule.hand is not None and self._hand is not None and self._hand not in rule.hand:
            return self._take_in_hand(rule.hand, way)
        reason, ticks = self._name(self._goal.subtask), 0 if way is None else self._ticks(way)
        if not self._m.observation.mask[self._b, self._goal.subtask]:
            return Leg(way, self._wait, "", f"waits to {reason}", ticks)
        return Leg(way, rule.action, "attempt", reason, ticks)

    def _met(self, sites: Bits) -> Bits:
        """Return the sites of a joint subtask that are left once a mate has come to one; it stands there."""
        m, crew = self._m, self._goal.crew
        if crew is None or len(crew) < 2 or not sites:
            return sites
        way = m.approach(sites)
        here = way.cost(self._at, self._facing) == 0
        for b in crew:
            if b == self._b or m.places[b] < 0:
                continue
            facing = facing_number(m.view.bodies[b].facing)
            if way.cost(m.places[b], facing) == 0 and (b < self._b or not here):
                self._parked, self._parked_for = self._parked | 1 << m.places[b], FAR
                return sites & 1 << way.target(m.places[b], facing)
        return sites

    def _prepare(self, rule: RuleView, sites: Bits, fit: Bits, standing: Bits | None) -> Found:
        """Return what makes a site fit, where none does or none can be reached."""
        m, view = self._m, self._view
        open_sites = sites & ~m.busy
        if not open_sites and (way := self._way(sites, standing)) is not None:
            return Leg(way, self._wait, "", f"waits for a {self._fixtures(rule.at)}", self._ticks(way))
        if rule.thing is not None and view.hands and not fit:
            if NOTHING not in rule.thing:
                holds = open_sites & m.fixtures(view.holds) & m.things((NOTHING,))
                way = self._way(holds, None)
                if way is None:
                    return Prospect(
                        False, f"no free {self._fixtures(rule.at)} for {self._things(rule.thing)}"
                    )
                if self._hand in rule.thing:
                    leg = self._carry(way, f"puts down {self._things(rule.thing)}")
                    if rule.hand is None or NOTHING in rule.hand:
                        return leg
                    other = self._fetch(rule.hand, way)  # what is asked for in hand comes after that
                    return replace(leg, ticks=leg.ticks + other.ticks) if isinstance(other, Leg) else other
                return self._take_in_hand(rule.thing, way)
            occupied = open_sites & m.things(view.portable)
            way = self._way(occupied, None)
            if way is not None:
                if self._hand != NOTHING:
                    return self._put_down(way)
                return self._carry(way, f"clears a {self._fixtures(rule.at)}")
        if rule.thing is not None and not fit:
            return self._missing(self._things(rule.thing), self._makers(rule.thing))
        return self._barred(fit & ~m.busy or fit, f"a {self._fixtures(rule.at)}", standing)

    def _near(self, rule: RuleView) -> Bits | Found | None:
        """Return where the body may stand, None for anywhere."""
        if not rule.near:
            return None
        m = self._m
        standing = m.free
        for codes in rule.near:
            fixtures = m.fixtures(codes)
            if not fixtures:
                return self._missing(f"a {self._fixtures(codes)}", self._makers_of_fixture(codes))
            standing &= m.grid.around(fixtures)
        if not standing:
            return Prospect(False, f"no cell is near {' and '.join(map(self._fixtures, rule.near))}")
        return standing

    def _plain(self, cells: Bits, rule: RuleView) -> Bits:
        """Return the cells where this subtask is what an attempt would start.

        Of several subtasks whose rules fit, the first by index that the graph lets the body
        start is attempted.
        """
        m, mask = self._m, self._m.observation.mask[self._b]
        for j in range(self._goal.subtask):
            if mask[j]:
                for other in self._view.rules.get(j, ()):
                    if other.action != rule.action or not _may_share(other.hand, rule.hand, self._hand):
                        continue
                    clash = m.fixtures(other.at)
                    cells &= ~(clash if other.thing is None else clash & m.things(other.thing))
        return cells

    def _soon(self, sites: Bits, thing: frozenset[int] | None) -> Bits:
        """Return the sites that will fit when what runs there has succeeded."""
        found = 0
        for cell, subtask in self._view.busy.items():
            bit = 1 << self._m.grid.at(cell)
            if not bit & sites:
                continue
            left = self._left_by(subtask, int(self._view.things[cell[1], cell[0]]))
            if thing is None or left & thing:
                found |= bit
        return found

    def _left_by(self, subtask: int, now: int) -> frozenset[int]:
        """Return the things that may lie where a run is under way, once it has succeeded."""
        found = set()
        for rule in self._view.rules.get(subtask, ()):
            effect = rule.effects.get("success")
            found.add(now if effect is None or effect.thing is None else effect.thing)
        return frozenset(found) or frozenset((now,))

    # -------------------------------------------------------------- carrying

    def _take_in_hand(self, codes: frozenset[int], then: Approach | None) -> Found:
        """Return the leg that gets one of the things into the hand, before going on to ``then``."""
        if NOTHING in codes:
            return self._put_down(then)
        found = self._fetch(codes, then)
        if isinstance(found, Leg) and self._hand != NOTHING and found.action != self._wait:
            return self._put_down(found.way, found.ticks)
        return found

    def _fetch(self, codes: frozenset[int], then: Approach | None) -> Found:
        """Return the leg to where one of the things can be picked up, were the hand empty."""
        m, view = self._m, self._view
        portable = codes & view.portable
        lying = m.things(portable)
        what = self._things(codes)
        kept = lying & self._kept_for_others(portable)
        way = self._way(lying & ~m.busy & ~kept, None)
        if way is None and kept:
            return Leg(None, self._wait, "", f"leaves {what} where it is needed first")
        if way is not None:
            return self._carry(way, f"fetches {what}", then)
        soon = 0
        for cell, subtask in view.busy.items():
            if self._left_by(subtask, int(view.things[cell[1], cell[0]])) & portable:
                soon |= 1 << m.grid.at(cell)
        way = self._way(soon, None)
        if way is not None:
            return Leg(way, self._wait, "", f"waits for {what}", self._ticks(way) + self._on(way, then))
        helped = self._helped(codes, lying & ~m.busy)
        if helped is not None:
            return helped
        if lying & ~m.busy:
            return self._barred(lying & ~m.busy, what, None)
        return self._missing(what, self._makers(codes))

    def _kept_for_others(self, codes: frozenset[int]) -> Bits:
        """Return where one who comes before its time must take nothing: others need it there first."""
        m, goal = self._m, self._goal
        task, mask = m.observation.task, m.observation.mask
        if goal.kind != "do" or mask[self._b, goal.subtask]:
            return 0
        found = 0
        for j, rules in self._view.rules.items():
            if j == goal.subtask or task.status[j] not in ("locked", "eligible"):
                continue
            for rule in rules:
                if rule.thing is not None and rule.thing & codes:
                    found |= m.fixtures(rule.at) & m.things(rule.thing & codes)
        return found

    def _carry(self, way: Approach, reason: str, then: Approach | None = None) -> Leg:
        """Return the leg that picks up or puts down at the end of a way."""
        return Leg(way, self._view.action("carry"), "", reason, self._ticks(way) + 1 + self._on(way, then))

    def _put_down(self, then: Approach | None, more: int | None = None) -> Found:
        """Return the leg that empties the hand where it is in nobody's way."""
        way = self._way(self._spots(), None) or self._way(self._spots(stations=True), None)
        if way is None:
            return Prospect(False, f"there is nowhere to put down {self._things((self._hand or 0,))}")
        leg = self._carry(way, f"puts down {self._things((self._hand or 0,))}", then)
        return leg if more is None else replace(leg, ticks=self._ticks(way) + 1 + more)

    def _spots(self, stations: bool = False) -> Bits:
        """Return the cells where what is held can be put down; unless ``stations``, no rule is about them."""
        m, view = self._m, self._view
        cells = m.fixtures(view.holds - view.swallows) & m.things((NOTHING,)) & ~m.busy & ~m.others(self._b)
        asked = m.cache.get("stations")
        if asked is None:
            codes = {c for rules in view.rules.values() for r in rules for c in r.at or ()}
            asked = m.cache["stations"] = m.fixtures(codes)
        if not stations:
            cells &= ~asked
        if self._hand not in view.obstacles:
            return cells
        # What nobody can pass must not stand in a passage, nor in front of a station.
        floor = cells & m.free & ~(0 if stations else m.grid.beside(asked))
        return cells & ~m.free | floor & m.roomy()

    def bring(self) -> Found:
        """Return the leg that puts the thing where the body that waits for it can take it."""
        m, view = self._m, self._view
        if self._goal.thing not in view.thing_names:
            return Prospect(False, f"nobody knows of {self._goal.thing}")
        code = view.thing_names.index(self._goal.thing)
        theirs = (
            self._touch(m.field(m.places[self._goal.whom]).reached()) if m.places[self._goal.whom] >= 0 else 0
        )
        if self._hand != code:
            if view.bodies[self._goal.whom].hand == code or m.things((code,)) & theirs & ~m.busy:
                return Leg(None, self._wait, "reached", f"{self._goal.thing} can be taken")
            return self._take_in_hand(frozenset((code,)), None)
        spots = self._spots() & theirs
        way = self._way(spots, None) or self._way(self._spots(stations=True) & theirs, None)
        if way is None:
            via = self._relay(theirs)
            if via is None:
                return Prospect(False, f"no place is within reach of both for {self._goal.thing}")
            way = via
        return self._carry(way, f"hands over {self._goal.thing}")

    def _relay(self, theirs: Bits) -> Approach | None:
        """Return the way to where a third body could take a thing over and bring it on."""
        m = self._m
        for c, other in enumerate(self._view.bodies):
            if c in (self._b, self._goal.whom) or m.places[c] < 0 or other.down:
                continue
            between = self._touch(m.field(m.places[c]).reached())
            if between & theirs & self._spots(stations=True):
                way = self._way(self._spots() & between, None)
                if way is not None:
                    return way
        return None

    def _helped(self, codes: frozenset[int], lying: Bits) -> Prospect | None:
        """Return who could bring one of the things: one who holds it, or can reach it."""
        m, view = self._m, self._view
        for b, other in enumerate(view.bodies):
            if b == self._b or other.down or m.places[b] < 0:
                continue
            code = other.hand if other.hand in codes else None
            if code is None and lying:
                hit = m.approach(lying).field.distance(m.places[b]) < FAR
                if hit:
                    code = next(
                        c
                        for c in sorted(codes)
                        if m.approach(lying & m.things((c,))).field.distance(m.places[b]) < FAR
                    )
            if code:
                name = view.thing_names[code]
                goal = Goal(self._goal.subtask, (b,), "bring", name, self._b)
                return Prospect(False, f"{other.name} must bring {name}", first=goal, helper=b)
        return None

    def _touch(self, cells: Bits) -> Bits:
        """Return the cells that can be acted on from some cells."""
        return cells if self._view.reach == "here" else self._m.grid.beside(cells)

    # -------------------------------------------------------------- items of one's own

    def _items(self) -> Found | None:
        """Return what gets the items that the body itself must have, None if it has them."""
        graph, stock = self._m.observation.task.graph, self._body.stock
        if graph is None or not stock:
            return None
        subtask = graph.subtasks[self._goal.subtask]
        for k, amount in (*subtask.consumes, *subtask.requires):
            item = graph.items[k].name
            if stock.get(item, amount) < amount:
                return self._obtain(k, item, amount)
        return None

    def _obtain(self, k: int, item: str, amount: int) -> Prospect:
        """Return who gives the item, or which subtask makes it."""
        m, view = self._m, self._view
        graph = m.observation.task.graph
        assert graph is not None
        needed = amount - self._body.stock.get(item, 0)
        if f"share {item}" in view.actions:
            givers = [
                (m.field(self._at).distance(m.places[b]), b)
                for b, other in enumerate(view.bodies)
                if b != self._b
                and not other.down
                and other.at is not None
                and other.stock.get(item, 0) >= needed
            ]
            givers = [(d, b) for d, b in givers if d < FAR]
            if givers:
                _, b = min(givers)
                goal = Goal(self._goal.subtask, (b,), "give", item, self._b)
                return Prospect(False, f"{view.bodies[b].name} must give {item}", first=goal, helper=b)
        makers = [i for i, s in enumerate(graph.subtasks) if any(item_k == k for item_k, _ in s.produces)]
        return self._first(makers, item)

    def give(self) -> Found:
        """Return the leg to where the waiting body is the nearest, and the sharing there."""
        m, view = self._m, self._view
        whom = view.bodies[self._goal.whom]
        graph = m.observation.task.graph
        if whom.at is None:
            return Prospect(False, f"{whom.name} is out of sight")
        if graph is not None:
            subtask = graph.subtasks[self._goal.subtask]
            wanted = max(
                (
                    n
                    for k, n in (*subtask.consumes, *subtask.requires)
                    if graph.items[k].name == self._goal.thing
                ),
                default=1,
            )
            if whom.stock.get(self._goal.thing, 0) >= wanted:
                return Leg(None, self._wait, "reached", f"{whom.name} has {self._goal.thing}")
        if self._body.stock.get(self._goal.thing, 0) < 1:
            return Prospect(False, f"{self._body.name} has no {self._goal.thing}")
        action = view.action(f"share {self._goal.thing}")
        if view.mask[self._b, action] and self._nearest_is(self._goal.whom):
            return Leg(None, action, "", f"gives {self._goal.thing} to {whom.name}")
        way = m.approach(1 << m.places[self._goal.whom])
        if self._cost(way) >= FAR:
            return Prospect(False, f"no way to {whom.name}")
        return Leg(way, self._wait, "", f"goes to {whom.name} with {self._goal.thing}", self._ticks(way))

    def _nearest_is(self, whom: int) -> bool:
        """Return whether a body is the one nearest to this (the lower index first among equals)."""
        x, y = self._body.at
        distances = [
            (abs(other.at[0] - x) + abs(other.at[1] - y), b)
            for b, other in enumerate(self._view.bodies)
            if b != self._b and other.at is not None and not other.down
        ]
        return min(distances)[1] == whom

    # -------------------------------------------------------------- what must come first

    def _makers(self, codes: Iterable[int]) -> list[int]:
        """Return the subtasks whose success or start leaves one of the things in a hand or at their site."""
        wanted = set(codes) - {NOTHING}
        return [
            j
            for j, effect in self._effects()
            if effect.hand in wanted or effect.thing in wanted or wanted.intersection(effect.turn.values())
        ]

    def _makers_of_fixture(self, codes: Iterable[int] | None) -> list[int]:
        """Return the subtasks that make one of the fixtures."""
        wanted = set(codes or ())
        return [j for j, effect in self._effects() if effect.fixture in wanted]

    def _effects(self) -> Iterator[tuple[int, EffectView]]:
        for j, rules in self._view.rules.items():
            for rule in rules:
                for moment in _MAKING:
                    if moment in rule.effects:
                        yield j, rule.effects[moment]

    def _first(self, makers: Iterable[int], what: str) -> Prospect:
        """Return the first of some subtasks that gets what is missing, or why none does."""
        m = self._m
        task, mask = m.observation.task, m.observation.mask
        reasons: list[str] = []
        options: list[Prospect] = []
        for j in dict.fromkeys(makers):
            if j == self._goal.subtask:
                continue
            name = self._name(j)
            if task.status[j] == "running":
                return Prospect(False, f"{what}: waits for {name}")
            able = [b for b in range(len(mask)) if mask[b, j]]
            if not able or self._depth >= DEPTH:
                reasons.append(f"{name} cannot start ({task.status[j]})")
                continue
            for b in [self._b] if self._b in able else able:
                crew = (b,) if task.graph is None or task.graph.subtasks[j].agents == 1 else None
                goal = Goal(j, crew)
                found = self._skill._found(m, b, goal, self._depth + 1)
                if isinstance(found, Leg):
                    helper = None if b == self._b else b
                    options.append(Prospect(False, f"{what}: first {name}", found.ticks, goal, helper))
                elif found.first is not None:
                    options.append(replace(found, reason=f"{what}: {found.reason}"))
                else:
                    reasons.append(found.reason)
        if options:
            return min(options, key=lambda p: p.ticks)
        return Prospect(False, f"no {what}" + (f": {reasons[0]}" if reasons else ""))

    def _missing(self, what: str, makers: Iterable[int]) -> Found:
        """Return how to come by what is nowhere to be seen: look for it, or make it."""
        made = self._first(makers, what)
        if made.first is not None or "waits for" in made.reason:
            return made
        return self._explore(what) or made

    def _explore(self, what: str) -> Leg | None:
        """Return the leg to the nearest cell from which something new will be seen."""
        m = self._m
        edge = m.grid.beside(m.unknown) & m.free if m.unknown else 0
        if not edge:
            return None
        claimed = 0
        for b, other in enumerate(self._view.bodies):
            if b < self._b and other.at is not None and self._view.radius:
                claimed |= m.grid.around(1 << m.places[b], self._view.radius)
        field = m.field(self._at)
        distance, hit = field.nearest(edge & ~claimed)
        if distance >= FAR:
            distance, hit = field.nearest(edge)
        if distance >= FAR:
            return None
        way = m.onto(1 << lowest(hit))
        return Leg(way, self._wait, "", f"looks for {what}", distance * self._body.pace)

    def _barred(self, cells: Bits, what: str, standing: Bits | None) -> Found:
        """Return how to get to cells that no way leads to: open what bars it, look for a way, ask others."""
        m, view = self._m, self._view
        doors: dict[int, Bits] = {}
        for j, rules in view.rules.items():
            for rule in rules:
                for effect in rule.effects.values():
                    if effect.fixture is not None and effect.fixture not in view.solid and rule.at:
                        doors[j] = doors.get(j, 0) | m.fixtures(rule.at & view.solid)
        openable = 0
        for bits in doors.values():
            openable |= bits
        loose = m.loose()
        if openable or loose:
            way = Approach(m.grid, m.free | openable | loose, cells, view.reach, standing)
            if way.cost(self._at, self._facing) < FAR:
                crossed = self._crossed(way, openable | loose)
                makers = [j for j, bits in doors.items() if bits & crossed]
                if makers:
                    return self._first(makers, f"way to {what}")
                if crossed:
                    return self._clear_away(crossed, what)
        return self._explore(f"a way to {what}") or Prospect(False, f"no way leads to {what}")

    def _clear_away(self, cell: Bits, what: str) -> Found:
        """Return the leg that takes away a thing that bars the way."""
        way = self._way(cell, None)
        if way is None:
            return Prospect(False, f"no way leads to {what}")
        if self._hand != NOTHING:
            return self._put_down(way)
        return self._carry(way, f"clears the way to {what}")

    def _crossed(self, way: Approach, closed: Bits) -> Bits:
        """Return the first closed cell on a way that leads through closed cells."""
        position, facing = self._at, self._facing
        while (step := way.step(position, facing)) >= 0:
            to = position + self._m.grid.deltas[step]
            if way.free >> to & 1:
                position = to
            if closed >> position & 1:
                return 1 << position
            facing = step
        return 0

    # -------------------------------------------------------------- ways

    def _way(self, targets: Bits, standing: Bits | None) -> Approach | None:
        """Return the way to some cells, None if there is none."""
        if not targets:
            return None
        way = self._around(lambda without: self._m.approach(targets, standing, without))
        return way if self._cost(way) < FAR else None

    def _open(self, targets: Bits, standing: Bits | None) -> Approach | None:
        """Return the way to some cells, None if bodies at work bar it."""
        around = self._m.approach(targets, standing, self._parked) if targets else None
        if around is None or self._cost(around) > self._cost(self._m.approach(targets, standing)) + PATIENCE:
            return None
        return around if self._cost(around) < FAR else None

    def _onto(self, cells: Bits) -> Approach:
        """Return the way onto some cells."""
        return self._around(lambda without: self._m.onto(cells, without))

    def _around(self, make: Callable[[Bits], Approach]) -> Approach:
        """Return the way around bodies that stand still, or the one past them where waiting is quicker.

        Args:
            make: makes the way that does without some cells.
        """
        way = make(0)
        if not self._parked:
            return way
        around = make(self._parked)
        if self._cost(around) >= FAR:
            return way
        return around if self._ticks(around) <= self._ticks(way) + self._parked_for else way

    def _cost(self, way: Approach) -> int:
        return way.cost(self._at, self._facing)

    def _ticks(self, way: Approach) -> int:
        return self._cost(way) * self._body.pace

    def _on(self, way: Approach, then: Approach | None) -> int:
        """Return the ticks from the end of one way to the end of the next, roughly."""
        if then is None:
            return 0
        m = self._m
        ends = m.grid.beside(way.targets) & m.free if self._view.reach == "front" else way.targets
        found = min((then.field.distance(p) for p in each(ends)[:8]), default=FAR)
        return (0 if found >= FAR else found + 1) * self._body.pace

    # -------------------------------------------------------------- words

    def _name(self, subtask: int) -> str:
        return self._m.observation.task.names[subtask] or f"subtask {subtask}"

    def _things(self, codes: Iterable[int]) -> str:
        return " or ".join(self._view.thing_names[c] for c in sorted(codes))

    def _fixtures(self, codes: Iterable[int] | None) -> str:
        return (
            " or ".join(self._view.fixture_names[c] for c in sorted(codes)) if codes is not None else "place"
        )


def _survey(m: GridMemory) -> Survey:
    """Estimate the way to each subtask: to what it takes, and from there to its site.

    Where a body comes from is not known beforehand: the mean over where bodies stand now and over the
    sites of all subtasks is taken.
    """
    view = m.view
    n = len(m.observation.task.names)
    sites = [0] * n
    takes: list[frozenset[int]] = [frozenset()] * n
    for j, rules in view.rules.items():
        for rule in rules:
            sites[j] |= (
                m.fixtures(rule.at) if rule.at is not None or rule.thing is None else m.things(rule.thing)
            )
        takes[j] = frozenset().union(*(rule.hand or () for rule in rules)) - {NOTHING}
    doors = 0
    for rules in view.rules.values():
        for rule in rules:
            if rule.at and any(
                e.fixture is not None and e.fixture not in view.solid for e in rule.effects.values()
            ):
                doors |= m.fixtures(rule.at & view.solid)
    free = m.free | doors | m.loose()
    touch: list[Bits] = []
    for b in range(len(view.bodies)):
        if m.places[b] < 0:
            touch.append(m.grid.inside)
            continue
        reached = Field(free, 1 << m.places[b], m.grid.stride).reached()
        touch.append(reached if view.reach == "here" else m.grid.beside(reached) | reached)
    able = [[not sites[j] or bool(sites[j] & touch[b]) for j in range(n)] for b in range(len(view.bodies))]
    origins = [place for place in m.places if place >= 0]
    for bits in set(sites):
        if bits and bits.bit_count() <= CROWDED:
            stand = m.grid.beside(bits) & m.free if view.reach == "front" else bits & m.free
            if stand:
                origins.append(lowest(stand))
    ticks = []
    for j in range(n):
        way = m.approach(sites[j]) if sites[j] else None
        first, between = way, 0
        source = _sources(m, takes[j], sites)
        if source and way is not None:
            first = m.approach(source)
            ends = m.grid.beside(source) & m.free if view.reach == "front" else source
            between = min((way.field.distance(p) for p in each(ends)[:8]), default=FAR)
            between = 2 + between if between < FAR else 0
        far = [first.field.distance(p) for p in origins] if first is not None else []
        near = [d for d in far if d < FAR]
        ticks.append(between + (round(sum(near) / len(near)) if near else 0))
    return Survey(ticks, able)


def _sources(m: GridMemory, codes: frozenset[int], sites: Sequence[Bits]) -> Bits:
    """Return where things are to be had: where they lie, else where they are made."""
    if not codes:
        return 0
    lying = m.things(codes)
    if lying:
        return lying
    found = 0
    for j, rules in m.view.rules.items():
        for rule in rules:
            if any(effect.thing in codes for effect in rule.effects.values()):
                found |= sites[j]
    return found


def _mates(m: GridMemory, goal: Goal) -> tuple[object, ...]:
    """Return where the crew of a joint goal stands, and where it looks; nothing for one body alone."""
    if goal.kind == "give":  # who is the nearest depends on where all are
        return tuple(m.places)
    if goal.crew is None or len(goal.crew) < 2:
        return ()
    return tuple((m.places[b], m.view.bodies[b].facing) for b in goal.crew)


def _may_share(other: frozenset[int] | None, own: frozenset[int] | None, hand: int | None) -> bool:
    """Return whether one hand can fit two rules."""
    if other is None:
        return True
    expected = own if own is not None else (None if hand is None else frozenset((hand,)))
    return expected is None or bool(other & expected)


def _grid(memory: Memory) -> GridMemory:
    """Return a memory as that of a grid.

    Raises:
        TypeError: if it is of another world.
    """
    if not isinstance(memory, GridMemory):
        raise TypeError(f"the grid skill needs a GridMemory, not {type(memory).__name__}")
    return memory


class _Crowd:
    """The moves of several bodies on one map."""

    def __init__(self, m: GridMemory, cases: Sequence[Case], legs: Sequence[Leg]) -> None:
        self._m, self._cases, self._legs = m, cases, legs
        self._wait = len(m.view.actions) - 1
        self._moves: dict[int, Move] = {}

    def moves(self) -> list[Move]:
        """Return one move per case."""
        m = self._m
        movers: dict[int, Mover] = {}
        fixed = 0
        ready = {case.body for case in self._cases}
        for b, body in enumerate(m.view.bodies):
            if b not in ready and body.at is not None:
                fixed |= 1 << m.places[b]
        acting = self._acting()
        for k, case in enumerate(self._cases):
            leg, b = self._legs[k], case.body
            if k in acting:
                self._moves[k] = Move(leg.action, leg.stop, leg.reason)
                fixed |= 1 << m.places[b]
            else:
                movers[b] = self._mover(case, leg)
        order = sorted((k for k in range(len(self._cases)) if k not in acting), key=self._rank)
        chosen, jams = share_steps(movers, [self._cases[k].body for k in order], m.grid.deltas, m.free, fixed)
        for pressed, stuck in jams:
            self._give_way(pressed, stuck)
        for b, mover in movers.items():
            if mover.pressing and chosen[b] == STAY:
                self._meet(b)
                self._ask_way(b, fixed)
            else:
                m.blocked.pop(b, None)
        for k in order:
            self._moves[k] = self._move(k, chosen[self._cases[k].body], fixed)
        return [self._moves[k] for k in range(len(self._cases))]

    def _acting(self) -> set[int]:
        """Return the cases that act where they stand; a crew acts when all of it is there."""
        m, there = self._m, set()
        for k, case in enumerate(self._cases):
            leg, body = self._legs[k], m.view.bodies[case.body]
            if leg.action == self._wait or (case.body in m.way and m.way[case.body][1]):
                continue
            if leg.way is None or leg.way.cost(m.places[case.body], facing_number(body.facing)) == 0:
                there.add(k)
        bodies = {self._cases[k].body for k in there}
        for k in list(there):
            goal = self._cases[k].goal
            crew = goal.crew if goal is not None and self._legs[k].stop == "attempt" else None
            if crew is not None and not bodies.issuperset(crew):
                there.discard(k)
        return there

    def _mover(self, case: Case, leg: Leg) -> Mover:
        """Return how a body values its steps."""
        m, b = self._m, case.body
        position, facing = m.places[b], facing_number(m.view.bodies[b].facing)
        way, pressing = leg.way, leg.way is not None
        claim = m.way.get(b)
        if claim is not None and claim[0] < m.view.time:
            del m.way[b]
            claim = None
        if claim is not None and claim[1]:
            way, pressing = m.onto(claim[1]), True
        if way is None:
            return Mover(position, lambda d: 0 if d == STAY else 1, False)
        now = way.cost(position, facing)
        if now == 0:
            pressing = False
            m.rested[b] = m.view.time
            m.way.pop(b, None)  # it has made room: now it is the others' turn
        chosen = way
        step = way.step(position, facing)
        # To turn to what is solid it stays where it is, and is one move nearer for it.
        turns = step >= 0 and not way.free >> (position + m.grid.deltas[step]) & 1
        staying = now - 1 if turns else now

        def cost(direction: int) -> int:
            return staying if direction == STAY else chosen.after(position, direction)

        return Mover(position, cost, pressing)

    def _rank(self, k: int) -> tuple[int, int, int, int]:
        """Return the order of choice: right of way, then who has somewhere to go, the longest first.

        Time counts from when it was last where it wanted to be, so that one who waits there lets others pass.
        """
        case, leg = self._cases[k], self._legs[k]
        since = max(case.since, self._m.rested.get(case.body, 0))
        return (case.body not in self._m.way, leg.way is None, since, case.body)

    def _way(self, b: int) -> Approach | None:
        """Return the way that a body is on, None if it goes nowhere."""
        return next(leg.way for case, leg in zip(self._cases, self._legs, strict=True) if case.body == b)

    def _ahead(self, b: int) -> int | None:
        """Return the cell that a body goes to next, -1 if it stays; None if it has no way, or makes room."""
        m, way = self._m, self._way(b)
        if way is None or b in m.way:
            return None
        step = way.step(m.places[b], facing_number(m.view.bodies[b].facing))
        return m.places[b] + m.grid.deltas[step] if step >= 0 else -1

    def _meet(self, b: int) -> None:
        """Make room for a body of another mind that comes the other way.

        Neither can tell the other what to do: the one with the higher index goes out of the way, the other
        one only if that has not helped for some ticks.
        """
        m = self._m
        ahead = self._ahead(b)
        if ahead is None:
            return
        own = {case.body for case in self._cases}
        others = [c for c, place in enumerate(m.places) if place == ahead and c not in own]
        if not others or m.view.bodies[others[0]].at is None or not m.observation.task.agents[others[0]].idle:
            return
        m.blocked[b] = m.blocked.get(b, 0) + 1
        if b < others[0] and m.blocked[b] <= PATIENCE:
            return
        free = m.free & ~m.others(b)
        harbour = m.roomy() & free & ~self._path(b) & ~(1 << m.places[b])
        distance, hit = Field(free, 1 << m.places[b], m.grid.stride).nearest(harbour)
        if distance < FAR:
            m.way[b] = (m.view.time + 2 * distance + PATIENCE, hit)

    def _ask_way(self, b: int, fixed: Bits) -> None:
        """Ask a body that is at work in a passage to let another one through before it goes on.

        That is asked by one who has waited for some ticks, and does not want to stand there itself.
        """
        m = self._m
        way, ahead = self._way(b), self._ahead(b)
        if way is None or ahead is None:
            return
        if ahead < 0 or not fixed >> ahead & 1 or way.field.distance(ahead) == 0:
            return
        m.blocked[b] = m.blocked.get(b, 0) + 1
        other = next((c for c, place in enumerate(m.places) if place == ahead and c != b), -1)
        if other < 0 or other in m.way or m.blocked[b] <= PATIENCE:
            return
        aside = m.roomy() & m.free & ~self._path(b) & ~m.others(other)
        length, harbour = m.field(ahead).nearest(aside)
        agent = m.observation.task.agents[other]
        free_at = m.view.time if agent.free_at is None else agent.free_at
        if length < FAR:
            m.way[other] = (max(m.view.time, free_at) + 2 * length + PATIENCE, harbour)

    def _give_way(self, pressed: int, stuck: int) -> None:
        """Let the body that cannot make room go first for a while, and out of the way if it has no goal."""
        m = self._m
        if stuck in m.way:
            return
        m.way.pop(pressed, None)
        case = next(c for c in self._cases if c.body == stuck)
        leg = self._legs[self._cases.index(case)]
        harbour = 0
        length = 0
        if leg.way is not None:
            length = leg.way.cost(m.places[stuck], facing_number(m.view.bodies[stuck].facing))
        if leg.way is None or length == 0 or length >= FAR:
            aside = m.free & ~self._path(pressed) & ~(1 << m.places[stuck])
            length, harbour = m.field(m.places[stuck]).nearest(aside & m.roomy())
            if length >= FAR:
                length, harbour = m.field(m.places[stuck]).nearest(aside)
        if length < FAR:
            m.way[stuck] = (m.view.time + 2 * length + PATIENCE, harbour)

    def _path(self, b: int) -> Bits:
        """Return the cells of a body's way, and where it stands."""
        m = self._m
        k = next(k for k, case in enumerate(self._cases) if case.body == b)
        way, position = self._legs[k].way, m.places[b]
        bits, facing = 1 << position, facing_number(m.view.bodies[b].facing)
        while way is not None and (step := way.step(position, facing)) >= 0:
            to = position + m.grid.deltas[step]
            if way.free >> to & 1:
                position = to
                bits |= 1 << position
            facing = step
        return bits

    def _move(self, k: int, direction: int, fixed: Bits) -> Move:
        """Return the move that follows from a step."""
        case, leg, m = self._cases[k], self._legs[k], self._m
        stop = leg.stop if leg.stop == "failed" else ""
        if direction != STAY:
            return Move(direction, stop, leg.reason)
        position = m.places[case.body]
        facing = facing_number(m.view.bodies[case.body].facing)
        if leg.way is not None:
            step = leg.way.step(position, facing)
            if step == -2:
                return Move(self._wait, "failed", f"no way: {leg.reason}")
            to = position + m.grid.deltas[step] if step >= 0 else -1
            if step >= 0 and not (to >= 0 and m.free >> to & 1):
                return Move(step, stop, leg.reason)  # it only turns
        return Move(self._wait, stop, leg.reason)
