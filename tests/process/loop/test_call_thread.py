"""A thread for blocking calls: what it has when it is closed is done, what comes later fails."""

from __future__ import annotations

import asyncio
import threading

import pytest

from kimera_tui.process.loop.call_thread import CallThread, end_all


async def test_a_call_after_the_end_fails_at_once_and_one_before_it_is_done() -> None:
    thread = CallThread("kimera-test")
    last = thread.call(lambda: 1)
    thread.close()
    with pytest.raises(RuntimeError, match="kimera-test is closed"):
        await asyncio.wait_for(thread.call(lambda: 2), 10)
    assert await last == 1


async def test_a_thread_that_was_never_begun_can_be_closed_too() -> None:
    thread = CallThread("kimera-test")
    thread.close()
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(thread.call(lambda: 1), 10)


async def test_a_call_under_way_is_waited_for_at_the_end_but_not_for_ever() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(60)

    thread = CallThread("kimera-test")
    call = thread.call(work)
    await asyncio.to_thread(begun.wait, 60)
    end_all(0.01)
    assert not call.done()
    go_on.set()
    end_all(60)
    await asyncio.wait_for(call, 60)
