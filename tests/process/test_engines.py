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
    made = Engines(True, "memory://", "cache+memory://", {}, Emitter(EventBus(), SystemClock()), {})
    made.app = FakeApp()
    return made, built


async def test_a_thousand_who_ask_at_once_get_one_engine(
    room: Counted,
) -> None:
    made, built = room
    engines = await asyncio.wait_for(asyncio.gather(*(made.engine() for _ in range(1000))), 30)
    assert len(built) == 1
    assert all(engine is engines[0] for engine in engines)
    made.close()


async def test_another_app_meanwhile_gets_an_engine_of_its_own(
    room: Counted,
) -> None:
    made, built = room
    asking = asyncio.create_task(made.engine())
    await asyncio.sleep(0.01)
    other = FakeApp()
    made.app = other
    await asyncio.wait_for(asking, 30)
    assert built[-1] is other
    made.close()


async def test_a_build_that_fails_is_tried_again(
    room: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = room
    with monkeypatch.context() as broken:
        broken.setattr(engines, "engine_for", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await made.engine()
    assert await made.engine()
    made.close()
