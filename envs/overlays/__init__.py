"""Shipped overlays: task graphs over environments of other packages.

Owns the table of them. Each is a task in a data file, predicates that read the environment's state, and
a function that makes the whole; the other package is imported only then (extra ``overlays``).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from stratagym.envs.api.wrapped import TaskGraphWrapper

OVERLAYS: Mapping[str, str] = {
    "minigrid/DoorKey": "stratagym.envs.overlays.doorkey:make",
    "crafter/Achievements": "stratagym.envs.overlays.achievements:make",
    "robotics/FrankaKitchen": "stratagym.envs.overlays.franka:make",
}
"""Name -> what makes it."""


def make_overlay(name: str, **options: Any) -> TaskGraphWrapper:
    """Make a shipped overlay.

    Args:
        name: in ``OVERLAYS``.
        **options: of the function behind the name.

    Raises:
        ValueError: if there is none of this name.
        ModuleNotFoundError: if its package is not installed; the text says how to install it.
    """
    if name not in OVERLAYS:
        raise ValueError(f"there is no overlay {name!r}; there are {', '.join(OVERLAYS)}")
    path, _, function = OVERLAYS[name].partition(":")
    made: TaskGraphWrapper = getattr(importlib.import_module(path), function)(**options)
    return made


def package(name: str) -> Any:
    """Return another package's module.

    Raises:
        ModuleNotFoundError: if it is not installed; the text says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and not name.startswith(error.name):
            raise
        raise ModuleNotFoundError(
            f"{name} is not installed; pip install 'stratagym[overlays]'", name=name
        ) from error
