"""Durations as people write them: 200ms, 30s, 5m, 1h30m; numbers are seconds."""

from __future__ import annotations

import re

from kimera_tui.errors import UsageError

MAX_SECONDS = 720 * 3600
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile(
    r"(?:(\d{1,6}(?:\.\d{1,6})?)d)?(?:(\d{1,6}(?:\.\d{1,6})?)h)?"
    r"(?:(\d{1,6}(?:\.\d{1,6})?)m(?!s))?(?:(\d{1,9}(?:\.\d{1,6})?)(?:s|$))?"
    r"(?:(\d{1,9}(?:\.\d{1,3})?)ms)?"
)


def parse_duration(text: str) -> float:
    """Seconds of a duration such as 30, 30s, 200ms, 5m, 1h30m or 2d.

    Raises:
        UsageError: it is none, not greater than 0, or more than 720 hours; the sentence begins in
            lower case.
    """
    stripped = text.strip()
    if stripped.startswith("-") and _DURATION.fullmatch(stripped[1:]):
        raise UsageError("must be greater than 0.")
    match = _DURATION.fullmatch(stripped)
    if not stripped or match is None:
        raise UsageError(f"`{text}` is not a duration; write 200ms, 30s, 5m or 1h30m.")
    parts = zip(match.groups(), _UNITS.values(), strict=True)
    return check_seconds(sum(float(part) * unit for part, unit in parts if part))


def check_seconds(seconds: float) -> float:
    """The seconds, if they are greater than 0 and at most 720 hours; else a UsageError."""
    if not seconds > 0:
        raise UsageError("must be greater than 0.")
    if seconds > MAX_SECONDS:
        raise UsageError("must be at most 720h.")
    return seconds


def duration_text(seconds: float) -> str:
    """A duration as people write it, which ``parse_duration`` reads as the same time."""
    if seconds != int(seconds):
        return f"{seconds:f}".rstrip("0") + "s"
    left, text = int(seconds), ""
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
