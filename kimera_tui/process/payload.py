"""Explains in a sentence why a task's arguments cannot be sent, naming the value."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kimera_tui.depth import DEEPEST, TOO_DEEP, is_too_deep
from kimera_tui.errors import NotSerialisable

# Types that kombu's JSON encoder can write.
_WRITABLE = (
    str, int, float, bool, type(None), bytes, datetime.datetime, datetime.date, datetime.time,
    decimal.Decimal, uuid.UUID, enum.Enum,
)  # fmt: skip
_KEYS = (str, int, float, bool, type(None))


def not_serialisable(args: Sequence[Any], kwargs: Mapping[str, Any], why: str) -> NotSerialisable:
    """The error for arguments that the serializer refused, naming the value it cannot write.

    Args:
        args: The positional arguments.
        kwargs: The named arguments.
        why: The serializer's message, used when no single value can be named.
    """
    for place, value in _places(args, kwargs):
        if culprit := _culprit(value, place):
            return NotSerialisable(f"{culprit}; nothing was sent.")
    return NotSerialisable(f"The arguments cannot be sent: {why}; nothing was sent.")


def check_depth(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise NotSerialisable for values nested deeper than ``DEEPEST`` levels."""
    for place, value in _places(args, kwargs):
        if is_too_deep(value):
            raise NotSerialisable(f"{_culprit(value, place)}; nothing was sent.")


def _places(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((f"argument {position}", value) for position, value in enumerate(args, 1))
    yield from ((f"argument `{name}`", value) for name, value in kwargs.items())


class _TooDeep(Exception):
    """A value is nested too deep to search."""


def _culprit(value: Any, place: str) -> str:
    try:
        return _find(value, place, frozenset())
    except _TooDeep:
        return f"{place}: {TOO_DEEP}"


def _find(value: Any, place: str, above: frozenset[int]) -> str:
    if isinstance(value, _WRITABLE) or hasattr(value, "__json__"):
        return ""
    if id(value) in above:
        return f"{place}: contains itself"
    if len(above) >= DEEPEST:
        raise _TooDeep
    below = above | {id(value)}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, _KEYS):
                return f"{place}: a {type(key).__name__} cannot be the key of an object"
        found = (_find(child, f"{place}.{key}", below) for key, child in value.items())
    elif isinstance(value, list | tuple):
        found = (_find(child, f"{place}[{index}]", below) for index, child in enumerate(value))
    else:
        instead = "; use a list" if isinstance(value, set | frozenset) else ""
        return f"{place}: a {type(value).__name__} cannot be sent{instead}"
    return next(filter(None, found), "")
