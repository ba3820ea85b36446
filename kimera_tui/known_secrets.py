"""Finds known secrets wherever a text repeats their values."""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any
from urllib.parse import quote, quote_plus

Span = tuple[int, int]

SHORTEST = 4
"""Characters, or digits of a number; shorter secrets would match by chance."""
MOST = 10_000
"""Texts to search for, counting each spelling."""
MOST_CHARACTERS = 1 << 24
_FEW = 64
"""Up to this many are searched one by one."""
_LONG_TEXT = 4096
"""From this length on, searching for each secret is faster than checking each position."""
_SHORTEST_LINE = 8
"""Minimum length of a line that is searched on its own."""
_MOST_BITS = 10_000
"""Python does not convert much longer integers to text."""
_LONE_DIGITS = 6
"""A text of fewer digits than this matches only if no other digit is adjacent."""
_LONGEST_GROUPED = 40
"""Integers with fewer digits than this are also searched in groups of three."""
_WORDS = frozenset({"true", "false", "null", "none"})
_NUMBER = re.compile(r"\d+")
_IN_NUMBERS = "0123456789.,e+-"
_Sought = tuple[str, re.Pattern[str] | None]
"""What a text must contain, and the pattern that then finds it; its first group is masked."""


class KnownSecrets:
    """A set of secrets that finds them in texts; thread-safe.

    Args:
        also: Another set that gets every secret, too.
        most: Maximum number of texts.
        forgets: Whether a full set drops its oldest text for a new one, rather than reject it.
    """

    def __init__(
        self, also: KnownSecrets | None = None, most: int = MOST, *, forgets: bool = False
    ) -> None:
        self._also = also
        self._most = most
        self._forgets = forgets
        self._lock = threading.Lock()
        self._sought: dict[str, _Sought] = {}
        self._index: Mapping[str, Sequence[_Sought]] | None = None
        """By first characters; None while outdated."""
        self._size = 0
        """Total number of characters."""
        self._numeric = False
        """Whether a number could contain one of them."""

    def __bool__(self) -> bool:
        return bool(self._sought)

    def add(self, value: Any) -> bool:
        """Add a text or a number.

        Returns:
            Whether it is searched from now on: too short or too common secrets are not.
        """
        if isinstance(value, str) and value in self._sought:
            return True
        if self._is_full and not self._forgets:
            return False
        taken = [self._remember(key, sought) for key, sought in _forms(value).items()]
        return bool(taken) and all(taken)

    def add_short(self, name: str, value: Any) -> None:
        """Add a secret too short to search for; it is found next to its name only."""
        text = written(value)
        if not text or not name:
            return
        sign = r"\\?[\"']?\s{0,4}[=:]\s{0,4}\\?[\"']?"
        pattern = rf"(?<![^\W_]){re.escape(name)}{sign}({re.escape(text)})(?!\w)"
        flags = re.IGNORECASE if isinstance(value, bool) else re.NOFLAG
        self._remember(f"{name}={text}", (name, re.compile(pattern, flags)))

    def are_in_number(self, number: float) -> bool:
        """Whether a number is or contains one of the secrets."""
        return self._numeric and next(self.spans(written(number)), None) is not None

    def spans(self, text: str) -> Iterator[Span]:
        """Yield the spans of secrets in a text, in no order; they may overlap."""
        for sought, pattern in self._candidates(text):
            if sought in text:
                if pattern is None:
                    yield from _occurrences(sought, text)
                else:
                    yield from (found.span(1) for found in pattern.finditer(text))

    @property
    def _is_full(self) -> bool:
        return len(self._sought) >= self._most or self._size >= MOST_CHARACTERS

    def _remember(self, key: str, sought: _Sought) -> bool:
        if self._also is not None:
            self._also._remember(key, sought)
        with self._lock:
            if key in self._sought:
                return True
            if self._is_full and not self._forgets:
                return False
            while self._sought and self._is_full:
                self._size -= len(self._sought.pop(next(iter(self._sought)))[0])
            self._sought[key] = sought
            self._size += len(sought[0])
            self._index = None
            self._numeric |= not sought[0].strip(_IN_NUMBERS)
            return True

    def _candidates(self, text: str) -> Iterable[_Sought]:
        """The secrets that may be in a text."""
        index = self._index or self._indexed()
        if len(self._sought) <= _FEW or len(text) > _LONG_TEXT:
            return chain.from_iterable(index.values())
        starts = {text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1)}
        return chain(index.get("", ()), *(index[start] for start in starts & index.keys()))

    def _indexed(self) -> Mapping[str, Sequence[_Sought]]:
        with self._lock:
            index: defaultdict[str, list[_Sought]] = defaultdict(list)
            for sought in self._sought.values():
                start = sought[0][:SHORTEST]
                index[start if len(start) == SHORTEST else ""].append(sought)
            self._index = dict(index)
            return self._index


EVERY_RUN = KnownSecrets(most=2 * MOST, forgets=True)
"""The latest secrets of all runs of this process, for the log and crash reports."""


def can_be_sought(value: Any) -> bool:
    """Whether a text or number is long and rare enough to search for."""
    return bool(_forms(value))


def written(value: Any) -> str:
    """A text or number as it appears in a text."""
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return ""
    return str(value)


def _forms(value: Any) -> dict[str, _Sought]:
    """The spellings of a value by key; empty if it cannot be searched for."""
    if isinstance(value, bool) or value is None:
        return {}
    if isinstance(value, int | float):
        return _number_forms(written(value), value)
    text = str(value).strip()
    if len(text) < SHORTEST or text.lower() in _WORDS:
        return {}
    if text.isdigit() and len(text) < _LONE_DIGITS:
        return {text: (text, _alone(text))}
    lines = [line.strip() for line in text.splitlines()]
    parts = [text, *(line for line in lines if len(line) >= _SHORTEST_LINE)]
    return {form: (form, None) for part in parts for form in _spelt(part)}


def _number_forms(text: str, value: float) -> dict[str, _Sought]:
    text = text.removeprefix("-")
    if sum(map(len, _NUMBER.findall(text.partition("e")[0].lstrip("0.")))) < SHORTEST:
        return {}
    forms: dict[str, _Sought] = {text: (text, _alone(text))}
    if text.isdigit() and isinstance(value, int) and len(text) < _LONGEST_GROUPED:
        grouped = f"{abs(value):,}"
        forms[grouped] = (grouped, _alone(grouped))
    return forms


def _alone(number: str) -> re.Pattern[str]:
    """Matches a number that is not part of a longer one, with or without leading zeros."""
    return re.compile(rf"(?<!\d)0*+({re.escape(number)})(?!\d)")


def _spelt(text: str) -> set[str]:
    """A text as spelled in JSON, Python and URLs."""
    if text.isascii() and text.isalnum():
        return {text}
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        quote(text, safe="", errors="replace"),
        quote_plus(text, errors="replace"),
    }


def _occurrences(sought: str, text: str) -> Iterator[Span]:
    at = 0
    while (at := text.find(sought, at)) >= 0:
        yield at, at + len(sought)
        at += len(sought)
