"""Finds tasks on a Redis broker: in a queue, taken but unacknowledged, or with a worker."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu.transport import redis as kombu_redis

from kimera_tui.process.engine import Holders, Queued
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.redis.endpoint import TIMEOUTS
from kimera_tui.process.redis.known_workers import KnownWorkers
from kimera_tui.process.redis.reconnecting import RedisConnection, as_unavailable
from kimera_tui.process.redis.wire import pack, refusal_in

MOST_MESSAGES = 100_000
"""Messages of a queue that are read, those next in line first."""
LOOK_SECONDS = 3.0
"""The longest search through one queue."""
PER_READ = 1000
READ_BYTES = 512 * 1024
"""Target size of one read; a single message may be longer."""
ANSWER_SECONDS = 1.0
"""The longest wait for a worker's answer."""
PATIENCE = 4.0
_FIRST_READ = 16
_PER_SCAN = b"100"

_ID_KEY = b'"correlation_id"'
_ID = re.compile(_ID_KEY + rb'\s*:\s*"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class Layout:
    """How kombu names a broker's keys, and when it redelivers messages."""

    prefix: str
    separator: str
    steps: Sequence[int]
    unacked: bytes
    unacked_index: bytes
    visibility: float
    """Seconds after which an unacknowledged message is queued again."""

    @classmethod
    def of(cls, app: Celery) -> Layout:
        """The layout set by an app's transport options."""
        conf: Any = app.conf
        options: Mapping[str, Any] = conf.broker_transport_options

        def option(name: str) -> Any:
            return options.get(name, getattr(kombu_redis.Channel, name))

        prefix = str(option("global_keyprefix"))
        return cls(
            prefix,
            str(option("sep")),
            tuple(option("priority_steps")),
            f"{prefix}{option('unacked_key')}".encode(),
            f"{prefix}{option('unacked_index_key')}".encode(),
            float(option("visibility_timeout")),
        )

    def lists(self, queue: str) -> list[bytes]:
        """The keys of a queue's lists, one per priority, in the order they are consumed."""
        whole = f"{self.prefix}{queue}"
        return [f"{whole}{self.separator}{step}".encode() if step else whole.encode()
                for step in self.steps]  # fmt: skip


class MessageLocator:
    """Locates messages: in queues, and taken but unacknowledged.

    Args:
        app: The Celery app.
        broker: The connection to the broker.
        most: Maximum number of messages of a queue to read.
    """

    def __init__(self, app: Celery, broker: RedisConnection, most: int = MOST_MESSAGES) -> None:
        self._broker = broker
        self._most = most
        self._layout = Layout.of(app)

    async def queued(self, queue: str, task_ids: Collection[str]) -> Queued:
        """Find the tasks that are in a queue; see ``engine.Locator``."""
        wanted = _by_bytes(task_ids)
        lists = self._layout.lists(queue)
        lengths = await self._call(*(pack(b"LLEN", key) for key in lists))
        until = time.monotonic() + LOOK_SECONDS
        ahead: dict[str, int] = {}
        offset, left, complete = 0, self._most, True
        for key, length in zip(lists, lengths, strict=True):
            if length:
                start = max(0, length - left)
                found, all_read = await self._in_list(key, start, wanted, until)
                ahead |= {task_id: offset + place for task_id, place in found.items()}
                complete = complete and all_read and not start
                offset += length
                left = max(0, left - length)
        return Queued(ahead, complete)

    async def held(self, task_ids: Collection[str]) -> dict[str, float]:
        """When unacknowledged messages are redelivered; see ``engine.Locator``."""
        wanted = _by_bytes(task_ids)
        back_at: dict[str, float] = {}
        cursor = b""
        while wanted and cursor != b"0":
            scan = pack(b"HSCAN", self._layout.unacked, cursor or b"0", b"COUNT", _PER_SCAN)
            [[cursor, fields]] = await self._call(scan)
            tags = {
                wanted[task_id]: tag
                for tag, message in zip(fields[::2], fields[1::2], strict=True)
                if (task_id := id_of(message)) in wanted
            }
            back_at |= await self._back_at(tags)
        return back_at

    async def _back_at(self, tags: Mapping[str, bytes]) -> dict[str, float]:
        """When each message is redelivered, by its delivery tag."""
        index = self._layout.unacked_index
        taken = await self._call(*(pack(b"ZSCORE", index, tag) for tag in tags.values()))
        return {
            task_id: float(at) + self._layout.visibility
            for task_id, at in zip(tags, taken, strict=True)
            if at is not None  # acknowledged meanwhile
        }

    async def _in_list(
        self, key: bytes, start: int, wanted: Mapping[bytes, str], until: float
    ) -> tuple[dict[str, int], bool]:
        """How many messages precede each task's in a list, and whether the whole list was read.

        Messages are pushed at the list's head, where its indices begin, and taken from its end:
        a message that stays cannot slip past a read from head to end.
        """
        ahead: dict[str, int] = {}
        count = _FIRST_READ
        while time.monotonic() < until:
            stop = start + count - 1
            length, messages = await self._call(
                pack(b"LLEN", key), pack(b"LRANGE", key, b"%d" % start, b"%d" % stop)
            )
            for index, message in enumerate(messages, start):
                if (task_id := wanted.get(id_of(message))) is not None:
                    ahead[task_id] = max(0, length - 1 - index)
            if len(messages) < count:
                return ahead, True
            start += count
            # At most doubled: short messages say little about the next ones.
            fitting = READ_BYTES * count // max(1, sum(map(len, messages)))
            count = max(1, min(PER_READ, 2 * count, fitting))
        return ahead, False

    async def _call(self, *commands: bytes) -> list[Any]:
        """The replies to packed commands; raises BrokerUnavailable for an error reply too."""
        wire = await self._broker.connected(PATIENCE)
        try:
            replies = await wire.call(b"".join(commands), len(commands)) if commands else []
        except ConnectionError as error:
            raise as_unavailable(error, self._broker.endpoint) from error
        if (refusal := refusal_in(replies)) is not None:
            raise as_unavailable(refusal, self._broker.endpoint)
        return replies


class RedisLocator(MessageLocator):
    """Locates tasks: messages, and what workers hold.

    Args:
        app: The Celery app.
        broker: The connection to the broker.
        workers: The workers that should answer.
        most: Maximum number of messages of a queue to read.
    """

    def __init__(
        self, app: Celery, broker: RedisConnection, workers: KnownWorkers, most: int = MOST_MESSAGES
    ) -> None:
        super().__init__(app, broker, most)
        self._app = app
        self._workers = workers
        self._thread = CallThread("kimera-locate")

    async def workers(self, task_ids: Collection[str]) -> Holders:
        """Find the tasks that workers hold; see ``engine.Locator``."""
        wire = await self._broker.connected(PATIENCE)
        try:
            bound = await self._workers.bound(wire)
            expected = await self._workers.expected(wire)
            replies = await self._thread.call(self._ask, list(task_ids), len(expected))
        except Exception as error:
            raise as_unavailable(error, self._broker.endpoint) from error
        answers = {name: tasks for name, tasks in replies.items() if "error" not in tasks}
        self._workers.answered(expected, list(answers))
        return Holders(_holders(answers), len(answers), len(bound | answers.keys()))

    def close(self) -> None:
        """Let the thread end; never waits."""
        self._thread.close()

    def _ask(self, task_ids: list[str], limit: int) -> dict[str, Any]:
        """Runs on the thread; takes the full ``ANSWER_SECONDS`` if no worker is expected."""
        control: Any = self._app.control
        with self._app.connection_for_write(transport_options=TIMEOUTS) as connection:
            inspect = control.inspect(
                timeout=ANSWER_SECONDS, limit=limit or None, connection=connection
            )
            return dict(inspect.query_task(task_ids) or {})


def _by_bytes(task_ids: Collection[str]) -> dict[bytes, str]:
    return {task_id.encode(): task_id for task_id in task_ids}


def id_of(message: bytes) -> bytes:
    """A message's task id, found without parsing: its properties come last.

    No text inside a message can look like it, because quotes there are escaped.
    """
    at = message.rfind(_ID_KEY)
    found = _ID.match(message, at) if at >= 0 else None
    return found[1] if found else b""


def _holders(answers: Mapping[str, Mapping[str, Sequence[Any]]]) -> dict[str, tuple[str, bool]]:
    """The worker that holds each task; running it counts before reserving it."""
    by_task: dict[str, tuple[str, bool]] = {}
    for worker, tasks in answers.items():
        for task_id, (state, *_) in tasks.items():
            if state == "active" or task_id not in by_task:
                by_task[task_id] = (worker, state == "active")
    return by_task
