"""Parse the look-up in a template, such as ``steps.load.result | first``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kimera_tui.documents.template_filters import FILTERS
from kimera_tui.errors import UsageError, near

ROOTS = ("inputs", "steps", "prev", "run", "env", "error")
OPEN, CLOSE = "${{", "}}"
_LONGEST_QUOTE = 60
"""Characters of a template that an error quotes."""
MAX_PARTS = 32
MAX_FILTERS = 8
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INDEX = re.compile(r"-?\d{1,9}")


class TemplateError(UsageError):
    """A template is malformed, or its look-up failed."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A path to look up, such as ``steps.load.result.rows[0]``."""

    root: str
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return self.root + "".join(map(_written, self.path))


@dataclass(frozen=True, slots=True)
class Filter:
    """One of ``FILTERS`` with its argument."""

    name: str
    argument: Any = None


@dataclass(frozen=True, slots=True)
class LookUp:
    """A reference and the filters for its value."""

    reference: Reference
    filters: tuple[Filter, ...] = ()


class Scanner:
    """Parses one look-up from left to right without backtracking.

    Args:
        text: The text that contains it.
        start: Where the template starts; None if the whole text is a look-up.
    """

    def __init__(self, text: str, start: int | None = None) -> None:
        self._text = text
        self._start = start
        self.at = 0 if start is None else start + len(OPEN)
        """The current position."""

    def look_up(self) -> LookUp:
        """Parse a look-up with its filters and its end; raises TemplateError."""
        reference = self.reference()
        filters: list[Filter] = []
        while self._took("|"):
            filters.append(self._filter())
            if len(filters) > MAX_FILTERS:
                raise self._wrong(f"more than {MAX_FILTERS} filters")
        if not self._took(CLOSE):
            raise self._wrong("`}}` is missing")
        return LookUp(reference, tuple(filters))

    def reference(self) -> Reference:
        """Parse a reference; raises TemplateError."""
        root = self._name("what to look up")
        if root not in ROOTS:
            raise self._wrong(f"`{root}` can't be looked up; choose from {', '.join(ROOTS)}")
        path: list[str | int] = []
        while True:
            if self._took(".", spaces=False):
                if (number := _INDEX.match(self._text, self.at)) is not None:
                    raise self._wrong(f"write `.{number[0]}` as `[{number[0]}]`")
                path.append(self._name("a name after `.`"))
            elif self._took("[", spaces=False):
                key = self._literal()
                if isinstance(key, bool) or not isinstance(key, str | int):
                    raise self._wrong("put a quoted text or an integer between [ and ]")
                path.append(key)
                if not self._took("]"):
                    raise self._wrong("`]` is missing")
            else:
                return Reference(root, tuple(path))
            if len(path) > MAX_PARTS:
                raise self._wrong(f"more than {MAX_PARTS} parts")

    def expect_end(self) -> None:
        """Raise a TemplateError if any text is left."""
        self._skip()
        if self.at < len(self._text):
            raise self._wrong("unexpected text after it")

    def _filter(self) -> Filter:
        name = self._name("a filter")
        if name not in FILTERS:
            raise self._wrong(f"no filter `{name}`.{near(name, FILTERS)}".rstrip("."))
        argument = None
        if self._took("("):
            argument = self._literal()
            if not self._took(")"):
                raise self._wrong("`)` is missing")
        return Filter(name, argument)

    def _literal(self) -> Any:
        self._skip()
        quote = self._text[self.at : self.at + 1]
        if quote in ("'", '"') and quote:
            end = self._text.find(quote, self.at + 1)
            if end < 0:
                raise self._wrong(f"{quote} is not closed")
            literal = self._text[self.at + 1 : end]
            self.at = end + 1
            return literal
        if (number := _INDEX.match(self._text, self.at)) is not None:
            self.at = number.end()
            return int(number[0])
        word = self._name("a value")
        if word not in ("true", "false", "null"):
            raise self._wrong(f"`{word}` is not a value; put text in quotes")
        return {"true": True, "false": False, "null": None}[word]

    def _name(self, what: str) -> str:
        self._skip()
        match = _NAME.match(self._text, self.at)
        if match is None:
            raise self._wrong(f"{what} is missing")
        self.at = match.end()
        return match[0]

    def _took(self, word: str, *, spaces: bool = True) -> bool:
        if spaces:
            self._skip()
        if not self._text.startswith(word, self.at):
            return False
        self.at += len(word)
        return True

    def _skip(self) -> None:
        while self.at < len(self._text) and self._text[self.at] in " \t\n":
            self.at += 1

    def _wrong(self, why: str) -> TemplateError:
        start = self._start or 0
        end = self._text.find(CLOSE, start) + len(CLOSE)
        if self._start is None or end < len(CLOSE):
            end = len(self._text)
        shown = self._text[start : min(end, start + _LONGEST_QUOTE)].strip()
        cut = "…" if end - start > _LONGEST_QUOTE else ""
        what = "Look-up" if self._start is None else "Template"
        return TemplateError(f"{what} `{shown}{cut}`: {why}.")


def _written(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if _NAME.fullmatch(part):
        return f".{part}"
    return f'["{part}"]' if "'" in part else f"['{part}']"
