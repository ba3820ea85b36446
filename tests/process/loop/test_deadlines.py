"""Waiting with deadlines on one timer."""

from __future__ import annotations

import asyncio
import time

import pytest

from kimera_tui.process.loop.deadlines import Deadlines


async def test_each_wait_ends_at_its_own_deadline_and_never_early() -> None:
    deadlines, loop = Deadlines(asyncio.get_running_loop()), asyncio.get_running_loop()
    ends: list[tuple[float, float]] = []

    async def one(seconds: float) -> None:
        began = time.monotonic()
        assert not await deadlines.wait(loop.create_future(), seconds)
        ends.append((seconds, time.monotonic() - began))

    await asyncio.wait_for(asyncio.gather(*(one(each) for each in (0.3, 0.05, 0.2, 0.05))), 30)
    assert [seconds for seconds, _ in ends] == [0.05, 0.05, 0.2, 0.3]
    assert all(took >= seconds - 0.001 for seconds, took in ends)


async def test_a_future_that_is_done_ends_the_wait_and_keeps_its_result() -> None:
    deadlines, loop = Deadlines(asyncio.get_running_loop()), asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_later(0.05, future.set_result, 7)
    assert await asyncio.wait_for(deadlines.wait(future, 60), 30)
    assert future.result() == 7
    assert await deadlines.wait(future, 60)


async def test_a_wait_that_is_cancelled_leaves_the_future_alone() -> None:
    deadlines, loop = Deadlines(asyncio.get_running_loop()), asyncio.get_running_loop()
    future = loop.create_future()
    waiting = asyncio.create_task(deadlines.wait(future, 60))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not future.done()
    assert not any(deadlines._wheel._buckets.values())
