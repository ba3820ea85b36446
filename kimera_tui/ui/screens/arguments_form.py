"""The form of a step's arguments, as they were sent, to send it with others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from kimera_tui.errors import UsageError
from kimera_tui.runs.notkept import is_whole
from kimera_tui.runs.state import StepState
from kimera_tui.ui.screens.compose_forms import FormWindow
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.task_form import Field
from kimera_tui.workflows.fields import parse_json

Arguments = dict[str, Any]


def arguments_form(step: StepState) -> FormWindow[Arguments]:
    """The window that asks for a step's named arguments; gives those that are others now."""
    fields = {
        name: Field(
            safe(name, 60),
            _reader(name),
            json.dumps(value, ensure_ascii=False, default=str) if is_whole(value) else "",
            "as it was" if is_whole(value) else "not written down: type it, or leave it",
            secret=name in step.secret,
        )
        for name, value in step.kwargs.items()
    }
    more = Field("more  named arguments", _object, "", 'a JSON object, like {"day": "2026-01-31"}')

    def build(values: Mapping[str, Any]) -> Arguments:
        given = {
            name: values[name]
            for name in fields
            if values[name] is not None and values[name] != step.kwargs[name]
        }
        return {**given, **values["more  "]}

    return FormWindow(
        safe(f"Replay {step.name}", 100),
        [("", {**fields, "more  ": more})],
        build,
        act="Send",
        intro="Values are JSON: texts stand in quotes.",
    )


def _reader(name: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        return parse_json(text, name) if text.strip() else None

    return read


def _object(text: str) -> dict[str, Any]:
    value = parse_json(text, "more") if text.strip() else {}
    if not isinstance(value, dict):
        raise UsageError("more: must be a JSON object.")
    return value
