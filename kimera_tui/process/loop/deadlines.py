"""Waiting with a deadline, thousands of times at once, on one timer of the loop."""

from __future__ import annotations

import asyncio
import heapq
from typing import Any

TICK = 0.02
"""Seconds that deadlines may share; a wait ends up to this much late, never early."""
_Waiter = asyncio.Future[None]


class Deadlines:
    """Waits for futures on one event loop.

    Deadlines that are close together share a bucket; only the earliest bucket has a timer.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._buckets: dict[int, set[_Waiter]] = {}
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, future: asyncio.Future[Any], seconds: float) -> bool:
        """Return whether the future is done within ``seconds``; it is never cancelled."""
        if future.done():
            return True
        waiter: _Waiter = self.loop.create_future()

        def wake(_: object) -> None:
            if not waiter.done():
                waiter.set_result(None)

        number = -int(-(self.loop.time() + seconds) // TICK)
        future.add_done_callback(wake)
        bucket = self._bucket(number)
        bucket.add(waiter)
        try:
            await waiter
        finally:
            bucket.discard(waiter)
            if not bucket:
                bucket.clear()  # a set keeps the room of what it once held
            future.remove_done_callback(wake)
        return future.done()

    def _bucket(self, number: int) -> set[_Waiter]:
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = set()
            heapq.heappush(self._order, number)
            self._set_timer()
        return bucket

    def _set_timer(self) -> None:
        due = self._order[0] * TICK
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self.loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self.loop.time()
        while self._order and self._order[0] * TICK <= now:
            for waiter in self._buckets.pop(heapq.heappop(self._order)):
                if not waiter.done():
                    waiter.set_result(None)
        if self._order:
            self._set_timer()
