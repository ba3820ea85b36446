"""What a document says besides its steps, as a run keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from kimera_tui.documents.document import Document
from kimera_tui.errors import UsageError


def header_of(document: Document) -> dict[str, Any]:
    """Everything but the steps, plain.

    Inputs are a list, since a mapping would have their names as keys, and what a key's name
    calls a secret is never written down.
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
        UsageError: the header isn't one of this version.
    """
    try:
        inputs = {
            each["name"]: {key: value for key, value in each.items() if key != "name"}
            for each in header.get("inputs", ())
        }
        return Document.model_validate({"name": "workflow", **header, "inputs": inputs})
    except (ValidationError, LookupError, TypeError, AttributeError):
        raise UsageError(
            "What the run began with can't be read: another version of Kimera wrote it."
        ) from None
