"""What is measured of an episode and of many: pure functions of graphs, events and numbers.

Owns the schedule, the progress, the idle time, the four TimeArena metrics, the
headline score and its bootstrap intervals. It plays nothing, reads no
environment and writes no file.

An *event* is a mapping ``{tick, kind, subtask, agents}``, as in ``info["events"]``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratagym.envs.task.graph import TRUE, TaskGraph

Event = Mapping[str, Any]
ENDINGS = ("success", "failure")
RESAMPLES = 2000
NO_SPAN = 1e-9
"""Below this the reference does not stand above random play, and no score is defined."""

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """One run of a subtask as it happened.

    Attributes:
        subtask: its name.
        agents: indices of the agents that started it.
        start: tick of the start.
        end: tick of the completion, or the last tick of the episode if it was cut off.
        ended: ``success``, ``failure``, or None if it was cut off.
    """

    subtask: str
    agents: tuple[int, ...]
    start: int
    end: int
    ended: str | None


def stretches(events: Iterable[Event], time: int) -> tuple[Stretch, ...]:
    """Return every run of the episode in the order of the starts.

    Args:
        events: all events of the episode in order.
        time: the tick at which the episode ended; closes the runs under way.
    """
    found: list[Stretch] = []
    under_way: dict[str, int] = {}
    for event in events:
        name = event["subtask"]
        if event["kind"] == "start":
            under_way[name] = len(found)
            found.append(Stretch(name, tuple(event["agents"]), event["tick"], time, None))
        elif event["kind"] in ENDINGS and name in under_way:
            k = under_way.pop(name)
            run = found[k]
            found[k] = Stretch(name, run.agents, run.start, event["tick"], event["kind"])
    return tuple(found)


def attended_until(attended: int | None, run: Stretch) -> int:
    """Return the tick until which a run kept its agents busy (``attended`` ticks, None for all of it)."""
    return run.end if attended is None else min(run.end, run.start + attended)


def busy_ticks(graph: TaskGraph, runs: Iterable[Stretch], time: int) -> list[int]:
    """Return for how many ticks each agent attended to a run, ``[agents]``."""
    busy = [0] * len(graph.agents)
    attended = {s.name: s.attended for s in graph.subtasks}
    for run in runs:
        for agent in run.agents:
            busy[agent] += max(0, min(attended_until(attended[run.subtask], run), time) - run.start)
    return busy


Alternatives = tuple[int, ...]
"""Subtasks of which one must have succeeded."""


def _supports(graph: TaskGraph) -> list[list[Alternatives]]:
    """Return what each subtask takes for granted besides its ``needs``, ``[subtasks]``.

    That is one predecessor of each lag from completion, and one maker of each item of
    which there is not enough at reset.
    """
    makers: dict[int, list[int]] = {}
    for i, subtask in enumerate(graph.subtasks):
        for item, _ in subtask.produces:
            makers.setdefault(item, []).append(i)
    found = []
    for i, subtask in enumerate(graph.subtasks):
        lags = [lag.predecessors for lag in subtask.lags if lag.origin == "completion"]
        scarce = [
            tuple(makers.get(item, ()))
            for item, amount in (*subtask.consumes, *subtask.requires)
            if graph.items[item].stock < amount
        ]
        found.append([group for group in (*lags, *scarce) if i not in group])
    return found


def _node_costs(
    graph: TaskGraph, done: frozenset[int], supports: Sequence[Sequence[Alternatives]]
) -> list[float]:
    """Return the additive cost of bringing every node about, ``[subtasks + gates]``, deletions ignored."""
    n = len(graph.subtasks)
    cost = [0.0 if i in done else math.inf for i in range(n)] + [math.inf] * len(graph.gates)
    changed = True
    while changed:
        changed = False
        for g, gate in enumerate(graph.gates):
            literals = sorted([cost[p] for p in gate.positive] + [0.0] * len(gate.negative))
            value = sum(literals[: gate.count]) if len(literals) >= gate.count else math.inf
            if value < cost[n + g]:
                cost[n + g], changed = value, True
        for i, subtask in enumerate(graph.subtasks):
            if i in done:
                continue
            value = subtask.duration.mean + (0.0 if subtask.needs == TRUE else cost[subtask.needs])
            value += sum(min((cost[p] for p in group), default=math.inf) for group in supports[i])
            if value < cost[i]:
                cost[i], changed = value, True
    return cost


def wanted(graph: TaskGraph, done: frozenset[int]) -> frozenset[int] | None:
    """Return a set of subtasks which brings the goal if nothing is ever undone.

    It is the relaxed plan of the additive heuristic (Bonet and Geffner, 2001) over mean
    durations: for a goal that is a conjunction everything under it that is not done, of
    alternatives the cheapest. In a task without a goal it is everything that is not done.

    Returns:
        Indices of subtasks; None if no such set exists.
    """
    n = len(graph.subtasks)
    if graph.goal is None:
        return frozenset(range(n)) - done
    supports = _supports(graph)
    cost = [*_node_costs(graph, done, supports), 0.0]  # the last is TRUE, index -1
    if math.isinf(cost[graph.goal]):
        return None
    found: set[int] = set()
    queue = [graph.goal]
    while queue:
        node = queue.pop()
        if node == TRUE or node in found or node in done:
            continue
        found.add(node)
        if node < n:
            queue.append(graph.subtasks[node].needs)
            queue += [min(group, key=cost.__getitem__) for group in supports[node]]
            continue
        gate = graph.gates[node - n]
        positive = sorted(gate.positive, key=cost.__getitem__)
        queue += positive[: max(0, gate.count - len(gate.negative))]
    return frozenset(i for i in found if i < n)


def work_left(graph: TaskGraph, done: frozenset[int]) -> float:
    """Return the work in ticks that is wanted for the goal; infinite if it is out of reach."""
    subtasks = wanted(graph, done)
    return math.inf if subtasks is None else float(sum(graph.subtasks[i].duration.mean for i in subtasks))


def progress(graph: TaskGraph, done: frozenset[int]) -> float:
    """Return the share of the goal's work that is done, in 0..1.

    ``1 - work left / work at the start``, both by mean durations: for a goal that
    asks for all of its subtasks this is the done ones' durations over all durations,
    which is TimeArena's progress score. An unreachable goal has no progress.
    """
    whole, left = work_left(graph, frozenset()), work_left(graph, done)
    if left == 0.0:
        return 1.0
    if math.isinf(whole) or math.isinf(left):
        return 0.0
    return min(1.0, max(0.0, 1.0 - left / whole))


def progress_curve(graph: TaskGraph, events: Iterable[Event]) -> list[tuple[int, float]]:
    """Return ``(tick, progress)`` after every tick that did or undid something."""
    index = {name: i for i, name in enumerate(graph.names)}
    changes: dict[int, list[Event]] = {}
    for event in events:
        if event["kind"] in ("success", "spoil", "undo") and event["subtask"] in index:
            changes.setdefault(event["tick"], []).append(event)
    done: set[int] = set()
    curve = [(0, progress(graph, frozenset()))]
    for tick in sorted(changes):
        for event in changes[tick]:
            if event["kind"] == "success":
                done.add(index[event["subtask"]])
            else:
                done.discard(index[event["subtask"]])
        curve.append((tick, progress(graph, frozenset(done))))
    return curve


def reached_at(curve: Sequence[tuple[int, float]]) -> int:
    """Return the first tick at which the final value of a progress curve was reached."""
    final = curve[-1][1]
    return next(tick for tick, value in curve if value == final)


@dataclass(frozen=True, slots=True)
class TimeArena:
    """The four metrics of TimeArena (Zhang et al., ACL 2024, section 4).

    Attributes:
        average_score: AS, mean final progress in percent.
        completion_speed: CS, sum of final progress (percent) over the sum of the
            ticks at which it was first reached; None if no tick passed.
        completion_rate: CR, share of complete episodes in percent.
        completion_time: CT, mean makespan of complete episodes; None without one.
    """

    average_score: float
    completion_speed: float | None
    completion_rate: float
    completion_time: float | None


def time_arena(rows: Sequence[Mapping[str, Any]]) -> TimeArena:
    """Compute the TimeArena metrics of rows with ``progress``, ``progress_at``, ``success``, ``makespan``.

    Raises:
        ValueError: without rows.
    """
    if not rows:
        raise ValueError("no episode to measure")
    scores = [100.0 * row["progress"] for row in rows]
    ticks = sum(row["progress_at"] for row in rows)
    times = [row["makespan"] for row in rows if row["success"]]
    return TimeArena(
        average_score=float(np.mean(scores)),
        completion_speed=float(sum(scores) / ticks) if ticks else None,
        completion_rate=100.0 * len(times) / len(rows),
        completion_time=float(np.mean(times)) if times else None,
    )


def paid(graph: TaskGraph, events: Iterable[Event]) -> float:
    """Return the sum of the file's rewards that the successes earn, whatever ``reward=`` paid."""
    index = {name: i for i, name in enumerate(graph.names)}
    total = 0.0
    settled: set[int] = set()
    for event in events:
        if event["kind"] != "success":
            continue
        subtask = graph.subtasks[index[event["subtask"]]]
        if subtask.repeatable or subtask.pay_group not in settled:
            total += subtask.reward
            settled.add(subtask.pay_group)
    return total


