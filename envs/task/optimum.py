"""Exact schedules: the best value that a task allows, a bound, and whether it is proved.

Owns the objectives, the search over them by the constraint solver, and what may be
claimed of the result. A value is claimed only after the simulator has played its
schedule (``replay``), a proof only if the model that bounds it leaves out no play. The
models themselves are in ``objectives``; the solver is imported when it is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from stratagym.envs.task.bounds import Heads, heads, lower_bound, upper_bound_reward
from stratagym.envs.task.document import Task
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.objectives import TOLERANCE, Answer, Effort, Problem
from stratagym.envs.task.outlook import OBJECTIVES, Objective, Outlook, fading, read
from stratagym.envs.task.remainder import remainder
from stratagym.envs.task.repeats import Repeats, first_success, repeats
from stratagym.envs.task.replay import Played, Run, play, verify_schedule
from stratagym.envs.task.view import TaskView

__all__ = ["Objective", "Run", "Solution", "optimum", "verify_schedule"]

Kind = Literal["proved", "bound", "hindsight", "best known"]

MOST_RUNS = 40
"""Runs of one subtask that a model may hold."""
MOST_RUNS_IN_ALL = 1_200
MOST_CELLS = 400_000
"""Ticks times what is followed tick by tick."""
MOST_PAIRS = 300_000
"""Pairs of runs that are compared."""
MOST_LENGTHS = 10_000
"""Lengths that a run may have where they are open."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What is known of the best value of a task.

    Attributes:
        objective: what is made small (makespan, tardiness) or large (reward).
        value: what the schedule reaches when played; None if there is no schedule.
        bound: no play does better (infinite if nothing is known; a makespan that no play
            reaches is infinite too).
        proved: whether the bound is attained: by the schedule, or, with no value, because
            no play reaches the goal.
        kind: ``proved``: exact, of a task without secrets; ``hindsight``: exact for one
            who knows the draws and events, so a bound for all others; ``bound``: a bound
            only; ``best known``: a schedule, not proved to be the best.
        schedule: the runs, in order of their starts.
    """

    objective: Objective
    value: float | None
    bound: float
    proved: bool
    kind: Kind
    schedule: tuple[Run, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the solution as plain data for JSON."""
        return {
            "objective": self.objective,
            "value": self.value,
            "bound": self.bound if math.isfinite(self.bound) else None,
            "proved": self.proved,
            "kind": self.kind,
            "schedule": [
                {"subtask": r.subtask, "agents": list(r.agents), "start": r.start, "end": r.end}
                for r in self.schedule
            ],
        }


def optimum(
    task: Task | TaskGraph,
    objective: Objective | None = None,
    *,
    seed: int | None = None,
    since: TaskView | None = None,
    time_limit: float = 20.0,
    workers: int = 1,
    deterministic: bool = True,
) -> Solution:
    """Compute the best value of a task in the abstract world, from its beginning or from any moment.

    Args:
        task: a loaded task, or its graph.
        objective: ``makespan`` (the tick at which the goal holds; the default if there is a
            goal), ``reward`` (all that is paid by the horizon, or until the goal holds; the
            default without a goal) or ``tardiness`` (weighted, at the end of the episode).
        seed: the seed whose draws are known; None leaves random ones open, which gives a
            bound only if there are any.
        since: the moment from which on it is solved, as it is seen with ``full`` knowledge; None for the
            beginning. The schedule then has the runs that are still to be started; value
            and bound are of the whole episode, as far as it can still be changed.
        time_limit: effort in seconds; with ``deterministic`` in the solver's own units of
            work, about a second each.
        workers: parallel searches.
        deterministic: whether the result must be the same on every machine; then one
            worker searches, and no clock is read.

    Returns:
        The solution; see ``Solution`` for what it claims.

    Raises:
        ValueError: if the objective does not fit the task; or, ``since`` some moment, if a seed is
            named, anything but the makespan is asked for (what was paid, or late, is no longer
            seen), or the moment does not say enough (see ``remainder``).
    """
    graph = task if isinstance(task, TaskGraph) else task.graph
    chosen = _choose(graph, objective)
    if since is None:
        return _solved(graph, chosen, seed, frozenset(), time_limit, workers, deterministic)
    if seed is not None or chosen != "makespan":
        raise ValueError("since: from a moment on only makespans are solved, without known draws")
    left = remainder(graph, since)
    found = _solved(left.graph, chosen, None, left.begun, time_limit, workers, deterministic)
    later = tuple(run for run in found.schedule if run.subtask in left.names)
    if left.exact:
        return replace(found, schedule=later)
    bound = _arithmetic(left.graph, chosen)
    if found.value is not None and found.value <= bound + TOLERANCE:
        return replace(found, schedule=later)
    kind: Kind = "bound" if found.value is None else "best known"
    return replace(found, schedule=later, bound=bound, proved=False, kind=kind)


