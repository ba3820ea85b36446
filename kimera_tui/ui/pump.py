"""The pump: the only reader of the bus; folds events and hands them on, ten times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kimera_tui.process.bus import EventBus

TICK = 0.1
"""Seconds between two flushes."""


class Pump:
    """Carries events from the bus to the screen in batches."""

    def __init__(self, bus: EventBus, deliver: Callable[[list[Any], int], None]) -> None:
        self._mailbox = bus.subscribe()
        self._deliver = deliver

    async def run(self) -> None:
        """Deliver for ever; cancelling it ends the subscription."""
        with self._mailbox as mailbox:
            while True:
                await mailbox.wait()
                self.flush()
                await asyncio.sleep(TICK)

    def flush(self) -> None:
        """Deliver what is there now."""
        events = self._mailbox.drain()
        if events:
            self._deliver(events, self._mailbox.dropped)
