"""Task graphs built by hand, without going through a task file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stratagym.envs.task.graph import TRUE, Agent, Duration, Gate, Subtask, TaskGraph


def subtask(name: str, duration: int | Duration = 1, **fields: Any) -> Subtask:
    """Return a subtask with the page's defaults; ``pay_group`` must be set by ``graph``."""
    defaults: dict[str, Any] = {
        "attended": None,
        "needs": TRUE,
        "lags": (),
        "release": 0,
        "deadline": None,
        "uses": (),
        "consumes": (),
        "requires": (),
        "produces": (),
        "agents": 1,
        "skill": None,
        "success": 1.0,
        "attempts": None,
        "repeatable": False,
        "reward": 0.0,
        "pay_group": -1,
    }
    length = duration if isinstance(duration, Duration) else Duration("fixed", (duration,))
    return Subtask(name=name, duration=length, **{**defaults, **fields})


def graph(subtasks: Sequence[Subtask], gates: Sequence[Gate] = (), **fields: Any) -> TaskGraph:
    """Return a task of these subtasks and gates; pay groups are single unless set."""
    paid = tuple(replace(s, pay_group=i) if s.pay_group < 0 else s for i, s in enumerate(subtasks))
    defaults: dict[str, Any] = {
        "name": "by hand",
        "horizon": None,
        "agents": (Agent("agent 0"),),
        "skills": (),
        "resources": (),
        "items": (),
        "goal": None,
    }
    return TaskGraph(subtasks=paid, gates=tuple(gates), **{**defaults, **fields})
