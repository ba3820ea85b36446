"""Secrets that are known by their values, found wherever a text repeats them."""

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
"""Characters, of a number digits; what is shorter would be found by chance in any text."""
MOST = 10_000
"""Texts that are looked for, each way to write one counted."""
MOST_CHARACTERS = 1 << 24
_FEW = 64
"""So many are just looked for one by one."""
_LONG_TEXT = 4096
"""Characters from which on it is quicker to look for each than to look at each place."""
_SHORTEST_LINE = 8
"""Characters of a line that is looked for by itself."""
_MOST_BITS = 10_000
"""Python writes no whole number that is much longer."""
_LONE_DIGITS = 6
"""Digits up to which a text of nothing else is looked for only where no other digit follows."""
_LONGEST_GROUPED = 40
"""Digits of a whole number that people write in groups of three."""
_WORDS = frozenset({"true", "false", "null", "none"})
_NUMBER = re.compile(r"\d+")
_IN_NUMBERS = "0123456789.,e+-"
_Sought = tuple[str, re.Pattern[str] | None]
"""What a text must hold, and what then finds the places; its first group is to be hidden."""


class KnownSecrets:
    """Finds the secrets that it was told. May be used by several threads.

    Args:
        also: Who else is told them.
        most: How many texts are remembered.
        forgets: Whether the oldest makes room for a new one; else the new one isn't taken.
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
        """By their first characters; None while it is not up to date."""
        self._size = 0
        """Characters of all."""
        self._numeric = False
        """Whether one of them could be in a number."""

    def __bool__(self) -> bool:
        return bool(self._sought)

    def add(self, value: Any) -> bool:
        """Remember a text or a number.

        Returns:
            Whether it is looked for from now on: what is too short or too common is not.
        """
        if isinstance(value, str) and value in self._sought:
            return True
        if self._is_full and not self._forgets:
            return False
        taken = [self._remember(key, sought) for key, sought in _forms(value).items()]
        return bool(taken) and all(taken)

    def add_short(self, name: str, value: Any) -> None:
        """Remember what is too short to be looked for; it is found beside its name only."""
        said = written(value)
        if not said or not name:
            return
        sign = r"\\?[\"']?\s{0,4}[=:]\s{0,4}\\?[\"']?"
        pattern = rf"(?<![^\W_]){re.escape(name)}{sign}({re.escape(said)})(?!\w)"
        flags = re.IGNORECASE if isinstance(value, bool) else re.NOFLAG
        self._remember(f"{name}={said}", (name, re.compile(pattern, flags)))

    def are_in_number(self, number: float) -> bool:
        """Whether a number is one of the secrets, or holds one."""
        return self._numeric and next(self.spans(written(number)), None) is not None

    def spans(self, text: str) -> Iterator[Span]:
        """Where the secrets begin and end in a text, in no order; they may overlap."""
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
        """Those that may be in a text."""
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
"""The latest secrets of all runs of this process: for the log and for crash reports."""


def can_be_sought(value: Any) -> bool:
    """Whether a text or number is long and rare enough to be looked for."""
    return bool(_forms(value))


def written(value: Any) -> str:
    """A text or number as a text repeats it."""
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return ""
    return str(value)


def _forms(value: Any) -> dict[str, _Sought]:
    """How a value is repeated, by a key for each way; empty for one that can't be looked for."""
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


def _number_forms(said: str, value: float) -> dict[str, _Sought]:
    said = said.removeprefix("-")
    if sum(map(len, _NUMBER.findall(said.partition("e")[0].lstrip("0.")))) < SHORTEST:
        return {}
    forms: dict[str, _Sought] = {said: (said, _alone(said))}
    if said.isdigit() and isinstance(value, int) and len(said) < _LONGEST_GROUPED:
        grouped = f"{abs(value):,}"
        forms[grouped] = (grouped, _alone(grouped))
    return forms


def _alone(number: str) -> re.Pattern[str]:
    """A number where it is not a part of a longer one; zeros before it change nothing."""
    return re.compile(rf"(?<!\d)0*+({re.escape(number)})(?!\d)")


def _spelt(text: str) -> set[str]:
    """A text as JSON, Python and URLs write it."""
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
