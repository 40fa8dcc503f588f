"""A simulated moment as an agent would see it: the observation of a lane in the head.

Owns the views of single runs and agents, which are the same for a real lane (the adapters
read them here) and for a ``Simulator``, and the whole observation of the latter, from which
any planner decides as if it were there. It enforces no knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stratagym.envs.task import layout as at
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.simulate import Simulator, copy_memory
from stratagym.envs.task.starts import idle
from stratagym.envs.task.view import AgentView, Observation, RunView, TaskView


def agent_view(m: Memory, graph: TaskGraph, a: int, names: Sequence[str | None]) -> AgentView:
    """Return one agent as it is seen."""
    q = m.t[at.Q_AGENTS] + a * at.AGENT_SIZE
    free = bool(idle(m, a))
    attends = m.s[q + at.ATTENDS]
    busy = attends >= 0 and m.s[q + at.FREE_AT] > m.s[at.CLOCK]
    drawn = busy and graph.subtasks[attends].duration.drawn
    until = max(m.s[q + at.FREE_AT], m.s[q + at.DOWN_UNTIL])
    return AgentView(
        name=graph.agents[a].name,
        idle=free,
        attends=names[attends] if busy else None,
        free_at=m.s[at.CLOCK] if free else None if drawn else until,
        skills=frozenset(graph.skills[k] for k in graph.agents[a].skills),
    )


def run_view(m: Memory, i: int) -> RunView:
    """Return what is known of a subtask's runs."""
    q = at.S_HEADS + i * at.S_COLUMNS

    def tick(column: int) -> int | None:
        return m.s[q + column] if m.s[q + column] >= 0 else None

    return RunView(m.s[q + at.STARTS], tick(at.START), tick(at.SUCCEEDED), tick(at.FIRST))


def imagine(simulator: Simulator) -> Observation:
    """Return what an agent with full knowledge would see of a simulated moment.

    Args:
        simulator: of a task in the abstract world; every subtask must have appeared.
    """
    m, graph = simulator.memory, simulator.graph
    names = graph.names
    copy: Any = copy_memory(m)
    task = TaskView(
        knowledge="full",
        time=simulator.time,
        names=names,
        status=tuple(simulator.status()),  # type: ignore[arg-type]
        graph=graph,
        runs=tuple(run_view(m, i) for i in range(len(graph.subtasks))),
        agents=tuple(agent_view(m, graph, a, names) for a in range(len(graph.agents))),
        free=simulator.free(),
        stock=simulator.stock(),
        automata=tuple(m.s[m.t[at.Q_AUTOMATA] + c] for c in range(len(graph.constraints))),
        lane=copy,
    )
    return Observation(task, simulator.mask())
