"""Loading a scene: where a task is played, as data.

Owns the choice of the world, the words in which a scene is refused, and the looking up of
names that all worlds share. What a scene of one world may say is that world's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from stratagym.envs.task.document import Task
from stratagym.envs.task.faults import TaskError, describe, join, quote, suggest
from stratagym.envs.task.models import Model, check
from stratagym.envs.task.source import read
from stratagym.envs.worlds.base import Scene

WORLDS = {"grid": "grid", "places": "places_scene", "plane": "plane_scene"}
"""Kind of world -> module beside this one that loads its scenes."""

SpecT = TypeVar("SpecT", bound=Model)


class SceneError(TaskError):
    """A scene that is refused: the path in it, what is wrong and the likely fix."""

    def __init__(self, problem: str, path: str = "", fix: str = "", file: str | None = "scene") -> None:
        super().__init__(problem, path, fix, file)

    def within(self, file: str) -> SceneError:
        """Return the same error with the file's name."""
        return SceneError(self.problem, self.path, self.fix, file)


def load_scene(source: str | os.PathLike[str] | Mapping[str, Any], task: Task) -> Scene:
    """Load the scene of a task and check that all of the task can be played in it.

    Args:
        source: path of a YAML or JSON file, or a mapping as such a file holds.
        task: what is played there.

    Raises:
        SceneError: if anything is wrong with it: one line with the path in it, the fault and
            the likely fix.
    """
    try:
        return _load(read(source), task)
    except TaskError as error:
        refused = SceneError(error.problem, error.path, error.fix)
    raise (
        refused.within(os.path.basename(os.fsdecode(source))) if not isinstance(source, Mapping) else refused
    )


def _load(plain: Mapping[str, Any], task: Task) -> Scene:
    kind = plain.get("world")
    if kind is None:
        raise SceneError("the field 'world' is missing", fix=f"it is one of {', '.join(WORLDS)}")
    if not isinstance(kind, str):
        raise SceneError(f"must be one of {', '.join(WORLDS)}, not {describe(kind)}", "world")
    if kind not in WORLDS:
        raise SceneError(f"there is no world {quote(kind)}", "world", suggest(kind, WORLDS, "there are"))
    module = import_module(f"stratagym.envs.worlds.{WORLDS[kind]}")
    scene: Scene = module.load(plain, task)
    return scene


def read_spec(model: type[SpecT], value: Any, path: str = "") -> SpecT:
    """Return a part of a scene as the model of its fields.

    Raises:
        SceneError: with the path of the first fault.
    """
    try:
        return check(model, value, path)
    except TaskError as error:
        refused = SceneError(error.problem, error.path, error.fix)
    raise refused


def place_of(name: str, names: Iterable[str], path: str, what: str) -> int:
    """Return the place of a name in a list of names.

    Args:
        name: to look up.
        names: those that there are.
        path: where in the scene the name stands.
        what: what it should name (``fixture``).

    Raises:
        SceneError: if there is none, with the nearest name.
    """
    names = list(names)
    if name in names:
        return names.index(name)
    raise SceneError(f"no {what} {quote(name)}", path, suggest(name, names, f"the {what}s here are"))


def listed(value: Any, path: str) -> list[tuple[str, str]]:
    """Return one name or a list of names as a list of (name, its path).

    Raises:
        SceneError: if it is neither, or the list is empty.
    """
    if isinstance(value, str):
        return [(value, path)]
    if not isinstance(value, list) or not value:
        raise SceneError(f"must be a name or a list of names, not {describe(value)}", path)
    for k, name in enumerate(value):
        if not isinstance(name, str):
            raise SceneError(f"must be a name, not {describe(name)}", join(path, k))
    return [(name, join(path, k)) for k, name in enumerate(value)]
