"""Recognises names of secrets, however their words are joined."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

_LONGEST_NAME = 256
"""Characters; only the end of a longer name is checked."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
"""``dbPassword``, ``DB_PASSWORD`` and ``db-password`` have the same words; digits are skipped."""

_SAY_SO = frozenset({"auth", "authorization", "bearer", "cookies", "dsn", "session"})
_GLUED = (
    "password", "passwords", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets",
    "token", "tokens", "apikey", "apikeys", "accesskey", "privatekey", "secretkey", "authkey",
    "signingkey", "encryptionkey", "credential", "credentials", "cookie", "sessionid", "dbpass",
    "userpass", "smtppass",
)  # fmt: skip
"""Words that count even when others are glued to them: ``PGPASSWORD``, ``accesstoken``."""
_OF_A_KEY = frozenset(
    {"api", "access", "private", "secret", "auth", "signing", "encryption", "master"}
)
_OF_A_PASS = frozenset(
    {"db", "user", "smtp", "mail", "mysql", "pg", "ftp", "root", "admin", "redis"}
    | {"rabbitmq", "default"}
)
_MEASURES = frozenset({"count", "counts", "length", "len", "size", "limit", "ttl"})
_AMOUNTS = frozenset({"max", "min", "total", "num"})


def is_secret_name(name: str) -> bool:
    """Whether a name marks its value as a secret.

    Words are separated by case, digits and punctuation; some are also found glued to others.
    A name of a count or length, such as ``token_count``, is not a secret.
    """
    return _says_secret(name if len(name) <= _LONGEST_NAME else name[-_LONGEST_NAME:])


@lru_cache(maxsize=4096)
def _says_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _MEASURES or words[0] in _AMOUNTS:
        return False
    return any(word in _SAY_SO or word.endswith(_GLUED) for word in words) or any(
        (last in ("key", "keys") and first in _OF_A_KEY) or (last == "pass" and first in _OF_A_PASS)
        for first, last in pairwise(words)
    )
