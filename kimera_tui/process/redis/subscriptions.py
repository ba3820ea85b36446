"""One connection subscribed to the result channels of the watched tasks, and no others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from typing import Any

import hiredis
from redis.exceptions import ResponseError

from kimera_tui.process.redis.endpoint import Endpoint
from kimera_tui.process.redis.reconnecting import RedisConnection, ServerHealth, refuses_connection
from kimera_tui.process.redis.wire import Wire, pack

logger = logging.getLogger(__name__)

PER_COMMAND = 500
CONFIRM_SECONDS = 5.0
HEARTBEAT_SECONDS = 10.0
_LINGER_SECONDS = 0.2


class Subscriptions:
    """Subscribes and unsubscribes in batches, and again after a loss.

    Args:
        endpoint: Where the results are.
        health: Gets losses and recoveries.
        watched: All keys to subscribe to; call ``add`` for each key added to it.
        on_message: Gets the key and the stored result.
        on_ready: Called when the server has confirmed every subscription after a reconnect:
            results stored before that must be read.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        health: ServerHealth,
        watched: Collection[bytes],
        on_message: Callable[[bytes, bytes], None],
        on_ready: Callable[[], None],
    ) -> None:
        self._watched = watched
        self._on_message = on_message
        self._on_ready = on_ready
        self._connection = RedisConnection(
            endpoint,
            health,
            on_push=self._pushed,
            on_open=self._opened,
            expects=lambda: bool(watched),
        )
        self._wire: Wire | None = None
        self._refused = False
        self._failure: ResponseError | None = None
        """Why the server executes nothing on this connection."""
        self._unconfirmed = 0
        self._confirmed = asyncio.Event()
        self._fresh: list[bytes] = []
        self._stale: list[bytes] = []
        self._leaving: asyncio.TimerHandle | None = None
        self._heart: asyncio.TimerHandle | None = None

    @property
    def healthy(self) -> bool:
        """Whether every watched task is known to be subscribed."""
        return self._connection.wire is not None and not self._refused

    def add(self, key: bytes) -> None:
        """Subscribe to the key by the next ``flush``."""
        if not self._fresh:
            self._connection.open()
            asyncio.get_running_loop().call_soon(self.flush)
        self._fresh.append(key)

    def remove(self, key: bytes) -> None:
        """Unsubscribe from the key soon."""
        self._stale.append(key)
        if self._leaving is None:
            loop = asyncio.get_running_loop()
            self._leaving = loop.call_later(_LINGER_SECONDS, self._leave)

    def flush(self) -> None:
        """Write pending subscriptions."""
        fresh, self._fresh = self._fresh, []
        if self._wire is not None:  # otherwise the next connect subscribes to everything watched
            self._write(self._wire, b"SUBSCRIBE", fresh)

    async def close(self) -> None:
        """Close for good."""
        for timer in (self._leaving, self._heart):
            if timer is not None:
                timer.cancel()
        self._wire = None
        await self._connection.close()

    def _leave(self) -> None:
        self._leaving = None
        # A task watched again meanwhile stays subscribed.
        stale = [key for key in self._stale if key not in self._watched]
        self._stale.clear()
        if self._wire is not None:
            self._write(self._wire, b"UNSUBSCRIBE", stale)

    def _write(self, wire: Wire, command: bytes, keys: list[bytes]) -> None:
        for start in range(0, len(keys), PER_COMMAND):
            wire.send(pack(command, *keys[start : start + PER_COMMAND]))

    async def _opened(self, wire: Wire) -> None:
        """Subscribe to everything and wait for the server's confirmation.

        Raises:
            ResponseError: the server executes nothing, for example because it wants a password.
        """
        keys = list(self._watched)
        self._fresh.clear()
        self._wire = wire
        self._unconfirmed = len(keys) + 1  # and the PING
        self._confirmed.clear()
        self._refused, self._failure = False, None
        for start in range(0, len(keys), PER_COMMAND):
            wire.send(pack(b"SUBSCRIBE", *keys[start : start + PER_COMMAND]))
            await asyncio.sleep(0)
        wire.send(pack(b"PING"))
        wire.expect_reply()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._confirmed.wait(), CONFIRM_SECONDS)
        if self._failure is not None:
            raise self._failure
        self._on_ready()
        self._beat()

    def _pushed(self, reply: Any) -> None:
        kind = reply[0] if isinstance(reply, list) else reply
        if kind == b"message":
            self._on_message(reply[1], reply[2])
        elif kind in (b"subscribe", b"pong", b"PONG"):
            self._unconfirmed -= 1
            if self._unconfirmed == 0:
                self._confirmed.set()
        elif isinstance(reply, hiredis.ReplyError):
            self._refused_by(reply)

    def _refused_by(self, refusal: hiredis.ReplyError) -> None:
        if refuses_connection(refusal):
            self._failure = ResponseError(str(refusal))
        elif not self._refused:
            # The user may not use these channels: poll at the full rate instead.
            logger.warning("The result backend does not permit subscriptions: %s", refusal)
            self._refused = True
        self._confirmed.set()

    def _beat(self) -> None:
        """Ping, so that a dead connection is noticed."""
        if self._heart is not None:
            self._heart.cancel()
        if self._wire is not None and self._wire.open:
            self._wire.send(pack(b"PING"))
            self._wire.expect_reply()
            loop = asyncio.get_running_loop()
            self._heart = loop.call_later(HEARTBEAT_SECONDS, self._beat)
