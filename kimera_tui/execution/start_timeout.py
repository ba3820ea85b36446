"""Wait for steps that have a separate timeout for the queue."""

from __future__ import annotations

import asyncio

from kimera_tui.process.call import Overtime
from kimera_tui.process.events import Observed, StateSeen
from kimera_tui.process.loop.bus import Emitter, EventBus

MAILBOX = 1_000_000
"""Events between two turns of the loop; more than the engine emits in one."""


class Starts:
    """Listens for task starts, and computes the time left from there.

    Args:
        bus: Carries the starts, from the tasks themselves or from polls of the workers.
        emitter: Tells the time.
    """

    def __init__(self, bus: EventBus, emitter: Emitter) -> None:
        self._mailbox = bus.subscribe(MAILBOX)
        self._emitter = emitter
        self._began: dict[str, float | None] = {}
        """When each watched task began; None if it has not begun."""
        # Drain all the time, not only when a wait is over: the mailbox would fill up meanwhile.
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
        """Seconds to wait at first, and a function that then returns how many more.

        Args:
            task_id: The task.
            sent: When it was sent, in seconds since the epoch.
            start_timeout: Seconds it may wait in the queue.
            timeout: Seconds it may run; None for no limit.
            began: When it began, in seconds since the epoch, if known.
        """
        self._began[task_id] = began

        async def overtime() -> float:
            self._take_in()
            now, began = self._emitter.now(), self._began[task_id]
            if began is not None:
                return start_timeout if timeout is None else began + timeout - now
            queued = sent + start_timeout - now
            # No longer than its timeout: if it starts meanwhile, it must not overrun that.
            return queued if timeout is None else min(queued, timeout)

        return min(start_timeout, timeout or start_timeout), overtime

    async def _listen(self) -> None:
        while True:
            await self._mailbox.wait()
            self._take_in()

    def _take_in(self) -> None:
        for event in self._mailbox.drain():
            # A received task has not begun: workers prefetch more than they run.
            if _is_start(event) and self._began.get(event.task_id, event.at) is None:
                self._began[event.task_id] = event.at


def _is_start(event: object) -> bool:
    """Whether an event shows that a task has begun; a received one has not."""
    if isinstance(event, Observed):
        return event.where == "held" and event.phase == "running"
    return isinstance(event, StateSeen) and event.state not in ("RECEIVED", "REVOKED")
