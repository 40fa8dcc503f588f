"""The task file language: the names that other rooms use.

Owns nothing itself: ``document`` loads, ``compose`` expands, ``schema`` describes,
``combine`` joins tasks and ``check`` looks for what is legal but hardly meant.
"""

from stratagym.envs.task.check import summary, warnings_of
from stratagym.envs.task.combine import combine
from stratagym.envs.task.document import Task, load_task, parse_task
from stratagym.envs.task.faults import TaskError
from stratagym.envs.task.schema import json_schema

__all__ = [
    "Task",
    "TaskError",
    "combine",
    "json_schema",
    "load_task",
    "parse_task",
    "summary",
    "warnings_of",
]
