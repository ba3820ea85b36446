"""Keeps full garbage collections out of times when thousands of tasks come and go."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sized

THRESHOLDS = (700, 5, 5000)
"""Small young generations, collected in 2 ms; a full collection after some 17 million objects."""
BUSY = 300
"""Tasks in one ``WINDOW``, or in flight, that begin or prolong the truce."""
WINDOW = 1.0


class GcTruce:
    """Postpones full collections, which block the loop for 40 to 140 ms each.

    A full collection mostly walks through modules and classes that live as long as the process.
    The first truce freezes those, once; objects created later are not frozen, so none can leak.

    Args:
        in_flight: The tasks in flight.
    """

    _frozen = False

    def __init__(self, in_flight: Sized) -> None:
        self._in_flight = in_flight
        self._old_thresholds: tuple[int, int, int] | None = None
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def note_task(self) -> None:
        """Count one more task."""
        self._count += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WINDOW, self._look)
        if self._count == BUSY and self._old_thresholds is None:
            self._begin()

    def end(self) -> None:
        """Restore the previous thresholds."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._old_thresholds is not None:
            gc.set_threshold(*self._old_thresholds)
            self._old_thresholds = None

    def _look(self) -> None:
        self._timer = None
        busy = max(self._count, len(self._in_flight)) >= BUSY
        self._count = 0
        if busy:
            self._timer = asyncio.get_running_loop().call_later(WINDOW, self._look)
        else:
            self.end()

    def _begin(self) -> None:
        if not GcTruce._frozen:
            GcTruce._frozen = True
            gc.freeze()
        self._old_thresholds = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
