"""Secrets are hidden wherever values are shown or written down."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

MASK = "••••"

DEEPEST = 200
"""How deep below a value its members are kept: what is deeper could not even be walked."""

# These run over results of megabytes that somebody else wrote. So every repetition is bounded,
# and what may begin at many places takes in no place where it could begin anew.
_LONGEST_PASSWORD = 1024
_SCHEME = re.compile(r"\b[A-Za-z][\w+.-]*+\Z")
_LONGEST_SCHEME = 31
_USER = re.compile(r":(?<=[\w+.-]:)//[^\s:/@]{0,256}+(?=:)")
_GAP = re.compile(r"[\s;]")
_SECRET_QUERY = re.compile(
    r"(?i)([?&](?:password|passwd|token|secret|credential)[\w-]{0,64}=)[^&\s;]*"
)
# Names that say "secret" as a whole word or as a part between underscores.
_SECRET_NAME = re.compile(
    r"(?:^|[_\-.])(?:password|passwd|passphrase|pwd|secret|secrets|token|tokens|api[_-]?key|"
    r"access[_-]?key|private[_-]?key|auth|authorization|credential|credentials|cookie|session|"
    r"session[_-]?id|csrf[_-]?token|bearer|dsn)(?:$|[_\-.])",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"(?:\bBearer\s+[\w.~+/=-]{8,}|\bAKIA[0-9A-Z]{16}\b|"
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)|"
    r"\beyJ(?:\w|-(?!eyJ[\w-]{8})){8,512}+\.[\w-]{8,4096}+\.[\w-]{0,1024})",
    re.DOTALL,
)


def is_secret_name(name: str) -> bool:
    """Whether a key's name says that its value is a secret."""
    return _SECRET_NAME.search(name) is not None


def redact(value: Any, secret: Collection[str] = (), depth: int = DEEPEST) -> Any:
    """A copy of the value with every secret in it hidden.

    Args:
        value: Anything that JSON can say, and mappings and sequences of it.
        secret: Names of keys that are secret besides those whose name says so.
        depth: How deep below it members are kept.
    """
    if isinstance(value, str):
        return redact_text(value)
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {
            key: MASK
            if isinstance(key, str) and (key in secret or is_secret_name(key))
            else redact(child, secret, depth - 1)
            for key, child in value.items()
        }
    return [redact(child, secret, depth - 1) for child in value]


def redact_text(text: str) -> str:
    """The text without URL passwords, bearer tokens, private keys and the like."""
    if "://" in text:
        text = mask_urls(text)
    return _SECRET_TEXT.sub(MASK, text)


def passwords_in(text: str) -> list[str]:
    """The passwords of the URLs in a text."""
    return [text[start:end] for start, end in _passwords(text)]


def mask_urls(text: str) -> str:
    """The text with the password of every URL in it hidden, also of those that don't parse."""
    parts: list[str] = []
    done = 0
    for start, end in _passwords(text):
        parts += (text[done:start], MASK)
        done = end
    return _SECRET_QUERY.sub(rf"\g<1>{MASK}", "".join((*parts, text[done:])))


def _passwords(text: str) -> Iterator[tuple[int, int]]:
    """Where passwords begin and end: after ``scheme://user:``, before the last @ in reach.

    No part of the text is looked through again for each of the many users that may precede it.
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
