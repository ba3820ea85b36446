"""A wire that loses requests and replies at random: the connection is cut where one would go."""

from __future__ import annotations

import asyncio
import random
import threading
from types import TracebackType

SHARE = 0.15
"""The share of publishes that get lost on their way, and of the rest whose reply does."""
_PUBLISH = b"EVAL"


class FaultyWire:
    """A TCP proxy on a thread of its own; a context manager."""

    def __init__(self, target: int, rng: random.Random) -> None:
        self._target = target
        self._rng = rng
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._port = 0
        self.lost_requests = 0
        self.lost_replies = 0

    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self) -> FaultyWire:
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
                if _PUBLISH in data:
                    if self._rng.random() < SHARE:
                        self.lost_requests += 1
                        return
                    if self._rng.random() < SHARE:
                        self.lost_replies += 1
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
                    return
                sink.write(data)
                await sink.drain()
        except OSError:
            return
