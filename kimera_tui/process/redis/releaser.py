"""Releases finished tasks in batches: revoke, wait for acknowledgements, then forget."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.engine import Receipt
from kimera_tui.process.events import Forgotten, RevokeSent
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.redis.reconnecting import RedisConnection
from kimera_tui.process.redis.results import unlink
from kimera_tui.process.redis.revoker import ANSWER_SECONDS, Revoker

logger = logging.getLogger(__name__)

WINDOW = 0.25
"""Seconds in which released tasks are collected into one batch."""
PER_BROADCAST = 200
"""Ids per revoke broadcast: a worker's main loop spends up to 0.2 ms on each."""
LAST_SECONDS = 1.0
"""The longest that the end of the loop is delayed by pending releases."""
_PATIENCE = 4.0
_TRIES = 3
_EVENTS_PER_TURN = 500


class RedisReleaser:
    """Releases finished tasks.

    The order matters: a worker that receives a revoke after the result is gone stores a REVOKED
    result in its place, which stays for a day.

    Args:
        revokers: Sends the revokes of finished tasks, and those that were asked for, which wait
            for none of the former.
        broker: The connection to the publish markers.
        backend: The connection to the results.
        marker: Returns a task's marker key.
        key_prefix: Prefix of result keys, before the task id.
        emitter: Where releases are announced.
        on_end: Awaited when the loop ends, after the last release.
    """

    def __init__(
        self,
        revokers: tuple[Revoker, Revoker],
        broker: RedisConnection,
        backend: RedisConnection,
        marker: Callable[[str], bytes],
        key_prefix: bytes,
        emitter: Emitter,
        on_end: Callable[[], Awaitable[None]],
    ) -> None:
        self._revoker, self._asked = revokers
        self._broker = broker
        self._backend = backend
        self._marker = marker
        self._key_prefix = key_prefix
        self._emitter = emitter
        self._on_end = on_end
        self._pending: list[str] = []
        self._forget_only: set[str] = set()
        """Those of them that are not revoked."""
        self._work = asyncio.Event()
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop of the background work; None before its start."""

    def start(self) -> None:
        """Start the background work; a loop that ends cancels it and releases the rest quickly."""
        if self._task is None or self._task.done():
            self.loop = asyncio.get_running_loop()
            self._task = self.loop.create_task(self._run(), name="kimera releaser")

    def release(self, task_id: str, *, revoke: bool = True) -> None:
        """Add the task to the next batch; see ``engine.Releaser``."""
        self._pending.append(task_id)
        if not revoke:
            self._forget_only.add(task_id)
        self._idle.clear()
        self._work.set()
        self.start()

    async def revoke(
        self, task_ids: Sequence[str], *, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Sequence[Receipt]:
        """Revoke now and return the acknowledgements; see ``engine.Releaser``."""
        return await self._asked.revoke(task_ids, terminate=terminate, signal=signal)

    async def settle(self) -> None:
        """Return once every task passed to ``release`` so far is released, or given up."""
        if not self._idle.is_set():
            self._hurry.set()
        await self._idle.wait()

    def cancel(self) -> None:
        """End the background work after one last short try; call on its own loop."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            while True:
                await self._work.wait()
                if not self._hurry.is_set():
                    await self._collect()
                await self._release_pending()
        except asyncio.CancelledError:
            await self._release_last()
            raise
        finally:
            self._idle.set()
            await self._on_end()

    async def _collect(self) -> None:
        try:
            await asyncio.wait_for(self._hurry.wait(), WINDOW)
        except TimeoutError:
            return

    async def _release_pending(self) -> None:
        self._hurry.clear()
        while self._pending:
            await self._release(self._take())
        self._work.clear()
        self._idle.set()

    def _take(self) -> list[str]:
        batch = self._pending[:PER_BROADCAST]
        del self._pending[:PER_BROADCAST]
        return batch

    async def _release(
        self, batch: list[str], patience: float = _PATIENCE, seconds: float = ANSWER_SECONDS
    ) -> None:
        receipts: Sequence[Receipt] = ()
        revoked = [task_id for task_id in batch if task_id not in self._forget_only]
        try:
            for last_try in (False,) * (_TRIES - 1) + (True,):
                try:
                    if revoked and not receipts:
                        receipts = await self._revoker.revoke(
                            revoked, answer_seconds=seconds, patience=patience
                        )
                    await self._forget(batch, patience)
                    break
                except (BrokerUnavailable, ConnectionError) as error:
                    if last_try:
                        # Results and markers expire by themselves.
                        logger.warning("%d tasks were not released: %s", len(batch), error)
                        return
        except asyncio.CancelledError:
            self._pending[:0] = batch
            raise
        self._forget_only.difference_update(batch)
        await self._emit_released(batch, frozenset(revoked), receipts)

    async def _forget(self, batch: Sequence[str], patience: float) -> None:
        results = [self._key_prefix + task_id.encode() for task_id in batch]
        await unlink(self._backend, results, patience)
        await unlink(self._broker, [self._marker(task_id) for task_id in batch], patience)

    async def _release_last(self) -> None:
        """The loop is ending: one short try for everything that is left."""
        batch, self._pending = self._pending, []
        if not batch:
            return
        try:
            async with asyncio.timeout(LAST_SECONDS):
                half = LAST_SECONDS / 2
                await self._release(batch, patience=half, seconds=half)
        except TimeoutError:
            logger.warning("%d tasks were not released before the end.", len(batch))

    async def _emit_released(
        self, batch: Sequence[str], revoked: frozenset[str], receipts: Sequence[Receipt]
    ) -> None:
        if not self._emitter.has_listeners:
            return
        at, receipts = self._emitter.now(), tuple(receipts)
        for start in range(0, len(batch), _EVENTS_PER_TURN):
            for task_id in batch[start : start + _EVENTS_PER_TURN]:
                if task_id in revoked:
                    self._emitter.emit(RevokeSent(at=at, task_id=task_id, receipts=receipts))
                self._emitter.emit(Forgotten(at=at, task_id=task_id))
            await asyncio.sleep(0)
