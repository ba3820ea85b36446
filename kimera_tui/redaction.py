"""Secrets are hidden wherever values are shown or written down."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

MASK = "••••"

# Every repetition is bounded: these run over results of megabytes that somebody else wrote.
_USERINFO = re.compile(
    r"(?P<scheme>\b[A-Za-z][\w+.-]{0,30}://)(?P<user>[^\s:/@]{0,256}):(?P<password>[^\s;]{0,1024})@"
)
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
    r"\beyJ[\w-]{8,512}\.[\w-]{8,4096}\.[\w-]{0,1024})",
    re.DOTALL,
)


def is_secret_name(name: str) -> bool:
    """Whether a key's name says that its value is a secret."""
    return _SECRET_NAME.search(name) is not None


def redact(value: Any, secret: Collection[str] = ()) -> Any:
    """A copy of the value with every secret in it hidden.

    Args:
        value: Anything that JSON can say, and mappings and sequences of it.
        secret: Names of keys that are secret besides those whose name says so.
    """
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {
            key: MASK
            if isinstance(key, str) and (key in secret or is_secret_name(key))
            else redact(child, secret)
            for key, child in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(child, secret) for child in value]
    return value


def redact_text(text: str) -> str:
    """The text without URL passwords, bearer tokens, private keys and the like."""
    if "://" in text:
        text = mask_urls(text)
    return _SECRET_TEXT.sub(MASK, text)


def passwords_in(text: str) -> list[str]:
    """The passwords of the URLs in a text."""
    if "://" not in text or "@" not in text:
        return []
    return [found["password"] for found in _USERINFO.finditer(text)]


def mask_urls(text: str) -> str:
    """The text with the password of every URL in it hidden, also of those that don't parse."""
    if "@" in text:  # without one the search would look far behind every colon in vain
        text = _USERINFO.sub(rf"\g<scheme>\g<user>:{MASK}@", text)
    return _SECRET_QUERY.sub(rf"\g<1>{MASK}", text)
