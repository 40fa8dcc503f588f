"""Errands: who does what in which order, the walks between counted.

Owns a planner for worlds where the way costs more than the work. It chooses what the goal
takes (of alternatives the cheapest), hands each piece to the body that would be done with
it earliest, with all that this body needs for it (its own tools, its own material), and
then improves the orders by moving single errands as long as that makes the plan shorter.
It plans for the expected durations and for what is seen now; windows (lags, deadlines),
shared resources and joint subtasks it leaves to other planners.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from stratagym.agents.base import Actions
from stratagym.agents.planners.assign import candidates
from stratagym.agents.planners.dispatch import RuleAgent
from stratagym.agents.planners.structure import Formula, Literal, Structure
from stratagym.agents.planners.travel import Ground, Travel
from stratagym.envs.task.view import Observation, TaskView
from stratagym.envs.worlds.view import GridView


class Errand(NamedTuple):
    """One thing to do.

    Attributes:
        subtask: what.
        near: a position; of several sites the one nearest to it is gone to. -1: the nearest to the body.
    """

    subtask: int
    near: int = -1


Orders = tuple[tuple[Errand, ...], ...]
"""By body, what it does, in order."""


class Start(NamedTuple):
    """One start of a plan.

    Attributes:
        tick: when.
        body: who starts it.
        subtask: what.
        stand: position of the body.
        target: position of the site, -1 where it does not matter.
    """

    tick: float
    body: int
    subtask: int
    stand: int
    target: int


NEVER = math.inf
WALK = 3.0
"""Ticks of a walk, where choosing among alternatives needs a guess."""

RESTARTS = 6
"""Choices among alternatives that are compared."""

CHOICES = 300
"""Choices that are tried until one can be carried out."""

NEARER = 0.3
"""Share of the trials that change a place and not an order."""

HEAT = 4.0
"""Ticks by which a plan may be longer and is still kept now and then, at first."""


class Played(NamedTuple):
    """What comes of orders.

    Attributes:
        end: when all is over.
        idle: by body, when it is.
        done: subtask -> when it is done first.
        starts: as they were found; those of one body in its order.
    """

    end: float
    idle: tuple[float, ...]
    done: Mapping[int, float]
    starts: Sequence[Start]


@dataclass
class Problem:
    """One moment to plan from.

    Attributes:
        structure: the task.
        travel: the map.
        now: the clock in ticks.
        places: by body its position.
        free_at: by body the tick from which it can do something.
        paces: by body the ticks that one of its moves takes.
        done: subtask -> the tick at which it is done, for those that are or are under way.
        stocks: by body what it owns; one for all, where stock is common.
        common: whether it is.
    """

    structure: Structure
    travel: Travel
    now: int
    places: Sequence[int]
    free_at: Sequence[float]
    paces: Sequence[int]
    done: Mapping[int, float]
    stocks: Sequence[Mapping[int, int]]
    common: bool

    def purse(self, body: int) -> int:
        """Return which stock a body takes from."""
        return 0 if self.common else body


def play(problem: Problem, orders: Orders) -> Played | None:
    """Play orders in the head; None if they cannot be carried out.

    Each body goes to the nearest site of its next subtask as soon as what that needs is done.
    """
    if any(order and place < 0 for order, place in zip(orders, problem.places, strict=True)):
        return None  # nobody knows where that body is, or it decides for itself
    structure, travel = problem.structure, problem.travel
    subtasks = structure.graph.subtasks
    done = dict(problem.done)
    stocks = [dict(stock) for stock in problem.stocks]
    times, places = list(problem.free_at), list(problem.places)
    last = [-1] * len(orders)
    ground = Ground()
    following = [0] * len(orders)
    kept: dict[int, float] = {}
    starts: list[Start] = []
    end = max(done.values(), default=0.0)
    left = sum(map(len, orders))
    while left:
        chosen, start = -1, NEVER
        for a, order in enumerate(orders):
            if following[a] == len(order) or times[a] >= start:
                continue
            i = order[following[a]].subtask
            begin = max(times[a], _met(structure.conditions[i], done))
            purse = stocks[problem.purse(a)]
            there = all(purse.get(k, 0) >= n for k, n in (*subtasks[i].consumes, *subtasks[i].requires))
            if begin < start and there:
                chosen, start = a, begin
        if chosen < 0:
            return None
        a, (i, near) = chosen, orders[chosen][following[chosen]]
        subtask = subtasks[i]
        visit = travel.visit(i, places[a], last[a], _unused(ground, kept, times[a]), near)
        if visit is None or (i in done and not subtask.repeatable):
            return None
        # A body sets out when it may begin.
        tick = start + visit.ticks * problem.paces[a]
        length = structure.expected[i]
        busy = length if subtask.attended is None else min(float(subtask.attended), length)
        purse = stocks[problem.purse(a)]
        for k, n in subtask.consumes:
            purse[k] -= n
        for k, n in subtask.produces:
            purse[k] = purse.get(k, 0) + n
        starts.append(Start(tick, a, i, visit.stand, visit.target))
        done[i] = min(done.get(i, NEVER), tick + length)
        times[a], places[a] = tick + busy, visit.stand
        last[a] = visit.target if not visit.gone else -1
        ground = ground.after(visit)
        if visit.target >= 0 and not visit.gone and len(orders) > 1:
            kept[visit.target] = tick + length
        end = max(end, tick + length)
        following[a] += 1
        left -= 1
    return Played(end, tuple(times), done, starts)


def _unused(ground: Ground, kept: Mapping[int, float], tick: float) -> Ground:
    """Return the ground without the sites where others are at work at a tick."""
    taken = 0
    for target, until in kept.items():
        if until > tick:
            taken |= 1 << target
    return ground._replace(gone=ground.gone | taken) if taken else ground


def _met(formula: Formula, done: Mapping[int, float]) -> float:
    """Return the earliest tick at which a formula holds, given what is done when."""
    if isinstance(formula, Literal):
        if formula.positive:
            return done.get(formula.subtask, NEVER)
        return NEVER if formula.subtask in done else 0.0
    if formula.count == 0:
        return 0.0
    ticks = [_met(part, done) for part in formula.parts]
    if formula.conjunction:
        return max(ticks)
    return sorted(ticks)[formula.count - 1]


class Choice:
    """Which of the alternatives are taken: costs of subtasks, and the cheapest way to each formula."""

    def __init__(self, problem: Problem, noise: Sequence[float]) -> None:
        """Weigh the alternatives.

        Args:
            problem: the moment.
            noise: ``[n]`` factors on the costs, by which other choices are tried.
        """
        self._problem = problem
        structure = problem.structure
        self._own = [(d + WALK) * f for d, f in zip(structure.expected, noise, strict=True)]
        self._cost = [0.0 if i in problem.done else NEVER for i in range(len(self._own))]
        changed = True
        while changed:
            changed = False
            for i in reversed(structure.order):
                if i not in problem.done:
                    cost = self._own[i] + self._price(structure.conditions[i])
                    if cost < self._cost[i]:
                        self._cost[i], changed = cost, True

    def _price(self, formula: Formula) -> float:
        if isinstance(formula, Literal):
            if formula.positive:
                return self._cost[formula.subtask]
            return NEVER if formula.subtask in self._problem.done else 0.0
        if formula.count > len(formula.parts):
            return NEVER
        return sum(sorted(map(self._price, formula.parts))[: formula.count])

    def literals(self, formula: Formula) -> Iterator[Literal]:
        """Return the literals of the cheapest way to a formula."""
        if isinstance(formula, Literal):
            yield formula
            return
        for part in sorted(formula.parts, key=self._price)[: formula.count]:
            yield from self.literals(part)


@dataclass
class Draft:
    """Orders in the making, with what each body will own after them."""

    orders: list[list[int]]
    stocks: list[dict[int, int]]
    taken: set[int] = field(default_factory=set)

    def copy(self) -> Draft:
        """Return an independent copy."""
        return Draft([list(o) for o in self.orders], [dict(s) for s in self.stocks], set(self.taken))

    def plan(self) -> Orders:
        """Return the orders as they are."""
        return tuple(tuple(map(Errand, order)) for order in self.orders)


@dataclass(frozen=True)
class Shares:
    """Who does what, before the orders: the pieces of the goal in the order in which they are handed out."""

    targets: tuple[int, ...]
    bodies: tuple[int, ...]


class Allotment:
    """The first orders: what the goal takes, handed out piece by piece."""

    def __init__(self, problem: Problem, noise: Sequence[float]) -> None:
        """Choose what is to be done, before handing it out."""
        self._problem = problem
        self._choice = Choice(problem, noise)
        self._subtasks = problem.structure.graph.subtasks
        self._makers = problem.structure.producers
        self._bodies = [b for b, place in enumerate(problem.places) if place >= 0]

    def shares(self) -> Shares | None:
        """Hand each piece to the body that would be done with it first; None if nobody could do one."""
        targets, bodies = self._targets(), []
        draft = self._empty()
        for target in targets:
            found = [(self._finish(draft, body, target), body) for body in self._bodies]
            (end, body) = min(found) if len(found) > 1 else (0.0, found[0][1])
            if end == NEVER or not self._add(draft, body, target, 0):
                return None
            bodies.append(body)
        return Shares(tuple(targets), tuple(bodies))

    def orders(self, shares: Shares | None) -> Orders | None:
        """Return the orders that shares amount to, None if they cannot be carried out."""
        if shares is None:
            return None
        draft = self._empty()
        for target, body in zip(shares.targets, shares.bodies, strict=True):
            if not self._add(draft, body, target, 0):
                return None
        orders = draft.plan()
        if play(self._problem, orders) is None:
            orders = tuple(self._sorted(order) for order in orders)
        return None if play(self._problem, orders) is None else orders

    def better(self, shares: Shares, trials: int, rng: np.random.Generator) -> Shares:
        """Hand single pieces to others, or earlier and later, as long as that makes the plan shorter."""
        if len(self._bodies) < 2 or not shares.targets:
            return shares
        bound = self._value(shares)
        for _ in range(trials):
            k, body = int(rng.integers(len(shares.targets))), int(rng.choice(self._bodies))
            to = int(rng.integers(len(shares.targets))) if rng.random() < 0.5 else k
            targets, bodies = list(shares.targets), list(shares.bodies)
            bodies[k] = body
            targets.insert(to, targets.pop(k))
            bodies.insert(to, bodies.pop(k))
            found = Shares(tuple(targets), tuple(bodies))
            worth = self._value(found)
            if worth <= bound:
                shares, bound = found, worth
        return shares

    def _value(self, shares: Shares) -> tuple[float, float]:
        orders = self.orders(shares)
        return (NEVER, NEVER) if orders is None else _worth(self._problem, orders)

    def _empty(self) -> Draft:
        problem = self._problem
        return Draft([[] for _ in problem.places], [dict(s) for s in problem.stocks], set(problem.done))

    def _finish(self, draft: Draft, body: int, target: int) -> float:
        """Return when a body would be done with one more piece."""
        draft = draft.copy()
        if not self._add(draft, body, target, 0):
            return NEVER
        played = play(self._problem, draft.plan())
        return NEVER if played is None else max(played.done[target], played.idle[body])

    def _targets(self) -> list[int]:
        """Return what the goal takes in the order in which it is handed out.

        What others only need as material comes last: it is handed out with what it is for.
        """
        structure, problem = self._problem.structure, self._problem
        assert structure.goal is not None
        found: dict[int, None] = {}
        stack = [lit.subtask for lit in self._choice.literals(structure.goal) if lit.positive]
        while stack:
            i = stack.pop()
            if i in found or i in problem.done:
                continue
            found[i] = None
            stack += [lit.subtask for lit in self._choice.literals(structure.conditions[i]) if lit.positive]
        used = {k for s in self._subtasks for k, _ in (*s.consumes, *s.requires)}
        tails = structure.tails(["locked"] * len(self._subtasks))

        def material(i: int) -> bool:
            s = self._subtasks[i]
            return not s.consumes and any(k in used for k, _ in s.produces)

        return sorted(found, key=lambda i: (material(i), -tails[i], i))

    def _add(self, draft: Draft, body: int, i: int, depth: int) -> bool:
        """Append a subtask, and all that the body needs for it, to its order."""
        subtask = self._subtasks[i]
        if i in draft.taken and not (subtask.repeatable and depth):
            return True
        if depth > len(self._subtasks):
            return False
        for lit in self._choice.literals(self._problem.structure.conditions[i]):
            waits = lit.positive and lit.subtask not in draft.taken
            if waits and not self._add(draft, body, lit.subtask, depth + 1):
                return False
        purse = draft.stocks[self._problem.purse(body)]
        short = True
        while short:
            short = False
            for k, n in (*subtask.requires, *subtask.consumes):
                while purse.get(k, 0) < n:
                    before = purse.get(k, 0)
                    maker = self._maker(draft, k, i)
                    if maker is None or not self._add(draft, body, maker, depth + 1):
                        return False
                    if purse.get(k, 0) <= before:
                        return False
                    short = True
        for k, n in subtask.consumes:
            purse[k] -= n
        for k, n in subtask.produces:
            purse[k] = purse.get(k, 0) + n
        draft.taken.add(i)
        draft.orders[body].append(i)
        return True

    def _maker(self, draft: Draft, item: int, user: int) -> int | None:
        """Return the subtask by which a body gets an item: one that is to be done anyway, if there is one."""
        makers = [j for j in self._makers.get(item, ()) if j != user]
        fresh = [j for j in makers if j not in draft.taken]
        again = [j for j in makers if self._subtasks[j].repeatable]
        return next(iter(fresh or again), None)

    def _sorted(self, order: tuple[Errand, ...]) -> tuple[Errand, ...]:
        """Return one body's order with what a way forbids put behind it; unchanged where that is a circle."""
        conditions = self._problem.structure.conditions
        later: dict[int, set[int]] = {errand.subtask: set() for errand in order}
        for i in later:
            for lit in self._choice.literals(conditions[i]):
                if lit.positive and lit.subtask in later:
                    later[i].add(lit.subtask)
                elif not lit.positive and lit.subtask in later:
                    later[lit.subtask].add(i)
        found: list[Errand] = []
        left = list(order)
        while left:
            waiting = {errand.subtask for errand in left}
            ready = next((e for e in left if not later[e.subtask] & waiting - {e.subtask}), None)
            if ready is None:
                return order
            found.append(ready)
            left.remove(ready)
        return tuple(found)


