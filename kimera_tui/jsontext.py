"""JSON output for other programs: always valid, whatever a task returned."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from kimera_tui.depth import DEEPEST, TOO_DEEP, is_too_deep

_PLAIN = (str, int, float, bool, type(None))


def to_json(
    value: Any,
    *,
    indent: int | None = None,
    ascii_only: bool = True,
    other: Callable[[Any], Any] = str,
) -> str:
    """Format a value as valid JSON.

    NaN and the infinities, which JSON lacks, become the texts ``NaN``, ``Infinity`` and
    ``-Infinity``. Keys become texts. A value nested too deep is cut at 200 levels.

    Args:
        value: Anything.
        indent: Spaces per level; None for a single line.
        ascii_only: Whether to escape all other characters.
        other: Converts an object that JSON does not know to a simpler one.
    """

    def written(what: Any) -> str:
        return json.dumps(
            what, indent=indent, ensure_ascii=ascii_only, allow_nan=False, default=other
        )

    try:
        return written(_valid(value, other, DEEPEST) if is_too_deep(value) else value)
    except Exception:  # noqa: BLE001 - converting an object may raise anything
        return written(_valid(value, other, DEEPEST))


def _valid(value: Any, other: Callable[[Any], Any], depth: int) -> Any:
    """The value, reduced to what JSON supports."""
    if isinstance(value, float) and not math.isfinite(value):
        return _name(value)
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, _PLAIN):
        return value
    if depth == 0:
        return TOO_DEEP
    if isinstance(value, Mapping):
        return {_key(key): _valid(child, other, depth - 1) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_valid(child, other, depth - 1) for child in value]
    try:
        return _valid(other(value), other, depth - 1)
    except Exception as error:  # noqa: BLE001 - see above
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _name(number: float) -> str:
    """The text for a number that JSON cannot represent."""
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _whole(number: int) -> int | str:
    """The integer, or its hexadecimal text if it has more digits than Python converts."""
    try:
        str(number)
    except ValueError:
        return hex(number)
    return number


def _key(key: Any) -> Any:
    if isinstance(key, float) and not math.isfinite(key):
        return _name(key)
    return key if isinstance(key, _PLAIN) else str(key)
