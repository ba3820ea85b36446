"""Listens to the workers' events through kombu, on a thread: for brokers other than Redis."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kimera_tui.cluster.facts import Fact
from kimera_tui.cluster.worker_events import facts_of
from kimera_tui.process.loop.clock import Clock

TRY_AGAIN = 2.0
"""Seconds before a lost connection is retried."""
QUIET_SECONDS = 1.0
"""How soon the thread notices that it should end."""
MOST_WAITING = 20_000
"""Facts kept between two turns of the loop; beyond this the oldest are dropped."""
PER_TURN = 500
"""Facts handed over in one turn of the loop."""


class KombuFeed:
    """Subscribes to the events of all workers.

    Workers send heartbeats unless that is switched off, and task events only with ``-E``; this
    does not switch them on.

    Args:
        app: The Celery app.
        clock: Tells the time of arrival.
        on_facts: Called on the loop with what arrived.
    """

    def __init__(self, app: Any, clock: Clock, on_facts: Callable[[Sequence[Fact]], None]) -> None:
        self._app = app
        self._clock = clock
        self._on_facts = on_facts
        self._waiting: deque[Fact] = deque(maxlen=MOST_WAITING)
        self._called = False
        self._end = threading.Event()
        self._receiver: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start listening; requires a running loop."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, name="kimera-feed", daemon=True).start()

    async def close(self) -> None:
        """Let the thread end, within a second or two."""
        self._end.set()
        if self._receiver is not None:
            self._receiver.should_stop = True

    def _listen(self) -> None:
        while not self._end.is_set():
            with contextlib.suppress(Exception):  # a lost connection; it is retried
                self._receive()
            self._end.wait(TRY_AGAIN)

    def _receive(self) -> None:
        with self._app.connection_for_read(connect_timeout=QUIET_SECONDS * 3) as connection:
            self._receiver = self._app.events.Receiver(
                connection, handlers={"*": self._take}, routing_key="#"
            )
            self._receiver.should_stop = self._end.is_set()
            self._receiver.capture(limit=None, timeout=None, wakeup=False)

    def _take(self, event: object) -> None:
        self._waiting.extend(facts_of(event, self._clock.now()))
        if self._waiting and not self._called:
            self._call_soon()

    def _call_soon(self) -> None:
        if self._loop is not None:
            self._called = True
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        self._called = False  # before taking: what is added from now on calls again
        count = min(PER_TURN, len(self._waiting))
        self._on_facts([self._waiting.popleft() for _ in range(count)])
        if self._waiting:
            self._call_soon()
