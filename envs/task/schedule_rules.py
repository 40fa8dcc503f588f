"""The rules of the page as constraints between runs.

Owns order of attempts, needs, lags, choices, resources, agents and items; each function
adds one rule to a sheet. Where the order of starts within one tick decides, the looser
reading is taken: a schedule of the model is played before it is believed (``replay``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stratagym.envs.task.circuit import Instant, Literal
from stratagym.envs.task.graph import Lag
from stratagym.envs.task.schedule import RunVariables, Sheet


def add_attempts(sheet: Sheet) -> None:
    """Runs of one subtask follow each other, and only where it may be started again."""
    c = sheet.circuit
    for i, runs in sheet.runs.items():
        again = sheet.graph.subtasks[i].repeatable
        for k, run in enumerate(runs):
            if k:
                c.clause(c.negate(run.present), runs[k - 1].present)
                c.demand_before(runs[k - 1].end, run.start, run.present)
            if again or not k:
                continue
            if i in sheet.fade:
                c.clause(c.negate(run.present), c.negate(sheet.done(i, run.start)))
            else:
                c.clause(c.negate(run.present), c.negate(runs[k - 1].ok))


def add_needs(sheet: Sheet) -> None:
    """What a subtask needs holds at each of its starts."""
    for run in sheet.all_runs:
        sheet.demand(sheet.graph.subtasks[run.subtask].needs, run.start, run.present)


def add_lags(sheet: Sheet) -> None:
    """Each start lies in the windows that its lags open."""
    for run in sheet.all_runs:
        for lag in sheet.graph.subtasks[run.subtask].lags:
            if sheet.lenient.intersection(lag.predecessors):
                lag = replace(lag, maximum=None)
            if lag.origin == "completion":
                _completion_lag(sheet, run, lag)
            else:
                _start_lag(sheet, run, lag)


def _completion_lag(sheet: Sheet, run: RunVariables, lag: Lag) -> None:
    c = sheet.circuit
    if sheet.exclusive(lag.predecessors):
        modes = [r for p in lag.predecessors for r in sheet.runs.get(p, ())]
        c.clause(c.negate(run.present), *(r.present for r in modes))
        for r in modes:
            c.demand_before(r.end.plus(lag.minimum), run.start, run.present, r.present)
            if lag.maximum is not None:
                c.demand_before(run.start, r.end.plus(lag.maximum), run.present, r.present)
        return
    counted: list[tuple[Literal, Instant]] = []
    for p in lag.predecessors:
        runs = sheet.runs.get(p, [])
        done: Literal = True
        if len(lag.predecessors) == 1:
            sheet.demand(p, run.start, run.present)
            if len(runs) == 1 and p not in sheet.fade:
                c.demand_before(runs[0].end.plus(lag.minimum), run.start, run.present)
                if lag.maximum is not None:
                    c.demand_before(run.start, runs[0].end.plus(lag.maximum), run.present)
                return
        else:
            done = sheet.done(p, run.start)
        counted += [(c.both(r.ok, c.before(r.end, run.start), done), r.end) for r in runs]
    _window(sheet, run, lag, counted)


def _start_lag(sheet: Sheet, run: RunVariables, lag: Lag) -> None:
    """Count starts of earlier steps; of the same tick either way, if steps can share a tick.

    A start that is attended to moves the clock, unless another agent dispatches with it.
    """
    c = sheet.circuit
    several = sheet.dispatch and len(sheet.graph.agents) > 1
    counted: list[tuple[Literal, Instant]] = []
    for p in lag.predecessors:
        for other in sheet.runs.get(p, ()):
            if other is run:
                continue
            earlier = c.both(other.present, c.before(other.start.plus(1), run.start))
            if p != run.subtask and (several or sheet.graph.subtasks[p].attended == 0):
                same = c.both(other.present, c.before(other.start, run.start), c.negate(earlier))
                earlier = c.any_of([earlier, c.both(same, c.flag())]) if same is not False else earlier
            counted.append((earlier, other.start))
    _window(sheet, run, lag, counted, run.subtask in lag.predecessors)


def _window(
    sheet: Sheet,
    run: RunVariables,
    lag: Lag,
    counted: Sequence[tuple[Literal, Instant]],
    cooldown: bool = False,
) -> None:
    """Demand the window from the latest of the moments that count."""
    c = sheet.circuit
    absent = c.negate(run.present)
    if not cooldown:
        c.clause(absent, *(literal for literal, _ in counted))
    for literal, moment in counted:
        if literal is not False:
            c.demand_before(moment.plus(lag.minimum), run.start, run.present, literal)
    if lag.maximum is not None:
        recent = [c.both(literal, c.before(run.start, m.plus(lag.maximum))) for literal, m in counted]
        if cooldown:
            none = c.negate(c.any_of(literal for literal, _ in counted))
            recent.append(none)
        c.clause(absent, *recent)


def add_choices(sheet: Sheet) -> None:
    """A start is in a branch that holds all that runs or is done of its choice."""
    c = sheet.circuit
    for choice in sheet.graph.choices:
        members = [i for i in choice.members if i in sheet.runs]
        if sheet.lenient.intersection(members):
            continue
        branches = [set(branch.members) for branch in choice.branches]
        if all(sheet.certain(i) for i in members):
            chosen = [c.flag() for _ in branches]
            c.clause(*chosen)
            for literal, inside in zip(chosen, branches, strict=True):
                for i in members:
                    if i not in inside:
                        c.clause(c.negate(literal), c.negate(sheet.runs[i][0].present))
            continue
        for i in members:
            for run in sheet.runs[i]:
                still_open = [
                    c.all_of(c.negate(sheet.engaged(j, run.start)) for j in members if j not in inside)
                    for inside in branches
                    if i in inside
                ]
                c.clause(c.negate(run.present), *still_open)


def add_resources(sheet: Sheet) -> None:
    """What runs holds no more of a resource than there is at each start."""
    graph, c = sheet.graph, sheet.circuit
    for r in range(len(graph.resources)):
        spans = sheet.look.capacities(r)
        most = max(capacity for a, _, capacity in spans if a < sheet.ticks)
        users = [(run, dict(graph.subtasks[run.subtask].uses).get(r, 0)) for run in sheet.all_runs]
        users = [(run, amount) for run, amount in users if amount]
        for run, amount in users:
            if amount > most:
                c.clause(c.negate(run.present))
        users = [(run, amount) for run, amount in users if amount <= most]
        intervals = [sheet.interval(run.start, run.end, run.present) for run, _ in users]
        if users and all(2 * amount > most for _, amount in users):
            c.model.add_no_overlap(intervals)
        elif sum(amount for _, amount in users) > most:
            c.model.add_cumulative(intervals, [amount for _, amount in users], most)
        for a, b, capacity in spans:
            if capacity < most:
                last = sheet.ticks - 1 if b is None else min(b, sheet.ticks) - 1
                _reduced(sheet, users, capacity, a, last)


def _reduced(
    sheet: Sheet, users: list[tuple[RunVariables, int]], capacity: int, first: int, last: int
) -> None:
    """Within these ticks less is there for starts; what runs goes on."""
    c = sheet.circuit
    for run, own in users:
        here = c.both(run.present, c.within(run.start, first, last))
        if here is False:
            continue
        load = []
        for other, amount in users:
            if other is not run:
                active = c.both(
                    other.present,
                    c.before(other.start, run.start),
                    c.before(run.start.plus(1), other.end),
                )
                load.append(amount * active)
        c.model.add(sum(load) + own <= capacity).only_enforce_if(here)


Shares = dict[tuple[int, int], list[tuple[list[int], Literal]]]
"""For each run (subtask, attempt): how many agents it takes of each class."""


def add_agents(sheet: Sheet) -> Shares:
    """Agents with the skill are idle at each start, and busy while they attend.

    Returns:
        What each run takes of each class of agents that are alike.
    """
    graph, c = sheet.graph, sheet.circuit
    asked = {graph.subtasks[i].skill for i in sheet.runs}
    classes: dict[tuple[object, ...], list[int]] = {}
    for a, agent in enumerate(graph.agents):
        mark = (a,) if sheet.look.down(a) else ()
        classes.setdefault((frozenset(agent.skills & asked), *mark), []).append(a)
    groups = list(classes.values())
    shares: dict[int, list[tuple[RunVariables, Literal]]] = {k: [] for k in range(len(groups))}
    taken: Shares = {}
    for run in sheet.all_runs:
        s = graph.subtasks[run.subtask]
        able = [
            k for k, group in enumerate(groups) if s.skill is None or s.skill in graph.agents[group[0]].skills
        ]
        if sum(len(groups[k]) for k in able) < s.agents:
            c.clause(c.negate(run.present))
            continue
        own = taken.setdefault((run.subtask, run.attempt), [])
        for k, share in zip(able, _split(sheet, run, [len(groups[k]) for k in able], s.agents), strict=True):
            shares[k].append((run, share))
            own.append((groups[k], share))
            for lo, hi in sheet.look.down(groups[k][0]):
                c.clause(c.negate(share), c.negate(c.within(run.start, lo, hi - 1)))
    for k, group in enumerate(groups):
        _attention(sheet, shares[k], len(group))
    return taken


def _split(sheet: Sheet, run: RunVariables, sizes: list[int], agents: int) -> list[Literal]:
    """Return how many agents of each class a run takes: literals or, if joint, numbers."""
    c = sheet.circuit
    if len(sizes) == 1:
        return [run.present if agents == 1 or sizes == [1] else agents * run.present]
    shares = [
        c.flag() if min(size, agents) == 1 else c.model.new_int_var(0, min(size, agents), "")
        for size in sizes
    ]
    c.model.add(sum(shares) == agents * run.present)
    return shares


def _attention(sheet: Sheet, shares: list[tuple[RunVariables, Literal]], size: int) -> None:
    """Agents of one class attend to one run each; a dispatch finds them idle and leaves them so."""
    c = sheet.circuit
    attended = [
        (run, share) for run, share in shares if run.free.hi > run.start.hi or run.free.lo > run.start.lo
    ]
    if not attended:
        return
    intervals = [sheet.interval(run.start, run.free, run.present) for run, _ in attended]
    if size == 1:
        intervals = [sheet.interval(run.start, run.free, share) for run, share in attended]
        c.model.add_no_overlap(intervals)
    else:
        c.model.add_cumulative(intervals, [share for _, share in attended], size)
    for run, share in shares:
        if (run, share) in attended:
            continue
        inside = []
        for other, held in attended:
            during = c.both(
                other.present,
                c.before(other.start.plus(1), run.start),
                c.before(run.start.plus(1), other.free),
            )
            if during is not False:
                part = c.model.new_int_var(0, size, "")
                c.model.add(part >= held).only_enforce_if(during)
                inside.append(part)
        if inside:
            c.model.add(sum(inside) + share <= size).only_enforce_if(run.present)


def add_items(sheet: Sheet) -> None:
    """Stock suffices at each start; items whose stock an event reduces are in ``schedule_ticks``."""
    graph, c = sheet.graph, sheet.circuit
    for item, entry in enumerate(graph.items):
        changes = sheet.look.changes("stock", item)
        if any(amount < 0 for _, amount in changes):
            continue
        made = [
            (run, n) for run in sheet.all_runs if (n := dict(graph.subtasks[run.subtask].produces).get(item))
        ]
        taken = [
            (run, n) for run in sheet.all_runs if (n := dict(graph.subtasks[run.subtask].consumes).get(item))
        ]
        for run in sheet.all_runs:
            own = dict(graph.subtasks[run.subtask].consumes).get(item, 0)
            shown = dict(graph.subtasks[run.subtask].requires).get(item, 0)
            if not own and not shown:
                continue
            stock: list[Literal] = [entry.stock]
            stock += [n * c.before(Instant.constant(tick), run.start) for tick, n in changes]
            stock += [n * c.both(r.ok, c.before(r.end, run.start)) for r, n in made]
            if own:
                used = [n * c.both(r.present, c.before(r.start, run.start)) for r, n in taken if r is not run]
                c.model.add(sum(stock) - sum(used) >= own).only_enforce_if(run.present)
            if shown:
                used = [
                    n * c.both(r.present, c.before(r.start.plus(1), run.start))
                    for r, n in taken
                    if r is not run
                ]
                c.model.add(sum(stock) - sum(used) >= shown).only_enforce_if(run.present)
