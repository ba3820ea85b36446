"""The form of a run's inputs, made from what its document asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kimera_tui.documents.document import Document, Input
from kimera_tui.documents.input_text import text_of_value
from kimera_tui.documents.inputs import parse_input, resolve
from kimera_tui.errors import UsageError
from kimera_tui.execution.run_inputs import Given
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.friends.task_form import Field
from kimera_tui.ui.text import safe

PROMPT = "prompt"


def asked_secrets(document: Document) -> list[str]:
    """Names of the secrets that are asked for at the start of a run."""
    return [
        name
        for name, spec in document.inputs.items()
        if spec.type == "secret" and spec.from_ in (None, PROMPT)
    ]


def run_form(
    document: Document, last: Mapping[str, Any], title: str, act: str, *, filled: bool = False
) -> FormWindow[Given]:
    """The window that asks for the inputs of a run.

    Args:
        document: What is to be run.
        last: The inputs of its last run, which are shown as hints.
        title: What the window is called.
        act: The word on its button.
        filled: Whether the inputs of the last run stand in the fields.
    """
    asked = asked_secrets(document)
    fields = {
        name: _field(name, spec, last.get(name), filled=filled)
        for name, spec in document.inputs.items()
        if spec.type != "secret" or name in asked
    }
    secrets = {name for name, spec in document.inputs.items() if spec.type == "secret"}
    elsewhere = [
        f"{name} comes from {spec.from_}."
        for name, spec in document.inputs.items()
        if name not in fields
    ]

    def build(values: dict[str, Any]) -> Given:
        given = {
            name: value
            for name, value in values.items()
            if name not in secrets and value is not None
        }
        resolve(document.inputs, given)
        prompted = {name: values[name] for name in secrets & values.keys() if values[name]}
        return Given(given, prompted)

    return FormWindow(
        safe(f"{title}: {document.name}", 100),
        [("", fields)],
        build,
        act=act,
        intro="\n".join(elsewhere),
    )


def _field(name: str, spec: Input, last: Any, *, filled: bool) -> Field:
    words: list[str] = [spec.type]
    if spec.values:
        words.append("|".join(safe(value, 40) for value in spec.values[:12]))
    if spec.required:
        words.append("required")
    hint = spec.description
    if last is not None and spec.type != "secret":
        hint = f"last: {text_of_value(spec.type, last)}  {hint}".strip()
    shown = last if filled and last is not None else spec.default
    text = "" if spec.type == "secret" else text_of_value(spec.type, shown)
    return Field(
        f"{name}  {' '.join(words)}",
        _reader(name, spec),
        text,
        hint,
        secret=spec.type == "secret",
    )


def _reader(name: str, spec: Input) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if spec.type == "secret":
            if not text:
                raise UsageError(f"{name} is required.")
            return text
        if text.strip():
            return parse_input(name, spec, text)
        if spec.required and spec.default is None:
            raise UsageError(f"{name} is required.")
        return None

    return read
