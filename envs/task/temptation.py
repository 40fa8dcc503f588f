"""Whether a task pays more for avoiding its goal than for reaching it.

Owns one question, put to the exact solver for small tasks: the best reward of all
plays against a bound on the best of those that reach the goal. The solver is
imported when the question is worth asking.
"""

from __future__ import annotations

from dataclasses import replace

from stratagym.envs.task.bounds import upper_bound_reward
from stratagym.envs.task.graph import TRUE, TaskGraph

MOST_SUBTASKS = 12
MOST_TICKS = 200
EFFORT = 5.0
"""The solver's limit for each of its two searches, about a second a unit."""


def temptation(graph: TaskGraph) -> tuple[float, float] | None:
    """Return the best reward of all, and a smaller bound for plays that reach the goal.

    Every play that reaches the goal has all parts of it paid. So a bonus on those parts
    bounds what such plays can earn otherwise. What the goal forbids is taken out for them.

    Args:
        graph: the task.

    Returns:
        The two rewards; None if reaching the goal pays as much, or if that cannot be told
        (random, eventful or large tasks, goals that are not a conjunction).
    """
    found = _parts(graph)
    if found is None or not _worth_asking(graph, found[0]):
        return None
    parts, barred = found
    from stratagym.envs.task.optimum import optimum

    bonus = 1.0 + abs(upper_bound_reward(graph)) + sum(max(-s.reward, 0.0) for s in graph.subtasks)
    paid = {i for part in parts for i in part}
    rewarding = replace(
        graph,
        subtasks=tuple(
            replace(s, reward=s.reward + bonus) if i in paid else s for i, s in enumerate(graph.subtasks)
        ),
    )
    if barred:
        never = graph.horizon or 0
        rewarding = replace(
            rewarding,
            subtasks=tuple(
                replace(s, release=never) if i in barred else s for i, s in enumerate(rewarding.subtasks)
            ),
        )
    with_goal = optimum(rewarding, "reward", time_limit=EFFORT)
    done = {run.subtask for run in with_goal.schedule}
    if not all(any(graph.subtasks[i].name in done for i in part) for part in parts):
        return None
    free = optimum(graph, "reward", time_limit=EFFORT)
    most = with_goal.bound - bonus * len(parts)
    if free.value is None or free.value <= most + 1e-6:
        return None
    return free.value, most


def _parts(graph: TaskGraph) -> tuple[list[tuple[int, ...]], set[int]] | None:
    """Return the parts of a goal that is a conjunction, and the subtasks that it forbids.

    A part is a subtask, or modes that are paid together. None if the goal is something else, or
    forbids what could be undone, or what could serve by being started only.
    """
    if graph.goal is None or graph.goal == TRUE:
        return None
    n = len(graph.subtasks)
    found: set[tuple[int, ...]] = set()
    barred: set[int] = set()
    waiting = [graph.goal]
    while waiting:
        node = waiting.pop()
        members: tuple[int, ...] = (node,)
        if node >= n:
            gate = graph.gates[node - n]
            if gate.count == len(gate.positive) + len(gate.negative):
                waiting += gate.positive
                barred |= set(gate.negative)
                continue
            if gate.negative:
                return None
            members = gate.positive
            if gate.count != 1 or any(p >= n for p in members):
                return None
        together = {graph.subtasks[i].pay_group for i in members}
        if len(together) > 1 or sum(s.pay_group in together for s in graph.subtasks) != len(members):
            return None
        if any(graph.subtasks[i].repeatable for i in members):
            return None
        found.add(members)
    parts = sorted(found)
    whole = {i for part in parts for i in part}
    if len(whole) != sum(map(len, parts)) or barred & whole or any(i >= n for i in barred):
        return None
    # A lag can undo what it counts from, or ask for its start alone.
    led = {p for s in graph.subtasks for lag in s.lags for p in lag.predecessors}
    return None if barred & led else (parts, barred)


def _worth_asking(graph: TaskGraph, parts: list[tuple[int, ...]]) -> bool:
    """Return whether the solver can tell, and some reward is not the goal's own."""
    if graph.horizon is None or graph.horizon > MOST_TICKS or len(graph.subtasks) > MOST_SUBTASKS:
        return False
    if graph.events or graph.random or any(s.duration.kind == "world" for s in graph.subtasks):
        return False
    own = {i for part in parts for i in part if len(part) == 1}
    return any(s.reward > 0 and i not in own for i, s in enumerate(graph.subtasks))
