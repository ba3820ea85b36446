"""Probes whether the broker and the result backend can be reached."""

from __future__ import annotations

import asyncio
from typing import Any

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.failures import broker_failure
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.redaction import redact_text

PROBE_SECONDS = 8.0
"""Time limit for both probes together."""


class Probe:
    """Probes the broker and result backend of one Celery app, on its own thread."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._thread = CallThread("kimera-probe")

    async def look(self) -> BrokerUnavailable | None:
        """Why nothing can be sent at the moment, or None."""
        try:
            return await asyncio.wait_for(self._thread.call(self._ask), PROBE_SECONDS)
        except TimeoutError:
            return BrokerUnavailable("The broker did not answer in time.")

    def close(self) -> None:
        """Let the thread end."""
        self._thread.close()

    def _ask(self) -> BrokerUnavailable | None:
        conf = self._app.conf
        return _probed(self._ask_broker, "broker", conf.broker_write_url) or _probed(
            self._ask_backend, "result backend", conf.result_backend
        )

    def _ask_broker(self) -> None:
        with self._app.connection_for_write(connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            channel = connection.default_channel
            if client := getattr(channel, "client", None):
                client.ping()

    def _ask_backend(self) -> None:
        """Only Redis backends can be probed; others fail when they are used."""
        backend = self._app.backend
        if type(backend).__module__ == "celery.backends.redis":
            # Not the backend's own client, which retries for minutes.
            from redis import ConnectionPool, Redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            pool = backend.client.connection_pool
            options = {**pool.connection_kwargs, "retry": Retry(NoBackoff(), 0)}
            once = ConnectionPool(connection_class=pool.connection_class, **options)
            try:
                Redis(connection_pool=once).ping()
            finally:
                once.disconnect()


def _probed(probe: Any, what: str, url: Any) -> BrokerUnavailable | None:
    try:
        probe()
    except Exception as error:  # noqa: BLE001 - any failure prevents sending
        failure = broker_failure(error)
        message = failure.message if failure is not None else f"The broker cannot be used: {error}."
        where = _where(str(url or ""))
        return BrokerUnavailable(message.replace("The broker", f"The {what}{where}", 1))
    return None


def _where(url: str) -> str:
    """The address in a URL, without user and password."""
    address = redact_text(url).partition("://")[2].rpartition("@")[2].split(";")[0]
    address = address.split("?")[0]
    if not address.startswith("/"):  # a socket's path is its address
        address = address.split("/")[0]
    return f" at {address}" if address else ""
