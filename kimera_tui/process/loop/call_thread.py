"""A daemon thread for blocking calls, with futures for their results."""

from __future__ import annotations

import asyncio
import atexit
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Callable[[], Any], asyncio.Future[Any]]

BETWEEN_SECONDS = 0.02
"""The longest that a new call waits for the work between calls."""
LAST_SECONDS = 3.0
"""How long the interpreter waits at exit for calls in progress."""

_all: weakref.WeakSet[CallThread] = weakref.WeakSet()


class CallThread:
    """Runs calls one after the other on its own thread.

    The thread is a daemon: a call that never returns cannot keep the process alive.

    Args:
        name: The thread's name.
        between: Work to do between calls: gets the seconds it may take and returns whether there
            will be more to do. Must not raise.
        at_end: Called when the thread ends.
    """

    def __init__(
        self,
        name: str,
        between: Callable[[float], bool] = lambda seconds: False,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._between = between
        self._at_end = at_end
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        _all.add(self)

    def call(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Call ``function(*args)`` on the thread; requires a running loop.

        Cancelling the future before the call starts withdraws the call. After ``close`` the future
        fails at once with a RuntimeError.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(RuntimeError(f"{self._name} is closed"))
            future.exception()  # not every caller awaits the future
            return future
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put((lambda: function(*args), future))
        return future

    def close(self) -> None:
        """Let the thread end after the calls already queued."""
        self._closed = True
        self._jobs.put(None)

    def join(self, seconds: float) -> None:
        """Wait for the thread to end, up to ``seconds``."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            _do(*job)
            del job  # release what it holds now, not when the next job comes
        self._at_end()

    def _next(self) -> _Job | None:
        while self._between(BETWEEN_SECONDS if self._jobs.empty() else 0.0):
            try:
                return self._jobs.get_nowait()
            except queue.Empty:
                continue
        return self._jobs.get()


def end_all(seconds: float) -> None:
    """Let all call threads end, and wait for them up to ``seconds`` in total."""
    until = time.monotonic() + seconds
    threads = list(_all)
    for each in threads:
        each.close()
    for each in threads:
        each.join(max(0.0, until - time.monotonic()))


@atexit.register
def _at_exit() -> None:
    # A thread inside a C library, such as OpenSSL, crashes an interpreter that shuts down.
    end_all(LAST_SECONDS)


def _do(function: Callable[[], Any], future: asyncio.Future[Any]) -> None:
    if future.cancelled():
        return
    value: Any = None
    error: BaseException | None = None
    try:
        value = function()
    except StopIteration as raised:  # a future cannot hold one
        error = RuntimeError(f"StopIteration: {raised}")
    except Exception as raised:  # noqa: BLE001 - raised from the future
        error = raised
    except BaseException as raised:  # noqa: BLE001 - a stored SystemExit must not end us
        error = RuntimeError(f"{type(raised).__name__}: {raised}")
    try:
        future.get_loop().call_soon_threadsafe(_resolve, future, value, error)
    except RuntimeError:  # the calling loop is closed
        return


def _resolve(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
