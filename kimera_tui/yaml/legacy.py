"""Plain values that YAML 1.1 reads otherwise: ``no`` as false, 12:30 as 750, 017 as 15."""

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
    """A value that YAML 1.1 reads otherwise."""

    line: int
    """From 1."""
    text: str
    """As it is written."""
    before: str
    """What YAML 1.1 makes of it, in words."""
    now: str
    """What it is, in words."""

    @property
    def sentence(self) -> str:
        """The line, what it says now, and what it said before.

        Digits are not repeated: they may be a PIN.
        """
        if {self.before, self.now} & _WORDS:
            return f"line {self.line}: `{self.text[:40]}` is {self.now}, not {self.before}"
        return f"line {self.line}: now {_kind(self.now)}, not {_kind(self.before)}"


def reread_in(text: str) -> Iterator[Reread]:
    """The values and keys of a text, in their order, up to where it isn't YAML."""
    with contextlib.suppress(yaml.YAMLError):
        for event in yaml.parse(text, Loader=LOADER):
            if isinstance(event, yaml.ScalarEvent) and not event.style:
                before, now = _readings(event.value)
                if before != now:
                    mark: Any = event.start_mark
                    yield Reread(mark.line + 1, event.value, before, now)


@lru_cache(maxsize=1000)
def _readings(text: str) -> tuple[str, str]:
    """What YAML 1.1 and YAML 1.2 make of a plain value; the same where one of them refuses it."""
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
    try:
        now = _words(plain_value(text, 1))
        value = _CONSTRUCTOR.construct_object(yaml.ScalarNode(tag, text))
    except (yaml.YAMLError, ValueError):
        return "", ""
    if isinstance(value, datetime.datetime):
        return f"{_TIME}{value}", now
    # A date was typed and sent as its text all the same.
    return _words(str(value) if isinstance(value, datetime.date) else value), now


def _kind(words: str) -> str:
    if words == "text":
        return words
    return "a time" if words.startswith(_TIME) else "a number"


def _words(value: Any) -> str:
    return "text" if isinstance(value, str) else to_json(value)
