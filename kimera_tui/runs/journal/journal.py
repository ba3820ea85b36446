"""The journal: every run with all its events on disk, nothing sent before it is written down."""

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
from kimera_tui.runs.journal.batching import Writing
from kimera_tui.runs.journal.leases import RENEW_SECONDS, OpenRun
from kimera_tui.runs.journal.owner import owner_name
from kimera_tui.runs.search.query import RunRow, parse, resolve

if TYPE_CHECKING:
    import sqlite3

    from kimera_tui.runs.journal.writer import Store

T = TypeVar("T")

HEED_SECONDS = 1.0
"""Between two looks for what other consoles ask."""
FORGET_SECONDS = 3600.0
"""Between two looks for runs that are too old or too much."""
MAILBOX = 1_000_000
"""Events between two looks into the mailbox; more than the engine tells in a second."""


class Journal:
    """Keeps runs in one SQLite file; used from one event loop, which it never blocks.

    Everything that happens to a run arrives on the bus and is written in batches. Where somebody
    has to know that a fact is on disk, before a message goes out or a result is let go, the batch
    up to that fact is written at once and synced. Who asks at the same time shares one sync.

    Args:
        path: The file.
        clock: Where the time comes from.
        new_id: Makes this console's name as an owner of runs.
    """

    def __init__(self, path: Path, clock: Clock, new_id: Callable[[], str] = new_id) -> None:
        self._path = path
        self._clock = clock
        self._owner = owner_name(new_id())
        self._writing = Writing(clock)
        self._reader = CallThread("kimera-history")
        self._reading: sqlite3.Connection | None = None
        self._opening = asyncio.Lock()
        self._background: list[asyncio.Task[None]] = []
        self._cancel: Callable[[str], None] | None = None
        self._failure: JournalError | None = None
        """Why it could not be opened for writing the last time."""
        self.notice = ""
        """What else is to be known of the file: that it was damaged and begun anew."""

    @property
    def problem(self) -> str:
        """Why runs are not saved, in a sentence, or an empty string."""
        return self._writing.problem

    @property
    def may_be_read(self) -> bool:
        """Whether there is a file to be read although it can't be written."""
        from kimera_tui.runs.journal.file_errors import Unwritable

        if not isinstance(self._failure, Unwritable):
            return False
        with contextlib.suppress(OSError):
            return self._path.stat().st_size > 0
        return False

    @property
    def lost(self) -> int:
        """How many events could not be written, besides those that somebody waited for."""
        return self._writing.lost

    async def open(self) -> None:
        """Open the file, made if need be; a failure is told by ``problem``."""
        with contextlib.suppress(JournalError):
            await self._opened()

    async def close(self) -> None:
        """Write what is left and give runs back that haven't ended."""
        for task in self._background:
            task.cancel()
        self._background.clear()
        if self._reading is not None:
            await self._reader.call(self._reading.close)
            self._reading = None
        store = self._writing.store
        if store is not None:  # the last one to close: only a writer clears up behind itself
            await self.flush()
            with contextlib.suppress(Exception):
                await self._writing.call(store.close)
            self._writing.store = None
        self._writing.close()
        self._reader.close()

    def follow(self, bus: EventBus) -> None:
        """Write down from now on what happens on the bus."""
        loop = asyncio.get_running_loop()
        self._background += [
            loop.create_task(self._writing.collect(bus.subscribe(MAILBOX)), name="kimera journal"),
            loop.create_task(self._stay_alive(), name="kimera lease"),
            loop.create_task(self._keep_heeding(), name="kimera requests"),
        ]

    def heed(self, cancel: Callable[[str], None]) -> None:
        """Have a function called with each run of ours that another console asks to cancel."""
        self._cancel = cancel

    async def flush(self) -> None:
        """Return once everything that has happened so far is written, or can't be."""
        await self._writing.flush()

    async def begin(
        self, started: RunStarted, parent: str = "", reused: Sequence[Event] = ()
    ) -> None:
        """Write down a new run, before anything of it is sent.

        Args:
            started: Its beginning, with the plan.
            parent: The run that it replays, unless ``started`` says so.
            reused: What is taken over from that run.

        Raises:
            JournalError: it could not be written; nothing may be sent.
        """
        await self._opened()
        if parent and not started.parent:
            started = replace(started, parent=parent)
        await self._writing.keep([started, *reused])

    async def intend(
        self,
        run_id: str,
        steps: Sequence[tuple[str, str, Sequence[Any], Mapping[str, Any]]],
        secret: frozenset[str] = frozenset(),
        server: str = "",
    ) -> None:
        """Write down what is about to be sent; steps of one loop turn share a transaction.

        Args:
            run_id: The run.
            steps: Path, task id, args and kwargs of each.
            secret: Names in kwargs whose values are left out.
            server: The run id of the broker's server.

        Raises:
            JournalError: it could not be written; nothing may be sent.
            RunTaken: another console has the run.
        """
        await self._writing.keep(
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
            RunTaken: another console has the run.
        """
        await self._writing.keep([ResultKept(at=self._clock.now(), task_id=task_id, result=result)])

    async def end(self, ended: RunEnded) -> None:
        """Write down a run's end.

        Raises:
            JournalError: it could not be written.
            RunTaken: another console has the run.
        """
        await self._writing.keep([ended])

    async def keep(self, event: Event) -> None:
        """Return once an event is on disk; raises as ``end`` does."""
        await self._writing.keep([event])

    async def runs(
        self, search: str = "", limit: int = 200, saved: Mapping[str, str] | None = None
    ) -> list[RunRow]:
        """Past and present runs, the latest first.

        Args:
            search: A search line; see ``runs.history``.
            limit: The most that are told.
            saved: Saved filters, which the line may name: their lines by their names.

        Raises:
            UsageError: the search can't be understood.
            JournalError: the journal can't be read.
        """
        from kimera_tui.runs.journal import queries

        wanted = resolve(parse(search), saved or {})
        return await self._read(queries.runs, wanted, limit, self._clock.now())

    async def events_of(self, run_id: str) -> list[Event]:
        """Everything that happened to a run, for a fold; empty for an unknown run.

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
        """Seconds in which half and 95 % of a task's last successes came; None for too few."""
        from kimera_tui.runs.journal import queries

        return await self._read(queries.usual, friend, task_name)

    async def usual_of_run(self, name: str) -> tuple[float, float] | None:
        """Seconds in which half and 95 % of the last runs of a name were done; None for few."""
        from kimera_tui.runs.journal import queries

        return await self._read(queries.usual_of_run, name)

    async def open_runs(self) -> list[OpenRun]:
        """Every run that has not ended."""
        store = await self._opened()
        return await self._on_thread(store.leases.open_runs, self._clock.now())

    async def ask_to_cancel(self, run_id: str) -> None:
        """Write down that a run is to be cancelled, whoever has it; whoever has it next obeys.

        Raises:
            RunTaken: it has ended.
            JournalError: it could not be written.
        """
        await self._opened()
        await self.keep(RunCancelled(at=self._clock.now(), run_id=run_id))

    async def take(self, run_id: str) -> list[Event]:
        """Become the owner of an open run that nobody is at; returns its events.

        Raises:
            RunTaken: somebody has it, or it has ended.
            UsageError: it can't go on, for its beginning can't be read.
            JournalError: the journal can't be written.
        """
        store = await self._opened()
        await self.flush()
        return await self._on_thread(store.take, run_id, self._clock.now())

    async def let_go(self, run_id: str) -> None:
        """Let other consoles take a run that was taken here; raises JournalError."""
        store = await self._opened()
        await self._on_thread(store.let_go, run_id)

    async def _opened(self) -> Store:
        async with self._opening:
            writing = self._writing
            if writing.store is None:
                from kimera_tui.runs.journal.file_errors import damaged_notice
                from kimera_tui.runs.journal.writer import Store

                try:
                    store = await self._on_thread(Store, self._path, self._owner)
                except JournalError as error:
                    writing.problem, self._failure = error.message, error
                    self.notice = await asyncio.to_thread(damaged_notice, self._path)
                    raise
                writing.store, writing.problem, self.notice = store, "", store.notice
                self._failure = None
            return writing.store

    async def _stay_alive(self) -> None:
        look_at = 0.0
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if (store := self._writing.store) is None:
                continue
            with contextlib.suppress(Exception):  # the next turn may have more luck
                await self._writing.call(store.leases.renew, self._clock.now())
                if (
                    self._clock.monotonic() >= look_at
                    and await self._writing.call(store.forget_old, self._clock.now()) == 0
                ):
                    look_at = self._clock.monotonic() + FORGET_SECONDS

    async def _keep_heeding(self) -> None:
        while True:
            await asyncio.sleep(HEED_SECONDS)
            if (store := self._writing.store) is None or self._cancel is None:
                continue
            with contextlib.suppress(Exception):  # the next turn may have more luck
                for run_id in await self._writing.call(store.cancel_requests):
                    self._cancel(run_id)

    async def _on_thread(self, call: Callable[..., T], *args: Any) -> T:
        from kimera_tui.runs.journal.file_errors import unusable

        try:
            return await self._writing.call(call, *args)
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
            return await self._reader.call(read_once, self._path, call, *args)
        try:
            if self._reading is None:
                self._reading = await self._reader.call(open_for_reading, self._path)
            return await self._reader.call(call, self._reading, *args)
        except KimeraError:
            raise
        except Exception as error:
            raise unreadable(self._path, error) from error
