"""Tasks are stopped in one stroke on every broker; one that cannot take them out says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.errors import TaskRevoked
from kimera_tui.process import TaskManager
from kimera_tui.process.events import RevokeSent, TakenOut
from kimera_tui.process.loop.clock import new_id
from kimera_tui.process.stopping.stop_all import NO_TAKE_OUT
from tests.process.redis.servers import worker

from .console import SECONDS, Ways, managed


@pytest.fixture(scope="module")
def beside(ways: Ways, redis_server: Any) -> Iterator[str]:
    """A worker of another queue on the same broker."""
    name = f"beside-{ways.name}"
    counts = redis_server.url(5)
    with worker(ways.broker, ways.backend, counts, queues=f"other-{ways.name}", name=name):
        yield f"{name}@lab"


@pytest.fixture
async def manager(ways: Ways, tmp_path: Path) -> AsyncIterator[TaskManager]:
    async with managed(ways, tmp_path) as made:
        yield made


async def test_many_tasks_are_revoked_at_once_and_the_report_says_what_cannot_be_done(
    ways: Ways, beside: str, manager: TaskManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcasts: list[int] = []
    control = manager.celery_app.control
    revoke = control.revoke

    def counted(task_ids: list[str], **options: Any) -> Any:
        broadcasts.append(len(task_ids))
        return revoke(task_ids, **options)

    monkeypatch.setattr(control, "revoke", counted)
    ids = [new_id() for _ in range(30)]
    with manager.events.subscribe() as mailbox:
        handles = [
            await manager.send_async("sleep", "lab", [1], task_id=each, countdown=5) for each in ids
        ]
        async with asyncio.timeout(SECONDS):
            report = await manager.stop_all(ids)
            ends = await asyncio.gather(*handles, return_exceptions=True)
        events = mailbox.drain()
    assert broadcasts == [30]
    assert {type(each) for each in ends} == {TaskRevoked}
    assert report.taken_out == []
    assert report.why_not == [NO_TAKE_OUT]
    # A worker that stores 30 results in a database may be too slow to answer in time.
    assert set(report.tasks[ids[0]].workers) <= {f"{ways.name}@lab", beside}
    assert not [each for each in events if isinstance(each, TakenOut)]
    told = [each.task_id for each in events if isinstance(each, RevokeSent)]
    assert sorted(told) == sorted(ids)


async def test_a_pool_that_cannot_terminate_acknowledges_nothing(
    beside: str, manager: TaskManager
) -> None:
    task_id = new_id()
    handle = await manager.send_async("steps", "lab", [8, 0.5], task_id=task_id)
    with manager.events.subscribe() as mailbox:
        async with asyncio.timeout(SECONDS):
            while not any(getattr(each, "state", "") == "PROGRESS" for each in mailbox.drain()):
                await mailbox.wait()
    report = await manager.stop_all([task_id], terminate=True)
    handle.cancel()
    await asyncio.wait({handle})
    assert report.tasks[task_id].workers == []
    assert beside in {receipt.worker for receipt in report.receipts}
