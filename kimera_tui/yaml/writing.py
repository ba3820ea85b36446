"""Plain values as readable YAML, which is read back as the same values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kimera_tui.yaml.reading import is_text

WIDTH = 88
"""Characters of a line that holds a whole list or mapping."""
# Less than YAML allows: everything else is quoted.
_BARE = re.compile(r"[\w/(](?:[\w /.,;()+=<>@%*!?'\"^~$-]|:(?=[\w/]))*")
_BARE_INSIDE = re.compile(r"[\w/(][\w /.;()+=<>@%*'^~$-]*")
_OLD_WORDS = ("y", "n", "yes", "no", "on", "off")
"""True and false in YAML 1.1."""
_MANY_LINES = re.compile(r"\S[^\n]*(?:\n+[^\n]*\S)*\n?")


def scalar(value: Any, *, inside: bool = False) -> str:
    """One value on one line.

    Args:
        value: Text, number, truth or None.
        inside: Whether it is between brackets.
    """
    if isinstance(value, str):
        bare = _is_bare(value, inside=inside) and value.lower() not in _OLD_WORDS
        return value if bare else _quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def on_one_line(value: Any) -> str:
    """A value on one line, lists and mappings between brackets."""
    if isinstance(value, Mapping):
        pairs = (f"{_key(key, inside=True)}: {on_one_line(value[key])}" for key in value)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(on_one_line, value))}]"
    return scalar(value, inside=True)


def lines_of(key: str, value: Any, *, short: bool = True) -> list[str]:
    """The lines of a key with its value.

    Args:
        key: The key.
        value: Its value.
        short: Whether a mapping that fits is on one line; a list that fits always is.
    """
    name = _key(key)
    if isinstance(value, str) and _is_many_lines(value):
        sign = "|" if value.endswith("\n") else "|-"
        lines = value.removesuffix("\n").split("\n")
        return [f"{name}: {sign}", *(f"  {line}" if line else "" for line in lines)]
    if not isinstance(value, Mapping | list | tuple):
        return [f"{name}: {scalar(value)}"]
    if not value or ((short or not isinstance(value, Mapping)) and _fits(value)):
        return [f"{name}: {on_one_line(value)}"]
    return [f"{name}:", *_indented(block_lines(value))]


def block_lines(value: Mapping[str, Any] | Sequence[Any]) -> list[str]:
    """The lines of what is in a mapping or a list."""
    found: list[str] = []
    if isinstance(value, Mapping):
        for key, child in value.items():
            found += lines_of(key, child)
        return found
    for child in value:
        found += dashed(_item_lines(child))
    return found


def dashed(lines: Sequence[str]) -> list[str]:
    """The lines of a value as one of a list."""
    return [f"- {lines[0]}", *_indented(lines[1:])]


def _key(key: str, *, inside: bool = False) -> str:
    return key if _is_bare(key, inside=inside) else _quoted(key)


def _item_lines(value: Any) -> list[str]:
    if isinstance(value, Mapping | list | tuple):
        return [on_one_line(value)] if _fits(value) else block_lines(value)
    return [scalar(value)]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" if line else line for line in lines]


def _fits(value: Any) -> bool:
    """Whether a mapping or list reads well on one line."""
    return _room_left(value, WIDTH - 18) >= 0


def _room_left(value: Any, room: int) -> int:
    """The characters that are left behind a value on one line; under 0 where it doesn't fit."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            room = _room_left(child, room - len(key) - 4) if room >= 0 else room
        return room
    if isinstance(value, list | tuple):
        for child in value:
            room = _room_left(child, room - 2) if room >= 0 else room
        return room
    if isinstance(value, str) and ("\n" in value or len(value) > room):
        return -1
    return room - len(scalar(value, inside=True))


def _is_many_lines(text: str) -> bool:
    printable = all(line.isprintable() for line in text.split("\n"))
    return "\n" in text and printable and _MANY_LINES.fullmatch(text) is not None


def _is_bare(text: str, *, inside: bool) -> bool:
    """Whether a text is read as itself without quotes."""
    bare = (_BARE_INSIDE if inside else _BARE).fullmatch(text)
    if not bare or text[-1] == " " or not text.isprintable():
        return False
    return is_text(text)


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(map(_escaped, quoted))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
