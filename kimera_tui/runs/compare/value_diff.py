"""Where two values differ, place by place; secrets are compared by their names only."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from itertools import chain, zip_longest
from typing import Any, Literal

from kimera_tui.redaction import MASK, is_secret_name, redact, redact_text
from kimera_tui.runs.compare.text_diff import from_difference, line_changes
from kimera_tui.safetext import trimmed

MOST_NODES = 10_000
"""Values within a value that are told in detail; of the rest only the first that differs is."""
MOST_CHANGES = 200
"""Changes of one value that are told in detail."""
SHORT = 60
"""Characters of a text that is always told whole."""
_LONGEST_NAME = 80
_MOST_OF_A_TEXT = 1 << 20

Kind = Literal["added", "removed", "changed", "differs"]
"""``differs`` says no more than that: here, and perhaps further on."""


class _Absent(Enum):
    ABSENT = "nothing stands there"


_ABSENT = _Absent.ABSENT
_Pair = tuple[str, Any, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One place at which two values differ; nothing in it is secret or long."""

    path: str
    """Such as ``result.rows[3].amount``."""
    kind: Kind
    old: Any = None
    """What stood there, shortened; None where nothing did."""
    new: Any = None
    delta: int | float | Decimal | None = None
    """By how much a number grew."""
    lines: tuple[str, ...] = ()
    """The lines that differ of texts of several lines."""


def changes(
    old: Any, new: Any, place: str, secret: Collection[str] = frozenset()
) -> tuple[Change, ...]:
    """Where a value differs from another: mappings by key, lists by index, texts by lines.

    Args:
        old: Anything that the journal gives back.
        new: The same.
        place: What the values are called.
        secret: Names of keys that are secret besides those whose name says so.
    """
    found: list[Change] = []
    for looked, (path, before, after) in enumerate(_leaves((place, old, new), secret)):
        if _same(before, after):
            continue
        if looked >= MOST_NODES or len(found) == MOST_CHANGES:
            found.append(Change(path, "differs"))
            break
        found.append(_change(path, before, after, secret))
    return tuple(found)


def _leaves(pair: _Pair, secret: Collection[str]) -> Iterator[_Pair]:
    """What stands at the same place in both and isn't compared part by part."""
    stack: list[Iterator[_Pair]] = [iter((pair,))]
    while stack:
        following = next(stack[-1], None)
        if following is None:
            stack.pop()
        elif (members := _members(following, secret)) is None:
            yield following
        else:
            stack.append(members)


def _members(pair: _Pair, secret: Collection[str]) -> Iterator[_Pair] | None:
    path, old, new = pair
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _by_key(path, old, new, secret)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        both = enumerate(zip_longest(old, new, fillvalue=_ABSENT))
        return ((f"{path}[{at}]", before, after) for at, (before, after) in both)
    return None


def _by_key(
    path: str, old: Mapping[Any, Any], new: Mapping[Any, Any], secret: Collection[str]
) -> Iterator[_Pair]:
    for key in chain(old, (key for key in new if key not in old)):
        before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if isinstance(key, str) and (key in secret or is_secret_name(key)):
            before, after = _name_only(before), _name_only(after)
        yield _below(path, key), before, after


def _below(path: str, key: Any) -> str:
    if isinstance(key, str) and key.isidentifier() and len(key) <= _LONGEST_NAME:
        return f"{path}.{key}" if path else key
    return f"{path}[{redact_text(repr(key))[:_LONGEST_NAME]}]"


def _name_only(value: Any) -> Any:
    return value if value is _ABSENT else MASK


def _same(old: Any, new: Any) -> bool:
    if old is new:
        return True
    if old is _ABSENT or new is _ABSENT or isinstance(old, bool) != isinstance(new, bool):
        return False
    try:
        if old == new or (old != old and new != new):  # not a number, on both sides
            return True
    except Exception:  # noqa: BLE001 - an object may fail at anything
        return repr(old) == repr(new)
    return isinstance(old, str) and isinstance(new, str) and redact_text(old) == redact_text(new)


def _change(path: str, old: Any, new: Any, secret: Collection[str]) -> Change:
    if old is _ABSENT:
        return Change(path, "added", new=_shown(new, secret))
    if new is _ABSENT:
        return Change(path, "removed", old=_shown(old, secret))
    if isinstance(old, str) and isinstance(new, str):
        return _text_change(path, redact_text(old), redact_text(new))
    return Change(path, "changed", _shown(old, secret), _shown(new, secret), _delta(old, new))


def _text_change(path: str, old: str, new: str) -> Change:
    lines = line_changes(old, new) if "\n" in old or "\n" in new else ()
    if max(len(old), len(new)) > SHORT:
        old, new = from_difference(old, new)
    return Change(path, "changed", trimmed(old), trimmed(new), lines=lines)


def _delta(old: Any, new: Any) -> int | float | Decimal | None:
    """By how much a number grew; None for what is no number, or grew beyond all measure."""
    if isinstance(old, bool) or isinstance(new, bool):
        return None
    numbers = isinstance(old, int | float) and isinstance(new, int | float)
    if not numbers and not (isinstance(old, Decimal) and isinstance(new, Decimal)):
        return None
    try:
        delta: int | float | Decimal = new - old
        return delta if math.isfinite(delta) else None
    except (ArithmeticError, ValueError):
        return None


def _shown(value: Any, secret: Collection[str]) -> Any:
    """A glimpse of a value; a secret is looked for before its text is cut in two."""
    return trimmed(redact(trimmed(value, characters=_MOST_OF_A_TEXT), secret))
