"""Values as plain JSON and back: types kept by tags, secrets replaced by where they belong."""

from __future__ import annotations

import base64
import contextlib
import re
from bisect import insort
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from kimera_tui.redaction import MASK, is_secret_name, passwords_in, redact_text
from kimera_tui.runs.notkept import NotKept, Opaque, TooLarge, Withheld

SHORTEST_SECRET = 6
"""Characters; shorter secrets would be found by chance in any text."""
_MOST_SECRETS = 1000
_LONGEST_REPR = 2000
_TOO_DEEP = "nested too deep"

_SCALARS: dict[type[Any], tuple[str, Callable[[Any], str]]] = {
    datetime: ("$datetime", datetime.isoformat),
    date: ("$date", date.isoformat),
    time: ("$time", time.isoformat),
    Decimal: ("$decimal", str),
    UUID: ("$uuid", str),
    bytes: ("$bytes", lambda value: base64.b64encode(value).decode()),
}
_BASES: dict[type[Any], Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
}
"""How each says its value, whatever a subclass says instead."""


_TEMPLATE = re.compile(r"(?<!\$)\$\{\{(?:(?!\$\{\{).)*?\}\}", re.DOTALL)
_HOW_SENT = re.compile(r"(?i)\b(?:basic|bearer|digest|token|api[_-]?key)\b")
"""What stands before a secret and is none."""
_FALLBACK = re.compile(r"""(\bdefault\s*\(\s*(['"]))(.*?)(?=\2)""", re.DOTALL)
"""What a template says where there is nothing to be looked up."""


class Verbatim(str):
    """A template: where a value comes from is no secret, what it says besides may be one."""

    __slots__ = ()


