"""The pump: the only reader of the bus; folds events as they come, and paints at 10 Hz."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from kimera_tui.process.loop.bus import EventBus

TICK = 0.1
"""Seconds between two paintings."""
MAILBOX = 1_000_000
"""Events that may wait: as many as for the journal, since an event not folded is lost."""
PORTION = 64
FOLD_SECONDS = 0.003
"""The most time that one loop turn spends on folding; a burst is folded over many turns."""


class Pump:
    """Carries events from the bus to the screen.

    Args:
        bus: Where the events are.
        fold: Takes events in; called with a small portion at a time.
        show: Paints what was taken in; gets how many events were lost so far.
    """

    def __init__(
        self, bus: EventBus, fold: Callable[[list[Any]], None], show: Callable[[int], None]
    ) -> None:
        self._mailbox = bus.subscribe(MAILBOX)
        self._fold = fold
        self._show = show

    async def run(self) -> None:
        """Deliver for ever; cancelling it ends the subscription."""
        with self._mailbox as mailbox:
            while True:
                await mailbox.wait()
                await self._fold_until(time.monotonic() + TICK)
                self._show(mailbox.dropped)
                await asyncio.sleep(TICK)

    async def _fold_until(self, end: float) -> None:
        """Fold what waits, a little each loop turn, until the next painting is due."""
        while events := self._mailbox.drain(PORTION):
            until = time.monotonic() + FOLD_SECONDS
            while events and time.monotonic() < until:
                self._fold(events)
                events = self._mailbox.drain(PORTION)
            if events:
                self._fold(events)
            if time.monotonic() >= end:
                return
            await asyncio.sleep(0)

    def flush(self) -> None:
        """Fold and show everything that is there now."""
        if events := self._mailbox.drain():
            self._fold(events)
            self._show(self._mailbox.dropped)
