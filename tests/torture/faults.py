"""Wires between consoles and server that lose publishes, or kill the console that publishes."""

from __future__ import annotations

import asyncio
import enum
import os
import random
import signal
import threading
from types import TracebackType
from typing import Self

SHARE = 0.15
"""The share of publishes that get lost on their way, and of the rest whose reply does."""
_PUBLISH = b"EVAL"


class Fate(enum.Enum):
    """What becomes of a publish."""

    PASSES = "passes"
    REQUEST_LOST = "the server never gets it"
    REPLY_LOST = "the server carries it out, and the console doesn't hear of it"


class Wire:
    """A TCP proxy on a thread of its own, which lets everything pass; a context manager.

    Args:
        target: The server's port on loopback.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._port = 0

    def fate(self) -> Fate:
        """What becomes of the next publish."""
        return Fate.PASSES

    async def lost(self) -> None:
        """Called when a publish or its reply is lost, before the connection is cut."""

    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        deaf = asyncio.Event()
        ways = [
            asyncio.ensure_future(self._requests(reader, back, deaf)),
            asyncio.ensure_future(self._replies(there, writer, deaf)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, back):
            end.transport.abort()

    async def _requests(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, deaf: asyncio.Event
    ) -> None:
        try:
            while data := await source.read(65536):
                fate = self.fate() if _PUBLISH in data else Fate.PASSES
                if fate is Fate.REQUEST_LOST:
                    await self.lost()
                    return
                if fate is Fate.REPLY_LOST:
                    deaf.set()
                sink.write(data)
                await sink.drain()
        except OSError:
            return

    async def _replies(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, deaf: asyncio.Event
    ) -> None:
        try:
            while data := await source.read(65536):
                if deaf.is_set():
                    await self.lost()
                    return
                sink.write(data)
                await sink.drain()
        except OSError:
            return


class FaultyWire(Wire):
    """Loses requests and replies at random: the connection is cut where one would go."""

    def __init__(self, target: int, rng: random.Random) -> None:
        super().__init__(target)
        self._rng = rng
        self.lost_requests = 0
        self.lost_replies = 0

    def fate(self) -> Fate:
        if self._rng.random() < SHARE:
            self.lost_requests += 1
            return Fate.REQUEST_LOST
        if self._rng.random() < SHARE:
            self.lost_replies += 1
            return Fate.REPLY_LOST
        return Fate.PASSES


class DeadlyWire(Wire):
    """Kills the console while one of its publishes is on the wire, seen from the server's side.

    Args:
        target: The server's port on loopback.
        nth: Which publish that is, from 1.
        fate: Whether the server gets it before the console dies.
    """

    def __init__(self, target: int, nth: int, fate: Fate) -> None:
        super().__init__(target)
        self._left = nth
        self._fate = fate
        self._pid = 0
        self._aimed = threading.Event()

    def aim(self, pid: int) -> None:
        """Name the process to kill."""
        self._pid = pid
        self._aimed.set()

    def fate(self) -> Fate:
        self._left -= 1
        return self._fate if self._left == 0 else Fate.PASSES

    async def lost(self) -> None:
        await asyncio.to_thread(self._aimed.wait)
        os.kill(self._pid, signal.SIGKILL)
