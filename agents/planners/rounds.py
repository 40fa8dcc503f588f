"""Rounds: what one body does in which order among places, ways and waits counted.

Owns a planner for worlds of places in which one body travels. It plays orders out in the
abstract simulator, which knows every rule of the task, and puts between the starts what the
places add: the way there, the wait until a place opens or something departs. A beam search
(Lowerre, 1976) keeps the most promising beginnings by their time, the work that is left and a
lower bound on the ways and rides that are left (a spanning tree over the places still to be
visited); of two that have come to the same the earlier one suffices, since one can wait.

It plans for the expected durations and for what is seen now. Teams and other worlds it leaves to
other planners.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stratagym.agents.base import Actions
from stratagym.agents.planners.dispatch import RuleAgent
from stratagym.agents.planners.search import expected
from stratagym.agents.planners.structure import Structure, literals
from stratagym.agents.skills.roads import Arrival, arrivals, first_start
from stratagym.envs.task import layout as at
from stratagym.envs.task.kernel import judge, lateness, stand, tick, write_mask
from stratagym.envs.task.resume import resume
from stratagym.envs.task.starts import refresh, serve
from stratagym.envs.task.view import Observation, TaskView
from stratagym.envs.worlds.view import NOTHING, UNKNOWN, PlacesRuleView, PlacesView

TRIALS = ((0.0, 1), (2.0, 1), (6.0, 2), (6.0, 8))
"""One search after the other until a plan is found: what a unit of what nobody makes counts in ticks,
and the factor on the width."""

LATE = 2
"""Ticks by which a start may be later than planned before a new plan is made."""


class Spot(NamedTuple):
    """Where a subtask can be attempted, and by which rule."""

    place: int
    rule: PlacesRuleView


def spots_of(view: PlacesView) -> dict[int, tuple[Spot, ...]]:
    """Return where each subtask can be attempted, now or after what other subtasks bring about.

    What a rule asks for counts as being where it lies; if it lies nowhere, where some subtask
    could make it.
    """
    found: dict[int, tuple[Spot, ...]] = {}
    fixtures, things = _could_be(view)
    for i, rules in view.rules.items():
        found[i] = tuple(
            Spot(place, rule) for rule in rules for place in _places(view, rule, fixtures, things)
        )
    return found


def _is_sited(rule: PlacesRuleView) -> bool:
    changes = any(e.fixture is not None or e.thing is not None for e in rule.effects.values())
    return rule.at is not None or rule.thing is not None or changes


def _could_be(view: PlacesView) -> tuple[list[set[int]], list[set[int]]]:
    """Return by receptacle what it, and what lies in it, is now or could become by subtasks."""
    fixtures = [{site.fixture} for site in view.receptacles]
    things = [set(site.things or ()) | {NOTHING} for site in view.receptacles]
    changed = True
    while changed:
        changed = False
        for rule in (rule for rules in view.rules.values() for rule in rules if _is_sited(rule)):
            for k, site in enumerate(view.receptacles):
                if rule.places is not None and site.place not in rule.places:
                    continue
                if rule.at is not None and not rule.at & fixtures[k]:
                    continue
                if rule.thing is not None and not rule.thing & things[k]:
                    continue
                new_fixtures = {e.fixture for e in rule.effects.values() if e.fixture is not None}
                new_things = {e.thing for e in rule.effects.values() if e.thing is not None}
                if not new_fixtures <= fixtures[k] or not new_things <= things[k]:
                    fixtures[k] |= new_fixtures
                    things[k] |= new_things
                    changed = True
    return fixtures, things


def _places(
    view: PlacesView, rule: PlacesRuleView, fixtures: Sequence[set[int]], things: Sequence[set[int]]
) -> list[int]:
    """Return the locations where a rule could hold."""
    if not _is_sited(rule):
        return list(range(len(view.locations))) if rule.places is None else sorted(rule.places)
    able = [
        k
        for k, site in enumerate(view.receptacles)
        if (rule.places is None or site.place in rule.places)
        and (rule.at is None or bool(rule.at & fixtures[k]) or site.fixture == UNKNOWN)
    ]
    if rule.thing is not None:
        lying = [k for k in able if rule.thing & set(view.receptacles[k].things or ())]
        able = lying or [k for k in able if rule.thing & things[k]]
    return sorted({view.receptacles[k].place for k in able})


class Lane:
    """A task of one agent on its way, played by the task's own rules without the reports of a step."""

    __slots__ = ("m",)

    def __init__(self, m: at.Memory) -> None:
        self.m = m

    def copy(self) -> Lane:
        """Return an independent moment; the room to work in is shared."""
        m = self.m
        return Lane(at.Memory(m.t, m.tb, m.s[:], m.sb[:], m.x, m.xb))

    @property
    def time(self) -> int:
        """The clock in ticks."""
        return int(self.m.s[at.CLOCK])

    @property
    def over(self) -> bool:
        """Whether the episode is over."""
        return bool(self.m.s[at.OVER])

    @property
    def success(self) -> bool:
        """Whether the goal was reached."""
        return bool(self.m.s[at.GOAL])

    def start(self, i: int) -> None:
        """Start a subtask that may start, and let the tick pass that a start takes."""
        m = self.m
        m.x[0] = 0
        if serve(m, [i]):
            stand(m)
        else:
            tick(m)
        judge(m, m)

    def wait(self, until: int) -> None:
        """Let time pass."""
        m = self.m
        while not m.s[at.OVER] and m.s[at.CLOCK] < until:
            m.x[0] = 0
            if m.s[at.STALE]:
                refresh(m)
            if m.t[at.T_CONSTRAINTS] == 0:
                # At no tick before these can anything change.
                quiet = min(m.s[at.NEXT], m.s[at.WAKE], m.t[at.T_HORIZON], until) - 1
                m.s[at.CLOCK] = max(m.s[at.CLOCK], quiet)
            tick(m)
            judge(m, m)

    def until_idle(self) -> None:
        """Let time pass until the agent is free."""
        m = self.m
        agent = m.t[at.Q_AGENTS]
        self.wait(max(m.s[agent + at.FREE_AT], m.s[agent + at.DOWN_UNTIL]))

    def startable(self) -> list[int]:
        """Return the subtasks that can start now."""
        m = self.m
        if m.s[at.STALE]:
            refresh(m)
        count = m.t[at.T_SUBTASKS]
        flags = [0] * (m.t[at.T_WIDE] + 1)
        write_mask(m, 0, flags, 0)
        return [i for i in range(count) if flags[i]]

    def next_end(self) -> int:
        """Return the tick at which the next run ends, ``FAR`` if nothing runs."""
        m = self.m
        ends = (m.s[at.S_HEADS + i * at.S_COLUMNS + at.END] for i in _members(self.bits(at.RUNNING)))
        return min(ends, default=at.FAR)

    def bits(self, row: int) -> int:
        """Return a set of subtasks of the lane as one number."""
        m = self.m
        words = m.t[at.T_WORDS]
        return sum(m.sb[row * words + w] << (64 * w) for w in range(words))


