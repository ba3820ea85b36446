"""A timer wheel: thousands of deadlines share a few buckets, each found in constant time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic, TypeVar

B = TypeVar("B")


class TimerWheel(Generic[B]):
    """Buckets by the time at which they are due.

    Args:
        tick: Seconds that one bucket spans; its items are due up to this much late, never early.
        new_bucket: Creates an empty bucket, such as ``list``.
    """

    def __init__(self, tick: float, new_bucket: Callable[[], B]) -> None:
        self._tick = tick
        self._new_bucket = new_bucket
        self._buckets: dict[int, B] = {}
        self._order: list[int] = []

    @property
    def next_at(self) -> float | None:
        """When the earliest bucket is due, on the clock used for ``bucket``."""
        return self._order[0] * self._tick if self._order else None

    def bucket(self, at: float) -> B:
        """The bucket for items due at ``at``, in seconds of any one clock."""
        number = -int(-at // self._tick)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = self._new_bucket()
            heapq.heappush(self._order, number)
        return bucket

    def take_due(self, now: float) -> list[B]:
        """Remove and return the buckets that are due, oldest first."""
        due: list[B] = []
        while self._order and self._order[0] * self._tick <= now:
            due.append(self._buckets.pop(heapq.heappop(self._order)))
        return due
