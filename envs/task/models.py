"""The fields of a task file and what values they take: pydantic models at the border.

Owns types, ranges and unknown fields; ``schema`` makes the JSON Schema of them.
Every value is checked strictly (``3.0`` and ``true`` are not whole numbers); null
counts as left out. What names mean, and how the parts fit, is for ``compose``.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from stratagym.envs.task.faults import TaskError, describe, join, quote, suggest
from stratagym.envs.task.graph import Duration

LIMIT = 2**31
"""Durations, ticks and amounts are below this."""

MAX_SUBTASKS = 4096
MAX_AGENTS = 256


class Refusal(ValueError):
    """A value that a validator refuses, with the likely fix."""

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


_DURATION = "a duration is a whole number, {uniform: [lo, hi]}, {choice: [..]} or 'world'"
TICKS_SCHEMA: dict[str, Any] = {"type": "integer", "minimum": 1, "exclusiveMaximum": LIMIT}
_PAIR_SCHEMA: dict[str, Any] = {"type": "array", "items": TICKS_SCHEMA, "minItems": 2, "maxItems": 2}


def _one_key(key: str, items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {key: items}, "required": [key], "additionalProperties": False}


_DRAWN_SCHEMAS = [
    TICKS_SCHEMA,
    _one_key("uniform", _PAIR_SCHEMA),
    _one_key("choice", {"type": "array", "items": TICKS_SCHEMA, "minItems": 1}),
]


def _ticks(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refusal(f"{what} must be a whole number, not {describe(value)}")
    if not 1 <= value < LIMIT:
        raise Refusal(f"{what} must be 1 to {LIMIT - 1}, not {describe(value)}")
    return value


def _pair(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise Refusal(f"'uniform' needs a list of two numbers [lo, hi], not {describe(value)}")
    low, high = (_ticks(v, f"{word} of 'uniform'") for v, word in zip(value, ("lo", "hi"), strict=True))
    if low > high:
        raise Refusal(f"lo is greater than hi ({low} > {high})", f"write [{high}, {low}]")
    return low, high


def read_duration(value: Any) -> Duration:
    """Return the duration that a value of a task file stands for.

    Raises:
        Refusal: if it stands for none.
    """
    if value == "world":
        return Duration("world")
    if not isinstance(value, dict):
        if isinstance(value, str):
            raise Refusal(f"{_DURATION}; not {describe(value)}")
        return Duration("fixed", (_ticks(value, "a duration"),))
    if len(value) != 1 or not value.keys() <= {"uniform", "choice"}:
        unknown = next((k for k in value if k not in ("uniform", "choice")), None)
        problem = f"unknown kind of duration {quote(unknown)}" if unknown else "a duration has one kind"
        raise Refusal(problem, suggest(unknown or "", ("uniform", "choice")) or _DURATION)
    if "uniform" in value:
        return Duration("uniform", _pair(value["uniform"]))
    listed = value["choice"]
    if not isinstance(listed, list) or not listed:
        raise Refusal(f"'choice' needs a list of at least one number, not {describe(listed)}")
    return Duration("choice", tuple(_ticks(v, "each duration of 'choice'") for v in listed))


def _later_duration(value: Any) -> Duration:
    duration = read_duration(value)
    if duration.kind == "world":
        raise Refusal("an event sets an integer, uniform or choice, not 'world'")
    return duration


def _moment(value: Any) -> tuple[int, int]:
    if isinstance(value, dict):
        if list(value) != ["uniform"]:
            raise Refusal("'at' is a tick or {uniform: [lo, hi]}")
        return _pair(value["uniform"])
    tick = _ticks(value, "'at'")
    return tick, tick


def _expression(value: Any) -> str | bool:
    if value is True:
        return True
    if not isinstance(value, str):
        raise Refusal(f"must be an expression over names, not {describe(value)}", "such as `boil & ~spill`")
    if not value.strip():
        raise Refusal("the expression is empty", "leave the field out")
    return value.strip()


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise Refusal(f"must be a finite number, not {value}")
    return value


Positive = Annotated[int, Field(ge=1, lt=LIMIT)]
Amount = Annotated[int, Field(ge=0, lt=LIMIT)]
Change = Annotated[int, Field(gt=-LIMIT, lt=LIMIT)]
Finite = Annotated[float, AfterValidator(_finite)]
Weight = Annotated[float, Field(ge=0), AfterValidator(_finite)]
Probability = Annotated[float, Field(ge=0, le=1)]
Expression = Annotated[
    str | bool,
    PlainValidator(_expression),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"const": True}]}),
]
AnyDuration = Annotated[
    Duration, PlainValidator(read_duration), WithJsonSchema({"anyOf": [*_DRAWN_SCHEMAS, {"const": "world"}]})
]
LaterDuration = Annotated[
    Duration, PlainValidator(_later_duration), WithJsonSchema({"anyOf": _DRAWN_SCHEMAS})
]
Moment = Annotated[
    tuple[int, int],
    PlainValidator(_moment),
    WithJsonSchema({"anyOf": _DRAWN_SCHEMAS[:2]}),
]


class Model(BaseModel):
    """What all parts of a task file share: strict types and no unknown field."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class LagSpec(Model):
    """A time window from a predecessor."""

    min: Amount | None = None
    max: Amount | None = None
    origin: Literal["completion", "start"] | None = Field(default=None, alias="from")

    @model_validator(mode="after")
    def _ordered(self) -> LagSpec:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise Refusal(f"min is greater than max ({self.min} > {self.max})")
        return self


