"""One open Redis connection: pipelined calls and pushes, parsed in small portions.

redis-py's own asyncio connection is the alternative; dispatching through it takes 98 times as long.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
from redis.exceptions import ResponseError

PARSE_SECONDS = 0.0015
"""The longest that one turn of the loop spends parsing replies."""
SILENCE_SECONDS = 5.0
"""A server that owes replies and stays silent for this long counts as lost."""
_REPLIES_PER_LOOK = 16
_WRITE_BUFFER = 1 << 20

Push = Callable[[list[Any]], None]


class WireLost(ConnectionError):
    """The connection is lost; a call in progress may or may not have been executed."""


def pack(*parts: bytes) -> bytes:
    """A command in the Redis wire format."""
    chunks = [b"*%d\r\n" % len(parts)]
    chunks += [b"$%d\r\n%s\r\n" % (len(part), part) for part in parts]
    return b"".join(chunks)


class _Call:
    """Replies still owed, and the future that waits for them."""

    __slots__ = ("future", "left", "replies")

    def __init__(self, future: asyncio.Future[list[Any]], left: int) -> None:
        self.future = future
        self.left = left
        self.replies: list[Any] = []


class Wire(asyncio.Protocol):
    """An open connection that speaks RESP 2 over a transport opened elsewhere.

    Args:
        writer: Connected and authenticated; the wire takes over its transport.
        on_lost: Called once, with the reason, when the connection ends without ``close``.
        on_push: Gets every reply of a subscription; a wire with it takes no calls.
    """

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        on_lost: Callable[[Wire, Exception], None],
        on_push: Push | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = writer  # an unreferenced writer closes its transport
        self._transport = transport = cast("asyncio.Transport", writer.transport)
        self._on_lost = on_lost
        self._on_push = on_push
        self._reader = hiredis.Reader()
        self._calls: deque[_Call] = deque()
        self._reading_paused = False
        self._room = asyncio.Event()
        self._room.set()
        self._last_reply_at = self._loop.time()
        self._watchdog: asyncio.TimerHandle | None = None
        self._why: Exception | None = None
        self._reply_due = False
        self.owed = False
        """Whether the connection was lost while the server owed a reply."""
        self.open = True
        self.server = b""
        """The server's run id, once requested; it changes with every restart."""
        transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        transport.set_protocol(self)

    @property
    def has_room(self) -> bool:
        """False while the server reads slower than we write."""
        return self._room.is_set()

    async def wait_for_room(self) -> None:
        """Return when there is room to write, or the connection is lost."""
        await self._room.wait()

    def send(self, payload: bytes) -> None:
        """Write packed commands whose replies arrive as pushes."""
        if self.open:
            self._transport.write(payload)

    def call(self, payload: bytes, replies: int = 1) -> asyncio.Future[list[Any]]:
        """Write packed commands; the future gets their replies.

        An error reply is a ``ResponseError`` among the replies; the future itself fails with
        ``WireLost`` only.

        Args:
            payload: One or more packed commands.
            replies: Number of replies to expect.
        """
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        if not self.open:
            future.set_exception(WireLost("the connection is closed"))
            return future
        if not self._calls:
            self.expect_reply()
        self._calls.append(_Call(future, replies))
        self._transport.write(payload)
        return future

    def expect_reply(self) -> None:
        """From now on, silence for ``SILENCE_SECONDS`` ends the connection."""
        self._last_reply_at = self._loop.time()
        self._reply_due = True
        if self._watchdog is None:
            self._watchdog = self._loop.call_later(SILENCE_SECONDS, self._check_silence)

    def close(self) -> None:
        """Close without calling ``on_lost``; calls in progress fail."""
        if self.open:
            self._end(WireLost("closed"))
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse bytes from the server."""
        self._reader.feed(data)
        if not self._reading_paused:
            self._parse()

    def pause_writing(self) -> None:
        """The write buffer is full."""
        self._room.clear()

    def resume_writing(self) -> None:
        """The write buffer has room again."""
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport closed."""
        if self.open:
            why = self._why or exc or WireLost("Connection closed by server")
            self._end(why)
            self._on_lost(self, why)

    def _parse(self) -> None:
        """Hand over replies for at most ``PARSE_SECONDS``, then continue in the next loop turn."""
        if not self.open:
            return None
        self._last_reply_at = self._loop.time()
        self._reply_due = False
        until = time.perf_counter() + PARSE_SECONDS
        take, gets = self._on_push or self._replied, self._reader.gets
        count = 0
        try:
            while (reply := gets()) is not False:
                take(reply)
                count += 1
                if count % _REPLIES_PER_LOOK == 0 and time.perf_counter() > until:
                    return self._parse_later()
        except hiredis.ProtocolError as error:
            self._why = error
            return self._transport.abort()
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()
        return None

    def _parse_later(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        self._loop.call_soon(self._parse)

    def _replied(self, reply: Any) -> None:
        call = self._calls[0]
        if isinstance(reply, hiredis.ReplyError):
            reply = ResponseError(str(reply))
        call.replies.append(reply)
        call.left -= 1
        if call.left == 0:
            self._calls.popleft()
            if not call.future.done():
                call.future.set_result(call.replies)

    def _check_silence(self) -> None:
        self._watchdog = None
        if not self.open or not (self._calls or self._reply_due):
            return
        left = self._last_reply_at + SILENCE_SECONDS - self._loop.time()
        if left > 0:
            self._watchdog = self._loop.call_later(left, self._check_silence)
            return
        self._why = TimeoutError(f"did not answer in {SILENCE_SECONDS:g} s")
        self._transport.abort()

    def _end(self, why: Exception) -> None:
        self.open = False
        self.owed = bool(self._calls) or self._reply_due
        self._room.set()
        if self._watchdog is not None:
            self._watchdog.cancel()
        calls, self._calls = self._calls, deque()
        for call in calls:
            if not call.future.done():
                lost = WireLost(str(why))
                lost.__cause__ = why
                call.future.set_exception(lost)


def refusal_in(replies: Sequence[Any]) -> ResponseError | None:
    """The first error among a call's replies."""
    return next((reply for reply in replies if isinstance(reply, ResponseError)), None)
