"""A timer wheel: thousands of deadlines in buckets, each added and removed in constant time."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

T = TypeVar("T")

TICK = 0.05
"""Seconds that one bucket spans; an item is due up to this much late, never early."""


class TimerWheel(Generic[T]):
    """Items by the time at which they are due."""

    def __init__(self, tick: float = TICK) -> None:
        self._tick = tick
        self._buckets: dict[int, set[T]] = {}
        self._order: list[int] = []

    @property
    def next_at(self) -> float | None:
        """When the earliest bucket is due, on the clock used for ``add``."""
        return self._order[0] * self._tick if self._order else None

    def add(self, at: float, item: T) -> set[T]:
        """Make the item due at ``at``, or at most one tick later.

        Returns:
            The item's bucket, from which it can be discarded.
        """
        number = -int(-at // self._tick)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = set()
            heapq.heappush(self._order, number)
        bucket.add(item)
        return bucket

    def take_due(self, now: float) -> list[T]:
        """Remove and return everything that is due, oldest bucket first."""
        due: list[T] = []
        while self._order and self._order[0] * self._tick <= now:
            due += self._buckets.pop(heapq.heappop(self._order))
        return due
