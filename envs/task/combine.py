"""Several tasks made one: names told apart by a prefix, agents and things shared.

Owns ``combine``. The result is a task like any other, loaded from the joined file,
so what it means is decided by ``compose`` alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stratagym.envs.task import expr, ltlf
from stratagym.envs.task.document import Task, load_task
from stratagym.envs.task.families import check_name
from stratagym.envs.task.faults import TaskError, join, quote

Source = str | os.PathLike[str] | Mapping[str, Any] | Task
Plain = dict[str, Any]


def combine(tasks: Iterable[Source] | Mapping[str, Source]) -> Task:
    """Make one task of several, each valid by itself.

    Args:
        tasks: a list, told apart by the tasks' names, or a mapping, by its keys; each
            is a task or anything that ``load_task`` takes.

    Returns:
        The joint task: names are prefixed (``tea/brew``), agents, resources and items of
        the same name are shared, goals are conjoined, the longest horizon holds.

    Raises:
        TaskError: if a task is not valid, the prefixes do not differ, or shared agents,
            resources or items disagree.
    """
    loaded = _prefixes(tasks)
    joined: Plain = {"name": " + ".join(loaded)}
    horizons = [task.graph.horizon for task in loaded.values()]
    if None not in horizons:
        joined["horizon"] = max(h for h in horizons if h is not None)
    joined["agents"] = _agents(loaded)
    joined["resources"] = _shared(loaded, "resource", _capacities)
    joined["items"] = _shared(loaded, "item", _stocks)
    parts = [_prefixed(prefix, task.to_dict()) for prefix, task in loaded.items()]
    for section in ("subtasks", "tasks"):
        joined[section] = _union(section, parts)
    goals = [part["goal"] for part in parts if "goal" in part]
    asked = [goal for goal in goals if goal is not True]
    if goals:
        joined["goal"] = _conjunction(asked) if asked else True
    for section in ("constraints", "events"):
        joined[section] = [entry for part in parts for entry in part.get(section, ())]
    return load_task(joined)


def _prefixes(tasks: Iterable[Source] | Mapping[str, Source]) -> dict[str, Task]:
    """Return the tasks by their prefixes."""
    if isinstance(tasks, str | os.PathLike | Task):
        raise TaskError("several tasks are expected, not one", fix="pass a list, or a mapping from names")
    named: list[tuple[str, Task]] = []
    if isinstance(tasks, Mapping):
        for key, source in tasks.items():
            if not isinstance(key, str):
                raise TaskError(f"the name of a task must be text, not {key!r}")
            named.append((key, load_task(source)))
    else:
        for k, source in enumerate(tasks):
            task = load_task(source)
            if "name" not in task.to_dict():
                fix = "give it one, or pass a mapping from names to tasks"
                raise TaskError("a task without a name cannot be combined", f"[{k}]", fix)
            named.append((task.name, task))
    if not named:
        raise TaskError("there are no tasks to combine")
    result: dict[str, Task] = {}
    for name, task in named:
        check_name(name, name)
        if name in result:
            fix = "names must differ: pass a mapping from names to tasks"
            raise TaskError(f"two tasks are called {quote(name)}", fix=fix)
        result[name] = task
    return result


def _agents(tasks: Mapping[str, Task]) -> Any:
    """Return all agents, those of the same name once."""
    skills: dict[str, tuple[str, list[str]]] = {}
    for prefix, task in tasks.items():
        graph = task.graph
        for agent in graph.agents:
            had = [graph.skills[s] for s in sorted(agent.skills)]
            owner, before = skills.setdefault(agent.name, (prefix, had))
            if set(before) != set(had):
                said = f"{_listed(before)} in {quote(owner)} and {_listed(had)} in {quote(prefix)}"
                raise TaskError(f"the agent {quote(agent.name)} has {said}", "agents", "make them equal")
    if all(name == f"agent {i}" for i, name in enumerate(skills)) and not any(s for _, s in skills.values()):
        return len(skills)
    return [{"name": name, "skills": had} for name, (_, had) in skills.items()]


def _listed(skills: list[str]) -> str:
    return f"the skills {', '.join(map(quote, skills))}" if skills else "no skills"


def _shared(tasks: Mapping[str, Task], what: str, amounts: Callable[[Task], dict[str, int]]) -> Plain:
    """Return the amounts of all tasks together, which must agree where they share a name."""
    joined: dict[str, tuple[str, int]] = {}
    for prefix, task in tasks.items():
        for name, amount in amounts(task).items():
            owner, before = joined.setdefault(name, (prefix, amount))
            if before != amount:
                said = f"{before} in {quote(owner)} and {amount} in {quote(prefix)}"
                problem = f"the {what} {quote(name)} is {said}"
                raise TaskError(problem, join(f"{what}s", name), "make them equal, or rename one")
    return {name: amount for name, (_, amount) in joined.items()}


def _capacities(task: Task) -> dict[str, int]:
    return {resource.name: resource.capacity for resource in task.graph.resources}


def _stocks(task: Task) -> dict[str, int]:
    """Return the stock of each item that is declared or used; one in an event only is left out."""
    declared = task.to_dict().get("items", {})
    used = {k for s in task.graph.subtasks for k, _ in (*s.consumes, *s.requires, *s.produces)}
    return {
        item.name: item.stock for k, item in enumerate(task.graph.items) if k in used or item.name in declared
    }


def _union(section: str, parts: list[Plain]) -> Plain:
    joined: Plain = {}
    for part in parts:
        for name, body in part.get(section, {}).items():
            if name in joined:
                raise TaskError(f"the name {quote(name)} is used twice", join(section, name), "rename a task")
            joined[name] = body
    return joined


def _conjunction(goals: list[str]) -> str:
    trees = [expr.parse(goal) for goal in goals]
    return expr.render(trees[0] if len(trees) == 1 else expr.And(tuple(trees)))


def _prefixed(prefix: str, task: Plain) -> Plain:
    """Return the task with every subtask, task and family named with the prefix."""

    def new(name: str) -> str:
        return f"{prefix}/{name}"

    def text(value: Any) -> Any:
        return expr.rename_text(value, new) if isinstance(value, str) else value

    def subtask(body: Plain) -> Plain:
        changed = {**body}
        if "needs" in body:
            changed["needs"] = text(body["needs"])
        if "lags" in body:
            changed["lags"] = {new(name): lag for name, lag in body["lags"].items()}
        if "modes" in body:
            changed["modes"] = {mode: subtask(own) for mode, own in body["modes"].items()}
        return changed

    def composition(body: Any) -> Any:
        if isinstance(body, str):
            return new(body)
        changed = {**body}
        for key, value in body.items():
            if key == "needs":
                changed[key] = text(value)
            elif isinstance(value, list):
                changed[key] = [composition(child) for child in value]
            elif key == "repeat":
                changed[key] = composition(value)
        return changed

    def event(body: Plain) -> Plain:
        changed = {**body}
        for key in ("undo", "appear"):
            if key in body:
                changed[key] = new(body[key])
        for key in ("duration", "deadline"):
            if key in body:
                changed[key] = {new(name): value for name, value in body[key].items()}
        return changed

    result: Plain = {
        "subtasks": {new(name): subtask(body) for name, body in task["subtasks"].items()},
        "tasks": {new(name): composition(body) for name, body in task.get("tasks", {}).items()},
        "constraints": [ltlf.rename(formula, new) for formula in task.get("constraints", ())],
        "events": [event(body) for body in task.get("events", ())],
    }
    if "goal" in task:
        result["goal"] = text(task["goal"])
    return result
