"""Values as plain JSON and back: tags keep their types, and places stand in for secrets."""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from kimera_tui.depth import DEEPEST, TOO_DEEP, every, is_too_deep
from kimera_tui.known_secrets import EVERY_RUN, KnownSecrets, written
from kimera_tui.redaction import (
    MASK,
    SHORT_KEY,
    by_place,
    is_secret_name,
    passwords_in,
    redact_text,
)
from kimera_tui.values.placeholders import NotKept, Opaque, TooLarge, Withheld

SHORTEST_UNDECLARED = 6
"""Minimum characters of a text that only looks like a secret, such as the password in a URL."""
_DOCUMENT_PLACES = ("header", "when")
"""Places that hold parts of the workflow file, whose keys and numbers have a meaning."""
_MAX_HARMLESS = 10_000
_MAX_SHORT = 64
_NAMED_PLACES = ("kwargs", "inputs")
"""Places whose keys are declared names."""
_LONGEST_REPR = 2000
_DEEPEST = DEEPEST + 1
"""One level more, for the list or mapping that holds the arguments."""
_DEEPEST_PLAIN = 3 * _DEEPEST
"""A mapping with keys other than text takes three levels of JSON."""

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
"""The conversions of the base types, whatever a subclass overrides."""


_TEMPLATE = re.compile(r"(?<!\$)\$\{\{(?:(?!\$\{\{).)*?\}\}", re.DOTALL)
_AUTH_SCHEME = re.compile(r"(?i)\b(?:basic|bearer|digest|token|api[_-]?key)\b")
"""Words that precede a secret and are none themselves."""
_FALLBACK = re.compile(r"""(\bdefault\s*\(\s*(['"]))(.*?)(?=\2)""", re.DOTALL)
"""The text of a template's ``default`` filter."""


class TemplateText(str):
    """A text with templates: what they refer to is no secret, the text around them may be one."""

    __slots__ = ()


