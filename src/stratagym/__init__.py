"""Simulated environments for hierarchical agents: task graphs with time, played and scored.

Importing registers every environment with Gymnasium: ``gymnasium.make("stratagym/Cooking-v0")``.
PettingZoo is imported when it is asked for: ``parallel_env`` or ``register_pettingzoo``.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from stratagym.envs.registry import register, register_all
from stratagym.envs.task.combine import combine
from stratagym.envs.task.spec import Task, TaskError, load_task

if TYPE_CHECKING:
    from stratagym.envs.api.parallel import TaskParallelEnv

__version__ = "0.1.0"
__all__ = ["Task", "TaskError", "combine", "load_task", "parallel_env", "register", "register_pettingzoo"]


def parallel_env(
    id_or_task: str | PathLike[str] | Mapping[str, Any] | Task,
    *,
    render_mode: str | None = None,
    **options: Any,
) -> TaskParallelEnv:
    """Make a PettingZoo parallel environment from an id or a task; options as for ``gymnasium.make``.

    Raises:
        ImportError: if PettingZoo is not installed.
        TypeError: if an option is unknown.
        ValueError: if the id is not one of ours, or an option is wrong.
    """
    from stratagym.envs.api import parallel

    return parallel.parallel_env(id_or_task, render_mode=render_mode, **options)


def register_pettingzoo() -> bool:
    """Enter every id into PettingZoo's own registries; return whether it has them (from 1.27 on).

    Raises:
        ImportError: if PettingZoo is not installed.
    """
    from stratagym.envs.api import parallel

    return parallel.register_pettingzoo()


register_all()