def _members(bits: int) -> list[int]:
    return [i for i in range(bits.bit_length()) if bits >> i & 1]


class Node(NamedTuple):
    """The beginning of a plan.

    Attributes:
        lane: the task after it.
        place: where the body is then.
        plan: pairs (subtask, tick of its start).
        value: time, lateness, and a bound on what is left.
        savings: what there is left of what nobody makes.
    """

    lane: Lane
    place: int
    plan: tuple[tuple[int, int], ...]
    value: float
    savings: int


class _Target(NamedTuple):
    """Alternatives of which one is to be done (also as bits), the least busy ticks, their one place or -1."""

    group: tuple[int, ...]
    bits: int
    busy: float
    place: int


class Rounds:
    """A search for the order in which one body does what the goal takes."""

    def __init__(self, structure: Structure, task: TaskView, view: PlacesView, width: int) -> None:
        """Prepare a search from what is seen.

        Args:
            structure: of the task.
            task: at ``full`` knowledge, with one agent.
            view: the places.
            width: beginnings that are kept.
        """
        self._view, self._width = view, width
        self._graph = expected(structure.graph)
        self._task = task
        self._spots = spots_of(view)
        self._pace = view.bodies[0].pace
        self._roads: dict[int, Mapping[int, Arrival]] = {}
        self._horizon = at.FAR if self._graph.horizon is None else self._graph.horizon
        self._weights = [due.weight for due in self._graph.dues]
        self._busy = [self._busy_ticks(i) for i in range(len(self._graph.subtasks))]
        self._targets = self._wanted(structure)
        self._trees: dict[Any, int] = {}
        self._islands = self._find_islands()
        self._entries = self._find_entries()
        made = {k for s in self._graph.subtasks for k, _ in s.produces}
        self._scarce = [k for k in range(len(self._graph.items)) if k not in made]
        self._asks = {k: [dict(s.consumes).get(k, 0) for s in self._graph.subtasks] for k in self._scarce}

    def _wanted(self, structure: Structure) -> list[_Target]:
        """Return what the goal takes."""
        if structure.goal is None:
            return []
        subtasks = self._graph.subtasks
        found: dict[int, None] = {}
        stack = [lit.subtask for lit in literals(structure.goal) if lit.positive]
        while stack:
            i = stack.pop()
            if i not in found:
                found[i] = None
                stack += [lit.subtask for lit in literals(structure.conditions[i]) if lit.positive]
        groups: dict[int, list[int]] = {}
        for i in sorted(found):
            groups.setdefault(subtasks[i].pay_group, []).append(i)
        targets = []
        for group in groups.values():
            places = {spot.place for i in group for spot in self._spots.get(i, ())}
            targets.append(
                _Target(
                    group=tuple(group),
                    bits=sum(1 << i for i in group),
                    busy=min(self._busy[i] for i in group),
                    place=places.pop() if len(places) == 1 else -1,
                )
            )
        return targets

    def _busy_ticks(self, i: int) -> float:
        s = self._graph.subtasks[i]
        return s.duration.mean if s.attended is None else min(float(s.attended), s.duration.mean)

    def _find_islands(self) -> list[int]:
        """Return by location the number of the island on which it lies: where feet alone lead."""
        count = len(self._view.locations)
        island = [-1] * count
        for k in range(count):
            if island[k] < 0:
                for place in self._from(k):
                    if k in self._from(place):
                        island[place] = k
        return island

    def _find_entries(self) -> dict[int, list[int]]:
        """Return by island the rides that lead there from another one."""
        found: dict[int, list[int]] = {}
        for i, spots in self._spots.items():
            for spot in spots:
                if spot.rule.leads_to is not None:
                    island = self._islands[spot.rule.leads_to]
                    if island != self._islands[spot.place] and i not in found.setdefault(island, []):
                        found[island].append(i)
        return found

    def _from(self, place: int) -> Mapping[int, Arrival]:
        """Return the ticks of the ways from a location, as arrivals of one who leaves at 0."""
        if place not in self._roads:
            self._roads[place] = arrivals(self._view, place, 0, self._pace)
        return self._roads[place]

    # -------------------------------------------------------------- the search

    def best(self) -> tuple[tuple[int, int], ...] | None:
        """Return the plan found that ends first, as pairs (subtask, tick of its start); None for none.

        Where the most promising beginnings all run out of something, thrift counts as well.
        """
        for thrift, width in TRIALS:
            found = self._search(thrift, width * self._width)
            if found is not None:
                return found
        return None

    def _search(self, thrift: float, width: int) -> tuple[tuple[int, int], ...] | None:
        lane = Lane(resume(self._graph, self._task).memory)
        way = self._view.ways.get(0)
        lane.wait(0 if way is None else way.arrives)
        lane.until_idle()
        beam = [self._node(lane, self._view.bodies[0].at, ())]
        found: tuple[float, tuple[tuple[int, int], ...]] | None = None
        reached: dict[Any, int] = {}
        while beam:
            following: dict[Any, Node] = {}
            for child in (child for node in beam for child in self._children(node)):
                if child.lane.success:
                    if found is None or child.value < found[0]:
                        found = child.value, child.plan
                    continue
                if child.lane.over or child.value >= (float("inf") if found is None else found[0]):
                    continue
                key = _key(child.lane, child.place)
                if reached.get(key, at.FAR) > child.lane.time:
                    reached[key] = child.lane.time
                    following[key] = child
            beam = sorted(following.values(), key=lambda n: (n.value - thrift * n.savings, n.plan))[:width]
        return None if found is None else found[1]

    def _children(self, node: Node) -> Iterator[Node]:
        """Yield what comes of each next start, and of waiting for what runs."""
        for i in node.lane.startable():
            chosen = self._earliest(i, node.place, node.lane.time)
            if chosen is None or chosen[0] >= self._horizon:
                continue
            start, spot = chosen
            lane = node.lane.copy()
            if start > lane.time:
                lane.wait(start)
                if lane.over or i not in lane.startable():
                    continue
            lane.start(i)
            lane.until_idle()
            place = spot.place if spot.rule.leads_to is None else spot.rule.leads_to
            yield self._node(lane, place, (*node.plan, (i, start)))
        end = node.lane.next_end()
        if end < at.FAR:
            lane = node.lane.copy()
            lane.wait(end)
            yield self._node(lane, node.place, node.plan)

    def _earliest(self, i: int, place: int, now: int) -> tuple[int, Spot] | None:
        """Return where a subtask can be started first, and when."""
        best: tuple[int, Spot] | None = None
        subtask = self._graph.subtasks[i]
        shortest = subtask.duration.shortest
        ticks = max(1, shortest if subtask.attended is None else min(shortest, subtask.attended))
        roads = self._from(place)
        for spot in self._spots.get(i, ()):
            way = roads.get(spot.place)
            if way is None or (best is not None and now + way.tick >= best[0]):
                continue
            start = first_start(self._view, spot.rule, spot.place, now + way.tick, ticks)
            if start is not None and (best is None or start < best[0]):
                best = start, spot
        return best

    # -------------------------------------------------------------- what is left

    def _node(self, lane: Lane, place: int, plan: tuple[tuple[int, int], ...]) -> Node:
        """Return a beginning with its value: infinite if what is left takes more than there is."""
        over = lane.bits(at.DONE) | lane.bits(at.RUNNING)
        late = sum(weight * lateness(lane.m, d) for d, weight in enumerate(self._weights))
        m = lane.m
        stock = m.t[at.Q_LEVELS] + m.t[at.T_RESOURCES]
        savings = sum(m.s[stock + k] for k in self._scarce)
        value = lane.time + late
        left = [target for target in self._targets if not target.bits & over]
        if left:
            places = frozenset(target.place for target in left if target.place >= 0)
            gone = lane.bits(at.DONE) | lane.bits(at.SPENT)
            rides = [
                [i for i in self._entries.get(island, ()) if not gone >> i & 1]
                for island in {self._islands[other] for other in places} - {self._islands[place]}
            ]
            groups = [*(target.group for target in left), *rides]
            if not all(rides) or not self._affords(lane, groups):
                return Node(lane, place, plan, float("inf"), savings)
            value += sum(target.busy for target in left)
            value += sum(min(self._busy[i] for i in able) for able in rides)
            value += self._ways_left(place, places)
        return Node(lane, place, plan, value, savings)

    def _affords(self, lane: Lane, groups: Sequence[Sequence[int]]) -> bool:
        """Return whether there is enough of what nobody makes for one subtask of each group."""
        m = lane.m
        stock = m.t[at.Q_LEVELS] + m.t[at.T_RESOURCES]
        return all(
            sum(min(self._asks[k][i] for i in group) for group in groups) <= m.s[stock + k]
            for k in self._scarce
        )

    def _ways_left(self, place: int, places: frozenset[int]) -> int:
        """Return a lower bound on the ticks of the ways by which all of some places are visited."""
        key = (place, places)
        if key not in self._trees:
            islands: dict[int, list[int]] = {self._islands[place]: [place]}
            for other in places - {place}:
                islands.setdefault(self._islands[other], []).append(other)
            self._trees[key] = sum(map(self._tree, islands.values()))
        return self._trees[key]

    def _tree(self, places: Sequence[int]) -> int:
        """Return the ticks of a least spanning tree over places (Prim, 1957)."""
        left = {place: self._between(places[0], place) for place in places[1:]}
        total = 0
        while left:
            nearest = min(left, key=left.__getitem__)
            total += left.pop(nearest)
            for place in left:
                left[place] = min(left[place], self._between(nearest, place))
        return total

    def _between(self, one: int, other: int) -> int:
        """Return the ticks of the shorter way between two places."""
        ticks = [self._from(a)[b].tick for a, b in ((one, other), (other, one)) if b in self._from(a)]
        return min(ticks, default=0)


