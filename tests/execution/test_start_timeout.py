"""How long a step is waited for that may be in its queue for a while."""

from __future__ import annotations

import asyncio
import weakref

import pytest

from kimera_tui.execution.start_timeout import Starts
from kimera_tui.process.events import Polled, StateSeen, Succeeded
from kimera_tui.process.loop.bus import Emitter, EventBus
from tests.runs.lab import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000.0)


@pytest.fixture
def bus() -> EventBus:
    return EventBus()


def seen(task_id: str, state: str, at: float) -> StateSeen:
    return StateSeen(at=at, task_id=task_id, state=state)


async def test_a_task_that_a_worker_only_holds_has_not_begun(bus: EventBus, clock: Clock) -> None:
    starts = Starts(bus, Emitter(bus, clock))
    _, overtime = starts.patience("t", 1_000.0, 300.0, 60.0)
    bus.publish(seen("t", "RECEIVED", 1_001.0))
    clock.at = 1_100.0
    assert await overtime() == 60.0
    bus.publish(seen("t", "STARTED", 1_090.0))
    assert await overtime() == 50.0
    starts.close()


async def test_a_start_is_known_whatever_happens_after_it(bus: EventBus, clock: Clock) -> None:
    starts = Starts(bus, Emitter(bus, clock))
    _, overtime = starts.patience("t", 1_000.0, 30.0, 300.0)
    bus.publish(seen("t", "STARTED", 1_001.0))
    for n in range(60_000):
        bus.publish(Polled(at=1_002.0, task_id=f"other-{n}", attempt=1, state="", next_delay=1.0))
        if n % 1_000 == 0:
            await asyncio.sleep(0)
    clock.at = 1_030.2
    assert await overtime() == pytest.approx(270.8)
    starts.close()


async def test_what_else_happens_is_let_go(bus: EventBus, clock: Clock) -> None:
    class Result:
        """Can be referred to weakly."""

    starts = Starts(bus, Emitter(bus, clock))
    starts.patience("t", 1_000.0, 30.0, 300.0)
    result = Result()
    held = weakref.ref(result)
    bus.publish(Succeeded(at=1_001.0, task_id="other", result=result))
    bus.publish(StateSeen(at=1_001.0, task_id="other", state="STARTED", meta=result))
    del result
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert held() is None
    starts.close()


async def test_a_start_that_an_earlier_console_saw_counts(bus: EventBus, clock: Clock) -> None:
    starts = Starts(bus, Emitter(bus, clock))
    _, overtime = starts.patience("t", 1_000.0, 30.0, 300.0, began=1_010.0)
    clock.at = 1_100.0
    assert await overtime() == 210.0
    starts.close()
