"""From a file, text or mapping to plain data: dict, list, str, int, float, bool, None.

Owns what may be read at all: YAML 1.1 without tags, merge keys, odd scalars or
multiplying aliases; JSON without NaN; keys once and always text; size and depth
within limits. YAML is built from parser events with an explicit stack, so no
input can exhaust Python's. What the data mean is for ``models`` and ``compose``.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from stratagym.envs.task.faults import TaskError, describe, join, quote

MAX_BYTES = 1_000_000
"""Largest file, in bytes (1 MB)."""

MAX_DEPTH = 200
"""How deep mappings and lists may nest."""

MAX_VALUES = 500_000
"""How many values a task may hold, counting each use of an alias."""

Plain = dict[str, Any]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = yaml.SafeLoader("")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_EXPONENT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_YAML = "tag:yaml.org,2002:"


def read(source: str | os.PathLike[str] | Mapping[str, Any]) -> Plain:
    """Return a task as plain data that share nothing with the source.

    Args:
        source: path of a YAML file, or of a JSON file (``.json``); or a mapping.

    Raises:
        TaskError: if it cannot be read; the file's name is still to be added.
    """
    if isinstance(source, Mapping):
        return _top(copy_plain(source))
    if not isinstance(source, str | os.PathLike):
        raise TaskError(f"a task is a path or a mapping, not {describe(source)}")
    if isinstance(source, str) and "\n" in source:
        raise TaskError(
            "this is text, not the path of a file",
            fix="pass a path, or the mapping that yaml.safe_load gives",
        )
    path = os.fspath(source)
    if not isinstance(path, str):
        raise TaskError("a path in bytes is not supported", fix="use str or pathlib.Path")
    return parse(_content(path), is_json=path.lower().endswith(".json"))


def _content(path: str) -> bytes:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise TaskError("this is a folder, not a file")
        if not stat.S_ISREG(mode):
            raise TaskError("this is not a regular file")
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise TaskError("there is no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TaskError(f"the file cannot be read: {reason}") from None
    return content


def parse(content: bytes | str, *, is_json: bool = False) -> Plain:
    """Return the mapping that the content of a file stands for.

    Raises:
        TaskError: if it is not a task file's YAML (or JSON).
    """
    try:
        raw = content.encode("utf-8") if isinstance(content, str) else content
        if len(raw) > MAX_BYTES:
            raise TaskError("the file is larger than 1 MB", fix="split it, or use foreach, modes and repeat")
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskError(f"the file is not UTF-8 text (byte {error.start})") from None
    except UnicodeEncodeError as error:
        raise TaskError(f"the text is not valid Unicode (character {error.start})") from None
    return _top(_parse_json(text) if is_json else _parse_yaml(text))


def _top(value: Any) -> Plain:
    if value is None:
        raise TaskError("the file is empty", fix="the smallest task is `subtasks:` with one entry")
    if not isinstance(value, dict):
        raise TaskError(f"a task is a mapping with `subtasks:`, not {describe(value)}")
    return value


# --- JSON -------------------------------------------------------------------


def _parse_json(text: str) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> Plain:
        result: Plain = {}
        for key, value in items:
            if key in result:
                raise TaskError(f"the key {quote(key)} stands twice in one mapping")
            result[key] = value
        return result

    def constant(word: str) -> NoReturn:
        raise TaskError(f"{word} is not a number that a task may hold")

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise TaskError(f"not valid JSON (line {error.lineno}, column {error.colno}): {error.msg}") from None
    except RecursionError:
        raise TaskError(_too_deep()) from None
    return copy_plain(value)


def _integer(digits: str) -> int:
    """Return the integer, or one just as far out of any range if it is absurdly long."""
    if len(digits) > 40:
        return -(10**40) if digits.startswith("-") else 10**40
    return int(digits)


def _too_deep() -> str:
    return f"nested more than {MAX_DEPTH} levels deep"


# --- mappings ---------------------------------------------------------------


def copy_plain(value: Any) -> Any:
    """Return a deep copy made of plain types only.

    Raises:
        TaskError: for a type that a task file cannot hold, a key that is not text,
            or more values or levels than allowed.
    """
    left = [MAX_VALUES]

    def copy(value: Any, path: str, depth: int) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise TaskError(f"more than {MAX_VALUES} values", path)
        if value is None or isinstance(value, bool | str):
            return str(value) if isinstance(value, str) else value
        if isinstance(value, int | float):
            return int(value) if isinstance(value, int) else float(value)
        if depth > MAX_DEPTH:
            raise TaskError(_too_deep())
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    raise TaskError(f"a name must be text, not {describe(key)}", path, "put it in quotes")
            return {str(k): copy(v, join(path, k), depth + 1) for k, v in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
            return [copy(v, join(path, i), depth + 1) for i, v in enumerate(value)]
        if hasattr(value, "dtype") and getattr(value, "shape", None) == () and hasattr(value, "item"):
            return copy(value.item(), path, depth + 1)
        raise TaskError(
            f"{describe(value)} cannot stand in a task",
            path,
            "use text, numbers, true, false, lists or mappings",
        )

    try:
        return copy(value, "", 0)
    except RecursionError:
        raise TaskError(_too_deep()) from None


# --- YAML -------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not been read yet."""

    value: Any
    path: str
    anchor: str | None
    size: int = 1
    aliased: bool = False
    key: str | None = None
    marks: dict[str, int] = field(default_factory=dict)


