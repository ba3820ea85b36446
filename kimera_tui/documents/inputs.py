"""What a run is given: each input checked against what its workflow asks for."""

from __future__ import annotations

import datetime
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kimera_tui.depth import DEEPEST, TOO_DEEP, is_too_deep
from kimera_tui.documents.conditions import same
from kimera_tui.documents.document import Input
from kimera_tui.documents.fields import parse_json
from kimera_tui.errors import UsageError, near
from kimera_tui.values.durations import check_seconds, parse_duration
from kimera_tui.values.patterns import is_match

MAX_SECRET_BYTES = 64 * 1024
MAX_MATCHED = 1_000
"""Characters of a text that is compared with a pattern."""
_WHOLE = re.compile(r"[+-]?\d{1,300}")


def resolve(specs: Mapping[str, Input], given: Mapping[str, Any]) -> dict[str, Any]:
    """All inputs but the secrets, defaults filled in, as plain JSON.

    Dates stay as they are written; durations are seconds.

    Args:
        specs: What the workflow asks for.
        given: Values by name.

    Raises:
        UsageError: a value is missing, wrong, or for no input; the hint has all but the first.
    """
    problems = [
        f"{_shown_name(name)}: the workflow has no such input.{near(name, specs)}"
        for name in given
        if name not in specs
    ]
    values: dict[str, Any] = {}
    for name, spec in specs.items():
        if spec.type == "secret":
            if name in given:
                problems.append(f"{name}: a secret is not given with the other inputs.")
            continue
        value = given.get(name, spec.default)
        if value is None:
            if spec.required:
                problems.append(f"{name} is required.")
            values[name] = None
            continue
        try:
            values[name] = check(name, spec, value)
        except UsageError as error:
            problems.append(error.message)
    if problems:
        raise UsageError(problems[0], hint="\n".join(problems[1:]))
    return values


def _shown_name(name: str) -> str:
    """A name as it may be repeated: what is no name came from a file that holds something else."""
    return name if re.fullmatch(r"[\w.-]{1,40}", name) else "…"


def parse_input(name: str, spec: Input, text: str) -> Any:
    """The value that a person typed; raises UsageError, which begins with the name."""
    stripped = text.strip()
    match spec.type:
        case "int" if _WHOLE.fullmatch(stripped):
            return check(name, spec, int(stripped))
        case "int":
            raise UsageError(f"{name}: `{stripped[:60]}` is not an integer.")
        case "float":
            try:
                return check(name, spec, float(stripped))
            except ValueError:
                raise UsageError(f"{name}: `{stripped[:60]}` is not a number.") from None
        case "bool" if stripped.lower() in ("true", "false", "yes", "no"):
            return stripped.lower() in ("true", "yes")
        case "bool":
            raise UsageError(f"{name}: true or false.")
        case "json":
            return check(name, spec, parse_json(text, name))
        case "enum":
            for value in spec.values:
                if _typed(value) in (text, stripped):
                    return value
            raise UsageError(_choices(name, spec))
        case "date" | "datetime" | "duration":
            return check(name, spec, stripped)
    return check(name, spec, text)


def check(name: str, spec: Input, value: Any) -> Any:
    """The value as a run keeps it, if it is what the input asks for.

    Raises:
        UsageError: it isn't; the sentence begins with the input's name.
    """
    shown = json.dumps(value, ensure_ascii=False, default=str)[:60]
    match spec.type:
        case "int":
            if isinstance(value, bool) or not isinstance(value, int):
                raise UsageError(f"{name}: {shown} is not an integer.")
            return _within(name, spec, value)
        case "float":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UsageError(f"{name}: {shown} is not a number.")
            if not _is_finite(value):
                raise UsageError(f"{name}: {shown} cannot be sent.")
            return _within(name, spec, value)
        case "bool" if not isinstance(value, bool):
            raise UsageError(f"{name}: {shown} is neither true nor false.")
        case "enum" if not any(same(value, each) for each in spec.values):
            raise UsageError(_choices(name, spec))
        case "string":
            return _text(name, spec, value)
        case "date" | "datetime":
            return _moment(name, spec, value)
        case "duration":
            return _within(name, spec, _seconds(name, value))
        case "json":
            _check_plain(name, value)
    return value


def secret_value(
    name: str, spec: Input, environ: Mapping[str, str], prompted: Mapping[str, str]
) -> str:
    """A secret from where its input says; its value is in no message.

    Args:
        name: The input's name.
        spec: What the workflow says of it.
        environ: The environment.
        prompted: What was asked for.

    Raises:
        UsageError: it isn't there; the message names the variable or the file.
    """
    kind, _, place = (spec.from_ or "prompt").partition(":")
    if name in prompted:
        return prompted[name]
    if kind == "env":
        if not environ.get(place):
            raise UsageError(f"{name}: the environment variable {place} is not set.")
        return environ[place]
    if kind == "file":
        return _from_file(name, Path(os.path.expanduser(place)))  # noqa: PTH111 - never raises
    raise UsageError(f"{name}: it is asked for at the start of a run, and was not given.")


