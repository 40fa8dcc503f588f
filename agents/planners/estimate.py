"""How far a state still is from its goal, or from what it can still earn: a search's compass.

Owns two estimates that need no simulation. Both look at one relaxation, in which
nothing is undone and nobody waits for a resource, and then at how much work it asks for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from stratagym.agents.planners.dispatch import Situation
from stratagym.agents.planners.structure import Formula, Literal, Structure

NEVER = math.inf


def completions(situation: Situation, ends: Mapping[int, float]) -> list[float]:
    """Return ``[n]`` the earliest tick at which each could be done, infinite if it never can.

    Args:
        situation: the task and its state.
        ends: when each running subtask is expected to end.
    """
    structure, now = situation.structure, float(situation.time)
    fixed: dict[int, float] = {}
    for i, word in enumerate(situation.status):
        if word in ("done", "running"):
            fixed[i] = now if word == "done" else ends.get(i, now)
        elif word in ("failed", "closed"):
            fixed[i] = NEVER
    ticks = [fixed.get(i, NEVER) for i in range(len(situation.status))]
    for _ in range(len(ticks)):
        changed = False
        for i in reversed(structure.order):
            if i in fixed:
                continue
            tick = _start(structure, ticks, situation, i) + structure.expected[i]
            deadline = structure.graph.subtasks[i].deadline
            if deadline is not None and tick > deadline:
                tick = NEVER
            if tick < ticks[i]:
                changed, ticks[i] = True, tick
        if not changed or structure.acyclic:
            break
    return ticks


def _start(structure: Structure, ticks: Sequence[float], situation: Situation, i: int) -> float:
    """Return the earliest start of one subtask, given the others' completions."""
    if situation.status[i] == "eligible":
        return float(situation.time)
    subtask = structure.graph.subtasks[i]
    tick = max(float(situation.time), float(subtask.release), _met(structure.conditions[i], ticks, situation))
    for lag in subtask.lags:
        if lag.origin == "completion" and lag.minimum:
            since = [situation.succeeded.get(j, ticks[j]) for j in lag.predecessors]
            tick = max(tick, min(since, default=tick) + lag.minimum)
    for k, amount in (*subtask.consumes, *subtask.requires):
        if situation.stock.get(structure.graph.items[k].name, amount) < amount:
            tick = max(tick, min((ticks[j] for j in structure.producers[k]), default=NEVER))
    return tick


def _met(formula: Formula, ticks: Sequence[float], situation: Situation) -> float:
    """Return the earliest tick at which a formula could hold."""
    if isinstance(formula, Literal):
        if formula.positive:
            return ticks[formula.subtask]
        return NEVER if situation.status[formula.subtask] == "done" else 0.0
    if formula.count == 0:
        return 0.0
    if formula.count > len(formula.parts):
        return NEVER
    return sorted(_met(part, ticks, situation) for part in formula.parts)[formula.count - 1]


def _support(
    formula: Formula, ticks: Sequence[float], situation: Situation, found: set[int], stack: list[int]
) -> None:
    """Add the subtasks by which a formula holds earliest to ``found`` and ``stack``."""
    if isinstance(formula, Literal):
        if formula.positive and formula.subtask not in found and situation.status[formula.subtask] != "done":
            found.add(formula.subtask)
            stack.append(formula.subtask)
        return
    for part in sorted(formula.parts, key=lambda p: _met(p, ticks, situation))[: formula.count]:
        _support(part, ticks, situation, found, stack)


def finish(situation: Situation, ends: Mapping[int, float]) -> tuple[float, float, float]:
    """Return when the goal could be reached, when it is likely to be, and the work that is left for it.

    The first counts the longest chain only, and no plan is faster. The second is the
    largest of this, the agents' load and each resource's load, over the subtasks
    by which the goal can hold earliest; others may ask for less.
    """
    structure, now = situation.structure, float(situation.time)
    if structure.goal is None:
        return now, now, 0.0
    ticks = completions(situation, ends)
    end = max(now, _met(structure.goal, ticks, situation))
    if math.isinf(end):
        return NEVER, NEVER, NEVER
    found: set[int] = set()
    stack: list[int] = []
    _support(structure.goal, ticks, situation, found, stack)
    while stack:
        i = stack.pop()
        if situation.status[i] != "running":
            _support(structure.conditions[i], ticks, situation, found, stack)
            for k, amount in (*structure.graph.subtasks[i].consumes, *structure.graph.subtasks[i].requires):
                if situation.stock.get(structure.graph.items[k].name, amount) < amount:
                    best = min(structure.producers[k], key=lambda j: ticks[j], default=None)
                    if best is not None:
                        _support(Literal(best), ticks, situation, found, stack)
    return (end, *_loaded(structure, situation, ends, found, end))


def _loaded(
    structure: Structure, situation: Situation, ends: Mapping[int, float], found: set[int], end: float
) -> tuple[float, float]:
    """Return the later of ``end`` and what the load of the found subtasks asks for, and the load."""
    graph, now = structure.graph, float(situation.time)
    held = [0.0] * len(graph.resources)
    attended = total = 0.0
    for i in found:
        s = graph.subtasks[i]
        running = situation.status[i] == "running"
        left = ends.get(i, now) - now if running else structure.expected[i]
        spent = structure.expected[i] - left
        busy = left if s.attended is None else max(0.0, min(float(s.attended), structure.expected[i]) - spent)
        attended += busy * s.agents
        total += left
        for k, amount in s.uses:
            held[k] += left * amount
    end = max(end, now + attended / len(graph.agents))
    for k, load in enumerate(held):
        if load:
            end = max(end, now + load / max(1, graph.resources[k].capacity))
    return end, total


def earnings(situation: Situation, ends: Mapping[int, float]) -> float:
    """Return an estimate of the reward that can still be earned by the horizon.

    All that could be complete in time, the best reward for the agents' attention
    first, as far as the agents have time for it.
    """
    structure, now = situation.structure, float(situation.time)
    graph = structure.graph
    horizon = NEVER if graph.horizon is None else float(graph.horizon)
    ticks = completions(situation, ends)
    offers = []
    for i, reward in enumerate(situation.payable()):
        if reward > 0 and ticks[i] <= horizon:
            s, work = graph.subtasks[i], structure.expected[i]
            busy = (
                0.0
                if situation.status[i] == "running"
                else work
                if s.attended is None
                else min(s.attended, work)
            )
            offers.append((reward, busy * s.agents))
    room, total = (horizon - now) * len(graph.agents), 0.0
    for reward, busy in sorted(offers, key=lambda offer: (-offer[0] / max(offer[1], 0.5), offer[1])):
        share = 1.0 if busy <= room else room / busy
        total += reward * share
        room -= busy * share
    return total


def lateness(situation: Situation, ends: Mapping[int, float]) -> float:
    """Return an estimate of the weighted tardiness of what has not succeeded yet."""
    ticks = completions(situation, ends)
    total = 0.0
    for due in situation.structure.graph.dues:
        if not any(i in situation.succeeded for i in due.members):
            late = min((ticks[i] for i in due.members), default=0.0) - due.due
            total += due.weight * max(0.0, late) if late < NEVER else 0.0
    return total
