"""Bounds on what any play of a task can reach, by arithmetic alone.

Owns lengths and loads that follow from the graph without search: earliest times
(through threshold gates), lengths of what follows, and from them a lower bound on
the makespan and an upper bound on the reward. Everything here ignores deletions,
and takes the shortest duration, the latest deadline and the largest capacity that
any event can bring, so the bounds hold for every play and every draw. Exact
values are the business of ``optimum``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stratagym.envs.task.graph import TRUE, TaskGraph


@dataclass(frozen=True, slots=True)
class Ease:
    """The most favourable data that any play can meet, one entry per subtask or resource.

    Attributes:
        shortest: shortest possible duration in ticks.
        attended: fewest ticks that its agents are busy.
        deadline: latest deadline, None if there is none or one is lifted.
        release: first tick at which it may start and has appeared.
        capacity: largest capacity of each resource.
        able: agents that have the skill of the subtask.
    """

    shortest: tuple[int, ...]
    attended: tuple[int, ...]
    deadline: tuple[int | None, ...]
    release: tuple[int, ...]
    capacity: tuple[int, ...]
    able: tuple[int, ...]


def ease(graph: TaskGraph) -> Ease:
    """Return the most favourable data that any play of the task can meet."""
    shortest = [s.duration.shortest for s in graph.subtasks]
    deadline = [s.deadline for s in graph.subtasks]
    release = [s.release for s in graph.subtasks]
    capacity = [r.capacity for r in graph.resources]
    for event in graph.events:
        for place, i in enumerate(event.targets):
            match event.kind:
                case "duration":
                    shortest[i] = min(shortest[i], event.durations[place].shortest)
                case "deadline":
                    before = deadline[i]
                    deadline[i] = None if before is None else max(before, event.amounts[place])
                case "appear":
                    release[i] = max(release[i], event.at[0])
                case "capacity":
                    capacity[i] = max(capacity[i], event.amounts[place])
                case _:
                    pass
    able = [sum(s.skill is None or s.skill in a.skills for a in graph.agents) for s in graph.subtasks]
    busy = [
        d if s.attended is None else min(d, s.attended) for d, s in zip(shortest, graph.subtasks, strict=True)
    ]
    return Ease(tuple(shortest), tuple(busy), tuple(deadline), tuple(release), tuple(capacity), tuple(able))


@dataclass(frozen=True, slots=True)
class Heads:
    """Earliest times, ignoring agents, capacity and deletions.

    Attributes:
        start: earliest start of each subtask, None if it can never start.
        completion: earliest success, None if it can never succeed.
        node: earliest tick at which each node (subtasks, then gates) can hold, None for never.
    """

    start: tuple[int | None, ...]
    completion: tuple[int | None, ...]
    node: tuple[int | None, ...]

    def goal(self, graph: TaskGraph) -> int | None:
        """Return the earliest tick at which the goal can hold, None if it cannot."""
        if graph.goal is None or graph.goal == TRUE:
            return 0
        return self.node[graph.goal]


def heads(graph: TaskGraph) -> Heads:
    """Return the earliest times of all subtasks and nodes.

    A fixed point from "never": a node is reached when enough of its literals are, a
    negative literal at once, so cycles through ``needs`` support nothing by themselves.
    """
    best = ease(graph)
    n = len(graph.subtasks)
    node: list[float] = [math.inf] * (n + len(graph.gates))
    start: list[float] = [math.inf] * n
    makers: dict[int, list[int]] = {}
    for i, s in enumerate(graph.subtasks):
        for item, _ in s.produces:
            makers.setdefault(item, []).append(i)
    possible = [i for i in range(n) if _possible(graph, best, i)]
    stocked = [_first_stock(graph, item) for item in range(len(graph.items))]
    changed = True
    while changed:
        changed = False
        for g, gate in enumerate(graph.gates):
            when = sorted([node[p] for p in gate.positive] + [0.0] * len(gate.negative))
            node[n + g] = 0.0 if gate.count <= 0 else (when + [math.inf] * gate.count)[gate.count - 1]
        for i in possible:
            s = graph.subtasks[i]
            first: float = max(best.release[i], 0.0 if s.needs == TRUE else node[s.needs])
            for lag in s.lags:
                if i not in lag.predecessors:
                    source = node if lag.origin == "completion" else start
                    first = max(first, min(source[p] for p in lag.predecessors) + lag.minimum)
            for item, amount in (*s.consumes, *s.requires):
                if amount > graph.items[item].stock:
                    made = min((node[p] for p in makers.get(item, ())), default=math.inf)
                    first = max(first, min(made, stocked[item]))
            limit = best.deadline[i]
            if limit is not None and first + best.shortest[i] > limit:
                continue
            if first < start[i]:
                start[i] = first
                changed = True
                if s.success > 0:
                    node[i] = first + best.shortest[i]
    return Heads(_whole(start), _whole(node[:n]), _whole(node))


def _possible(graph: TaskGraph, best: Ease, i: int) -> bool:
    """Return whether agents and capacities could ever suffice for a subtask."""
    s = graph.subtasks[i]
    return s.agents <= best.able[i] and all(best.capacity[r] >= amount for r, amount in s.uses)


def _first_stock(graph: TaskGraph, item: int) -> float:
    """Return the first tick at which an event can add to an item."""
    ticks = [
        event.at[0]
        for event in graph.events
        if event.kind == "stock"
        for target, amount in zip(event.targets, event.amounts, strict=True)
        if target == item and amount > 0
    ]
    return min(ticks, default=math.inf)


def _whole(values: Iterable[float]) -> tuple[int | None, ...]:
    """Return times as integers, None for never."""
    return tuple(None if math.isinf(v) else int(v) for v in values)


def relevant(graph: TaskGraph) -> frozenset[int]:
    """Return the subtasks that can help the goal (all of them if there is none).

    Those that the goal wants done, and, again and again, those that a helpful one wants
    done in its needs, waits for in a lag, or may take items from. Whatever must be done to
    keep something from spoiling or to satisfy a formula is not looked for.
    """
    n = len(graph.subtasks)
    if graph.goal is None:
        return frozenset(range(n))
    makers: dict[int, list[int]] = {}
    for i, s in enumerate(graph.subtasks):
        for item, _ in s.produces:
            makers.setdefault(item, []).append(i)
    seen: set[tuple[int, bool]] = set()
    todo = [(graph.goal, True)]
    while todo:
        node, wanted = todo.pop()
        if node == TRUE or (node, wanted) in seen:
            continue
        seen.add((node, wanted))
        if node >= n:
            gate = graph.gates[node - n]
            todo += [(p, wanted) for p in gate.positive] + [(p, not wanted) for p in gate.negative]
        elif wanted:
            s = graph.subtasks[node]
            todo.append((s.needs, True))
            todo += [(p, True) for lag in s.lags for p in lag.predecessors]
            todo += [(p, True) for item, _ in (*s.consumes, *s.requires) for p in makers.get(item, ())]
    return frozenset(node for node, wanted in seen if wanted and node < n)


def predecessors(graph: TaskGraph) -> tuple[frozenset[int], ...]:
    """Return for each subtask those that its needs and lags name unnegated."""
    n = len(graph.subtasks)
    below: list[frozenset[int]] = []
    for gate in graph.gates:
        parts = [frozenset([p]) if p < n else below[p - n] for p in gate.positive if p != TRUE]
        below.append(frozenset().union(*parts))
    result = []
    for i, s in enumerate(graph.subtasks):
        named = frozenset([s.needs]) if 0 <= s.needs < n else frozenset()
        named = below[s.needs - n] if s.needs >= n else named
        result.append(named.union(*(lag.predecessors for lag in s.lags)) - {i})
    return tuple(result)


def tails(graph: TaskGraph, known: Heads | None = None) -> tuple[int, ...]:
    """Return for each subtask the longest chain of work that may follow it, in ticks.

    The chain runs through everything that names the subtask unnegated in its needs or
    lags, counts shortest durations and least lags from completion, stays among what can
    help the goal, and follows an edge only forward in earliest time, so cycles end. A
    priority for dispatching rules; with alternatives in the needs it bounds nothing.
    """
    known = known or heads(graph)
    best = ease(graph)
    useful = relevant(graph)
    before = predecessors(graph)
    wait = [
        {p: lag.minimum for lag in s.lags if lag.origin == "completion" for p in lag.predecessors}
        for s in graph.subtasks
    ]
    ready = {j: start for j in useful if (start := known.start[j]) is not None}
    tail = [0] * len(graph.subtasks)
    for j in sorted(ready, key=lambda j: -ready[j]):
        for p in before[j]:
            done = known.completion[p]
            if done is not None and done <= ready[j]:
                tail[p] = max(tail[p], wait[j].get(p, 0) + best.shortest[j] + tail[j])
    return tuple(tail)


def unreachable(graph: TaskGraph) -> frozenset[int]:
    """Return the subtasks that provably can never start."""
    return frozenset(i for i, start in enumerate(heads(graph).start) if start is None)


@dataclass(frozen=True, slots=True)
class _Must:
    """What must succeed before the goal can hold.

    Attributes:
        single: subtasks that must.
        groups: disjoint sets of subtasks, of each of which at least one must.
        tail: ticks from the success of one of ``single`` to the goal, at least.
    """

    single: frozenset[int]
    groups: tuple[frozenset[int], ...]
    tail: tuple[int, ...]


def _must(graph: TaskGraph, known: Heads) -> _Must:
    """Follow conjunctions back from the goal."""
    n = len(graph.subtasks)
    best = ease(graph)
    single: set[int] = set()
    groups: set[frozenset[int]] = set()
    edges: list[tuple[int, int, int]] = []

    def follow(node: int, owner: int) -> None:
        todo = [node]
        while todo:
            here = todo.pop()
            if here == TRUE:
                continue
            if here < n:
                edges.append((here, owner, 0))
                continue
            gate = graph.gates[here - n]
            if gate.count == len(gate.positive) + len(gate.negative):
                todo += gate.positive
            elif gate.count >= 1 and not gate.negative and all(p < n for p in gate.positive):
                groups.add(frozenset(gate.positive))

    follow(TRUE if graph.goal is None else graph.goal, -1)
    place = 0
    while place < len(edges):
        i = edges[place][0]
        place += 1
        if i in single:
            continue
        single.add(i)
        follow(graph.subtasks[i].needs, i)
        for lag in graph.subtasks[i].lags:
            if lag.origin == "completion" and len(lag.predecessors) == 1:
                edges.append((lag.predecessors[0], i, lag.minimum))
            elif lag.origin == "completion":
                groups.add(frozenset(lag.predecessors))
    tail = [0] * n
    order = sorted(single, key=lambda i: -(known.start[i] or 0))
    after: dict[int, list[tuple[int, int]]] = {}
    for p, j, least in edges:
        if j >= 0:
            after.setdefault(p, []).append((j, least))
    for i in order:
        tail[i] = max((least + best.shortest[j] + tail[j] for j, least in after.get(i, ())), default=0)
    apart: list[frozenset[int]] = []
    for group in sorted(groups, key=sorted):
        if not group & single and not any(group & other for other in apart):
            apart.append(group)
    return _Must(frozenset(single), tuple(apart), tuple(tail))


def lower_bound(graph: TaskGraph) -> int | None:
    """Return a makespan that no play can beat, None if the goal provably cannot be reached.

    The largest of the critical path through the gates and, for every resource, skill and
    the agents as a whole, the work that must be done between earliest starts and least
    tails, shared by all units (a relaxation of Carlier's one-machine bound, 1982).
    """
    known = heads(graph)
    path = known.goal(graph)
    if path is None or (graph.horizon is not None and path > graph.horizon):
        return None
    must = _must(graph, known)
    best = ease(graph)
    bound = path
    for r, capacity in enumerate(best.capacity):
        jobs = _jobs(graph, must, known, [(i, *_load(graph, best, i, r)) for i in range(len(graph.subtasks))])
        bound = max(bound, _work_bound(jobs, capacity))
    for skill in (None, *range(len(graph.skills))):
        able = sum(skill is None or skill in agent.skills for agent in graph.agents)
        loads = [
            (i, best.attended[i] * s.agents * (skill is None or s.skill == skill), best.attended[i])
            for i, s in enumerate(graph.subtasks)
        ]
        bound = max(bound, _work_bound(_jobs(graph, must, known, loads), able))
    return bound if graph.horizon is None or bound <= graph.horizon else None


def _load(graph: TaskGraph, best: Ease, i: int, resource: int) -> tuple[int, int]:
    """Return the work of a subtask on a resource and the ticks it holds it."""
    amount = dict(graph.subtasks[i].uses).get(resource, 0)
    return amount * best.shortest[i], best.shortest[i]


def _jobs(
    graph: TaskGraph, must: _Must, known: Heads, loads: Sequence[tuple[int, int, int]]
) -> list[tuple[int, int, int]]:
    """Return (earliest start, work, ticks between its end and the goal) of what must be done."""
    best = ease(graph)
    jobs = []
    for i in must.single:
        _, work, length = loads[i]
        start = known.start[i]
        if work and start is not None:
            jobs.append((start, work, best.shortest[i] - length + must.tail[i]))
    for group in must.groups:
        usable = [(start, loads[i]) for i in group if (start := known.start[i]) is not None]
        if usable and all(load[1] for _, load in usable):
            start, work = min(s for s, _ in usable), min(load[1] for _, load in usable)
            jobs.append((start, work, min(best.shortest[i] - length for _, (i, _, length) in usable)))
    return jobs


def _work_bound(jobs: list[tuple[int, int, int]], capacity: int) -> int:
    """Return the largest earliest start + work / capacity + tail over subsets of jobs."""
    bound = 0
    if capacity <= 0:
        return bound
    by_tail = sorted(jobs, key=lambda job: -job[2])
    for first in {job[0] for job in jobs}:
        work = 0
        for start, own, tail in by_tail:
            if start >= first:
                work += own
                bound = max(bound, first - (-work // capacity) + tail)
    return bound


def upper_bound_reward(graph: TaskGraph) -> float:
    """Return a total reward that no play can exceed (infinite without a horizon to stop it).

    Every subtask is paid as often as its earliest start, shortest duration, attempts and
    the horizon allow, the modes of one subtask once; then the best use of the agents' time
    by reward per attended tick (a fractional knapsack) is taken if it is less.
    """
    known = heads(graph)
    best = ease(graph)
    horizon = graph.horizon
    groups: dict[int, tuple[float, int]] = {}
    offers: list[tuple[float, int, float]] = []
    for i, s in enumerate(graph.subtasks):
        done = known.completion[i]
        if s.reward <= 0 or done is None or (horizon is not None and done > horizon):
            continue
        work = best.attended[i] * s.agents
        if not s.repeatable:
            paid, least = groups.get(s.pay_group, (0.0, work))
            groups[s.pay_group] = (max(paid, s.reward), min(least, work))
            continue
        limits = [limit for limit in (horizon, best.deadline[i]) if limit is not None]
        times = (min(limits) - done) // best.shortest[i] + 1 if limits else math.inf
        times = min(times, math.inf if s.attempts is None else s.attempts)
        offers.append((s.reward, work, times))
    offers += [(reward, work, 1) for reward, work in groups.values()]
    total = sum(reward * times for reward, _, times in offers)
    if horizon is None or math.isinf(total):
        return float(total)
    return float(min(total, _knapsack(offers, len(graph.agents) * horizon)))


def _knapsack(offers: list[tuple[float, int, float]], ticks: float) -> float:
    """Return the best reward for so many ticks of attention, fractions allowed."""
    total = sum(reward * times for reward, work, times in offers if not work)
    for reward, work, times in sorted((o for o in offers if o[1]), key=lambda o: -o[0] / o[1]):
        share = min(times, ticks / work)
        total += reward * share
        ticks -= share * work
    return total
