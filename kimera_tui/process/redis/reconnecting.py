"""A connection that comes back: opened on first use, re-opened with a growing pause."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.events import ConnectionBack, ConnectionLost
from kimera_tui.process.failures import broker_failure, is_password_matter
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.outages import Outages
from kimera_tui.process.redis.endpoint import Endpoint
from kimera_tui.process.redis.wire import Push, Wire, pack, refusal_in

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
_LAST_WORDS = 0.2
_LOADING = "is loading its data"


class Health:
    """Tells when a server is lost and when it is back, however many connections it has.

    Args:
        which: ``broker`` or ``result backend``.
        emitter: Where to tell.
        outages: Adds up the time for which it is away.
    """

    def __init__(self, which: str, emitter: Emitter, outages: Outages | None = None) -> None:
        self._which = which
        self._emitter = emitter
        self._outages = outages or Outages()
        self._down: set[Link] = set()
        self._refused = False
        """Whether it refuses our password, which waiting doesn't cure."""

    def lost(self, link: Link, reason: str) -> None:
        """A connection is gone or couldn't be made."""
        first = not self._down
        self._down.add(link)
        refused = is_password_matter(reason)
        if refused:
            self._outages.end(self)
        elif not self._refused:
            self._outages.begin(self)
        if first or (refused and not self._refused):
            self._refused = refused
            at = self._emitter.now()
            self._emitter.emit(ConnectionLost(at=at, which=self._which, reason=reason))

    def back(self, link: Link) -> None:
        """A server answered a command on a new connection."""
        if link in self._down:
            self._down.discard(link)
            if not self._down:
                self._refused = False
                self._outages.end(self)
                at = self._emitter.now()
                self._emitter.emit(ConnectionBack(at=at, which=self._which))


class Link:
    """Keeps one connection to an endpoint.

    Args:
        endpoint: Where to connect.
        health: Whom to tell of losses.
        on_push: Makes it a subscription; gets what is pushed.
        on_open: Awaited with each new wire before anybody else gets it.
        expects: Whether the server is expected to push something; a connection that it closes
            while it owes nothing is opened again without a word.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        health: Health,
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
        """Start connecting, unless that is done or under way."""
        if self._wire is None and self._opening is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._opening = loop.create_task(self._keep_trying(), name="kimera link")

    async def connected(self, patience: float) -> Wire:
        """Return the open connection.

        Args:
            patience: Seconds to go on trying, unless the link is ``hopeless``; otherwise the
                first failure is final.

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
        """Close for good; waits for nobody but our own task."""
        self._closed = True
        if self._wire is not None:
            wire, self._wire = self._wire, None
            wire.close()
        if (opening := self._opening) is not None:
            opening.cancel()
            await asyncio.wait({opening}, timeout=_LAST_WORDS)

    @property
    def hopeless(self) -> bool:
        """Whether waiting is in vain: it never answered, or refuses our password."""
        if self._closed or self._failure is None:  # without a failure it is still being opened
            return self._closed
        said = self._failure.message
        return is_password_matter(said) or not (self._was_open or _LOADING in said)

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
                await _see_it_serves(wire)
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

    def _lost(self, wire: Wire, why: Exception) -> None:
        if self._closed or wire is not self._wire:
            return
        self._wire = None
        if wire.owed or self._expects():
            self._health.lost(self, _reason(as_unavailable(why, self.endpoint)))
        self.open()


async def _see_it_serves(wire: Wire) -> None:
    """Return once a command succeeded; a server may be there and carry out none."""
    refusal = refusal_in(await wire.call(pack(b"PING")))
    if refusal is not None and serves_not(refusal):
        raise refusal


def serves_not(refusal: Exception) -> bool:
    """Whether a refusal is about the whole connection, and not about one command of a user."""
    return not str(refusal).startswith(("NOPERM", "ERR unknown command"))


def as_unavailable(error: BaseException, endpoint: Endpoint) -> BrokerUnavailable:
    """What a connection's exception means, in one sentence."""
    failure = broker_failure(error, endpoint.where)
    return failure or BrokerUnavailable(f"The broker at {endpoint.where} cannot be used: {error}.")


def _reason(failure: BrokerUnavailable) -> str:
    return failure.message.removeprefix("The broker ")
