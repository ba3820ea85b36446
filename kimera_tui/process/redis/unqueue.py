"""Takes messages that no worker has taken out of their Redis lists: the only certain way to stop.

A queue's lists are looked through in windows, from the end where workers take messages towards the
head where they are pushed. A window in which something was found is then read again and taken from
by one script, so that nobody ever sees a list that is half done, and the rest keeps its order.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from celery import Celery
from redis.exceptions import ResponseError

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.engine import Unqueued
from kimera_tui.process.loop.clock import new_id
from kimera_tui.process.redis.publish_script import forbids_scripts
from kimera_tui.process.redis.queue_locator import Layout, id_of
from kimera_tui.process.redis.reconnecting import RedisConnection
from kimera_tui.process.redis.wire import pack, refusal_in

SECONDS = 7.0
"""The longest that one call takes."""
PATIENCE = 4.0
FIRST_WINDOW, MOST_WINDOW, LEAST_WINDOW = 64, 192, 16
LONG, SHORT = 0.003, 0.001
"""Seconds that a script keeps the server busy: beyond the first the window gets smaller, below the
second larger."""
DEEP = 16_000
"""Messages to pass before an inner one is removed that cost as much as a window."""
MOST_BYTES = 512 * 1024
"""Of messages that one script reads; a single message may be longer."""
OVERLAP = 8
"""Messages that are looked at twice: what is taken meanwhile moves the others along."""
MOST_PASSES = 5

# Ids are found without parsing: properties come last, and quotes inside texts are escaped.
_COMMON = b"""
local function id_of(message)
  local text = string.sub(message, -1024)
  local _, at = string.find(text, '.*"correlation_id"')
  if not at then
    text = message
    _, at = string.find(text, '.*"correlation_id"')
  end
  return at and string.match(text, '^%s*:%s*"([^"\\\\]*)"', at + 1) or ''
end
local key, skip, count = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local length = redis.call('LLEN', key)
"""

# The ids in a window that begins ``skip`` messages before the end, the last message's first.
_LOOK = (
    _COMMON
    + b"""
