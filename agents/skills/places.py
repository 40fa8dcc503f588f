"""Travelling, carrying and waiting among places: the scripted skill.

Owns how a subtask is brought about from the rules that a ``PlacesView`` shows: where to go, what
to fetch or put down first, what to open, when to wait for hours or departures, and which subtask
must come first. It is general over domains, since all that it knows of them are rules; it
chooses no goal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stratagym.agents.base import Case, Goal, Memory, Move, Prospect, Survey
from stratagym.agents.memories.places import PlacesMemory
from stratagym.agents.skills.roads import Arrival, Ride, arrivals, first_start
from stratagym.envs.task.view import TaskView
from stratagym.envs.worlds.view import (
    NOTHING,
    UNKNOWN,
    BodyView,
    PlacesRuleView,
    PlacesView,
    ReceptacleView,
)

CHANGE = 1
"""Ticks that taking, putting or opening takes."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One way with one action at its end.

    Attributes:
        place: where to.
        action: what to do there; the last action waits.
        ready: tick at which the attempt is expected, legs to come included.
        stop: what the action ends, see ``Move.stop``.
        reason: in words.
    """

    place: int
    action: int
    ready: int
    stop: Literal["", "attempt"]
    reason: str


Found = Leg | Prospect
"""A leg, or why there is none and what must come first."""


class PlacesSkill:
    """See the module."""

    def start(self, memory: Memory, body: int, goal: Goal) -> Prospect:
        """Tell whether the body could pursue the goal now, and how long it would take until the attempt."""
        found = _found(memory, body, goal)
        if isinstance(found, Prospect):
            return found
        return Prospect(True, found.reason, max(0, found.ready - _view(memory).time))

    def act(self, cases: Sequence[Case]) -> list[Move]:
        """Return one move per case."""
        return [_move(case) for case in cases]

    def survey(self, memory: Memory) -> Survey:
        """Return what ways and carrying add to each subtask, and who could ever get there (estimates)."""
        assert isinstance(memory, PlacesMemory)
        if "survey" not in memory.kept:
            memory.kept["survey"] = _survey(memory)
        found: Survey = memory.kept["survey"]
        return found


def _view(memory: Memory) -> PlacesView:
    view = memory.observation.world
    assert isinstance(view, PlacesView)
    return view


def _move(case: Case) -> Move:
    """Return what a body does now for its goal."""
    view = _view(case.memory)
    wait = len(view.actions) - 1
    if case.goal is None:
        return Move(wait, "", "nothing to do")
    found = _found(case.memory, case.body, case.goal)
    if isinstance(found, Prospect):
        return Move(wait, "failed", found.reason)
    here = view.bodies[case.body].at
    if here != found.place:
        hop = _roads(case.memory, case.body)[found.place].hop
        return Move(hop, "", found.reason)
    if view.mask[case.body, found.action]:
        return Move(found.action, found.stop, found.reason)
    # Alone at the place of a joint subtask it asks too: those who ask in one step start together.
    together = found.stop == "attempt" and case.goal.crew is not None and len(case.goal.crew) > 1
    if together and found.ready <= view.time and case.memory.observation.mask[case.body, case.goal.subtask]:
        return Move(found.action, "", found.reason)
    return Move(wait, "", f"waits: {found.reason}")


def _found(memory: Memory, body: int, goal: Goal) -> Found:
    """Return the leg that serves a goal best, or why there is none (kept while nothing changes)."""
    key = ("found", body, goal)
    if key not in memory.cache:
        memory.cache[key] = _Search(memory, body, goal.subtask).best()
    found: Found = memory.cache[key]
    return found


def _roads(memory: Memory, body: int) -> Mapping[int, Arrival]:
    """Return how soon a body can be anywhere on its own feet."""
    key = ("roads", body)
    if key not in memory.cache:
        view = _view(memory)
        own = view.bodies[body]
        memory.cache[key] = arrivals(view, own.at, _free_at(view, body), own.pace)
    found: Mapping[int, Arrival] = memory.cache[key]
    return found


def _free_at(view: PlacesView, body: int) -> int:
    """Return the tick at which a body can go on, as far as it shows."""
    way = view.ways.get(body)
    return view.time if way is None else max(view.time, way.arrives)


def needs_open(task: TaskView, i: int) -> int:
    """Return for how many ticks a subtask needs its place open, as far as it is known."""
    if task.graph is None:
        return 1
    subtask = task.graph.subtasks[i]
    shortest = subtask.duration.shortest
    return max(1, shortest if subtask.attended is None else min(shortest, subtask.attended))


class _Search:
    """The search for one body's next leg to one subtask."""

    def __init__(self, memory: Memory, body: int, subtask: int) -> None:
        self._memory, self._b, self._i = memory, body, subtask
        self._view, self._task = _view(memory), memory.observation.task
        self._body: BodyView = self._view.bodies[body]
        self._wait = len(self._view.actions) - 1

    def best(self) -> Found:
        """Return the leg with the earliest attempt over all rules, else the first reason against one."""
        if self._body.at is None:
            return Prospect(False, "it is not known where the body is")
        found: list[Found] = [self._by(rule) for rule in self._view.rules.get(self._i, ())]
        legs = [leg for leg in found if isinstance(leg, Leg)]
        if legs:
            return min(legs, key=lambda leg: leg.ready)
        reasons = [prospect for prospect in found if isinstance(prospect, Prospect)]
        firsts = [prospect for prospect in reasons if prospect.first is not None]
        return (firsts or reasons or [Prospect(False, "how it is done is not known")])[0]

    def _by(self, rule: PlacesRuleView) -> Found:
        """Return the next leg by one rule."""
        spots = self._spots(rule)
        if isinstance(spots, Prospect | Leg):
            return spots
        reached = {place: _roads(self._memory, self._b).get(place) for place in spots}
        near = {place: arrival for place, arrival in reached.items() if arrival is not None}
        if not near:
            return self._ride(spots)
        hand = self._fetch(rule)
        if hand is not None:
            return hand
        legs = []
        for place, arrival in near.items():
            start = first_start(
                self._view, rule, place, max(arrival.tick, self._view.time), needs_open(self._task, self._i)
            )
            if start is not None:
                reason = f"at {self._view.locations[place]}"
                legs.append(Leg(place, rule.action, start, "attempt", reason))
        if not legs:
            return Prospect(False, f"{self._view.locations[min(near)]} is shut, or nothing leaves from there")
        return min(legs, key=lambda leg: leg.ready)

    # -------------------------------------------------------------- where

    def _spots(self, rule: PlacesRuleView) -> Found | list[int]:
        """Return the locations where a rule can be followed, or what must be done before."""
        view = self._view
        places = range(len(view.locations)) if rule.places is None else sorted(rule.places)
        if rule.near:
            places = [p for p in places if all(self._stands(p, codes) for codes in rule.near)]
        if not self._sited(rule):
            return list(places) or Prospect(False, "what it must be near to is not there")
        sites = [(k, site) for k, site in enumerate(view.receptacles) if site.place in places]
        fitting = [(k, site) for k, site in sites if rule.at is None or site.fixture in rule.at]
        if not fitting:
            return self._turn(sites, rule) or self._explore(sites) or self._make_fixture(rule)
        with_thing = [(k, site) for k, site in fitting if self._holds(site, rule)]
        if not with_thing:
            return self._explore(fitting) or self._bring(fitting, rule) or self._make_thing(rule)
        return [site.place for _, site in with_thing]

    @staticmethod
    def _sited(rule: PlacesRuleView) -> bool:
        """Return whether a rule is about a receptacle."""
        effects = rule.effects.values()
        changes = any(effect.fixture is not None or effect.thing is not None for effect in effects)
        return rule.at is not None or rule.thing is not None or changes

    def _stands(self, place: int, codes: frozenset[int]) -> bool:
        return any(site.place == place and site.fixture in codes for site in self._view.receptacles)

    @staticmethod
    def _holds(site: ReceptacleView, rule: PlacesRuleView) -> bool:
        """Return whether what a rule asks for lies in a receptacle, for all that is known."""
        if rule.thing is None:
            return True
        if site.things is None:
            return False
        return any(code in site.things for code in rule.thing) or (NOTHING in rule.thing and not site.things)

    def _turn(
        self, sites: Sequence[tuple[int, ReceptacleView]], rule: PlacesRuleView
    ) -> Leg | list[int] | None:
        """Return the way to open (or shut) a receptacle that is then what the rule asks for.

        Where no way leads there, the locations of those that could be.
        """
        turns = self._view.turns
        able = [k for k, s in sites if rule.at is not None and turns.get(s.fixture) in rule.at]
        leg = self._nearest(able, "turn", "to be opened or shut")
        return leg or [self._view.receptacles[k].place for k in able] or None

    def _explore(self, sites: Sequence[tuple[int, ReceptacleView]]) -> Leg | None:
        """Return the way to look where it is not known what is there."""
        view, roads = self._view, _roads(self._memory, self._b)
        shut = [
            k for k, s in sites if s.things is None and s.fixture in view.closed and s.fixture in view.turns
        ]
        unseen = {s.place for _, s in sites if s.fixture == UNKNOWN} & set(roads) - {self._body.at}
        if unseen:
            place = min(unseen, key=lambda p: (roads[p].tick, p))
            return Leg(place, self._wait, roads[place].tick, "", f"looks at {view.locations[place]}")
        return self._nearest(shut, "turn", "to look inside")

    def _nearest(self, sites: Sequence[int], kind: str, reason: str, start: int = 0) -> Leg | None:
        """Return the way to the nearest of some receptacles, and an action on it; busy ones come last."""
        view, roads = self._view, _roads(self._memory, self._b)
        able = [k for k in sites if view.receptacles[k].place in roads]
        if not able or kind not in view.first:
            return None

        def cost(k: int) -> tuple[bool, int, int]:
            site = view.receptacles[k]
            return site.run is not None, roads[site.place].tick, k

        k = min(able, key=cost)
        site = view.receptacles[k]
        ready = roads[site.place].tick + CHANGE + start
        return Leg(site.place, view.first[kind] + k, ready, "", f"{kind} {site.name} {reason}")

    # -------------------------------------------------------------- with what

    def _fetch(self, rule: PlacesRuleView) -> Found | None:
        """Return how to get into the hand what a rule asks for; None if it is there."""
        if rule.hand is None or self._body.hand in rule.hand:
            return None
        allowed = self._memory.observation.mask[self._b, self._i]
        if self._body.hand != NOTHING and not allowed:
            # What it holds is for something else that comes first, for all that the task says.
            return Prospect(False, "the hand is full, and it is not the time to empty it")
        if self._body.hand != NOTHING and NOTHING in rule.hand:
            return self._put_down()
        # What a subtask brings into the hand is not taken past it: the task would know nothing of it.
        if any(self._hands_over(j, rule.hand) for j in self._view.rules):
            return self._make_thing(rule, in_hand=True)
        return self._pick_up(rule.hand) or self._make_thing(rule, in_hand=True)

    def _hands_over(self, j: int, wanted: frozenset[int]) -> bool:
        """Return whether a subtask that is still to be done puts one of some things into the hand."""
        if j == self._i or self._task.status[j] not in ("eligible", "locked"):
            return False
        effects = (effect for rule in self._view.rules[j] for effect in rule.effects.values())
        return any(effect.hand in wanted for effect in effects)

    def _put_down(self) -> Found:
        """Return the way to where what is in the hand can be left."""
        view = self._view
        able = [
            k
            for k, s in enumerate(view.receptacles)
            if s.fixture in view.holds and s.fixture not in view.closed
        ]
        leg = self._nearest(able, "put", "to free the hand")
        return leg or Prospect(False, "there is nowhere to put down what is in the hand")

    def _pick_up(self, wanted: frozenset[int]) -> Found | None:
        """Return the way to take one of some things, None if none is known to lie anywhere."""
        view = self._view
        codes = sorted(code for code in wanted if code in view.portable)
        for code in codes:
            lying = [k for k, s in enumerate(view.receptacles) if s.things and code in s.things]
            open_ = [k for k in lying if view.receptacles[k].fixture not in view.closed]
            shut = [k for k in lying if k not in open_ and view.receptacles[k].fixture in view.turns]
            if (open_ or shut) and self._body.hand != NOTHING:
                return self._put_down()
            leg = self._nearest(open_, "take", "") if open_ else self._nearest(shut, "turn", "to get at it")
            if leg is not None and open_:
                name = view.thing_names[code]
                return Leg(leg.place, view.first["take"] + code - 1, leg.ready, "", f"take {name}")
            if leg is not None:
                return leg
        return self._explore(list(enumerate(view.receptacles))) if codes else None

    def _bring(self, sites: Sequence[tuple[int, ReceptacleView]], rule: PlacesRuleView) -> Found | None:
        """Return how to get a thing into a receptacle where a rule wants it, or to empty one."""
        view = self._view
        assert rule.thing is not None
        if not view.hands:
            return None
        if NOTHING in rule.thing:
            full = [k for k, s in sites if s.things and any(code in view.portable for code in s.things)]
            if full and self._body.hand != NOTHING:
                return self._put_down()
            leg = self._nearest(full, "take", "to empty it")
            if leg is None:
                return None
            site = next(s for k, s in sites if k in full and s.place == leg.place)
            code = min(code for code in site.things or () if code in view.portable)
            return Leg(leg.place, view.first["take"] + code - 1, leg.ready, "", leg.reason)
        if self._body.hand in rule.thing:
            able = [k for k, s in sites if s.fixture in view.holds and s.fixture not in view.closed]
            return self._nearest(able, "put", "where it is needed")
        return self._pick_up(rule.thing)

    # -------------------------------------------------------------- what comes first

    def _make_fixture(self, rule: PlacesRuleView) -> Prospect:
        """Return which subtask must come first so that there is such a receptacle."""
        name = " or ".join(self._view.fixture_names[code] for code in sorted(rule.at or ()))
        return self._first(f"there is no {name}", "fixture", rule.at or frozenset())

    def _make_thing(self, rule: PlacesRuleView, in_hand: bool = False) -> Prospect:
        """Return which subtask must come first so that there is such a thing."""
        wanted = (rule.hand if in_hand else rule.thing) or frozenset()
        name = " or ".join(self._view.thing_names[code] for code in sorted(wanted))
        return self._first(f"{name} is nowhere", "thing", wanted)

    def _first(self, reason: str, what: str, wanted: frozenset[int]) -> Prospect:
        for j, rules in self._view.rules.items():
            if j == self._i or not self._memory.observation.mask[self._b, j]:
                continue
            for effect in (effect for rule in rules for effect in rule.effects.values()):
                made = {effect.fixture} if what == "fixture" else {effect.thing, effect.hand}
                if wanted & made:
                    return Prospect(False, reason, first=Goal(j, (self._b,)))
        return Prospect(False, reason)

    def _ride(self, spots: Sequence[int]) -> Prospect:
        """Return what must be ridden by to get to one of some locations that no way leads to."""
        rides = list(self._rides())
        found = arrivals(self._view, self._body.at, _free_at(self._view, self._b), self._body.pace, rides)
        reached = [found[place] for place in spots if place in found]
        names = " or ".join(self._view.locations[place] for place in list(spots)[:3])
        if not reached:
            return Prospect(False, f"no way leads to {names}")
        ride = min(reached, key=lambda arrival: arrival.tick).ride
        return Prospect(False, f"{names} must be ridden to", first=Goal(ride, (self._b,)))

    def _rides(self) -> Iterator[Ride]:
        """Yield what the body may ride by."""
        for j, rules in self._view.rules.items():
            if j != self._i and self._task.status[j] in ("eligible", "locked"):
                for rule in rules:
                    if rule.leads_to is not None:
                        yield j, rule, needs_open(self._task, j)


def _survey(memory: Memory) -> Survey:
    """Return the mean way between the places of different subtasks, and what carrying adds."""
    view, task = _view(memory), memory.observation.task
    count = len(task.names)
    places: list[set[int]] = [set() for _ in range(count)]
    carries = [0] * count
    for i, rules in view.rules.items():
        for rule in rules:
            fitting = {s.place for s in view.receptacles if rule.at is not None and s.fixture in rule.at}
            places[i] |= set(rule.places or fitting)
            if view.hands and rule.hand is not None and not rule.hand & {NOTHING}:
                carries[i] = CHANGE
    pace = max((body.pace for body in view.bodies), default=1)
    ways = [arrivals(view, place, 0, pace) for place in range(len(view.locations))]
    everywhere = {place for own in places for place in own}
    ticks = []
    for i in range(count):
        spans = [
            min((ways[one][there].tick for there in places[i] if there in ways[one]), default=None)
            for one in sorted(everywhere)
        ]
        known = [span for span in spans if span is not None]
        ticks.append(round(sum(known) / len(known)) + carries[i] if known else carries[i])
    return Survey(ticks, [[True] * count for _ in view.bodies])
