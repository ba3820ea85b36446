"""Renders a task message to Redis commands through Celery's ``send_task``, without sending."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from celery import Celery
from kombu.transport import redis as kombu_redis

from kimera_tui.process.engine import Message
from kimera_tui.process.redis.endpoint import Endpoint, endpoint_of

Command = tuple[bytes, bytes, bytes]
"""Verb, key and value."""
Commands = tuple[Command, ...]


class NeedsServer(Exception):
    """Only the server knows which queues are bound to this exchange."""


class Capture:
    """Renders messages through kombu's Redis transport with a client that only records.

    Routes, headers, serializer, priority, signals and sent-events are Celery's own. Not for use
    by two threads at once.

    Args:
        app: The Celery app.
        ask_server: Whether to read the bindings of an explicit exchange from the server, which
            blocks; otherwise such a message raises ``NeedsServer``.
    """

    def __init__(self, app: Celery, *, ask_server: bool = False) -> None:
        self._app = app
        connection: Any = app.connection_for_write()
        connection.transport_cls = _CapturingTransport
        self._channel: _CapturingChannel = connection.default_channel
        self._channel.ask_server = ask_server
        self._producer = app.amqp.Producer(connection, auto_declare=False)

    @property
    def endpoint(self) -> Endpoint:
        """The broker's endpoint."""
        pool = self._channel.pool
        return endpoint_of(pool.connection_class, pool.connection_kwargs)

    @property
    def events_pattern(self) -> str:
        """Matches the channels on which workers publish their events."""
        _ = self._channel.pool  # puts the database's number into the prefix
        channel: Any = self._channel
        exchange = self._app.conf.event_exchange
        return f"{self.key_prefix}{channel.keyprefix_fanout}{exchange}*"

    @property
    def key_prefix(self) -> str:
        """The prefix of every key of the broker."""
        return str(self._channel.global_keyprefix)

    @property
    def separator(self) -> str:
        """Separates the fields of a binding."""
        return str(self._channel.sep)

    def render(self, message: Message) -> Commands:
        """The commands that ``send_task`` would send.

        Raises:
            NeedsServer: the message has an explicit exchange, and ``ask_server`` is False.
            Exception: whatever ``send_task`` raises.
        """
        recorded = self._channel.recorded
        recorded.clear()
        with _no_subscription(self._app.backend):
            self._app.send_task(
                message.name,
                **{
                    **message.options,
                    "args": message.args,
                    "kwargs": message.kwargs,
                    "task_id": message.task_id,
                    "producer": self._producer,
                    "result_cls": _Unwatched,
                    "add_to_parent": False,
                    "retry": False,
                },
            )
        prefix = self.key_prefix
        return tuple(
            (verb, f"{prefix}{key}".encode(), value if isinstance(value, bytes) else value.encode())
            for verb, key, value in recorded
        )


class _Unwatched(SimpleNamespace):
    """Replaces AsyncResult, whose clean-up calls the backend."""

    def __init__(self, task_id: str) -> None:
        super().__init__(id=task_id)


@contextmanager
def _no_subscription(backend: Any) -> Iterator[None]:
    """Keep ``send_task`` from subscribing to the result: the watcher does that without blocking."""
    backend.on_task_call = lambda producer, task_id: None
    try:
        yield
    finally:
        del backend.on_task_call


class _RecordingClient:
    """The channel's Redis client and pipeline: records writes and reads nothing."""

    def __init__(self, channel: _CapturingChannel) -> None:
        self._channel = channel

    def __enter__(self) -> _RecordingClient:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def pipeline(self, **kwargs: Any) -> _RecordingClient:
        return self

    def ping(self) -> bool:
        return True

    def execute(self) -> list[Any]:
        return []

    def llen(self, key: str) -> _RecordingClient:
        return self

    def lpush(self, key: str, value: str) -> None:
        self._channel.recorded.append((b"LPUSH", key, value))

    def publish(self, topic: str, value: str) -> None:
        self._channel.recorded.append((b"PUBLISH", topic, value))

    def sadd(self, key: str, member: str) -> None:
        self._channel.recorded.append((b"SADD", key, member))

    def pexpire(self, key: str, milliseconds: int) -> _RecordingClient:
        self._channel.recorded.append((b"PEXPIRE", key, str(milliseconds)))
        return self

    def smembers(self, key: str) -> Any:
        if not self._channel.ask_server:
            raise NeedsServer(key)
        return self._channel.real_client().smembers(key)

    def register_script(self, script: str) -> Any:
        """Consumers refresh bindings that expire: nothing to record."""
        return lambda **kwargs: None


class _CapturingChannel(kombu_redis.Channel):
    ask_server = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.recorded: list[tuple[bytes, str, str]] = []
        super().__init__(*args, **kwargs)

    def _create_client(self, asynchronous: bool = False) -> Any:
        return _RecordingClient(self)

    def real_client(self) -> Any:
        return super()._create_client()  # type: ignore[misc]


class _CapturingTransport(kombu_redis.Transport):
    Channel = _CapturingChannel
