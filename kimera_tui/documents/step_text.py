"""A step's options as one line of text, and back."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from kimera_tui.documents.document import Condition, Retry
from kimera_tui.documents.schema_errors import sentence_of_field
from kimera_tui.errors import UsageError
from kimera_tui.jsontext import to_json
from kimera_tui.values.durations import duration_text
from kimera_tui.values.json_input import parse_json
from kimera_tui.values.spec import DURATION, Spec

_SIGNS = {"==": "eq", "=": "eq", "!=": "ne", ">=": "ge", "<=": "le", ">": "gt", "<": "lt"}
_WRITTEN = {"eq": "==", "ne": "!=", "ge": ">=", "le": "<=", "gt": ">", "lt": "<"}
_COMPARISON = re.compile(r"(?P<ref>[^\s=!<>]+)\s*(?P<sign>==|=|!=|>=|<=|>|<)\s*(?P<value>.+)")
_MEMBER = re.compile(r"(?P<ref>\S+)\s+in\s+(?P<value>\[.*\])", re.DOTALL)
_THERE = re.compile(r"(?P<ref>\S+)\s+(?P<word>exists|missing)")
_TIMES = Spec(type="int", min=0, max=100)
_HINT = 'write `steps.load.result.rows > 0`, `inputs.region in ["eu"]`, `steps.load.result exists`'


def parse_when(text: str) -> Condition | None:
    """The condition that a line such as ``steps.load.result.rows > 0``, or a JSON object, means.

    Raises:
        UsageError: it is neither; the sentence gives examples.
    """
    stripped = text.strip()
    if not stripped:
        return None
    if stripped.startswith("{"):
        return _condition(parse_json(stripped, "when"))
    if match := _MEMBER.fullmatch(stripped):
        return _condition({"ref": match["ref"], "in": parse_json(match["value"], "when")})
    if match := _THERE.fullmatch(stripped):
        return _condition({"ref": match["ref"], "exists": match["word"] == "exists"})
    if match := _COMPARISON.fullmatch(stripped):
        return _condition({"ref": match["ref"], _SIGNS[match["sign"]]: _value(match["value"])})
    raise UsageError(f"when: {_HINT}.")


def _value(text: str) -> Any:
    """A JSON value, or a bare word as text."""
    bare = text.strip()
    if re.fullmatch(r"[A-Za-z_][\w.:-]*", bare) and bare not in ("true", "false", "null"):
        return bare
    return parse_json(bare, "when")


def _condition(data: Any) -> Condition:
    try:
        return Condition.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"when: {sentence_of_field(error)[1]}") from None


def when_text(condition: Condition | None) -> str:
    """A condition as ``parse_when`` reads it."""
    if condition is None:
        return ""
    fields = condition.model_fields_set
    if condition.ref is not None and len(fields) == 2 and not re.search(r"[\s=!<>]", condition.ref):
        if "exists" in fields:
            return f"{condition.ref} {'exists' if condition.exists else 'missing'}"
        if "in_" in fields:
            return f"{condition.ref} in {_json(condition.in_)}"
        operator = next(iter(fields - {"ref"}))
        if operator in _WRITTEN:
            return f"{condition.ref} {_WRITTEN[operator]} {_json(getattr(condition, operator))}"
    return _json(condition.model_dump(by_alias=True, exclude_unset=True))


def parse_retry(times: str, delay: str, names: str, old: Retry | None) -> Retry | None:
    """A step's retry; None where no number of attempts is given.

    Args:
        times: Attempts after the first.
        delay: Time before the second attempt; empty for the default.
        names: Names of exceptions, separated by commas or spaces.
        old: The retry so far, whose other settings are kept.

    Raises:
        UsageError: one of them can't be read; the sentence begins with the field's name.
    """
    if not times.strip():
        if delay.strip() or names.strip():
            raise UsageError("retry times: is required for a retry, such as 3.")
        return None
    data = old.model_dump(exclude_unset=True) if old is not None else {}
    data["max"] = _TIMES.read("retry times", times)
    data.pop("on", None)
    data.pop("delay", None)
    if delay.strip():
        data["delay"] = DURATION.read("retry delay", delay)
    if names.strip():
        data["on"] = re.split(r"[\s,]+", names.strip(" ,"))
    try:
        return Retry.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"retry on: {sentence_of_field(error)[1]}") from None


def seconds_text(seconds: float | None) -> str:
    """A duration as text; empty for none."""
    return "" if seconds is None else duration_text(seconds)


def retry_words(retry: Retry) -> str:
    """A retry in a few words."""
    on = f" on {', '.join(retry.on)}" if retry.on else ""
    return f"{retry.max} more after {duration_text(retry.delay)}{on}"


def _json(value: Any) -> str:
    return to_json(value, ascii_only=False)
