"""How long the servers of one engine have been away: time in which no task can be heard of."""

from __future__ import annotations

import time
from collections.abc import Callable


class Outages:
    """Adds up the seconds in which at least one server was away.

    Args:
        monotonic: Gives the time in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._away: set[object] = set()
        self._over = 0.0
        self._since = 0.0

    @property
    def seconds(self) -> float:
        """Seconds in all, those of an outage that goes on included."""
        return self._over + (self._monotonic() - self._since if self._away else 0.0)

    def begin(self, server: object) -> None:
        """A server is away."""
        if not self._away:
            self._since = self._monotonic()
        self._away.add(server)

    def end(self, server: object) -> None:
        """A server is back, or won't come back by waiting."""
        if server in self._away:
            self._away.discard(server)
            if not self._away:
                self._over += self._monotonic() - self._since
