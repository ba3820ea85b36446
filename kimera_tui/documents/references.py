"""Templates: ``${{ path | filter }}`` looks up a value; there is no code in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kimera_tui.depth import every
from kimera_tui.documents.template_filters import FILTERS, Incomplete, Oversized, TooDeep, to_json
from kimera_tui.errors import UsageError, near
from kimera_tui.redaction import is_secret_name
from kimera_tui.values.placeholders import NotKept

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


__all__ = ["ROOTS", "Reference", "TemplateError"]

MAX_TEXT = 256 * 1024
"""Maximum characters of a text with templates."""
MAX_RENDERED = 1024 * 1024
"""Maximum characters of a filled-in text."""
REMEMBERED = 1000
"""Texts shorter than this many characters are parsed only once."""
_ESCAPED = f"${OPEN}"
_Part = str | LookUp


class Missing(TemplateError):
    """A look-up found nothing."""


def references_in(value: Any) -> Iterator[Reference]:
    """Everything that the templates in a value look up.

    Raises:
        TemplateError: a template is malformed.
    """
    for each in every(value):
        if isinstance(each, str) and "{{" in each:
            for part in _parsed(each):
                if isinstance(part, LookUp):
                    yield part.reference


def parse_reference(text: str) -> Reference:
    """Parse the ``ref`` of a condition; raises TemplateError."""
    scanner = Scanner(text)
    reference = scanner.reference()
    scanner.expect_end()
    return reference


def look_up(reference: Reference, scope: Mapping[str, Any]) -> Any:
    """Look up a value.

    Args:
        reference: What to look up.
        scope: The values by root.

    Raises:
        Missing: it does not exist; the message names the missing part.
        TemplateError: it is part of a value that was not saved.
    """
    if reference.root not in scope:
        raise Missing(f"`{reference}`: there is no `{reference.root}` here.")
    value: Any = scope[reference.root]
    for position, part in enumerate(reference.path):
        if isinstance(value, NotKept):
            check_whole(reference, value)
        if not _has(value, part):
            so_far = Reference(reference.root, reference.path[:position])
            raise Missing(f"`{reference}`: {_what_is(value, part, str(so_far))}")
        value = value[part]
    return value


def check_whole(reference: Reference, value: Any) -> None:
    """Raise a TemplateError if a value is a placeholder for one that was not saved."""
    if isinstance(value, NotKept):
        raise not_written(reference, value.why)


def not_written(reference: Reference, why: str) -> TemplateError:
    """The error for a value that was not saved, or only in part."""
    return TemplateError(f"`{reference}` was not saved: {why}.")


def render(value: Any, scope: Mapping[str, Any]) -> Any:
    """Fill in the templates of a value; looked-up values are not scanned for templates.

    A text that is just one template becomes the value it looks up, of any type. Placeholders for
    values that were not saved stay as they are.

    Args:
        value: A JSON-serializable value.
        scope: The values that can be looked up, by root.

    Raises:
        TemplateError: a template is malformed, or its look-up fails.
    """
    if isinstance(value, NotKept):
        return value
    if isinstance(value, str):
        return _rendered(value, scope) if "{{" in value else value
    if isinstance(value, Mapping):
        return {key: render(child, scope) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [render(child, scope) for child in value]
    return value


def escape(value: Any) -> Any:
    """Escape a value so that ``render`` returns it unchanged."""
    if isinstance(value, str) and type(value) is str:
        return value.replace(OPEN, _ESCAPED)
    if isinstance(value, Mapping):
        return {key: escape(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [escape(child) for child in value]
    return value


def _rendered(text: str, scope: Mapping[str, Any]) -> Any:
    parts = _parsed(text)
    if len(parts) == 1 and isinstance(parts[0], LookUp):
        return _filled(parts[0], scope, alone=True)
    filled: list[str] = []
    length = 0
    for part in parts:
        filled.append(part if isinstance(part, str) else _as_text(part, scope))
        length += len(filled[-1])
        if length > MAX_RENDERED:
            raise TemplateError(f"A filled-in text exceeds {MAX_RENDERED} characters.")
    return "".join(filled)


def _filled(part: LookUp, scope: Mapping[str, Any], *, alone: bool) -> Any:
    try:
        value = look_up(part.reference, scope)
    except Missing:
        default = next((each for each in part.filters if each.name == "default"), None)
        if default is None:
            raise
        value = None
    if part.filters or not alone:
        check_whole(part.reference, value)
    for each in part.filters:
        try:
            value = FILTERS[each.name](value, each.argument)
        except Incomplete as error:
            raise not_written(part.reference, error.why) from None
        except Oversized:
            raise TemplateError(
                f"`{part.reference} | {each.name}`: the value is too large."
            ) from None
        except TooDeep:
            raise TemplateError(f"`{part.reference}`: nested too deeply.") from None
        except (TypeError, ValueError, KeyError, IndexError, OverflowError):
            shown = type(value).__name__
            raise TemplateError(
                f"`{part.reference} | {each.name}`: does not accept this value of type {shown}."
            ) from None
    return value


def _as_text(part: LookUp, scope: Mapping[str, Any]) -> str:
    value = _filled(part, scope, alone=False)
    if value is None:
        raise TemplateError(f"`{part.reference}` is null inside a text; add | default('...').")
    if isinstance(value, str):
        return value
    try:
        return to_json(value)
    except Incomplete as error:
        raise not_written(part.reference, error.why) from None
    except Oversized:
        raise TemplateError(f"`{part.reference}`: too large to be part of a text.") from None
    except TooDeep:
        raise TemplateError(f"`{part.reference}`: nested too deeply.") from None
    except (TypeError, ValueError):
        raise TemplateError(f"`{part.reference}`: is not JSON-serializable.") from None


def _parsed(text: str) -> tuple[_Part, ...]:
    """The parts of a text: plain text and look-ups."""
    return _remembered(text) if len(text) < REMEMBERED else _parse(text)


@lru_cache(maxsize=4096)
def _remembered(text: str) -> tuple[_Part, ...]:
    return _parse(text)


def _parse(text: str) -> tuple[_Part, ...]:
    if len(text) > MAX_TEXT:
        raise TemplateError(
            f"A text with templates has {len(text)} characters; the limit is {MAX_TEXT}."
        )
    parts: list[_Part] = []
    plain: list[str] = []
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        if start > 0 and text[start - 1] == "$" and start - 1 >= at:
            plain.append(text[at : start - 1] + OPEN)
            at = start + len(OPEN)
            continue
        plain.append(text[at:start])
        if joined := "".join(plain):
            parts.append(joined)
        plain.clear()
        scanner = Scanner(text, start)
        parts.append(scanner.look_up())
        at = scanner.at
    plain.append(text[at:])
    if joined := "".join(plain):
        parts.append(joined)
    return tuple(parts)


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, Mapping):
        return part in value
    if not isinstance(value, list | tuple) or not isinstance(part, int):
        return False
    return -len(value) <= part < len(value)


def _what_is(value: Any, part: str | int, place: str) -> str:
    if isinstance(value, Mapping):
        known = [str(key) for key in value][:200]
        return f"`{place}` has no `{part}`.{near(str(part), known)}"
    if isinstance(value, list | tuple):
        return f"`{place}` is a list of {len(value)}; it has no `{part}`."
    kind = "null" if value is None else type(value).__name__
    return f"`{place}` is {kind}; it has no `{part}`."


def is_secret_variable(reference: Reference) -> bool:
    """Whether it looks up an environment variable with a secret name."""
    return reference.root == "env" and any(is_secret_name(str(each)) for each in reference.path)
