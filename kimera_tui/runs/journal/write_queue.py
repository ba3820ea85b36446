"""The event loop's side of writing: events queue up for the journal's thread, a batch at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from kimera_tui.errors import JournalError
from kimera_tui.process.events import Event, Succeeded
from kimera_tui.process.loop.bus import Mailbox
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.loop.clock import Clock
from kimera_tui.process.loop.deliverer import Deliverer
from kimera_tui.runs.events import ResultKept, RunStarted

if TYPE_CHECKING:
    from kimera_tui.runs.journal.writer import JournalWriter

logger = logging.getLogger(__name__)
T = TypeVar("T")

BATCH_SECONDS = 0.25
"""How long events are collected while no caller waits for them."""
MAX_BATCH = 5000
"""Events in one transaction."""
MAX_QUEUED = 500_000
"""Events held while the disk accepts none; beyond that the oldest are dropped and counted."""
RETRY_SECONDS = 1.0


@dataclass(slots=True)
class _Entry:
    event: Event
    written: asyncio.Future[None] | None = None
    """Set if a caller waits until the event survives a loss of power."""
    happened: bool = False
    """Whether it came from the bus, so that it must be written even if nobody waits for it."""


class WriteQueue:
    """Passes events to the writer's thread, in order, one transaction after the other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._thread = CallThread("kimera-journal")
        self._mailbox: Mailbox | None = None
        self._queued: list[_Entry] = []
        self._facts: dict[Hashable, _Entry] = {}
        """The queued entries that happened, so that ``keep`` finds its event among them."""
        # Thousands may wait for one sync. They continue in portions, so the screen gets its turn.
        self._deliverer: Deliverer[None] = Deliverer()
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.writer: JournalWriter | None = None
        self.problem = ""
        """Why the last write failed, or an empty string."""
        self.lost = 0
        """How many events could not be written, not counting those that a caller waited for."""

    def call(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Call a function on the writer's thread."""
        return self._thread.call(function, *args)

    def collect(self, mailbox: Mailbox) -> Coroutine[Any, Any, None]:
        """Write what arrives in a mailbox, until cancelled; nothing is missed from now on."""
        self._mailbox = mailbox
        return self._collect(mailbox)

    async def flush(self) -> None:
        """Return once everything that has happened so far is written or has failed."""
        self._drain()
        self._write_soon()
        await self._idle.wait()

    async def keep(self, events: Sequence[Event]) -> None:
        """Return once the events are synced to disk, after everything that happened before them.

        Raises:
            JournalError: they could not be written.
            RunTaken: another console owns the run.
        """
        if self.writer is None:
            raise JournalError(self.problem or "The journal is not open; nothing was sent.")
        loop = asyncio.get_running_loop()
        self._drain()
        futures: list[asyncio.Future[None]] = []
        for event in events:
            future: asyncio.Future[None] = loop.create_future()
            futures.append(future)
            if (fact := self._facts.pop(_key(event), None)) is not None:
                fact.written = future
            else:
                self._queued.append(_Entry(event, future))
        self._write_soon()
        for each in futures:
            await each

    def close(self) -> None:
        """Stop listening, and let the thread end once it has finished its calls."""
        if self._mailbox is not None:
            self._mailbox.close()
            self._mailbox = None
        self._thread.close()

    async def _collect(self, mailbox: Mailbox) -> None:
        while True:
            await mailbox.wait()
            await asyncio.sleep(BATCH_SECONDS)
            self._drain()
            self._write_soon()

    def _drain(self) -> None:
        if self._mailbox is None:
            return
        entries = [_Entry(event, happened=True) for event in self._mailbox.drain()]
        self._queued += self._add_facts(entries)
        if (over := len(self._queued) - MAX_QUEUED) > 0:
            oldest = self._queued[:over]
            kept = [entry for entry in oldest if entry.written is not None]
            self.lost += over - len(kept)
            self._drop_facts(oldest)
            self._queued[:over] = kept

    def _add_facts(self, entries: list[_Entry]) -> list[_Entry]:
        self._facts.update((_key(entry.event), entry) for entry in entries)
        return entries

    def _drop_facts(self, entries: list[_Entry]) -> None:
        for entry in entries:
            self._facts.pop(_key(entry.event), None)

    def _write_soon(self) -> None:
        if not self._busy and self._queued and self.writer is not None:
            self._busy = True
            self._idle.clear()
            # In the next turn of the loop, so that all callers of this turn share a transaction.
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        batch, self._queued = self._queued[:MAX_BATCH], self._queued[MAX_BATCH:]
        self._drop_facts(batch)
        call = self._thread.call(self._write_batch, batch)
        call.add_done_callback(lambda done: self._written(batch, done))

    def _write_batch(self, batch: Sequence[_Entry]) -> Mapping[int, Exception]:
        if self.writer is None:
            raise JournalError("The journal was closed; nothing was sent.")
        return self.writer.write(
            [entry.event for entry in batch],
            durable=any(entry.written is not None for entry in batch),
            now=self._clock.now(),
        )

    def _written(self, batch: list[_Entry], done: asyncio.Future[Mapping[int, Exception]]) -> None:
        self._busy = False
        error = done.exception()
        rejected = done.result() if error is None else {}
        for entry in batch:
            failure = error or rejected.get(id(entry.event))
            if entry.written is not None:
                self._resolve(entry.written, failure)
            elif error is None and isinstance(failure, JournalError):
                self.lost += 1
        if error is None:
            self.problem = ""
            self._write_soon()
        else:
            self.problem = str(error)
            logger.error("The journal could not be written: %s", error)
            self._queued[:0] = self._add_facts(
                [_Entry(entry.event, happened=True) for entry in batch if _is_retried(entry)]
            )
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._write_soon)
        if not self._busy:
            self._idle.set()

    def _resolve(self, written: asyncio.Future[None], error: BaseException | None) -> None:
        if error is None:
            self._deliverer.deliver(written, None)
        elif not written.done():
            written.set_exception(error)
            written.exception()  # marks it as retrieved: its caller may have been cancelled


def _key(event: Event) -> Hashable:
    """Identifies an event in the queue; a queued success stands for the result it keeps."""
    return event.task_id if isinstance(event, Succeeded | ResultKept) else id(event)


def _is_retried(entry: _Entry) -> bool:
    """Whether an entry is written later if a write fails.

    A mere request is rejected for good, and so is the start of a run: nothing of it was sent.
    """
    return entry.happened and not isinstance(entry.event, RunStarted)
