"""Play on from what an agent sees, where no exact lane may be handed out.

Owns the rebuilding of a lane from a view: as the agent would expect it, with every draw
at its mean. While something runs whose duration was drawn, or while events that the agent
does not know of are to come, this is all that there is to plan with. It adds no rule.
"""

from __future__ import annotations

from stratagym.envs.task import kernel
from stratagym.envs.task import layout as at
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.nodes import drop, has, open_branches, put, put_bit, set_done
from stratagym.envs.task.simulate import Simulator
from stratagym.envs.task.starts import refresh
from stratagym.envs.task.view import TaskView


def resume(graph: TaskGraph, view: TaskView) -> Simulator:
    """Return a simulator of ``graph`` at the moment that the view shows.

    Args:
        graph: the task as it is to go on, with the subtasks, agents, resources, items and
            constraints of the view's graph (durations and chances may differ).
        view: at ``full`` knowledge.

    Returns:
        A simulator under the tick clock. It agrees with the true lane where nothing
        is drawn and no event has changed a run under way, except that a repeatable subtask which is
        running counts as done if it has ever succeeded. A run that is due but goes on
        is expected to end at the next tick. Who began a run is known only of agents that attend to it.

    Raises:
        ValueError: if the view is not of ``full`` knowledge.
    """
    if view.knowledge != "full":
        raise ValueError(f"knowledge: a lane cannot be rebuilt from {view.knowledge!r}")
    simulator = Simulator(graph)
    m = simulator.memory
    m.s[at.CLOCK] = view.time
    for e in range(m.t[at.T_EVENTS]):
        if m.s[m.t[at.Q_EVENTS] + e] <= view.time:
            m.s[m.t[at.Q_EVENTS] + e] = at.FAR
    for i, name in enumerate(view.names):
        if name is not None and has(m, at.UNKNOWN, i):
            drop(m, at.UNKNOWN, i)
        _put_subtask(m, graph, view, i)
    for k, resource in enumerate(graph.resources):
        m.s[m.t[at.Q_LEVELS] + k] = view.free[resource.name]
    for k, item in enumerate(graph.items):
        m.s[m.t[at.Q_LEVELS] + m.t[at.T_RESOURCES] + k] = view.stock[item.name]
    for a in range(len(view.agents)):
        _put_agent(m, graph, view, a)
    for c, state in enumerate(view.automata):
        m.s[m.t[at.Q_AUTOMATA] + c] = state
    _settle(m)
    return simulator


def _put_subtask(m: Memory, graph: TaskGraph, view: TaskView, i: int) -> None:
    """Write one subtask's runs and status."""
    subtask, run, status = graph.subtasks[i], view.runs[i], view.status[i]
    q = at.S_HEADS + i * at.S_COLUMNS
    m.s[q + at.STARTS] = run.starts
    for column, tick in ((at.START, run.started), (at.SUCCEEDED, run.succeeded), (at.FIRST, run.first)):
        m.s[q + column] = -1 if tick is None else tick
    m.s[q + at.PREVIOUS] = m.s[q + at.START]
    if subtask.attempts is not None and run.starts >= subtask.attempts:
        put(m, at.SPENT, i)
    if run.first is not None and not subtask.repeatable:
        put(m, at.PAID, m.t[at.HEADS + i * at.COLUMNS + at.PAY])
    if status == "running":
        put(m, at.RUNNING, i)
        m.s[at.RUNS] += 1
        expected = (run.started or 0) + max(1, round(subtask.duration.mean))
        m.s[q + at.END] = max(view.time + 1, expected)
    if status == "done" or (status == "running" and subtask.repeatable and run.succeeded is not None):
        set_done(m, i)
    if status == "closed":
        put(m, at.CLOSED, i)


def _put_agent(m: Memory, graph: TaskGraph, view: TaskView, a: int) -> None:
    """Write what one agent attends to, and until when."""
    agent = view.agents[a]
    q = m.t[at.Q_AGENTS] + a * at.AGENT_SIZE
    if agent.idle:
        return
    if agent.attends is None:
        m.s[q + at.DOWN_UNTIL] = view.time + 1 if agent.free_at is None else agent.free_at
        return
    i = view.names.index(agent.attends)
    run = at.S_HEADS + i * at.S_COLUMNS
    until, attended = m.s[run + at.END], graph.subtasks[i].attended
    if attended is not None:
        until = min(until, max(view.time + 1, m.s[run + at.START] + attended))
    m.s[q + at.ATTENDS] = i
    m.s[q + at.FREE_AT] = until if agent.free_at is None else agent.free_at
    if m.t[at.CREW_WORDS] > 0:
        put_bit(m.sb, m.t[at.QB_CREW] + i * m.t[at.CREW_WORDS], a)


def _settle(m: Memory) -> None:
    """Work out all that follows from the state."""
    m.s[at.HURT] = m.s[at.STALE] = m.s[at.LATE] = 1
    m.s[at.LETTERS_STILL] = 0
    m.s[at.BAN] = m.s[at.CLOCK]
    open_branches(m)
    kernel.close(m)
    m.x[0] = 0
    kernel.plan_events(m)
    # A shield that this moment has lifted is judged at the next tick.
    m.s[at.JUDGE] = m.s[at.CLOCK] + 1
    kernel.plan_next(m)
    refresh(m)
