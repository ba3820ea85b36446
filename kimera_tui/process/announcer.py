"""How the engine's parts say what happens: the bus and the clock, together."""

from __future__ import annotations

from kimera_tui.process.bus import EventBus
from kimera_tui.process.clock import Clock
from kimera_tui.process.events import Event


class Announcer:
    """Puts events on the bus; ``heard`` spares hot paths the building of unheard ones."""

    def __init__(self, bus: EventBus, clock: Clock) -> None:
        self.bus = bus
        self.clock = clock

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return self.bus.heard

    def now(self) -> float:
        """Seconds since the epoch, for the events' ``at``."""
        return self.clock.now()

    def tell(self, event: Event) -> None:
        """Announce an event."""
        self.bus.publish(event)
