"""Follows our tasks through the workers' events, where workers send events."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from kimera_tui.process.events import StateSeen

TRY_AGAIN = 2.0
"""Seconds before a lost connection is retried."""
QUIET_SECONDS = 1.0
"""How soon the thread notices that it should end."""
MOST_WAITING = 20_000
"""Events kept between two turns of the loop; beyond this the oldest are dropped."""
_STATES = {
    "task-received": "RECEIVED",
    "task-started": "STARTED",
}


class TaskFeed:
    """Listens to the workers' task events, on a thread of its own.

    Workers send events only with ``-E``; this does not switch them on. Events can arrive late,
    twice or not at all, so they show a task's progress and never its outcome.

    Args:
        app: The Celery app.
        is_ours: Returns whether a task was sent from here and has not ended; runs on the thread.
        on_event: Called on the loop with each event.
    """

    def __init__(
        self, app: Any, is_ours: Callable[[str], bool], on_event: Callable[[StateSeen], None]
    ) -> None:
        self._app = app
        self._is_ours = is_ours
        self._on_event = on_event
        self._waiting: deque[StateSeen] = deque(maxlen=MOST_WAITING)
        self._end = threading.Event()
        self._receiver: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start listening; requires a running loop."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, name="kimera-feed", daemon=True).start()

    def close(self) -> None:
        """Let the thread end, within a second or two."""
        self._end.set()
        if self._receiver is not None:
            self._receiver.should_stop = True

    def _listen(self) -> None:
        while not self._end.is_set():
            with contextlib.suppress(Exception):  # a lost connection; it is retried
                self._receive()
            self._end.wait(TRY_AGAIN)

    def _receive(self) -> None:
        with self._app.connection_for_read(connect_timeout=QUIET_SECONDS * 3) as connection:
            self._receiver = self._app.events.Receiver(
                connection,
                handlers=dict.fromkeys(_STATES, self._take),
                routing_key="task.#",
            )
            self._receiver.should_stop = self._end.is_set()
            self._receiver.capture(limit=None, timeout=None, wakeup=False)

    def _take(self, event: dict[str, Any]) -> None:
        task_id = event.get("uuid")
        if not isinstance(task_id, str) or not self._is_ours(task_id):
            return
        at = event.get("local_received", event.get("timestamp"))
        worker = str(event.get("hostname", ""))
        self._waiting.append(
            StateSeen(
                at=float(at) if isinstance(at, int | float) else 0.0,
                task_id=task_id,
                state=_STATES[event["type"]],
                meta={"hostname": worker},
                source="event",
            )
        )
        if len(self._waiting) == 1 and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        while self._waiting:
            self._on_event(self._waiting.popleft())
