"""The journal: all events of every run on disk, and nothing sent before it is written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kimera_tui.errors import JournalError, KimeraError, UsageError
from kimera_tui.process.events import Event
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.loop.clock import Clock, new_id
from kimera_tui.runs.events import ResultKept, RunCancelled, RunEnded, RunStarted, StepIntended
from kimera_tui.runs.index import RunState, folded
from kimera_tui.runs.journal.leases import RENEW_SECONDS, OpenRun, owner_name
from kimera_tui.runs.journal.write_queue import WriteQueue
from kimera_tui.runs.search.query import RunRow, parse, resolve

if TYPE_CHECKING:
    import sqlite3

    from kimera_tui.runs.journal.writer import JournalWriter

T = TypeVar("T")

CANCEL_SECONDS = 1.0
"""Between two checks for cancel requests of other consoles."""
RETENTION_SECONDS = 3600.0
"""Between two checks for runs to delete."""
MAILBOX = 1_000_000
"""Events that fit into the mailbox between two batches; more than the engine emits in a second."""


class Journal:
    """Keeps runs in one SQLite file; used from one event loop, which it never blocks.

    Everything that happens to a run arrives on the bus and is written in batches. When a caller
    must know that a fact is on disk, before a message is published or a result released, the batch
    up to that fact is written at once and synced. Callers in the same loop turn share one sync.

    Args:
        path: The file.
        clock: Provides the time.
        new_id: Makes this console's name as an owner of runs unique.
    """

    def __init__(self, path: Path, clock: Clock, new_id: Callable[[], str] = new_id) -> None:
        self._path = path
        self._clock = clock
        self._owner = owner_name(new_id())
        self._queue = WriteQueue(clock)
        self._read_thread = CallThread("kimera-history")
        self._read_connection: sqlite3.Connection | None = None
        self._opening = asyncio.Lock()
        self._background: list[asyncio.Task[None]] = []
        self._cancel: Callable[[str], None] | None = None
        self._failure: JournalError | None = None
        """Why the last attempt to open it for writing failed."""
        self.notice = ""
        """Where a damaged file was set aside, in a sentence, or an empty string."""

    @property
    def problem(self) -> str:
        """Why runs are not saved, in a sentence, or an empty string."""
        return self._queue.problem

    @property
    def may_be_read(self) -> bool:
        """Whether the file can't be written but may be readable."""
        from kimera_tui.runs.journal.file_errors import Unwritable

        if not isinstance(self._failure, Unwritable):
            return False
        with contextlib.suppress(OSError):
            return self._path.stat().st_size > 0
        return False

    @property
    def lost(self) -> int:
        """How many events could not be written, not counting those that a caller waited for."""
        return self._queue.lost

    async def open(self) -> None:
        """Open the file, creating it if needed; ``problem`` says why if that fails."""
        with contextlib.suppress(JournalError):
            await self._opened()

    async def close(self) -> None:
        """Write what is queued, release our open runs and close the file."""
        for task in self._background:
            task.cancel()
        self._background.clear()
        if self._read_connection is not None:
            await self._read_thread.call(self._read_connection.close)
            self._read_connection = None
        writer = self._queue.writer
        if writer is not None:  # it closes last: only a writing connection removes SQLite's files
            await self.flush()
            with contextlib.suppress(Exception):
                await self._queue.call(writer.close)
            self._queue.writer = None
        self._queue.close()
        self._read_thread.close()

    def follow(self, bus: EventBus) -> None:
        """Write the events of a bus from now on."""
        loop = asyncio.get_running_loop()
        self._background += [
            loop.create_task(self._queue.collect(bus.subscribe(MAILBOX)), name="kimera journal"),
            loop.create_task(self._renew_leases(), name="kimera lease"),
            loop.create_task(self._watch_cancel_requests(), name="kimera requests"),
        ]

    def on_cancel_request(self, cancel: Callable[[str], None]) -> None:
        """Call a function with each run of ours that another console asks to cancel."""
        self._cancel = cancel

    async def flush(self) -> None:
        """Return once everything that has happened so far is written or has failed."""
        await self._queue.flush()

    async def begin(
        self, started: RunStarted, parent: str = "", reused: Sequence[Event] = ()
    ) -> None:
        """Write a new run before any of its steps is sent.

        Args:
            started: Its start, with the plan.
            parent: The run that it replays, unless ``started`` names it.
            reused: The results reused from that run.

        Raises:
            JournalError: it could not be written; nothing may be sent.
            RunRefused: as many runs as its concurrency limit allows are open.
        """
        await self._opened()
        if parent and not started.parent:
            started = replace(started, parent=parent)
        await self._queue.keep([started, *reused])

    async def intend(
        self,
        run_id: str,
        steps: Sequence[tuple[str, str, Sequence[Any], Mapping[str, Any]]],
        secret: frozenset[str] = frozenset(),
        server: str = "",
    ) -> None:
        """Write what is about to be sent; steps of one loop turn share a transaction.

        Args:
            run_id: The run.
            steps: Path, task id, args and kwargs of each.
            secret: Names in kwargs whose values are left out.
            server: The run id of the broker's server.

        Raises:
            JournalError: it could not be written; nothing may be sent.
            RunTaken: another console owns the run.
        """
        await self._queue.keep(
            [
                StepIntended(
                    at=self._clock.now(), run_id=run_id, path=path, task_id=task_id,
                    args=tuple(args), kwargs=dict(kwargs), secret=secret, server=server,
                )
                for path, task_id, args, kwargs in steps
            ]
        )  # fmt: skip

    async def keep_result(self, run_id: str, path: str, task_id: str, result: Any) -> None:
        """Return once a result is on disk; only then may it be released.

        Raises:
            JournalError: it could not be written.
            RunTaken: another console owns the run.
        """
        await self._queue.keep([ResultKept(at=self._clock.now(), task_id=task_id, result=result)])

    async def end(self, ended: RunEnded) -> None:
        """Write a run's end.

        Raises:
            JournalError: it could not be written.
            RunTaken: another console owns the run.
        """
        await self._queue.keep([ended])

    async def keep(self, event: Event) -> None:
        """Return once an event is on disk; raises as ``end`` does."""
        await self._queue.keep([event])

    async def runs(
        self, search: str = "", limit: int = 200, saved: Mapping[str, str] | None = None
    ) -> list[RunRow]:
        """Past and present runs, the latest first.

        Args:
            search: A search line; see ``runs.search.query``.
            limit: How many runs to return at most.
            saved: The saved filters that the line may refer to: their lines by their names.

        Raises:
            UsageError: the search line is invalid.
            JournalError: the journal can't be read.
        """
        from kimera_tui.runs.journal import queries

        condition = resolve(parse(search), saved or {})
        return await self._read(queries.runs, condition, limit, self._clock.now())

    async def events_of(self, run_id: str) -> list[Event]:
        """All events of a run, in order; empty for an unknown run.

        Raises:
            JournalError: the journal can't be read.
        """
        from kimera_tui.runs.journal import queries

        await self.flush()
        return await self._read(queries.events_of_run, run_id)

    async def run(self, run_id: str) -> RunState:
        """A run as its events tell it, folded off the loop.

        Raises:
            UsageError: there is no such run, or its start is not kept.
            JournalError: the journal can't be read.
        """
        run = await asyncio.to_thread(folded, await self.events_of(run_id))
        if run is None:
            raise UsageError(f"Run {run_id[:8]} cannot be read: its start is not in the journal.")
        return run

    async def usual(self, friend: str, task_name: str) -> tuple[float, float] | None:
        """Seconds within which 50 % and 95 % of a task's last successes ended; None if too few."""
        from kimera_tui.runs.journal import queries

        return await self._read(queries.usual, friend, task_name)

    async def usual_of_run(self, name: str) -> tuple[float, float] | None:
        """Seconds within which 50 % and 95 % of a workflow's last runs were done; None if few."""
        from kimera_tui.runs.journal import queries

        return await self._read(queries.usual_of_run, name)

    async def open_runs(self) -> list[OpenRun]:
        """Every run that has not ended.

        Raises:
            JournalError: the journal can't be used.
        """
        writer = await self._opened()
        return await self._on_thread(writer.leases.open_runs, self._clock.now())

    async def ask_to_cancel(self, run_id: str) -> None:
        """Write a cancel request for a run, which its present or next owner carries out.

        Raises:
            RunTaken: it has ended.
            JournalError: it could not be written.
        """
        await self._opened()
        await self.keep(RunCancelled(at=self._clock.now(), run_id=run_id))

    async def take(self, run_id: str) -> list[Event]:
        """Become the owner of an open run without a living owner; returns its events.

        Raises:
            RunTaken: it has a living owner, or has ended.
            UsageError: its start can't be read, so it can't be resumed.
            JournalError: the journal can't be written.
        """
        writer = await self._opened()
        await self.flush()
        return await self._on_thread(writer.take, run_id, self._clock.now())

    async def release(self, run_id: str) -> None:
        """Let other consoles take a run that was taken here.

        Raises:
            JournalError: the journal can't be written.
        """
        writer = await self._opened()
        await self._on_thread(writer.release, run_id)

    async def _opened(self) -> JournalWriter:
        async with self._opening:
            queue = self._queue
            if queue.writer is None:
                from kimera_tui.runs.journal.file import damaged_notice
                from kimera_tui.runs.journal.writer import JournalWriter

                try:
                    writer = await self._on_thread(JournalWriter, self._path, self._owner)
                except JournalError as error:
                    queue.problem, self._failure = error.message, error
                    self.notice = await asyncio.to_thread(damaged_notice, self._path)
                    raise
                queue.writer, queue.problem, self.notice = writer, "", writer.notice
                self._failure = None
            return queue.writer

    async def _renew_leases(self) -> None:
        next_deletion = 0.0
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if (writer := self._queue.writer) is None:
                continue
            with contextlib.suppress(Exception):  # it is tried again in the next round
                await self._queue.call(writer.leases.renew, self._clock.now())
                if (
                    self._clock.monotonic() >= next_deletion
                    and await self._queue.call(writer.delete_old, self._clock.now()) == 0
                ):
                    next_deletion = self._clock.monotonic() + RETENTION_SECONDS

    async def _watch_cancel_requests(self) -> None:
        while True:
            await asyncio.sleep(CANCEL_SECONDS)
            if (writer := self._queue.writer) is None or self._cancel is None:
                continue
            with contextlib.suppress(Exception):  # it is tried again in the next round
                for run_id in await self._queue.call(writer.cancel_requests):
                    self._cancel(run_id)

    async def _on_thread(self, call: Callable[..., T], *args: Any) -> T:
        from kimera_tui.runs.journal.file_errors import unusable

        try:
            return await self._queue.call(call, *args)
        except KimeraError:
            raise
        except Exception as error:
            raise unusable(self._path, error) from error

    async def _read(self, call: Callable[..., T], *args: Any) -> T:
        from kimera_tui.runs.journal.file import open_for_reading, read_once
        from kimera_tui.runs.journal.file_errors import Unwritable, unreadable

        if not self.may_be_read:
            try:
                await self._opened()
            except Unwritable:
                if not self.may_be_read:
                    raise
        if self.may_be_read:
            return await self._read_thread.call(read_once, self._path, call, *args)
        try:
            if self._read_connection is None:
                self._read_connection = await self._read_thread.call(open_for_reading, self._path)
            return await self._read_thread.call(call, self._read_connection, *args)
        except KimeraError:
            raise
        except Exception as error:
            raise unreadable(self._path, error) from error
