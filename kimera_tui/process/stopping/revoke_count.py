"""Counts what is revoked: workers remember the last 50,000 ids only, for three hours."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from kimera_tui.process.events import ManyRevoked
from kimera_tui.process.loop.bus import Emitter

logger = logging.getLogger(__name__)

SECONDS = 10_800.0
"""How long a worker remembers a revoked id."""
MANY = 40_000
"""A worker remembers 50,000; beyond that it forgets the oldest, which it would run then."""


class RevokeCount:
    """Counts the ids revoked at one broker, and says once when they are many.

    Args:
        emitter: Where that is announced.
        now: Returns seconds of a clock that never goes back.
    """

    def __init__(self, emitter: Emitter, now: Callable[[], float] = time.monotonic) -> None:
        self._emitter = emitter
        self._now = now
        self._batches: deque[tuple[float, int]] = deque()
        self._total = 0
        self._told = False

    def add(self, count: int) -> None:
        """Count ids that were revoked now; call on the loop's thread."""
        now = self._now()
        self._batches.append((now, count))
        self._total += count
        while self._batches[0][0] < now - SECONDS:
            self._total -= self._batches.popleft()[1]
        if self._total > MANY and not self._told:
            self._told = True
            event = ManyRevoked(at=self._emitter.now(), count=self._total)
            logger.warning("%s", event.text)
            self._emitter.emit(event)