def _parse_yaml(text: str) -> Any:
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = " ".join(str(error.problem or error.context or "unreadable").split())
        raise TaskError(f"not valid YAML{where}: {problem}") from None
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", "") or "unreadable"
        raise TaskError(f"not valid YAML: {reason}") from None
    except (RecursionError, UnicodeError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, TaskError):
            raise
        raise TaskError(f"not valid YAML: {type(error).__name__}") from None
    return builder.result


class _Builder:
    """Builds plain data from YAML events."""

    def __init__(self) -> None:
        self.result: Any = None
        self.documents = 0
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int, bool] | None] = {}
        self.values = 0

    def feed(self, event: Any) -> None:
        """Take the next event."""
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise TaskError(
                    "the file holds more than one YAML document", fix="one task a file: remove `---`"
                )
        elif isinstance(event, yaml.ScalarEvent):
            self._tagless(event)
            self._add(self._scalar(event), event, 1, False, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._tagless(event)
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = self.stack.pop()
            self._add(done.value, event, done.size, done.aliased, done.anchor)

    def _path(self) -> str:
        if not self.stack:
            return ""
        top = self.stack[-1]
        if isinstance(top.value, list):
            return join(top.path, len(top.value))
        return join(top.path, top.key) if top.key is not None else top.path

    def _fail(self, problem: str, event: Any, fix: str = "") -> NoReturn:
        raise TaskError(f"{problem} (line {event.start_mark.line + 1})", self._path(), fix)

    def _tagless(self, event: Any) -> None:
        if event.tag is not None:
            self._fail(f"the YAML tag {quote(event.tag)} is not allowed", event, "write the plain value")

    def _open(self, value: Any, event: Any) -> None:
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None:
            kind = "a mapping" if isinstance(value, dict) else "a list"
            self._fail(f"a name must be text, not {kind}", event, "put it in quotes")
        if len(self.stack) >= MAX_DEPTH:
            self._fail(_too_deep(), event)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(value, self._path(), event.anchor))

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            self._fail(f"the alias {quote('*' + event.anchor)} has no anchor before it", event)
        found = self.anchors[event.anchor]
        if found is None or found[2]:
            self._fail(
                f"the alias {quote('*' + event.anchor)} stands for something that holds an alias itself",
                event,
                "aliases may not multiply: write it out, or use foreach or modes",
            )
        self._add(found[0], event, found[1], True, None)

    def _add(self, value: Any, event: Any, size: int, aliased: bool, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, size, aliased)
        if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            self.values += size
        if self.values > MAX_VALUES:
            self._fail(f"more than {MAX_VALUES} values", event, "aliases may not multiply")
        if not self.stack:
            self.result = value
            return
        top = self.stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is None:
            self._key(top, value, event)
            return
        else:
            top.value[top.key] = value
            top.key = None
        top.size += size
        top.aliased |= aliased

    def _key(self, top: _Open, value: Any, event: Any) -> None:
        if not isinstance(value, str):
            written = getattr(event, "value", "")
            self._fail(
                f"a name must be text, but YAML reads {quote(written)} as {describe(value)}",
                event,
                "put it in quotes",
            )
        if value in top.marks:
            self._fail(f"the key {quote(value)} stands twice (first in line {top.marks[value]})", event)
        top.marks[value] = event.start_mark.line + 1
        top.key = value

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if not event.implicit[0]:
            return text
        tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_YAML)
        top = self.stack[-1] if self.stack else None
        is_key = top is not None and isinstance(top.value, dict) and top.key is None
        if tag == "str" and (is_key or not _EXPONENT.fullmatch(text)):
            return text
        if tag == "null":
            return None
        if tag == "bool":
            return yaml.SafeLoader.bool_values[text.lower()]
        if tag == "int" and _DECIMAL.fullmatch(text):
            return _integer(text)
        if _FLOAT.fullmatch(text) or _EXPONENT.fullmatch(text):
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        what = {"timestamp": "a date", "merge": "a merge key", "int": "a number in another base"}.get(
            tag, "an odd value"
        )
        fix = "put it in quotes if it is a name" + (", or write it in plain digits" if tag == "int" else "")
        return self._fail(f"YAML reads {quote(text)} as {what}, which no task holds", event, fix)
