"""Checks broker and result backend URLs before any library sees them."""

from __future__ import annotations

import re

from kimera_tui.errors import ConfigError

BROKER_SCHEMES = (
    "redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps", "pyamqp", "memory",
    "filesystem", "sqs",
)  # fmt: skip
BACKEND_SCHEMES = (
    "redis", "rediss", "redis+socket", "sentinel", "rpc", "db", "file", "cache", "memcached",
    "mongodb", "elasticsearch", "s3", "dynamodb", "azureblockblob", "gs", "django-db",
)  # fmt: skip

_ESCAPED = {"#": "%23", "/": "%2F", "?": "%3F"}


def check_broker_url(url: str) -> str:
    """Return the broker URL in Celery's form, or raise ConfigError."""
    return _checked(url, "Broker URL", BROKER_SCHEMES)


def check_backend_url(url: str) -> str:
    """Return the result backend URL in Celery's form, or raise ConfigError."""
    return _checked(url, "Result backend URL", BACKEND_SCHEMES)


def _checked(url: str, what: str, schemes: tuple[str, ...]) -> str:
    checked = [_checked_part(part.strip(), what, schemes) for part in url.split(";")]
    return ";".join(checked)


def _checked_part(url: str, what: str, schemes: tuple[str, ...]) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme:
        raise ConfigError(
            f"{what}: no scheme before `//`; it should look like redis://host:6379/0."
        )
    # Servers that speak the Redis protocol; Celery knows only this name.
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
    if scheme.split("+")[0] not in {known.split("+")[0] for known in schemes}:
        raise ConfigError(f"{what}: scheme `{scheme}` is not one of {', '.join(schemes)}.")
    _check_userinfo(rest, what)
    _check_port(rest, what)
    return f"{scheme}://{rest}"


def _check_userinfo(rest: str, what: str) -> None:
    if rest.startswith("/") or "@" not in rest:
        return
    userinfo = rest.rpartition("@")[0]
    for character, escape in _ESCAPED.items():
        if character in userinfo:
            raise ConfigError(f"{what}: a password with {character} must be written {escape}.")


def _check_port(rest: str, what: str) -> None:
    netloc = re.split(r"[/?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    if netloc.startswith("["):
        netloc = netloc.partition("]")[2]
    _, colon, port = netloc.rpartition(":")
    if not colon or not port:
        return
    if not port.isdecimal():
        raise ConfigError(f"{what}: the port must be a number.")
    if int(port) > 65535:
        raise ConfigError(f"{what}: port {port} is greater than 65535.")