def first_orders(problem: Problem, trials: int, rng: np.random.Generator) -> Orders | None:
    """Return orders by which the goal is reached, the best over some choices of alternatives.

    Args:
        problem: the moment.
        trials: other ways to hand out the pieces that are tried for each choice.
        rng: draws the choices, after the cheapest.
    """
    count = len(problem.structure.graph.subtasks)
    best: Orders | None = None
    for k in range(CHOICES):
        if k >= RESTARTS and best is not None:
            break
        # The longer none is found, the less the costs weigh.
        noise = np.exp(rng.normal(0.0, 0.7 if k < RESTARTS else 3.0, count)) if k else np.ones(count)
        allotment = Allotment(problem, list(noise))
        shares = allotment.shares()
        if shares is None:
            continue
        orders = allotment.orders(allotment.better(shares, trials, rng))
        if orders is not None and (best is None or _worth(problem, orders) < _worth(problem, best)):
            best = orders
    return best


def _worth(problem: Problem, orders: Orders) -> tuple[float, float]:
    return value(play(problem, orders))


def value(played: Played | None) -> tuple[float, float]:
    """Return what is made small: the end, then the bodies' time."""
    return (NEVER, NEVER) if played is None else (played.end, sum(played.idle))


def improve(problem: Problem, orders: Orders, trials: int, rng: np.random.Generator) -> Orders:
    """Move errands, do them elsewhere, and keep what makes the plan shorter.

    Simulated annealing. One errand, alone or with those that follow, gets another place in the orders,
    or its place on the map is changed. A longer plan is kept for a while the more readily, the less
    of the trials is over.

    Args:
        problem: the moment.
        orders: that can be carried out.
        trials: how many moves are tried.
        rng: draws them.
    """
    here = best = orders
    played = play(problem, orders)
    worth = bound = value(played)
    for k in range(trials):
        if played is not None and rng.random() < NEARER:
            found = _nearer(here, played, rng)
        else:
            found = _moved(here, rng)
        if found is None:
            continue
        tried = play(problem, found)
        if tried is None:
            continue
        new = value(tried)
        heat = HEAT * (1 - k / trials)
        if new <= worth or rng.random() < math.exp((_sum(worth) - _sum(new)) / max(heat, 1e-9)):
            here, worth, played = found, new, tried
            if worth < bound:
                best, bound = here, worth
    return best


