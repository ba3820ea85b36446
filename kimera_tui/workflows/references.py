"""Templates: ``${{ path | filter }}`` looks something up; there is no code in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kimera_tui.config.nearest import near
from kimera_tui.errors import UsageError
from kimera_tui.workflows.filters import FILTERS, to_json

ROOTS = ("inputs", "steps", "prev", "run", "env", "error")
MAX_TEXT = 256 * 1024
"""Characters of a text with templates."""
MAX_RENDERED = 1024 * 1024
"""Characters of what comes of it."""
REMEMBERED = 1000
"""Characters up to which a text is parsed only once."""
MAX_PARTS = 32
MAX_FILTERS = 8
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INDEX = re.compile(r"-?\d{1,9}")
_OPEN, _CLOSE, _ESCAPED = "${{", "}}", "$${{"


class TemplateError(UsageError):
    """A template is malformed, or what it looks up can't be had."""


class Missing(TemplateError):
    """What is looked up isn't there."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that is looked up, such as ``steps.load.result.rows[0]``."""

    root: str
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return self.root + "".join(map(_written, self.path))


@dataclass(frozen=True, slots=True)
class _Filter:
    name: str
    argument: Any = None


@dataclass(frozen=True, slots=True)
class _LookUp:
    reference: Reference
    filters: tuple[_Filter, ...] = ()


_Part = str | _LookUp