def spec_problems(name: str, spec: Input) -> list[str]:
    """What is wrong with an input itself, in sentences."""
    found: list[str] = []
    if spec.type == "enum" and not spec.values:
        found.append(f"{name}: an enum needs `values`.")
    if spec.values and spec.type != "enum":
        found.append(f"{name}: `values` belongs to an enum.")
    if spec.type == "secret" and spec.default is not None:
        found.append(f"{name}: a secret has no default; write where it comes from.")
    if spec.type != "secret" and spec.from_ is not None:
        found.append(f"{name}: `from` belongs to a secret.")
    if spec.pattern is not None:
        found += _pattern_problems(name, spec)
    if (spec.pattern is not None or spec.max_length is not None) and spec.type != "string":
        found.append(f"{name}: `pattern` and `max_length` belong to a string.")
    found += _range_problems(name, spec)
    if spec.default is not None and not found and spec.type != "secret":
        try:
            check(name, spec, spec.default)
        except UsageError as error:
            found.append(f"{error.message.removesuffix('.')}: that is its default.")
    return found


def _pattern_problems(name: str, spec: Input) -> list[str]:
    try:
        is_match(spec.pattern or "", "")
    except ValueError as error:
        return [f"{name}: `pattern` is not a regular expression: {error}."]
    return []


def _range_problems(name: str, spec: Input) -> list[str]:
    limits = {"min": spec.min, "max": spec.max}
    given = {key: value for key, value in limits.items() if value is not None}
    if not given:
        return []
    if spec.type not in ("int", "float", "date", "datetime", "duration"):
        return [f"{name}: `min` and `max` belong to numbers, dates and durations."]
    try:
        known = {key: _comparable(name, spec, value) for key, value in given.items()}
    except UsageError as error:
        return [error.message]
    if len(known) == 2 and known["min"] > known["max"]:
        return [f"{name}: `min` is over `max`."]
    return []


def _comparable(name: str, spec: Input, value: Any) -> Any:
    if spec.type in ("int", "float"):
        if isinstance(value, str):
            raise UsageError(f"{name}: `min` and `max` must be numbers.")
        return value
    if spec.type == "duration":
        return _seconds(name, value)
    return _parsed(name, spec, value)


def _is_finite(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number over what a float can say
        return False


def _typed(value: Any) -> str:
    """A value as a person types it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _choices(name: str, spec: Input) -> str:
    return f"{name}: one of {', '.join(_typed(value)[:60] for value in spec.values[:20])}."


def _within(name: str, spec: Input, value: Any) -> Any:
    if spec.min is not None and _comparable(name, spec, value) < _comparable(name, spec, spec.min):
        raise UsageError(f"{name}: must be at least {spec.min}.")
    if spec.max is not None and _comparable(name, spec, value) > _comparable(name, spec, spec.max):
        raise UsageError(f"{name}: must be at most {spec.max}.")
    return value


def _text(name: str, spec: Input, value: Any) -> str:
    if not isinstance(value, str):
        shown = json.dumps(value, ensure_ascii=False, default=str)[:60]
        raise UsageError(f"{name}: {shown} is not text; quote it.")
    if spec.max_length is not None and len(value) > spec.max_length:
        raise UsageError(f"{name}: {len(value)} characters; the most is {spec.max_length}.")
    if spec.pattern is not None:
        if len(value) > MAX_MATCHED:
            raise UsageError(
                f"{name}: {len(value)} characters; with a pattern the most is {MAX_MATCHED}."
            )
        try:
            matches = is_match(spec.pattern, value)
        except ValueError as error:
            raise UsageError(f"{name}: its pattern: {error}.") from None
        if not matches:
            raise UsageError(f"{name}: does not match the pattern {spec.pattern}.")
    return value


def _moment(name: str, spec: Input, value: Any) -> str:
    _parsed(name, spec, value)
    _within(name, spec, value)
    return str(value)


def _parsed(name: str, spec: Input, value: Any) -> datetime.date:
    if spec.type == "date":
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise UsageError(f"{name}: write a date as 2026-01-31.")
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise UsageError(f"{name}: no such date.") from None
    try:
        found = datetime.datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise UsageError(
            f"{name}: write a time as 2026-01-31T12:30:00, with +02:00 or Z if need be."
        ) from None
    try:
        # Without a zone it is this machine's: such times can then be compared with any other.
        return found if found.tzinfo else found.astimezone()
    except (ValueError, OverflowError):
        raise UsageError(f"{name}: no such time.") from None


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{name}: write a duration such as 30s, 5m or 1h30m.")
    try:
        return parse_duration(value) if isinstance(value, str) else check_seconds(float(value))
    except UsageError as error:
        raise UsageError(f"{name}: {error.message}") from None


def _check_plain(name: str, value: Any) -> None:
    if is_too_deep(value):
        raise UsageError(f"{name}: {TOO_DEEP}; the most is {DEEPEST} levels.")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise UsageError(f"{name}: is not JSON-serializable.") from None


def _from_file(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name}: {path} cannot be read ({error.strerror}).") from error
    except ValueError:
        raise UsageError(f"{name}: the file name contains a NUL byte.") from None
    if len(raw) > MAX_SECRET_BYTES:
        raise UsageError(f"{name}: {path} is larger than {MAX_SECRET_BYTES} bytes.")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{name}: {path} is not UTF-8.") from None
    return text.removesuffix("\n").removesuffix("\r")
