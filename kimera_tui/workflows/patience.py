"""How long a step is waited for when its queue has a time-out of its own."""

from __future__ import annotations

from kimera_tui.process.announcer import Announcer
from kimera_tui.process.bus import EventBus
from kimera_tui.process.events import StateSeen
from kimera_tui.process.following import Overtime

MAILBOX = 50_000


class Starts:
    """Hears when tasks begin, and tells how much time is left from there.

    Args:
        bus: Where starts are told: by the tasks, or by who asks the workers what they run.
        announcer: Has the time.
    """

    def __init__(self, bus: EventBus, announcer: Announcer) -> None:
        self._mailbox = bus.subscribe(MAILBOX)
        self._announcer = announcer
        self._seen: dict[str, float] = {}

    def close(self) -> None:
        """Stop listening."""
        self._mailbox.close()

    def patience(
        self, task_id: str, sent: float, start_timeout: float, timeout: float | None
    ) -> tuple[float, Overtime]:
        """Seconds to wait at first, and what says how many more.

        Args:
            task_id: The task.
            sent: When it was sent, in seconds since the epoch.
            start_timeout: Seconds that it may be in the queue.
            timeout: Seconds that it may take from its start; None for any time.
        """

        async def overtime() -> float:
            now, began = self._announcer.now(), self._began(task_id)
            if began is not None:
                return start_timeout if timeout is None else began + timeout - now
            queued = sent + start_timeout - now
            # Not so long that a start in between would let it run over its own time.
            return queued if timeout is None else min(queued, timeout)

        return min(start_timeout, timeout or start_timeout), overtime

    def _began(self, task_id: str) -> float | None:
        for event in self._mailbox.drain():
            if isinstance(event, StateSeen):
                self._seen.setdefault(event.task_id, event.at)
        return self._seen.get(task_id)
