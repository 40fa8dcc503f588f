"""Simulated environments for hierarchical agents: task graphs with time, played and scored.

Importing registers every environment with Gymnasium: ``gymnasium.make("stratagym/Cooking-v0")``.
"""

from stratagym.envs.registry import register, register_all
from stratagym.envs.task.combine import combine
from stratagym.envs.task.spec import Task, TaskError, load_task

__version__ = "0.1.0"
__all__ = ["Task", "TaskError", "combine", "load_task", "register"]

register_all()
