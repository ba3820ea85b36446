"""A server that is away is dialled ever less often, and never given up."""

from __future__ import annotations

import asyncio

import pytest

from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.process.redis import reconnecting
from kimera_tui.process.redis.reconnecting import RedisConnection, ServerHealth

from .console import until


class Away:
    """An endpoint where nobody listens."""

    where = "127.0.0.1:1"

    def __init__(self) -> None:
        self.dialled: list[float] = []

    async def connect(self, *_: object) -> None:
        self.dialled.append(asyncio.get_running_loop().time())
        raise ConnectionRefusedError


async def test_the_pause_between_two_tries_grows_to_the_longest_and_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconnecting, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(reconnecting, "LONGEST_PAUSE", 0.08)
    away = Away()
    health = ServerHealth("broker", Emitter(EventBus(), SystemClock()))
    link = RedisConnection(away, health)  # type: ignore[arg-type]
    link.open()
    # Without an end to their growth the pauses of 12 tries add up to 20 s.
    await until(lambda: len(away.dialled) == 12)
    await link.close()
    pauses = [after - before for before, after in zip(away.dialled, away.dialled[1:], strict=False)]
    assert min(pauses[3:]) > 0.055  # 0.08 s, give or take a quarter
    assert pauses[0] >= 0.0075
