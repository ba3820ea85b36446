"""Engines are built once, however many ask at the same time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from kimera_tui.process import engines
from kimera_tui.process.engines import Engines
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.process.outcome import IsOver

from .stand_in import FakeApp

Counted = tuple[Engines, list[Any]]
"""A room, and the apps for which it has built engines."""


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Counted:
    built: list[Any] = []
    build = engines.engine_for

    def counted(app: Any, emitter: Emitter, is_over: IsOver) -> Any:
        time.sleep(0.05)
        built.append(app)
        return build(app, emitter, is_over)

    monkeypatch.setattr(engines, "engine_for", counted)
    room_engines = Engines(
        True, "memory://", "cache+memory://", {}, Emitter(EventBus(), SystemClock()), {}
    )
    room_engines.app = FakeApp()
    return room_engines, built


async def test_a_thousand_who_ask_at_once_get_one_engine(
    room: Counted,
) -> None:
    room_engines, built = room
    engines = await asyncio.wait_for(
        asyncio.gather(*(room_engines.engine() for _ in range(1000))), 30
    )
    assert len(built) == 1
    assert all(engine is engines[0] for engine in engines)
    room_engines.close()


async def test_another_app_meanwhile_gets_an_engine_of_its_own(
    room: Counted,
) -> None:
    room_engines, built = room
    asking = asyncio.create_task(room_engines.engine())
    await asyncio.sleep(0.01)
    other = FakeApp()
    room_engines.app = other
    await asyncio.wait_for(asking, 30)
    assert built[-1] is other
    room_engines.close()


async def test_a_build_that_fails_is_tried_again(
    room: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    room_engines, _ = room
    with monkeypatch.context() as broken:
        broken.setattr(engines, "engine_for", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await room_engines.engine()
    assert await room_engines.engine()
    room_engines.close()
