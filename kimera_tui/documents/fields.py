"""A call as somebody types it, as values that can be sent; each error is one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kimera_tui.config.friends import Param
from kimera_tui.errors import UsageError
from kimera_tui.values.json_input import parse_json
from kimera_tui.values.spec import DURATION

_TASK_NAME = re.compile(r"[A-Za-z0-9_.:-]+")


def parse_args(text: str) -> list[Any]:
    """The positional arguments in a JSON list; no text means none."""
    value = parse_json(text, "Arguments") if text.strip() else []
    if not isinstance(value, list):
        raise UsageError("Arguments must be a JSON list, like [1, 2].")
    return value


def parse_kwargs(text: str) -> dict[str, Any]:
    """The named arguments in a JSON object; no text means none."""
    value = parse_json(text, "Named arguments") if text.strip() else {}
    if not isinstance(value, dict):
        raise UsageError('Named arguments must be a JSON object, like {"day": "2026-01-31"}.')
    return value


def parse_timeout(text: str) -> float:
    """Seconds of a duration such as 30, 30s, 5m or 1h30m."""
    return float(DURATION.read("Timeout", text))


def check_task_name(name: str) -> str:
    """The name, or a UsageError that says what is wrong with it."""
    if not name.strip():
        raise UsageError("Task name is empty.")
    if len(name) > 255:
        raise UsageError("Task name is over 255 characters.")
    if any(character.isspace() for character in name):
        raise UsageError("Task name has a space.")
    if not _TASK_NAME.fullmatch(name):
        raise UsageError("Task name has a character outside A-Z a-z 0-9 _ . : -.")
    return name


def kwargs_only(name: str) -> str:
    """That a secret may not stand where its value would be written down."""
    return f"{name} is a secret, which is allowed in kwargs only."


def check_call(params: Mapping[str, Param], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check a call against a task's declared parameters.

    Args:
        params: The parameters as friends.yaml declares them, in their order.
        args: Positional arguments; they stand for the first parameters.
        kwargs: Named arguments; those that aren't declared are not checked.

    Raises:
        UsageError: an argument is missing or doesn't fit; the sentence begins with its name.
    """
    positional = dict(zip(params, args, strict=False))
    for name in positional:
        if params[name].secret:
            raise UsageError(kwargs_only(name))
    by_name = {**positional, **kwargs}
    for name, param in params.items():
        if name in by_name:
            _check_argument(name, param, by_name[name])
        elif param.required:
            raise UsageError(f"{name} is required.")


def _check_argument(name: str, param: Param, value: Any) -> None:
    if param.type == "date" and isinstance(value, str) and param.min is None and param.max is None:
        return  # a task may know more dates than the form, such as `today`
    fitting = param.check(name, value)
    if param.type == "duration" and isinstance(value, str):
        # Arguments are sent as they stand.
        raise UsageError(f"{name}: must be in seconds: {fitting:g}.")
