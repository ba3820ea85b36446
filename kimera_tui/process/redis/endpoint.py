"""A Redis server's address and login, as Celery would use them, opened by redis-py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
from celery import Celery
from redis.asyncio import connection as asyncio_redis

from kimera_tui.process.redis.wire import Push, Wire

CONNECT_SECONDS = 3.0
SOCKET_SECONDS = 5.0
TIMEOUTS = {"socket_timeout": SOCKET_SECONDS, "socket_connect_timeout": CONNECT_SECONDS}
"""Transport options for Celery's own blocking connections."""
_KEPT = {"host", "port", "path", "db", "username", "password", "credential_provider", "client_name"}
_SSL_KEPT = {
    "ssl_keyfile", "ssl_certfile", "ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_data", "ssl_ca_path",
    "ssl_check_hostname", "ssl_min_version", "ssl_ciphers", "ssl_password",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One Redis server and database."""

    kind: type[asyncio_redis.AbstractConnection]
    options: Mapping[str, Any]
    where: str
    """The address, without any password."""

    async def connect(
        self, on_lost: Callable[[Wire, Exception], None], on_push: Push | None = None
    ) -> Wire:
        """Connect and log in.

        Raises:
            redis.RedisError: the server refused.
            OSError: the server cannot be reached; ``TimeoutError`` after ``CONNECT_SECONDS``.
        """
        connection = self.kind(**self.options)
        opening: Any = connection
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await opening.connect()
            return Wire(_taken_from(connection), on_lost, on_push)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise


def _taken_from(connection: asyncio_redis.AbstractConnection) -> asyncio.StreamWriter:
    """The writer of a connection, which no longer owns it.

    redis-py's reader costs 58 µs a message, most of it for one timeout object per reply; ours
    takes over after its handshake. The two attributes are the only private ones that we touch.
    """
    writer = connection._writer
    if writer is None:
        raise ConnectionError("closed")
    connection._reader = connection._writer = None
    return writer


def endpoint_of(connection_class: type, options: Mapping[str, Any]) -> Endpoint:
    """The asyncio counterpart of a connection made by redis-py's blocking client."""
    if issubclass(connection_class, redis.UnixDomainSocketConnection):
        kind: type[asyncio_redis.AbstractConnection] = asyncio_redis.UnixDomainSocketConnection
        kept, where = _KEPT - {"host", "port"}, str(options.get("path"))
    elif issubclass(connection_class, redis.SSLConnection):
        kind, kept = asyncio_redis.SSLConnection, (_KEPT | _SSL_KEPT) - {"path"}
        where = f"{options.get('host')}:{options.get('port')}"
    else:
        kind, kept = asyncio_redis.Connection, _KEPT - {"path"}
        where = f"{options.get('host')}:{options.get('port')}"
    chosen = {name: value for name, value in options.items() if name in kept and value is not None}
    chosen["protocol"] = 2
    chosen["socket_timeout"] = options.get("socket_timeout") or SOCKET_SECONDS
    chosen["socket_connect_timeout"] = CONNECT_SECONDS
    return Endpoint(kind, chosen, where)


def backend_endpoint(app: Celery) -> Endpoint:
    """The endpoint of the app's result backend."""
    backend: Any = app.backend
    options = backend.connparams
    return endpoint_of(options.get("connection_class", redis.Connection), options)
