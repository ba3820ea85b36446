"""Where two values differ, place by place and line by line; secrets count by their names only."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from enum import Enum
from itertools import chain, takewhile, zip_longest
from typing import Any, Literal

from kimera_tui.redaction import MASK, is_secret_name, redact, redact_text
from kimera_tui.safetext import trimmed

MAX_LEAVES = 10_000
"""Values within a value that are compared in detail; then only the first difference is given."""
MAX_CHANGES = 200
"""Changes of one value that are listed."""
SHORT = 60
"""Characters of a text that is always shown in full."""
MAX_LINES = 100
"""Lines of either text that are compared, from the first to the last that differs."""
LONGEST_LINE = 400
"""Characters of a line that are shown."""
_LONGEST_NAME = 80
_LONGEST_TEXT = 1 << 20
_CONTEXT = 1
"""Lines shown before and after those that differ."""
_LEAD = 20
"""Characters shown before the first that differs."""

Kind = Literal["added", "removed", "changed", "differs"]
"""``differs`` gives no detail: something differs here, and perhaps at later places."""


class _Absent(Enum):
    ABSENT = "no value"


_ABSENT = _Absent.ABSENT
_Pair = tuple[str, Any, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One place at which two values differ, without secrets and shortened."""

    path: str
    """Such as ``result.rows[3].amount``."""
    kind: Kind
    old: Any = None
    """The old value, shortened; None if there was none."""
    new: Any = None
    delta: int | float | Decimal | None = None
    """How much a number grew."""
    lines: tuple[str, ...] = ()
    """The lines that differ, if a text has several."""


def changes(
    old: Any, new: Any, place: str, secret: Collection[str] = frozenset()
) -> tuple[Change, ...]:
    """Where a value differs from another: mappings by key, lists by index, texts by line.

    Args:
        old: Any value that the journal returns.
        new: The same.
        place: The name of the value, which begins each path.
        secret: Keys that are secret besides those whose name suggests it.
    """
    found: list[Change] = []
    for compared, (path, before, after) in enumerate(_leaves((place, old, new), secret)):
        if _same(before, after):
            continue
        if compared >= MAX_LEAVES or len(found) == MAX_CHANGES:
            found.append(Change(path, "differs"))
            break
        found.append(_change(path, before, after, secret))
    return tuple(found)


def _leaves(pair: _Pair, secret: Collection[str]) -> Iterator[_Pair]:
    """The pairs of values at the same place that can't be compared member by member."""
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
        if old == new or (old != old and new != new):  # NaN on both sides
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


def line_changes(old: str, new: str) -> tuple[str, ...]:
    """The removed (``-``) and added (``+``) lines with context, in the format of diff.

    Empty if more lines may differ than are compared.
    """
    old_lines, new_lines = old.split("\n"), new.split("\n")
    head = max(0, _common_prefix(old_lines, new_lines) - _CONTEXT)
    old_lines, new_lines = old_lines[head:], new_lines[head:]
    tail = max(0, _common_prefix(old_lines[::-1], new_lines[::-1]) - _CONTEXT)
    old_lines, new_lines = old_lines[: len(old_lines) - tail], new_lines[: len(new_lines) - tail]
    if max(len(old_lines), len(new_lines)) > MAX_LINES:
        return ()
    lines = []
    matcher = SequenceMatcher(None, old_lines, new_lines, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        lines.append(f"@@ line {head + group[0][1] + 1} @@")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [f" {line}" for line in old_lines[i1:i2]]
            else:
                lines += [f"-{line}" for line in old_lines[i1:i2]]
                lines += [f"+{line}" for line in new_lines[j1:j2]]
    return tuple(line[:LONGEST_LINE] for line in lines)


def from_difference(old: str, new: str) -> tuple[str, str]:
    """Both texts from shortly before the first character that differs."""
    start = _common_prefix(old, new) - _LEAD
    return (old, new) if start <= _LEAD else (f"…{old[start:]}", f"…{new[start:]}")


def _common_prefix(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines, or characters, are the same at the beginning of both."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _delta(old: Any, new: Any) -> int | float | Decimal | None:
    """How much a number grew; None if it is not a number, or the difference is not finite."""
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
    """A value as it is shown: redacted before it is shortened, which could cut a secret in two."""
    return trimmed(redact(trimmed(value, characters=_LONGEST_TEXT), secret))
