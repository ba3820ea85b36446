"""The workers' events about our tasks, if they send any."""

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
"""Seconds within which the thread notices that it should stop."""
MOST_WAITING = 20_000
"""Maximum number of events between two turns of the loop; older ones are dropped."""
_STATES = {
    "task-received": "RECEIVED",
    "task-started": "STARTED",
}


class TaskFeed:
    """Receives the workers' task events, on its own thread.

    Workers send them only with ``-E``; nobody switches them on. Events can be late, duplicated or
    lost, so they are used for the progress of a task and never for its end.

    Args:
        app: The Celery app.
        is_ours: Whether a task was sent from here and has not ended; called on the thread.
        publish: Called on the loop with each event.
    """

    def __init__(
        self, app: Any, is_ours: Callable[[str], bool], publish: Callable[[StateSeen], None]
    ) -> None:
        self._app = app
        self._is_ours = is_ours
        self._publish = publish
        self._waiting: deque[StateSeen] = deque(maxlen=MOST_WAITING)
        self._end = threading.Event()
        self._receiver: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start to listen; call it from a running loop."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, name="kimera-feed", daemon=True).start()

    def close(self) -> None:
        """Let the thread end, within a second or two."""
        self._end.set()
        if self._receiver is not None:
            self._receiver.should_stop = True

    def _listen(self) -> None:
        while not self._end.is_set():
            with contextlib.suppress(Exception):  # connection lost; the next one may last
                self._receive()
            self._end.wait(TRY_AGAIN)

    def _receive(self) -> None:
        with self._app.connection_for_read(connect_timeout=QUIET_SECONDS * 3) as connection:
            self._receiver = self._app.events.Receiver(
                connection, handlers=dict.fromkeys(_STATES, self._on_event), routing_key="task.#"
            )
            self._receiver.should_stop = self._end.is_set()
            self._receiver.capture(limit=None, timeout=None, wakeup=False)

    def _on_event(self, event: dict[str, Any]) -> None:
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
            self._publish(self._waiting.popleft())
