"""From what a person typed to values that can be sent; every refusal is one sentence."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kimera_tui.config.friends import Param
from kimera_tui.errors import UsageError
from kimera_tui.redaction import MASK, is_secret_name
from kimera_tui.values.durations import parse_duration

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
_TASK_NAME = re.compile(r"[A-Za-z0-9_.:-]+")


def parse_args(text: str) -> list[Any]:
    """The positional arguments in a JSON list; nothing typed means none."""
    value = parse_json(text, "Arguments") if text.strip() else []
    if not isinstance(value, list):
        raise UsageError("Arguments must be a JSON list, like [1, 2].")
    return value


def parse_kwargs(text: str) -> dict[str, Any]:
    """The named arguments in a JSON object; nothing typed means none."""
    value = parse_json(text, "Named arguments") if text.strip() else {}
    if not isinstance(value, dict):
        raise UsageError('Named arguments must be a JSON object, like {"day": "2026-01-31"}.')
    return value


def parse_json(text: str, what: str) -> Any:
    """A JSON value that can be sent.

    Raises:
        UsageError: it isn't JSON, names a key twice, or holds what can't be sent.
    """
    if len(text) > MAX_BYTES:
        raise UsageError(f"{what}: {len(text)} characters; the most is {MAX_BYTES}.")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                raise UsageError(f"{what}: `{key}` is given twice.")
            seen[key] = value
        return seen

    def refuse(constant: str) -> Any:
        raise UsageError(f"{what}: {constant} cannot be sent.")

    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{what}: not JSON: line {error.lineno} column {error.colno}: {error.msg}."
        ) from error
    except RecursionError as error:
        raise UsageError(f"{what}: nested deeper than {MAX_DEPTH}.") from error
    except ValueError as error:  # an integer of thousands of digits
        raise UsageError(f"{what}: number too large.") from error
    _check(value, what, 0)
    return value


def _check(value: Any, what: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise UsageError(f"{what}: nested deeper than {MAX_DEPTH}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{what}: number too large.")
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            _check(child, what, depth + 1)


def parse_timeout(text: str) -> float:
    """Seconds of a duration such as 30, 30s, 5m or 1h30m."""
    try:
        return parse_duration(text)
    except UsageError as error:
        raise UsageError(f"Timeout: {error}") from None


def check_task_name(name: str) -> str:
    """The name, or a sentence about what is wrong with it."""
    if not name.strip():
        raise UsageError("Task name is empty.")
    if len(name) > 255:
        raise UsageError("Task name is over 255 characters.")
    if any(character.isspace() for character in name):
        raise UsageError("Task name has a space.")
    if not _TASK_NAME.fullmatch(name):
        raise UsageError("Task name has a character outside A-Z a-z 0-9 _ . : -.")
    return name


def parse_param(name: str, param: Param, text: str) -> Any:
    """The value of one declared parameter.

    Raises:
        UsageError: the text is not of the parameter's type; the sentence begins with its name.
    """
    stripped = text.strip()
    shown = MASK if _is_secret(name, param) else stripped
    match param.type:
        case "int" if re.fullmatch(r"[+-]?\d{1,300}", stripped):
            return int(stripped)
        case "int":
            raise UsageError(f"{name}: `{shown}` is not an integer.")
        case "float":
            return _number(name, stripped, shown)
        case "bool" if stripped.lower() in ("true", "false", "yes", "no"):
            return stripped.lower() in ("true", "yes")
        case "bool":
            raise UsageError(f"{name}: true or false.")
        case "date":
            return _date(name, stripped)
        case "json":
            return parse_json(text, name)
        case "enum":
            return _choice(name, param, stripped)
    return text


def _is_secret(name: str, param: Param) -> bool:
    return param.secret or is_secret_name(name)


def _number(name: str, text: str, shown: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise UsageError(f"{name}: `{shown}` is not a number.") from None
    if not math.isfinite(number):
        raise UsageError(f"{name}: {shown} cannot be sent.")
    return number


def _date(name: str, text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise UsageError(f"{name}: write a date as 2026-01-31.")
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name}: no such date.") from None
    return text


def _choice(name: str, param: Param, text: str) -> Any:
    for value in param.values:
        if str(value) == text:
            return value
    raise UsageError(f"{name}: one of {', '.join(map(str, param.values))}.")


def into_kwargs(what: str) -> str:
    """That something would be written down, had it no name."""
    return f"{what} is a secret, which belongs into kwargs only."


def check_call(params: Mapping[str, Param], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check a call against a task's declared parameters; UsageError names the first misfit.

    Args:
        params: The parameters as friends.yaml declares them, in their order.
        args: Positional arguments; they stand for the first parameters.
        kwargs: Named arguments; those that aren't declared are not checked.
    """
    positional = dict(zip(params, args, strict=False))
    for name in positional:
        if params[name].secret:
            raise UsageError(into_kwargs(name))
    by_name = {**positional, **kwargs}
    for name, param in params.items():
        if name not in by_name:
            if param.required:
                raise UsageError(f"{name} is required.")
        elif problem := _misfit(name, param, by_name[name]):
            raise UsageError(f"{name}: {problem}.")


def _misfit(name: str, param: Param, value: Any) -> str:
    """Why a value is not of a parameter's type, or an empty string."""
    hidden = _is_secret(name, param)
    shown = MASK if hidden else json.dumps(value, ensure_ascii=False, default=str)[:60]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match param.type:
        case "int" if not (number and float(value).is_integer()):
            return f"{shown} is not an integer"
        case "float" if not number:
            return f"{shown} is not a number"
        case "bool" if not isinstance(value, bool):
            return f"{shown} is neither true nor false"
        case "string" | "date" if not isinstance(value, str):
            return f"{shown} is not text"
        case "enum" if value not in param.values:
            return f"one of {', '.join(map(str, param.values))}"
    return ""


def text_of(param: Param) -> str:
    """What a parameter's field shows at first."""
    if param.default is None:
        return ""
    if param.type == "json":
        return json.dumps(param.default, ensure_ascii=False)
    if isinstance(param.default, bool):
        return "true" if param.default else "false"
    return str(param.default)
