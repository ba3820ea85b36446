"""A thread for blocking calls: what it has when it is closed is done, what comes later fails."""

from __future__ import annotations

import asyncio

import pytest

from kimera_tui.process.call_thread import CallThread


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