def marked(value: Any) -> Any:
    """The value with every text that holds a template marked as one."""
    if isinstance(value, str):
        return Verbatim(value) if "${{" in value and not isinstance(value, NotKept) else value
    if isinstance(value, Mapping):
        return {key: marked(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [marked(child) for child in value]
    return value


def _holds_template(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_template, value.values()))
    if isinstance(value, list):
        return any(map(_holds_template, value))
    return isinstance(value, Verbatim)


class Packer:
    """Makes values plain for one run and remembers its secrets, so that no text repeats them."""

    def __init__(self) -> None:
        self._known: list[str] = []
        """The longest first: one may be a part of another, whose rest would be left to read."""

    @property
    def knows_any(self) -> bool:
        """Whether there is a secret to look for."""
        return bool(self._known)

    def learn(self, value: Any, secret: Collection[str]) -> None:
        """Take note of every secret in a value, to find it wherever else it shows up."""
        with contextlib.suppress(RecursionError):  # of what is that deep ``pack`` tells nothing
            self._learn(value, secret, hidden=False)

    def _learn(self, value: Any, secret: Collection[str], hidden: bool) -> None:
        if isinstance(value, Mapping):
            for key, child in value.items():
                self._learn(child, secret, hidden or _is_secret(key, secret))
        elif isinstance(value, list | tuple):
            for child in value:
                self._learn(child, secret, hidden)
        elif isinstance(value, str) and not isinstance(value, NotKept | Verbatim):
            for found in [value] if hidden else passwords_in(value):
                self._note(found)

    def _note(self, found: str) -> None:
        enough = len(self._known) >= _MOST_SECRETS
        if len(found) >= SHORTEST_SECRET and not enough and found not in self._known:
            insort(self._known, found, key=lambda known: -len(known))

    def text(self, text: str) -> str:
        """A text for people with every secret in it masked."""
        for known in self._known:
            if known in text:
                text = text.replace(known, MASK)
        return redact_text(text)

    def pack(self, value: Any, place: str, secret: Collection[str] = ()) -> Any:
        """The value as JSON can say it.

        Args:
            value: Anything.
            place: Where it stands, such as ``kwargs`` or ``result``; secrets are named by it.
            secret: Names of keys that are secret besides those whose name says so.
        """
        try:
            return self._pack(value, place, secret)
        except RecursionError:
            return {"$repr": _TOO_DEEP}

    def _pack(self, value: Any, place: str, secret: Collection[str]) -> Any:
        kind = type(value)
        if kind is str:
            cleaned = self.text(value)
            return value if cleaned == value else {"$secret": place, "text": cleaned}
        if value is None or kind in (int, float, bool):
            return value
        if kind is dict or isinstance(value, Mapping):
            return self._mapping(value, place, secret)
        if kind is list:
            return [self._pack(each, f"{place}.{at}", secret) for at, each in enumerate(value)]
        if kind is tuple:
            return {"$tuple": self._pack(list(value), place, secret)}
        if isinstance(value, set | frozenset):
            return {"$set": self._pack(list(value), place, secret)}
        if isinstance(value, NotKept):
            return _stand_in(value)
        if kind is Verbatim:
            return self._template(value, place)
        return self._scalar(value)

    def _template(self, value: str, place: str, *, named_secret: bool = False) -> Any:
        """A template as it is; of one that says a secret itself, only what it looks up."""
        said = _TEMPLATE.sub(MASK, value)
        own = _HOW_SENT.sub("", _TEMPLATE.sub("", value)).strip()
        templates = _TEMPLATE.findall(value)
        fallbacks = [each[2] for template in templates for each in _FALLBACK.findall(template)]
        by_name = [*fallbacks, *([] if "://" in said else [own])] if named_secret else []
        secret = any(self.text(each) != each for each in (said, *fallbacks))
        if not secret and all(len(each) < SHORTEST_SECRET for each in by_name):
            return {"$template": str(value)}
        told = [_FALLBACK.sub(rf"\g<1>{MASK}", template) for template in templates]
        return {"$secret": place, "text": MASK.join(("", *told, ""))}

    def _mapping(self, value: Mapping[Any, Any], place: str, secret: Collection[str]) -> Any:
        plain = {
            key: self._member(key, child, f"{place}.{key}", secret) for key, child in value.items()
        }
        if all(type(key) is str and not key.startswith("$") for key in plain):
            return plain
        return {"$dict": [[self._pack(key, place, ()), child] for key, child in plain.items()]}

    def _member(self, key: Any, child: Any, place: str, secret: Collection[str]) -> Any:
        if isinstance(child, Verbatim):
            named = isinstance(key, str) and is_secret_name(key)
            return self._template(child, place, named_secret=named)
        if _is_secret(key, secret) and not _holds_template(child):
            return {"$secret": place}
        return self._pack(child, place, secret)

    def _scalar(self, value: Any) -> Any:
        if (known := _SCALARS.get(type(value))) is not None:
            tag, write = known
            return {tag: write(value)}
        for base, plain in _BASES.items():
            if isinstance(value, base):  # an enum's member goes by its value
                return self._pack(plain(value), "", ())
        try:
            said = repr(value)[:_LONGEST_REPR]
        except Exception as error:  # noqa: BLE001 - an object may fail at anything
            said = f"<{type(value).__name__}: {type(error).__name__}>"
        return {"$repr": self.text(said)}


def _stand_in(value: NotKept) -> dict[str, Any]:
    if isinstance(value, Withheld):
        text = str(value)
        return {"$secret": value.place} if text == MASK else {"$secret": value.place, "text": text}
    return {"$size": value.size} if isinstance(value, TooLarge) else {"$repr": str(value)}


def _is_secret(key: Any, secret: Collection[str]) -> bool:
    return isinstance(key, str) and (key in secret or is_secret_name(key))


_READERS: dict[str, Callable[[Any], Any]] = {
    "$tuple": lambda inner: tuple(_unpack(inner)),
    "$set": lambda inner: set(_unpack(inner)),
    "$dict": lambda inner: {_unpack(key): _unpack(child) for key, child in inner},
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$decimal": Decimal,
    "$uuid": UUID,
    "$bytes": base64.b64decode,
    "$size": TooLarge,
    "$template": str,
    "$repr": Opaque,
}


def unpack(plain: Any) -> Any:
    """The value that ``Packer.pack`` made plain; stand-ins where something was withheld."""
    try:
        return _unpack(plain)
    except RecursionError:
        return Opaque(_TOO_DEEP)


def args_from(plain: Any) -> tuple[Any, ...]:
    """Arguments that were made plain; a stand-in for all of them is the only one."""
    args = unpack(plain)
    return tuple(args) if isinstance(args, list) else (args,)


def kwargs_from(plain: Any) -> Mapping[str, Any]:
    """Named arguments that were made plain; a stand-in for all of them goes by ``kwargs``."""
    kwargs = unpack(plain)
    return kwargs if isinstance(kwargs, dict) else {"kwargs": kwargs}


def _unpack(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_unpack(child) for child in plain]
    if not isinstance(plain, dict):
        return plain
    if "$secret" in plain:
        return Withheld(plain["$secret"], plain.get("text", MASK))
    if len(plain) == 1:
        tag = next(iter(plain))
        if (read := _READERS.get(tag)) is not None:
            return read(plain[tag])
    return {key: _unpack(child) for key, child in plain.items()}
