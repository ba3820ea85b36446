from __future__ import annotations

import asyncio
import gc

import pytest

from kimera_tui.process.loop import gc_truce
from kimera_tui.process.loop.gc_truce import BUSY, THRESHOLDS, GcTruce


async def test_a_busy_second_begins_the_truce_and_a_calm_one_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gc_truce, "WINDOW", 0.05)
    usual, in_flight = gc.get_threshold(), [0] * BUSY
    truce = GcTruce(in_flight)
    for _ in range(BUSY - 1):
        truce.note_task()
    assert gc.get_threshold() == usual
    truce.note_task()
    assert gc.get_threshold() == THRESHOLDS
    await asyncio.sleep(0.12)
    assert gc.get_threshold() == THRESHOLDS, "so many are still in flight"
    in_flight.clear()
    await asyncio.sleep(0.12)
    assert gc.get_threshold() == usual


async def test_closing_ends_it_too() -> None:
    usual = gc.get_threshold()
    truce = GcTruce([])
    for _ in range(BUSY):
        truce.note_task()
    truce.end()
    truce.end()
    assert gc.get_threshold() == usual
