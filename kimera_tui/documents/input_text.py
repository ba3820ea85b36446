"""What an input asks for, as a person types it into a form, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from kimera_tui.documents.document import Input
from kimera_tui.documents.fields import parse_json
from kimera_tui.errors import UsageError

TYPES = (
    "string", "int", "float", "bool", "date", "datetime", "duration", "enum", "json", "secret",
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?\d{1,300}")


def input_from(values: Mapping[str, Any]) -> Input:
    """The input that a form's values make.

    Args:
        values: ``type``, ``required``; ``default``, ``values``, ``min``, ``max``, ``pattern``,
            ``max_length``, ``from`` and ``description`` as texts, empty for none.

    Raises:
        UsageError: one of them can't be read.
        ValidationError: the format doesn't allow one of them.
    """
    kind = values["type"]
    data: dict[str, Any] = {"type": kind} if kind != "string" else {}
    if values["required"]:
        data["required"] = True
    if values["default"].strip():
        data["default"] = typed(kind, values["default"], "default")
    if values["values"].strip():
        data["values"] = choices(values["values"])
    for name in ("min", "max"):
        if values[name].strip():
            data[name] = typed("int" if kind == "int" else kind, values[name], name)
    for name in ("pattern", "from", "description"):
        if values[name].strip():
            data[name] = values[name].strip()
    if values["max_length"].strip():
        data["max_length"] = typed("int", values["max_length"], "max_length")
    return Input.model_validate(data)


def typed(kind: str, text: str, name: str) -> Any:
    """A value of a type as a file holds it; dates and durations stay as they are written."""
    stripped = text.strip()
    match kind:
        case "int":
            if not _NUMBER.fullmatch(stripped):
                raise UsageError(f"{name}: `{stripped[:60]}` is not an integer.")
            return int(stripped)
        case "float":
            value = parse_json(stripped, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UsageError(f"{name}: `{stripped[:60]}` is not a number.")
            return value
        case "bool":
            if stripped.lower() not in ("true", "false", "yes", "no"):
                raise UsageError(f"{name}: true or false.")
            return stripped.lower() in ("true", "yes")
        case "json":
            return parse_json(text, name)
        case "enum":
            return _word(stripped)
        case "date" | "datetime" | "duration":
            return stripped
    return text


def choices(text: str) -> list[Any]:
    """The choices of an enum: a JSON list, or words between commas."""
    if text.strip().startswith("["):
        value = parse_json(text, "values")
        return value if isinstance(value, list) else [value]
    return [_word(part.strip()) for part in text.split(",") if part.strip()]


def _word(text: str) -> Any:
    """A number as one, everything else as text."""
    return int(text) if _NUMBER.fullmatch(text) and text == str(int(text)) else text


def text_of_value(kind: str, value: Any) -> str:
    """A value as it is typed; empty for none."""
    if value is None:
        return ""
    if kind == "json" or not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


def choices_text(values: list[Any]) -> str:
    """The choices as they are typed."""
    if all(_word(str(value)) == value and "," not in str(value) for value in values):
        return ", ".join(map(str, values))
    return json.dumps(values, ensure_ascii=False, default=str)
