"""The form of a task: a field for each parameter, its errors below it, and the call it makes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input

from kimera_tui.config.friends import Friend, Param, TaskInfo
from kimera_tui.documents.fields import (
    check_task_name,
    parse_args,
    parse_kwargs,
    parse_param,
    parse_timeout,
    text_of,
)
from kimera_tui.errors import UsageError
from kimera_tui.process.task_params import TaskParams
from kimera_tui.redaction import is_secret_name, redact
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.unmarked import PlainInput, PlainLabel, PlainStatic


class Field(Vertical):
    """One labelled input with room for its error."""

    def __init__(
        self, title: str, read: Callable[[str], Any], value: str, hint: str, *, secret: bool = False
    ) -> None:
        super().__init__(classes="field")
        self._head = title
        self._read = read
        # Made now, so that it can be read before it stands on the screen.
        self.input = PlainInput(value, placeholder=safe(hint, 200), password=secret, compact=True)
        """Where it is typed."""
        self._error = PlainLabel(classes="field-error")
        self.touched = False
        """Whether something was typed."""

    def compose(self) -> ComposeResult:
        """Title, input, error."""
        yield PlainLabel(self._head, classes="field-title")
        yield self.input
        yield self._error

    def value(self) -> Any:
        """What was typed, read; UsageError where it can't be."""
        return self._read(self.input.value)

    def complain(self, problem: str) -> None:
        """Show what is wrong, or nothing."""
        self._error.say(problem)
        self._error.display = bool(problem)
        self.set_class(bool(problem), "-wrong")


class TaskForm(VerticalScroll, can_focus=False):
    """Builds TaskParams from what is typed.

    Args:
        friend: The friend's name.
        config: The friend.
        task_name: The task; empty where its name is to be typed too.
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
        """All fields, from the top."""
        first = [] if self._typed_name is None else [self._typed_name]
        return [*first, *self._params.values(), self._args, self._kwargs, self._timeout]

    @property
    def named(self) -> str:
        """The task's name as it stands; empty where none that can be was typed."""
        if self._typed_name is None:
            return self.task_name
        try:
            return str(self._typed_name.value())
        except UsageError:
            return ""

    def compose(self) -> ComposeResult:
        """The task's description, its parameters, then what every task has."""
        title = f"{self.friend}.{self.task_name}" if self.task_name else f"{self.friend}: any task"
        yield PlainStatic(title, classes="form-title")
        if self._info.doc:
            yield PlainStatic(self._info.doc, classes="form-doc")
        yield from self.fields
        yield self._call

    def on_mount(self) -> None:
        """Show the call as it stands."""
        self._preview()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Check again at every key."""
        event.stop()
        for field in self.fields:
            if field.input is event.input:
                field.touched = field.touched or field.input.has_focus or bool(event.value)
        self._preview()

    def focus_first(self) -> None:
        """Put the cursor into the first field."""
        self.fields[0].input.focus(scroll_visible=False)

    def collect(self) -> TaskParams | None:
        """The call, or None when a field is wrong; the first wrong one gets the focus."""
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
                # A field that nobody has touched is wrong only once it is to be sent.
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
    return Field("task  its name, without the route", check_task_name, "", "like render")


def _param_field(name: str, param: Param) -> Field:
    def read(text: str) -> Any:
        if text.strip():
            return parse_param(name, param, text)
        if param.required:
            raise UsageError(f"{name} is required.")
        return None  # an empty field sends nothing

    choices = f" {'|'.join(map(str, param.values))}" if param.values else ""
    return Field(
        f"{name}  {param.type}{choices}{', required' if param.required else ''}",
        read,
        text_of(param),
        param.description,
        secret=param.secret or is_secret_name(name),
    )


def _common_fields(config: Friend, info: TaskInfo) -> tuple[Field, Field, Field]:
    """The fields for args, kwargs and timeout, which every task has."""
    more = "more " if info.params else ""
    return (
        Field(f"{more}args  JSON list", parse_args, "", "none; like [1, 2]"),
        Field(f"{more}kwargs  JSON object", parse_kwargs, "", 'none; like {"day": 1}'),
        Field(
            "timeout  seconds, or 5m, 1h30m",
            lambda text: parse_timeout(text) if text.strip() else config.timeout,
            f"{config.timeout:g}",
            f"{config.timeout:g}",
        ),
    )


def command_line(params: TaskParams, info: TaskInfo) -> str:
    """The command that makes the same call; secrets are hidden."""
    secret = {name for name, param in info.params.items() if param.secret}
    words = ["kimera-tui", "send", params.friend, params.task_name]
    if params.args:
        words += ["--args", json.dumps(redact(params.args), ensure_ascii=False, default=str)]
    if params.kwargs:
        shown = redact(params.kwargs, secret)
        words += ["--kwargs", json.dumps(shown, ensure_ascii=False, default=str)]
    words += ["--timeout", f"{params.timeout:g}"]
    return shlex.join(words)
