"""What the engine promises holds on every pair of broker and result backend."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.errors import TaskFailed, TaskRevoked, TimeoutException
from kimera_tui.process import TaskManager, TaskParams
from kimera_tui.process.events import FinishedLate, Forgotten, RevokeSent, StateSeen
from kimera_tui.process.loop.clock import new_id
from kimera_tui.process.threaded.publisher import ThreadPublisher
from tests.process.listening import Listener, measured_lag, until

from .console import SECONDS, Ways, managed


@pytest.fixture
async def manager(ways: Ways, tmp_path: Path) -> AsyncIterator[TaskManager]:
    async with managed(ways, tmp_path) as task_manager:
        yield task_manager


async def inside(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, SECONDS)


async def test_it_goes_through_the_thread_engine(manager: TaskManager) -> None:
    engine = await manager._engines.engine()
    assert isinstance(engine.publisher, ThreadPublisher)


async def test_results_and_values(manager: TaskManager) -> None:
    value = {"a": [1, None, "ü \u202e [/x]"], "b": {"c": 1.5}}
    found = await inside(manager.send_await("echo", "lab", [value], {"key": value}))
    assert found == {"args": [value], "kwargs": {"key": value}}


async def test_the_end_is_noticed_promptly(ways: Ways, manager: TaskManager) -> None:
    await inside(manager.send_await("add", "lab", [1]))
    began = time.monotonic()
    for _ in range(5):
        slow: dict[str, Any] = (
            {} if ways.backend.startswith(("db", "file")) else {"poll_start": 20, "max_poll": 20}
        )
        assert await inside(manager.send_await("add", "lab", [1], {"other": 2}, **slow)) == 3
    assert time.monotonic() - began < 15  # five polls of 20 s, if nothing were pushed


async def test_custom_states_are_seen(manager: TaskManager) -> None:
    task_id = new_id()
    with Listener() as listener:
        sending = manager.send_await(
            "steps", "lab", kwargs={"count": 3, "pause": 0.4}, poll_start=0.05, max_poll=0.1,
            task_id=task_id,
        )  # fmt: skip
        assert await inside(sending) == 3
    seen = [event.meta for event in listener.of(StateSeen, task_id) if event.state == "PROGRESS"]
    assert {"done": 1, "of": 3} in seen


async def test_a_failure_is_reported_with_its_traceback(manager: TaskManager) -> None:
    with pytest.raises(TaskFailed) as failed:
        await inside(manager.send_await("fail", "lab", ["no luck"]))
    assert (failed.value.error_type, failed.value.error_message) == ("ValueError", "no luck")
    assert "Traceback" in failed.value.traceback


async def test_a_remote_revoke_is_reported(manager: TaskManager) -> None:
    task_id = new_id()
    handle = await manager.send_async("add", "lab", [1], countdown=6, task_id=task_id)
    await asyncio.sleep(0.5)  # it has to be with the worker
    receipts = await inside(manager.revoke(task_id))
    assert any(receipt.ok for receipt in receipts)
    with pytest.raises(TaskRevoked):
        await inside(handle)


async def test_a_timeout_and_the_late_end(manager: TaskManager) -> None:
    task_id = new_id()
    with Listener() as listener:
        with pytest.raises(TimeoutException):
            await manager.send_await("sleep", "lab", [1.5], timeout=0.4, task_id=task_id)
        late = await listener.hear(FinishedLate, task_id)
    assert (late.state, late.result) == ("SUCCESS", 1.5)
    engine = await manager._engines.engine()
    await until(lambda: task_id not in engine.publisher._handles)  # type: ignore[attr-defined]


async def test_release_revokes_then_forgets_and_keeps_nothing(manager: TaskManager) -> None:
    with Listener() as listener:
        await inside(manager.paraTasks([TaskParams("lab", "add", args=[n]) for n in range(20)]))
        await inside(manager.settle())
        assert len(listener.of(Forgotten)) == 20
        assert len(listener.of(RevokeSent)) == 20
        assert all(event.receipts for event in listener.of(RevokeSent))
    engine = await manager._engines.engine()
    assert engine.publisher._handles == {}  # type: ignore[attr-defined]
    assert engine.watcher._watches == {}  # type: ignore[attr-defined]


async def test_a_forgotten_result_is_gone(ways: Ways, manager: TaskManager) -> None:
    task_id = new_id()
    await inside(manager.send_await("add", "lab", [1], task_id=task_id))
    await inside(manager.settle())
    if ways.keeps_results:
        meta = await asyncio.to_thread(manager.celery_app.backend.get_task_meta, task_id)
        assert meta["status"] == "PENDING"


async def test_many_at_once_while_the_loop_goes_on(manager: TaskManager) -> None:
    tasks = [TaskParams("lab", "add", args=[n], timeout=SECONDS) for n in range(100)]
    async with measured_lag() as lag:
        assert await inside(manager.paraSyncTasks(tasks)) == list(range(100))
    assert not lag.held_up


async def test_a_chain(manager: TaskManager) -> None:
    steps = [
        TaskParams("lab", "add", args=[1]),
        TaskParams("lab", "echo"),
        TaskParams("lab", "echo"),
    ]
    last = await inside(manager.chainSyncTasks(steps))
    assert last == {"args": [], "kwargs": {"args": [], "kwargs": {"payload": 1}}}


async def test_a_cancelled_task_leaves_nothing(manager: TaskManager) -> None:
    handle = await manager.send_async("sleep", "lab", [0.5])
    handle.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handle
    engine = await manager._engines.engine()
    await until(lambda: not engine.publisher._handles)  # type: ignore[attr-defined]


async def test_closing_ends_what_is_in_flight(manager: TaskManager) -> None:
    handle = await manager.send_async("sleep", "lab", [3])
    TaskManager.reset()
    with pytest.raises(asyncio.CancelledError):
        await inside(handle)