def _solved(
    graph: TaskGraph,
    chosen: Objective,
    seed: int | None,
    begun: frozenset[int],
    time_limit: float,
    workers: int,
    deterministic: bool,
) -> Solution:
    """Compute the best value of a task of which some runs are given."""
    look = Outlook.of(graph, seed, begun)
    is_open = seed is None and (graph.random or look is None)
    is_open = is_open or any(s.duration.kind == "world" for s in graph.subtasks)
    known = heads(graph)
    limit = _arithmetic(graph, chosen)
    if chosen == "makespan" and math.isinf(limit):
        return Solution(chosen, None, math.inf, True, "bound" if is_open else _exact_kind(graph, seed))
    if look is None or _too_open(look) or (chosen == "reward" and math.isinf(limit)):
        return Solution(chosen, None, limit, False, "bound")
    effort = Effort(time_limit, 1 if deterministic else workers, deterministic, not is_open)
    found = _search(look, chosen, known, limit, effort)
    return _claim(graph, chosen, seed, found, is_open)


def _choose(graph: TaskGraph, objective: Objective | None) -> Objective:
    """Return the objective, the default if None is asked for."""
    chosen: Objective = objective or ("reward" if graph.goal is None else "makespan")
    if chosen not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, not {chosen!r}")
    if chosen == "makespan" and graph.goal is None:
        raise ValueError("a task without a goal has no makespan")
    if chosen == "tardiness" and (not graph.dues or graph.horizon is None):
        raise ValueError("tardiness needs a due date and a horizon")
    return chosen


def _arithmetic(graph: TaskGraph, objective: Objective) -> float:
    """Return the bound that needs no search."""
    if objective == "makespan":
        bound = lower_bound(graph)
        return math.inf if bound is None else float(bound)
    return upper_bound_reward(graph) if objective == "reward" else 0.0


def _exact_kind(graph: TaskGraph, seed: int | None) -> Kind:
    """Return what an exact value is called."""
    secret = graph.random or any(not event.known for event in graph.events)
    return "hindsight" if secret else "proved"


@dataclass(frozen=True)
class _Found:
    """The result of a search: how the best schedule went, and a bound."""

    played: Played | None
    bound: float
    impossible: bool = False


def _claim(
    graph: TaskGraph, objective: Objective, seed: int | None, found: _Found, is_open: bool
) -> Solution:
    """Return what may be said of a search."""
    value = found.played.value[objective] if found.played else None
    if is_open:
        return Solution(objective, None, found.bound, found.impossible, "bound")
    if value is None:
        kind: Kind = _exact_kind(graph, seed) if found.impossible else "bound"
        return Solution(objective, None, found.bound, found.impossible, kind)
    runs = found.played.runs if found.played else ()
    proved = abs(value - found.bound) <= TOLERANCE * max(1.0, abs(value))
    kind = _exact_kind(graph, seed) if proved else "best known"
    return Solution(objective, value, value if proved else found.bound, proved, kind, runs)


def _search(look: Outlook, objective: Objective, known: Heads, limit: float, effort: Effort) -> _Found:
    """Search with what makes models small first, and in full only for what is better than that."""
    most, final = _span(look)
    first = _once(look, objective, known, most, limit, effort)
    if first is None:
        return _complete(look, objective, known, limit, effort, None)
    reached = first.value[objective] or 0.0
    if _meets(objective, reached, limit):
        return _Found(first, limit)
    ticks = int(reached) if objective == "makespan" else most
    if final or objective == "makespan":
        limit = _lenient(look, objective, known, ticks, limit, effort)
    if _meets(objective, reached, limit):
        return _Found(first, limit)
    return _complete(look, objective, known, limit, effort, first)


def _meets(objective: Objective, reached: float, limit: float) -> bool:
    """Return whether a value is as good as a bound."""
    sign = -1 if objective == "reward" else 1
    return sign * reached <= sign * limit + TOLERANCE


