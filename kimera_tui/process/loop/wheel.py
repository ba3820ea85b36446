"""A timer wheel: thousands of deadlines in buckets, each added and taken out in constant time."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Generic, TypeVar

T = TypeVar("T")

TICK = 0.05
"""Seconds that one bucket spans; an item comes up to this much late, never early."""


class TimerWheel(Generic[T]):
    """Items by the time at which they are due."""

    def __init__(self, tick: float = TICK) -> None:
        self._tick = tick
        self._buckets: defaultdict[int, list[T]] = defaultdict(list)
        self._order: list[int] = []

    @property
    def next_at(self) -> float | None:
        """When the earliest bucket is due, on the clock that ``add`` was given."""
        return self._order[0] * self._tick if self._order else None

    def add(self, at: float, item: T) -> None:
        """Have the item come up at ``at``, or at most one tick later."""
        number = -int(-at // self._tick)
        if number not in self._buckets:
            heapq.heappush(self._order, number)
        self._buckets[number].append(item)

    def take_due(self, now: float) -> list[T]:
        """Take out everything that is due, oldest bucket first."""
        due: list[T] = []
        while self._order and self._order[0] * self._tick <= now:
            due += self._buckets.pop(heapq.heappop(self._order))
        return due
