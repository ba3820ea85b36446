"""Releases finished tasks in batches, on threads: revoke, then forget."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from kimera_tui.process.engine import Receipt
from kimera_tui.process.events import Forgotten, RevokeSent
from kimera_tui.process.failures import broker_failure
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.stopping.broadcast import broadcast_revoke
from kimera_tui.process.stopping.revoke_count import RevokeCount

RELEASE_WINDOW = 0.2
"""Seconds in which finished tasks are collected into one batch."""
REVOKE_SECONDS = 1.0
CONNECT_SECONDS = 3.0
PER_BROADCAST = 200


class ThreadReleaser:
    """Releases finished tasks: revoke first, then forget.

    Revokes wait for acknowledgements, so they have their own thread; results are forgotten on the
    thread that owns the backend.

    Args:
        app: A Celery app, or a stand-in.
        is_celery: Whether the app has Celery's remote control.
        threads: The thread of the result backend, and the thread for revokes.
        find: Returns a task's result object, or None.
        dispose: Frees a task's result object, on the first thread.
        emitter: Where releases are announced.
    """

    def __init__(
        self,
        app: Any,
        is_celery: bool,
        threads: tuple[CallThread, CallThread],
        find: Callable[[str], Any],
        dispose: Callable[[str], None],
        emitter: Emitter,
    ) -> None:
        self._app = app
        self._is_celery = is_celery
        self._thread, self._control = threads
        self._connection: Any = None
        self._workers: int | None = None
        self._find = find
        self._dispose = dispose
        self._emitter = emitter
        self._pending: list[str] = []
        self._forget_only: set[str] = set()
        self._count = RevokeCount(emitter)
        self._task: asyncio.Task[None] | None = None

    def release(self, task_id: str, *, revoke: bool = True) -> None:
        """Add the task to the next batch."""
        self._pending.append(task_id)
        if not revoke:
            self._forget_only.add(task_id)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._later())

    async def revoke(
        self, task_ids: Sequence[str], *, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Sequence[Receipt]:
        """Revoke now; a stand-in without ``control`` revokes through its result objects."""
        try:
            receipts = await self._control.call(self._revoke, list(task_ids), terminate, signal)
        except Exception as error:
            if (failure := broker_failure(error)) is not None:
                raise failure from error
            raise
        self._count.add(len(task_ids))
        return receipts

    async def settle(self) -> None:
        """Wait for the current batch."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    def disconnect(self) -> None:
        """Drop the connection for revokes; runs on the thread for revokes."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.release()

    async def _later(self) -> None:
        try:
            await asyncio.sleep(RELEASE_WINDOW)
        finally:  # a loop that ends cancels the sleep; pending tasks are released anyway
            while self._pending:
                ids = self._pending[:PER_BROADCAST]
                del self._pending[:PER_BROADCAST]
                with contextlib.suppress(Exception):  # results expire by themselves
                    await self._release(ids)

    async def _release(self, ids: list[str]) -> None:
        receipts: Sequence[Receipt] | None = None
        revoked = [task_id for task_id in ids if task_id not in self._forget_only]
        self._forget_only.difference_update(ids)
        try:
            if revoked:
                receipts = await self._control.call(self._revoke, revoked, False, "SIGTERM")
                self._count.add(len(revoked))
        except Exception as error:
            # A revoke that arrives after the result is gone would leave a REVOKED result behind.
            if broker_failure(error) is not None:
                self._thread.call(self._dispose_all, ids)
                raise
        await self._thread.call(self._forget, ids)
        self._emit_released(ids, frozenset(revoked), receipts)

    def _emit_released(
        self, ids: Sequence[str], revoked: frozenset[str], receipts: Sequence[Receipt] | None
    ) -> None:
        if not self._emitter.has_listeners:
            return
        at = self._emitter.now()
        for task_id in ids:
            if receipts is not None and task_id in revoked:
                self._emitter.emit(RevokeSent(at=at, task_id=task_id, receipts=tuple(receipts)))
            self._emitter.emit(Forgotten(at=at, task_id=task_id))

    def _forget(self, ids: list[str]) -> None:
        handles = [self._find(task_id) for task_id in ids]
        try:
            _each(handle.forget for handle in handles if handle is not None)
        finally:
            self._dispose_all(ids)

    def _dispose_all(self, ids: list[str]) -> None:
        for task_id in ids:
            self._dispose(task_id)

    def _revoke(self, ids: list[str], terminate: bool, signal: str) -> Sequence[Receipt]:
        if self._is_celery:
            return self._broadcast(ids, terminate, signal)
        how = {"terminate": True, "signal": signal} if terminate else {}
        handles = [self._find(task_id) for task_id in ids]
        _each(partial(handle.revoke, **how) for handle in handles if handle is not None)
        return []

    def _broadcast(self, ids: list[str], terminate: bool, signal: str) -> Sequence[Receipt]:
        try:
            if self._connection is None:
                self._connection = self._app.connection_for_write()
                self._connection.ensure_connection(
                    max_retries=1, interval_start=0, timeout=CONNECT_SECONDS
                )
            receipts = broadcast_revoke(
                self._app.control,
                self._connection,
                ids,
                terminate=terminate,
                signal=signal,
                seconds=REVOKE_SECONDS,
                # Without an expected number of answers, every call waits its full timeout.
                expected=self._workers,
            )
        except Exception:
            self.disconnect()
            raise
        self._workers = len({receipt.worker for receipt in receipts}) or None
        return receipts


def _each(calls: Iterable[Callable[[], Any]]) -> None:
    """Make all calls; raise the last error afterwards, but a broker's error at once."""
    failed: Exception | None = None
    for call in calls:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - one task's error must not affect the others
            failed = error
            if broker_failure(error) is not None:
                break
    if failed is not None:
        raise failed
