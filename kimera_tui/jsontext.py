"""JSON for other programs: always valid, whatever a task returned."""

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
    """The value as valid JSON.

    JSON has no number for NaN and the infinities: they become the texts ``NaN``, ``Infinity`` and
    ``-Infinity``. Keys become texts. Of a value that is nested too deep, 200 levels are kept.

    Args:
        value: Anything.
        indent: Spaces of each level; None for a single line.
        ascii_only: Whether every other character is escaped.
        other: Makes something simpler of an object that JSON doesn't know.
    """

    def written(what: Any) -> str:
        return json.dumps(
            what, indent=indent, ensure_ascii=ascii_only, allow_nan=False, default=other
        )

    try:
        return written(_valid(value, other, DEEPEST) if is_too_deep(value) else value)
    except Exception:  # noqa: BLE001 - an object may fail at anything when it is asked
        return written(_valid(value, other, DEEPEST))


def _valid(value: Any, other: Callable[[Any], Any], depth: int) -> Any:
    """The value in what JSON can say."""
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
    """What a number is called that JSON can't write."""
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _whole(number: int) -> int | str:
    """A number of more digits than Python writes goes by its hexadecimal ones."""
    try:
        str(number)
    except ValueError:
        return hex(number)
    return number


def _key(key: Any) -> Any:
    if isinstance(key, float) and not math.isfinite(key):
        return _name(key)
    return key if isinstance(key, _PLAIN) else str(key)