def mark_templates(value: Any) -> Any:
    """The value with every text that contains a template turned into a ``TemplateText``."""
    if isinstance(value, str):
        return TemplateText(value) if "${{" in value and not isinstance(value, NotKept) else value
    if isinstance(value, Mapping):
        return {key: mark_templates(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [mark_templates(child) for child in value]
    return value


def _has_template(value: Any) -> bool:
    return any(isinstance(each, TemplateText) for each in every(value))


class Packer:
    """Turns the values of one run into plain JSON, and masks the run's secrets in every text."""

    def __init__(self) -> None:
        self._known = KnownSecrets(EVERY_RUN)
        self._short: defaultdict[str, set[str]] = defaultdict(set)
        """Secrets too short to search for in any text, by the names that they are kept under."""
        self._short_count = 0
        """How many short secrets were learned; the first ones are also masked next to their name
        in texts."""
        self._harmless: set[str] = set()
        """Keys that contain no secret; results repeat the same keys thousands of times."""

    @property
    def knows_any(self) -> bool:
        """Whether there is any secret to mask."""
        return bool(self._known or self._short)

    def learn(self, value: Any, secret: Collection[str]) -> None:
        """Remember every secret in a value, to mask it wherever else it appears.

        Args:
            value: Anything.
            secret: Keys that are declared secret; everything below them is a secret.
        """
        self._harmless.clear()
        self._learn(value, secret, "", "", _DEEPEST)

    def _learn(self, value: Any, secret: Collection[str], name: str, why: str, left: int) -> None:
        """Remember what is below a key.

        Args:
            value: What is below it.
            secret: Keys that are declared secret.
            name: The key.
            why: ``declared`` if it is declared secret, ``named`` if its name suggests it, or empty.
            left: How many more levels may follow; ``pack`` keeps nothing of deeper values.
        """
        if left < 0:
            return
        if isinstance(value, Mapping):
            for key, child in value.items():
                child_name = key if isinstance(key, str) else ""
                named = "named" if is_secret_name(child_name) else why
                declared = why == "declared" or (child_name and child_name in secret)
                self._learn(child, secret, child_name, "declared" if declared else named, left - 1)
        elif isinstance(value, list | tuple | set | frozenset):
            for child in value:
                self._learn(child, secret, name, why, left - 1)
        elif not isinstance(value, NotKept | TemplateText):
            self._learn_leaf(value, name, why)

    def _learn_leaf(self, value: Any, name: str, why: str) -> None:
        if isinstance(value, str):
            secrets = [value, *passwords_in(value)] if why else passwords_in(value)
            for text in secrets:
                if len(text) >= SHORTEST_UNDECLARED:
                    self._known.add(text)
        if why == "declared" and value is not None:
            plain = _plain_leaf(value)
            if not self._known.add(plain) and written(plain) not in self._short[name]:
                self._short[name].add(written(plain))
                self._short_count += 1
                if self._short_count <= _MAX_SHORT:
                    self._known.add_short(name, plain)

    def text(self, text: str) -> str:
        """The text with every secret in it masked."""
        return redact_text(text, self._known)

    def pack(self, value: Any, place: str, secret: Collection[str] = ()) -> Any:
        """The value as plain JSON.

        Args:
            value: Anything.
            place: Where it belongs, such as ``kwargs`` or ``result``; names the secrets in it.
            secret: Keys, and positions of arguments, that are secret besides those whose name
                suggests it.
        """
        if is_too_deep(value, _DEEPEST):
            return {"$repr": TOO_DEEP}
        if place == "args" and type(value) is list:
            return [
                self._member(at, each, f"{place}.{at}", secret)
                for at, each in by_place(value).items()
            ]
        return self._pack(value, place, secret)

    def _pack(self, value: Any, place: str, secret: Collection[str]) -> Any:
        kind = type(value)
        if kind is str:
            cleaned = self.text(value)
            return value if cleaned == value else {"$secret": place, "text": cleaned}
        if value is None or kind is bool:
            return value
        if kind in (int, float):
            return {"$secret": place} if self._is_secret_number(value, place) else value
        if kind is dict or isinstance(value, Mapping):
            return self._mapping(value, place, secret)
        if kind is list:
            return [self._pack(each, f"{place}.{at}", secret) for at, each in enumerate(value)]
        if kind is tuple:
            return {"$tuple": self._pack(list(value), place, secret)}
        if isinstance(value, set | frozenset):
            return {"$set": self._pack(list(value), place, secret)}
        if isinstance(value, NotKept):
            return _placeholder(value)
        if kind is TemplateText:
            return self._template(value, place)
        return self._scalar(value, place)

    def _is_secret_number(self, value: float, place: str) -> bool:
        return self._known.are_in_number(value) and not place.startswith(_DOCUMENT_PLACES)

    def _template(self, value: str, place: str, *, named_secret: bool = False) -> Any:
        """A template as it is, or, if the text itself contains a secret, only its references."""
        outside = _TEMPLATE.sub(MASK, value)
        own = _AUTH_SCHEME.sub("", _TEMPLATE.sub("", value)).strip()
        templates = _TEMPLATE.findall(value)
        fallbacks = [each[2] for template in templates for each in _FALLBACK.findall(template)]
        by_name = [*fallbacks, *([] if "://" in outside else [own])] if named_secret else []
        secret = any(self.text(each) != each for each in (outside, *fallbacks))
        if not secret and all(len(each) < SHORTEST_UNDECLARED for each in by_name):
            return {"$template": str(value)}
        shown = [_FALLBACK.sub(rf"\g<1>{MASK}", template) for template in templates]
        return {"$secret": place, "text": MASK.join(("", *shown, ""))}

    def _mapping(self, value: Mapping[Any, Any], place: str, secret: Collection[str]) -> Any:
        plain = {}
        any_secret_key = False
        for key, child in value.items():
            is_secret = self._is_secret_key(key, place)
            any_secret_key |= is_secret
            below = f"{place}.{MASK if is_secret else key}"
            plain[key] = self._member(key, child, below, secret)
        if not any_secret_key and all(
            type(key) is str and not key.startswith("$") for key in plain
        ):
            return plain
        return {"$dict": [[self._pack(key, place, ()), child] for key, child in plain.items()]}

    def _is_secret_key(self, key: Any, place: str) -> bool:
        """Whether a key contains a secret; the keys of named and document places never do."""
        if key in self._harmless:
            return False
        if not isinstance(key, str):
            return type(key) in (int, float) and self._is_secret_number(key, place)
        if len(key) > SHORT_KEY:
            found = self.text(key) != key
        else:
            found = bool(self._known) and next(self._known.spans(key), None) is not None
        if not found and len(self._harmless) < _MAX_HARMLESS:
            self._harmless.add(key)
        return found and place not in _NAMED_PLACES and not place.startswith(_DOCUMENT_PLACES)

    def _member(self, key: Any, child: Any, place: str, secret: Collection[str]) -> Any:
        if isinstance(child, TemplateText):
            named = isinstance(key, str) and is_secret_name(key)
            return self._template(child, place, named_secret=named)
        if self._is_hidden(key, child, secret) and not _has_template(child):
            return {"$secret": place}
        return self._pack(child, place, secret)

    def _is_hidden(self, key: Any, child: Any, secret: Collection[str]) -> bool:
        if not isinstance(key, str):
            return False
        if key in secret or is_secret_name(key):
            return True
        return key in self._short and _contains(child, self._short[key])

    def _scalar(self, value: Any, place: str) -> Any:
        if (known := _SCALARS.get(type(value))) is not None:
            tag, write = known
            text = str(_plain_leaf(value))
            return {"$secret": place} if self.text(text) != text else {tag: write(value)}
        for base, convert in _BASES.items():
            if isinstance(value, base):  # a member of an enum is stored as its value
                return self._pack(convert(value), place, ())
        try:
            text = repr(value)[:_LONGEST_REPR]
        except Exception as error:  # noqa: BLE001 - an object may fail at anything
            text = f"<{type(value).__name__}: {type(error).__name__}>"
        return {"$repr": self.text(text)}


def _contains(value: Any, short: Collection[str]) -> bool:
    if isinstance(value, list | tuple):
        return any(_contains(each, short) for each in value)
    return not isinstance(value, Mapping) and written(_plain_leaf(value)) in short


def _plain_leaf(value: Any) -> Any:
    """A value without members as text, or as the number, boolean or null that it is."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    scalar = _SCALARS.get(type(value))
    return value if scalar is None else scalar[1](value)


def _placeholder(value: NotKept) -> dict[str, Any]:
    if isinstance(value, Withheld):
        text = str(value)
        return {"$secret": value.place} if text == MASK else {"$secret": value.place, "text": text}
    return {"$size": value.size} if isinstance(value, TooLarge) else {"$repr": str(value)}


_READERS: dict[str, Callable[[Any], Any]] = {
    "$tuple": lambda inner: tuple(map(_unpack, inner)),
    "$set": lambda inner: set(map(_unpack, inner)),
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
    """The value that ``Packer.pack`` was given, with placeholders for what it left out."""
    return Opaque(TOO_DEEP) if is_too_deep(plain, _DEEPEST_PLAIN) else _unpack(plain)


def args_from(plain: Any) -> tuple[Any, ...]:
    """Packed arguments; if a placeholder stands for all of them, it is the only one."""
    args = unpack(plain)
    return tuple(args) if isinstance(args, list) else (args,)


def kwargs_from(plain: Any) -> Mapping[str, Any]:
    """Packed keyword arguments; a placeholder for all of them is named ``kwargs``."""
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
