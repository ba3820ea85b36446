"""A document as plain values: as a person would write it, and its header as a run keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from kimera_tui.documents.document import STEP_LISTS, Document
from kimera_tui.errors import UsageError

_DOCUMENT = (
    "kimera", "name", "description", "env", "inputs", "defaults", "concurrency", "timeout",
    "steps", "finally",
)  # fmt: skip
_STEP = (
    "id", "task", "friend", "when", "pass", "args", "kwargs", "gather", "max_parallel", "fail",
    "timeout", "start_timeout", "on_timeout", "retry", "idempotent", "chain", "para", "on_error",
    "notes",
)  # fmt: skip
_INPUT = (
    "type", "required", "default", "values", "min", "max", "pattern", "max_length", "from",
    "description",
)  # fmt: skip
SAYS_NOTHING: Mapping[str, Any] = {
    "args": [], "kwargs": {}, "on_error": "fail", "notes": "", "env": [], "inputs": {},
    "defaults": {}, "finally": [], "description": "", "pass": "auto", "gather": "list",
    "fail": "all", "idempotent": False,
}  # fmt: skip
"""Keys of documents and steps with their default values, which need not be written."""


def plain_document(document: Document) -> dict[str, Any]:
    """The content of a file for the document, without defaults."""
    plain = document.model_dump(by_alias=True, exclude_unset=True)
    plain["kimera"] = document.kimera
    for name, spec in plain.get("inputs", {}).items():
        plain["inputs"][name] = {key: spec[key] for key in _INPUT if key in spec}
    return _ordered(plain, _DOCUMENT)


def _ordered(plain: Mapping[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    ordered: dict[str, Any] = {}
    for key in (*order, *(plain.keys() - order)):
        if key not in plain or plain[key] is None or plain[key] == SAYS_NOTHING.get(key, ...):
            continue
        value = plain[key]
        if key in STEP_LISTS and isinstance(value, list):
            value = [_ordered(step, _STEP) for step in value]
        ordered[key] = value
    return ordered


def header_of(document: Document) -> dict[str, Any]:
    """Everything but the steps, as plain values.

    Inputs are a list: as keys of a mapping, names that sound secret would have their values masked.
    """
    plain = document.model_dump(
        by_alias=True, exclude_defaults=True, exclude={"steps", "finally_", "defaults"}
    )
    inputs = plain.pop("inputs", {})
    return {
        "kimera": document.kimera,
        **plain,
        "inputs": [{"name": name, **spec} for name, spec in inputs.items()],
    }


def document_from(header: Mapping[str, Any]) -> Document:
    """The document of a header, without steps.

    Raises:
        UsageError: another version of Kimera wrote the header.
    """
    try:
        inputs = {
            each["name"]: {key: value for key, value in each.items() if key != "name"}
            for each in header.get("inputs", ())
        }
        return Document.model_validate({"name": "workflow", **header, "inputs": inputs})
    except (ValidationError, LookupError, TypeError, AttributeError):
        raise UsageError(
            "The workflow of this run can't be read: another version of Kimera wrote it."
        ) from None
