"""Sends messages with the app's ``send_task``, on a single thread."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.errors import BrokerUnavailable, KimeraError, PublishUncertain
from kimera_tui.process.engine import Message
from kimera_tui.process.failures import broker_failure
from kimera_tui.process.payload import not_serialisable
from kimera_tui.process.threaded.pushes import Pushes, only_pushes

CONNECT_SECONDS = 3.0
CONFIRM_SECONDS = 5.0
"""Seconds that RabbitMQ may take to confirm one message."""
_PEEK_SECONDS = 0.001
_BROKEN = {"ConnectionError", "TimeoutError", "RecoverableConnectionError", "OSError"}
_REFUSED = {"AuthenticationError", "AccessRefused", "ChannelError", "ResponseError"}


@dataclass(slots=True)
class SendAttempt:
    """One attempt to send a message; the thread writes to it, the loop reads it afterwards."""

    message: Message
    since: float = field(default_factory=time.monotonic)
    waits_for: str = ""
    """The reason for waiting that was announced last."""
    started: bool = False
    """Whether anything may have reached the broker."""
    sent: bool = False
    error: Exception | None = None


@dataclass(slots=True)
class Batch:
    """Messages passed to the thread together."""

    entries: Sequence[SendAttempt]
    abandoned: bool = field(default=False)
    """Set by the loop when the thread takes too long: send nothing more."""


class Sender:
    """Sends messages; everything here runs on its thread.

    Args:
        app: A Celery app, or a stand-in with a ``send_task``.
        own_producer: Whether the app is Celery's and accepts our producer, whose connection asks
            RabbitMQ for confirms, is dropped when it breaks, and does not retry.
        handles: Where result objects are stored, by task id.
        pushes: Gets each result object.
    """

    def __init__(
        self, app: Any, own_producer: bool, handles: dict[str, Any], pushes: Pushes
    ) -> None:
        self._app = app
        self._own_producer = own_producer
        self._handles = handles
        self._pushes = pushes
        self._connection: Any = None
        self._producer: Any = None
        self.was_connected = False
        """Whether the broker was reached before."""

    def send_all(self, batch: Batch) -> None:
        """Send one message after the other; each attempt records its outcome."""
        failure: BrokerUnavailable | None = None
        for entry in batch.entries:
            failure = failure or self._unready()
            if failure is not None:
                entry.error = failure
                continue
            entry.started = True
            if batch.abandoned:
                return
            self._try(entry)

    def _try(self, entry: SendAttempt) -> None:
        task_id = entry.message.task_id
        try:
            handle = self._send(entry.message)
        except StopIteration as error:  # a future cannot hold one
            entry.error = RuntimeError(f"StopIteration: {error}")
        except Exception as error:  # noqa: BLE001 - raised from its publish
            entry.error = error
        else:
            self._handles[task_id] = handle
            entry.sent = True
            self._pushes.add(handle)

    def adopt(self, task_ids: Sequence[str]) -> list[Any]:
        """Result objects of tasks sent by others; None where only the sender can see them."""
        for task_id in task_ids:
            if task_id not in self._handles and self._own_producer:
                handle = self._app.AsyncResult(task_id)
                if not only_pushes(handle):
                    self._handles[task_id] = handle
        return [self._handles.get(task_id) for task_id in task_ids]

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.release()

    def _unready(self) -> BrokerUnavailable | None:
        """The reason why nothing can be sent now; None if the connection is open."""
        if not self._own_producer:
            return None
        if self._connection is not None and not self._is_alive():
            self.close()  # nothing is in flight on it: open another
        if self._connection is None:
            try:
                self._open()
            except Exception as error:  # noqa: BLE001 - becomes one sentence
                self.close()
                failure = broker_failure(error, self._app.conf.broker_write_url or "")
                return failure or BrokerUnavailable(f"The broker cannot be used: {error}.")
        self.was_connected = True
        return None

    def _open(self) -> None:
        connection = self._app.connection_for_write()
        if connection.transport.driver_type == "amqp":
            connection.transport_options = {
                **(connection.transport_options or {}),
                "confirm_publish": True,
            }
        self._connection = connection
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
        self._producer = self._app.amqp.Producer(connection, auto_declare=False)

    def _is_alive(self) -> bool:
        """Whether the connection is still open; RabbitMQ announces when it closes one."""
        connection = self._connection
        if connection.transport.driver_type != "amqp":
            return bool(connection.connected)
        try:
            connection.drain_events(timeout=_PEEK_SECONDS)
        except TimeoutError:
            return True
        except Exception:  # noqa: BLE001 - whatever it is, the connection is unusable
            return False
        return True

    def _send(self, message: Message) -> Any:
        ours: dict[str, Any] = {}
        if self._own_producer:
            ours = {"producer": self._producer, "retry": False}
            if self._connection.transport.driver_type == "amqp":
                ours["confirm_timeout"] = CONFIRM_SECONDS
        try:
            return self._app.send_task(
                message.name,
                args=list(message.args),
                kwargs=dict(message.kwargs),
                task_id=message.task_id,
                **{**message.options, **ours},
            )
        except KimeraError:
            raise
        except Exception as error:
            if type(error).__name__ in ("EncodeError", "SerializationError"):
                raise not_serialisable(message.args, message.kwargs, str(error)) from error
            failure = self._failure(error)
            if failure is not None:
                raise failure from error
            raise

    def _failure(self, error: Exception) -> BrokerUnavailable | None:
        """Translate an error of ``send_task``; a broken connection leaves the message in doubt."""
        names = {base.__name__ for base in type(error).__mro__}
        if self._own_producer:
            self.close()  # the broker closes a channel after a refusal, too
            if names & {"ChannelError", "MessageNacked"}:
                reason = str(error) or "not confirmed"
                return BrokerUnavailable(f"The broker refused the message: {reason}.")
        failure = broker_failure(error)
        if failure is None or not self._own_producer:
            return failure
        if _broke(error):
            return PublishUncertain(
                f"The connection to the broker was lost while publishing"
                f" ({failure.message.removeprefix('The broker ').rstrip('.')}):"
                " the task may or may not be queued."
            )
        return failure


def _broke(error: BaseException) -> bool:
    cause: BaseException | None = error
    names: set[str] = set()
    while cause is not None:
        names |= {base.__name__ for base in type(cause).__mro__}
        cause = cause.__cause__
    return bool(names & _BROKEN) and not names & _REFUSED
