"""Template filters: small functions of plain values, bounded in time and size.

They run on the loop that the screen shares, on untrusted values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, ROUND_DOWN, Context, Decimal
from typing import Any

from kimera_tui.depth import DEEPEST
from kimera_tui.values.placeholders import NotKept

MAX_TEXT = 256 * 1024
"""Maximum characters of a filter's text, and of all texts in a value converted to JSON."""
MAX_VALUES = 5_000
"""Maximum number of nested values to convert to JSON, and of list items to join."""
MAX_DIGITS = 300
"""Maximum digits before a number's point, and characters of a text parsed as a number."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_ROUND = Context(prec=MAX_DIGITS + 10, rounding=ROUND_DOWN, Emax=MAX_EMAX, Emin=MIN_EMIN)


class Oversized(ValueError):
    """The value is too large for a filter, or for a text."""


class TooDeep(ValueError):
    """The value is nested deeper than ``DEEPEST`` levels."""


class Incomplete(ValueError):
    """Part of the value was not saved; ``why`` says which.

    Inside a text, a placeholder could no longer be told from a real value.
    """

    def __init__(self, missing: NotKept) -> None:
        super().__init__(missing.why)
        self.why = missing.why


def to_json(value: Any) -> str:
    """Convert a value to JSON.

    Raises:
        Incomplete: part of it was not saved.
        Oversized: it has more than ``MAX_VALUES`` values or ``MAX_TEXT`` characters.
        TooDeep: it is nested too deeply.
        TypeError, ValueError: it is not JSON-serializable.
    """
    _check_size(value)
    return _encode(value)


def _check_size(value: Any) -> None:
    level, values, characters = [value], 1, 0
    for _ in range(DEEPEST):
        below: list[Any] = []
        for each in level:
            if isinstance(each, NotKept):
                raise Incomplete(each)
            if isinstance(each, str):
                characters += len(each)
            elif isinstance(each, Mapping | list | tuple):
                values += len(each)
                if values > MAX_VALUES:  # before visiting them, as there may be millions
                    raise Oversized
                below.extend(each.values() if isinstance(each, Mapping) else each)
                if isinstance(each, Mapping):
                    characters += sum(len(key) for key in each if isinstance(key, str))
        if characters > MAX_TEXT:
            raise Oversized
        if not below:
            return
        level = below
    raise TooDeep


def _int(value: Any) -> int:
    return int(_number(value))


def _float(value: Any) -> float:
    number = float(_number(value))
    if not math.isfinite(number):
        raise ValueError
    return number


def _number(value: Any) -> Any:
    """A value that converts to a number quickly, whatever its digits and exponent."""
    if isinstance(value, Decimal):
        if not value.is_finite() or value.adjusted() > MAX_DIGITS:
            raise ValueError
        return _ROUND.create_decimal(value)
    if not isinstance(value, str | int | float):
        raise TypeError
    if isinstance(value, str) and len(value) > MAX_DIGITS:
        raise ValueError
    return value


def _first(value: Any) -> Any:
    if not isinstance(value, str | list | tuple):
        raise TypeError
    return value[0]


def _last(value: Any) -> Any:
    if not isinstance(value, str | list | tuple):
        raise TypeError
    return value[-1]


def _length(value: Any) -> int:
    if not isinstance(value, str | list | tuple | Mapping):
        raise TypeError
    return len(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    if len(value) > MAX_TEXT:
        raise Oversized
    return value


def _join(value: Any, separator: Any) -> str:
    if not isinstance(value, list | tuple):
        raise TypeError
    between = ", " if separator is None else str(separator)
    if len(between) * len(value) > MAX_TEXT:
        raise Oversized
    _check_size(value)
    return between.join(map(_word, value))


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)  # the same as the encoder, three times faster
    return _encode(value)


FILTERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "default": lambda value, argument: argument if value is None else value,
    "json": lambda value, _: to_json(value),
    "str": lambda value, _: value if isinstance(value, str) else to_json(value),
    "int": lambda value, _: _int(value),
    "float": lambda value, _: _float(value),
    "lower": lambda value, _: _text(value).lower(),
    "upper": lambda value, _: _text(value).upper(),
    "trim": lambda value, _: _text(value).strip(),
    "length": lambda value, _: _length(value),
    "first": lambda value, _: _first(value),
    "last": lambda value, _: _last(value),
    "join": _join,
}
"""The filters, called with a value and an argument; they raise Python's errors for a misfit."""