def _sum(worth: tuple[float, float]) -> float:
    """Return the two parts of a plan's value as one number, the end before all."""
    return worth[0] + 0.05 * worth[1]


def _nearer(orders: Orders, played: Played, rng: np.random.Generator) -> Orders | None:
    """Return orders in which one errand is done near where another one is, or wherever is nearest."""
    a = int(rng.integers(len(orders)))
    if not orders[a]:
        return None
    k = int(rng.integers(len(orders[a])))
    near = -1 if rng.random() < 0.3 else played.starts[int(rng.integers(len(played.starts)))].stand
    if near == orders[a][k].near:
        return None
    order = (*orders[a][:k], orders[a][k]._replace(near=near), *orders[a][k + 1 :])
    return (*orders[:a], order, *orders[a + 1 :])


def _moved(orders: Orders, rng: np.random.Generator) -> Orders | None:
    """Return orders of which a short run was taken out and put in elsewhere."""
    full = [a for a, order in enumerate(orders) if order]
    if not full:
        return None
    a = full[int(rng.integers(len(full)))]
    order = orders[a]
    first = int(rng.integers(len(order)))
    part = order[first : first + 1 + int(rng.integers(3))]
    lists = [list(o) for o in orders]
    del lists[a][first : first + len(part)]
    b = a if rng.random() < 0.7 else int(rng.integers(len(orders)))
    to = int(rng.integers(len(lists[b]) + 1))
    if b == a and to == first:
        return None
    lists[b][to:to] = part
    return tuple(map(tuple, lists))


