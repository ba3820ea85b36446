"""The way into the journal: events in batches, and those that somebody waits for at once."""

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
    from kimera_tui.runs.journal.writer import Store

logger = logging.getLogger(__name__)
T = TypeVar("T")

BATCH_SECONDS = 0.25
"""How long events that nobody waits for are collected."""
MOST_AT_ONCE = 5000
"""Events of one transaction."""
MOST_WAITING = 500_000
"""Events that are kept for a disk that takes none; then the oldest are lost, and counted."""
RETRY_SECONDS = 1.0


@dataclass(slots=True)
class _Entry:
    event: Event
    written: asyncio.Future[None] | None = None
    """Somebody waits until it is safe from a loss of power."""
    happened: bool = False
    """It was told on the bus, so it is to be written whoever waits for it."""


class Writing:
    """Hands events to the store's thread, in their order and one transaction after the other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._thread = CallThread("kimera-journal")
        self._mailbox: Mailbox | None = None
        self._waiting: list[_Entry] = []
        self._facts: dict[Hashable, _Entry] = {}
        """Those of the waiting that happened, to be found by who wants one kept."""
        # Thousands may wait for one sync: they go on in portions, so that the screen has its turn.
        self._deliverer: Deliverer[None] = Deliverer()
        self._under_way = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.store: Store | None = None
        self.problem = ""
        """Why the last try to write failed, or an empty string."""
        self.lost = 0
        """How many events could not be written, besides those that somebody waited for."""

    def call(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Have something called on the store's thread."""
        return self._thread.call(function, *args)

    def collect(self, mailbox: Mailbox) -> Coroutine[Any, Any, None]:
        """Write what comes into a mailbox, until cancelled; nothing is missed from now on."""
        self._mailbox = mailbox
        return self._collect(mailbox)

    async def flush(self) -> None:
        """Return once everything that has happened so far is written, or can't be."""
        self._drain()
        self._write_soon()
        await self._idle.wait()

    async def keep(self, events: Sequence[Event]) -> None:
        """Return once the events are synced to disk, after all that happened before them.

        Raises:
            JournalError: they could not be written.
            RunTaken: another console has the run.
        """
        if self.store is None:
            raise JournalError(self.problem or "The journal is not open; nothing was sent.")
        loop = asyncio.get_running_loop()
        self._drain()
        futures: list[asyncio.Future[None]] = []
        for event in events:
            future: asyncio.Future[None] = loop.create_future()
            futures.append(future)
            if (fact := self._facts.pop(_name(event), None)) is not None:
                fact.written = future
            else:
                self._waiting.append(_Entry(event, future))
        self._write_soon()
        for each in futures:
            await each

    def close(self) -> None:
        """Stop listening, and let the thread end after what it already has."""
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
        told = [_Entry(event, happened=True) for event in self._mailbox.drain()]
        self._waiting += self._as_facts(told)
        if (over := len(self._waiting) - MOST_WAITING) > 0:
            oldest = self._waiting[:over]
            kept = [entry for entry in oldest if entry.written is not None]
            self.lost += over - len(kept)
            self._no_facts(oldest)
            self._waiting[:over] = kept

    def _as_facts(self, entries: list[_Entry]) -> list[_Entry]:
        self._facts.update((_name(entry.event), entry) for entry in entries)
        return entries

    def _no_facts(self, entries: list[_Entry]) -> None:
        for entry in entries:
            self._facts.pop(_name(entry.event), None)

    def _write_soon(self) -> None:
        if not self._under_way and self._waiting and self.store is not None:
            self._under_way = True
            self._idle.clear()
            # In the next turn, so that all who ask in this one share the transaction.
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        self._no_facts(batch)
        call = self._thread.call(self._write_batch, batch)
        call.add_done_callback(lambda done: self._written(batch, done))

    def _write_batch(self, batch: Sequence[_Entry]) -> Mapping[int, Exception]:
        if self.store is None:
            raise JournalError("The journal was closed; nothing was sent.")
        return self.store.write(
            [entry.event for entry in batch],
            durable=any(entry.written is not None for entry in batch),
            now=self._clock.now(),
        )

    def _written(self, batch: list[_Entry], done: asyncio.Future[Mapping[int, Exception]]) -> None:
        self._under_way = False
        error = done.exception()
        refused = done.result() if error is None else {}
        for entry in batch:
            why = error or refused.get(id(entry.event))
            if entry.written is not None:
                self._tell(entry.written, why)
            elif error is None and isinstance(why, JournalError):
                self.lost += 1
        if error is None:
            self.problem = ""
            self._write_soon()
        else:
            self.problem = str(error)
            logger.error("The journal could not be written: %s", error)
            self._waiting[:0] = self._as_facts(
                [_Entry(entry.event, happened=True) for entry in batch if _is_to_come(entry)]
            )
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._write_soon)
        if not self._under_way:
            self._idle.set()

    def _tell(self, written: asyncio.Future[None], error: BaseException | None) -> None:
        if error is None:
            self._deliverer.deliver(written, None)
        elif not written.done():
            written.set_exception(error)
            written.exception()  # who waited may be gone: that is no error of its own


def _name(event: Event) -> Hashable:
    """By which an event is found again: a success that waits keeps its result by itself."""
    return event.task_id if isinstance(event, Succeeded | ResultKept) else id(event)


def _is_to_come(entry: _Entry) -> bool:
    """Whether it is written later when it couldn't be now.

    What was only asked for is refused for good, and so is a beginning: nothing of it was sent.
    """
    return entry.happened and not isinstance(entry.event, RunStarted)
