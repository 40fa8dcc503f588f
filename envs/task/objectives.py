"""One model of a task for one objective: makespan, reward or tardiness.

Owns what each objective means for the solver, when the episode ends in it, and the calls
of the solver. ``schedule`` and its rules are the model; ``optimum`` decides which models
to solve and what may be claimed of the results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from stratagym.envs.task.bounds import Heads
from stratagym.envs.task.circuit import Instant, Literal
from stratagym.envs.task.outlook import Objective, Outlook, read
from stratagym.envs.task.repeats import Repeats
from stratagym.envs.task.replay import Start
from stratagym.envs.task.schedule import RunVariables, Sheet
from stratagym.envs.task.schedule_rules import (
    add_agents,
    add_attempts,
    add_choices,
    add_items,
    add_lags,
    add_needs,
    add_resources,
)
from stratagym.envs.task.schedule_ticks import add_constraints, add_fading, add_reduced_stock

TOLERANCE = 1e-6
LARGEST_FACTOR = 10**6
"""Weights with more decimals than this has digits are rounded, to the safe side."""


@dataclass
class Effort:
    """What is left of the effort allowed, how to spend it, and whether schedules can be played."""

    left: float
    workers: int
    deterministic: bool
    replays: bool

    @contextmanager
    def part(self, share: int) -> Iterator[Effort]:
        """Yield one of so many equal shares of what is left; what is not spent of it is kept."""
        part = replace(self, left=self.left / share)
        allowed = part.left
        yield part
        self.left -= allowed - part.left


@dataclass(frozen=True)
class Answer:
    """A schedule that a model has, what it says of better ones, and the solver that found it."""

    starts: list[Start]
    bound: float
    solver: Any


class Problem:
    """One model with its objective.

    With ``careful`` it leaves out plays that the rules may allow: those in which a start makes
    a constraint impossible. Its bound then bounds nothing. With ``lenient`` it allows more than
    the rules do (see ``Sheet``), and its schedule is none. A ``target`` is a reward or tardiness
    that is reached already.
    """

    def __init__(
        self,
        look: Outlook,
        objective: Objective,
        known: Heads,
        ticks: int,
        often: Repeats,
        bound: float,
        careful: bool = False,
        lenient: bool = False,
        target: float | None = None,
    ) -> None:
        self.graph = look.graph
        self.objective = objective
        self.known = known
        self.sheet = sheet = Sheet(look, ticks, often, known, lenient)
        self.impossible = not look.begun <= sheet.runs.keys()
        for i in look.begun & sheet.runs.keys():
            sheet.circuit.clause(sheet.runs[i][0].present)
        add_fading(sheet)
        add_attempts(sheet)
        add_needs(sheet)
        add_lags(sheet)
        add_choices(sheet)
        add_resources(sheet)
        self.shares = add_agents(sheet)
        add_items(sheet)
        add_reduced_stock(sheet)
        add_constraints(sheet, careful)
        self.scale = 1
        self.exact = True
        self.value: Any = 0
        if objective == "makespan":
            self._makespan(int(bound))
        else:
            self.end = self._episode_end()
            if objective == "reward":
                self._reward()
            else:
                self._tardiness()
            sign = 1 if objective == "reward" else -1
            if target is not None:
                least = math.floor(sign * target * self.scale - TOLERANCE)
                sheet.circuit.model.add(sign * self.value >= least)
            if self.exact and math.isfinite(bound):
                most = math.ceil(sign * bound * self.scale + TOLERANCE)
                sheet.circuit.model.add(sign * self.value <= most)

    def _goal_at(self, y: Instant) -> Literal:
        """Return whether the goal holds at an instant and every constraint accepts."""
        c = self.sheet.circuit
        assert self.graph.goal is not None
        parts = [self.sheet.node(self.graph.goal, y)]
        parts += [c.pick(y, accepts.__getitem__) for accepts in self.sheet.accepts]
        return c.all_of(parts)

    def _makespan(self, bound: int) -> None:
        """The first tick at which the goal holds; it is judged from tick 1, or after a dispatch at 0."""
        sheet, c = self.sheet, self.sheet.circuit
        at_once = [
            c.both(run.present, c.at(run.start, 0))
            for run in sheet.all_runs
            if self.graph.subtasks[run.subtask].attended == 0
        ]
        end = c.instant([(max(bound, 0 if any(x is not False for x in at_once) else 1), sheet.ticks)])
        if end is None or self.graph.goal is None:
            self.impossible = True
            return
        self.end = end
        sheet.demand(self.graph.goal, end)
        for accepts in sheet.accepts:
            c.demand_pick(True, end, accepts.__getitem__)
        if end.lo == 0:
            c.clause(c.before(Instant.constant(1), end), *at_once)
        self._set_objective(end.expression, False)

    def _set_objective(self, value: Any, large: bool) -> None:
        """Make the value large or small."""
        self.value = value
        model = self.sheet.circuit.model
        if large:
            model.maximize(value)
        else:
            model.minimize(value)

    def _episode_end(self) -> Instant:
        """The tick at which the episode ends: the horizon, or the first at which the goal holds."""
        sheet, c = self.sheet, self.sheet.circuit
        horizon = Instant.constant(sheet.ticks)
        if self.graph.goal is None:
            return horizon
        end = c.instant([(1, sheet.ticks)])
        assert end is not None
        c.clause(c.before(horizon, end), self._goal_at(end))
        if sheet.lenient:
            return end
        goal = [self.graph.goal]
        lasting = not sheet.fading & read(self.graph, goal, False) and not read(self.graph, goal, True)
        if lasting and not sheet.accepts:
            c.clause(c.before(end, Instant.constant(1)), c.negate(self._goal_at(end.plus(-1))))
            return end
        for t in range(1, sheet.ticks):
            now = Instant.constant(t)
            c.clause(c.before(end, now), c.negate(self._goal_at(now)))
        return end

    def _counted(self, run: RunVariables) -> Literal:
        """Return whether a run succeeds before the episode is over."""
        c = self.sheet.circuit
        return c.both(run.ok, c.before(run.end, self.end))

    def _reward(self) -> None:
        """The sum of what is paid; modes of one subtask, and runs of one not repeatable, once."""
        sheet, c = self.sheet, self.sheet.circuit
        groups: dict[int, list[RunVariables]] = {}
        paid: list[tuple[RunVariables, Literal]] = []
        for run in sheet.all_runs:
            subtask = self.graph.subtasks[run.subtask]
            if subtask.repeatable:
                paid.append((run, self._counted(run)))
            else:
                groups.setdefault(subtask.pay_group, []).append(run)
        for runs in groups.values():
            for run in runs:
                earlier = [
                    c.both(self._counted(other), c.before(other.end, run.end))
                    for other in runs
                    if other is not run
                ]
                paid.append((run, c.both(self._counted(run), *(c.negate(x) for x in earlier))))
        weights = [self.graph.subtasks[run.subtask].reward for run, _ in paid]
        self.scale, self.exact, whole = _scaled(weights, math.ceil)
        self._set_objective(sum(w * literal for w, (_, literal) in zip(whole, paid, strict=True)), True)

    def _tardiness(self) -> None:
        """The weighted ticks from due to first success; the horizon stands for what has none."""
        sheet, c = self.sheet, self.sheet.circuit
        horizon = sheet.ticks
        self.scale, self.exact, whole = _scaled([due.weight for due in self.graph.dues], math.floor)
        terms = []
        for due, weight in zip(self.graph.dues, whole, strict=True):
            runs = [run for i in due.members for run in sheet.runs.get(i, ())]
            late = c.model.new_int_var(0, max(0, horizon - due.due), "")
            ways: list[Literal] = []
            for run in runs:
                way = c.both(self._counted(run), c.flag())
                if way is not False:
                    c.model.add(late >= run.end.expression - due.due).only_enforce_if(way)
                    ways.append(way)
            never = c.flag()
            c.model.add(late >= max(0, horizon - due.due)).only_enforce_if(never)
            spared = c.both(self._spared(due.members), *(c.negate(self._counted(run)) for run in runs))
            c.clause(never, spared, *ways)
            terms.append(weight * late)
        self._set_objective(sum(terms), False)

    def _spared(self, members: tuple[int, ...]) -> Literal:
        """Return whether another branch of a choice is done at the end."""
        others = [
            branch.node
            for choice in self.graph.choices
            if set(choice.members) & set(members)
            for branch in choice.branches
            if not set(branch.members) & set(members)
        ]
        return self.sheet.circuit.any_of(self.sheet.node(node, self.end) for node in others)

    def solve(self, effort: Effort) -> Answer | None:
        """Return the best schedule found and the bound, None if there is none."""
        if self.impossible:
            return None
        solver, status = self._run(effort, effort.left)
        if not status:
            self.impossible = status is False
            return None
        bound = solver.best_objective_bound / self.scale
        bound = math.ceil(bound - TOLERANCE) if self.objective == "makespan" else bound
        return Answer(self._starts(solver), bound, solver)

    def tidy(self, solver: Any, effort: Effort) -> list[Start] | None:
        """Return a schedule of the same value that ends early, with few runs, started early.

        Args:
            solver: the solver with its solution, to begin from.
            effort: what may be spent; little of it is.

        Returns:
            The starts, None if time is up.
        """
        model = self.sheet.circuit.model
        runs = self.sheet.all_runs
        for index in range(len(model.proto.variables)):
            variable = model.get_int_var_from_proto_index(index)
            model.add_hint(variable, solver.value(variable))
        model.add(self.value == round(solver.objective_value))
        early = sum(run.start.expression for run in runs)
        most = 1 + self.sheet.ticks
        terms = (len(runs) + 1) * most * most * self.end.expression
        model.minimize(terms + len(runs) * most * sum(run.present for run in runs) + early)
        solver, status = self._run(effort, min(0.5, effort.left / 10))
        return self._starts(solver) if status else None

    def _run(self, effort: Effort, allowed: float) -> tuple[Any, bool | None]:
        """Run the solver; return it and whether it has a solution, None if that is not known."""
        from ortools.sat.python import cp_model

        solver = cp_model.CpSolver()
        solver.parameters.random_seed = 1
        solver.parameters.catch_sigint_signal = False  # or Ctrl-C would kill the process from then on
        solver.parameters.num_workers = effort.workers
        if effort.deterministic:
            solver.parameters.max_deterministic_time = max(0.01, allowed)
        else:
            solver.parameters.max_time_in_seconds = max(0.01, allowed)
        status = solver.solve(self.sheet.circuit.model)
        spent = solver.response_proto.deterministic_time if effort.deterministic else solver.wall_time
        effort.left -= spent
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return solver, True
        return solver, False if status == cp_model.INFEASIBLE else None

    def _starts(self, solver: Any) -> list[Start]:
        """Read the starts before the end off a solution."""
        end = solver.value(self.end.expression)
        return [
            Start(run.subtask, tick, solver.value(run.end.expression), self._pools(solver, run))
            for run in self.sheet.all_runs
            if solver.value(run.present) and (tick := solver.value(run.start.expression)) < max(end, 1)
        ]

    def _pools(self, solver: Any, run: RunVariables) -> tuple[tuple[tuple[int, ...], int], ...]:
        """Return how many agents of each class a run takes."""
        return tuple(
            (tuple(group), int(solver.value(share)))
            for group, share in self.shares[run.subtask, run.attempt]
            if solver.value(share)
        )


def _scaled(weights: Sequence[float], rounding: Callable[[Fraction], int]) -> tuple[int, bool, list[int]]:
    """Return a factor, whether it makes all weights integers, and the weights times it as integers."""
    exact = [Fraction(repr(float(w))) for w in weights]
    factor = math.lcm(*(x.denominator for x in exact))
    fits = factor <= LARGEST_FACTOR
    factor = factor if fits else LARGEST_FACTOR
    return factor, fits, [rounding(x * factor) for x in exact]
