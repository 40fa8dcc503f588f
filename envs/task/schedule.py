"""The runs of a schedule as variables, and what is done when.

Owns the variables (one optional interval a run, several runs for a subtask that can be
done again) and the literals that say what holds at an instant: done, engaged, a node of
the graph. The rules that tie runs together are in ``schedule_rules``, those that must be
followed tick by tick in ``schedule_ticks``; ``optimum`` adds the objective and solves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stratagym.envs.task.bounds import Heads
from stratagym.envs.task.circuit import Circuit, Instant, Literal
from stratagym.envs.task.graph import TRUE, TaskGraph
from stratagym.envs.task.outlook import Outlook, fading
from stratagym.envs.task.repeats import Repeats


@dataclass(frozen=True, slots=True)
class RunVariables:
    """One run that a schedule may contain.

    Attributes:
        subtask: index of the subtask.
        attempt: which start of the subtask it is, from 1.
        present: whether the schedule contains it.
        start: tick of its start.
        end: tick of its completion.
        free: tick at which its agents are free again.
        drawn: whether it would succeed if it were not late.
        late: whether it completes after its deadline.
        ok: whether it is present and succeeds.
    """

    subtask: int
    attempt: int
    present: Literal
    start: Instant
    end: Instant
    free: Instant
    drawn: Literal
    late: Literal
    ok: Literal


class Sheet:
    """The variables of a schedule for one task.

    Args:
        look: the task with its draws.
        ticks: starts are before this tick.
        often: how many runs each subtask may have, and which never spoil.
        known: earliest times.
        lenient: let what can spoil stay done from its first success on, without a latest
            start for what follows it, and its choices open: every play fits, first successes
            taken for all, if no such subtask makes items or is read negated.

    Attributes:
        runs: the runs by subtask, in the order of attempts (only subtasks with runs).
        fade: for subtasks that can go back to undone: whether done, tick by tick from 0
            (filled by ``schedule_ticks``).
        kept: the same, had the events and the spoiling of the tick not been.
        accepts: for each constraint, whether it accepts, tick by tick from 0.
    """

    def __init__(
        self, look: Outlook, ticks: int, often: Repeats, known: Heads, lenient: bool = False
    ) -> None:
        self.look = look
        self.graph: TaskGraph = look.graph
        self.ticks = ticks
        self.circuit = Circuit()
        self.fading = fading(self.graph) - often.settled
        self.lenient: frozenset[int] = fading(self.graph) if lenient else frozenset()
        self.fade: dict[int, list[Literal]] = {}
        self.kept: dict[int, list[Literal]] = {}
        self.accepts: list[list[Literal]] = []
        self.dispatch = any(s.attended == 0 for s in self.graph.subtasks)
        self._overrun = bool(self.graph.constraints or self.fading) or any(
            lag.origin == "start" for s in self.graph.subtasks for lag in s.lags
        )
        self._nodes: dict[tuple[int, tuple[int, int]], Literal] = {}
        self.runs: dict[int, list[RunVariables]] = {}
        for i, count in often.counts.items():
            made: list[RunVariables] = []
            for attempt in range(1, count + 1):
                run = self._make_run(i, attempt, made[-1].end.lo if made else known.start[i] or 0)
                if run is None:
                    break
                made.append(run)
            if made:
                self.runs[i] = made

    @property
    def all_runs(self) -> list[RunVariables]:
        """All runs, by subtask and attempt."""
        return [run for runs in self.runs.values() for run in runs]

    def _make_run(self, i: int, attempt: int, first: int) -> RunVariables | None:
        """Return the variables of one run that starts at ``first`` or later, None if it fits nowhere."""
        c = self.circuit
        pieces = self._pieces(i, attempt)
        start = c.instant([(max(first, lo), hi) for lo, hi, _ in pieces])
        if start is None:
            return None
        end, free = self._end(i, start, pieces)
        present = c.flag()
        late = c.any_of(
            c.within(end, max(a, limit + 1), (end.hi if b is None else b - 1))
            for a, b, limit in self.look.deadlines(i)
            if limit is not None
        )
        success = self.look.success(i, attempt)
        drawn = c.flag() if success is None else success
        ok = c.both(present, drawn, c.negate(late))
        return RunVariables(i, attempt, present, start, end, free, drawn, late, ok)

    def _pieces(self, i: int, attempt: int) -> list[tuple[int, int, tuple[int, ...]]]:
        """Return spans of allowed start ticks with the lengths that a run may have there."""
        result = []
        for a, b, duration in self.look.durations(i):
            lengths = self.look.possible(i, attempt, duration)
            known = tuple(range(1, self.ticks + 1)) if lengths[1:] == (None,) else lengths
            for low, high, limit in self.look.deadlines(i):
                lo = max(a, low, self.look.release(i))
                ends = [self.ticks - 1, *(x - 1 for x in (b, high) if x is not None)]
                if limit is not None:
                    ends.append(limit - duration.shortest)
                if not self._overrun:
                    ends.append(self.ticks - min(x for x in known if x is not None))
                if lo <= min(ends):
                    result.append((lo, min(ends), tuple(x for x in known if x is not None)))
        return result

    def _end(
        self, i: int, start: Instant, pieces: list[tuple[int, int, tuple[int, ...]]]
    ) -> tuple[Instant, Instant]:
        """Return the ticks of completion and of the end of attention."""
        c = self.circuit
        attended = self.graph.subtasks[i].attended
        lengths = sorted({length for _, _, several in pieces for length in several})
        if len(lengths) == 1:
            end = start.plus(lengths[0])
            return end, end if attended is None else start.plus(min(attended, lengths[0]))
        length = c.instant([(x, x) for x in lengths])
        last = c.instant([(start.lo + lengths[0], start.hi + lengths[-1])])
        assert length is not None
        assert last is not None
        end = last
        c.model.add(end.expression == start.expression + length.expression)
        for lo, hi, several in pieces:
            here = c.within(start, lo, hi)
            for x in lengths:
                if x not in several:
                    c.clause(c.negate(here), c.negate(c.at(length, x)))
        if attended is None:
            return end, end
        if attended <= lengths[0]:
            return end, start.plus(attended)
        busy = c.instant([(min(lengths[0], attended), min(lengths[-1], attended))])
        assert busy is not None
        c.model.add_min_equality(busy.expression, [length.expression, attended])
        free = c.instant([(start.lo + busy.lo, start.hi + busy.hi)])
        assert free is not None
        c.model.add(free.expression == start.expression + busy.expression)
        return end, free

    def done(self, i: int, y: Instant) -> Literal:
        """Return whether a subtask is done for starts at ``y``."""
        c = self.circuit
        if i in self.fade:
            states = self.fade[i]
            return c.pick(y, lambda t: states[min(t, len(states) - 1)])
        return self.succeeded(i, y)

    def succeeded(self, i: int, y: Instant) -> Literal:
        """Return whether some run of a subtask has succeeded by ``y``."""
        c = self.circuit
        return c.any_of(c.both(run.ok, c.before(run.end, y)) for run in self.runs.get(i, ()))

    def running(self, i: int, y: Instant) -> Literal:
        """Return whether a run is under way at ``y``, starts at ``y`` included."""
        c = self.circuit
        return c.any_of(
            c.both(run.present, c.before(run.start, y), c.before(y.plus(1), run.end))
            for run in self.runs.get(i, ())
        )

    def engaged(self, i: int, y: Instant) -> Literal:
        """Return whether a subtask is running or done at ``y``, starts at ``y`` included."""
        c = self.circuit
        if self.certain(i):
            return c.any_of(c.both(run.present, c.before(run.start, y)) for run in self.runs.get(i, ()))
        return c.any_of([self.running(i, y), self.done(i, y)])

    def certain(self, i: int) -> bool:
        """Return whether a subtask, once started, is running or done ever after."""
        return i not in self.fading and all(
            run.drawn is True and run.late is False for run in self.runs.get(i, ())
        )

    def node(self, node: int, y: Instant) -> Literal:
        """Return whether a node of the graph holds for starts at ``y``."""
        n = len(self.graph.subtasks)
        if node == TRUE:
            return True
        key = (node, y.key)
        if key not in self._nodes:
            if node < n:
                self._nodes[key] = self.done(node, y)
            else:
                c = self.circuit
                gate = self.graph.gates[node - n]
                literals = [self.node(p, y) for p in gate.positive]
                literals += [c.negate(self.node(p, y)) for p in gate.negative]
                self._nodes[key] = c.at_least(gate.count, literals)
        return self._nodes[key]

    def demand(self, node: int, y: Instant, *conditions: Literal) -> None:
        """Demand that a node holds for starts at ``y``, where the conditions hold."""
        n = len(self.graph.subtasks)
        c = self.circuit
        if node == TRUE:
            return
        if node >= n:
            gate = self.graph.gates[node - n]
            if gate.count == 1 and not gate.negative and self.exclusive(gate.positive):
                self._demand_mode(gate.positive, y, conditions)
                return
            if gate.count == len(gate.positive) + len(gate.negative):
                for p in gate.positive:
                    self.demand(p, y, *conditions)
                for p in gate.negative:
                    c.clause(*map(c.negate, conditions), c.negate(self.node(p, y)))
                return
        elif node not in self.fade and len(self.runs.get(node, ())) == 1:
            run = self.runs[node][0]
            c.clause(*map(c.negate, conditions), run.ok)
            c.demand_before(run.end, y, *conditions)
            return
        elif node in self.fade and len(conditions) == 1:
            states = self.fade[node]
            c.demand_pick(conditions[0], y, lambda t: states[min(t, len(states) - 1)])
            return
        c.clause(*map(c.negate, conditions), self.node(node, y))

    def exclusive(self, nodes: Sequence[int]) -> bool:
        """Return whether nodes are modes of one subtask of which at most one ever runs, once."""
        n = len(self.graph.subtasks)
        return (
            all(0 <= i < n and len(self.runs.get(i, ())) <= 1 and self.certain(i) for i in nodes)
            and not self.lenient.intersection(nodes)
            and len({self.graph.subtasks[i].pay_group for i in nodes}) == 1
            and any(self.runs.get(i) for i in nodes)
        )

    def _demand_mode(self, nodes: Sequence[int], y: Instant, conditions: Sequence[Literal]) -> None:
        """Demand that one of several exclusive modes is done."""
        c = self.circuit
        runs = [run for i in nodes for run in self.runs.get(i, ())]
        c.clause(*map(c.negate, conditions), *(run.present for run in runs))
        for run in runs:
            c.demand_before(run.end, y, run.present, *conditions)

    def interval(self, start: Instant, end: Instant, present: Literal) -> Any:
        """Return the interval of a run, for resources."""
        model = self.circuit.model
        if start.key[0] == end.key[0]:
            return model.new_optional_fixed_size_interval_var(
                start.expression, end.offset - start.offset, present, ""
            )
        size = model.new_int_var(end.lo - start.hi if end.lo > start.hi else 0, end.hi - start.lo, "")
        return model.new_optional_interval_var(start.expression, size, end.expression, present, "")
