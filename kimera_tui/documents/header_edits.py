"""Edits of a document's inputs and other settings."""

from __future__ import annotations

from kimera_tui.documents.document import Document, Input
from kimera_tui.documents.renaming import check_id, input_renamed
from kimera_tui.errors import UsageError


def set_input(document: Document, name: str, spec: Input, old: str = "") -> Document:
    """Add an input, or replace ``old``; if its name changes, references follow.

    Raises:
        UsageError: the name is taken or malformed.
    """
    if name != old and name in document.inputs:
        raise UsageError(f"Another input is called `{name}`.")
    check_id(name)
    if not old:
        return document.model_copy(update={"inputs": {**document.inputs, name: spec}})
    inputs = {
        (name if key == old else key): (spec if key == old else value)
        for key, value in document.inputs.items()
    }
    changed = document.model_copy(update={"inputs": inputs})
    return changed if name == old else input_renamed(changed, old, name)


def move_input(document: Document, name: str, by: int) -> Document:
    """Move an input one place up (-1) or down (1); at the ends nothing changes."""
    names = list(document.inputs)
    place = names.index(name)
    if not 0 <= place + by < len(names):
        return document
    names.insert(place + by, names.pop(place))
    return document.model_copy(update={"inputs": {each: document.inputs[each] for each in names}})


def delete_input(document: Document, name: str) -> Document:
    """Delete an input; references to it become problems."""
    left = {key: value for key, value in document.inputs.items() if key != name}
    return document.model_copy(update={"inputs": left})


def with_header(document: Document, header: Document) -> Document:
    """Take over everything from another document except its inputs and steps."""
    names = header.model_fields_set | document.model_fields_set
    names -= {"inputs", "steps", "finally_"}
    return document.model_copy(update={name: getattr(header, name) for name in names})
