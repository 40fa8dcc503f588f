"""A loaded task: its name, graph, normal form and digest.

Owns ``load_task``, the one way in for YAML, JSON and mappings, and ``Task``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stratagym.envs.task.compose import compose
from stratagym.envs.task.faults import TaskError
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.models import TaskSpec, check
from stratagym.envs.task.normal import normal_form
from stratagym.envs.task.source import Plain, parse, read


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One task: what the file says, and the graph that it stands for.

    Two tasks are equal if they say the same in the same order; the file they came
    from does not matter.

    Attributes:
        graph: the expanded task.
        text: the normal form as JSON.
    """

    graph: TaskGraph = field(repr=False)
    text: str = field(repr=False)

    @property
    def name(self) -> str:
        """The name that the file gives, ``task`` if it gives none."""
        return self.graph.name

    def to_dict(self) -> dict[str, Any]:
        """Return the task as a JSON-able mapping in normal form, defaults left out.

        ``load_task`` makes an equal task of it.
        """
        mapping: dict[str, Any] = json.loads(self.text)
        return mapping

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the normal form."""
        return hashlib.sha256(self.text.encode("ascii")).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        """Compare what the tasks say."""
        return self.text == other.text if isinstance(other, Task) else NotImplemented

    def __hash__(self) -> int:
        """Hash what the task says."""
        return hash(self.text)

    def __repr__(self) -> str:
        """Return the name, the size and the digest."""
        return f"Task({self.name!r}, {len(self.graph.subtasks)} subtasks, {self.digest})"


def load_task(source: str | os.PathLike[str] | Mapping[str, Any] | Task) -> Task:
    """Load a task and check all of it. Nothing in it is ever executed.

    Args:
        source: path of a YAML file, or of a JSON file (``.json``); a mapping as such a
            file holds; or a task, which is returned as it is.

    Returns:
        The task, which shares nothing with the source.

    Raises:
        TaskError: if anything is wrong with it: one line with the file, the path in it,
            the fault and the likely fix.
    """
    if isinstance(source, Task):
        return source
    try:
        return _task(read(source))
    except TaskError as error:
        if isinstance(source, str | os.PathLike):
            raise error.within(_file_name(source)) from None
        raise


def parse_task(content: bytes | str, *, is_json: bool = False) -> Task:
    """Load a task from the content of a file, with the checks of ``load_task``.

    Args:
        content: YAML (or JSON), UTF-8 if bytes.
        is_json: whether to read it as JSON.

    Raises:
        TaskError: if anything is wrong with it.
    """
    return _task(parse(content, is_json=is_json))


def _task(plain: Plain) -> Task:
    try:
        graph = compose(check(TaskSpec, plain, ""))
    except RecursionError:
        raise TaskError("nested too deep to be read here", fix="name the inner parts under `tasks`") from None
    text = json.dumps(normal_form(plain), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Task(graph, text)


def _file_name(source: str | os.PathLike[str]) -> str:
    name = os.fspath(source)
    text = name if isinstance(name, str) else os.fsdecode(name)
    return text if len(text) <= 200 else f"{text[:197]}..."
