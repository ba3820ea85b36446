"""Finds secrets next to their names: ``password=x``, ``"token": "x"``, ``Cookie: x``."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from kimera_tui.secret_names import is_secret_name

Span = tuple[int, int]

_LONGEST_NAME = 80
"""Characters searched before the sign."""
_IN_NAMES = string.ascii_letters + string.digits + "_-."
_QUOTES = "\"'"
_QUOTED = frozenset(_QUOTES)
_TEMPLATE = re.compile(r"\$\{\{[^{}]{0,1024}\}\}")
_OPENING = re.compile(r"[bBuU]?(\\{0,8}[\"'])")
_CLOSED = {
    quote: re.compile(rf"[^{quote}\\]*+(?:\\.[^{quote}\\]*+)*+", re.DOTALL) for quote in _QUOTES
}
_BARE = re.compile(r"(?:[^\s;\"',)\]}]|[,)\]}](?![\s,.;)\]}]|\Z))*+")
_IN_QUERY = re.compile(r"[^\s;\"'&#]*+")
_IN_JSON = re.compile(r"[^\s,}\]]*+")
_LINE = re.compile(r"[^\r\n]*+")
_HOW_SENT = re.compile(r"(?i)\s{0,8}(?:(?:basic|bearer|token|apikey)\s{1,8})?")
_HEADERS = frozenset({"authorization", "cookie"})
"""Header names without a dash; others are recognised by their dash."""


def assigned_secrets(text: str) -> Iterator[Span]:
    """Yield the spans of values next to a name that marks them as secret."""
    yield from _after_equals(text)
    yield from _after_colons(text)


def _after_equals(text: str) -> Iterator[Span]:
    done = at = 0
    while (at := text.find("=", at)) >= 0:
        sign, at = at, at + 1
        if sign < done:
            continue
        head = text[max(0, sign - _LONGEST_NAME) : sign].rstrip(" \"'\\]")
        name = _name_at_the_end(head)
        if not is_secret_name(name) or text[at : at + 1] == "=":
            continue
        start = at + (text[at : at + 1] == ">")
        if text[sign - 1] == " ":
            start += text[start : start + 1] == " "
        in_query = head[: len(head) - len(name)].endswith(("?", "&"))
        start, done = _value(text, start, _IN_QUERY if in_query else _BARE)
        if done > start:
            yield start, done


def _after_colons(text: str) -> Iterator[Span]:
    done = at = 0
    while (at := text.find(":", at)) >= 0:
        sign, at = at, at + 1
        quoted = text[max(0, sign - 1) : sign] in _QUOTED
        if sign < done or not (quoted or text[at : at + 1] == " "):
            continue
        name = _name_at_the_end(text[max(0, sign - _LONGEST_NAME) : sign].rstrip("\"'\\"))
        if not is_secret_name(name):
            continue
        if quoted:
            start, done = _value(text, _skipped(text, at), _IN_JSON)
        elif "-" in name or name.lower() in _HEADERS:
            start, done = _header(text, at, name)
        else:  # prose, such as "invalid token: it has expired"
            continue
        if done > start:
            yield start, done


def _name_at_the_end(head: str) -> str:
    return head[len(head.rstrip(_IN_NAMES)) :].lstrip("-.")


def _skipped(text: str, at: int) -> int:
    """The position after white space."""
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _value(text: str, start: int, bare: re.Pattern[str]) -> Span:
    """The span of the value at a position, quoted or bare."""
    if opening := _OPENING.match(text, start):
        start, quote = opening.end(), opening[1]
        if len(quote) > 1:  # escaped quotes inside a quoted text
            end = text.find(quote, start)
            return start, len(text) if end < 0 else end
        return start, _end(_CLOSED[quote], text, start)
    if template := _TEMPLATE.match(text, start):
        start = template.end()
    elif text[start : start + 1] in ("{", "["):
        return start, start  # its members have their own names
    return start, _end(bare, text, start)


def _header(text: str, at: int, name: str) -> Span:
    found = _HOW_SENT.match(text, at)
    start = found.end() if found else at
    whole = "cookie" in name.lower() or text[start : start + 6].lower() == "digest"
    return start, _end(_LINE if whole else _BARE, text, start)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start
