"""Secrets that were typed into a call: a document holds inputs that are asked for instead."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kimera_tui.documents.document import Document, TaskStep
from kimera_tui.documents.document import Input as InputSpec
from kimera_tui.documents.header_edits import set_input
from kimera_tui.documents.renaming import free_id
from kimera_tui.errors import UsageError
from kimera_tui.redaction import is_secret_name

_FILTERS = {str: "", int: " | int", float: " | float"}
"""What makes the text that was asked for a value of its type again."""


def without_secrets(
    document: Document, step: TaskStep, secret: Collection[str], before: TaskStep | None = None
) -> tuple[Document, TaskStep]:
    """The document with an input for each secret of a step, and the step that looks them up.

    Args:
        document: What the step is for.
        step: A step with its values as they were typed.
        secret: Names of arguments that are secret besides those whose names say so.
        before: The same step as it was: what it held already, it holds further.

    Raises:
        UsageError: a secret stands where none can be looked up.
    """
    prompts = _Prompts(document, secret)
    if before is None or step.args != before.args:
        prompts.in_place(step.args)
        if names := list(prompts.inputs):
            raise UsageError(f"args: a secret, such as {names[0]}, belongs into kwargs only.")
    held = {} if before is None else before.kwargs
    kwargs = {
        name: value if name in held and held[name] == value else prompts.in_place(value, name)
        for name, value in step.kwargs.items()
    }
    if not prompts.inputs:
        return document, step
    for name in prompts.inputs:
        document = set_input(document, name, InputSpec(type="secret", from_="prompt"))
    return document, step.model_copy(update={"kwargs": kwargs})


def asked_words(before: Document, after: Document) -> str:
    """Which inputs an edit brought, as a sentence; empty where it brought none."""
    names = [name for name in after.inputs if name not in before.inputs]
    if not names:
        return ""
    return f"Asked for at each run instead of written down: {', '.join(names)}."


class _Prompts:
    """Puts look-ups in place of secrets."""

    def __init__(self, document: Document, secret: Collection[str]) -> None:
        self._taken = document.inputs
        self._secret = secret
        self.inputs: list[str] = []

    def in_place(self, value: Any, name: str = "") -> Any:
        if name and (name in self._secret or is_secret_name(name)):
            return self._asked_for(value, name)
        if isinstance(value, Mapping):
            return {key: self.in_place(child, key) for key, child in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self.in_place(child) for child in value]
        return value

    def _asked_for(self, value: Any, name: str) -> Any:
        if value is None or value == "" or isinstance(value, bool):
            return value
        if isinstance(value, str) and "${{" in value:
            return value
        if (then := _FILTERS.get(type(value))) is None:
            raise UsageError(f"kwargs: `{name}` is secret, and only a text or a number can be.")
        found = free_id(name, {*self._taken, *self.inputs})
        self.inputs.append(found)
        return f"${{{{ inputs.{found}{then} }}}}"
