"""Edits of what stands over a document's steps: its inputs, and its header."""

from __future__ import annotations

from kimera_tui.documents.document import Document, Input
from kimera_tui.documents.renaming import check_id, input_renamed
from kimera_tui.errors import UsageError


def set_input(document: Document, name: str, given: Input, old: str = "") -> Document:
    """With an input, or another in place of ``old``; references follow when its name changes.

    Raises:
        UsageError: another input has the name, or it is none.
    """
    if name != old and name in document.inputs:
        raise UsageError(f"Another input is called `{name}`.")
    check_id(name)
    if not old:
        return document.model_copy(update={"inputs": {**document.inputs, name: given}})
    inputs = {
        (name if key == old else key): (given if key == old else value)
        for key, value in document.inputs.items()
    }
    changed = document.model_copy(update={"inputs": inputs})
    return changed if name == old else input_renamed(changed, old, name)


def move_input(document: Document, name: str, by: int) -> Document:
    """With an input one place up (-1) or down (1); itself where there is no such place."""
    names = list(document.inputs)
    place = names.index(name)
    if not 0 <= place + by < len(names):
        return document
    names.insert(place + by, names.pop(place))
    return document.model_copy(update={"inputs": {each: document.inputs[each] for each in names}})


def delete_input(document: Document, name: str) -> Document:
    """Without an input; references to it become problems."""
    left = {key: value for key, value in document.inputs.items() if key != name}
    return document.model_copy(update={"inputs": left})


def with_header(document: Document, header: Document) -> Document:
    """With everything that another document says besides its inputs and steps."""
    given = header.model_fields_set | (document.model_fields_set - {"inputs", "steps", "finally_"})
    kept = given - {"inputs", "steps", "finally_"}
    return document.model_copy(update={name: getattr(header, name) for name in kept})
