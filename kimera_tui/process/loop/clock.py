"""Time and ids, injected so that tests and pictures are reproducible."""

from __future__ import annotations

import os
import time
from typing import Protocol

_AT_ONCE = 256


class RandomIds:
    """Random UUIDs (version 4) as text, one per call."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left: list[str] = []
        # A forked child must not draw the same ids as its parent.
        os.register_at_fork(after_in_child=self._forget)

    def __call__(self) -> str:
        """Return the next id."""
        try:
            return self._left.pop()
        except IndexError:
            digits = os.urandom(16 * _AT_ONCE).hex()
            drawn = [_uuid4(digits[at : at + 32]) for at in range(0, len(digits), 32)]
            last = drawn.pop()
            self._left += drawn
            return last

    def _forget(self) -> None:
        self._left.clear()


def _uuid4(digits: str) -> str:
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


draw_id = RandomIds()


class Clock(Protocol):
    """A source of time."""

    def now(self) -> float:
        """Seconds since the epoch, for display."""

    def monotonic(self) -> float:
        """Monotonic seconds, for durations."""


class SystemClock:
    """The system's clocks."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()


def new_id() -> str:
    """A new task id, in Celery's format."""
    return draw_id()