class ErrandAgent(RuleAgent):
    """Plans errands and keeps to the plan until something is not as it was to be.

    Where there is no map to walk on, or the task has what errands leave out (see the module),
    it plays by the rule ``critical_path``, which the trace says.

    Attributes:
        sites: for each row of the latest answer the cell where it is to be done, None for anywhere.
    """

    travels = True

    def __init__(self, trials: int = 4000) -> None:
        """Make an agent.

        Args:
            trials: moves that are tried to improve a plan.
        """
        super().__init__("critical_path")
        self._trials = trials

    def reset(self, seed: int) -> None:
        """Forget the last episode and draw from ``seed`` from now on."""
        super().reset(seed)
        self._queues: list[list[Start]] = []
        self._twins: list[int] = []
        self._given: dict[int, tuple[Start, int]] = {}
        self.sites: list[tuple[int, int] | None] = []
        self._begun: dict[int, int] = {}
        self._due = NEVER

    def act(self, observation: Observation) -> Actions:
        """Return one action per row of the mask."""
        task, view = observation.task, observation.world
        structure = self._memory.of(task)
        if structure is None or not isinstance(view, GridView) or not _simple(structure):
            return super().act(observation)
        wait = len(task.names)
        self._take_back(observation)
        reason = self._stale(task, view)
        if reason:
            self._plan(structure, task, view)
        actions = self._next(observation)
        stuck = not any(word == "running" for word in task.status) and bool(candidates(observation.mask))
        if stuck and not reason and all(a == wait for a in actions):
            reason = "nobody could go on"
            self._plan(structure, task, view)
            actions = self._next(observation)
        if stuck and all(a == wait for a in actions):
            return super().act(observation)
        return self._note(task, actions, f"errands: {reason}" if reason else "errands")

    def _take_back(self, observation: Observation) -> None:
        """Put back into the queues of bodies that are free what they were given and have not begun.

        Of subtasks that are twins only the number is known: how many were begun and are no
        longer attended to, against how many were given.
        """
        task, view, mask = observation.task, observation.world, observation.mask
        first = _first_row(view)
        for a in [a for a in self._given if mask[a - first, :-1].any()]:
            given, owned = self._given.pop(a)
            kind = self._twins[given.subtask]
            tool = self._tool(task, given.subtask)
            if tool and view.bodies[a].stock:
                made = view.bodies[a].stock.get(tool, 0) > owned
            else:
                made = self._over(task, kind) > self._begun.get(kind, 0)
            if made:
                self._begun[kind] = self._begun.get(kind, 0) + 1
            else:
                self._queues[a].insert(0, given)

    @staticmethod
    def _tool(task: TaskView, subtask: int) -> str:
        """Return the item that a subtask makes and nothing uses up, empty if there is none."""
        graph = task.graph
        assert graph is not None
        used = {k for s in graph.subtasks for k, _ in s.consumes}
        made = (k for k, _ in graph.subtasks[subtask].produces if k not in used)
        return next((graph.items[k].name for k in made), "")

    def _over(self, task: TaskView, kind: int) -> int:
        """Return how many runs of a subtask and its twins were begun that nobody attends to any more."""
        alike = [i for i, first in enumerate(self._twins) if first == kind]
        names = {task.names[i] for i in alike}
        now = sum(agent.attends in names for agent in task.agents if agent.attends is not None)
        return sum(task.runs[i].starts for i in alike) - now if task.runs else now

    def _next(self, observation: Observation) -> Actions:
        """Take the head of each body's queue, where the mask allows it or a twin of it."""
        mask, first = observation.mask, _first_row(observation.world)
        wait = mask.shape[1] - 1
        actions = np.full(mask.shape[0], wait, dtype=np.int64)
        self.sites = [None] * mask.shape[0]
        for row in range(mask.shape[0]):
            a = first + row
            queue = self._queues[a] if a < len(self._queues) else []
            if not queue or not mask[row, :wait].any():
                continue
            # Of twins the world starts the first that can be started, so that one is asked for.
            alike = (
                i for i in range(wait) if mask[row, i] and self._twins[i] == self._twins[queue[0].subtask]
            )
            actions[row] = next((i for i in alike if i not in actions), wait)
            if actions[row] != wait:
                given = queue.pop(0)
                tool = self._tool(observation.task, given.subtask)
                self._given[a] = given, observation.world.bodies[a].stock.get(tool, 0)
                if given.target >= 0:
                    self.sites[row] = self._grid.cell(given.target)
        return actions

    def _stale(self, task: TaskView, view: GridView) -> str:
        """Return why a new plan is needed, empty if it is not."""
        if not self._queues:
            return "first plan"
        if view.moving or view.radius:
            return "what is seen has changed"
        if not any(self._queues):
            return "" if "running" in task.status else "the plan is over"
        graph = task.graph
        assert graph is not None
        endless = {self._twins[i] for i, s in enumerate(graph.subtasks) if s.repeatable}
        ahead = (self._twins[start.subtask] for queue in self._queues for start in queue)
        planned = Counter(kind for kind in ahead if kind not in endless)
        left = Counter(self._twins[i] for i, word in enumerate(task.status) if word in ("locked", "eligible"))
        if planned - left:
            return "something is done or cannot be done any more"
        return "the plan is late" if task.time > self._due else ""

    def _plan(self, structure: Structure, task: TaskView, view: GridView) -> None:
        """Make a plan from here."""
        problem = problem_of(structure, task, view)
        self._grid = problem.travel.grid
        self._twins = twins(structure, view)
        self._given = {a: given for a, given in self._given.items() if not task.agents[a].idle}
        self._begun = {kind: self._over(task, kind) for kind in self._twins}
        best = first_orders(problem, self._trials // 20, self._draws)
        if best is None:
            self._queues, self._due = [[] for _ in view.bodies], NEVER
            return
        best = improve(problem, best, self._trials, self._draws)
        played = play(problem, best)
        starts = () if played is None else played.starts
        end = task.time if played is None else played.end
        self._queues = [[start for start in starts if start.body == a] for a in range(len(best))]
        self._due = task.time + 1.3 * (end - task.time) + 20


def twins(structure: Structure, view: GridView) -> list[int]:
    """Return ``[n]`` for each subtask the first that is done in the same way, to the same effect."""
    first: dict[object, int] = {}
    found = []
    for i, s in enumerate(structure.graph.subtasks):
        rules = tuple((r.action, r.at, r.thing, r.near) for r in view.rules.get(i, ()))
        facts = (s.consumes, s.requires, s.produces, structure.expected[i], s.attended)
        found.append(first.setdefault((rules, facts, structure.conditions[i]) if rules else i, i))
    return found


def _first_row(view: GridView) -> int:
    """Return the body whose row of the mask is the first: its own, for one who decides for itself."""
    return 0 if view.viewer is None else view.viewer


def _simple(structure: Structure) -> bool:
    """Return whether a task has nothing that errands leave out."""
    graph = structure.graph
    if graph.goal is None or graph.constraints or graph.choices or graph.resources:
        return False
    return all(s.agents == 1 and not s.lags and s.deadline is None for s in graph.subtasks)


def problem_of(structure: Structure, task: TaskView, view: GridView) -> Problem:
    """Return what is seen as a problem to plan for; who decides for itself plans as if alone."""
    graph, travel = structure.graph, Travel(view)
    numbers = {item.name: k for k, item in enumerate(graph.items)}
    done: dict[int, float] = {}
    for i, word in enumerate(task.status):
        if word == "done":
            done[i] = float(task.time)
        elif word == "running":
            begun = task.runs[i].started
            done[i] = (task.time if begun is None else begun) + structure.expected[i]
    common = not any(body.stock for body in view.bodies)
    owned = [task.stock] if common else [body.stock for body in view.bodies]
    stocks = [{numbers[name]: n for name, n in stock.items() if name in numbers} for stock in owned]
    free_at = []
    for agent, body in zip(task.agents, view.bodies, strict=True):
        until = task.time if agent.idle or agent.free_at is None else agent.free_at
        free_at.append(NEVER if body.down else float(until))
        if agent.attends is not None and not agent.idle:
            i = graph.names.index(agent.attends)
            purse = stocks[0 if common else len(free_at) - 1]
            if body.ready and not common:  # it is still under way, and has not paid
                for k, n in graph.subtasks[i].consumes:
                    purse[k] = max(0, purse.get(k, 0) - n)
            for k, n in graph.subtasks[i].produces:
                purse[k] = purse.get(k, 0) + n
    return Problem(
        structure,
        travel,
        task.time,
        [travel.place_of(b) if view.viewer in (None, b) else -1 for b in range(len(view.bodies))],
        free_at,
        [body.pace for body in view.bodies],
        done,
        stocks,
        common,
    )
