"""How long a step is waited for when its queue has a time-out of its own."""

from __future__ import annotations

import asyncio

from kimera_tui.process.call import Overtime
from kimera_tui.process.events import StateSeen
from kimera_tui.process.loop.bus import Emitter, EventBus

MAILBOX = 1_000_000
"""Events between two turns of the loop; more than the engine tells in one."""


class Starts:
    """Hears when tasks begin, and tells how much time is left from there.

    Args:
        bus: Where starts are told: by the tasks, or by who asks the workers what they run.
        emitter: Has the time.
    """

    def __init__(self, bus: EventBus, emitter: Emitter) -> None:
        self._mailbox = bus.subscribe(MAILBOX)
        self._emitter = emitter
        self._began: dict[str, float | None] = {}
        """When each task began that is asked for; None for not yet, as far as is known."""
        # Not only when a wait is over: until then a mailbox would hold all that others tell.
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    def close(self) -> None:
        """Stop listening."""
        self._listening.cancel()
        self._mailbox.close()

    def patience(
        self,
        task_id: str,
        sent: float,
        start_timeout: float,
        timeout: float | None,
        began: float | None = None,
    ) -> tuple[float, Overtime]:
        """Seconds to wait at first, and what says how many more.

        Args:
            task_id: The task.
            sent: When it was sent, in seconds since the epoch.
            start_timeout: Seconds that it may be in the queue.
            timeout: Seconds that it may take from its start; None for any time.
            began: When it began, if that is known already.
        """
        self._began[task_id] = began

        async def overtime() -> float:
            self._take_in()
            now, began = self._emitter.now(), self._began[task_id]
            if began is not None:
                return start_timeout if timeout is None else began + timeout - now
            queued = sent + start_timeout - now
            # Not so long that a start in between would let it run over its own time.
            return queued if timeout is None else min(queued, timeout)

        return min(start_timeout, timeout or start_timeout), overtime

    async def _listen(self) -> None:
        while True:
            await self._mailbox.wait()
            self._take_in()

    def _take_in(self) -> None:
        for event in self._mailbox.drain():
            # Received is not begun: a worker takes more than it runs.
            if (
                isinstance(event, StateSeen)
                and event.state != "RECEIVED"
                and self._began.get(event.task_id, event.at) is None
            ):
                self._began[event.task_id] = event.at