def _once(
    look: Outlook, objective: Objective, known: Heads, ticks: int, limit: float, effort: Effort
) -> Played | None:
    """Return a good schedule in which nothing is done twice and nothing spoils, if that leaves much out."""
    full = repeats(look, objective, ticks, known.start)
    weak = fading(look.graph)
    lasting = weak - {i for e in look.graph.events if e.kind == "undo" for i in e.targets}
    if not effort.replays or (lasting <= full.settled and max(full.counts.values(), default=0) <= 1):
        return None
    counts = {
        i: first_success(look, i, count) if objective == "makespan" or i in weak else min(count, MOST_RUNS)
        for i, count in full.counts.items()
    }
    often = Repeats(counts, lasting)
    if not _fits(look, objective, often, ticks):
        return None
    with effort.part(3) as part:
        result = _solve(look, objective, known, ticks, often, limit, part)
    return result.played if result.played and result.played.value[objective] is not None else None


def _lenient(
    look: Outlook, objective: Objective, known: Heads, ticks: int, limit: float, effort: Effort
) -> float:
    """Return a bound from a model in which nothing spoils and no time runs out.

    Args:
        look: the task with its draws.
        objective: what is bounded.
        known: earliest times.
        ticks: a makespan that is reached, or the horizon.
        limit: a bound that is known.
        effort: what may be spent.
    """
    graph = look.graph
    weak = fading(graph)
    makes = any(graph.subtasks[i].produces for i in weak)
    reopens = any(event.kind == "deadline" for event in graph.events)
    roots = [s.needs for s in graph.subtasks] + ([] if graph.goal is None else [graph.goal])
    if not weak or graph.constraints or makes or reopens or read(graph, roots, True) & weak:
        return limit
    full = repeats(look, objective, ticks, known.start)
    counts = {
        i: first_success(look, i, k) if i in weak and not graph.subtasks[i].repeatable else k
        for i, k in full.counts.items()
    }
    often = Repeats(counts, weak)
    if max(counts.values(), default=0) > MOST_RUNS or not _fits(look, objective, often, ticks):
        return limit
    with effort.part(3) as part:
        problem = Problem(look, objective, known, ticks, often, limit, lenient=True)
        answer = problem.solve(part)
    if answer is None:
        return limit
    return min(limit, answer.bound) if objective == "reward" else max(limit, answer.bound)


def _complete(
    look: Outlook,
    objective: Objective,
    known: Heads,
    limit: float,
    effort: Effort,
    first: Played | None,
) -> _Found:
    """Search over longer and longer spans until the answer cannot depend on the span.

    A makespan is looked for only if it is shorter than that of ``first``.
    """
    target = None if first is None else first.value[objective]
    for ticks, final in _spans(look, objective, limit, known, target):
        often = repeats(look, objective, ticks, known.start)
        whole = all(count <= MOST_RUNS for count in often.counts.values())
        often = replace(often, counts={i: min(count, MOST_RUNS) for i, count in often.counts.items()})
        if not _fits(look, objective, often, ticks):
            break
        result = _solve(look, objective, known, ticks, often, limit, effort, target)
        played = _better(objective, result.played, first)
        if objective == "makespan":
            if result.impossible and not final:
                limit = max(limit, ticks + 1.0) if whole else limit
                continue
            if result.impossible and whole:
                return _Found(first, float(ticks + 1)) if first else _Found(None, math.inf, True)
            return _Found(played, min(result.bound, ticks + 1.0) if whole else limit)
        if not (whole and final):
            return _Found(played, limit)
        return _Found(played, min(limit, result.bound) if objective == "reward" else result.bound)
    return _Found(first, limit)


def _better(objective: Objective, a: Played | None, b: Played | None) -> Played | None:
    """Return the better of two plays."""
    sign = -1 if objective == "reward" else 1
    reached = [(sign * v, k, p) for k, p in enumerate((a, b)) if p and (v := p.value[objective]) is not None]
    return min(reached)[2] if reached else None


def _too_open(look: Outlook) -> bool:
    """Return whether the length of some run is so open that no model is made."""
    most, _ = _span(look)
    return any(
        (most if d.kind == "world" else d.values[1] - d.values[0]) > MOST_LENGTHS
        for i in range(len(look.graph.subtasks))
        for _, _, d in look.durations(i)
        if d.kind == "world" or (d.kind == "uniform" and look.seed is None)
    )


