"""Masks secrets in values and texts before they are shown or stored."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from kimera_tui.depth import DEEPEST
from kimera_tui.known_secrets import KnownSecrets
from kimera_tui.secret_assignments import assigned_secrets
from kimera_tui.secret_names import is_secret_name

__all__ = [
    "MASK",
    "SHORT_KEY",
    "is_secret_name",
    "passwords_in",
    "redact",
    "redact_text",
]

MASK = "••••"

SHORT_KEY = 16
"""Keys up to this length are never URLs or tokens."""

# These search untrusted results of megabytes. So every repetition is bounded, and a pattern that
# can start in many places never consumes another possible start.
_LONGEST_PASSWORD = 1024
_SCHEME = re.compile(r"\b[A-Za-z][\w+.-]*+\Z")
_LONGEST_SCHEME = 31
_USER = re.compile(r":(?<=[\w+.-]:)//[^\s:/@]{0,256}+(?=:)")
_GAP = re.compile(r"[\s;]")
_TOKEN_USER = re.compile(
    r"://(?:(?<=(?i:http)://)|(?<=(?i:https)://))([^\s:/@?#;]{1,1024}+)(?=(?::(?:x-oauth-basic)?)?@)"
)
"""A user without a password is a token."""
_SECRET_TEXT = re.compile(
    r"\b(?=[ABeghnprsdx])(?:Bearer\s+[\w.~+/=-]{8,}|"
    r"A(?:KIA|SIA)[0-9A-Z]{16}\b|AIza[\w-]{35}\b|"
    r"(?:gh[opsur]_|github_pat_|glpat-|xox[abeoprs]-|[rs]k_(?:live|test)_|sk-(?=[\w-]{0,32}\d)|"
    r"npm_|hf_|pypi-|dop_v1_)[\w-]{16,1024}+|"
    r"eyJ(?:\w|-(?!eyJ[\w-]{8})){8,512}+\.[\w-]{8,4096}+\.[\w-]{0,1024})|"
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
"""Secrets recognised by their shape: tokens of services, keys, signed tokens."""
_Span = tuple[int, int]


def redact(value: Any, secret: Collection[str] = (), depth: int = DEEPEST) -> Any:
    """A copy of the value with every secret masked.

    Args:
        value: Any JSON value, and mappings and sequences of such.
        secret: Names of secret keys, in addition to those recognised by their names.
        depth: Number of levels to keep.
    """
    if isinstance(value, str):
        return redact_text(value)
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {
            _shown_key(key): MASK
            if isinstance(key, str) and (key in secret or is_secret_name(key))
            else redact(child, secret, depth - 1)
            for key, child in value.items()
        }
    return [redact(child, secret, depth - 1) for child in value]


def _shown_key(key: Any) -> Any:
    """A key, masked if it is a URL or a token; short keys are neither."""
    return redact_text(key) if isinstance(key, str) and len(key) > SHORT_KEY else key


def redact_text(text: str, known: KnownSecrets | None = None) -> str:
    """The text with secrets masked: known ones, and those recognised by their names or shapes.

    Args:
        text: Any text.
        known: Finds the secrets of one run, or of all runs of this process.
    """
    found = _secrets(text, known)
    return _masked(text, found) if found else text


def passwords_in(text: str) -> list[str]:
    """The passwords of the URLs in a text."""
    return [text[start:end] for start, end in _passwords(text)]


def _secrets(text: str, known: KnownSecrets | None) -> list[_Span]:
    found = [*known.spans(text)] if known else []
    if "://" in text:
        found += _passwords(text)
        found += [token.span(1) for token in _TOKEN_USER.finditer(text)]
    if "=" in text or ":" in text:
        found += assigned_secrets(text)
    if _SECRET_TEXT.search(text):
        found += [shape.span() for shape in _SECRET_TEXT.finditer(text)]
    return found


def _masked(text: str, secrets: list[_Span]) -> str:
    """The text with a mask in place of each span; overlapping spans share one."""
    parts: list[str] = []
    done = 0
    for start, end in sorted(secrets):
        if start >= done:
            parts += (text[done:start], MASK)
        done = max(done, end)
    return "".join((*parts, text[done:]))


def _passwords(text: str) -> Iterator[tuple[int, int]]:
    """Spans of passwords: after ``scheme://user:``, before the last @ in reach.

    No part of the text is searched again for each user that may precede it.
    """
    done = skip = at = 0
    for user in _USER.finditer(text):
        start = user.end() + 1
        if start < skip:
            continue
        if at < start and (at := text.find("@", start)) < 0:
            return
        if at > start + _LONGEST_PASSWORD:
            skip = at - _LONGEST_PASSWORD
            continue
        if not _SCHEME.search(text, max(done, user.start() - _LONGEST_SCHEME), user.start()):
            continue
        reach = start + _LONGEST_PASSWORD + 1
        gap = _GAP.search(text, start, reach)
        stop = gap.start() if gap else reach
        if at < stop:
            end = text.rfind("@", at, stop)
            yield start, end
            skip = done = end + 1
        else:
            skip = stop


def by_place(args: Sequence[Any]) -> dict[str, Any]:
    """Arguments by position, as named in ``secret``."""
    return {str(at): value for at, value in enumerate(args)}
