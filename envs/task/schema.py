"""The JSON Schema of task files, for editors.

Owns what pydantic cannot say of the models by itself: compositions inside each
other, families with holes in any field. Checks on load do not use it.
"""

from __future__ import annotations

import re
from typing import Any

from stratagym.envs.task.models import (
    LIMIT,
    MAX_AGENTS,
    TICKS_SCHEMA,
    AgentSpec,
    FamilySpec,
    SubtaskSpec,
    TaskSpec,
)

_VALUE_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}
_HOLE = {"type": "string", "pattern": r"^\{[^{}]+\}$"}


def json_schema() -> dict[str, Any]:
    """Return a JSON Schema (2020-12) of task files, for editors.

    It knows fields, types and ranges; that names exist and parts fit together is
    checked on load only.
    """
    schema = TaskSpec.model_json_schema()
    definitions = schema["$defs"]
    for model in (FamilySpec, AgentSpec):
        part = model.model_json_schema()
        definitions |= {**part.pop("$defs", {}), model.__name__: part}
    for name in ("LagSpec", "ModeSpec"):
        definitions[f"{name}WithHoles"] = _with_holes(definitions[name])
    family = definitions["FamilySpec"] = _with_holes(definitions["FamilySpec"])
    family["properties"]["foreach"] = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": "array", "minItems": 1, "items": _VALUE_SCHEMA},
    }
    plain = SubtaskSpec.model_json_schema()
    plain.pop("$defs", None)
    foreach_null = {"foreach": {"type": "null"}}
    definitions["SubtaskSpec"] = {**plain, "properties": {**plain["properties"], **foreach_null}}
    definitions["Composition"] = _composition_schema()
    agent = {"type": "array", "minItems": 1, "maxItems": MAX_AGENTS, "items": {"$ref": "#/$defs/AgentSpec"}}
    count = {"type": "integer", "minimum": 1, "maximum": MAX_AGENTS}
    schema["properties"] |= {
        "agents": {"anyOf": [count, agent, {"type": "null"}]},
        "subtasks": _named("SubtaskSpec", "FamilySpec"),
        "tasks": {"anyOf": [_named("Composition"), {"type": "null"}]},
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "stratagym task"}


def _named(*definitions: str) -> dict[str, Any]:
    """Return the schema of a mapping from names to one of the definitions (or null, for a subtask)."""
    options: list[dict[str, Any]] = [{"$ref": f"#/$defs/{name}"} for name in definitions]
    if "SubtaskSpec" in definitions:
        options.append({"type": "null"})
    return {"type": "object", "additionalProperties": {"anyOf": options}}


def _with_holes(node: Any) -> Any:
    """Return the schema in which every number or switch may also be a ``{variable}``."""
    if isinstance(node, list):
        return [_with_holes(part) for part in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in ("integer", "number", "boolean") or "enum" in node:
        return {"anyOf": [node, _HOLE]}
    if re.fullmatch(r"#/\$defs/(LagSpec|ModeSpec)", str(node.get("$ref"))):
        return {"$ref": f"{node['$ref']}WithHoles"}
    return {key: part if key == "required" else _with_holes(part) for key, part in node.items()}


def _composition_schema() -> dict[str, Any]:
    children = {
        "type": "array",
        "minItems": 1,
        "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Composition"}]},
    }
    nullable = {"anyOf": [children, {"type": "null"}]}
    child = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Composition"}]}
    times = {"anyOf": [TICKS_SCHEMA, {"type": "null"}]}
    tick = {"anyOf": [{"type": "integer", "minimum": 0, "exclusiveMaximum": LIMIT}, {"type": "null"}]}
    needs = {"anyOf": [{"type": "string", "minLength": 1}, {"const": True}, {"type": "null"}]}
    return {
        "type": "object",
        "properties": {
            **dict.fromkeys(("all", "sequence", "any", "choice"), nullable),
            "repeat": {"anyOf": [*child["anyOf"], {"type": "null"}]},
            "times": times,
            "needs": needs,
            "release": tick,
            "deadline": tick,
        },
        "patternProperties": {"^[0-9]+ +of$": nullable},
        "additionalProperties": False,
    }
