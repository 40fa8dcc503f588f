"""The rows of an evaluation on disk: appended, synced, and picked up again after a kill.

Owns ``results.jsonl``: one JSON object a line, each written whole and synced
before the next episode counts. It does not know what the fields mean beyond those
that identify a row.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from stratagym.baselines.suites import InputError

SCHEMA = 1
KEY = ("env", "agent", "episode")
"""The fields that identify a row within one evaluation."""

Key = tuple[str, str, int]
Row = dict[str, Any]


def key_of(row: Mapping[str, Any]) -> Key:
    """Return what identifies a row."""
    return str(row["env"]), str(row["agent"]), int(row["episode"])


_TEXT, _NUMBER = (str,), (int, float)
_FIELDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("env", "agent", "clock", "knowledge", "reward", "task", "objective", "kind"), _TEXT),
    **dict.fromkeys(("episode", "seed", "crew", "progress_at", "deadlines", "missed"), (int,)),
    **dict.fromkeys(("time", "steps", "idle"), (int,)),
    **dict.fromkeys(("value", "paid", "progress", "return", "tardiness"), _NUMBER),
    **dict.fromkeys(("reference", "bound", "reference_value", "ratio"), (*_NUMBER, type(None))),
    "makespan": (int, type(None)),
    "goal": (bool,),
    "success": (bool,),
    "refusals": (dict,),
    "runs": (list,),
}
"""The fields of a row that are read again, and what they hold."""


def _check(place: str, row: Row) -> None:
    """Refuse a row that lacks a field, or holds something else in it.

    Raises:
        InputError: naming the place and the field.
    """
    for name, kinds in _FIELDS.items():
        value = row.get(name, ...)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise InputError(f"{place}: {name!r} is missing or damaged; choose another folder")


def _parse(line: bytes) -> Row | None:
    """Return the row on a line, None if the line is not a whole row."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and all(name in row for name in KEY) else None


def read_rows(path: Path) -> tuple[list[Row], int]:
    """Read all whole rows of a file.

    A last line without its line end, or one that is not a row, is what a kill
    leaves behind; it is not returned.

    Returns:
        The rows, and the length in bytes of the part of the file that holds them.

    Raises:
        InputError: if a line before the last one is not a row, a row has another
            schema or lacks a field, or two rows are of the same episode.
    """
    rows: list[Row] = []
    seen: set[Key] = set()
    length = 0
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        row = _parse(line)
        if row is None or not line.endswith(b"\n"):
            if number == len(lines):
                break
            raise InputError(f"{path}, line {number}: not a row of results")
        if row.get("schema") != SCHEMA:
            raise InputError(
                f"{path}, line {number}: schema {row.get('schema')!r}; this release reads {SCHEMA}"
            )
        _check(f"{path}, line {number}", row)
        if key_of(row) in seen:
            raise InputError(f"{path}, line {number}: a second row of the same episode")
        seen.add(key_of(row))
        rows.append(row)
        length += len(line)
    return rows, length


class ResultsFile:
    """The results of one evaluation, open for appending by this process alone.

    Args:
        folder: where ``results.jsonl`` is or shall be.
        resume: whether rows that stand there already are kept.

    Attributes:
        rows: all rows, those found first.

    Raises:
        InputError: if there are results and ``resume`` is not asked for, the file
            is damaged, or another evaluation writes to it.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path = folder / "results.jsonl"
            self._file: IO[bytes] = open(self.path, "ab")  # noqa: SIM115 - closed by close
        except OSError as error:
            raise InputError(f"{folder}: cannot be written to ({error.strerror})") from error
        try:
            self._lock()
            self.rows: list[Row] = self._found(resume)
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # no advisory locks on this system; a second writer is then not noticed
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{self.path}: another evaluation is writing to it") from None

    def _found(self, resume: bool) -> list[Row]:
        if self._file.tell() and not resume:
            raise InputError(f"{self.path} exists already: --resume continues it, or choose another folder")
        rows, length = read_rows(self.path)
        self._file.truncate(length)
        return rows

    def append(self, row: Row) -> None:
        """Add a row; it is on the disk when this returns."""
        self._file.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows.append(row)

    def close(self) -> None:
        """Close the file and let others write to it."""
        self._file.close()

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
