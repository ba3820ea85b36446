"""The event bus: publishers never wait, listeners have bounded mailboxes that count losses."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Any

from kimera_tui.process.events import Event
from kimera_tui.process.loop.clock import Clock

MAILBOX_SIZE = 20_000


class Mailbox:
    """One listener's events, oldest first; a full mailbox drops and counts its oldest events.

    A context manager: leaving it ends the subscription.
    """

    def __init__(self, bus: EventBus, size: int) -> None:
        self._bus = bus
        self._events: deque[Any] = deque(maxlen=size)
        self._ready = asyncio.Event()
        self.dropped = 0
        """Number of events dropped so far."""

    def offer(self, event: object) -> None:
        """Add an event; never blocks."""
        if len(self._events) == self._events.maxlen:
            self.dropped += 1
        self._events.append(event)
        self._ready.set()

    def drain(self, most: int | None = None) -> list[Any]:
        """Remove and return the events, oldest first.

        Args:
            most: The maximum number; None for all.
        """
        if most is not None and most < len(self._events):
            return [self._events.popleft() for _ in range(most)]
        events = list(self._events)
        self._events.clear()
        self._ready.clear()
        return events

    async def wait(self) -> None:
        """Return as soon as there are events to drain."""
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
    """Hands each event to every mailbox. For use on the event loop's thread only."""

    def __init__(self) -> None:
        self._mailboxes: list[Mailbox] = []

    @property
    def has_listeners(self) -> bool:
        """Whether anybody listens; hot paths build no event otherwise."""
        return bool(self._mailboxes)

    def subscribe(self, size: int = MAILBOX_SIZE) -> Mailbox:
        """Open a mailbox that receives all events from now on.

        Args:
            size: The number of events it holds before it drops the oldest.
        """
        mailbox = Mailbox(self, size)
        self._mailboxes.append(mailbox)
        return mailbox

    def unsubscribe(self, mailbox: Mailbox) -> None:
        """Close a mailbox; closing it twice is fine."""
        if mailbox in self._mailboxes:
            self._mailboxes.remove(mailbox)

    def publish(self, event: object) -> None:
        """Hand an event to every listener."""
        for mailbox in self._mailboxes:
            mailbox.offer(event)


class Emitter:
    """Puts events on the bus and supplies their time."""

    def __init__(self, bus: EventBus, clock: Clock) -> None:
        self.bus = bus
        self.clock = clock

    @property
    def has_listeners(self) -> bool:
        """Whether anybody listens."""
        return self.bus.has_listeners

    def now(self) -> float:
        """Seconds since the epoch, for the events' ``at``."""
        return self.clock.now()

    def emit(self, event: Event) -> None:
        """Publish an event."""
        self.bus.publish(event)
