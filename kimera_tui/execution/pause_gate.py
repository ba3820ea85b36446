"""A gate that can be closed, and tells when those who went through have left."""

from __future__ import annotations

import asyncio


class Gate:
    """Lets everybody in as long as it is open."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._inside = 0

    async def enter(self) -> None:
        """Wait until it is open, which takes no turn of the loop if it is; then go in."""
        while not self._open.is_set():
            await self._open.wait()
        self._inside += 1
        self._empty.clear()

    def leave(self) -> None:
        """Say that what went in has ended."""
        self._inside -= 1
        if not self._inside:
            self._empty.set()

    async def close(self) -> None:
        """Let nobody in any more; returns once all who went in have left."""
        self._open.clear()
        await self._empty.wait()

    def open(self) -> None:
        """Let those in who wait, and everybody after them."""
        self._open.set()
