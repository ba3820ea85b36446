"""The JSON schema of workflow files, for completion and checks in editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kimera_tui.config.friends import Friend, Param, TaskInfo
from kimera_tui.documents.document import Document

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string"},
    "datetime": {"type": "string"},
    "duration": {"type": "number", "exclusiveMinimum": 0},
}
_OPERATORS = ("eq", "ne", "gt", "ge", "lt", "le", "in", "exists")
_SHAPES = ("ref", "all", "any", "not")


def _one_of(names: Sequence[str]) -> dict[str, Any]:
    return {"oneOf": [{"required": [each]} for each in names]}


_CONDITION = {
    **_one_of(_SHAPES),
    "if": {"required": ["ref"]},
    "then": _one_of(_OPERATORS),
    "else": {"not": {"anyOf": [{"required": [each]} for each in (*_OPERATORS, "missing")]}},
}
"""Rules for a condition that its keys alone do not express."""
_TEMPLATE = {"type": "string", "pattern": r"\$\{\{"}


def workflow_schema(friends: Mapping[str, Friend] | None = None) -> dict[str, Any]:
    """The schema of a workflow file.

    Args:
        friends: Friends whose tasks and parameters to include; None for none.
    """
    schema = Document.model_json_schema(by_alias=True)
    schema = {"$schema": DRAFT, **schema}
    # A file must name its format version; in memory there is only one.
    schema["required"] = ["kimera", *schema.get("required", ())]
    schema["$defs"]["Condition"] |= _CONDITION
    if friends:
        _add_friends(schema["$defs"]["TaskStep"], friends)
    return schema


def _add_friends(task_step: dict[str, Any], friends: Mapping[str, Friend]) -> None:
    """Add the declared tasks and their parameters."""
    calls = {
        f"{name}.{task}": info
        for name, friend in friends.items()
        for task, info in friend.tasks.items()
    }
    task = task_step["properties"]["task"]
    task_step["properties"]["task"] = {"anyOf": [{"enum": sorted(calls)}, task]}
    task_step["allOf"] = [
        {
            "if": {"properties": {"task": {"const": call}}, "required": ["task"]},
            "then": {"properties": {"kwargs": _kwargs(info)}},
        }
        for call, info in calls.items()
    ]


def _kwargs(info: TaskInfo) -> dict[str, Any]:
    named = {name: _param(param) for name, param in info.params.items()}
    schema: dict[str, Any] = {"type": "object", "properties": named}
    if info.doc:
        schema["description"] = info.doc
    return schema


def _limits(param: Param) -> dict[str, Any]:
    """What a schema can say of a parameter's limits."""
    limits: dict[str, Any] = {}
    if param.type in ("int", "float"):
        limits = {"minimum": param.min, "maximum": param.max}
    if param.type == "string":
        pattern = None if param.pattern is None else f"^(?:{param.pattern})$"
        limits = {"pattern": pattern, "maxLength": param.max_length}
    return {key: value for key, value in limits.items() if value is not None}


def _param(param: Param) -> dict[str, Any]:
    kind: Mapping[str, Any] = _TYPES.get(param.type, {})
    if param.type == "enum":
        kind = {"enum": param.values}
    if kind:
        kind = {**kind, **_limits(param)}
    schema: dict[str, Any] = {"anyOf": [kind, _TEMPLATE]} if kind else {}
    if param.description:
        schema["description"] = param.description
    if param.default is not None:
        schema["default"] = param.default
    return schema