def references_in(value: Any) -> Iterator[Reference]:
    """Everything that the templates within a value look up.

    Raises:
        TemplateError: a template is malformed.
    """
    if isinstance(value, str):
        for part in _parsed(value) if "{{" in value else ():
            if isinstance(part, _LookUp):
                yield part.reference
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from references_in(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from references_in(child)


def parse_reference(text: str) -> Reference:
    """A look-up as a condition's ``ref`` writes it; raises TemplateError."""
    scanner = _Scanner(text)
    reference = scanner.reference()
    scanner.expect_end()
    return reference


def look_up(reference: Reference, scope: Mapping[str, Any]) -> Any:
    """What stands at a place.

    Args:
        reference: The place.
        scope: What there is, by root.

    Raises:
        Missing: nothing stands there; the message names the part that is missing.
    """
    if reference.root not in scope:
        raise Missing(f"`{reference}`: there is no `{reference.root}` here.")
    value: Any = scope[reference.root]
    for position, part in enumerate(reference.path):
        if not _has(value, part):
            so_far = Reference(reference.root, reference.path[:position])
            raise Missing(f"`{reference}`: {_what_is(value, part, str(so_far))}")
        value = value[part]
    return value


def render(value: Any, scope: Mapping[str, Any]) -> Any:
    """The value with its templates filled in; what was looked up is not looked through again.

    A text that is only one template becomes what it looks up, of whatever type.

    Args:
        value: Any value that JSON can say.
        scope: What can be looked up, by root.

    Raises:
        TemplateError: a template is malformed, or what it looks up can't be had.
    """
    if isinstance(value, str):
        return _rendered(value, scope) if "{{" in value else value
    if isinstance(value, Mapping):
        return {key: render(child, scope) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [render(child, scope) for child in value]
    return value


def escape(value: Any) -> Any:
    """The value written so that ``render`` gives it back as it is."""
    if isinstance(value, str) and type(value) is str:
        return value.replace(_OPEN, _ESCAPED)
    if isinstance(value, Mapping):
        return {key: escape(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [escape(child) for child in value]
    return value


def _rendered(text: str, scope: Mapping[str, Any]) -> Any:
    parts = _parsed(text)
    if len(parts) == 1 and isinstance(parts[0], _LookUp):
        return _filled(parts[0], scope)
    filled: list[str] = []
    length = 0
    for part in parts:
        filled.append(part if isinstance(part, str) else _as_text(_filled(part, scope), part))
        length += len(filled[-1])
        if length > MAX_RENDERED:
            raise TemplateError(f"A text became longer than {MAX_RENDERED} characters.")
    return "".join(filled)


def _filled(part: _LookUp, scope: Mapping[str, Any]) -> Any:
    try:
        value = look_up(part.reference, scope)
    except Missing:
        default = next((each for each in part.filters if each.name == "default"), None)
        if default is None:
            raise
        value = None
    for each in part.filters:
        try:
            value = FILTERS[each.name](value, each.argument)
        except (TypeError, ValueError, KeyError, IndexError, OverflowError, RecursionError):
            shown = type(value).__name__
            raise TemplateError(
                f"`{part.reference} | {each.name}`: not for a value of type {shown}."
            ) from None
        if isinstance(value, str) and len(value) > MAX_RENDERED:
            raise TemplateError(
                f"`{part.reference} | {each.name}`: longer than {MAX_RENDERED} characters."
            )
    return value


def _as_text(value: Any, part: _LookUp) -> str:
    if value is None:
        raise TemplateError(
            f"`{part.reference}` is null and stands within a text; write | default('...')."
        )
    if isinstance(value, str):
        return value
    try:
        return to_json(value)
    except (TypeError, ValueError, RecursionError):
        raise TemplateError(f"`{part.reference}`: no value that JSON can say.") from None


def _parsed(text: str) -> tuple[_Part, ...]:
    """The text in parts: plain text, and what is looked up."""
    return _remembered(text) if len(text) < REMEMBERED else _parse(text)


@lru_cache(maxsize=4096)
def _remembered(text: str) -> tuple[_Part, ...]:
    return _parse(text)


def _parse(text: str) -> tuple[_Part, ...]:
    if len(text) > MAX_TEXT:
        raise TemplateError(f"A text with templates has {len(text)} characters, over {MAX_TEXT}.")
    parts: list[_Part] = []
    plain: list[str] = []
    at = 0
    while (start := text.find(_OPEN, at)) >= 0:
        if start > 0 and text[start - 1] == "$" and start - 1 >= at:
            plain.append(text[at : start - 1] + _OPEN)
            at = start + len(_OPEN)
            continue
        plain.append(text[at:start])
        if joined := "".join(plain):
            parts.append(joined)
        plain.clear()
        scanner = _Scanner(text, start + len(_OPEN))
        parts.append(scanner.look_up())
        at = scanner.at
    plain.append(text[at:])
    if joined := "".join(plain):
        parts.append(joined)
    return tuple(parts)


class _Scanner:
    """Reads one look-up, from the left to the right, never back."""

    def __init__(self, text: str, at: int = 0) -> None:
        self._text = text
        self._start = at
        self.at = at

    def look_up(self) -> _LookUp:
        reference = self.reference()
        filters: list[_Filter] = []
        while self._took("|"):
            filters.append(self._filter())
            if len(filters) > MAX_FILTERS:
                raise self._wrong(f"more than {MAX_FILTERS} filters")
        if not self._took(_CLOSE):
            raise self._wrong("`}}` is missing")
        return _LookUp(reference, tuple(filters))

    def reference(self) -> Reference:
        root = self._name("what to look up")
        if root not in ROOTS:
            raise self._wrong(f"`{root}` can't be looked up; {', '.join(ROOTS)} can")
        path: list[str | int] = []
        while True:
            if self._took(".", spaces=False):
                path.append(self._name("a name after `.`"))
            elif self._took("[", spaces=False):
                key = self._literal()
                if isinstance(key, bool) or not isinstance(key, str | int):
                    raise self._wrong("a text or a whole number belongs between [ and ]")
                path.append(key)
                if not self._took("]"):
                    raise self._wrong("`]` is missing")
            else:
                return Reference(root, tuple(path))
            if len(path) > MAX_PARTS:
                raise self._wrong(f"more than {MAX_PARTS} parts")

    def expect_end(self) -> None:
        self._skip()
        if self.at < len(self._text):
            raise self._wrong("something stands behind it")

    def _filter(self) -> _Filter:
        name = self._name("a filter")
        if name not in FILTERS:
            raise self._wrong(f"no filter `{name}`.{near(name, FILTERS)}".rstrip("."))
        argument = None
        if self._took("("):
            argument = self._literal()
            if not self._took(")"):
                raise self._wrong("`)` is missing")
        return _Filter(name, argument)

    def _literal(self) -> Any:
        self._skip()
        quote = self._text[self.at : self.at + 1]
        if quote in ("'", '"') and quote:
            end = self._text.find(quote, self.at + 1)
            if end < 0:
                raise self._wrong(f"{quote} is not closed")
            found = self._text[self.at + 1 : end]
            self.at = end + 1
            return found
        if (number := _INDEX.match(self._text, self.at)) is not None:
            self.at = number.end()
            return int(number[0])
        word = self._name("a value")
        if word not in ("true", "false", "null"):
            raise self._wrong(f"`{word}` is no value; quote a text")
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
        shown = self._text[self._start : self._start + 60].strip()
        return TemplateError(f"Template `{shown}`: {why}.")


def _written(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if _NAME.fullmatch(part):
        return f".{part}"
    return f'["{part}"]' if "'" in part else f"['{part}']"


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
        return f"`{place}` is a list of {len(value)}; there is no `{part}` in it."
    kind = "null" if value is None else type(value).__name__
    return f"`{place}` is {kind}, and has nothing in it."
