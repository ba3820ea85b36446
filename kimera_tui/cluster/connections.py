"""Finds out on RabbitMQ which workers have no connection any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from typing import Any

from kimera_tui.process.loop.call_thread import CallThread

ANSWER_SECONDS = 5.0
NOT_FOUND = 404
"""AMQP's code for a queue that does not exist."""


class Connections:
    """Looks for the queues on which workers listen for remote control.

    RabbitMQ deletes such a queue with its consumer, as soon as the worker's connection is gone and
    long before the worker's silence proves anything. Other brokers don't tell. The number of its
    consumers proves nothing: one that does not read for a while is not counted.

    Args:
        app: The Celery app.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        url = str(getattr(app.conf, "broker_write_url", ""))
        self._can_tell = url.startswith(("amqp", "pyamqp"))
        self._thread = CallThread("kimera-connections")

    async def gone(self, workers: Collection[str]) -> set[str]:
        """Return those workers whose connections are known to be gone. Never raises."""
        if not self._can_tell or not workers:
            return set()
        asked = self._thread.call(self._ask, sorted(workers))
        try:
            return await asyncio.wait_for(asked, ANSWER_SECONDS)
        except TimeoutError:
            return set()

    def close(self) -> None:
        """Let the thread end."""
        self._thread.close()

    def _ask(self, workers: Collection[str]) -> set[str]:
        gone: set[str] = set()
        with contextlib.suppress(Exception), self._app.connection_for_read() as connection:
            for worker in workers:
                if not _exists(connection, f"{worker}.{_namespace(self._app)}.pidbox"):
                    gone.add(worker)
        return gone


def _namespace(app: Any) -> str:
    return str(app.control.mailbox.namespace)


def _exists(connection: Any, queue: str) -> bool:
    channel = connection.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except connection.channel_errors as error:
        return getattr(error, "code", None) != NOT_FOUND
    else:
        return True
    finally:
        with contextlib.suppress(*connection.channel_errors, *connection.connection_errors):
            channel.close()
