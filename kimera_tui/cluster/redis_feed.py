"""Listens to the workers' events on a Redis broker, on the event loop and in small slices."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from celery import Celery
from redis.exceptions import ResponseError

from kimera_tui.cluster.facts import Fact
from kimera_tui.cluster.worker_events import facts_of
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import Clock
from kimera_tui.process.redis.capture import Capture
from kimera_tui.process.redis.reconnecting import RedisConnection, ServerHealth
from kimera_tui.process.redis.wire import Wire, pack

logger = logging.getLogger(__name__)

PING_SECONDS = 10.0
CONFIRM_SECONDS = 5.0
LARGEST = 4 * 1024 * 1024
"""Bytes; a larger message is left out."""
_JSON = "application/json"


class RedisFeed:
    """Subscribes to the events of all workers, those about tasks of other programs included.

    Workers send heartbeats unless that is switched off, and task events only with ``-E``; this
    does not switch them on. What arrives while the connection is away is lost.

    Args:
        app: A Celery app whose broker is one Redis server.
        clock: Tells the time of arrival.
        on_facts: Called on the loop with what each message tells.
    """

    def __init__(
        self, app: Celery, clock: Clock, on_facts: Callable[[Sequence[Fact]], None]
    ) -> None:
        capture = Capture(app)
        self._pattern = capture.events_pattern.encode()
        self._clock = clock
        self._on_facts = on_facts
        # The engine's own connections announce losses; a second announcement would say the same.
        silent = ServerHealth("broker", Emitter(EventBus(), clock))
        self._connection = RedisConnection(
            capture.endpoint, silent, on_push=self._pushed, on_open=self._opened
        )
        self._ready = asyncio.Event()
        self._refusal: ResponseError | None = None
        self._heart: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start listening; requires a running loop."""
        self._connection.open()

    async def close(self) -> None:
        """Stop listening."""
        if self._heart is not None:
            self._heart.cancel()
        await self._connection.close()

    async def _opened(self, wire: Wire) -> None:
        """Subscribe, and wait for the server's confirmation.

        Raises:
            ResponseError: the server does not permit it.
        """
        self._ready.clear()
        self._refusal = None
        wire.send(pack(b"PSUBSCRIBE", self._pattern))
        wire.expect_reply()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), CONFIRM_SECONDS)
        if self._refusal is not None:
            raise self._refusal
        self._beat(wire)

    def _beat(self, wire: Wire) -> None:
        """Ping, so that a dead connection is noticed."""
        if wire.open:
            wire.send(pack(b"PING"))
            wire.expect_reply()
            loop = asyncio.get_running_loop()
            self._heart = loop.call_later(PING_SECONDS, self._beat, wire)

    def _pushed(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            logger.warning("The broker does not permit listening to events: %s", reply)
            self._refusal = ResponseError(str(reply))
            self._ready.set()
        elif isinstance(reply, list) and reply[0] == b"pmessage":
            if facts := tuple(facts_of(decoded(reply[3]), self._clock.now())):
                self._on_facts(facts)
        else:
            self._ready.set()


def decoded(message: bytes) -> object:
    """The event, or events, in a message as kombu publishes it; None for anything else.

    Only JSON is decoded.
    """
    if len(message) > LARGEST:
        return None
    try:
        envelope = json.loads(message)
        if envelope.get("content-type") != _JSON:
            return None
        body = envelope["body"]
        if envelope["properties"].get("body_encoding") == "base64":
            body = base64.b64decode(body)
        return json.loads(body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
