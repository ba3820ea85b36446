"""Time and ids, handed in from outside so that tests and pictures are exact."""

from __future__ import annotations

import time
from typing import Protocol

from kimera_tui.process.ids import draw_id


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
