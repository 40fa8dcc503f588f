"""The rules that must be followed tick by tick, as circuits over the ticks of a schedule.

Owns done and undone where a subtask can spoil or be undone by an event, the automata of
constraints, and stock that an event reduces. Tasks without these features get nothing
from here; ``schedule_rules`` has the rules that speak of starts only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stratagym.envs.task.circuit import Instant, Literal
from stratagym.envs.task.graph import TRUE, Atom, Automaton, Constraint
from stratagym.envs.task.outlook import spoilers
from stratagym.envs.task.schedule import Sheet


def add_fading(sheet: Sheet) -> None:
    """Fill ``sheet.fade`` and ``sheet.kept`` for the subtasks that can spoil or be undone."""
    spoiling = spoilers(sheet.graph)
    fading = sorted(i for i in sheet.fading if i in sheet.runs)
    if not fading:
        return
    undo = {i: {tick for tick, _ in sheet.look.changes("undo", i)} for i in fading}
    for i in fading:
        sheet.fade[i] = [False]
        sheet.kept[i] = [False]
    for t in range(1, sheet.ticks + 1):
        kept = {i: False if t in undo[i] else sheet.fade[i][t - 1] for i in fading}
        complete = {i: sheet.circuit.any_of([kept[i], _success(sheet, i, t, t)]) for i in fading}
        for i in fading:
            sheet.kept[i].append(sheet.circuit.any_of([sheet.fade[i][t - 1], _success(sheet, i, t, t)]))
            sheet.fade[i].append(complete[i])
        after = {i: _unless_spoiled(sheet, i, t, spoiling.get(i, {}), complete[i]) for i in fading}
        for i in fading:
            sheet.fade[i][t] = after[i]


def _success(sheet: Sheet, i: int, first: int, last: int) -> Literal:
    """Return whether some run of a subtask succeeds within these ticks."""
    c = sheet.circuit
    return c.any_of(c.both(run.ok, c.within(run.end, first, last)) for run in sheet.runs[i])


def _unless_spoiled(sheet: Sheet, i: int, t: int, keepers: dict[int, int], done: Literal) -> Literal:
    """Return whether a subtask that is done after the completions of a tick stays so."""
    c = sheet.circuit
    stays = [done]
    for keeper, ticks in keepers.items():
        if done is False:
            return False
        fresh = _success(sheet, i, max(0, t - ticks), t)
        stays.append(c.any_of([fresh, _protects(sheet, keeper, t)]) if fresh is not True else True)
    return c.all_of(stays)


def _protects(sheet: Sheet, i: int, t: int) -> Literal:
    """Return whether the successor on a lag keeps its predecessor from spoiling at a tick.

    It does while it runs, is done, has no start left, is closed or is ruled out by a choice.
    """
    c = sheet.circuit
    subtask = sheet.graph.subtasks[i]
    reasons = [_engaged(sheet, i, t)]
    runs = sheet.runs.get(i, [])
    if subtask.attempts is not None and len(runs) == subtask.attempts:
        reasons.append(c.both(runs[-1].present, c.before(runs[-1].start, Instant.constant(t - 1))))
    reasons += [c.both(run.present, run.late, c.at(run.end, t)) for run in runs]
    if _out_of_time(sheet, i, t - 1):
        idle = [c.negate(_engaged(sheet, i, t - 1)), c.negate(sheet.done(i, Instant.constant(t - 1)))]
        reasons.append(c.all_of(idle))
    for choice in sheet.graph.choices:
        if i in choice.members:
            still_open = [
                c.all_of(c.negate(_engaged(sheet, j, t)) for j in choice.members if j not in branch.members)
                for branch in choice.branches
                if i in branch.members
            ]
            reasons.append(c.negate(c.any_of(still_open)))
    return c.any_of(reasons)


def _engaged(sheet: Sheet, i: int, t: int) -> Literal:
    """Return whether a subtask runs or is done after the completions of a tick, before its starts."""
    c = sheet.circuit
    running = [
        c.both(
            run.present,
            c.before(run.start.plus(1), Instant.constant(t)),
            c.within(run.end, t + 1, run.end.hi),
        )
        for run in sheet.runs.get(i, ())
    ]
    return c.any_of([*running, sheet.done(i, Instant.constant(t))])


def _out_of_time(sheet: Sheet, i: int, t: int) -> bool:
    """Return whether a start at a tick could not complete by the deadline."""
    shortest = next(d.shortest for a, b, d in sheet.look.durations(i) if a <= t and (b is None or t < b))
    limit = next(x for a, b, x in sheet.look.deadlines(i) if a <= t and (b is None or t < b))
    return limit is not None and t + shortest > limit


def add_constraints(sheet: Sheet, careful: bool = False) -> None:
    """Fill ``sheet.accepts``, and forbid starts once some automaton can never accept again.

    Args:
        sheet: the sheet.
        careful: also forbid every start after which one never can, allowed or not.
    """
    c = sheet.circuit
    for constraint in sheet.graph.constraints:
        trace = _follow(sheet, constraint)
        automaton = constraint.automaton
        accepting = [q for q, accepts in enumerate(automaton.accepting) if accepts]
        sheet.accepts.append([c.any_of(row.get(q, False) for q in accepting) for row in trace.states])
        dead = [q for q, is_dead in enumerate(automaton.dead) if is_dead]
        blind = set() if careful else _blind(sheet)
        open_yet = []
        for t in range(sheet.ticks):
            fatal = [trace.states[t].get(q, False) for q in dead]
            fatal += [] if t in blind else [trace.looms[t + 1]]
            fatal += [trace.states[t + 1].get(q, False) for q in dead] if careful else []
            open_yet.append(c.negate(c.any_of(fatal)))
        for run in sheet.all_runs:
            c.demand_pick(run.present, run.start, open_yet.__getitem__)


def _blind(sheet: Sheet) -> set[int]:
    """Return the ticks at which starts may be allowed though the next letter turns out fatal.

    The last of the starts of a tick is judged by the letter that comes if nothing is
    drawn and no deadline moves, events and spoiling aside.
    """
    graph = sheet.graph
    drawn = any(
        0 < graph.subtasks[i].success < 1 or any(d.drawn for _, _, d in sheet.look.durations(i))
        for i in sheet.runs
    )
    return set(range(sheet.ticks)) if drawn else {tick - 1 for tick, _ in sheet.look.events("deadline")}


@dataclass(frozen=True)
class _Trace:
    """The states of an automaton, tick by tick from 0.

    Attributes:
        states: a literal for each state that it may be in.
        looms: whether it would be dead, were it not for the events and spoiling of the tick.
    """

    states: list[dict[int, Literal]]
    looms: list[Literal]


def _follow(sheet: Sheet, constraint: Constraint) -> _Trace:
    """Follow an automaton through the ticks."""
    c = sheet.circuit
    automaton = constraint.automaton
    before: dict[int, Literal] = {automaton.initial: True}
    trace = _Trace([], [])
    for t in range(sheet.ticks + 1):
        arcs = _arcs(automaton, before, [_atom(sheet, atom, t) for atom in constraint.atoms])
        targets = sorted({after for _, _, after in arcs})
        after = {q: True if len(targets) == 1 else c.flag() for q in targets}
        if len(targets) > 1:
            c.model.add_exactly_one(after.values())
        for state, path, target in arcs:
            c.clause(c.negate(before[state]), *map(c.negate, path), after[target])
        quiet = _arcs(automaton, before, [_atom(sheet, atom, t, quiet=True) for atom in constraint.atoms])
        trace.looms.append(
            c.any_of(c.all_of([before[q], *path]) for q, path, to in quiet if automaton.dead[to])
        )
        trace.states.append(after)
        before = after
    return trace


def _arcs(
    automaton: Automaton, before: dict[int, Literal], letter: list[Literal]
) -> list[tuple[int, list[Literal], int]]:
    """Return (state, literals of the letter, successor) for each state that may be."""
    return [(q, path, after) for q in before for path, after in _paths(automaton.table[q], letter)]


def _paths(row: tuple[int, ...], letter: list[Literal]) -> list[tuple[list[Literal], int]]:
    """Return the successors of a state with the literals that lead there, equal halves merged."""
    result = []
    todo: list[tuple[list[Literal], tuple[int, ...], int]] = [([], row, 0)]
    while todo:
        path, rest, k = todo.pop()
        if len(set(rest)) == 1:
            result.append((path, rest[0]))
            continue
        # Bit k is the lowest of those left: even places have it off.
        off, on = rest[0::2], rest[1::2]
        value = letter[k]
        if off == on or value is False:
            todo.append((path, off, k + 1))
        elif value is True:
            todo.append((path, on, k + 1))
        else:
            todo.append(([*path, value.negated()], off, k + 1))
            todo.append(([*path, value], on, k + 1))
    return result


def _atom(sheet: Sheet, atom: Atom, t: int, quiet: bool = False) -> Literal:
    """Return whether an atom holds in the letter of a tick, ``quiet``: without its events and spoiling."""
    c = sheet.circuit
    now = Instant.constant(t)
    if atom.kind == "done":
        return _quiet(sheet, atom.node, t, {}) if quiet else sheet.node(atom.node, now)
    runs = [run for i in atom.members for run in sheet.runs.get(i, ())]
    if atom.kind == "started":
        return c.any_of(c.both(run.present, c.at(run.start, t - 1)) for run in runs)
    return c.any_of(
        c.both(run.present, c.before(run.start.plus(1), now), c.before(now.plus(1), run.end)) for run in runs
    )


def _quiet(sheet: Sheet, node: int, t: int, known: dict[int, Literal]) -> Literal:
    """Return whether a node would hold at a tick without its events and spoiling."""
    n = len(sheet.graph.subtasks)
    if node == TRUE:
        return True
    if node < n:
        return sheet.kept[node][t] if node in sheet.kept else sheet.succeeded(node, Instant.constant(t))
    if node not in known:
        c = sheet.circuit
        gate = sheet.graph.gates[node - n]
        literals = [_quiet(sheet, p, t, known) for p in gate.positive]
        literals += [c.negate(_quiet(sheet, p, t, known)) for p in gate.negative]
        known[node] = c.at_least(gate.count, literals)
    return known[node]


def add_reduced_stock(sheet: Sheet) -> None:
    """Follow the stock of items that an event reduces, never below 0."""
    graph, c = sheet.graph, sheet.circuit
    for item, entry in enumerate(graph.items):
        changes = sheet.look.changes("stock", item)
        if not any(amount < 0 for _, amount in changes):
            continue
        runs = [(run, graph.subtasks[run.subtask]) for run in sheet.all_runs]
        made = [(run, n) for run, s in runs if (n := dict(s.produces).get(item))]
        taken = [(run, n) for run, s in runs if (n := dict(s.consumes).get(item))]
        shown = [(run, n) for run, s in runs if (n := dict(s.requires).get(item))]
        most = entry.stock + sum(n for _, n in changes if n > 0) + sum(n for _, n in made)
        level: Any = entry.stock
        for t in range(sheet.ticks):
            for run, n in shown:
                here = c.both(run.present, c.at(run.start, t))
                if here is not False:
                    c.model.add(level >= n).only_enforce_if(here)
            left = c.model.new_int_var(0, most, "")
            c.model.add(left == level - sum(n * c.both(r.present, c.at(r.start, t)) for r, n in taken))
            kept = left
            for tick, amount in changes:
                if tick == t + 1:
                    lower = c.model.new_int_var(0, most, "")
                    c.model.add_max_equality(lower, [kept + amount, 0])
                    kept = lower
            level = c.model.new_int_var(0, most, "")
            c.model.add(level == kept + sum(n * c.both(r.ok, c.at(r.end, t + 1)) for r, n in made))
