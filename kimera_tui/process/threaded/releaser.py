"""Revokes and forgets finished tasks by way of threads, in batches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from kimera_tui.process.engine import Receipt, read_receipts
from kimera_tui.process.events import Forgotten, RevokeSent
from kimera_tui.process.failures import broker_failure
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.call_thread import CallThread

RELEASE_WINDOW = 0.2
"""Seconds in which finished tasks are collected into one release."""
REVOKE_SECONDS = 1.0
CONNECT_SECONDS = 3.0
PER_BROADCAST = 200


class ThreadReleaser:
    """Releases: revoked first, then forgotten.

    Revokes wait for acknowledgements, so they have a thread of their own; results are forgotten on
    the thread that owns the backend.

    Args:
        app: A Celery app, or a stand-in.
        is_celery: Whether it has Celery's remote control.
        threads: The thread of the result backend, and the one for revokes.
        find: Gives what ``send_task`` returned for a task id, or None.
        dispose: Lets one of them go, on the first thread.
        emitter: Where releases are told.
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
        self._task: asyncio.Task[None] | None = None

    def release(self, task_id: str) -> None:
        """Put the task into the next batch."""
        self._pending.append(task_id)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._later())

    async def revoke(
        self, task_ids: Sequence[str], *, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Sequence[Receipt]:
        """Revoke now; a stand-in without ``control`` is asked through its results."""
        try:
            return await self._control.call(self._revoke, list(task_ids), terminate, signal)
        except Exception as error:
            if (away := broker_failure(error)) is not None:
                raise away from error
            raise

    async def settle(self) -> None:
        """Wait for the batch under way."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    def disconnect(self) -> None:
        """Give the connection for revokes up; on the revokes' thread."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.release()

    async def _later(self) -> None:
        try:
            await asyncio.sleep(RELEASE_WINDOW)
        finally:  # a loop that ends cancels the sleep; what is pending is released all the same
            while self._pending:
                ids = self._pending[:PER_BROADCAST]
                del self._pending[:PER_BROADCAST]
                with contextlib.suppress(Exception):  # results go by themselves when they expire
                    await self._release(ids)

    async def _release(self, ids: list[str]) -> None:
        receipts: Sequence[Receipt] | None = None
        try:
            receipts = await self._control.call(self._revoke, ids, False, "SIGTERM")
        except Exception as error:
            # A revoke that comes after its result is gone would leave a REVOKED result behind.
            if broker_failure(error) is not None:
                self._thread.call(self._dispose_all, ids)
                raise
        await self._thread.call(self._forget, ids)
        self._tell_released(ids, receipts)

    def _tell_released(self, ids: Sequence[str], receipts: Sequence[Receipt] | None) -> None:
        if not self._emitter.heard:
            return
        at = self._emitter.now()
        for task_id in ids:
            if receipts is not None:
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
            replies = self._app.control.revoke(
                ids,
                terminate=terminate,
                signal=signal,
                reply=True,
                timeout=REVOKE_SECONDS,
                # Without a number of answers to expect, every call waits its whole time-out.
                limit=self._workers,
                connection=self._connection,
            )
        except Exception:
            self.disconnect()
            raise
        receipts = [receipt for reply in replies or [] for receipt in read_receipts(reply)]
        self._workers = len(receipts) or None
        return receipts


def _each(calls: Iterable[Callable[[], Any]]) -> None:
    """Make all calls; the last error is raised afterwards, and one of the broker's at once."""
    failed: Exception | None = None
    for call in calls:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - one task's trouble isn't the others'
            failed = error
            if broker_failure(error) is not None:
                break
    if failed is not None:
        raise failed