def _key(lane: Lane, place: int) -> Any:
    """Return what two moments share that differ in their time alone: what is done, owned and goes on."""
    m = lane.m
    levels = m.t[at.Q_LEVELS]
    runs = []
    for i in range(m.t[at.T_SUBTASKS]):
        q = at.S_HEADS + i * at.S_COLUMNS
        end = m.s[q + at.END]
        # What a limit may count from matters by its age, and so does what runs by what is left of it.
        led = m.tb[at.B_LED * m.t[at.T_WORDS] + i // 64] >> (i % 64) & 1
        age = m.s[at.CLOCK] - m.s[q + at.SUCCEEDED] if led else 0
        runs.append((m.s[q + at.STARTS], end - m.s[at.CLOCK] if end >= 0 else -1, age))
    return place, lane.bits(at.DONE), tuple(m.s[levels : levels + m.t[at.T_LEVELS]]), tuple(runs)


class RoundAgent(RuleAgent):
    """Plans a round over the places and keeps to it until something is not as it was to be.

    With several bodies, in other worlds, without a goal or under less than ``full`` knowledge
    it plays by the rule ``critical_path``.
    """

    travels = True

    def __init__(self, width: int = 24) -> None:
        """Make an agent.

        Args:
            width: beginnings of plans that the search keeps.
        """
        super().__init__("critical_path")
        self._width = width

    def reset(self, seed: int) -> None:
        """Forget the last episode and draw from ``seed`` from now on."""
        super().reset(seed)
        self._plan: list[tuple[int, int]] = []
        self._fresh = True
        self._made = -1

    def act(self, observation: Observation) -> Actions:
        """Return one action per row of the mask."""
        task, view = observation.task, observation.world
        structure = self._memory.of(task)
        plannable = isinstance(view, PlacesView) and task.knowledge == "full" and len(task.agents) == 1
        if structure is None or not plannable or structure.goal is None or view.bodies[0].at is None:
            return super().act(observation)
        reason = self._stale(task)
        if reason:
            found = Rounds(structure, task, view, self._width).best()
            self._plan, self._fresh, self._made = list(found or ()), False, task.time
        wait = len(task.names)
        if not self._plan:
            return super().act(observation)
        i = self._plan[0][0]
        action = i if observation.mask[0, i] else wait
        return self._note(task, np.array([action], np.int64), f"round: {reason or 'as planned'}")

    def _stale(self, task: TaskView) -> str:
        """Drop from the plan what has begun; return why a new one is needed, empty if it is not."""
        if self._fresh:
            return "first plan"
        while self._plan and self._begun(task, *self._plan[0]):
            self._plan.pop(0)
        if not self._plan:
            return "the plan is over" if task.time > self._made else ""
        i, tick = self._plan[0]
        if task.status[i] in ("closed", "failed") or (
            task.status[i] == "done" and not self._begun(task, i, tick)
        ):
            return "the next step has become impossible"
        return "the plan is late" if task.time > tick + LATE and task.time > self._made else ""

    @staticmethod
    def _begun(task: TaskView, i: int, tick: int) -> bool:
        """Return whether a step has been started about when it was to be."""
        started = task.runs[i].started
        return started is not None and started >= tick - LATE