class ModeSpec(Model):
    """What each mode of a subtask may say for itself."""

    duration: AnyDuration | None = None
    attended: Amount | None = None
    needs: Expression | None = None
    lags: dict[str, LagSpec] | None = None
    release: Amount | None = None
    deadline: Amount | None = None
    uses: dict[str, Amount] | None = None
    consumes: dict[str, Amount] | None = None
    requires: dict[str, Amount] | None = None
    produces: dict[str, Amount] | None = None
    agents: Positive | None = None
    skill: str | None = None
    success: Probability | None = None
    attempts: Positive | None = None
    repeatable: bool | None = None
    reward: Finite | None = None


class SubtaskSpec(ModeSpec):
    """One subtask."""

    due: Amount | None = None
    weight: Weight | None = None
    modes: dict[str, ModeSpec | None] | None = None


class FamilySpec(SubtaskSpec):
    """A family of subtasks, one for each combination of values."""

    foreach: dict[str, list[Any]]


class BindingSpec(Model):
    """What a composition may carry besides its operator."""

    needs: Expression | None = None
    release: Amount | None = None
    deadline: Amount | None = None


class EventSpec(Model):
    """One disturbance."""

    at: Moment
    known: bool | None = None
    undo: str | None = None
    capacity: dict[str, Amount] | None = None
    stock: dict[str, Change] | None = None
    agent: str | None = None
    down: Positive | None = None
    duration: dict[str, LaterDuration] | None = None
    deadline: dict[str, Amount] | None = None
    appear: str | None = None


class AgentSpec(Model):
    """One agent by name."""

    name: str
    skills: list[str] | None = None


def _agents(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | list):
        raise Refusal(f"must be a number or a list of {{name, skills}}, not {describe(value)}")
    if value == []:
        raise Refusal("the list of agents is empty", "leave it out for one agent")
    count = value if isinstance(value, int) else len(value)
    if not 1 <= count <= MAX_AGENTS:
        raise Refusal(f"there must be 1 to {MAX_AGENTS} agents, not {describe(count)}")
    return value


class TaskSpec(Model):
    """A task file. Subtasks and compositions are checked one by one, after ``foreach``."""

    name: str | None = None
    horizon: Positive | None = None
    agents: Annotated[Any, PlainValidator(_agents)] = None
    resources: dict[str, Amount] | None = None
    items: dict[str, Amount] | None = None
    subtasks: dict[str, Any]
    tasks: dict[str, Any] | None = None
    goal: Expression | None = None
    constraints: list[str] | None = None
    events: list[EventSpec] | None = None


SpecT = TypeVar("SpecT", bound=Model)


def check(model: type[SpecT], value: Any, path: str) -> SpecT:
    """Return the value as the model, or say in one line what is wrong with it.

    Raises:
        TaskError: with the path of the first fault in the order of the model's fields.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    raise _translate(model, first, path)


_RANGES = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "dict": "a mapping",
    "model": "a mapping",
    "mapping": "a mapping",
    "list": "a list",
}


def _translate(model: type[Model], error: Mapping[str, Any], path: str) -> TaskError:
    kind: str = error["type"]
    loc = [part for part in error["loc"] if part != "[key]"]
    value = error.get("input")
    if kind in ("extra_forbidden", "missing"):
        field = str(loc.pop())
    for part in loc:
        path = join(path, part)
    if kind == "extra_forbidden":
        place = _model_at(model, loc)
        known = _fields(place)
        if place is ModeSpec and field in ("due", "weight"):
            return TaskError(f"unknown field {quote(field)}", path, f"`{field}` belongs to the subtask")
        fix = suggest(field, known) or f"the fields here are {', '.join(known)}"
        return TaskError(f"unknown field {quote(field)}", path, fix)
    if kind == "missing":
        return TaskError(f"the field {quote(field)} is missing", path)
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Refusal):
        return TaskError(cause.problem, path, _hole_in(value) or cause.fix)
    if kind in _RANGES:
        word, key = _RANGES[kind]
        return TaskError(f"must be {word} {int(error['ctx'][key])}, not {describe(value)}", path)
    if kind == "literal_error":
        return TaskError(f"must be {error['ctx']['expected']}, not {describe(value)}", path)
    expected = _TYPES.get(kind.split("_")[0], "")
    if expected:
        return TaskError(f"must be {expected}, not {describe(value)}", path, _hole_in(value))
    return TaskError(str(error["msg"]), path)


def _hole_in(value: Any) -> str:
    """Return advice where YAML read an unquoted ``{dish}`` as a mapping."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value.values())) is None:
        if next(iter(value)) in ("uniform", "choice"):
            return ""
        return f"put it in quotes: '{{{next(iter(value))}}}'"
    return ""


def _fields(model: type[Model]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _model_at(model: type[Model], loc: list[Any]) -> type[Model]:
    """Return the model that describes the mapping at ``loc`` below ``model``."""
    found: Any = model
    for part in loc:
        if isinstance(found, type) and issubclass(found, Model):
            info = found.model_fields.get(str(part))
            found = info.annotation if info else None
        else:
            found = next(iter(_inner(found)), None)
        found = _strip(found)
    return found if isinstance(found, type) and issubclass(found, Model) else model


def _strip(annotation: Any) -> Any:
    """Return the one type that is not None of an optional type."""
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        annotation = inner[0]
    return annotation


def _inner(annotation: Any) -> list[Any]:
    return list(reversed(get_args(annotation)))
