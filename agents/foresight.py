"""What a planner is shown of a world, and the plan that it makes of it.

Owns two things. The *picture*: the task as it stands for bodies that must walk, with
travel added to durations, what others have taken up counted as running, and what no
body could begin taken out of the mask, so that planners made for the abstract world work
unchanged. And the *plan*: the picture played out in the abstract simulator with the
planner at the wheel. It knows no skill and no option; ``hierarchy`` says what is taken up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stratagym.agents.base import Plan, Planner, PlanStep, Survey, label
from stratagym.agents.planners.search import expected
from stratagym.agents.planners.structure import Structure
from stratagym.envs.task.graph import Duration, Subtask, TaskGraph
from stratagym.envs.task.imagine import imagine
from stratagym.envs.task.resume import resume
from stratagym.envs.task.view import Observation, RunView, Status, TaskView

Mask = np.ndarray[Any, np.dtype[np.int8]]

STEPS_MOST = 20_000
"""Simulated steps after which a plan is taken to be endless."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a body is under way to.

    Attributes:
        subtask: it has taken up, -1 for an errand of another kind.
        crew: all bodies that do it together.
        since: tick at which it was taken up.
        ticks: estimate of the ticks until it starts.
    """

    subtask: int
    crew: tuple[int, ...]
    since: int
    ticks: int


def travelling(graph: TaskGraph, survey: Survey) -> TaskGraph:
    """Return the task with the way to each subtask as part of it.

    Durations and the attended part are longer by the way, whatever way leads there; a subtask that
    only some bodies can get to asks for a skill that only these have; one that none can get to
    needs what never holds.
    """
    skills, agents = list(graph.skills), [set(agent.skills) for agent in graph.agents]
    subtasks = []
    for i, s in enumerate(graph.subtasks):
        way = int(survey.ticks[i])
        able = [bool(row[i]) for row in survey.able]
        skill = s.skill
        if not all(able) and any(able):
            skill = len(skills)
            skills.append(f"can get to {s.name}")
            for a, can in enumerate(able):
                if can and (s.skill is None or s.skill in graph.agents[a].skills):
                    agents[a].add(skill)
        subtasks.append(
            replace(
                s,
                duration=_longer(s.duration, way),
                attended=None if s.attended is None else s.attended + way,
                skill=skill,
            )
        )
    return replace(
        graph,
        skills=tuple(skills),
        agents=tuple(replace(a, skills=frozenset(own)) for a, own in zip(graph.agents, agents, strict=True)),
        subtasks=tuple(subtasks),
    )


def _longer(duration: Duration, ticks: int) -> Duration:
    """Return a duration with some ticks more; of one that the world decides the estimate is all there is."""
    if duration.kind == "world":
        return Duration("fixed", (1 + ticks,))
    return Duration(duration.kind, tuple(v + ticks for v in duration.values))


def picture(
    observation: Observation,
    graph: TaskGraph | None,
    mask: Mask,
    claims: Mapping[int, Claim],
    ticks: Sequence[int],
) -> Observation:
    """Return what a planner is shown.

    Args:
        observation: what is seen.
        graph: see ``travelling``; None where the graph is not known.
        mask: what the free bodies could take up, ``[agents, n + 1]``.
        claims: by body.
        ticks: ``[n]`` see ``Survey``.

    Returns:
        The observation without a lane: claimed subtasks are running, their bodies busy until they
        should be free again, and what they take is taken.
    """
    task = observation.task
    status: list[Status] = list(task.status)
    runs, agents = list(task.runs), list(task.agents)
    free, stock = dict(task.free), dict(task.stock)
    if graph is not None and runs:
        for i, word in enumerate(status):
            run = runs[i]
            if word == "running" and run.started is not None and ticks[i]:
                # Its way lies behind it: it ends when its own duration is over.
                runs[i] = replace(run, started=max(0, run.started - ticks[i]))
    for body, claim in claims.items():
        i = claim.subtask
        arrival = task.time + claim.ticks
        if i < 0 or graph is None:
            agents[body] = replace(agents[body], idle=False, attends=None, free_at=arrival + 1)
            continue
        own = graph.subtasks[i]
        busy = own.duration.mean if own.attended is None else min(own.attended, own.duration.mean)
        until = max(task.time + 1, round(arrival + busy - ticks[i]))
        agents[body] = replace(agents[body], idle=False, attends=task.names[i], free_at=until)
        if status[i] == "running" or body != min(claim.crew, default=body):
            continue
        status[i] = "running"
        _take(own, graph, free, stock)
        if runs:
            old = runs[i]
            runs[i] = RunView(old.starts + 1, max(0, arrival - ticks[i]), old.succeeded, old.first)
    shown = TaskView(
        task.knowledge,
        task.time,
        task.names,
        tuple(status),
        graph,
        tuple(runs),
        tuple(agents),
        free,
        stock,
        task.automata,
    )
    return replace(observation, task=shown, mask=mask)


def _take(subtask: Subtask, graph: TaskGraph, free: dict[str, int], stock: dict[str, int]) -> None:
    """Take what a start takes."""
    for k, amount in subtask.uses:
        name = graph.resources[k].name
        if name in free:
            free[name] -= amount
    for k, amount in subtask.consumes:
        name = graph.items[k].name
        if name in stock:
            stock[name] = max(0, stock[name] - amount)


def can_foresee(observation: Observation) -> bool:
    """Return whether what is known is enough to play a plan out."""
    task = observation.task
    return task.knowledge == "full" and task.graph is not None and len(observation.mask) == len(task.agents)


def foresee(planner: Planner, shown: Observation) -> Plan:
    """Return the planner's whole plan: the picture played out as it is expected to go.

    Args:
        planner: asked at every tick at which something could start.
        shown: see ``picture``; ``can_foresee`` must hold of it.
    """
    task = shown.task
    assert task.graph is not None
    graph = expected(task.graph)
    simulator = resume(graph, task)
    structure = Structure(graph)
    wait = len(graph.subtasks)
    waits = [wait] * len(graph.agents)
    steps: list[PlanStep] = []
    quiet, reason, first = 0, "", True
    for _ in range(STEPS_MOST):
        stuck = quiet > structure.longest and simulator.time >= structure.settled
        if simulator.over is not None or stuck:
            break
        actions = waits
        mask = simulator.mask()
        if mask[:, :-1].any():
            moment = imagine(simulator)
            if first:
                moment = replace(moment, mask=np.minimum(moment.mask, shown.mask))
            actions = [int(a) for a in planner.act(moment)]
            reason = reason or _words(planner)
            first = False
        steps += _starts(actions, wait, simulator.time)
        happened = simulator.step(actions)
        quiet = 0 if happened else quiet + 1
    return Plan(tuple(steps), task.time, simulator.time, reason)


def decide(planner: Planner, shown: Observation) -> Plan:
    """Return a plan of one step: what the planner would start now."""
    actions = [int(a) for a in planner.act(shown)]
    steps = _starts(actions, shown.mask.shape[1] - 1, shown.task.time)
    sites = getattr(planner, "sites", None)
    if sites:
        steps = [replace(step, at=sites[step.crew[0]]) for step in steps]
    return Plan(tuple(steps), shown.task.time, None, _words(planner))


def _starts(actions: Sequence[int], wait: int, tick: int) -> list[PlanStep]:
    """Return the starts that one step's actions ask for."""
    crews: dict[int, list[int]] = {}
    for a, i in enumerate(actions):
        if i != wait:
            crews.setdefault(i, []).append(a)
    return [PlanStep(i, tuple(crew), tick) for i, crew in crews.items()]


def _words(planner: Planner) -> str:
    """Return the planner's own reason for its latest decision, if it gives one."""
    trace = getattr(planner, "trace", None)
    rows = trace() if trace is not None else []
    return str(rows[-1].get("reason", "")) if rows else ""


def names_of(plan: Plan, task: TaskView, most: int = 12) -> list[tuple[str, int]]:
    """Return the names and ticks of a plan's steps, for the trace."""
    return [(label(task.names, step.subtask), step.tick) for step in plan.steps[:most]]
