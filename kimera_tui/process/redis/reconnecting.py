"""A connection that reconnects: opened on first use, reopened with a growing pause."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.events import ConnectionBack, ConnectionLost
from kimera_tui.process.failures import broker_failure, is_auth_failure
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.outages import Outages
from kimera_tui.process.redis.endpoint import Endpoint
from kimera_tui.process.redis.wire import Push, Wire, pack, refusal_in

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
_CLOSE_SECONDS = 0.2
"""The longest that ``close`` waits for the connecting task to end."""
_LOADING = "is loading its data"


class ServerHealth:
    """Emits ``ConnectionLost`` and ``ConnectionBack`` for a server with several connections.

    Args:
        which: ``broker`` or ``result backend``.
        emitter: Where the events go.
        outages: Adds up the time for which the server is away.
    """

    def __init__(self, which: str, emitter: Emitter, outages: Outages | None = None) -> None:
        self._which = which
        self._emitter = emitter
        self._outages = outages or Outages()
        self._down: set[RedisConnection] = set()
        self._refused = False
        """Whether it rejects our credentials, which waiting does not cure."""

    def lost(self, connection: RedisConnection, reason: str) -> None:
        """A connection was lost or could not be opened."""
        first = not self._down
        self._down.add(connection)
        refused = is_auth_failure(reason)
        if refused:
            self._outages.end(self)
        elif not self._refused:
            self._outages.begin(self)
        if first or (refused and not self._refused):
            self._refused = refused
            at = self._emitter.now()
            self._emitter.emit(ConnectionLost(at=at, which=self._which, reason=reason))

    def back(self, connection: RedisConnection) -> None:
        """A server answered a command on a new connection."""
        if connection in self._down:
            self._down.discard(connection)
            if not self._down:
                self._refused = False
                self._outages.end(self)
                at = self._emitter.now()
                self._emitter.emit(ConnectionBack(at=at, which=self._which))


class RedisConnection:
    """Keeps one connection to an endpoint open.

    Args:
        endpoint: Where to connect.
        health: Gets losses and recoveries.
        on_push: Makes this a subscription; gets every pushed reply.
        on_open: Awaited with each new wire before it is used.
        expects: Whether the server is expected to push something. A connection that the server
            closes while it owes nothing is reopened silently.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        health: ServerHealth,
        *,
        on_push: Push | None = None,
        on_open: Callable[[Wire], Awaitable[None]] | None = None,
        expects: Callable[[], bool] = lambda: False,
    ) -> None:
        self.endpoint = endpoint
        self._health = health
        self._on_push = on_push
        self._on_open = on_open
        self._expects = expects
        self._wire: Wire | None = None
        self._opening: asyncio.Task[None] | None = None
        self._attempt: asyncio.Future[None] | None = None
        self._failure: BrokerUnavailable | None = None
        self._was_open = False
        self._closed = False

    @property
    def wire(self) -> Wire | None:
        """The open connection, or None while there is none."""
        return self._wire

    def open(self) -> None:
        """Start connecting, unless connected or connecting."""
        if self._wire is None and self._opening is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._opening = loop.create_task(self._keep_trying(), name="kimera connection")

    async def connected(self, patience: float) -> Wire:
        """Return the open connection.

        Args:
            patience: Seconds to keep trying, unless the connection is ``hopeless``: then the first
                failure is final.

        Raises:
            BrokerUnavailable: with the last reason.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        while self._wire is None:
            self.open()
            if self._attempt is None:
                self._attempt = loop.create_future()
            await asyncio.wait({self._attempt}, timeout=max(0.0, until - loop.time()))
            if self._wire is None and (loop.time() >= until or self.hopeless):
                raise self.failure
        return self._wire

    async def close(self) -> None:
        """Close for good; waits for our own task only."""
        self._closed = True
        if self._wire is not None:
            wire, self._wire = self._wire, None
            wire.close()
        if (opening := self._opening) is not None:
            opening.cancel()
            await asyncio.wait({opening}, timeout=_CLOSE_SECONDS)

    @property
    def hopeless(self) -> bool:
        """Whether waiting is pointless: the server never answered or rejects our credentials."""
        if self._closed or self._failure is None:  # without a failure it is still being opened
            return self._closed
        message = self._failure.message
        return is_auth_failure(message) or not (self._was_open or _LOADING in message)

    @property
    def failure(self) -> BrokerUnavailable:
        """Why there is no connection."""
        if self._failure is not None:
            return BrokerUnavailable(self._failure.message, hint=self._failure.hint)
        return BrokerUnavailable(f"The broker at {self.endpoint.where} did not answer in time.")

    async def _keep_trying(self) -> None:
        pause = FIRST_PAUSE
        try:
            while not self._closed:
                try:
                    await self._connect()
                except (OSError, RedisError) as error:
                    self._failed(error)
                    await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311
                    pause = min(pause * 2, LONGEST_PAUSE)
                else:
                    return
        finally:
            self._opening = None
            self._end_attempt()

    async def _connect(self) -> None:
        wire = await self.endpoint.connect(self._lost, self._on_push)
        try:
            if self._on_push is None:
                await _check_serves(wire)
            if self._on_open is not None:
                await self._on_open(wire)
        except BaseException:
            wire.close()
            raise
        if not wire.open:
            raise ConnectionError("Connection closed by server")
        self._wire = wire
        self._was_open = True
        self._failure = None
        self._health.back(self)
        self._end_attempt()

    def _failed(self, error: Exception) -> None:
        self._failure = as_unavailable(error, self.endpoint)
        self._health.lost(self, _reason(self._failure))
        self._end_attempt()

    def _end_attempt(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None and not attempt.done():
            attempt.set_result(None)

    def _lost(self, wire: Wire, error: Exception) -> None:
        if self._closed or wire is not self._wire:
            return
        self._wire = None
        if wire.owed or self._expects():
            self._health.lost(self, _reason(as_unavailable(error, self.endpoint)))
        self.open()


async def _check_serves(wire: Wire) -> None:
    """Return once a command succeeded; a server may accept connections and execute nothing."""
    refusal = refusal_in(await wire.call(pack(b"PING")))
    if refusal is not None and refuses_connection(refusal):
        raise refusal


def refuses_connection(refusal: Exception) -> bool:
    """Whether an error concerns the whole connection, not one command or the user's rights."""
    return not str(refusal).startswith(("NOPERM", "ERR unknown command"))


def as_unavailable(error: BaseException, endpoint: Endpoint) -> BrokerUnavailable:
    """A connection's exception as one sentence."""
    failure = broker_failure(error, endpoint.where)
    return failure or BrokerUnavailable(f"The broker at {endpoint.where} cannot be used: {error}.")


def _reason(failure: BrokerUnavailable) -> str:
    return failure.message.removeprefix("The broker ")
