"""Reads queues and unacknowledged messages of a Redis broker, on a connection of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from kimera_tui.process.engine import Queued
from kimera_tui.process.engines import has_redis_broker
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import Clock


class QueueReader:
    """Finds messages by task id.

    Args:
        app: A Celery app whose broker is one Redis server.
        clock: The connection's clock.
    """

    def __init__(self, app: Any, clock: Clock) -> None:
        from kimera_tui.process.redis.capture import Capture
        from kimera_tui.process.redis.queue_locator import MessageLocator
        from kimera_tui.process.redis.reconnecting import RedisConnection, ServerHealth
        from kimera_tui.process.redis.run_id import ask_for_run_id

        # The engine's own connection announces losses; a second announcement would say the same.
        silent = ServerHealth("broker", Emitter(EventBus(), clock))
        self._connection = RedisConnection(Capture(app).endpoint, silent, on_open=ask_for_run_id)
        self._locator = MessageLocator(app, self._connection)

    @property
    def server(self) -> str:
        """The run id of the server, which changes with every restart; empty while unknown."""
        wire = self._connection.wire
        return "" if wire is None else wire.server.decode(errors="replace")

    async def queued(self, queue: str, task_ids: Collection[str]) -> Queued:
        """Find the tasks that are in a queue; raises BrokerUnavailable."""
        return await self._locator.queued(queue, task_ids)

    async def held(self, task_ids: Collection[str]) -> Mapping[str, float]:
        """From when taken, unacknowledged messages are delivered again; raises BrokerUnavailable.

        In seconds since the epoch. Reads all unacknowledged messages of the broker.
        """
        return await self._locator.held(task_ids)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


def queue_reader_of(app: Any, clock: Clock) -> QueueReader | None:
    """The reader for a broker; None for brokers whose queues can't be read."""
    return QueueReader(app, clock) if has_redis_broker(app) else None
