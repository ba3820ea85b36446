"""Values as plain JSON and back: types kept by tags, secrets replaced by where they belong."""

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
"""Characters of a text that only looks like a secret, such as the password in a URL."""
_OF_THE_DOCUMENT = ("header", "when")
"""Places that hold what a workflow's file says: their keys and numbers have a meaning."""
_MOST_HARMLESS = 10_000
_MOST_BESIDE = 64
_NAMED = ("kwargs", "inputs")
"""Places whose keys are names that somebody declared."""
_LONGEST_REPR = 2000
_DEEPEST = DEEPEST + 1
"""Arguments are values in a list or a mapping."""
_DEEPEST_PLAIN = 3 * _DEEPEST
"""A mapping whose keys are no texts takes three levels of JSON."""

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
    return any(isinstance(each, Verbatim) for each in every(value))


class Packer:
    """Makes values plain for one run and remembers its secrets, so that no text repeats them."""

    def __init__(self) -> None:
        self._known = KnownSecrets(EVERY_RUN)
        self._short: defaultdict[str, set[str]] = defaultdict(set)
        """Secrets that can't be looked for, by the names under which they are hidden."""
        self._beside = 0
        """How many of them came, to be looked for beside their names in texts too."""
        self._harmless: set[str] = set()
        """Keys in which none of the secrets was found: the same ones come by the thousand."""

    @property
    def knows_any(self) -> bool:
        """Whether there is a secret to look for."""
        return bool(self._known or self._short)

    def learn(self, value: Any, secret: Collection[str]) -> None:
        """Take note of every secret in a value, to find it wherever else it shows up.

        Args:
            value: Anything.
            secret: Names of keys that are declared secret: all that is below them is one.
        """
        self._harmless.clear()
        self._learn(value, secret, "", "", _DEEPEST)

    def _learn(self, value: Any, secret: Collection[str], name: str, why: str, left: int) -> None:
        """Take note of what is below a key that is ``named`` like a secret, or ``declared`` one."""
        if left < 0:  # of what is that deep ``pack`` tells nothing
            return
        if isinstance(value, Mapping):
            for key, child in value.items():
                said = key if isinstance(key, str) else ""
                named = "named" if is_secret_name(said) else why
                declared = why == "declared" or (said and said in secret)
                self._learn(child, secret, said, "declared" if declared else named, left - 1)
        elif isinstance(value, list | tuple | set | frozenset):
            for child in value:
                self._learn(child, secret, name, why, left - 1)
        elif not isinstance(value, NotKept | Verbatim):
            self._learn_leaf(value, name, why)

    def _learn_leaf(self, value: Any, name: str, why: str) -> None:
        if isinstance(value, str):
            found = [value, *passwords_in(value)] if why else passwords_in(value)
            for text in found:
                if len(text) >= SHORTEST_UNDECLARED:
                    self._known.add(text)
        if why == "declared" and value is not None:
            said = _said(value)
            if not self._known.add(said) and written(said) not in self._short[name]:
                self._short[name].add(written(said))
                self._beside += 1
                if self._beside <= _MOST_BESIDE:
                    self._known.add_short(name, said)

    def text(self, text: str) -> str:
        """A text for people with every secret in it masked."""
        return redact_text(text, self._known)

    def pack(self, value: Any, place: str, secret: Collection[str] = ()) -> Any:
        """The value as JSON can say it.

        Args:
            value: Anything.
            place: Where it stands, such as ``kwargs`` or ``result``; secrets are named by it.
            secret: Names of keys, and positions of arguments, that are secret besides those whose
                name says so.
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
            return _stand_in(value)
        if kind is Verbatim:
            return self._template(value, place)
        return self._scalar(value, place)

    def _is_secret_number(self, value: float, place: str) -> bool:
        return self._known.are_in_number(value) and not place.startswith(_OF_THE_DOCUMENT)

    def _template(self, value: str, place: str, *, named_secret: bool = False) -> Any:
        """A template as it is; of one that says a secret itself, only what it looks up."""
        said = _TEMPLATE.sub(MASK, value)
        own = _HOW_SENT.sub("", _TEMPLATE.sub("", value)).strip()
        templates = _TEMPLATE.findall(value)
        fallbacks = [each[2] for template in templates for each in _FALLBACK.findall(template)]
        by_name = [*fallbacks, *([] if "://" in said else [own])] if named_secret else []
        secret = any(self.text(each) != each for each in (said, *fallbacks))
        if not secret and all(len(each) < SHORTEST_UNDECLARED for each in by_name):
            return {"$template": str(value)}
        told = [_FALLBACK.sub(rf"\g<1>{MASK}", template) for template in templates]
        return {"$secret": place, "text": MASK.join(("", *told, ""))}

    def _mapping(self, value: Mapping[Any, Any], place: str, secret: Collection[str]) -> Any:
        plain = {}
        untold = False
        for key, child in value.items():
            tells = self._tells(key, place)
            untold |= tells
            below = f"{place}.{MASK if tells else key}"
            plain[key] = self._member(key, child, below, secret)
        if not untold and all(type(key) is str and not key.startswith("$") for key in plain):
            return plain
        return {"$dict": [[self._pack(key, place, ()), child] for key, child in plain.items()]}

    def _tells(self, key: Any, place: str) -> bool:
        """Whether a key says a secret; names of arguments and inputs, and a document's, don't."""
        if key in self._harmless:
            return False
        if not isinstance(key, str):
            return type(key) in (int, float) and self._is_secret_number(key, place)
        if len(key) > SHORT_KEY:
            tells = self.text(key) != key
        else:
            tells = bool(self._known) and next(self._known.spans(key), None) is not None
        if not tells and len(self._harmless) < _MOST_HARMLESS:
            self._harmless.add(key)
        return tells and place not in _NAMED and not place.startswith(_OF_THE_DOCUMENT)

    def _member(self, key: Any, child: Any, place: str, secret: Collection[str]) -> Any:
        if isinstance(child, Verbatim):
            named = isinstance(key, str) and is_secret_name(key)
            return self._template(child, place, named_secret=named)
        if self._is_hidden(key, child, secret) and not _holds_template(child):
            return {"$secret": place}
        return self._pack(child, place, secret)

    def _is_hidden(self, key: Any, child: Any, secret: Collection[str]) -> bool:
        if not isinstance(key, str):
            return False
        if key in secret or is_secret_name(key):
            return True
        return key in self._short and _holds(child, self._short[key])

    def _scalar(self, value: Any, place: str) -> Any:
        if (known := _SCALARS.get(type(value))) is not None:
            tag, write = known
            said = str(_said(value))
            return {"$secret": place} if self.text(said) != said else {tag: write(value)}
        for base, plain in _BASES.items():
            if isinstance(value, base):  # an enum's member goes by its value
                return self._pack(plain(value), place, ())
        try:
            said = repr(value)[:_LONGEST_REPR]
        except Exception as error:  # noqa: BLE001 - an object may fail at anything
            said = f"<{type(value).__name__}: {type(error).__name__}>"
        return {"$repr": self.text(said)}


def _holds(value: Any, short: Collection[str]) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds(each, short) for each in value)
    return not isinstance(value, Mapping) and written(_said(value)) in short


def _said(value: Any) -> Any:
    """A value without members as a text, or as the number, boolean or null that it is."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    written = _SCALARS.get(type(value))
    return value if written is None else written[1](value)


def _stand_in(value: NotKept) -> dict[str, Any]:
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
    """The value that ``Packer.pack`` made plain; stand-ins where something was withheld."""
    return Opaque(TOO_DEEP) if is_too_deep(plain, _DEEPEST_PLAIN) else _unpack(plain)


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
