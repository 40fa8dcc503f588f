"""Rehearsing a plan with its ways: how long it would take where bodies must walk, and a better one.

Owns the playing of orders of subtasks by the task graph's own rules (``Simulator``) on a *stage*, which
knows the ways and what is carried, and a local search over the orders. Planners of the abstract
world do not know that a hand holds one thing or that a station is far; here their plans are tried
out and put into an order that walks less. What a stage is like is each skill's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from stratagym.agents.base import Plan, PlanStep
from stratagym.agents.planners.structure import Structure
from stratagym.envs.task import layout as at
from stratagym.envs.task.graph import Agent
from stratagym.envs.task.nodes import has
from stratagym.envs.task.simulate import Simulator
from stratagym.envs.task.starts import able, idle

Orders = tuple[tuple[int, ...], ...]
"""By body, the subtasks that it starts, in order; one that takes several bodies is in each one's."""

Value = tuple[float, ...]
"""Compared from the left, higher is better: success, how early, progress."""

TICKS_MOST = 60_000
"""Simulated ticks that one search may take."""

WEIGHTS = ((0.0, 0.0), (0.3, 0.0), (1.0, 0.0), (0.0, 10.0))
"""Of what waits for a subtask, and of what is done before it, in the orders that a search begins with."""

URGENT = 100
"""Ticks of walking that a chance which passes is worth."""

STRIDES = (97, 101, 103)
"""Primes by which the neighbours of an order are gone through."""

PATIENCE = 60
"""Ticks beyond the longest duration or lag in which something must happen."""


class Stage(Protocol):
    """What a place adds to a simulated task: where bodies are, what they hold, what lies where."""

    def clone(self) -> Stage:
        """Return an independent copy."""

    def set_out(self, body: int, subtask: int) -> int | None:
        """Let a body walk to where it can attempt a subtask, fetching what that takes.

        Returns:
            Ticks until the attempt; None, and nothing changes, if it cannot be attempted as things are.
        """

    def begun(self, body: int, subtask: int, allowed: Callable[[int], bool]) -> int:
        """Return what a body's attempt at a subtask starts: where several fit, the world picks one.

        Args:
            body: who attempts, having set out for it.
            subtask: what it means to start.
            allowed: whether the task lets the body start a subtask now.
        """

    def happen(self, subtask: int, kind: str, bodies: Sequence[int]) -> None:
        """Take in an event of a subtask (``start``, ``success``, ``failure``, ``undo``, ``spoil``).

        Args:
            subtask: its number.
            kind: of the event.
            bodies: that take part.
        """


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of some orders.

    Attributes:
        value: how good that is.
        steps: the starts, with the ticks at which bodies set out for them.
        end: tick at the end.
        ticks: simulated.
    """

    value: Value
    steps: tuple[PlanStep, ...]
    end: int
    ticks: int


class Taker(Protocol):
    """Says what a free body does next."""

    def take(
        self, sim: Simulator, stage: Stage, body: int, going: Mapping[int, int]
    ) -> tuple[int, int] | None:
        """Return a subtask and the ticks until its attempt, the body having set out; None to wait.

        Args:
            sim: the present moment.
            stage: the place now, which the setting out changes.
            body: who asks.
            going: what the others are under way to, by body.
        """


class InOrder:
    """Takes subtasks in given orders; one that is over is passed by."""

    def __init__(self, orders: Orders) -> None:
        self._queues = [list(reversed(order)) for order in orders]

    def take(
        self, sim: Simulator, stage: Stage, body: int, going: Mapping[int, int]
    ) -> tuple[int, int] | None:
        """Return the next of the body's order (see ``Taker``)."""
        m, queue = sim.memory, self._queues[body]
        while queue and _over(m, sim.graph.subtasks[queue[-1]].repeatable, queue[-1]):
            queue.pop()
        ticks = stage.set_out(body, queue[-1]) if queue else None
        return None if ticks is None else (queue.pop(), ticks)


