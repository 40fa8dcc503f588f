"""Families and modes: from the ``subtasks`` of a file to single subtasks and groups of them.

Owns ``foreach`` (a subtask for each combination of values) and ``modes``
(alternatives of one subtask), in this order, and the rules of names. It knows
nothing of compositions; ``compose`` goes on with what it makes.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stratagym.envs.task import expr
from stratagym.envs.task.faults import TaskError, describe, join, quote, suggest
from stratagym.envs.task.graph import CompositionKind
from stratagym.envs.task.models import MAX_SUBTASKS, FamilySpec, SubtaskSpec, check

MAX_WORK = 8_000_000
"""Characters that the parts of a task may hold together once expanded."""

_HOLE = re.compile(r"\{([^{}]*)\}")

Order = tuple[int, ...]
Body = dict[str, Any]


@dataclass(slots=True)
class Budget:
    """How much expansion is still allowed, so that a small file cannot fill the memory."""

    work: int = MAX_WORK
    subtasks: int = MAX_SUBTASKS

    def spend(self, work: int, path: str) -> None:
        """Take some of the work that is left.

        Raises:
            TaskError: if there is not enough left.
        """
        self.work -= work
        if self.work < 0:
            raise TaskError(
                f"the task grows beyond {MAX_WORK} characters when foreach, modes and repeat are expanded",
                path,
                "use fewer values or copies",
            )

    def grow(self, count: int, path: str) -> None:
        """Take places for ``count`` more subtasks.

        Raises:
            TaskError: if the task would have more subtasks than allowed.
        """
        self.subtasks -= count
        if self.subtasks < 0:
            raise TaskError(
                f"more than {MAX_SUBTASKS} subtasks after expansion",
                path,
                "use fewer values, modes or copies",
            )


@dataclass(slots=True)
class Draft:
    """One subtask on its way: fields checked, references still by name.

    Attributes:
        order: place in the file; a copy's number is appended by ``repeat``.
        needs: the expression, None if nothing is needed.
        lags: predecessor's name -> (from start, min, max).
        mode: where the mode stands that this subtask is, empty for none.
        own: fields that the mode says for itself.
        owner: the family, or the subtask with modes, that it belongs to, empty for none.
    """

    name: str
    path: str
    order: Order
    spec: SubtaskSpec
    needs: expr.Expr | None
    lags: dict[str, tuple[bool, int, int | None]]
    mode: str = ""
    own: frozenset[str] = frozenset()
    owner: str = ""

    def at(self, name: str) -> str:
        """Return the path of one of its fields."""
        return f"{self.mode if name in self.own else self.path}.{name}"


@dataclass(slots=True)
class Group:
    """One composition on its way: children by name.

    Attributes:
        key: its operator as written, empty for families and modes.
        times: how many copies (``repeat`` only; then there is one child until copied).
        due, weight: of a subtask with modes, whose group this is.
        owner: the family that it belongs to, empty for none.
    """

    name: str
    path: str
    order: Order
    kind: CompositionKind
    count: int
    children: list[str]
    needs: expr.Expr | None = None
    release: int = 0
    deadline: int | None = None
    times: int = 0
    inline: bool = False
    due: int | None = None
    weight: float = 1.0
    owner: str = ""
    key: str = ""

    def at(self, child: str) -> str:
        """Return the path of one of its children."""
        if self.kind in ("family", "modes") or child not in self.children:
            return self.path
        place = join(self.path, self.key)
        return place if self.kind == "repeat" else join(place, self.children.index(child))


@dataclass(slots=True)
class Parts:
    """All subtasks and compositions by name (they share one name space)."""

    drafts: dict[str, Draft] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.drafts or name in self.groups

    def add(self, part: Draft | Group) -> None:
        """Add a part under its name.

        Raises:
            TaskError: if the name is taken.
        """
        if part.name in self:
            other = self.drafts.get(part.name) or self.groups[part.name]
            same = "" if other.path == part.path else f" (also by {other.path})"
            raise TaskError(
                f"the name {quote(part.name)} is used twice{same}", part.path, "rename one of them"
            )
        if isinstance(part, Draft):
            self.drafts[part.name] = part
        else:
            self.groups[part.name] = part


def check_name(name: str, path: str, *, family: bool = False) -> None:
    """Refuse a name that could not be told apart in an expression.

    Args:
        name: of a subtask, task or mode.
        path: where it stands.
        family: whether braces are allowed.

    Raises:
        TaskError: if the name is not allowed.
    """
    wrong = [c for c in name if c in expr.FORBIDDEN and not (family and c in "{}")]
    if not name.strip():
        raise TaskError("a name is empty", path)
    if name != name.strip():
        raise TaskError(f"the name {quote(name)} begins or ends with a space", path, "remove it")
    if wrong and wrong[0] in "{}":
        fix = "a family needs `foreach` with a variable for each {hole}"
        raise TaskError(f"the name {quote(name)} contains '{wrong[0]}'", path, fix)
    if wrong:
        signs = " ".join(expr.FORBIDDEN)
        raise TaskError(
            f"the name {quote(name)} contains '{wrong[0]}'", path, f"none of {signs} may be in a name"
        )
    if name == "wait":
        raise TaskError("'wait' is the name of doing nothing", path, "use another name")
    if expr.COUNT_NAME.match(name):
        raise TaskError(f"the name {quote(name)} begins like '2 of (...)'", path, "use another name")


def parse_needs(text: str | bool | None, path: str) -> expr.Expr | None:
    """Return the tree of an expression; None for true or left out.

    Raises:
        TaskError: if it cannot be read.
    """
    if text is None or text is True:
        return None
    try:
        return expr.parse(str(text))
    except expr.ExprError as error:
        raise TaskError(str(error), path) from None


def expand_subtasks(subtasks: Mapping[str, Any], parts: Parts, budget: Budget) -> None:
    """Add all subtasks of a file, families and modes expanded in place.

    Raises:
        TaskError: if one of them is not valid by itself.
    """
    if not subtasks:
        raise TaskError("there are no subtasks", "subtasks", "the smallest task has one entry here")
    budget.grow(0, "subtasks")
    place = itertools.count()
    for key, raw in subtasks.items():
        path = join("subtasks", key)
        body: Body = {} if raw is None else raw
        if not isinstance(body, dict):
            raise TaskError(f"must be a mapping of fields, not {describe(body)}", path)
        if body.get("foreach") is None:
            check_name(key, path)
            plain = {k: v for k, v in body.items() if k != "foreach"}
            _add_subtask(key, plain, path, place, parts, budget)
            continue
        members: list[str] = []
        family = Group(key, path, (next(place),), "family", 0, members)
        parts.add(family)
        for name, member in _members(key, body, path, budget):
            check_name(name, path)
            _add_subtask(name, member, path, place, parts, budget)
            (parts.drafts.get(name) or parts.groups[name]).owner = key
            members.append(name)
        family.count = len(members)


def _members(key: str, body: Body, path: str, budget: Budget) -> Iterator[tuple[str, Body]]:
    """Yield the name and the fields of each member of a family."""
    variables = _variables(key, body["foreach"], path)
    fields = {k: v for k, v in body.items() if k != "foreach"}
    unknown = next((k for k in fields if k not in FamilySpec.model_fields), None)
    if unknown is not None:
        raise TaskError(f"unknown field {quote(unknown)}", path, suggest(unknown, FamilySpec.model_fields))
    count = math.prod(len(values) for values in variables.values())
    budget.grow(count, f"{path}.foreach")
    budget.subtasks += count
    longest = max(len(str(v)) for values in variables.values() for v in values)
    budget.spend(count * _size(fields, longest), path)
    for combination in itertools.product(*variables.values()):
        binding = dict(zip(variables, combination, strict=True))
        yield _fill_text(key, binding), _fill(fields, binding, path)


def _variables(key: str, foreach: Any, path: str) -> dict[str, list[Any]]:
    where = f"{path}.foreach"
    if not isinstance(foreach, dict):
        raise TaskError(f"must be a mapping from variables to lists, not {describe(foreach)}", where)
    if not foreach:
        raise TaskError("a family needs a variable with values", where, "such as {dish: [pan, pot]}")
    holes = _HOLE.findall(key)
    for variable, values in foreach.items():
        if variable not in holes:
            fix = f"write {{{variable}}} into the name"
            raise TaskError(f"the name {quote(key)} lacks the variable {quote(variable)}", where, fix)
        if not isinstance(values, list):
            raise TaskError(f"must be a list of values, not {describe(values)}", join(where, variable))
        if not values:
            raise TaskError("a family needs at least one value", join(where, variable))
        for i, value in enumerate(values):
            odd = isinstance(value, float) and not math.isfinite(value)
            if value is None or odd or isinstance(value, dict | list):
                problem = f"a value is text, a number, true or false, not {describe(value)}"
                raise TaskError(problem, join(join(where, variable), i))
    for hole in holes:
        if hole not in foreach:
            known = ", ".join(quote(v) for v in foreach)
            raise TaskError(f"{{{hole}}} in the name has no variable", where, f"the variables are {known}")
    return foreach


def _size(value: Any, longest: int) -> int:
    """Return about how many characters a body holds once its holes are filled."""
    if isinstance(value, str):
        return 1 + len(value) + longest * value.count("{")
    if isinstance(value, dict):
        return 1 + sum(_size(k, longest) + _size(v, longest) for k, v in value.items())
    if isinstance(value, list):
        return 1 + sum(_size(v, longest) for v in value)
    return 1


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fill_text(text: str, binding: Mapping[str, Any]) -> str:
    return _HOLE.sub(lambda hole: _text(binding.get(hole[1], hole[0])), text)


def _fill(value: Any, binding: Mapping[str, Any], path: str) -> Any:
    """Return the value with every hole filled; one that is exactly a hole takes the value's type."""
    if isinstance(value, str):
        hole = _HOLE.fullmatch(value.strip())
        if hole and hole[1] in binding:
            return binding[hole[1]]
        return _fill_text(value, binding)
    if isinstance(value, list):
        return [_fill(v, binding, join(path, i)) for i, v in enumerate(value)]
    if isinstance(value, dict):
        filled: Body = {}
        for key, part in value.items():
            name = _fill_text(key, binding)
            if name in filled:
                raise TaskError(f"{quote(name)} stands twice once the variables are filled in", path)
            filled[name] = _fill(part, binding, join(path, key))
        return filled
    return value


