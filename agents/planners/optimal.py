"""The exact solver's schedule, played back by an agent.

Owns when to solve, the replay of a schedule and what to do when the episode
leaves it. It does not solve (``envs.task.optimum`` does) and claims nothing: whether
a value is proved is the solver's to say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stratagym.agents.base import Actions
from stratagym.agents.planners.beam import BeamAgent
from stratagym.agents.planners.search import Objective, expected
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.optimum import Run, optimum
from stratagym.envs.task.view import Observation, TaskView


class Schedule:
    """A schedule on its way: which runs are still to be started, and what it expects to see."""

    def __init__(self, graph: TaskGraph, runs: Sequence[Run]) -> None:
        """Take a schedule over.

        Args:
            graph: the task that it is for.
            runs: its runs; of those that start at one tick, the ones that leave their
                agents free at once go first, since the clock stands still for them.
        """
        names = {name: i for i, name in enumerate(graph.names)}
        unattended = {s.name: s.attended == 0 for s in graph.subtasks}
        order = sorted(runs, key=lambda r: (r.start, not unattended[r.subtask], names[r.subtask]))
        self._pending = [(names[r.subtask], r) for r in order]
        self._begun: list[tuple[int, Run]] = []

    def deviation(self, task: TaskView) -> str | None:
        """Return what is not as planned, or None while all is."""
        if self._pending and self._pending[0][1].start < task.time:
            return f"{self._pending[0][1].subtask} was to start at {self._pending[0][1].start}"
        for i, run in self._begun:
            if task.time < run.end:
                if task.status[i] != "running":
                    return f"{run.subtask} was to run until {run.end}"
            elif (succeeded := task.runs[i].succeeded) is None or succeeded < run.end:
                return f"{run.subtask} was to be done at {run.end}"
        if not self._pending and all(run.end <= task.time for _, run in self._begun):
            return "the schedule is over"
        return None

    def starts(self, time: int, observation: Observation) -> Actions | None:
        """Return the starts due now, those that fit into one step; None if one is not allowed."""
        mask, wait = observation.mask, observation.mask.shape[1] - 1
        actions = np.full(mask.shape[0], wait, dtype=np.int64)
        later = []
        for i, run in self._pending:
            if run.start != time or any(actions[a] != wait for a in run.agents):
                later.append((i, run))
                continue
            if not all(mask[a, i] for a in run.agents):
                return None
            actions[list(run.agents)] = i
            self._begun.append((i, run))
        self._pending = later
        return actions


class OptimalAgent(BeamAgent):
    """Solves the task at its first act and replays the schedule.

    Asked first in the middle of an episode, as planners are whose plan in a world has failed, it solves
    what is left of the task. Random and eventful tasks are solved as they are expected to go: drawn durations
    at their mean, successes certain where they are possible, unknown events left
    out; hindsight is not for agents. As soon as something is not as planned, the
    rest of the episode is played by beam search from the present state, which the
    trace says. The same holds where the solver finds no schedule, where the
    mask has fewer rows than there are agents, and under less than ``full`` knowledge (see
    ``BeamAgent``). Under the event clock a planned start may be passed over.
    """

    def __init__(
        self,
        objective: Objective | None = None,
        time_limit: float = 20.0,
        width: int = 8,
        nodes: int = 4000,
        resolve: float = 2.0,
    ) -> None:
        """Make an agent.

        Args:
            objective: what to optimise; the makespan if the task has a goal, else
                the reward, if left out.
            time_limit: effort of the solver at most, in its own units of about a second,
                so that the schedule is the same on every machine.
            width: width of the beam when the schedule is left.
            nodes: simulated steps that a search may take when the schedule is left.
            resolve: effort of the solver where the agent is asked first in the middle of an episode, as
                planners are whose plan in a world has failed; 0 for beam search there.
        """
        super().__init__(width=width, nodes=nodes, objective=objective)
        self._limit, self._resolve = time_limit, resolve

    def reset(self, seed: int) -> None:
        """Forget the last episode."""
        super().reset(seed)
        self._schedule: Schedule | None = None
        self._fresh = True

    def act(self, observation: Observation) -> Actions:
        """Return one action per row of the mask."""
        task = observation.task
        note = self._solve(task, observation.mask.shape[0]) if self._fresh else None
        self._fresh = False
        if self._schedule is None:
            return self._search(observation, note)
        reason = self._schedule.deviation(task)
        actions = None if reason else self._schedule.starts(task.time, observation)
        if actions is None:
            self._schedule = None
            return self._search(observation, f"left the schedule: {reason or 'a start is not allowed'}")
        return self._note(task, actions, note or "schedule")

    def _solve(self, task: TaskView, rows: int) -> str | None:
        """Solve the task if it can be, and return a note for the trace."""
        limit = self._resolve if task.time else self._limit
        if task.graph is None or task.knowledge != "full" or rows < len(task.agents) or not limit:
            return None
        since = task if task.time else None
        try:
            solution = optimum(expected(task.graph), self._objective, since=since, time_limit=limit)
        except ValueError as error:  # the objective does not fit the task
            return f"no schedule: {error}"
        if solution.value is None or not solution.schedule:
            return "no schedule found"
        self._schedule = Schedule(task.graph, solution.schedule)
        return f"schedule of {solution.objective} {solution.value:g}, {solution.kind}"
