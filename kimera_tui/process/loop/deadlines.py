"""Waits with a deadline, thousands at once, on one timer of the loop."""

from __future__ import annotations

import asyncio
from typing import Any

from kimera_tui.process.loop.wheel import TimerWheel

TICK = 0.02
"""Seconds that deadlines may share; a wait ends up to this much late, never early."""


class Deadlines:
    """Waits for futures on one event loop; only the earliest deadline has a timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._wheel: TimerWheel[set[asyncio.Future[None]]] = TimerWheel(TICK, set)
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, future: asyncio.Future[Any], seconds: float) -> bool:
        """Return whether the future is done within ``seconds``; it is never cancelled."""
        if future.done():
            return True
        waiter: asyncio.Future[None] = self.loop.create_future()

        def wake(_: object) -> None:
            if not waiter.done():
                waiter.set_result(None)

        future.add_done_callback(wake)
        bucket = self._wheel.bucket(self.loop.time() + seconds)
        bucket.add(waiter)
        self._set_timer()
        try:
            await waiter
        finally:
            bucket.discard(waiter)
            if not bucket:
                bucket.clear()  # a set keeps the memory of what it once held
            future.remove_done_callback(wake)
        return future.done()

    def _set_timer(self) -> None:
        if (due := self._wheel.next_at) is None:
            return
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self.loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        for bucket in self._wheel.take_due(self.loop.time()):
            for waiter in bucket:
                if not waiter.done():
                    waiter.set_result(None)
        self._set_timer()
