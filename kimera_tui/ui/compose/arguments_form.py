"""The form that edits the arguments of a step before a replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kimera_tui.config.friends import TaskInfo
from kimera_tui.documents.fields import parse_args
from kimera_tui.documents.save import equal
from kimera_tui.errors import UsageError
from kimera_tui.jsontext import to_json
from kimera_tui.runs.plan import PlannedTask
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.field import Field
from kimera_tui.values.json_input import parse_json
from kimera_tui.values.placeholders import is_whole

_UNCHANGED = object()
"""Value of an empty field."""
NOT_STORED = "not stored: type it, or leave it out"
_ARGS, _MORE = "args  ", "more  "
"""Field keys that cannot clash with argument names."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments to replace."""

    kwargs: Mapping[str, Any]
    args: tuple[Any, ...] | None = None
    """All positional arguments; None leaves them unchanged."""


def arguments_form(
    task: PlannedTask, fetched: Mapping[str, Any], info: TaskInfo
) -> FormWindow[Arguments]:
    """A window that edits the arguments of a call and returns only the changes.

    Args:
        task: The call, as it would be resent.
        fetched: Templates of the named arguments that are evaluated again.
        info: The task as declared in friends.yaml.
    """
    sent = {
        name: _field(safe(name, 60), name, value, fetched.get(name), name in task.secret)
        for name, value in task.kwargs.items()
    }
    declared = {
        name: Field(
            f"{name}  {param.type}",
            _reader(name),
            "",
            "not sent",
            secret=param.hides(name),
        )
        for name, param in info.params.items()
        if name not in sent
    }
    fields = {**sent, **declared}
    if task.args:
        fields[_ARGS] = _args_field(list(task.args))
    fields[_MORE] = Field(
        "more  named arguments", _object, "", 'a JSON object, like {"day": "2026-01-31"}'
    )

    def build(values: Mapping[str, Any]) -> Arguments:
        named = {
            name: values[name]
            for name in (*sent, *declared)
            if values[name] is not _UNCHANGED
            and not (name in sent and equal(values[name], task.kwargs[name]))
        }
        args = values.get(_ARGS, _UNCHANGED)
        same = args is _UNCHANGED or equal(args, list(task.args))
        return Arguments({**named, **values[_MORE]}, None if same else tuple(args))

    return FormWindow(
        safe(f"Replay {task.friend}.{task.task_name}", 100),
        [("", fields)],
        build,
        act="Continue",
        intro="Values are JSON: put text in quotes. An empty field changes nothing.",
    )


def _field(title: str, name: str, value: Any, template: Any, secret: bool) -> Field:
    if is_whole(value):
        return Field(title, _reader(name), _json(value), "unchanged", secret=secret)
    hint = NOT_STORED if template is None else f"looked up again: {template}"
    return Field(title, _reader(name), "", hint, secret=secret)


def _args_field(args: list[Any]) -> Field:
    def read(text: str) -> Any:
        return list(parse_args(text)) if text.strip() else _UNCHANGED

    kept = is_whole(args)
    hint = "unchanged" if kept else NOT_STORED
    return Field("args  JSON list", read, _json(args) if kept else "", hint)


def _json(value: Any) -> str:
    return to_json(value, ascii_only=False)


def _reader(name: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        return parse_json(text, name) if text.strip() else _UNCHANGED

    return read


def _object(text: str) -> dict[str, Any]:
    value = parse_json(text, "more") if text.strip() else {}
    if not isinstance(value, dict):
        raise UsageError("more: must be a JSON object.")
    return value
