"""Crash points: before and after each journal transaction, each publish and each release."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from kimera_tui.process.redis import publisher as publishing
from kimera_tui.process.redis import releaser as releasing
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.journal.writer import JournalWriter


class Crash:
    """Counts the points that the process passes, and kills it at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.passed: list[str] = []
        self._kill_at = kill_at
        self._lock = threading.Lock()

    def point(self, name: str) -> None:
        with self._lock:
            self.passed.append(name)
            if len(self.passed) == self._kill_at:
                die()

    def install(self) -> None:
        self._around(JournalWriter, "write", "journal")
        self._around(JournalWriter, "load", "take-over")
        self._around(publishing.RedisPublisher, "_write", "publish")
        self._around(publishing.RedisPublisher, "_answered", "publish's reply")
        self._around(releasing, "unlink", "release")

    def _around(self, place: Any, name: str, what: str) -> None:
        real: Callable[..., Any] = getattr(place, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.point(f"before {what}")
            done = real(*args, **kwargs)
            self.point(f"after {what}")
            return done

        setattr(place, name, wrapped)


def die() -> None:
    """End at this instruction, as nothing can prevent."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def die_after(seconds: float) -> None:
    """End at whatever instruction it is at then."""
    timer = threading.Timer(seconds, die)
    timer.daemon = True
    timer.start()


def without(what: str) -> None:
    """Take out one of the things on which the promise stands."""
    if what == "marker":
        # Another key for each process: nobody remembers what an earlier one has published.
        def forgetful(self: Any, task_id: str) -> bytes:
            return f"kimera:pub:{os.getpid()}:{task_id}".encode()

        publishing.RedisPublisher.marker = forgetful  # type: ignore[method-assign]
    if what == "intent":

        async def unwritten(self: Any, *args: Any, **kwargs: Any) -> None:
            await self._opened()

        Journal.begin = Journal.intend = unwritten  # type: ignore[method-assign]
