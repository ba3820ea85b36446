"""Exceptions of broker and result backend as one readable sentence."""

from __future__ import annotations

import socket

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.redaction import redact_text

_BY_TEXT = (
    ("NOAUTH", "wants a password"),
    ("Authentication required", "wants a password"),
    ("WRONGPASS", "refused the password"),
    ("invalid password", "refused the password"),
    ("invalid username-password", "refused the password"),
    ("ACCESS_REFUSED", "refused the password"),
    ("NOPERM", "does not permit this user to do that"),
    ("READONLY", "is a read-only replica: nothing was sent"),
    ("OOM", "is out of memory: nothing was sent"),
    ("LOADING", "is loading its data: try again in a moment"),
    ("max number of clients", "has no free connection"),
    ("wrong version number", "does not speak TLS here: use redis://"),
    ("CERTIFICATE_VERIFY_FAILED", "has a certificate that cannot be verified"),
    ("No master found", "is not there (no Sentinel answers for its master)"),
    ("cluster mode", "is a Redis Cluster, which Celery cannot use: name a single server"),
    ("NOT_ALLOWED", "does not permit this virtual host"),
    ("Name or service not known", "has a host name that nobody knows"),
    ("nodename nor servname", "has a host name that nobody knows"),
    ("Connection refused", "is not there (connection refused)"),
    ("Connect call failed", "is not there (connection refused)"),
    ("No such file", "is not there (no such socket)"),
    ("Connection closed by server", "closed the connection"),
    ("Connection reset", "closed the connection"),
    ("Connection lost", "closed the connection"),
)
_AUTH_FAILURES = ("wants a password", "refused the password", "does not permit")
_SILENT = ("timed out", "Timeout", "timeout")
_CONNECTION_ERRORS = {
    "OperationalError", "ConnectionError", "TimeoutError", "AuthenticationError", "AccessRefused",
    "ResponseError", "NoPermissionError", "OutOfMemoryError", "ReadOnlyError", "BusyLoadingError",
    "MaxClientsError", "RecoverableConnectionError", "NotAllowed", "BatchPublishError",
}  # fmt: skip


def broker_failure(
    error: BaseException, where: str = "", *, what: str = "broker"
) -> BrokerUnavailable | None:
    """The error to raise for a connection's exception, or None for any other exception.

    Args:
        error: Raised by the client library; the exceptions it was raised from count too.
        where: The server's URL; its password is hidden.
        what: ``broker`` or ``result backend``.
    """
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    if not any(_is_connection_error(each) for each in chain):
        return None
    at = f" at {redact_text(where)}" if where else ""
    return BrokerUnavailable(f"The {what}{at} {_meaning(chain)}.")


def is_auth_failure(message: str) -> bool:
    """Whether a failure is about our credentials, which waiting does not cure."""
    return any(words in message for words in _AUTH_FAILURES)


def _is_connection_error(error: BaseException) -> bool:
    names = {base.__name__ for base in type(error).__mro__}
    return isinstance(error, OSError | socket.timeout) or bool(names & _CONNECTION_ERRORS)


def _meaning(chain: list[BaseException]) -> str:
    text = " | ".join(f"{type(each).__name__} {each}" for each in chain)
    for mark, meaning in _BY_TEXT:
        if mark in text:
            return meaning
    if any(mark in text for mark in _SILENT):
        return "did not answer in time"
    return f"cannot be used: {redact_text(str(chain[0]).rstrip('.'))}"
