"""Counts the messages that wait in queues, on Celery's own connection and a thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from typing import Any

from kimera_tui.process.loop.call_thread import CallThread

ANSWER_SECONDS = 5.0


class QueueDepths:
    """Counts the messages that no worker has taken yet.

    Args:
        app: The Celery app.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._thread = CallThread("kimera-depths")

    async def look(self, queues: Collection[str]) -> Mapping[str, int]:
        """Return messages by queue, without queues that cannot be counted. Never raises."""
        asked = self._thread.call(self._ask, sorted(queues))
        try:
            return await asyncio.wait_for(asked, ANSWER_SECONDS)
        except TimeoutError:
            return {}

    def close(self) -> None:
        """Let the thread end."""
        self._thread.close()

    def _ask(self, queues: Collection[str]) -> dict[str, int]:
        from kimera_tui.process.redis.endpoint import TIMEOUTS

        found: dict[str, int] = {}
        with contextlib.suppress(Exception):  # the probe reports what is wrong with the broker
            redis = self._app.conf.broker_url.startswith(("redis", "rediss", "sentinel"))
            options = TIMEOUTS if redis else {}
            with self._app.connection_for_read(transport_options=options) as connection:
                for queue in queues:
                    found[queue] = _depth(connection, queue)
        return found


def _depth(connection: Any, queue: str) -> int:
    """Messages in one queue; a missing queue counts as empty, as Redis removes empty ones."""
    channel = connection.channel()
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return 0
    finally:
        with contextlib.suppress(*connection.channel_errors, *connection.connection_errors):
            channel.close()