class Nearest:
    """Takes what can be started now: the nearest, less so many ticks for each tick of work that waits for it.

    What another run has opened for a limited time (a ``max`` lag) comes before all else.

    Args:
        structure: of the task.
        weight: ticks of walking that one tick of the chain of work behind a subtask is worth.
        depth: ticks of walking that each subtask done before it is worth: to finish what is begun.
    """

    def __init__(self, structure: Structure, weight: float, depth: float = 0.0) -> None:
        self._structure, self._weight, self._depth = structure, weight, depth
        self._behind = _before(structure) if depth else []

    def take(
        self, sim: Simulator, stage: Stage, body: int, going: Mapping[int, int]
    ) -> tuple[int, int] | None:
        """Return the best of what the body may start now (see ``Taker``)."""
        m, graph = sim.memory, sim.graph
        status: list[str] | None = None
        best: tuple[float, int] | None = None
        for i, subtask in enumerate(graph.subtasks):
            if has(m, at.DONE, i) or i not in self._structure.relevant:
                continue
            if not has(m, at.ELIGIBLE, i) or not able(m, body, i):
                continue
            manned = sum(other == i for other in going.values())
            if manned >= subtask.agents:
                continue
            ticks = stage.clone().set_out(body, i)
            if ticks is None:
                continue
            if status is None:
                status = sim.status()
                tails = self._structure.tails(status)
            score = ticks - self._weight * tails[i] - (1000 if manned else 0)
            if self._depth:
                score -= self._depth * self._behind[i]
            if any(
                lag.maximum is not None and has(m, at.DONE, j)
                for lag in subtask.lags
                for j in lag.predecessors
            ):
                score -= URGENT
            if best is None or score < best[0]:
                best = (score, i)
        if best is None:
            return None
        ticks = stage.set_out(body, best[1])
        return None if ticks is None else (best[1], ticks)


def _before(structure: Structure) -> list[int]:
    """Return ``[n]`` how long the longest chain of subtasks before each is."""
    depth = [0] * len(structure.graph.subtasks)
    for i in reversed(structure.order):
        for edge in structure.edges[i]:
            if structure.forward(i, edge.successor):
                depth[edge.successor] = max(depth[edge.successor], depth[i] + 1)
    return depth


def rehearse(
    simulator: Simulator,
    stage: Stage,
    structure: Structure,
    taker: Taker,
    busy: Mapping[int, tuple[int, int]],
) -> Rehearsed:
    """Play on: a body goes to its next subtask as soon as it is free and attempts it as soon as it may.

    Args:
        simulator: where to begin; it is left alone.
        stage: the place at that moment; it is left alone.
        structure: of the simulator's task.
        taker: says what is next.
        busy: bodies that are under way already: the subtask, and the tick of its attempt.
    """
    sim, place = simulator.clone(), stage.clone()
    m, graph = sim.memory, sim.graph
    wait, bodies = len(graph.subtasks), range(len(graph.agents))
    going: dict[int, int] = {b: i for b, (i, _) in busy.items()}
    out: dict[int, int] = dict.fromkeys(busy, sim.time)
    arrival: dict[int, int] = {b: tick for b, (_, tick) in busy.items()}
    steps: list[PlanStep] = []
    starts, begun, quiet, still = 0, sim.time, 0, 0
    lags = [lag.minimum for s in graph.subtasks for lag in s.lags]
    while sim.over is None and quiet <= structure.longest + PATIENCE:
        now = sim.time
        actions = [wait] * len(bodies)
        there: dict[int, list[int]] = {}
        for b in bodies:
            if not idle(m, b):
                continue
            if b not in going:
                taken = taker.take(sim, place, b, going)
                if taken is None:
                    continue
                going[b], out[b], arrival[b] = taken[0], now, now + taken[1]
            if now >= arrival[b]:
                there.setdefault(going[b], []).append(b)
        for i, crew in there.items():
            if len(crew) < graph.subtasks[i].agents or not has(m, at.ELIGIBLE, i):
                continue
            for b in crew[: graph.subtasks[i].agents]:
                alone = graph.subtasks[i].agents == 1
                actions[b] = place.begun(b, i, partial(_startable, sim, b)) if alone else i
        happened = sim.step(actions)
        quiet = 0 if happened else quiet + 1
        for event in happened:
            place.happen(event.subject, event.kind, event.agents)
            if event.kind == "start":
                set_out = min(out.get(b, now) for b in event.agents)
                steps.append(PlanStep(event.subject, event.agents, set_out, begins=now))
                starts += event.tick
                for b in event.agents:
                    going.pop(b, None)
                if graph.subtasks[event.subject].agents == 1:
                    # Who was under way to what another has begun turns to what is next.
                    going = {b: i for b, i in going.items() if i != event.subject}
        # Where nobody does anything, only a lag, a release or an event can let anything start.
        still = 0 if happened or going or m.s[at.RUNS] else still + 1
        if still > max(lags, default=0) and sim.time >= structure.settled:
            break
    progress = sum(structure.expected[i] for i in structure.relevant if has(m, at.DONE, i))
    if graph.goal is None:
        value: Value = (sim.paid, -float(sim.time), -float(starts))
    else:
        value = (float(sim.success), 0.0 if sim.success else progress, -float(sim.time), -float(starts))
    return Rehearsed(value, tuple(steps), sim.time, sim.time - begun)


