"""One daemon thread for blocking calls, and futures for what they return."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class CallThread:
    """Runs calls one after the other on a thread of its own.

    The thread is a daemon: a call that never returns can't keep the process alive.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None]
        self._jobs = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def call(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Have ``function(*args)`` called on the thread; must be called from a running loop."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((lambda: function(*args), future))
        return future

    def close(self) -> None:
        """Let the thread end after the calls it already has."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, future = job
            value: Any = None
            error: BaseException | None = None
            try:
                value = function()
            except StopIteration as raised:  # a future can't carry one
                error = RuntimeError(f"StopIteration: {raised}")
            except Exception as raised:  # noqa: BLE001 - handed to whoever awaits the future
                error = raised
            except BaseException as raised:  # noqa: BLE001 - a stored SystemExit mustn't end us
                error = RuntimeError(f"{type(raised).__name__}: {raised}")
            try:
                future.get_loop().call_soon_threadsafe(_resolve, future, value, error)
            except RuntimeError:  # the loop that asked is closed: nobody waits any more
                continue


def _resolve(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
