"""Keeps the garbage collector from stopping the loop while thousands of tasks come and go."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sized

THRESHOLDS = (700, 5, 5000)
"""Small young generations, collected in 2 ms; a full collection after some 17 million objects."""
BUSY = 300
"""So many tasks in one ``WINDOW``, or in flight, begin the truce or let it go on."""
WINDOW = 1.0


class GcTruce:
    """Puts off full collections, which stop everything for 40 to 140 ms each.

    Nearly all that a full collection walks through are modules and classes that live as long as
    the process. The first truce takes them out of its sight, once and for all; nothing that comes
    later is, so nothing later can leak that way.

    Args:
        in_flight: The tasks in flight.
    """

    _frozen = False

    def __init__(self, in_flight: Sized) -> None:
        self._in_flight = in_flight
        self._before: tuple[int, int, int] | None = None
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def note_task(self) -> None:
        """Take note of one more task."""
        self._count += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WINDOW, self._look)
        if self._count == BUSY and self._before is None:
            self._begin()

    def end(self) -> None:
        """Go back to what was before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._before is not None:
            gc.set_threshold(*self._before)
            self._before = None

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
        self._before = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
