"""Tasks are stopped in one stroke, beside workers that are silent or have nothing to do with it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.errors import TaskRevoked, TimeoutException
from kimera_tui.process import TaskManager
from kimera_tui.process.engine import Receipt, read_receipts, receipts_by_task
from kimera_tui.process.events import FinishedLate, Forgotten, RevokeSent, StateSeen, TakenOut
from kimera_tui.process.loop.clock import new_id

from .console import until
from .servers import Server, free_port, worker

FRIENDS = {
    "lab": Friend(route="lab.tasks", queue="celery"),
    "idle": Friend(route="lab.tasks", queue="nobody-consumes-this"),
}


@contextlib.asynccontextmanager
async def managed(url: str) -> AsyncIterator[TaskManager]:
    environ = {"CELERY": "1", "BROKER_URL": url, "RESULT_BACKEND": url}
    TaskManager.reset(Bootstrap(environ, FRIENDS))
    try:
        manager = TaskManager()
        yield manager
        await manager.aclose()
    finally:
        TaskManager.reset()


@contextlib.contextmanager
def broadcasts(server: Server) -> Iterator[list[bytes]]:
    """The revokes that are broadcast; complete once the context is left."""
    found: list[bytes] = []
    pubsub = server.client().pubsub(ignore_subscribe_messages=True)
    pubsub.psubscribe("*celery.pidbox*")
    pubsub.get_message(timeout=1)
    yield found
    while (message := pubsub.get_message(timeout=0.3)) is not None:
        found.append(message["data"])
    pubsub.close()


@contextlib.contextmanager
def frozen(process: subprocess.Popen[bytes]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


async def test_what_waits_is_taken_out_and_ends_at_once(lab: Server) -> None:
    async with managed(lab.url()) as manager:
        with manager.events.subscribe() as mailbox, broadcasts(lab) as sent:
            ids = [new_id() for _ in range(1500)]
            handles = [await manager.send_async("add", "idle", [1], task_id=each) for each in ids]
            report = await manager.stop_all(ids)
            ends = await asyncio.wait_for(asyncio.gather(*handles, return_exceptions=True), 10)
            events = mailbox.drain()
    assert {type(each) for each in ends} == {TaskRevoked}
    assert "taken out of queue nobody-consumes-this: it will never run" in str(ends[0])
    assert sorted(report.taken_out) == sorted(ids)
    assert report.why_not == []
    assert len(sent) == 1  # those that workers might hold; the others are gone anyway
    assert lab.client().llen("nobody-consumes-this") == 0
    taken = [each for each in events if isinstance(each, TakenOut)]
    assert sorted(each.task_id for each in taken) == sorted(ids)
    told = [each for each in events if isinstance(each, RevokeSent)]
    assert [each.task_id for each in told] == ids[:1000]
    assert all(each.asked for each in told)
    assert lab.client().exists(f"kimera:pub:{ids[0]}")


async def test_many_revokes_are_one_broadcast(lab: Server) -> None:
    ids = [new_id() for _ in range(300)]
    async with managed(lab.url()) as manager:
        with broadcasts(lab) as sent:
            receipts = await manager.revoke_all(ids)
    assert len(sent) == 1
    assert receipts.keys() == set(ids)
    assert {each.worker for each in receipts[ids[0]]} == {"w1@lab", "w2@lab"}


async def test_a_silent_worker_keeps_only_the_first_revoke_waiting(own_server: Server) -> None:
    url = own_server.url()
    with (
        worker(url, url, own_server.url(5)) as _,
        worker(url, url, own_server.url(5), queues="elsewhere", name="w2") as second,
        frozen(second),
    ):
        async with managed(url) as manager:
            strokes = (manager.revoke_all([new_id(), new_id()]) for _ in range(20))
            receipts = await asyncio.gather(*strokes)
            stopper = manager._engines._engines[manager._engines._default].releaser
            silent = stopper._asked._workers._silent  # type: ignore[attr-defined]
    assert all(
        [each.worker for each in found] == ["w1@lab"]
        for by_task in receipts
        for found in by_task.values()
    )
    assert set(silent) == {"w2@lab"}


async def test_a_task_taken_out_after_its_timeout_is_no_late_news(lab: Server) -> None:
    async with managed(lab.url()) as manager:
        with manager.events.subscribe() as mailbox:
            task_id = new_id()
            with pytest.raises(TimeoutException):
                await manager.send_await("add", "idle", [1], timeout=0.2, task_id=task_id)
            report = await manager.stop_all([task_id])
            await until(lambda: lab.client().exists(f"celery-task-meta-{task_id}"))
            await asyncio.sleep(0.3)
            late = [each for each in mailbox.drain() if isinstance(each, FinishedLate)]
    assert report.taken_out == [task_id]
    assert late == []


async def test_a_queue_that_was_chosen_for_one_task_is_searched_too(lab: Server) -> None:
    async with managed(lab.url()) as manager:
        task_id = new_id()
        handle = await manager.send_async("add", "lab", [1], task_id=task_id, queue="chosen")
        report = await manager.stop_all([task_id])
        await asyncio.wait({handle})
    assert report.taken_out == [task_id]
    assert report.tasks[task_id].queue == "chosen"


async def test_tasks_sent_by_others_are_stopped_where_their_friend_is(lab: Server) -> None:
    task_id = new_id()
    async with managed(lab.url()) as manager:
        await manager.send_async("add", "idle", [1], task_id=task_id)
    async with managed(lab.url()) as manager:
        unknown = await manager.stop_all([task_id])
        known = await manager.stop_all([task_id], friends={task_id: "idle"})
    assert unknown.why_not == ["Their queue is not known here."]
    assert known.taken_out == [task_id]


async def test_a_broker_that_is_away_is_a_reason() -> None:
    async with managed(f"redis://127.0.0.1:{free_port()}/0") as manager:
        report = await manager.stop_all(["a"], friends={"a": "lab"})
    assert report.taken_out == []
    assert "The broker at" in report.why_not[0]


@pytest.mark.parametrize("pool", ["solo", "threads"])
async def test_a_pool_that_cannot_terminate_acknowledges_nothing(
    own_server: Server, pool: str
) -> None:
    url = own_server.url()
    with (
        worker(url, url, own_server.url(5), pool=pool, events=True),
        worker(url, url, own_server.url(5), queues="elsewhere", name="w2"),
    ):
        async with managed(url) as manager:
            task_id = new_id()
            handle = await manager.send_async("sleep", "lab", [2], task_id=task_id)
            await until(lambda: not own_server.client().llen("celery"))
            receipts = await manager.revoke(task_id, terminate=True)
            report = await manager.stop_all([task_id], terminate=True)
            handle.cancel()
            await asyncio.wait({handle})
    assert [receipt for receipt in receipts if receipt.ok] == []
    assert "w2@lab" in {receipt.worker for receipt in receipts}
    assert report.tasks[task_id].workers == []


async def test_what_a_prefork_worker_terminates_it_acknowledges(own_server: Server) -> None:
    url = own_server.url()
    conf = {"task_track_started": True}
    with (
        worker(url, url, own_server.url(5), pool="prefork", slots=1, conf=conf),
        worker(url, url, own_server.url(5), queues="elsewhere", name="w2"),
    ):
        async with managed(url) as manager:
            with manager.events.subscribe() as mailbox:
                ids = [new_id() for _ in range(2)]
                handle = await manager.send_async("sleep", "lab", [60], task_id=ids[0])
                while not any(isinstance(each, StateSeen) for each in mailbox.drain()):
                    await mailbox.wait()
                report = await manager.stop_all(ids, terminate=True, friends={ids[1]: "lab"})
                await asyncio.wait({handle})
    assert report.tasks[ids[0]].workers == ["w1@lab"]
    assert report.tasks[ids[1]].workers == []


def test_tasks_unknown_is_no_acknowledgement() -> None:
    (receipt,) = read_receipts({"w": {"ok": "terminate: tasks unknown"}})
    assert receipt == Receipt("w", "terminate: tasks unknown", ok=False)


def test_each_task_has_the_answers_that_concern_it() -> None:
    answers = [
        Receipt("w1", "terminate: a, b", ok=True),
        Receipt("w2", "terminate: tasks unknown", ok=False),
    ]
    found = receipts_by_task(answers, ["a", "c"])
    assert found["a"] == (answers[1], Receipt("w1", "terminate: a", ok=True))
    assert found["c"] == (answers[1], Receipt("w1", "terminate: tasks unknown", ok=False))


async def test_release_forget_tells_no_worker(lab: Server) -> None:
    environ = {"CELERY": "1", "BROKER_URL": lab.url(), "RESULT_BACKEND": lab.url()}
    spared = Friend(route="lab.tasks", queue="celery", release="forget")
    TaskManager.reset(Bootstrap(environ, {"lab": FRIENDS["lab"], "spared": spared}))
    manager = TaskManager()
    ids = [new_id() for _ in range(4)]
    try:
        with manager.events.subscribe() as mailbox, broadcasts(lab) as sent:
            for number, task_id in enumerate(ids):
                friend = "lab" if number == 3 else "spared"
                assert await manager.send_await("add", friend, [1], task_id=task_id) == 1
                await manager.settle()
            events = mailbox.drain()
        await manager.aclose()
    finally:
        TaskManager.reset()
    assert len(sent) == 1
    assert [each.task_id for each in events if isinstance(each, RevokeSent)] == [ids[3]]
    assert [each.task_id for each in events if isinstance(each, Forgotten)] == ids
    client = lab.client()
    assert not any(client.exists(f"celery-task-meta-{each}") for each in ids)
