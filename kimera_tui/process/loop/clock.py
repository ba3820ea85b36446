"""Time and ids, handed in from outside so that tests and pictures are exact."""

from __future__ import annotations

import os
import time
from typing import Protocol

_AT_ONCE = 256


class RandomIds:
    """Texts of random UUIDs (version 4), one per call."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left: list[str] = []
        # A child that draws on must not draw what its parent draws.
        os.register_at_fork(after_in_child=self._forget)

    def __call__(self) -> str:
        """The next one."""
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
    """Where the time comes from."""

    def now(self) -> float:
        """Seconds since the epoch, for what people read."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()


def new_id() -> str:
    """A fresh task id, of the form Celery uses."""
    return draw_id()
