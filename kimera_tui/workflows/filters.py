"""The filters of templates: small, total functions of plain values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

MAX_JOINED = 1024 * 1024
"""Characters between the values of a list that is joined."""


def to_json(value: Any) -> str:
    """JSON of a value; TypeError or ValueError for one that JSON can't say."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _int(value: Any) -> int:
    if isinstance(value, str) and len(value) > 300:
        raise ValueError
    return int(value)


def _float(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


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
    return value


def _join(value: Any, separator: Any) -> str:
    if not isinstance(value, list | tuple):
        raise TypeError
    between = ", " if separator is None else str(separator)
    if len(between) * len(value) > MAX_JOINED:
        raise ValueError
    return between.join(each if isinstance(each, str) else to_json(each) for each in value)


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
"""What each filter makes of a value and its argument; each raises what Python does for a misfit."""
