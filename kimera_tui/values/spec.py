"""What one value may be: read from typed text, checked, and shown as text again."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kimera_tui.depth import DEEPEST, TOO_DEEP, is_too_deep
from kimera_tui.errors import UsageError
from kimera_tui.jsontext import to_json
from kimera_tui.redaction import MASK, is_secret_name
from kimera_tui.values.durations import duration_text, seconds_of
from kimera_tui.values.json_input import parse_json
from kimera_tui.values.patterns import is_match

Type = Literal[
    "string", "int", "float", "bool", "date", "datetime", "duration", "enum", "json", "secret"
]
TYPES: tuple[Type, ...] = get_args(Type)
ORDERED = ("int", "float", "date", "datetime", "duration")
"""Types that have a least and a greatest value."""
MAX_MATCHED = 1_000
"""Characters of a text that is compared with a pattern."""
SHOWN = 60
"""Characters of a refused value that an error repeats."""
_INT = re.compile(r"[+-]?[0-9]{1,300}")
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLS = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}


class Spec(BaseModel):
    """One value that a call or a run takes: a friend's parameter, or a workflow's input."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, populate_by_name=True, allow_inf_nan=False
    )

    type: Type = "string"
    required: bool = False
    default: Any = None
    description: Annotated[str, StringConstraints(max_length=10_000)] = ""
    values: list[Any] = Field(default_factory=list)
    """The choices of an ``enum``."""
    min: int | float | str | None = None
    """The least number, date, datetime or duration."""
    max: int | float | str | None = None
    pattern: Annotated[str, StringConstraints(max_length=500)] | None = None
    """A regular expression that a string has to match as a whole."""
    max_length: Annotated[int, Field(gt=0)] | None = None
    """Characters of a string."""

    @property
    def is_secret(self) -> bool:
        """Whether nobody may see its value."""
        return self.type == "secret"

    def hides(self, name: str) -> bool:
        """Whether a value of that name is shown as a mask: declared secret, or so by its name."""
        return self.is_secret or is_secret_name(name)

    def read(self, name: str, text: str) -> Any:
        """The value that somebody typed.

        Args:
            name: What errors call it.
            text: What was typed.

        Raises:
            UsageError: the text is no such value; the sentence begins with the name.
        """
        return self.check(name, self._typed(name, text))

    def check(self, name: str, value: Any) -> Any:
        """The value as a task gets it: durations are seconds, dates stay as they are written.

        Raises:
            UsageError: it doesn't fit; the sentence begins with the name.
        """
        try:
            return self._fitting(name, value)
        except UsageError as error:
            raise UsageError(f"{name}: {error.message}") from None

    def text(self, value: Any) -> str:
        """A value as it is typed, which ``read`` takes for the same value; empty for None."""
        if value is None:
            return ""
        if self.type == "enum":
            return next(
                (text for text, each in self.choices() if is_same(each, value)), _plain(value)
            )
        if self.type == "duration" and _is_number(value):
            return duration_text(value)
        return to_json(value, ascii_only=False) if self.type == "json" else _plain(value)

    def choices(self) -> list[tuple[str, Any]]:
        """How each value of an enum is typed, and the value; ``"1"`` stands in quotes beside 1."""
        others = {_plain(each) for each in self.values if not isinstance(each, str)}
        return [
            (to_json(each, ascii_only=False) if each in others else each, each)
            if isinstance(each, str)
            else (_plain(each), each)
            for each in self.values
        ]

    def problems(self, name: str) -> Iterator[tuple[str, str]]:
        """What is wrong with the declaration itself: keys, each with what is wrong there.

        Args:
            name: The value's name; what its name says is secret is not repeated.
        """
        found = list(self._contradictions())
        if self.default is not None and not found:
            try:
                self._fitting(name, self.default)
            except UsageError as error:
                found.append(("default", error.message))
        yield from found

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.type == "enum" and not self.values:
            yield "values", "is required for an enum."
        for key in ("pattern", "max_length"):
            if getattr(self, key) is not None and self.type != "string":
                yield key, "is allowed for a string only."
        if self.pattern is not None:
            try:
                is_match(self.pattern, "")
            except ValueError as error:
                yield "pattern", f"is not a regular expression: {error}."
        yield from self._wrong_limits()

    def _wrong_limits(self) -> Iterator[tuple[str, str]]:
        limits = {"min": self.min, "max": self.max}
        ranks = {}
        for key, value in limits.items():
            if value is None:
                continue
            if self.type not in ORDERED:
                yield key, "is allowed for numbers, dates and durations only."
                continue
            try:
                ranks[key] = self._rank(value)
            except UsageError as error:
                yield key, error.message
        if len(ranks) == len(limits) and ranks["min"] > ranks["max"]:
            yield "min", "is greater than `max`."

    def _typed(self, name: str, text: str) -> Any:
        """What a text says by the type; the text itself where it says nothing of that type."""
        stripped = text.strip()
        match self.type:
            case "int" | "float" if _INT.fullmatch(stripped):
                return int(stripped)
            case "float" if _FLOAT.fullmatch(stripped):
                return float(stripped)
            case "bool":
                return _BOOLS.get(stripped.lower(), stripped)
            case "json":
                return parse_json(text, name)
            case "enum":
                known = dict(reversed(self.choices()))
                return known.get(text, known.get(stripped, stripped))
            case "string" | "secret":
                return text
        return stripped

    def _fitting(self, name: str, value: Any) -> Any:
        """The value, if it fits; else a UsageError without the name."""
        match self.type:
            case "int" if not _is_whole(value):
                raise self._refusal(name, value, "an integer")
            case "int":
                value = int(value)
            case "float" if not _is_number(value):
                raise self._refusal(name, value, "a number")
            case "float" if not _is_finite(value):
                raise UsageError("must be a finite number below 1.8e308.")
            case "bool" if not isinstance(value, bool):
                raise self._refusal(name, value, "true or false")
            case "string" | "secret" if not isinstance(value, str):
                raise self._refusal(name, value, "text; quote it")
            case "string":
                self._check_text(value)
            case "date":
                _date(value)
            case "datetime":
                _moment(value)
            case "duration":
                value = seconds_of(value)
            case "enum" if not any(is_same(value, each) for each in self.values):
                raise UsageError(
                    f"must be one of {', '.join(text[:SHOWN] for text, _ in self.choices()[:20])}."
                )
            case "json":
                _check_json(value)
        if self.type in ORDERED:
            self._check_limits(value)
        return value

    def _refusal(self, name: str, value: Any, wanted: str) -> UsageError:
        shown = MASK if self.hides(name) else to_json(value, ascii_only=False)[:SHOWN]
        return UsageError(f"{shown} is not {wanted}.")

    def _check_text(self, text: str) -> None:
        if self.max_length is not None and len(text) > self.max_length:
            raise UsageError(f"{len(text)} characters; at most {self.max_length} are allowed.")
        if self.pattern is None:
            return
        if len(text) > MAX_MATCHED:
            raise UsageError(
                f"{len(text)} characters; with a pattern at most {MAX_MATCHED} are allowed."
            )
        try:
            matches = is_match(self.pattern, text)
        except ValueError as error:
            raise UsageError(f"its pattern is not a regular expression: {error}.") from None
        if not matches:
            raise UsageError(f"does not match the pattern {self.pattern}.")

    def _check_limits(self, value: Any) -> None:
        if self.min is not None and self._rank(value) < self._rank(self.min):
            raise UsageError(f"must be at least {self.min}.")
        if self.max is not None and self._rank(value) > self._rank(self.max):
            raise UsageError(f"must be at most {self.max}.")

    def _rank(self, value: Any) -> Any:
        """What a value is compared by; UsageError where it has no place in the order."""
        if self.type == "duration":
            return seconds_of(value)
        if self.type == "date":
            return _date(value)
        if self.type == "datetime":
            return _moment(value)
        if not _is_number(value):
            raise UsageError("must be a number.")
        return value


DURATION = Spec(type="duration")
"""Any duration."""


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value, ascii_only=False)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _is_finite(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond any float
        return False


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON has it: 1 is 1.0, but true isn't 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _date(value: Any) -> datetime.date:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise UsageError("must be a date such as 2026-01-31.")
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise UsageError("there is no such date.") from None


def _moment(value: Any) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise UsageError(
            "must be a date and time such as 2026-01-31T12:30:00, with +02:00 or Z if needed."
        ) from None
    try:
        # Without a zone it is this machine's: such times can then be compared with any other.
        return found if found.tzinfo else found.astimezone()
    except (ValueError, OverflowError):
        raise UsageError("there is no such time.") from None


def _check_json(value: Any) -> None:
    if is_too_deep(value):
        raise UsageError(f"{TOO_DEEP}; at most {DEEPEST} levels are allowed.")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise UsageError("is not JSON-serializable.") from None
