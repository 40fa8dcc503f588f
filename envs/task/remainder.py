"""What is left of a task at some moment, as a task of its own on the same clock.

Owns the rewriting of a graph by what an agent sees: what was done is a run at the ticks at which it
was done, what runs goes on to its end with those who attend to it, and all else starts from now
on. So the exact solver, which knows only tasks from their beginning, can be asked from any moment.
It solves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stratagym.envs.task.graph import TRUE, Agent, Branch, Duration, Event, Gate, Lag, Subtask, TaskGraph
from stratagym.envs.task.outlook import fading
from stratagym.envs.task.view import TaskView


@dataclass(frozen=True)
class Remainder:
    """What is left of a task.

    Attributes:
        graph: it, with the subtasks of the task first, in their order, and the agents likewise.
        begun: subtasks of it whose (only) run has begun: part of every play.
        names: of the task's subtasks that can still be started.
        exact: whether its plays are all that the task still has. They are not where something that can
            spoil waits for what runs or is done and may be started again: that earlier run keeps
            it from spoiling only once.
    """

    graph: TaskGraph
    begun: frozenset[int]
    names: frozenset[str]
    exact: bool


@dataclass(frozen=True)
class _Past:
    """A run that has begun: of which subtask, from when to when, by whom, and how it ends."""

    subtask: int
    start: int
    end: int
    crew: tuple[int, ...]
    attended: int
    success: bool = True


def remainder(graph: TaskGraph, view: TaskView) -> Remainder:
    """Return what is left of a task.

    Args:
        graph: the task as it is to go on, with the subtasks, agents, resources and items of the view's
            graph (durations may differ, nothing may be drawn).
        view: of ``full`` knowledge. A run that is due but goes on is expected to end at the next tick.

    Returns:
        A task whose plays after the view's tick are plays that the task still has, and all of them where
        it is ``exact``.

    Raises:
        ValueError: if the view is not of ``full`` knowledge, or the task has formulas, whose state a
            task from its beginning cannot have.
    """
    if view.knowledge != "full":
        raise ValueError(f"knowledge: what is left is not known at {view.knowledge!r}")
    if graph.constraints:
        raise ValueError("constraints: what is left of a task with formulas is no task of its own")
    now, count = view.time, len(graph.subtasks)
    past = _past(graph, view)
    again = {i for i, s in enumerate(graph.subtasks) if s.repeatable} | fading(graph)
    skills = [*graph.skills, "is here", "was here"]
    here, gone = len(graph.skills), len(graph.skills) + 1
    crews: list[set[int]] = [{*agent.skills, here} for agent in graph.agents]
    own: dict[int, _Past] = {}
    added: list[_Past] = []
    for run in past:
        if run.subtask in again or run.subtask in own or not run.success:
            added.append(run)
        else:
            own[run.subtask] = run
    aliases = {i: [count + k for k, run in enumerate(added) if run.subtask == i] for i in again}
    aliases = {i: several for i, several in aliases.items() if several}
    new = _Nodes(graph, count + len(added), aliases)

    def gone_by(run: _Past, base: Subtask, name: str, group: int) -> Subtask:
        """Return the subtask whose only run is this one."""
        skill = gone
        if run.crew:
            skill = len(skills)
            skills.append(f"is at {name}")
            for a in run.crew:
                crews[a].add(skill)
        return replace(
            base,
            name=name,
            duration=Duration("fixed", (run.end - run.start,)),
            attended=run.attended,
            needs=TRUE,
            lags=(),
            release=run.start,
            deadline=run.end,
            uses=base.uses if run.end > now else (),
            consumes=(),
            requires=(),
            produces=base.produces if run.end > now else (),
            agents=max(1, len(run.crew)),
            skill=skill,
            success=1.0 if run.success else 0.0,
            attempts=1,
            repeatable=False,
            pay_group=group,
        )

    subtasks: list[Subtask] = []
    for i, s in enumerate(graph.subtasks):
        if i in own:
            subtasks.append(gone_by(own[i], s, s.name, s.pay_group))
            continue
        under_way = [run.end for run in added if run.subtask == i and run.end > now]
        left = None if s.attempts is None else s.attempts - view.runs[i].starts
        needs = new.node(s.needs)
        if i in aliases and not s.repeatable:
            needs = new.conjunction(needs, [new.negation(k) for k in aliases[i] if added[k - count].success])
        if left is not None and left <= 0:
            needs = new.never()
        subtasks.append(
            replace(
                s,
                needs=needs,
                lags=tuple(
                    replace(lag, predecessors=new.several(lag.predecessors, not _waits(lag, i in aliases)))
                    for lag in s.lags
                ),
                release=max([s.release, now, *under_way]),
                skill=here if s.skill is None else s.skill,
                attempts=None if left is None else max(1, left),
            )
        )
    for k, run in enumerate(added):
        base = graph.subtasks[run.subtask]
        word = "under way" if run.end > now else "before"
        subtasks.append(gone_by(run, base, f"{base.name} ({word} {k})", count + k))
    goal = None if graph.goal is None else new.node(graph.goal)
    held = [0] * len(graph.resources)
    for run in past:
        for r, amount in graph.subtasks[run.subtask].uses if run.end > now else ():
            held[r] += amount
    left_over = replace(
        graph,
        agents=(
            *(replace(a, skills=frozenset(c)) for a, c in zip(graph.agents, crews, strict=True)),
            Agent("the past", frozenset({gone})),
        ),
        skills=tuple(skills),
        resources=tuple(
            replace(r, capacity=view.free[r.name] + used)
            for r, used in zip(graph.resources, held, strict=True)
        ),
        items=tuple(replace(item, stock=view.stock[item.name]) for item in graph.items),
        subtasks=tuple(subtasks),
        gates=new.gates(),
        goal=goal,
        choices=tuple(
            replace(
                choice,
                branches=tuple(
                    Branch(new.node(branch.node), new.several(branch.members)) for branch in choice.branches
                ),
            )
            for choice in graph.choices
        ),
        dues=(),
        compositions=(),
        events=(*(e for e in graph.events if e.at[0] > now), *_away(view, past)),
    )
    begun = frozenset([*own, *range(count, count + len(added))])
    names = frozenset(s.name for i, s in enumerate(graph.subtasks) if i not in own)
    spoils = any(_waits(lag, i in aliases) for i, s in enumerate(graph.subtasks) for lag in s.lags)
    return Remainder(left_over, begun, names, not spoils)


def _waits(lag: Lag, begun: bool) -> bool:
    """Return whether the predecessors of a lag would spoil, were its subtask not begun."""
    return begun and lag.origin == "completion" and lag.maximum is not None


def _past(graph: TaskGraph, view: TaskView) -> list[_Past]:
    """Return the runs that still matter: the latest of each subtask that is done, running or counted from."""
    now, found = view.time, []
    counted = {p for s in graph.subtasks for lag in s.lags if lag.origin == "start" for p in lag.predecessors}
    for i, (s, run, status) in enumerate(zip(graph.subtasks, view.runs, view.status, strict=True)):
        running = status == "running"
        done = status == "done" or (running and s.repeatable and run.succeeded is not None)
        if done and run.succeeded is not None:
            start = run.succeeded - 1
            if not running and run.started is not None:
                start = min(start, run.started)
            found.append(_Past(i, max(0, start), max(1, run.succeeded), (), 0))
        if running:
            start = min(now, run.started or 0)
            end = max(now + 1, (run.started or 0) + max(1, round(s.duration.mean)))
            crew = tuple(
                a for a, agent in enumerate(view.agents) if not agent.idle and agent.attends == s.name
            )
            until = [view.agents[a].free_at for a in crew]
            free = max((end if tick is None else tick for tick in until), default=start)
            found.append(_Past(i, start, end, crew, min(free, end) - start))
        elif i in counted and not done and run.started is not None:
            found.append(_Past(i, run.started, run.started + 1, (), 0, success=False))
    return found


def _away(view: TaskView, past: Iterable[_Past]) -> Iterable[Event]:
    """Yield an event for each agent that is away, until it is back."""
    at_work = {a: run.end for run in past for a in run.crew}
    for a, agent in enumerate(view.agents):
        until = view.time + 1 if agent.free_at is None else agent.free_at
        since = at_work.get(a, view.time)
        if not agent.idle and until > since:
            yield Event("agent", (since, since), True, (a,), (until - since,))


class _Nodes:
    """The nodes of a graph to which subtasks were added, some of which stand for old ones.

    Args:
        graph: as it was.
        count: how many subtasks there are now.
        aliases: subtask -> those that stand for earlier runs of it.
    """

    def __init__(self, graph: TaskGraph, count: int, aliases: dict[int, list[int]]) -> None:
        self._graph, self._count, self._aliases = graph, count, aliases
        self._places = {i: count + k for k, i in enumerate(aliases)}
        self._gates = [Gate(1, (i, *several)) for i, several in aliases.items()]
        first = count + len(self._gates)
        self._shift = first - len(graph.subtasks)
        for gate in graph.gates:
            own = replace(gate, positive=self._all(gate.positive), negative=self._all(gate.negative))
            self._gates.append(own)

    def _all(self, nodes: Iterable[int]) -> tuple[int, ...]:
        return tuple(self.node(node) for node in nodes)

    def node(self, node: int) -> int:
        """Return what an old node is now."""
        if node == TRUE:
            return TRUE
        if node < len(self._graph.subtasks):
            return self._places.get(node, node)
        return node + self._shift

    def several(self, subtasks: Iterable[int], kept: bool = True) -> tuple[int, ...]:
        """Return subtasks, with those that stand for their earlier runs if these are kept."""
        return tuple(k for i in subtasks for k in (i, *(self._aliases.get(i, ()) if kept else ())))

    def _add(self, gate: Gate) -> int:
        self._gates.append(gate)
        return self._count + len(self._gates) - 1

    def negation(self, subtask: int) -> int:
        """Return the node that holds while a subtask is not done."""
        return self._add(Gate(1, (), (subtask,)))

    def conjunction(self, node: int, others: Iterable[int]) -> int:
        """Return the node that holds where all hold."""
        parts = tuple(n for n in (node, *others) if n != TRUE)
        return self._add(Gate(len(parts), parts)) if parts else TRUE

    def never(self) -> int:
        """Return a node that never holds."""
        return self._add(Gate(1))

    def gates(self) -> tuple[Gate, ...]:
        """Return all gates."""
        return tuple(self._gates)