def _startable(sim: Simulator, body: int, i: int) -> bool:
    """Return whether the task lets a body alone start a subtask now."""
    m = sim.memory
    fresh = not has(m, at.DONE, i) or sim.graph.subtasks[i].repeatable
    return fresh and has(m, at.ELIGIBLE, i) and able(m, body, i) and sim.graph.subtasks[i].agents == 1


def _over(m: at.Memory, repeatable: bool, i: int) -> bool:
    """Return whether a subtask of an order need not be started any more."""
    return has(m, at.RUNNING, i) or (has(m, at.DONE, i) and not repeatable)


def improve(
    simulator: Simulator,
    stage: Stage,
    plan: Plan,
    busy: Mapping[int, tuple[int, int]],
    ticks: int = TICKS_MOST,
) -> Plan:
    """Return the plan in the best order found, with its ways; the plan itself if none can be played.

    The search begins with the plan's own order and with those that come of taking the nearest, and goes on
    from the best: single subtasks are moved to other places of the same body's order, or of a body's
    with the same skills, as long as that helps and the budget lasts. It draws nothing.

    Args:
        simulator: where to begin.
        stage: the place at that moment.
        plan: what is to be started; joint subtasks stay in their crews.
        busy: see ``rehearse``.
        ticks: simulated ticks that the search may take.
    """
    graph = simulator.graph
    structure = Structure(graph)
    takers: list[Taker] = [InOrder(_orders(plan.steps, len(graph.agents)))]
    takers += [Nearest(structure, *weights) for weights in WEIGHTS]
    best: Rehearsed | None = None
    for taker in takers:
        tried = rehearse(simulator, stage, structure, taker, busy)
        ticks -= tried.ticks
        if best is None or tried.value > best.value:
            best = tried
    assert best is not None
    orders = _orders(best.steps, len(graph.agents))
    sizes = [s.agents for s in graph.subtasks]
    untried = _neighbours(orders, graph.agents, sizes)
    while ticks > 0 and (other := next(untried, None)) is not None:
        tried = rehearse(simulator, stage, structure, InOrder(other), busy)
        ticks -= max(1, tried.ticks)
        if tried.value > best.value:
            orders, best = other, tried
            untried = _neighbours(orders, graph.agents, sizes)
    if not best.steps or (graph.goal is not None and not best.value[0]):
        return plan
    reason = f"{plan.reason}; rehearsed to {best.end}"
    return Plan(best.steps, plan.made, best.end, reason, rehearsed=True)


def _orders(steps: Sequence[PlanStep], bodies: int) -> Orders:
    """Return each body's part of some steps."""
    return tuple(tuple(step.subtask for step in steps if b in step.crew) for b in range(bodies))


def _neighbours(orders: Orders, agents: Sequence[Agent], sizes: Sequence[int]) -> Iterator[Orders]:
    """Yield the orders in which one subtask has another place, in an order that mixes near and far."""
    moves: list[tuple[int, int, int, int]] = []
    for b, order in enumerate(orders):
        for k, i in enumerate(order):
            for c, other in enumerate(orders):
                if c != b and (sizes[i] > 1 or agents[b].skills != agents[c].skills):
                    continue
                moves += [(b, k, c, p) for p in range(len(other) + (c != b)) if c != b or p != k]
    stride = next((s for s in STRIDES if len(moves) % s), 1)
    for n in range(len(moves)):
        b, k, c, place = moves[n * stride % len(moves)]
        lists = [list(order) for order in orders]
        i = lists[b].pop(k)
        lists[c].insert(place, i)
        if sizes[i] > 1:
            _move_with(lists, b, i, place)
        yield tuple(map(tuple, lists))


def _move_with(lists: list[list[int]], b: int, i: int, place: int) -> None:
    """Move a joint subtask in its other bodies' orders to about the same place."""
    share = place / max(1, len(lists[b]) - 1)
    for c, other in enumerate(lists):
        if c != b and i in other:
            other.remove(i)
            other.insert(round(share * len(other)), i)
