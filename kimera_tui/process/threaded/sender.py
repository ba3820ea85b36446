"""Sends messages by the app's own ``send_task``, on the one thread that does."""

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
"""How long a RabbitMQ broker may take to confirm one message."""
_PEEK_SECONDS = 0.001
_BROKEN = {"ConnectionError", "TimeoutError", "RecoverableConnectionError", "OSError"}
_REFUSED = {"AuthenticationError", "AccessRefused", "ChannelError", "ResponseError"}


@dataclass(slots=True)
class Sending:
    """One message on the thread; the thread writes, the loop reads when the slice is over."""

    message: Message
    since: float = field(default_factory=time.monotonic)
    begun: bool = False
    """Whether anything of it may have reached the broker."""
    told: str = ""
    """What was said last of why it waits."""
    sent: bool = False
    error: Exception | None = None


@dataclass(slots=True)
class Slice:
    """Messages that go to the thread together."""

    entries: Sequence[Sending]
    abandoned: bool = field(default=False)
    """Set by the loop when the thread has taken too long: what isn't begun is not to be sent."""


class Sender:
    """Sends; everything here runs on its thread.

    Args:
        app: A Celery app, or a stand-in with a ``send_task``.
        own_producer: Whether the app is Celery's, so that it takes a producer of ours: one whose
            connection asks RabbitMQ for confirms, is given up when it breaks, and isn't retried.
        handles: Gets what ``send_task`` returned, by task id.
        pushes: Is told of each handle.
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
        self.was_there = False
        """Whether the broker has been reached before."""

    def send_all(self, portion: Slice) -> None:
        """Send one after the other; what happens to each is written into it."""
        away: BrokerUnavailable | None = None
        for entry in portion.entries:
            away = away or self._unready()
            if away is not None:
                entry.error = away
                continue
            entry.begun = True
            if portion.abandoned:
                return
            self._try(entry)

    def _try(self, entry: Sending) -> None:
        task_id = entry.message.task_id
        try:
            handle = self._send(entry.message)
        except StopIteration as error:  # a future can't carry one
            entry.error = RuntimeError(f"StopIteration: {error}")
        except Exception as error:  # noqa: BLE001 - raised from the publish it belongs to
            entry.error = error
        else:
            self._handles[task_id] = handle
            entry.sent = True
            self._pushes.add(handle)

    def adopt(self, task_ids: Sequence[str]) -> list[Any]:
        """Result objects of tasks that others have sent; none where only their sender sees them."""
        for task_id in task_ids:
            if task_id not in self._handles and self._own_producer:
                handle = self._app.AsyncResult(task_id)
                if not only_pushes(handle):
                    self._handles[task_id] = handle
        return [self._handles.get(task_id) for task_id in task_ids]

    def close(self) -> None:
        """Give the connection up."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.release()

    def _unready(self) -> BrokerUnavailable | None:
        """Why nothing can be sent now; None when the connection is open."""
        if not self._own_producer:
            return None
        if self._connection is not None and not self._is_alive():
            self.close()  # nothing of ours is on its way: another connection is as good
        if self._connection is None:
            try:
                self._open()
            except Exception as error:  # noqa: BLE001 - told in a sentence
                self.close()
                said = broker_failure(error, self._app.conf.broker_write_url or "")
                return said or BrokerUnavailable(f"The broker cannot be used: {error}.")
        self.was_there = True
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
        """Whether the broker hasn't closed the connection meanwhile, as RabbitMQ tells."""
        connection = self._connection
        if connection.transport.driver_type != "amqp":
            return bool(connection.connected)
        try:
            connection.drain_events(timeout=_PEEK_SECONDS)
        except TimeoutError:
            return True
        except Exception:  # noqa: BLE001 - whatever it is, the connection is of no use
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
        """What an error of ``send_task`` means; a broken connection leaves the message in doubt."""
        names = {base.__name__ for base in type(error).__mro__}
        if self._own_producer:
            self.close()  # a channel that was refused something is closed, too
            if names & {"ChannelError", "MessageNacked"}:
                said = str(error) or "not confirmed"
                return BrokerUnavailable(f"The broker refused the message: {said}.")
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
    link: BaseException | None = error
    names: set[str] = set()
    while link is not None:
        names |= {base.__name__ for base in type(link).__mro__}
        link = link.__cause__
    return bool(names & _BROKEN) and not names & _REFUSED
