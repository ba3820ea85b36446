"""Finds where tasks are on a Redis broker: in a queue, held without an answer, or with a worker."""

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
from kimera_tui.process.redis.endpoint import CONNECT_SECONDS, SOCKET_SECONDS
from kimera_tui.process.redis.known_workers import KnownWorkers
from kimera_tui.process.redis.reconnecting import Link, as_unavailable
from kimera_tui.process.redis.wire import pack, refusal_in

MOST_MESSAGES = 100_000
"""How many messages of a queue are looked at, the next to be taken before the others."""
LOOK_SECONDS = 3.0
"""The longest look through one queue."""
PER_READ = 1000
READ_BYTES = 512 * 1024
"""What a read should bring at most; one message may be longer."""
ANSWER_SECONDS = 1.0
"""The longest wait for a worker's answer."""
PATIENCE = 4.0
_FIRST_READ = 16
_PER_SCAN = b"100"

_ID_KEY = b'"correlation_id"'
_ID = re.compile(_ID_KEY + rb'\s*:\s*"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class Layout:
    """How kombu names the keys of a broker, and when it gives messages back."""

    prefix: str
    separator: str
    steps: Sequence[int]
    unacked: bytes
    unacked_index: bytes
    visibility: float
    """Seconds after which a message that nobody acknowledged is queued again."""

    @classmethod
    def of(cls, app: Celery) -> Layout:
        """The layout that an app's transport options ask for."""
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
        """The keys of a queue's lists, one for each priority, in the order they are emptied."""
        whole = f"{self.prefix}{queue}"
        return [f"{whole}{self.separator}{step}".encode() if step else whole.encode()
                for step in self.steps]  # fmt: skip


class RedisLocator:
    """Looks where tasks are.

    Args:
        app: The Celery app.
        link: The connection to the broker.
        workers: Who should answer.
        most: How many messages of a queue are looked at.
    """

    def __init__(
        self, app: Celery, link: Link, workers: KnownWorkers, most: int = MOST_MESSAGES
    ) -> None:
        self._app = app
        self._link = link
        self._workers = workers
        self._most = most
        self._layout = Layout.of(app)
        self._thread = CallThread("kimera-locate")

    async def queued(self, queue: str, task_ids: Collection[str]) -> Queued:
        """Which of the tasks are in a queue; see ``engine.Locator``."""
        wanted = _by_bytes(task_ids)
        lists = self._layout.lists(queue)
        lengths = await self._call(*(pack(b"LLEN", key) for key in lists))
        until = time.monotonic() + LOOK_SECONDS
        before: dict[str, int] = {}
        ahead, left, complete = 0, self._most, True
        for key, length in zip(lists, lengths, strict=True):
            if length:
                start = max(0, length - left)
                found, all_read = await self._in_list(key, start, wanted, until)
                before |= {task_id: ahead + place for task_id, place in found.items()}
                complete = complete and all_read and not start
                ahead += length
                left = max(0, left - length)
        return Queued(before, complete)

    async def held(self, task_ids: Collection[str]) -> dict[str, float]:
        """When those come back that are taken and not acknowledged; see ``engine.Locator``."""
        wanted = _by_bytes(task_ids)
        back_at: dict[str, float] = {}
        cursor = b""
        while wanted and cursor != b"0":
            scan = pack(b"HSCAN", self._layout.unacked, cursor or b"0", b"COUNT", _PER_SCAN)
            [[cursor, fields]] = await self._call(scan)
            tags = {
                wanted[task_id]: tag
                for tag, message in zip(fields[::2], fields[1::2], strict=True)
                if (task_id := _id_of(message)) in wanted
            }
            back_at |= await self._back_at(tags)
        return back_at

    async def workers(self, task_ids: Collection[str]) -> Holders:
        """Which of the tasks workers have; see ``engine.Locator``."""
        wire = await self._link.connected(PATIENCE)
        try:
            bound = await self._workers.bound(wire)
            expected = await self._workers.expected(wire)
            replies = await self._thread.call(self._ask, list(task_ids), len(expected))
        except Exception as error:
            raise as_unavailable(error, self._link.endpoint) from error
        answers = {name: tasks for name, tasks in replies.items() if "error" not in tasks}
        self._workers.answered(expected, list(answers))
        return Holders(_holders(answers), len(answers), len(bound | answers.keys()))

    def close(self) -> None:
        """Let the thread end; never waits."""
        self._thread.close()

    async def _back_at(self, tags: Mapping[str, bytes]) -> dict[str, float]:
        """When each message comes back, by the tag under which it was taken."""
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
        """How many messages of a list are before each task's, and whether all were looked at.

        Messages are pushed at the list's head, where its indices begin, and taken from its end:
        none of those that stay can slip past a look that goes from head to end.
        """
        before: dict[str, int] = {}
        count = _FIRST_READ
        while time.monotonic() < until:
            stop = start + count - 1
            length, messages = await self._call(
                pack(b"LLEN", key), pack(b"LRANGE", key, b"%d" % start, b"%d" % stop)
            )
            for index, message in enumerate(messages, start):
                if (task_id := wanted.get(_id_of(message))) is not None:
                    before[task_id] = max(0, length - 1 - index)
            if len(messages) < count:
                return before, True
            start += count
            # At most doubled: short messages say little about those behind them.
            fitting = READ_BYTES * count // max(1, sum(map(len, messages)))
            count = max(1, min(PER_READ, 2 * count, fitting))
        return before, False

    async def _call(self, *commands: bytes) -> list[Any]:
        """The replies to packed commands; raises BrokerUnavailable for a refusal too."""
        wire = await self._link.connected(PATIENCE)
        try:
            replies = await wire.call(b"".join(commands), len(commands)) if commands else []
        except ConnectionError as error:
            raise as_unavailable(error, self._link.endpoint) from error
        if (refusal := refusal_in(replies)) is not None:
            raise as_unavailable(refusal, self._link.endpoint)
        return replies

    def _ask(self, task_ids: list[str], limit: int) -> dict[str, Any]:
        """On the thread; without anybody to expect it takes the whole time."""
        timeouts = {"socket_timeout": SOCKET_SECONDS, "socket_connect_timeout": CONNECT_SECONDS}
        control: Any = self._app.control
        with self._app.connection_for_write(transport_options=timeouts) as connection:
            inspect = control.inspect(
                timeout=ANSWER_SECONDS, limit=limit or None, connection=connection
            )
            return dict(inspect.query_task(task_ids) or {})


def _by_bytes(task_ids: Collection[str]) -> dict[bytes, str]:
    return {task_id.encode(): task_id for task_id in task_ids}


def _id_of(message: bytes) -> bytes:
    """A message's task id, without reading the rest: its properties are the last thing in it.

    No text inside a message can look like it, for quotes in there are escaped.
    """
    at = message.rfind(_ID_KEY)
    found = _ID.match(message, at) if at >= 0 else None
    return found[1] if found else b""


def _holders(answers: Mapping[str, Mapping[str, Sequence[Any]]]) -> dict[str, tuple[str, bool]]:
    """Who has each task; who runs it counts before who keeps it."""
    by_task: dict[str, tuple[str, bool]] = {}
    for worker, tasks in answers.items():
        for task_id, (state, *_) in tasks.items():
            if state == "active" or task_id not in by_task:
                by_task[task_id] = (worker, state == "active")
    return by_task