local ids, size, page, most = {}, 0, 1, tonumber(ARGV[3])
while #ids < count and size < most do
  local at = skip + #ids
  if at >= length then break end
  local messages = redis.call('LRANGE', key, -at - page, -at - 1)
  for i = #messages, 1, -1 do
    ids[#ids + 1] = id_of(messages[i])
    size = size + #messages[i]
  end
  page = math.max(1, math.min(64, count - #ids, math.floor((most - size) * #ids / size)))
end
return {length, ids}
"""
)

# Each message to take is replaced by a mark; the marks are then removed, counted from the nearer
# end, where the command stops at the last of them.
_TAKE = (
    _COMMON
    + b"""
local mark, wanted, taken = ARGV[3], {}, {}
for i = 4, #ARGV do wanted[ARGV[i]] = true end
local first = math.max(-length, -skip - count)
local messages = redis.call('LRANGE', key, first, -skip - 1)
for i = #messages, 1, -1 do
  local id = id_of(messages[i])
  if wanted[id] then
    redis.call('LSET', key, first + i - 1, mark)
    taken[#taken + 1] = id
  end
end
if #taken > 0 then
  redis.call('LREM', key, 2 * skip < length and -#taken or #taken, mark)
end
return taken
"""
)

ONE_BY_ONE = "The broker refuses scripts ({}), so waiting messages were taken out one by one."
OnTaken = Callable[[str, Sequence[str]], None]


class RedisUnqueuer:
    """Takes waiting messages out of the lists of a Redis broker.

    Args:
        app: The Celery app.
        broker: The connection to the broker.
        seconds: The longest that one call takes.
    """

    def __init__(self, app: Celery, broker: RedisConnection, seconds: float = SECONDS) -> None:
        self._broker = broker
        self._layout = Layout.of(app)
        self._seconds = seconds
        self._refusal = ""
        """Why the server refuses scripts; empty if it does not."""
        self._quickest = math.inf
        """Seconds that the quickest script took, most of them on the way."""
        self._busy = 0.0
        """Seconds that the last script took longer."""

    async def take_out(self, queues: Mapping[str, Collection[str]], on_taken: OnTaken) -> Unqueued:
        """Take the messages of tasks out of their queues; see ``engine.Unqueuer``."""
        until = time.monotonic() + self._seconds
        complete = True
        try:
            for queue, task_ids in queues.items():
                wanted = frozenset(task_id.encode() for task_id in task_ids)
                complete = await self._from_queue(queue, wanted, on_taken, until) and complete
        except (BrokerUnavailable, ConnectionError, ResponseError) as error:
            why = f"The search for waiting messages broke off: {str(error).rstrip('.')}."
            return Unqueued(complete=False, why=why)
        if not complete:
            why = f"Not all waiting messages could be looked through in {self._seconds:g} s."
            return Unqueued(complete=False, why=why)
        return Unqueued(why=ONE_BY_ONE.format(self._refusal) if self._refusal else "")

    async def _from_queue(
        self, queue: str, wanted: frozenset[bytes], on_taken: OnTaken, until: float
    ) -> bool:
        """Take messages out of one queue; return whether all of it was read.

        What workers take meanwhile moves the messages behind it, so that some can be missed:
        looked through again until nothing more is found. A redelivered task can be in it twice.
        """
        left = set(wanted)
        for _ in range(MOST_PASSES):
            before = len(left)
            for key in self._layout.lists(queue):
                taking = _Taking(key, wanted, left, lambda ids: on_taken(queue, ids))
                if not await self._from_list(taking, until):
                    return False
            if not left or len(left) == before:
                return True
        return False

    async def _from_list(self, taking: _Taking, until: float) -> bool:
        while True:
            if time.monotonic() > until:
                return False
            if self._refusal:
                more = await self._next_by_commands(taking)
            else:
                more = await self._next_by_scripts(taking)
            if not more:
                return True
            await asyncio.sleep(0)

    async def _next_by_scripts(self, taking: _Taking) -> bool:
        """Look at the next window and take from it; return whether there may be more."""
        count = taking.count()
        reply = await self._eval(_LOOK, taking.key, taking.skip, count, MOST_BYTES)
        if reply is None:
            return True  # without scripts, from now on
        length, ids = reply
        taking.length = length
        taking.adapt(self._busy)
        wanted = [task_id for task_id in ids if task_id in taking.wanted]
        taken: list[bytes] = []
        if wanted:
            skip = max(0, taking.skip - OVERLAP)
            count = taking.skip - skip + len(ids)
            mark = f"kimera:taken:{new_id()}".encode()
            reply = await self._eval(_TAKE, taking.key, skip, count, mark, *dict.fromkeys(wanted))
            if reply is None:
                return True
            taken = reply
            taking.took(taken)
            if self._busy > LONG:  # far inside a long list: others have a turn
                await asyncio.sleep(min(self._busy, LONG))
        taking.skip = max(0, taking.skip + len(ids) - len(taken))
        return bool(ids) and taking.skip < length - len(taken)

    async def _next_by_commands(self, taking: _Taking) -> bool:
        """The same without scripts: each message is removed by its exact text."""
        skip, window = taking.skip, taking.window
        first, last = b"%d" % (-skip - window), b"%d" % (-skip - 1)
        (messages,) = await self._call(pack(b"LRANGE", taking.key, first, last))
        found = [(id_of(each), each) for each in reversed(messages)]
        wanted = [(task_id, each) for task_id, each in found if task_id in taking.wanted]
        taken: list[bytes] = []
        if wanted:
            removals = [pack(b"LREM", taking.key, b"-1", each) for _, each in wanted]
            counts = await self._call(*removals)
            taken = [task_id for (task_id, _), count in zip(wanted, counts, strict=True) if count]
            taking.took(taken)
        size = max(1, sum(map(len, messages)) // max(1, len(messages)))
        taking.window = max(1, min(MOST_WINDOW, MOST_BYTES // size))
        taking.skip += len(messages) - len(taken)
        return len(messages) == window

    async def _eval(self, script: bytes, key: bytes, *args: int | bytes) -> Any:
        """A script's reply; None if the server refuses all scripts, from now on."""
        packed = [b"%d" % each if isinstance(each, int) else each for each in args]
        began = time.perf_counter()
        try:
            (reply,) = await self._call(pack(b"EVAL", script, b"1", key, *packed))
            took = time.perf_counter() - began
            self._quickest = min(self._quickest, took)
            self._busy = took - self._quickest
        except ResponseError as refusal:
            # Without memory left nothing may be written by a script, but messages be removed.
            if not forbids_scripts(refusal) and "OOM" not in str(refusal):
                raise
            self._refusal = str(refusal).rstrip(".")
            return None
        return reply

    async def _call(self, *commands: bytes) -> list[Any]:
        """The replies to packed commands.

        Raises:
            ResponseError: the server refused one.
            BrokerUnavailable: there is no connection.
            ConnectionError: the connection was lost.
        """
        wire = await self._broker.connected(PATIENCE)
        replies = await wire.call(b"".join(commands), len(commands))
        if (refusal := refusal_in(replies)) is not None:
            raise refusal
        return replies


class _Taking:
    """How far one list was looked through.

    Args:
        key: The list.
        wanted: The ids to take out.
        left: Those not found yet; what is taken is removed from it.
        on_taken: Called with ids that were in it.
    """

    def __init__(
        self,
        key: bytes,
        wanted: frozenset[bytes],
        left: set[bytes],
        on_taken: Callable[[Sequence[str]], None],
    ) -> None:
        self.key = key
        self.wanted = wanted
        self.skip = 0
        """How many messages at the end were looked at and stay."""
        self.window = FIRST_WINDOW
        self.length = 0
        self._left = left
        self._on_taken = on_taken

    def took(self, ids: Sequence[bytes]) -> None:
        """These were taken out."""
        news = [each for each in dict.fromkeys(ids) if each in self._left]
        self._left.difference_update(news)
        if news:
            self._on_taken([each.decode() for each in news])

    def adapt(self, busy: float) -> None:
        """Adapt the window to the seconds that looking at it kept the server busy."""
        if busy > LONG:
            self.window = max(LEAST_WINDOW, self.window // 2)
        elif busy < SHORT:
            self.window = min(MOST_WINDOW, self.window * 2)

    def count(self) -> int:
        """How many messages to look at: more far inside, where to get there costs the most."""
        deep = min(self.skip, max(0, self.length - self.skip))
        return self.window * (1 + deep // DEEP)
