"""Find plain values that YAML 1.1 reads differently: ``no`` as false, 12:30 as 750, 017 as 15."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from kimera_tui.jsontext import to_json
from kimera_tui.yaml.reading import LOADER, plain_value

_RESOLVER: Any = yaml.resolver.Resolver()
_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_WORDS = frozenset({"true", "false", "null"})
_TIME = "the time "


@dataclass(frozen=True, slots=True)
class Reread:
    """A value with another meaning in YAML 1.1."""

    line: int
    """From 1."""
    text: str
    """The text in the file."""
    old: str
    """Its meaning in YAML 1.1."""
    new: str
    """Its meaning in YAML 1.2."""

    @property
    def sentence(self) -> str:
        """The line, the current meaning and the old one.

        Repeats no digits: they may be a PIN.
        """
        if {self.old, self.new} & _WORDS:
            return f"line {self.line}: `{self.text[:40]}` is {self.new}, not {self.old}"
        return f"line {self.line}: now {_kind(self.new)}, not {_kind(self.old)}"


def reread_in(text: str) -> Iterator[Reread]:
    """The values and keys of a text, in their order, up to where it isn't YAML."""
    with contextlib.suppress(yaml.YAMLError):
        for event in yaml.parse(text, Loader=LOADER):
            if isinstance(event, yaml.ScalarEvent) and not event.style:
                old, new = _readings(event.value)
                if old != new:
                    mark: Any = event.start_mark
                    yield Reread(mark.line + 1, event.value, old, new)


@lru_cache(maxsize=1000)
def _readings(text: str) -> tuple[str, str]:
    """What YAML 1.1 and YAML 1.2 make of a plain value; the same where one of them refuses it."""
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
    try:
        new = _words(plain_value(text, 1))
        value = _CONSTRUCTOR.construct_object(yaml.ScalarNode(tag, text))
    except (yaml.YAMLError, ValueError):
        return "", ""
    if isinstance(value, datetime.datetime):
        return f"{_TIME}{value}", new
    # A date was typed and sent as its text all the same.
    return _words(str(value) if isinstance(value, datetime.date) else value), new


def _kind(words: str) -> str:
    if words == "text":
        return words
    return "a time" if words.startswith(_TIME) else "a number"


def _words(value: Any) -> str:
    return "text" if isinstance(value, str) else to_json(value)
