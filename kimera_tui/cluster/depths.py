"""Queue depths, read through Celery's own connection on a thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from typing import Any

from kimera_tui.process.loop.call_thread import CallThread

ANSWER_SECONDS = 5.0
"""Time limit for one reading of all queues."""


class QueueDepths:
    """Counts the ready messages of queues: those that no worker has reserved.

    Args:
        app: The Celery app.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._thread = CallThread("kimera-depths")

    async def look(self, queues: Collection[str]) -> Mapping[str, int]:
        """Ready messages by queue; queues whose depth is unknown are left out. Never raises."""
        asked = self._thread.call(self._ask, sorted(queues))
        try:
            return await asyncio.wait_for(asked, ANSWER_SECONDS)
        except TimeoutError:
            return {}

    def close(self) -> None:
        """Let the thread end."""
        self._thread.close()

    def _ask(self, queues: Collection[str]) -> dict[str, int]:
        from kimera_tui.process.redis.endpoint import CONNECT_SECONDS, SOCKET_SECONDS

        timeouts = {"socket_timeout": SOCKET_SECONDS, "socket_connect_timeout": CONNECT_SECONDS}
        found: dict[str, int] = {}
        with contextlib.suppress(Exception):  # the probe reports problems of the broker
            redis = self._app.conf.broker_url.startswith(("redis", "rediss", "sentinel"))
            options = timeouts if redis else {}
            with self._app.connection_for_read(transport_options=options) as connection:
                for queue in queues:
                    found[queue] = _depth(connection, queue)
        return found


def _depth(connection: Any, queue: str) -> int:
    """Ready messages of one queue; a missing one is empty, since Redis keeps no empty queues."""
    channel = connection.channel()
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return 0
    finally:
        with contextlib.suppress(*connection.channel_errors, *connection.connection_errors):
            channel.close()