def _fits(look: Outlook, objective: Objective, often: Repeats, ticks: int) -> bool:
    """Return whether a model is small enough to be made."""
    graph, counts = look.graph, often.counts
    if sum(counts.values()) > MOST_RUNS_IN_ALL:
        return False
    cells = _cells(graph, often, ticks)
    if objective != "makespan" and graph.goal is not None and read(graph, [graph.goal], True):
        cells += ticks
    attended = sum(k for i, k in counts.items() if graph.subtasks[i].attended != 0)
    pairs = attended * (sum(counts.values()) - attended)
    for item in range(len(graph.items)):
        takers = sum(
            k
            for i, k in counts.items()
            if item in dict((*graph.subtasks[i].consumes, *graph.subtasks[i].requires))
        )
        pairs += takers * (
            takers + sum(k for i, k in counts.items() if item in dict(graph.subtasks[i].produces))
        )
    return cells <= MOST_CELLS and pairs <= MOST_PAIRS


def _cells(graph: TaskGraph, often: Repeats, ticks: int) -> int:
    """Return how much is followed tick by tick."""
    states = sum(len(c.automaton.table) * (1 + len(c.atoms)) for c in graph.constraints)
    falling = sum(e.kind == "stock" and min(e.amounts) < 0 for e in graph.events)
    return ticks * (states + falling + 4 * len(fading(graph) - often.settled))


def _span(look: Outlook) -> tuple[int, bool]:
    """Return ticks in which a task can be played out, and whether that is sure."""
    horizon = look.graph.horizon
    return _longest(look) if horizon is None else (horizon, True)


def _spans(
    look: Outlook, objective: Objective, limit: float, known: Heads, target: float | None
) -> list[tuple[int, bool]]:
    """Return (ticks, whether no longer span can matter), shorter ones first where that pays."""
    graph = look.graph
    most, final = _span(look)
    if objective != "makespan":
        return [(most, final)]
    if target is not None:
        most, final = max(1, int(target) - 1), True
    often = repeats(look, objective, most, known.start)
    by_tick = _cells(graph, often, 1) > 0 or sum(often.counts.values()) > 2 * len(often.counts)
    spans = []
    ticks = int(limit * 1.3) + 4
    while by_tick and ticks < most:
        spans.append((ticks, False))
        ticks = int(ticks * 1.6)
    return [*spans, (most, final)]


def _longest(look: Outlook) -> tuple[int, bool]:
    """Return a span in which a task without a horizon can be played out, and whether that is sure.

    In a best play no tick passes idly but for a run, a lag, a release or an event, so the
    sum of them all suffices, unless formulas count ticks or runs may go on for ever.
    """
    graph = look.graph
    total = look.last_change + 1
    endless = bool(graph.constraints)
    for i, s in enumerate(graph.subtasks):
        longest = max(d.longest or 1 for _, _, d in look.durations(i))
        lags = [
            max(lag.minimum, (lag.maximum or 0) + 1)
            for other in graph.subtasks
            for lag in other.lags
            if i in lag.predecessors
        ]
        again = s.repeatable or i in fading(graph) or s.success < 1 or s.duration.kind == "world"
        endless = endless or again
        total += (4 if again else 1) * (longest + max(lags, default=0))
    return total, not endless


def _solve(
    look: Outlook,
    objective: Objective,
    known: Heads,
    ticks: int,
    often: Repeats,
    bound: float,
    effort: Effort,
    target: float | None = None,
) -> _Found:
    """Build the model for a span, solve it and play what comes out."""
    problem = Problem(look, objective, known, ticks, often, bound, target=target)
    answer = problem.solve(effort)
    if answer is None:
        return _Found(None, bound, problem.impossible)
    if not effort.replays:
        return _Found(None, answer.bound)
    return _Found(_played(problem, answer, effort, look, often, bound), answer.bound)


def _played(
    problem: Problem, answer: Answer, effort: Effort, look: Outlook, often: Repeats, bound: float
) -> Played | None:
    """Play a schedule; where the simulator refuses it, one that is harder to refuse."""
    graph, seed = look.graph, look.seed or 0
    played = play(graph, answer.starts, seed)
    if isinstance(played, str) or problem.objective != "makespan":
        starts = problem.tidy(answer.solver, effort) or answer.starts
        tidied = play(graph, starts, seed)
        if isinstance(played, str) or (
            not isinstance(tidied, str) and tidied.value[problem.objective] == played.value[problem.objective]
        ):
            played = tidied
    if isinstance(played, str) and graph.constraints:
        careful = Problem(
            look, problem.objective, problem.known, problem.sheet.ticks, often, bound, careful=True
        )
        other = careful.solve(effort)
        starts = other.starts if other else starts
        played = play(graph, starts, seed)
    if isinstance(played, str):
        played = play(graph, starts, seed, strict=False)
    return None if isinstance(played, str) else played
