"""The event bus: nobody waits for a listener, and a slow one knows what it lost."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.process import events
from kimera_tui.process.events import Event
from kimera_tui.process.loop.bus import EventBus

KINDS = [
    kind
    for _, kind in inspect.getmembers(events, inspect.isclass)
    if issubclass(kind, Event) and kind.__module__ == events.__name__
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_is_a_frozen_dataclass_with_its_time(kind: type[Event]) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "at" in {field.name for field in dataclasses.fields(kind)}


def test_every_step_of_the_contract_has_its_event() -> None:
    assert {kind.__name__ for kind in KINDS} >= {
        "Dispatched", "Polled", "StateSeen", "Succeeded", "Failed", "TimedOut", "FinishedLate",
        "CallbackStarted", "CallbackFinished", "CallbackFailed", "Forgotten", "RevokeSent",
        "ChainAdvanced",
    }  # fmt: skip


def test_nobody_listening_keeps_nothing() -> None:
    bus = EventBus()
    assert not bus.has_listeners
    bus.publish("lost")
    mailbox = bus.subscribe()
    assert bus.has_listeners
    assert mailbox.drain() == []
    mailbox.close()
    assert not bus.has_listeners


@given(st.integers(1, 20), st.integers(0, 60))
def test_a_full_mailbox_loses_its_oldest_and_counts_them(size: int, count: int) -> None:
    bus = EventBus()
    mailbox = bus.subscribe(size)
    for number in range(count):
        bus.publish(number)
    assert mailbox.dropped == max(0, count - size)
    assert mailbox.drain() == list(range(count))[-size:]
    assert mailbox.drain() == []


def test_a_slow_listener_takes_nothing_from_the_others() -> None:
    bus = EventBus()
    slow, quick = bus.subscribe(2), bus.subscribe(100)
    for number in range(10):
        bus.publish(number)
    assert slow.dropped == 8
    assert quick.dropped == 0
    assert quick.drain() == list(range(10))


def test_losses_add_up_over_drains() -> None:
    bus = EventBus()
    mailbox = bus.subscribe(1)
    for _ in range(2):
        for number in range(3):
            bus.publish(number)
        mailbox.drain()
    assert mailbox.dropped == 4


def test_a_closed_mailbox_hears_nothing_more_and_may_be_closed_twice() -> None:
    bus = EventBus()
    with bus.subscribe() as mailbox:
        bus.publish(1)
    bus.publish(2)
    mailbox.close()
    assert mailbox.drain() == [1]


async def test_wait_returns_once_there_is_something() -> None:
    bus = EventBus()
    mailbox = bus.subscribe()
    waiting = asyncio.create_task(mailbox.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    bus.publish("here")
    await asyncio.wait_for(waiting, 5)
    assert mailbox.drain() == ["here"]
    waiting = asyncio.create_task(mailbox.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
