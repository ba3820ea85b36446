"""Form fields of a step: its task's parameters and its own options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kimera_tui.config.friends import Param, TaskInfo
from kimera_tui.documents.document import ParaStep, Retry, Step, TaskStep
from kimera_tui.documents.fields import parse_args, parse_kwargs
from kimera_tui.documents.step_text import parse_retry, parse_when, seconds_text, when_text
from kimera_tui.errors import UsageError
from kimera_tui.jsontext import to_json
from kimera_tui.ui.widgets.field import Field, optional, spec_title
from kimera_tui.values.json_input import parse_json
from kimera_tui.values.spec import DURATION, Spec, is_same

NOT_SENT: Final = object()
"""Value of a parameter whose field is empty."""
ON_TIMEOUT = ("revoke", "leave", "terminate")
PASS = ("auto", "first", "payload", "none")


def call_fields(step: TaskStep, info: TaskInfo) -> dict[str, Field]:
    """One field per declared parameter, then ``args`` and ``kwargs`` for the rest."""
    fields, rest = {}, dict(step.kwargs)
    for name, param in info.params.items():
        text = ""
        if name in rest and (typed := _typed(name, param, rest[name])) is not None:
            text = typed
            del rest[name]
        fields[f"param {name}"] = _param_field(name, param, text)
    more = "more " if fields else ""
    args = _json(step.args) if step.args else ""
    fields["args"] = Field(f"{more}args  JSON list", parse_args, args, "none; such as [1, 2]")
    kwargs = _json(rest) if rest else ""
    hint = 'none; such as {"day": "${{ inputs.day }}"}'
    fields["kwargs"] = Field(f"{more}kwargs  JSON object", parse_kwargs, kwargs, hint)
    return fields


def option_fields(step: TaskStep) -> dict[str, Field]:
    """The option fields of a task step."""
    return {
        "id": name_field("id", step.id),
        "task": Field("task  friend.task", str.strip, step.task, ""),
        "pass": choice_field("pass", PASS, step.pass_),
        **outcome_fields(step),
        "timeout": duration_field("timeout  for the result", step.timeout),
        "start_timeout": duration_field("start timeout  in the queue", step.start_timeout),
        "on_timeout": on_timeout_field(step.on_timeout),
        **retry_fields(step.retry),
        "idempotent": yes_field("idempotent  may run twice", step.idempotent),
        "notes": Field("notes", str, step.notes, "none"),
    }


def group_fields(step: Step) -> dict[str, Field]:
    """The option fields of a chain or a para."""
    fields = {"id": name_field("id", step.id)}
    if isinstance(step, ParaStep):
        fields |= {
            "gather": choice_field("gather", ("list", "dict"), step.gather),
            "max_parallel": count_field("max parallel  at a time", step.max_parallel, "all"),
            "fail": choice_field("fail", ("all", "fast"), step.fail),
        }
    return {**fields, **outcome_fields(step), "notes": Field("notes", str, step.notes, "none")}


def task_step(step: TaskStep, values: Mapping[str, Any]) -> TaskStep:
    """Build a task step from the field values.

    Raises:
        UsageError: an argument is given twice.
        ValidationError: a value violates the workflow format.
    """
    named = {
        name.removeprefix("param "): value
        for name, value in values.items()
        if name.startswith("param ") and value is not NOT_SENT
    }
    if twice := named.keys() & values["kwargs"].keys():
        raise UsageError(f"kwargs: `{min(twice)}` has a field of its own above.")
    data: dict[str, Any] = {"id": values["id"], "task": values["task"]}
    if step.friend is not None:
        data["friend"] = step.friend
    data |= _without_empty(
        {
            "args": values["args"],
            "kwargs": _in_order({**named, **values["kwargs"]}, step.kwargs),
            "notes": values["notes"],
            "timeout": values["timeout"],
            "start_timeout": values["start_timeout"],
            "on_timeout": values["on_timeout"],
            "retry": retry_of(values, step.retry),
            "idempotent": values["idempotent"],
            "pass": values["pass"] if values["pass"] != PASS[0] else "",
        }
    )
    new = TaskStep.model_validate(data)
    return new.model_copy(update=_outcome(new, step, values))


def group_step(step: Step, values: Mapping[str, Any]) -> Step:
    """Update a chain or a para from the field values; its steps stay.

    Raises:
        ValidationError: a value violates the workflow format.
    """
    # What every step has is checked without the steps below.
    TaskStep.model_validate({"id": values["id"], "task": "any", "notes": values["notes"]})
    names = ("id", "notes", "gather", "max_parallel", "fail")
    provided = {name: values[name] for name in names if name in values}
    update = {name: value for name, value in provided.items() if value != getattr(step, name)}
    return step.model_copy(update={**update, **_outcome(step, step, values)})


def _outcome(new: Step, old: Step, values: Mapping[str, Any]) -> dict[str, Any]:
    """The changes to ``when`` and ``on_error``."""
    found = {"when": values["when"], "on_error": values["on_error"]}
    if found["on_error"] == "steps":
        found["on_error"] = old.on_error
    return {name: value for name, value in found.items() if value != getattr(new, name)}


def _without_empty(data: dict[str, Any]) -> dict[str, Any]:
    """Drop empty values to keep the file short."""
    return {name: value for name, value in data.items() if value not in (None, "", [], {}, False)}


def _in_order(values: dict[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The values in their old order and notation, followed by new ones."""
    kept = {name: value for name, value in old.items() if name in values}
    return kept | {
        name: value
        for name, value in values.items()
        if name not in kept or not is_same(kept[name], value)
    }