def _add_subtask(
    name: str, body: Body, path: str, place: Iterator[int], parts: Parts, budget: Budget
) -> None:
    spec = check(SubtaskSpec, body, path)
    if spec.modes is None:
        budget.grow(1, path)
        parts.add(_draft(name, spec, path, (next(place),)))
        return
    if not spec.modes:
        raise TaskError("a subtask with modes needs at least one", f"{path}.modes")
    group = Group(name, path, (next(place),), "modes", 1, [], due=spec.due)
    group.weight = 1.0 if spec.weight is None else spec.weight
    parts.add(group)
    budget.spend(len(spec.modes) * _size(body, 0), f"{path}.modes")
    for mode, body_of_mode in spec.modes.items():
        where = join(f"{path}.modes", mode)
        check_name(mode, where)
        budget.grow(1, where)
        own = {} if body_of_mode is None else dict(body_of_mode)
        replaced = {f: v for f, v in own.items() if v is not None}
        merged = spec.model_copy(update={**replaced, "modes": None, "due": None, "weight": None})
        draft = _draft(f"{name} [{mode}]", merged, path, (next(place),), where, frozenset(replaced))
        draft.owner = name
        parts.add(draft)
        group.children.append(draft.name)


def _draft(
    name: str, spec: SubtaskSpec, path: str, order: Order, mode: str = "", own: frozenset[str] = frozenset()
) -> Draft:
    lags = {
        predecessor: (lag.origin == "start", lag.min or 0, lag.max)
        for predecessor, lag in (spec.lags or {}).items()
    }
    draft = Draft(name, path, order, spec, None, lags, mode, own)
    draft.needs = parse_needs(spec.needs, draft.at("needs"))
    return draft
