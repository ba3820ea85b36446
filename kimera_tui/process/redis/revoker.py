"""Sends revokes on a thread of its own and collects the acknowledgements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from celery import Celery

from kimera_tui.process.control import ControlThread
from kimera_tui.process.engine import Receipt
from kimera_tui.process.redis.known_workers import KnownWorkers
from kimera_tui.process.redis.reconnecting import RedisConnection, as_unavailable
from kimera_tui.process.stopping.broadcast import broadcast_revoke
from kimera_tui.process.stopping.revoke_count import RevokeCount

ANSWER_SECONDS = 1.0
"""The longest wait for a worker's acknowledgement."""
PATIENCE = 4.0


class Revoker:
    """Broadcasts revokes through Celery's remote control.

    Args:
        app: The Celery app.
        broker: The connection that lists the listening workers.
        workers: The workers that should answer.
        count: Counts what is revoked.
        name: The thread's name.
    """

    def __init__(
        self,
        app: Celery,
        broker: RedisConnection,
        workers: KnownWorkers,
        count: RevokeCount,
        name: str = "kimera-control",
    ) -> None:
        self._broker = broker
        self._workers = workers
        self._count = count
        self._control = ControlThread(app, name)
        self._turn = asyncio.Lock()

    async def revoke(
        self,
        task_ids: Sequence[str],
        *,
        terminate: bool = False,
        signal: str = "SIGTERM",
        answer_seconds: float = ANSWER_SECONDS,
        patience: float = PATIENCE,
    ) -> list[Receipt]:
        """Revoke and return the acknowledgements received within ``answer_seconds``.

        Raises:
            BrokerUnavailable: nothing was revoked.
        """
        # One after the other: a worker that the first finds silent keeps no later one waiting.
        async with self._turn:
            wire = await self._broker.connected(patience)
            try:
                expected = await self._workers.expected(wire)
                # Broadcast even if no worker is expected to answer.
                receipts = await self._control.call(
                    partial(
                        broadcast_revoke,
                        task_ids=list(task_ids),
                        terminate=terminate,
                        signal=signal,
                        seconds=answer_seconds,
                        expected=len(expected),
                    )
                )
            except Exception as error:
                raise as_unavailable(error, self._broker.endpoint) from error
            self._count.add(len(task_ids))
            self._workers.answered(expected, [receipt.worker for receipt in receipts])
            return receipts

    def close(self) -> None:
        """Close the connection and let the thread end; never waits."""
        self._control.close()
