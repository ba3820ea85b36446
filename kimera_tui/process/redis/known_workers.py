"""Which workers should answer a broadcast: those bound to it, except those known to be silent."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from kimera_tui.process.redis.wire import Wire, pack

SILENCE_REMEMBERED = 60.0
"""Seconds for which a worker that did not answer is not waited for."""


class KnownWorkers:
    """Counts the answers that a broadcast waits for.

    kombu keeps a table of the workers bound to the control exchange. A killed worker stays in it
    for a while, so a worker that stays silent is not counted for a minute.

    Args:
        table: Key of that table.
        separator: Separates the fields of a binding.
        suffix: What follows the worker's name in its queue's name.
    """

    def __init__(self, table: bytes, separator: str, suffix: str) -> None:
        self._table = table
        self._separator = separator
        self._suffix = suffix
        self._silent: dict[str, float] = {}

    async def expected(self, wire: Wire) -> set[str]:
        """Names of the workers that should answer now.

        Raises:
            WireLost: the connection was lost.
        """
        bound, now = await self.bound(wire), time.monotonic()
        self._silent = {name: until for name, until in self._silent.items() if until > now}
        return bound - self._silent.keys()

    async def bound(self, wire: Wire) -> set[str]:
        """Names of all workers in the table, silent or not.

        Raises:
            WireLost: the connection was lost.
        """
        members: Any = (await wire.call(pack(b"SMEMBERS", self._table)))[0]
        names = map(self._name, members) if isinstance(members, list) else ()
        return {name for name in names if name}

    def answered(self, expected: Iterable[str], names: Sequence[str]) -> None:
        """Remember the workers that did not answer."""
        until = time.monotonic() + SILENCE_REMEMBERED
        for name in expected:
            if name not in names:
                self._silent[name] = until
        for name in names:
            self._silent.pop(name, None)

    def _name(self, member: bytes) -> str:
        queue = member.decode(errors="replace").split(self._separator)[-1]
        return queue.removesuffix(self._suffix) if queue.endswith(self._suffix) else ""
