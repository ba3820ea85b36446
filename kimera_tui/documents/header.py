"""A document without its steps, as a run saves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from kimera_tui.documents.document import Document
from kimera_tui.errors import UsageError


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
