"""What a name stands for beyond the tables: anyone's factory, or the folder of a run.

Owns the reading of ``package.module:factory``, where what was trained is read from its folder (named here, as
worlds' skills are, and imported when a folder is given), and the hint at the nearest name.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

READERS: Mapping[str, str] = {
    "agent": "stratagym.baselines.learning.trained:load",
    "skill": "stratagym.baselines.learning.skills:load_skill",
}
"""What is read from the folder of a run -> its reader, which takes the path."""


def found(name: str, what: str) -> Callable[..., Any] | None:
    """Return what makes the thing that is neither in a table nor unknown; None if it is unknown.

    Args:
        name: ``package.module:factory``, or the folder of a run.
        what: ``agent`` or ``skill``.

    Raises:
        ValueError: one line that says why the factory, or the reader, cannot be had.
    """
    if Path(name).is_dir():
        try:
            read = factory(READERS[what], what)
        except ValueError as error:
            raise ValueError(f"{name}: {error}; what was trained needs 'stratagym[train]'") from error

        def from_run(**options: Any) -> Any:
            return read(name, **options)

        return from_run
    return factory(name, what) if ":" in name else None


def factory(name: str, what: str) -> Callable[..., Any]:
    """Return the factory that ``package.module:factory`` names.

    Args:
        name: of it.
        what: ``agent`` or ``skill``, for the error.

    Raises:
        ValueError: if there is none, or it cannot be imported.
    """
    path, _, attribute = name.partition(":")
    if not path or not attribute:
        raise ValueError(f"{what} {name!r} should read package.module:factory")
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        raise ValueError(f"there is no module {error.name!r}, which {what} {name!r} needs") from error
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"importing {path} failed: {type(error).__name__}: {reason}") from error
    made = getattr(module, attribute, None)
    if made is None:
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ValueError(f"module {path} has no {attribute!r}{nearest(attribute, public)}")
    if not callable(made):
        raise ValueError(f"{name!r} is of type {type(made).__name__}, which cannot be called")
    found: Callable[..., Any] = made
    return found


def nearest(name: str, among: Iterable[str]) -> str:
    """Return ``; nearest: ...`` with the nearest names, or all of a few."""
    names = list(among)
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f"; nearest: {', '.join(near)}"
    return f"; there are {', '.join(sorted(names)[:12])}" if names else ""


def lacking(thing: object, methods: Iterable[str]) -> str:
    """Return which methods a thing lacks, "" if it has all."""
    return " and no ".join(m for m in methods if not callable(getattr(thing, m, None)))
