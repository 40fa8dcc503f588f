"""The task file language: the names that other rooms use.

Owns nothing itself: ``document`` loads, ``compose`` expands, ``models`` describe,
``combine`` joins tasks and ``warn`` looks for what is legal but hardly meant.
"""

from stratagym.envs.task.document import Task, load_task, parse_task
from stratagym.envs.task.faults import TaskError
from stratagym.envs.task.models import json_schema

__all__ = ["Task", "TaskError", "json_schema", "load_task", "parse_task"]
