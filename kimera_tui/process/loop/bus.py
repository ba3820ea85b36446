"""The event bus: publishers never wait, listeners have bounded mailboxes and count their losses."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Any

from kimera_tui.process.events import Event
from kimera_tui.process.loop.clock import Clock

MAILBOX_SIZE = 20_000


class Mailbox:
    """One listener's events, oldest first; when full the oldest fall out and are counted.

    A context manager: leaving it ends the subscription.
    """

    def __init__(self, bus: EventBus, size: int) -> None:
        self._bus = bus
        self._events: deque[Any] = deque(maxlen=size)
        self._ready = asyncio.Event()
        self.dropped = 0
        """How many events this listener has lost so far."""

    def offer(self, event: object) -> None:
        """Put an event in; never blocks."""
        if len(self._events) == self._events.maxlen:
            self.dropped += 1
        self._events.append(event)
        self._ready.set()

    def drain(self, most: int | None = None) -> list[Any]:
        """Take everything out, or the oldest few.

        Args:
            most: How many at most; None for all.
        """
        if most is not None and most < len(self._events):
            return [self._events.popleft() for _ in range(most)]
        events = list(self._events)
        self._events.clear()
        self._ready.clear()
        return events

    async def wait(self) -> None:
        """Return as soon as there is something to drain."""
        await self._ready.wait()

    def close(self) -> None:
        """End the subscription."""
        self._bus.unsubscribe(self)

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class EventBus:
    """Hands each event to every mailbox. Used from one event loop's thread."""

    def __init__(self) -> None:
        self._mailboxes: list[Mailbox] = []

    @property
    def heard(self) -> bool:
        """Whether anybody listens: hot paths don't even build an event when nobody does."""
        return bool(self._mailboxes)

    def subscribe(self, size: int = MAILBOX_SIZE) -> Mailbox:
        """Open a mailbox for all events from now on.

        Args:
            size: The most events it holds before it loses its oldest.
        """
        mailbox = Mailbox(self, size)
        self._mailboxes.append(mailbox)
        return mailbox

    def unsubscribe(self, mailbox: Mailbox) -> None:
        """Close a mailbox; closing twice is fine."""
        if mailbox in self._mailboxes:
            self._mailboxes.remove(mailbox)

    def publish(self, event: object) -> None:
        """Hand an event to everybody who listens."""
        for mailbox in self._mailboxes:
            mailbox.offer(event)


class Emitter:
    """Puts events on the bus; ``heard`` spares hot paths the building of unheard ones."""

    def __init__(self, bus: EventBus, clock: Clock) -> None:
        self.bus = bus
        self.clock = clock

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return self.bus.heard

    def now(self) -> float:
        """Seconds since the epoch, for the events' ``at``."""
        return self.clock.now()

    def emit(self, event: Event) -> None:
        """Publish an event."""
        self.bus.publish(event)
