"""The form for a task: one field per parameter, and the equivalent command."""

from __future__ import annotations

import shlex
from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Input

from kimera_tui.config.friends import Friend, Param, TaskInfo
from kimera_tui.documents.fields import (
    check_task_name,
    parse_args,
    parse_kwargs,
    parse_timeout,
)
from kimera_tui.errors import UsageError
from kimera_tui.jsontext import to_json
from kimera_tui.process.task_params import TaskParams
from kimera_tui.redaction import redact
from kimera_tui.ui.widgets.field import Field, optional, spec_title
from kimera_tui.ui.widgets.unmarked import PlainStatic


class TaskForm(VerticalScroll, can_focus=False):
    """Builds TaskParams from the field values.

    Args:
        friend: Name of the friend.
        config: Configuration of the friend.
        task_name: The task; empty adds a field for its name.
    """

    def __init__(self, friend: str, config: Friend, task_name: str) -> None:
        super().__init__(classes="task-form")
        self.friend = friend
        self.task_name = task_name
        self._typed_name = None if task_name else _name_field()
        self._info = config.tasks.get(task_name, TaskInfo())
        self._params = {
            name: _param_field(name, param) for name, param in self._info.params.items()
        }
        self._args, self._kwargs, self._timeout = _common_fields(config, self._info)
        self._call = PlainStatic(classes="form-preview")

    @property
    def fields(self) -> list[Field]:
        """All fields, top to bottom."""
        first = [] if self._typed_name is None else [self._typed_name]
        return [*first, *self._params.values(), self._args, self._kwargs, self._timeout]

    @property
    def named(self) -> str:
        """The task name; empty until a valid one is typed."""
        if self._typed_name is None:
            return self.task_name
        try:
            return str(self._typed_name.value())
        except UsageError:
            return ""

    def compose(self) -> ComposeResult:
        """The description, the parameters, then the fields common to all tasks."""
        title = f"{self.friend}.{self.task_name}" if self.task_name else f"{self.friend}: any task"
        yield PlainStatic(title, classes="form-title")
        if self._info.doc:
            yield PlainStatic(self._info.doc, classes="form-doc")
        yield from self.fields
        yield self._call

    def on_mount(self) -> None:
        """Show the equivalent command."""
        self._preview()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Validate after every key."""
        event.stop()
        for field in self.fields:
            if field.input is event.input:
                field.touched = field.touched or field.input.has_focus or bool(event.value)
        self._preview()

    def focus_first(self) -> None:
        """Focus the first field."""
        self.fields[0].input.focus(scroll_visible=False)

    def collect(self) -> TaskParams | None:
        """The call; if a field is invalid, focus the first such field and return None."""
        params, wrong = self._collect(sending=True)
        if wrong:
            wrong[0].input.focus()
            wrong[0].scroll_visible(animate=False)
        return params

    def _collect(self, *, sending: bool) -> tuple[TaskParams | None, list[Field]]:
        read: dict[Field, Any] = {}
        wrong = []
        for field in self.fields:
            try:
                read[field] = field.value()
                field.complain("")
            except UsageError as error:
                # An untouched field shows its error only when the call is sent.
                field.complain(str(error) if sending or field.touched else "")
                wrong.append(field)
        if not wrong and (twice := self._params.keys() & read[self._kwargs].keys()):
            self._kwargs.complain(f"`{min(twice)}` has a field of its own above.")
            wrong.append(self._kwargs)
        if wrong:
            return None, wrong
        named = {name: read[field] for name, field in self._params.items()}
        kwargs = {name: value for name, value in named.items() if value is not None}
        return (
            TaskParams(
                friend=self.friend,
                task_name=self.named,
                args=read[self._args],
                kwargs={**kwargs, **read[self._kwargs]},
                timeout=read[self._timeout],
            ),
            [],
        )

    def _preview(self) -> None:
        params, _ = self._collect(sending=False)
        text = command_line(params, self._info) if params is not None else ""
        self._call.say(text)


def _name_field() -> Field:
    return Field("task  its name, without the route", check_task_name, "", "such as render")


def _param_field(name: str, param: Param) -> Field:
    return Field(
        spec_title(name, param),
        optional(name, param, required=param.required),  # an empty field sends nothing
        param.text(param.default),
        param.description,
        secret=param.hides(name),
    )


def _common_fields(config: Friend, info: TaskInfo) -> tuple[Field, Field, Field]:
    """The fields common to all tasks: args, kwargs and timeout."""
    more = "more " if info.params else ""
    return (
        Field(f"{more}args  JSON list", parse_args, "", "none; such as [1, 2]"),
        Field(f"{more}kwargs  JSON object", parse_kwargs, "", 'none; such as {"day": 1}'),
        Field(
            "timeout  seconds, or 5m, 1h30m",
            lambda text: parse_timeout(text) if text.strip() else config.timeout,
            f"{config.timeout:g}",
            f"{config.timeout:g}",
        ),
    )


def command_line(params: TaskParams, info: TaskInfo) -> str:
    """The equivalent command, with secrets masked."""
    secret = {name for name, param in info.params.items() if param.secret}
    words = ["kimera-tui", "send", params.friend, params.task_name]
    if params.args:
        words += ["--args", to_json(redact(params.args), ascii_only=False)]
    if params.kwargs:
        shown = redact(params.kwargs, secret)
        words += ["--kwargs", to_json(shown, ascii_only=False)]
    words += ["--timeout", f"{params.timeout:g}"]
    return shlex.join(words)
