"""How long an engine's servers were unavailable: time in which no result can arrive."""

from __future__ import annotations

import time
from collections.abc import Callable


class Outages:
    """Adds up the seconds in which at least one server was unavailable.

    Args:
        monotonic: Returns monotonic seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._away: set[object] = set()
        self._over = 0.0
        self._since = 0.0

    @property
    def seconds(self) -> float:
        """Seconds in total, including the current outage."""
        return self._over + (self._monotonic() - self._since if self._away else 0.0)

    def begin(self, server: object) -> None:
        """Note that a server is unavailable."""
        if not self._away:
            self._since = self._monotonic()
        self._away.add(server)

    def end(self, server: object) -> None:
        """Note that a server is back, or that waiting will not bring it back."""
        if server in self._away:
            self._away.discard(server)
            if not self._away:
                self._over += self._monotonic() - self._since
