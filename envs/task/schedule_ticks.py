"""The rules that must be followed tick by tick, as circuits over the ticks of a schedule.

Owns done and undone where a subtask can spoil or be undone by an event, the automata of
constraints, and stock that an event reduces. Tasks without these features get nothing
from here; ``schedule_rules`` has the rules that speak of starts only.
"""

from __future__ import annotations

import itertools
from typing import Any

from stratagym.envs.task.circuit import Instant, Literal
from stratagym.envs.task.graph import Constraint
from stratagym.envs.task.outlook import spoilers
from stratagym.envs.task.schedule import Sheet


def add_fading(sheet: Sheet) -> None:
    """Fill ``sheet.fade``: what is done, tick by tick, for subtasks that can spoil or be undone."""
    spoiling = spoilers(sheet.graph)
    fading = sorted(i for i in sheet.fading if i in sheet.runs)
    undo = {i: {tick for tick, _ in sheet.look.changes("undo", i)} for i in fading}
    for i in fading:
        sheet.fade[i] = [False]
    for t in range(1, sheet.ticks + 1):
        kept = {i: False if t in undo[i] else sheet.fade[i][t - 1] for i in fading}
        complete = {i: sheet.circuit.any_of([kept[i], _success(sheet, i, t, t)]) for i in fading}
        for i in fading:
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
        states = _follow(sheet, constraint)
        automaton = constraint.automaton
        accepting = [q for q, accepts in enumerate(automaton.accepting) if accepts]
        sheet.accepts.append([c.any_of(row.get(q, False) for q in accepting) for row in states])
        dead = [q for q, is_dead in enumerate(automaton.dead) if is_dead]
        open_yet = [c.all_of(c.negate(row.get(q, False)) for q in dead) for row in states]
        blind = set() if careful else _blind(sheet, constraint)
        alive = [a if t in blind else c.both(a, b) for t, (a, b) in enumerate(itertools.pairwise(open_yet))]
        for run in sheet.all_runs:
            c.demand_pick(run.present, run.start, alive.__getitem__)


def _blind(sheet: Sheet, constraint: Constraint) -> set[int]:
    """Return the ticks at which starts may be allowed though the next letter turns out fatal.

    The last of the starts of a tick is judged by the very letter that comes, if no draw,
    spoiling or event stands between.
    """
    graph = sheet.graph
    drawn = any(
        0 < graph.subtasks[i].success < 1 or any(d.drawn for _, _, d in sheet.look.durations(i))
        for i in sheet.runs
    )
    if drawn or any(sheet.fading.intersection(sheet.leaves(a.node)) for a in constraint.atoms):
        return set(range(sheet.ticks))
    return {tick - 1 for kind in ("undo", "deadline") for tick, _ in sheet.look.events(kind)}


def _follow(sheet: Sheet, constraint: Constraint) -> list[dict[int, Literal]]:
    """Return, tick by tick, a literal for each state that an automaton may be in."""
    c = sheet.circuit
    before: dict[int, Literal] = {constraint.automaton.initial: True}
    rows = []
    for t in range(sheet.ticks + 1):
        letter = [_atom(sheet, constraint, k, t) for k in range(len(constraint.atoms))]
        arcs: list[tuple[int, list[Literal], int]] = []
        for state in before:
            arcs += [
                (state, path, after) for path, after in _paths(constraint.automaton.table[state], letter)
            ]
        targets = sorted({after for _, _, after in arcs})
        after = {q: True if len(targets) == 1 else c.flag() for q in targets}
        if len(targets) > 1:
            c.model.add_exactly_one(after.values())
        for state, path, target in arcs:
            c.clause(c.negate(before[state]), *map(c.negate, path), after[target])
        rows.append(after)
        before = after
    return rows


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


def _atom(sheet: Sheet, constraint: Constraint, k: int, t: int) -> Literal:
    """Return whether an atom holds in the letter of a tick."""
    c = sheet.circuit
    atom = constraint.atoms[k]
    now = Instant.constant(t)
    if atom.kind == "done":
        return sheet.node(atom.node, now)
    runs = [run for i in atom.members for run in sheet.runs.get(i, ())]
    if atom.kind == "started":
        return c.any_of(c.both(run.present, c.at(run.start, t - 1)) for run in runs)
    return c.any_of(
        c.both(run.present, c.before(run.start.plus(1), now), c.before(now.plus(1), run.end)) for run in runs
    )


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
