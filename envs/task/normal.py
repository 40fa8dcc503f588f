"""The normal form of a task file: what it says, with all that goes without saying left out.

Owns ``to_dict``: nulls, defaults and empty parts are dropped, fields come in one
order, names keep the file's. Families, modes and repeats stay as written. Works
on data that have been checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stratagym.envs.task.models import BindingSpec, EventSpec, FamilySpec, LagSpec, TaskSpec

_DEFAULTS: dict[str, Any] = {
    "duration": 1,
    "needs": True,
    "lags": {},
    "release": 0,
    "uses": {},
    "consumes": {},
    "requires": {},
    "produces": {},
    "agents": 1,
    "success": 1,
    "repeatable": False,
    "reward": 0,
    "weight": 1,
}
_FIELDS = ("foreach", *(name for name in FamilySpec.model_fields if name != "foreach"))
_LAG_DEFAULTS = {"min": 0, "from": "completion"}
_LAG_FIELDS = tuple(info.alias or name for name, info in LagSpec.model_fields.items())
_REAL = ("success", "reward", "weight")


def normal_form(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the task as new plain data in normal form.

    Args:
        plain: a whole task that has been loaded without fault.
    """
    task: dict[str, Any] = {}
    for name in TaskSpec.model_fields:
        value = plain.get(name)
        if value is None or value in ({}, [], "") or (name == "agents" and value == 1):
            continue
        task[name] = _SECTIONS[name](value) if name in _SECTIONS else value
    return task


def _text(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _same(value: Any, default: Any) -> bool:
    return bool(value == default) and isinstance(value, bool) == isinstance(default, bool)


def _subtasks(subtasks: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _subtask(body or {}, _DEFAULTS) for name, body in subtasks.items()}


def _subtask(body: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name in _FIELDS:
        value = body.get(name)
        if value is None or (name in defaults and _same(value, defaults[name])):
            continue
        if name == "modes" and isinstance(value, Mapping):
            # A mode's own field replaces the shared one even where it says the default.
            value = {mode: _subtask(own or {}, {}) for mode, own in value.items()}
        elif name == "lags" and isinstance(value, Mapping):
            value = {key: _lag(lag) for key, lag in value.items()}
        elif name in _REAL:
            value = _number(value)
        elif name == "needs":
            value = _text(value)
        said[name] = _copy(value)
    return said


def _lag(lag: Any) -> Any:
    if not isinstance(lag, Mapping):
        return lag
    kept = {name: lag[name] for name in _LAG_FIELDS if lag.get(name) is not None}
    return {name: v for name, v in kept.items() if not _same(v, _LAG_DEFAULTS.get(name))}


def _number(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(part) for key, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list) else value


def _tasks(tasks: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _composition(body) for name, body in tasks.items()}


def _composition(body: Any) -> Any:
    if not isinstance(body, Mapping):
        return _text(body)
    said: dict[str, Any] = {}
    bindings = tuple(BindingSpec.model_fields)
    for key, value in body.items():
        if value is not None and key not in (*bindings, "times"):
            children = [_composition(v) for v in value] if isinstance(value, list) else _composition(value)
            said[" ".join(key.split())] = children
    for key in ("times", *bindings):
        value = _text(body.get(key))
        default = {"needs": True, "release": 0}.get(key)
        if value is not None and not _same(value, default):
            said[key] = value
    return said


def _agents(agents: Any) -> Any:
    if not isinstance(agents, list):
        return agents
    return [{"name": a["name"], **({"skills": list(a["skills"])} if a.get("skills") else {})} for a in agents]


def _events(events: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            name: _copy(_text(event[name]) if name in ("undo", "appear") else event[name])
            for name in EventSpec.model_fields
            if event.get(name) is not None and not (name == "known" and event[name] is False)
        }
        for event in events
    ]


def _constraints(formulas: list[str]) -> list[str]:
    return [formula.strip() for formula in formulas]


_SECTIONS: dict[str, Any] = {
    "goal": _text,
    "agents": _agents,
    "resources": _copy,
    "items": _copy,
    "subtasks": _subtasks,
    "tasks": _tasks,
    "constraints": _constraints,
    "events": _events,
}
