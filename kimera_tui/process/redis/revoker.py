"""Sends revokes on a thread of its own and collects the acknowledgements."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from celery import Celery

from kimera_tui.process.engine import Receipt, read_receipts
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.redis.endpoint import TIMEOUTS
from kimera_tui.process.redis.known_workers import KnownWorkers
from kimera_tui.process.redis.reconnecting import RedisConnection, as_unavailable

ANSWER_SECONDS = 1.0
"""The longest wait for a worker's acknowledgement."""
PATIENCE = 4.0


class Revoker:
    """Broadcasts revokes through Celery's remote control.

    Args:
        app: The Celery app.
        broker: The connection that lists the listening workers.
        workers: The workers that should answer.
    """

    def __init__(self, app: Celery, broker: RedisConnection, workers: KnownWorkers) -> None:
        self._app = app
        self._broker = broker
        self._workers = workers
        self._thread = CallThread("kimera-control")
        self._connection: Any = None

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
        wire = await self._broker.connected(patience)
        try:
            expected = await self._workers.expected(wire)
            job = self._thread.call(
                self._broadcast, list(task_ids), terminate, signal, len(expected), answer_seconds
            )
            replies = await job
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise as_unavailable(error, self._broker.endpoint) from error
        receipts = [
            _shortened(receipt, len(task_ids))
            for reply in replies
            for receipt in read_receipts(reply)
        ]
        self._workers.answered(expected, [receipt.worker for receipt in receipts])
        return receipts

    def close(self) -> None:
        """Close the connection and let the thread end; never waits."""
        if self._connection is not None:
            with contextlib.suppress(RuntimeError):  # no running loop: the collector closes it
                self._thread.call(self._disconnect)
        self._thread.close()

    def _broadcast(
        self, task_ids: list[str], terminate: bool, signal: str, limit: int, seconds: float
    ) -> list[Any]:
        """Runs on the thread. Broadcasts even if no worker is expected to answer."""
        if self._connection is None:
            self._connection = self._app.connection_for_write(transport_options=TIMEOUTS)
        waiting: dict[str, Any] = (
            {"reply": True, "timeout": seconds, "limit": limit} if limit else {"reply": False}
        )
        try:
            replies = self._app.control.revoke(
                task_ids,
                terminate=terminate,
                signal=signal,
                connection=self._connection,
                **waiting,
            )
        except Exception:
            self._disconnect()
            raise
        return list(replies or ())

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        with contextlib.suppress(Exception):
            connection.release()


def _shortened(receipt: Receipt, count: int) -> Receipt:
    """Workers repeat all ids, 8 KB for a batch; a count says the same."""
    if count == 1 or not receipt.ok:
        return receipt
    return Receipt(receipt.worker, f"{count} tasks flagged as revoked", receipt.ok)
