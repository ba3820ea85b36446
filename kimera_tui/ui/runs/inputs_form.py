"""The form for a run's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimera_tui.documents.document import Document, Input
from kimera_tui.documents.inputs import resolve
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.field import Field, optional, spec_title

PROMPT = "prompt"


def asked_secrets(document: Document) -> list[str]:
    """Names of the secrets that the user types at the start of a run."""
    return [
        name
        for name, spec in document.inputs.items()
        if spec.is_secret and spec.from_ in (None, PROMPT)
    ]


def run_form(
    document: Document, last: Mapping[str, Any], title: str, act: str, *, filled: bool = False
) -> FormWindow[RunInputs]:
    """A window that asks for the inputs of a run.

    Args:
        document: The workflow to run.
        last: The inputs of its last run, shown as hints.
        title: The window's title.
        act: The label of its button.
        filled: Whether to prefill the fields with the inputs of the last run.
    """
    asked = asked_secrets(document)
    fields = {
        name: _field(name, spec, last.get(name), filled=filled)
        for name, spec in document.inputs.items()
        if not spec.is_secret or name in asked
    }
    secrets = {name for name, spec in document.inputs.items() if spec.is_secret}
    elsewhere = [
        f"{name} comes from {spec.from_}."
        for name, spec in document.inputs.items()
        if name not in fields
    ]

    def build(values: dict[str, Any]) -> RunInputs:
        provided = {
            name: value
            for name, value in values.items()
            if name not in secrets and value is not None
        }
        resolve(document.inputs, provided)
        prompted = {name: values[name] for name in secrets & values.keys() if values[name]}
        return RunInputs(provided, prompted)

    return FormWindow(
        safe(f"{title}: {document.name}", 100),
        [("", fields)],
        build,
        act=act,
        intro="\n".join(elsewhere),
    )


def _field(name: str, spec: Input, last: Any, *, filled: bool) -> Field:
    hint = spec.description
    if last is not None and not spec.is_secret:
        hint = f"last: {spec.text(last)}  {hint}".strip()
    shown = last if filled and last is not None else spec.default
    return Field(
        spec_title(name, spec),
        optional(name, spec, required=spec.is_secret or (spec.required and spec.default is None)),
        "" if spec.is_secret else spec.text(shown),
        hint,
        secret=spec.is_secret,
    )
