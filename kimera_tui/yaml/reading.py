"""A reader of YAML 1.2 with lines and limits; harmful constructs are refused."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kimera_tui.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_DEPTH = 200
"""Levels of YAML; a step within a step takes two to four."""
MAX_VALUES = 50_000
MAX_TEXT = 256 * 1024
"""Characters of one value."""
MAX_DIGITS = 300
# libyaml reads ten times faster. Its events are read one by one: it would build the values of
# deeply nested brackets by recursion, and take the process down.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OTHER_INT = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


Key = tuple[str | int, ...]
"""The place of a value: keys and indexes from the root."""


@dataclass(frozen=True, slots=True)
class Source:
    """A YAML document and the lines of its keys."""

    data: Any
    lines: dict[Key, int] = field(default_factory=dict)
    """Line numbers, from 1, of what is on another line than its parent."""

    def line_of(self, path: Key) -> int:
        """The line of the nearest key on the path."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class Malformed(ConfigError):
    """A text is malformed.

    Attributes:
        line: The line, from 1.
        sentence: What is wrong, without the place.
    """

    def __init__(self, name: str, line: int, sentence: str) -> None:
        super().__init__(f"{name}, line {line}: {sentence}")
        self.line = line
        self.sentence = sentence


class _Refused(ValueError):
    """What is wrong, and on which line."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line
        self.why = why


def read_text(path: Path) -> str:
    """A file's text; ConfigError if it can't be read, is too large, or isn't UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes.")
    try:
        return raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: not UTF-8 at byte {error.start}.") from None


def read_yaml(path: Path) -> Source:
    """The one document in a settings file; raises like ``read_text`` and ``parse_yaml``."""
    return parse_yaml(read_text(path), str(path), MAX_BYTES)  # no more fit into so many bytes


def parse_yaml(text: str, name: str, most_values: int = MAX_VALUES) -> Source:
    """The one document in a text, with scalars as YAML 1.2 has them.

    ``no``, ``12:30:00``, ``2026-01-02`` and ``017`` are text. Aliases, anchors, tags, merge keys,
    duplicate keys and numbers that JSON doesn't have are refused.

    Args:
        text: The YAML.
        name: What messages call it, such as the file's path.
        most_values: The maximum number of values.

    Raises:
        Malformed: it isn't a single plain YAML document.
        ConfigError: it is too long.
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{name}: {len(text)} characters; the most is {MAX_BYTES}.")
    builder = _Builder(most_values)
    try:
        for event in yaml.parse(text, Loader=LOADER):
            builder.take(event)
    except _Refused as refused:
        raise Malformed(name, refused.line, f"{refused.why}.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise Malformed(name, line, f"{error.problem or error.context}.") from None
    except (yaml.YAMLError, UnicodeError):
        line = _line_of_control(text)
        raise Malformed(name, line, "control characters are not allowed.") from None
    return Source(builder.root, builder.lines)


def _line_of_control(text: str) -> int:
    found = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    return text.count("\n", 0, found.start()) + 1 if found else 1


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end hasn't been read yet."""

    value: dict[str, Any] | list[Any]
    path: Key
    line: int
    key: str | None = None
    """In a mapping, the key of the next value."""
    key_line: int = 0


@dataclass(slots=True)
class _Builder:
    """Builds values from events, without recursion."""

    most_values: int
    root: Any = None
    lines: dict[Key, int] = field(default_factory=lambda: {(): 1})
    """Of what is on another line than its parent."""
    _stack: list[_Open] = field(default_factory=list)
    _values: int = 0
    _documents: int = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            self._check(event, line)
            self._scalar(event, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._check(event, line)
            self._begin({} if isinstance(event, yaml.MappingStartEvent) else [], line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise _Refused(line, f"alias *{event.anchor} is not allowed")
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Refused(line, "more than one YAML document")

    def _check(self, event: Any, line: int) -> None:
        if event.anchor is not None:
            raise _Refused(line, f"anchor &{event.anchor} is not allowed")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise _Refused(line, f"tag {tag} is not allowed; quote a value that must be text")
        self._values += 1
        if self._values > self.most_values:
            raise _Refused(line, f"more than {self.most_values} values")

    def _begin(self, value: dict[str, Any] | list[Any], line: int) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise _Refused(line, f"nested deeper than {MAX_DEPTH}")
        path: Key = ()
        if self._stack:
            at = self._stack[-1]
            # The line of a value in a mapping is that of its key.
            part, line = (
                (at.key or "", at.key_line) if at.key is not None else (len(at.value), line)
            )
            path = (*at.path, part)
        self._put(value, line)
        self._stack.append(_Open(value, path, line))

    def _scalar(self, event: Any, line: int) -> None:
        text = event.value
        if len(text) > MAX_TEXT:
            raise _Refused(line, f"a value of {len(text)} characters; the most is {MAX_TEXT}")
        plain = not event.style
        at = self._stack[-1] if self._stack else None
        if at is not None and isinstance(at.value, dict) and at.key is None:
            self._key(at, text, plain, line)
            return
        self._put(plain_value(text, line) if plain else text, line)

    def _key(self, at: _Open, text: str, plain: bool, line: int) -> None:
        if plain and text == "<<":
            raise _Refused(line, "merge key << is not allowed")
        if plain and not isinstance(plain_value(text, line), str):
            raise _Refused(line, f"key `{text[:60]}` must be text; quote it")
        if text in at.value:
            first = self.lines.get((*at.path, text), at.line)
            raise _Refused(line, f"key `{text[:60]}` is given twice, first on line {first}")
        if line != at.line:
            self.lines[*at.path, text] = line
        at.key, at.key_line = text, line

    def _put(self, value: Any, line: int) -> None:
        """Add the next value."""
        if not self._stack:
            self.root, self.lines[()] = value, line
            return
        at = self._stack[-1]
        if isinstance(at.value, list):
            if line != at.line:
                self.lines[*at.path, len(at.value)] = line
            at.value.append(value)
        elif at.key is None:
            raise _Refused(line, "a key must be text, not a list or a mapping")
        else:
            at.value[at.key], at.key = value, None


def is_text(plain: str) -> bool:
    """Whether a plain scalar is text, and not a number or another value."""
    try:
        return isinstance(plain_value(plain, 1), str)
    except _Refused:
        return False


def plain_value(text: str, line: int) -> Any:
    """The value of a plain scalar; raises for a number that JSON doesn't have."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if len(text) <= MAX_DIGITS and _INT.fullmatch(text):
        return int(text)
    if len(text) <= MAX_DIGITS and _OTHER_INT.fullmatch(text):
        return int(text, 0)
    if _NO_NUMBER.fullmatch(text):
        raise _Refused(line, f"{text} cannot be sent")
    if _FLOAT.fullmatch(text):
        number = float(text)
        if len(text) > MAX_DIGITS or not math.isfinite(number):
            raise _Refused(line, "number too large")
        return number
    return text
