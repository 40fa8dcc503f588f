"""The ``events`` of a task file, resolved to indices.

Owns what each kind of disturbance may name and how a task or family in it stands
for all its subtasks. When events happen is for the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stratagym.envs.task.faults import TaskError, join, quote, suggest
from stratagym.envs.task.graph import Duration, Event, EventKind
from stratagym.envs.task.models import EventSpec

_KINDS: tuple[EventKind, ...] = ("undo", "capacity", "stock", "agent", "duration", "deadline", "appear")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Names:
    """What events may name.

    Attributes:
        under: name and path -> all subtasks under it; refuses an unknown name.
        agents: names of the agents.
        resources: resource -> index.
        items: item -> index.
    """

    under: Callable[[str, str], tuple[int, ...]]
    agents: tuple[str, ...]
    resources: Mapping[str, int]
    items: Mapping[str, int]


def read_events(specs: Sequence[EventSpec], names: Names) -> tuple[Event, ...]:
    """Return the events of a task, in file order.

    Raises:
        TaskError: if one has no kind or several, or names what does not exist.
    """
    return tuple(_event(spec, f"events[{k}]", names) for k, spec in enumerate(specs))


def _event(spec: EventSpec, path: str, names: Names) -> Event:
    kind = _kind(spec, path)
    known, where = bool(spec.known), f"{path}.{kind}"
    durations: dict[int, Duration] = {}
    amounts: dict[int, int] = {}
    if kind in ("undo", "appear"):
        named = spec.undo if kind == "undo" else spec.appear
        return Event(kind, spec.at, known, names.under(str(named).strip(), where))
    if kind == "duration":
        durations = _spread(spec.duration or {}, where, names)
        return Event(kind, spec.at, known, tuple(durations), durations=tuple(durations.values()))
    if kind == "agent":
        amounts = {_agent(str(spec.agent), where, names): spec.down or 0}
    elif kind == "deadline":
        amounts = _spread(spec.deadline or {}, where, names)
    elif kind == "capacity":
        amounts = _capacities(spec.capacity or {}, where, names)
    else:
        amounts = {names.items[name]: change for name, change in (spec.stock or {}).items()}
    return Event(kind, spec.at, known, tuple(amounts), tuple(amounts.values()))


def _kind(spec: EventSpec, path: str) -> EventKind:
    kinds = [kind for kind in _KINDS if getattr(spec, kind) is not None]
    if len(kinds) != 1:
        said = " and ".join(quote(k) for k in kinds) or "none"
        raise TaskError(f"an event has one kind, not {said}", path, f"one of {', '.join(_KINDS)}")
    if (spec.down is not None) != (kinds[0] == "agent"):
        problem = "`agent` needs `down`" if kinds[0] == "agent" else "`down` belongs to `agent`"
        raise TaskError(problem, path, "write {at: 9, agent: agent 1, down: 8}")
    return kinds[0]


def _spread(values: Mapping[str, _T], path: str, names: Names) -> dict[int, _T]:
    """Return the value of each subtask named, alone or under a task; the later entry counts."""
    return {i: v for name, v in values.items() for i in names.under(name, join(path, name))}


def _agent(name: str, path: str, names: Names) -> int:
    if name not in names.agents:
        fix = suggest(name, names.agents, "there are")
        raise TaskError(f"no agent is called {quote(name)}", path, fix)
    return names.agents.index(name)


def _capacities(values: Mapping[str, int], path: str, names: Names) -> dict[int, int]:
    for name in values:
        if name not in names.resources:
            fix = suggest(name, names.resources, "there are") or "declare it under `resources`"
            raise TaskError(f"no resource is called {quote(name)}", join(path, name), fix)
    return {names.resources[name]: capacity for name, capacity in values.items()}
