"""What is wrong with a task file, said in one line.

Owns ``TaskError`` and the wording shared by all who raise it: how names and
values are shown, and which name was probably meant. It checks nothing itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_LONGEST = 60


class TaskError(ValueError):
    """A task that is refused: the file, the path in it, what is wrong and the likely fix.

    Attributes:
        problem: what is wrong.
        path: where in the task (``subtasks.brew.needs``), empty for the whole.
        fix: the likely remedy, may be empty.
        file: name of the file, None if the task did not come from one.
    """

    def __init__(self, problem: str, path: str = "", fix: str = "", file: str | None = None) -> None:
        super().__init__(problem, path, fix, file)
        self.problem = problem
        self.path = path
        self.fix = fix
        self.file = file

    def __str__(self) -> str:
        """Return one printable line: ``file: path: problem; fix``."""
        path = self.path if len(self.path) <= 200 else f"{self.path[:197]}..."
        where = "".join(f"{part}: " for part in (self.file, path) if part)
        return one_line(where + self.problem + (f"; {self.fix}" if self.fix else ""))

    def within(self, file: str) -> TaskError:
        """Return the same error with the file's name."""
        return TaskError(self.problem, self.path, self.fix, file)


def one_line(text: str) -> str:
    """Return the text with everything escaped that would break a line or a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shorten(text: str) -> str:
    """Return the text cut to a length that fits a line."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def quote(name: object) -> str:
    """Return a name in quotes, cut if it is very long."""
    return f"'{shorten(str(name))}'"


def join(path: str, part: str | int) -> str:
    """Return the path of an entry below ``path``: ``a.b`` for names, ``a[2]`` for places in a list."""
    if isinstance(part, int):
        return f"{path}[{part}]"
    return f"{path}.{shorten(part)}" if path else shorten(part)


def describe(value: Any) -> str:
    """Return what a value is, in the words of a task file (``the text 'fast'``, ``a list``)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {quote(value)}"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a number far too large"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return "a list"
    return f"a value of type {type(value).__name__}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that ``name`` most resembles, or an empty string."""
    if len(name) > _LONGEST:
        return ""
    candidates = [k for k in known if len(k) <= _LONGEST]
    folded = {" ".join(k.casefold().split()): k for k in reversed(candidates)}
    same = folded.get(" ".join(name.casefold().split()))
    if same is not None:
        return same
    return next(iter(difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)), "")


def suggest(name: str, known: Iterable[str], what: str = "") -> str:
    """Return advice for a name that is not known: the nearest one, or all if they are few."""
    known = list(known)
    close = nearest(name, known)
    if close:
        return f"did you mean {quote(close)}?"
    if known and what and len(known) <= 12:
        return f"{what}: {', '.join(quote(k) for k in known)}"
    return ""
