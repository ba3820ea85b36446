"""Limits how deep values may be nested, counted so that every Python gives the same answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

DEEPEST = 200
"""Levels of nested lists and mappings; deeper values are neither sent nor stored."""
TOO_DEEP = "nested too deep"

_HOLDS = (Mapping, list, tuple, Set)
_PLAIN = frozenset({str, int, float, bool, type(None), bytes})


def is_too_deep(value: Any, deepest: int = DEEPEST) -> bool:
    """Whether lists, tuples, sets and mappings are nested deeper than ``deepest`` levels."""
    level = [value] if _holds(value) else []
    depth = 0
    while level:
        depth += 1
        if depth > deepest:
            return True
        # By identity: a value in several places is checked once per level.
        level = list({id(each): each for held in level for each in _held(held)}.values())
    return False


def may_be_too_deep(text: str, deepest: int = DEEPEST) -> bool:
    """Whether a JSON text has enough brackets to be too deep; a quick check."""
    return text.count("[") + text.count("{") > deepest


def every(value: Any) -> Iterator[Any]:
    """Yield the value and everything in it, in order and at any depth, without keys."""
    above = {0: iter((value,))}
    """The containers being visited, by identity: a value may contain itself."""
    while above:
        last = next(reversed(above))
        following = next(above[last], above)
        if following is above:
            del above[last]
            continue
        yield following
        if _holds(following) and id(following) not in above:
            above[id(following)] = iter(_members(following))


def _members(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, Mapping) else value


def _holds(value: Any) -> bool:
    return type(value) not in _PLAIN and isinstance(value, _HOLDS)


def _held(value: Any) -> Iterator[Any]:
    return (each for each in _members(value) if _holds(each))
