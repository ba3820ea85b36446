"""Secrets typed into a call: the document gets inputs that each run asks for instead."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kimera_tui.config.friends import Friend
from kimera_tui.documents.document import Document, TaskStep, called
from kimera_tui.documents.document import Input as InputSpec
from kimera_tui.documents.edits import set_input
from kimera_tui.documents.renaming import free_id
from kimera_tui.errors import UsageError
from kimera_tui.redaction import is_secret_name

_FILTERS = {str: "", int: " | int", float: " | float"}
"""Turn the text of the prompt into a value of its type again."""


def declared_secrets(
    friends: Mapping[str, Friend], document: Document, step: TaskStep
) -> Collection[str]:
    """Names of the arguments that a step's friend declares secret."""
    name, task = called(step, document)
    friend = friends.get(name)
    info = friend.tasks.get(task) if friend is not None else None
    return () if info is None else [each for each, param in info.params.items() if param.secret]


def without_secrets(
    document: Document, step: TaskStep, secret: Collection[str], old_step: TaskStep | None = None
) -> tuple[Document, TaskStep]:
    """The document with an input for each secret of a step, and the step that refers to them.

    Args:
        document: The step's document.
        step: A step with its values as typed.
        secret: Names of secret arguments, besides those whose names give them away.
        old_step: The step before the edit: values it held already stay in it.

    Raises:
        UsageError: a secret is in a place that cannot refer to an input.
    """
    prompts = _Prompts(document, secret)
    if old_step is None or step.args != old_step.args:
        prompts.in_place(step.args)
        if names := list(prompts.inputs):
            raise UsageError(f"args: a secret, such as {names[0]}, is allowed in kwargs only.")
    held = {} if old_step is None else old_step.kwargs
    kwargs = {
        name: value if name in held and held[name] == value else prompts.in_place(value, name)
        for name, value in step.kwargs.items()
    }
    if not prompts.inputs:
        return document, step
    for name in prompts.inputs:
        document = set_input(document, name, InputSpec(type="secret", from_="prompt"))
    return document, step.model_copy(update={"kwargs": kwargs})


def prompts_added(old: Document, new: Document) -> str:
    """Which inputs an edit added, as a sentence; empty where it added none."""
    names = [name for name in new.inputs if name not in old.inputs]
    if not names:
        return ""
    return f"Each run asks for it, the file does not hold it: {', '.join(names)}."


class _Prompts:
    """Puts references in place of secrets."""

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
            raise UsageError(f"kwargs: `{name}` is secret, so it must be a text or a number.")
        found = free_id(name, {*self._taken, *self.inputs})
        self.inputs.append(found)
        return f"${{{{ inputs.{found}{then} }}}}"
