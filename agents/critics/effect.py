"""The critic that looks at effects: has the subtask started, has it succeeded, and if not, why.

Owns the success check of options and the explanation of a failure in words. It judges by
what is observed alone; what to do about a failure is the hierarchy's to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from stratagym.agents.base import Case, Mark, Move, Outcome
from stratagym.envs.task.graph import holds
from stratagym.envs.task.view import TaskView

TRIES = 3
"""Attempts in a row that may come to nothing before the option counts as failed."""


class EffectCritic:
    """Compares what is observed with what was observed when the option was taken up.

    An option that starts a subtask lasts until the body is free again: a success if the
    subtask is done or goes on by itself, a failure if its run has ended without success.
    """

    def judge(self, case: Case, before: Mark, move: Move | None, tries: int) -> Outcome | None:
        """Return the outcome, or None while the option goes on (see ``base.Critic``)."""
        task, goal = case.memory.observation.task, case.goal
        assert goal is not None
        elapsed = task.time - case.since

        def failure(reason: str) -> Outcome:
            return Outcome("failure", reason, elapsed)

        if goal.kind == "do":
            began = started(task, before, goal.subtask)
            if began:
                return self._run(case, before, elapsed)
            reason = self._closed(task, before, goal.subtask, goal.crew or (case.body,))
            if reason is not None:
                return failure(reason)
        elif task.status[goal.subtask] in ("done", "closed", "failed"):
            return Outcome("dropped", f"{_name(task, goal.subtask)} is {task.status[goal.subtask]}", elapsed)
        world = case.memory.observation.world
        if world is not None and world.bodies[case.body].down:
            return failure(f"{world.bodies[case.body].name} is down")
        if move is None:
            return None
        if move.stop == "failed":
            return failure(move.reason)
        if move.stop == "reached":
            return Outcome("success", move.reason, elapsed)
        if tries >= TRIES and goal.crew is not None:
            return failure(f"{_name(task, goal.subtask)} was asked for {tries} times and did not start")
        return None

    def _run(self, case: Case, before: Mark, elapsed: int) -> Outcome | None:
        """Judge an option whose subtask has started since."""
        task, goal = case.memory.observation.task, case.goal
        assert goal is not None
        name, agent = _name(task, goal.subtask), task.agents[case.body]
        if not agent.idle and agent.attends in (task.names[goal.subtask], None):
            return None
        others = [
            other
            for b, other in enumerate(task.agents)
            if b != case.body and (goal.crew is None or b not in goal.crew) and other.attends is not None
        ]
        if any(other.attends == task.names[goal.subtask] for other in others):
            return Outcome("dropped", f"another does {name}", elapsed)
        if self._world_decides(task, goal.subtask) and task.status[goal.subtask] == "running":
            return None
        if succeeded(task, before, goal.subtask):
            return Outcome("success", f"{name} is done", elapsed)
        if task.status[goal.subtask] == "running":
            return Outcome("success", f"{name} goes on by itself", elapsed)
        return Outcome("failure", f"{name} was begun and ended without success", elapsed)

    @staticmethod
    def _world_decides(task: TaskView, i: int) -> bool:
        """Return whether the run lasts until the world ends it: the body is at work all the time."""
        return task.graph is not None and task.graph.subtasks[i].duration.kind == "world"

    @staticmethod
    def _closed(task: TaskView, before: Mark, i: int, crew: Sequence[int]) -> str | None:
        """Return why a subtask that has not started never will, None if it still may."""
        word, name = task.status[i], _name(task, i)
        if word == "closed":
            return f"{name} is too late for its deadline"
        if word == "failed":
            return f"{name} has no attempt left"
        # While one of those who are to start it is under way nothing can: that says nothing of the subtask,
        # nor does a resource in use.
        ready = all(task.agents[body].idle for body in crew)
        if word == "locked" and before.status[i] != "locked" and ready and not needs_hold(task, i):
            return f"{name} cannot start any more: {_undone(task, before) or 'its needs no longer hold'}"
        return None


def needs_hold(task: TaskView, i: int) -> bool:
    """Return whether what must be done before a subtask is done (without the graph: that is taken to be so).

    What keeps a subtask locked although they hold (a resource in use, a lag) passes by waiting.
    """
    graph = task.graph
    if graph is None:
        return True
    done = {
        j
        for j, word in enumerate(task.status)
        if word == "done" or (word == "running" and task.runs and task.runs[j].succeeded is not None)
    }
    return holds(graph, graph.subtasks[i].needs, done)


def started(task: TaskView, before: Mark, i: int) -> bool:
    """Return whether a subtask has been started between two moments."""
    if task.runs and before.starts:
        return task.runs[i].starts > before.starts[i]
    return task.status[i] in ("running", "done") and before.status[i] not in ("running", "done")


def succeeded(task: TaskView, before: Mark, i: int) -> bool:
    """Return whether a subtask has succeeded between two moments."""
    if task.runs and before.starts:
        return task.runs[i].succeeded is not None and task.runs[i].succeeded != before.succeeded[i]
    return task.status[i] == "done"


def surprises(task: TaskView, before: TaskView) -> list[str]:
    """Return, in words, what a plan made at ``before`` could not count on.

    A subtask that went from done to undone, a run that ended without success, one that
    appeared or was closed, and capacities, durations or deadlines that have changed.
    """
    found = []
    rows = zip(task.names, task.status, before.status, strict=True)
    for i, (name, now, then) in enumerate(rows):
        if before.names[i] is None and name is not None:
            found.append(f"{name} has appeared")
        elif then == "done" and now not in ("done", "running"):
            found.append(f"{name} was undone")
        elif then == "running" and now not in ("running", "done"):
            found.append(f"{name} ended without success")
        elif now == "closed" and then != "closed":
            found.append(f"{name} is too late for its deadline")
    graph, old = task.graph, before.graph
    if graph is not None and old is not None and graph is not old and graph != old:
        for resource, other in zip(graph.resources, old.resources, strict=True):
            if resource.capacity != other.capacity:
                found.append(f"there are {resource.capacity} of {resource.name} now")
        for s, other_s in zip(graph.subtasks, old.subtasks, strict=True):
            if s.duration != other_s.duration:
                found.append(f"{s.name} takes another time now")
            if s.deadline != other_s.deadline:
                found.append(f"{s.name} has another deadline now")
    return found


def _undone(task: TaskView, before: Mark) -> str | None:
    """Return which subtasks are no longer done, in words."""
    names: Sequence[str] = [
        name or f"?{i}"
        for i, name in enumerate(task.names)
        if before.status[i] == "done" and task.status[i] not in ("done", "running")
    ]
    return f"{' and '.join(names)} was undone" if names else None


def _name(task: TaskView, i: int) -> str:
    return task.names[i] or f"subtask {i}"
