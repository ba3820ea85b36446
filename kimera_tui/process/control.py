"""Celery's remote control, on a thread of its own and within a time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, TypeVar

from kimera_tui.process.loop.call_thread import CallThread

T = TypeVar("T")


class ControlThread:
    """Keeps a connection for remote control open, on its own thread.

    Args:
        app: The Celery app.
        name: The thread's name.
    """

    def __init__(self, app: Any, name: str) -> None:
        self._app = app
        self._thread = CallThread(name)
        self._connection: Any = None

    async def call(self, use: Callable[[Any, Any], T]) -> T:
        """Return ``use(control, connection)``, called on the thread.

        After an error the next call opens another connection. Raises what ``use`` raises, and what
        connecting raises.
        """
        return await self._thread.call(self._use, use)

    def close(self) -> None:
        """Close the connection and let the thread end; never waits."""
        if self._connection is not None:
            with contextlib.suppress(RuntimeError):  # no running loop: the collector closes it
                self._thread.call(self._disconnect)
        self._thread.close()

    def _use(self, use: Callable[[Any, Any], T]) -> T:
        from kimera_tui.process.redis.endpoint import TIMEOUTS

        if self._connection is None:
            redis = str(self._app.conf.broker_write_url).startswith(("redis", "sentinel"))
            options = TIMEOUTS if redis else {}
            self._connection = self._app.connection_for_write(transport_options=options)
        try:
            return use(self._app.control, self._connection)
        except Exception:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        with contextlib.suppress(Exception):
            connection.release()


class _InTime(Exception):
    """The time for answers is over."""


def within(seconds: float, on_reply: Callable[[Any], None], send: Callable[..., Any]) -> None:
    """Broadcast, and take answers as they come; return in time, since kombu waits anew after each.

    Args:
        seconds: The longest wait for answers.
        on_reply: Called with each.
        send: Broadcasts; gets ``reply``, ``timeout`` and ``callback``.
    """
    until = time.monotonic() + seconds

    def take(reply: Any) -> None:
        on_reply(reply)
        if time.monotonic() > until:
            raise _InTime

    with contextlib.suppress(_InTime):
        send(reply=True, timeout=seconds, callback=take)
