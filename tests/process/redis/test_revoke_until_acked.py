"""Revokes that no worker heard are asserted again: until one starts, or the task has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.errors import TaskRevoked
from kimera_tui.process import TaskManager
from kimera_tui.process.events import RevokeSent

from .servers import Server, worker

FRIENDS = {"lab": Friend(route="lab.tasks", queue="celery")}


@asynccontextmanager
async def managing(server: Server) -> AsyncIterator[TaskManager]:
    environ = {"CELERY": "1", "BROKER_URL": server.url(), "RESULT_BACKEND": server.url()}
    TaskManager.reset(Bootstrap(environ, FRIENDS))
    manager = TaskManager()
    try:
        yield manager
    finally:
        await manager.aclose()
        TaskManager.reset()


async def revoked(handle: asyncio.Task[object]) -> bool:
    """Whether a task ends as revoked."""
    try:
        await asyncio.wait_for(handle, 30)
    except TaskRevoked:
        return True
    return False


async def started(server: Server, *, mingle: bool) -> object:
    """A worker that starts, beside the loop; to be closed."""
    running = worker(server.url(), server.url(), server.url(5), mingle=mingle)
    await asyncio.to_thread(running.__enter__)
    return running


async def test_a_worker_that_starts_is_told_before_it_takes_its_first_message(
    own_server: Server,
) -> None:
    async with managing(own_server) as manager:
        with manager.events.subscribe() as mailbox:
            handle = await manager.send_async("add", "lab", [1])
            (task_id,) = [e.task_id for e in mailbox.drain() if type(e).__name__ == "Dispatched"]
            assert await manager.revoke(task_id) == []
            keeping = asyncio.create_task(manager.revoke_until_acked("lab", [task_id], every=60))
            await asyncio.sleep(1)  # it listens on a thread by now
            running = await started(own_server, mingle=True)
            try:
                assert await revoked(handle)
                # Its own tries are a minute apart: what it heard it heard when it started.
                heard = [e for e in mailbox.drain() if isinstance(e, RevokeSent) and e.receipts]
                assert [each.answer for each in heard[0].receipts] == ["told at its start"]
                assert await asyncio.wait_for(keeping, 30) in (
                    "It has ended.",
                    "Acknowledged by w1@lab.",
                )
            finally:
                await asyncio.to_thread(running.__exit__, None, None, None)  # type: ignore[attr-defined]
    assert own_server.client(5).hget("runs", task_id) is None


async def test_without_a_worker_it_is_given_up_at_its_limit(own_server: Server) -> None:
    async with managing(own_server) as manager:
        handle = await manager.send_async("add", "lab", [1])
        task_id = own_server.client().keys("kimera:pub:*")[0].decode().rpartition(":")[2]
        result = await manager.revoke_until_acked("lab", [task_id], every=0.2, limit=0.9)
        assert result.startswith("No worker acknowledged the revoke in 0.015 min")
        handle.cancel()


async def test_what_has_ended_meanwhile_needs_no_worker(lab: Server) -> None:
    async with managing(lab) as manager:
        with manager.events.subscribe() as mailbox:
            await manager.send_async("fail", "lab", timeout=20)
            (task_id,) = [e.task_id for e in mailbox.drain() if type(e).__name__ == "Dispatched"]
            async with asyncio.timeout(20):
                while "Failed" not in {type(e).__name__ for e in mailbox.drain()}:
                    await mailbox.wait()
        result = await manager.revoke_until_acked("lab", [task_id], every=0.1, limit=5)
    assert result == "It has ended."