# Fields of several forms


def outcome_fields(step: Step) -> dict[str, Field]:
    """The ``when`` and ``on_error`` fields."""
    choices = ("fail", "continue", "steps") if step.handlers else ("fail", "continue")
    now = "steps" if step.handlers else str(step.on_error)
    hint = "always; such as steps.load.result.rows > 0"
    return {
        "when": Field("when", parse_when, when_text(step.when), hint),
        "on_error": choice_field("on error", choices, now),
    }


def retry_fields(retry: Retry | None) -> dict[str, Field]:
    """The fields for retries: how many, the delay between them, and on which exceptions."""
    times, delay, names = "", "", ""
    if retry is not None:
        times, names = str(retry.max), ", ".join(retry.on)
        delay = seconds_text(retry.delay) if "delay" in retry.model_fields_set else ""
    return {
        "retry times": Field("retry times  after the first", str, times, "none"),
        "retry delay": Field("retry delay", str, delay, "1s, then twice as long each time"),
        "retry on": Field("retry on", str, names, "every exception; such as OSError, TIMEOUT"),
    }


def retry_of(values: Mapping[str, Any], old: Retry | None) -> Retry | None:
    """The retry policy from its fields; None for no retries."""
    return parse_retry(values["retry times"], values["retry delay"], values["retry on"], old)


def name_field(title: str, value: str) -> Field:
    """A field for an id or a name."""
    return Field(title, str.strip, value, "lowercase letters, digits and _")


def choice_field(
    title: str, choices: tuple[str, ...], value: str, empty: str = "", *, shown: bool = True
) -> Field:
    """A field that accepts one of several words, or an unambiguous prefix.

    Args:
        title: The field's title.
        choices: The words.
        value: The current word.
        empty: What None, the value of an empty field, means; if omitted, it is the first word.
        shown: Whether the title lists the words.
    """
    name = title.split("  ", maxsplit=1)[0]

    def read(text: str) -> str | None:
        typed = text.strip().lower()
        if not typed:
            return None if empty else choices[0]
        found = [choice for choice in choices if choice.startswith(typed)]
        if typed in choices or len(found) == 1:
            return typed if typed in choices else found[0]
        raise UsageError(f"{name}: must be one of {', '.join(choices)}.")

    hint = empty or choices[0]
    if shown:
        return Field(f"{title}  {'|'.join(choices)}", read, value, hint)
    others = ", ".join(choice for choice in choices if choice != hint)
    return Field(title, read, value, f"{hint}; or {others}")


def on_timeout_field(value: str | None) -> Field:
    """The ``on_timeout`` field: what happens to a task that takes too long."""
    return choice_field("on timeout", ON_TIMEOUT, value or "", "revoke", shown=False)


def yes_field(title: str, value: bool) -> Field:
    """A yes/no field."""
    read = optional(title.split("  ", maxsplit=1)[0], Spec(type="bool"))
    return Field(title, lambda text: bool(read(text)), "yes" if value else "", "no")


def duration_field(title: str, value: float | None, hint: str = "default") -> Field:
    """A field for a duration such as 30s or 1h30m; its value is in seconds, None if empty."""
    name = title.split("  ", maxsplit=1)[0]
    return Field(title, optional(name, DURATION), seconds_text(value), hint)


def count_field(title: str, value: int | None, hint: str) -> Field:
    """A field for a positive integer; None if empty."""
    name = title.split("  ", maxsplit=1)[0]
    text = "" if value is None else str(value)
    return Field(title, optional(name, Spec(type="int", min=1, max=999_999)), text, hint)


# Parameters


def _param_field(name: str, param: Param, text: str) -> Field:
    return Field(
        spec_title(name, param),
        lambda typed: _read(name, param, typed),
        text,
        param.description or f"not sent; such as ${{{{ inputs.{name} }}}}",
        secret=param.hides(name) and "${{" not in text,
    )


def _read(name: str, param: Param, text: str) -> Any:
    """Parse a parameter: a template, or a value of its type."""
    if not text.strip():
        return NOT_SENT
    if param.type == "json" and text.strip()[0] in "[{":
        return parse_json(text, name)
    return text if "${{" in text else param.read(name, text)


def _typed(name: str, param: Param, value: Any) -> str | None:
    """The text that reads back as exactly this value; None if there is none."""
    is_template = isinstance(value, str) and "${{" in value
    text = value if is_template else "null" if value is None else param.text(value)
    try:
        back = _read(name, param, text)
    except UsageError:
        # A value that its field refuses is shown there, to be corrected.
        return text if isinstance(value, str | int | float) else None
    return text if is_same(back, value) else None


def new_call(name: str, step_id: str, info: TaskInfo) -> TaskStep:
    """A new step that calls a task with its default parameters."""
    kwargs = {
        each: param.check(each, param.default)
        for each, param in info.params.items()
        if param.default is not None
    }
    return (
        TaskStep(id=step_id, task=name, kwargs=kwargs)
        if kwargs
        else TaskStep(id=step_id, task=name)
    )


def _json(value: Any) -> str:
    return to_json(value, ascii_only=False)
