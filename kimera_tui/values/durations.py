"""Durations as people write them: 200ms, 30s, 5m, 1h30m; numbers are seconds."""

from __future__ import annotations

import re
from decimal import Decimal

from kimera_tui.errors import UsageError

MAX_SECONDS = 720 * 3600
NO_DURATION = "must be a duration such as 200ms, 30s, 5m or 1h30m."
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile(
    r"(?:([0-9]{1,6}(?:\.[0-9]{1,6})?)d)?(?:([0-9]{1,6}(?:\.[0-9]{1,6})?)h)?"
    r"(?:([0-9]{1,6}(?:\.[0-9]{1,6})?)m(?!s))?(?:([0-9]{1,9}(?:\.[0-9]{1,400})?)(?:s|$))?"
    r"(?:([0-9]{1,9}(?:\.[0-9]{1,3})?)ms)?"
)


def seconds_of(value: object) -> float:
    """Seconds of a duration: a number, or a text such as 30, 30s, 200ms, 5m, 1h30m or 2d.

    Raises:
        UsageError: it is neither, not greater than 0, or more than 720 hours; the sentence begins
            in lower case and doesn't repeat the value.
    """
    if isinstance(value, str):
        return _check(_parsed(value.strip()))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(NO_DURATION)
    return float(_check(value))


def _parsed(text: str) -> float:
    match = _DURATION.fullmatch(text.removeprefix("-"))
    if match is None or not any(match.groups()):
        raise UsageError(NO_DURATION)
    parts = zip(match.groups(), _UNITS.values(), strict=True)
    seconds = sum(float(part) * unit for part, unit in parts if part)
    return -seconds if text.startswith("-") else seconds


def _check(seconds: float) -> float:
    if not seconds > 0:
        raise UsageError("must be greater than 0.")
    if seconds > MAX_SECONDS:
        raise UsageError("must be at most 720h.")
    return seconds


def duration_text(seconds: float) -> str:
    """A duration as people write it, which ``seconds_of`` reads as the same time."""
    if seconds != int(seconds):
        return f"{Decimal(repr(seconds)):f}s"
    left, text = int(seconds), ""
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
