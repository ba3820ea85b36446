"""Reads results that the backend pushes, on the thread that sent the tasks, between its calls."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.failures import broker_failure
from kimera_tui.process.outcome import Outcome, not_json
from kimera_tui.process.threaded.result_reader import of_decoded_meta

DRAIN_SECONDS = 0.02
"""The longest that pushed results delay calls."""
RECONNECT_PAUSE = 1.0
_AT_ONCE = 0.001
_GAVE_UP = "Retry limit exceeded"

Pushed = list[tuple[str, Outcome]]


class Pushes:
    """Reads the results that Celery's asynchronous backends (rpc, Redis) push.

    They arrive only on the thread and connection that sent the tasks. Everything here runs on that
    thread.

    Args:
        on_results: Gets pushed results.
        on_connection: Gets the error when the backend's connection is lost, None when it is back.
    """

    def __init__(
        self,
        on_results: Callable[[Pushed], None],
        on_connection: Callable[[BrokerUnavailable | None], None],
    ) -> None:
        self._on_results = on_results
        self._on_connection = on_connection
        self._consumer: Any = None
        self._watched: dict[str, Any] = {}
        self._arrived: Pushed = []
        self._lost_until = 0.0
        self._lost = False

    def add(self, handle: Any) -> None:
        """Read pushed results of a task; no effect on backends that do not push."""
        backend: Any = getattr(handle, "backend", None)
        if not _pushes(backend):
            return
        consumer = backend.result_consumer
        if self._consumer is not consumer:
            self._consumer = consumer
            consumer.on_message = self._receive
        self._watched[handle.id] = handle
        try:
            backend.add_pending_result(handle, weak=True)
            if (listens := getattr(consumer, "_consumer", None)) is not None:  # rpc:// only
                listens.on_decode_error = self._undecoded
        except Exception as error:  # noqa: BLE001 - the task is sent; polls remain
            self._broke(error)

    def drop(self, task_id: str) -> None:
        """Stop reading results of a task."""
        handle = self._watched.pop(task_id, None)
        if handle is not None:
            with contextlib.suppress(Exception):
                handle.backend.remove_pending_result(handle)

    def between(self, seconds: float) -> bool:
        """Read for up to ``seconds``, or ``DRAIN_SECONDS`` while results arrive."""
        if not self._watched:
            return False
        if not self._lost:
            self._drain(seconds)
        elif time.monotonic() < self._lost_until:
            time.sleep(seconds)
        else:
            self._reconnect()
        if self._arrived:
            arrived, self._arrived = self._arrived, []
            self._on_results(arrived)
        return True

    def end(self) -> None:
        """Close the backend's connection."""
        if self._consumer is not None:
            with contextlib.suppress(Exception):
                self._consumer.stop()

    def _drain(self, seconds: float) -> None:
        until = time.monotonic() + DRAIN_SECONDS
        last_count = -1
        # Without results Redis returns nothing, rpc raises.
        while last_count < len(self._arrived) and (last_count < 0 or time.monotonic() < until):
            last_count = len(self._arrived)
            try:
                self._consumer.drain_events(timeout=seconds or _AT_ONCE)
            except TimeoutError:
                return
            except Exception as error:  # noqa: BLE001 - a malformed message, or the connection
                self._broke(error)
            seconds = 0.0

    def _reconnect(self) -> None:
        # Celery's own reconnect gives up after some tries, or comes back without consuming.
        try:
            self._consumer._reconnect()
            for task_id in self._watched:
                self._consumer.consume_from(task_id)
        except Exception as error:  # noqa: BLE001 - the next call tries again
            self._broke(error)
        else:
            self._lost = False
            self._on_connection(None)

    def _broke(self, error: Exception) -> None:
        failure = broker_failure(error, what="result backend")
        if failure is None and _GAVE_UP not in str(error):
            return
        self._lost_until = time.monotonic() + RECONNECT_PAUSE
        if not self._lost:
            self._lost = True
            message = f"The result backend cannot be used: {error}."
            self._on_connection(failure or BrokerUnavailable(message))

    def _receive(self, meta: Any) -> None:
        task_id = meta.get("task_id") if isinstance(meta, Mapping) else None
        if task_id in self._watched:
            outcome = of_decoded_meta(meta)
            if outcome is not None:
                self._take(task_id, outcome)

    def _undecoded(self, message: Any, error: Exception) -> None:
        """Take a result in a form that is not accepted, which would otherwise get lost."""
        task_id = message.properties.get("correlation_id")
        if task_id in self._watched:
            self._take(task_id, not_json(_bytes(message.body), type(error).__name__))

    def _take(self, task_id: str, outcome: Outcome) -> None:
        if outcome.ready:
            del self._watched[task_id]
        self._arrived.append((task_id, outcome))


def _bytes(body: Any) -> bytes:
    return body.encode(errors="replace") if isinstance(body, str) else bytes(body)


def _pushes(backend: Any) -> bool:
    return getattr(backend, "is_async", False) is True and hasattr(backend, "result_consumer")


def only_pushes(handle: Any) -> bool:
    """Whether results must not be polled: each poll of rpc:// costs a millisecond or two."""
    return type(getattr(handle, "backend", None)).__name__ == "RPCBackend"
