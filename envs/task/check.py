"""What is legal in a task but hardly meant: the warnings of ``check``, and a summary.

Owns the reasoning from earliest times (``bounds``) and from what must be done
together, which proves a subtask or the goal out of reach; it is sound, so a warning
is always true, and incomplete. Faults are for ``compose``; they never get here.
"""

from __future__ import annotations

from collections.abc import Iterable

from stratagym.envs.task.bounds import Heads, ease, heads, relevant
from stratagym.envs.task.document import Task
from stratagym.envs.task.exclusion import Exclusion
from stratagym.envs.task.faults import quote
from stratagym.envs.task.graph import TRUE, Constraint, TaskGraph, holds
from stratagym.envs.task.temptation import temptation


def warnings_of(task: Task) -> list[str]:
    """Return one line for each thing in a task that is legal but hardly meant.

    Args:
        task: the loaded task.

    Returns:
        The warnings in a fixed order, empty for a clean task.
    """
    graph = task.graph
    known, exclusion = heads(graph), Exclusion(graph)
    lines = [*_subtasks(graph, known, exclusion)]
    lines += _constraints(graph, known)
    unreachable = _goal_fault(graph, known, exclusion)
    if unreachable:
        lines.append(f"goal: {unreachable}")
    lines += _rewards(graph)
    lines += _dues(graph)
    if graph.goal is not None and graph.constraints and graph.horizon is None:
        lines.append(
            "goal: it waits for constraints, but without a horizon it may wait for ever; set `horizon`"
        )
    earned = None if unreachable else temptation(graph)
    if earned:
        lines.append(f"goal: avoiding it earns {earned[0]:g}, reaching it at most {earned[1]:g}")
    return lines


def summary(task: Task) -> str:
    """Return a few words on a task: name, counts, horizon, agents, goal."""
    graph = task.graph
    counts = {
        "subtask": len(graph.subtasks),
        "task": sum(not c.inline and c.kind not in ("family", "modes") for c in graph.compositions),
        "agent": len(graph.agents),
        "resource": len(graph.resources),
        "item": len(graph.items),
        "constraint": len(graph.constraints),
        "event": len(graph.events),
    }
    parts = [f"{n} {word}{'' if n == 1 else 's'}" for word, n in counts.items() if n]
    horizon = "no horizon" if graph.horizon is None else f"horizon {graph.horizon}"
    goal = task.to_dict().get("goal")
    said = "no goal" if goal is None else f"goal {goal if goal is not True else 'true'}"
    return f"{task.name}: {', '.join(parts)}; {horizon}; {said}"


def _subtasks(graph: TaskGraph, known: Heads, exclusion: Exclusion) -> Iterable[str]:
    best = ease(graph)
    for i, s in enumerate(graph.subtasks):
        who, start, shortest = f"subtask {quote(s.name)}", known.start[i], best.shortest[i]
        end, release = best.deadline[i], best.release[i]
        contradiction = exclusion.fault(s.needs, i)
        if best.able[i] < s.agents:
            skill = "" if s.skill is None else f" the skill {quote(graph.skills[s.skill])}"
            if best.able[i] == 0:
                yield f"{who}: no agent has{skill}"
            else:
                yield f"{who}: {s.agents} agents must have{skill}, but only {best.able[i]} do"
        elif end is not None and release + shortest > end:
            window = f"release {release} and deadline {end}"
            yield f"{who}: no duration fits between {window} (the shortest is {shortest})"
        elif graph.horizon is not None and release + shortest > graph.horizon:
            yield f"{who}: no duration fits between release {release} and the horizon {graph.horizon}"
        elif contradiction:
            yield f"{who}: nothing can ever enable it: {contradiction}"
        elif start is None:
            yield f"{who}: nothing can ever enable it"
        elif graph.horizon is not None and start + shortest > graph.horizon:
            yield (
                f"{who}: nothing can ever enable it in time: it ends at {start + shortest} at the earliest, "
                f"after the horizon {graph.horizon}"
            )


def _constraints(graph: TaskGraph, known: Heads) -> Iterable[str]:
    for k, constraint in enumerate(graph.constraints):
        if not _satisfiable(graph, constraint, known):
            yield f"constraints[{k}]: {quote(constraint.text)} can never be satisfied"


def _goal_fault(graph: TaskGraph, known: Heads, exclusion: Exclusion) -> str:
    """Return why the goal can never hold, or an empty string."""
    if graph.goal is None:
        return ""
    earliest = known.goal(graph)
    if earliest is None:
        return "it can never be reached"
    if graph.horizon is not None and earliest > graph.horizon:
        return f"it is reached at {earliest} at the earliest, after the horizon {graph.horizon}"
    contradiction = exclusion.fault(graph.goal)
    if contradiction:
        return f"it can never be reached: {contradiction}"
    if any(not _satisfiable(graph, c, known) for c in graph.constraints):
        return "it can never be reached, since a constraint cannot be satisfied"
    return ""


def _satisfiable(graph: TaskGraph, constraint: Constraint, known: Heads) -> bool:
    """Return whether some trace of letters that are not proved impossible is accepted."""
    first = always = free = 0
    for bit, atom in enumerate(constraint.atoms):
        if atom.kind == "done":
            possible = atom.node == TRUE or known.node[atom.node] is not None
            first |= holds(graph, atom.node, ()) << bit
        else:
            possible = any(known.start[i] is not None for i in atom.members)
        free |= possible << bit
    letters = _subsets(free)
    automaton = constraint.automaton
    seen = {automaton.table[automaton.initial][first | always]}
    waiting = list(seen)
    while waiting:
        state = waiting.pop()
        if automaton.accepting[state]:
            return True
        found = {automaton.table[state][letter] for letter in letters} - seen
        seen |= found
        waiting += found
    return False


def _subsets(mask: int) -> list[int]:
    """Return every number whose ones are ones of the mask."""
    subsets, part = [0], mask
    while part:
        subsets.append(part)
        part = (part - 1) & mask
    return subsets


def _rewards(graph: TaskGraph) -> Iterable[str]:
    if graph.horizon is not None:
        return
    spoilable = {
        p
        for s in graph.subtasks
        for lag in s.lags
        if lag.origin == "completion" and lag.maximum is not None
        for p in lag.predecessors
    }
    for i, s in enumerate(graph.subtasks):
        if s.reward > 0 and s.attempts is None and s.deadline is None and (s.repeatable or i in spoilable):
            how = "repeatable" if s.repeatable else "spoilable"
            yield f"subtask {quote(s.name)}: a {how} reward without bound; set `horizon` or `attempts`"


def _dues(graph: TaskGraph) -> Iterable[str]:
    if graph.goal is None:
        return
    asked = relevant(graph)
    for due in graph.dues:
        if asked.isdisjoint(due.members):
            yield f"subtask {quote(due.name)}: it has a `due`, but the goal does not ask for it"