def value_of(
    objective: str, *, success: bool, goal: bool, time: int, reward: float, tardiness: float, reference: float
) -> float:
    """Return the figure ``x`` of one episode that the headline score compares; more is better.

    Args:
        objective: ``makespan``: reference / makespan; ``reward``: the file's rewards;
            ``tardiness``: minus the weighted tardiness (what was never done counts to
            the horizon, so a failure needs no other charge).
        success: whether the goal was reached (a failure is 0, but for tardiness).
        goal: whether there is a goal; without one no episode fails.
        time: ticks at the end.
        reward: sum of the file's rewards.
        tardiness: weighted tardiness at the end.
        reference: the reference value of this episode.

    Raises:
        ValueError: if the objective is unknown.
    """
    if objective == "tardiness":
        return -tardiness
    if objective == "reward":
        return reward if success or not goal else 0.0
    if objective == "makespan":
        return (reference / time if time else 1.0) if success else 0.0
    raise ValueError(f"objective: {objective!r} is not one of makespan, reward, tardiness")


def reference_value(objective: str, reference: float) -> float:
    """Return the figure ``x`` of the reference itself, on the scale of ``value_of``."""
    return {"makespan": 1.0, "reward": reference, "tardiness": -reference}[objective]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with a bootstrap interval.

    Attributes:
        mean: the estimate; None where it is not defined.
        low: lower end of the 95 % percentile interval; None with a single instance.
        high: upper end.
    """

    mean: float | None
    low: float | None = None
    high: float | None = None


def resampled(
    instances: Sequence[Hashable],
    figures: Array,
    statistic: Callable[[Array], Array],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Array:
    """Return a statistic of means, of the sample itself and of bootstrap resamples (Efron, 1979).

    Instances are drawn with replacement and bring all their episodes along, so that
    episodes of one instance are not taken for independent ones. The same seed draws
    the same instances, so two agents on the same episodes are compared in pairs.

    Args:
        instances: ``[episodes]`` which instance each episode played.
        figures: ``[episodes, k]`` the columns whose means the statistic reads.
        statistic: maps means ``[r, k]`` to values ``[r]``, NaN where undefined.
        seed: of the resampling.
        resamples: how many.

    Returns:
        ``[1 + resamples]`` the value of the sample, then those of the resamples; of
        the sample alone if it has a single instance.

    Raises:
        ValueError: without episodes.
    """
    if len(instances) == 0:
        raise ValueError("no episode to resample")
    order: dict[Hashable, int] = {}
    group = np.array([order.setdefault(instance, len(order)) for instance in instances])
    whole = statistic(figures.mean(axis=0, keepdims=True))
    if len(order) < 2:
        return whole
    count = np.bincount(group).astype(float)
    sums = np.stack([np.bincount(group, weights=column) for column in figures.T], axis=1)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(order), np.full(len(order), 1 / len(order)), size=resamples).astype(float)
    return np.concatenate([whole, statistic((times @ sums) / (times @ count)[:, None])])


def interval(values: Array, level: float = 0.95) -> Interval:
    """Return the percentile interval of what ``resampled`` found.

    Args:
        values: the value of the sample, then those of the resamples; NaN is undefined.
        level: coverage.

    Returns:
        The interval; without ends if there are no resamples, or if more than a fifth of them is undefined.
    """
    whole, rest = float(values[0]), values[1:]
    if math.isnan(whole):
        return Interval(None)
    defined = rest[~np.isnan(rest)]
    if len(defined) == 0 or len(defined) < 0.8 * len(rest):
        return Interval(whole)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(whole, float(low), float(high))


def score_of_means(means: Array) -> Array:
    """Return the headline score of means ``[r, 3]`` (agent, random, reference), NaN where undefined."""
    span = means[:, 2] - means[:, 1]
    safe = np.where(span > NO_SPAN, span, 1.0)
    return np.where(span > NO_SPAN, (means[:, 0] - means[:, 1]) / safe, np.nan)
