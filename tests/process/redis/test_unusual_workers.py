"""Workers that are set up in other ways than the console would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Any

import pytest

from kimera_tui.errors import ResultUnknown, TaskFailed, TimeoutException
from kimera_tui.process.events import EndedUnknown, Noticed, Spawned, StateSeen
from kimera_tui.process.loop.clock import new_id

from .servers import Server, worker
from .test_revoke_until_acked import managing


def otherwise(server: Server, conf: Mapping[str, Any]) -> Any:
    url = server.url()
    return worker(url, url, server.url(5), conf=conf)


def elsewhere(server: Server) -> Any:
    """A worker that has nothing to do with the queue."""
    url = server.url()
    return worker(url, url, server.url(5), queues="elsewhere", name="w2")


async def test_a_task_that_is_ignored_never_ends_and_is_waited_for_as_long_as_asked(
    lab: Server,
) -> None:
    async with managing(lab) as manager:
        with pytest.raises(TimeoutException, match=r"lab\.tasks\.ignored"):
            await manager.send_await("ignored", "lab", timeout=1)


async def end_of(waiting: Awaitable[Any]) -> ResultUnknown:
    """The error of a task whose result is unknown."""
    with pytest.raises(ResultUnknown) as error:
        await waiting
    return error.value


UNREAD = {
    "yaml": ({"result_serializer": "yaml"}, "seems to be YAML"),
    "pickle": ({"result_serializer": "pickle"}, "seems to be a pickle"),
    "msgpack": ({"result_serializer": "msgpack"}, "seems to be msgpack"),
    "gzip": ({"result_compression": "gzip"}, "is compressed with zlib"),
    "bzip2": ({"result_compression": "bzip2"}, "is compressed with bzip2"),
}


@pytest.mark.parametrize(("conf", "form"), UNREAD.values(), ids=UNREAD)
async def test_a_result_in_another_form_ends_its_task_with_a_result_that_is_unknown(
    own_server: Server, conf: dict[str, str], form: str
) -> None:
    ran: list[Any] = []

    async def callback(result: Any) -> None:
        ran.append(result)

    accepted = ["json", "yaml", "pickle", "msgpack"]  # it reads its own STARTED
    track = {**conf, "task_track_started": True, "result_accept_content": accepted}
    with otherwise(own_server, track), elsewhere(own_server):
        async with managing(own_server) as manager:
            with manager.events.subscribe() as mailbox:
                handle = await manager.send_async(
                    "sleep", "lab", [0.5], callback=callback, timeout=30
                )
                unknown = await end_of(handle)
                assert form in unknown.reason
                failing = await manager.send_async("fail", "lab", ["no"])
                with pytest.raises(TaskFailed, match=f"UnreadableResult: the stored .* {form}"):
                    await asyncio.wait_for(failing, 30)
            assert unknown.exit_code == 5
            assert "it succeeded, but" in unknown.reason
            assert not ran
            told = [each for each in mailbox.drain() if isinstance(each, StateSeen | EndedUnknown)]
            of_it = [each for each in told if each.task_id == unknown.task_id]
            assert isinstance(of_it[-1], EndedUnknown)
            assert all(isinstance(each, StateSeen) for each in of_it[:-1])
            key = f"celery-task-meta-{unknown.task_id}"
            await manager.settle()
            assert own_server.client().exists(key)


async def test_a_result_of_nine_mib_is_unknown_and_stays_where_it_is(lab: Server) -> None:
    async with managing(lab) as manager:
        unknown = await end_of(manager.send_await("big", "lab", [9 * 2**20], timeout=30))
        assert "9.0 MiB" in unknown.reason
        key = f"celery-task-meta-{unknown.task_id}"
        assert key in unknown.reason
        await manager.settle()
        assert lab.client().delete(key)


async def test_an_exception_that_cannot_be_pickled_is_told_by_its_own_name(lab: Server) -> None:
    async with managing(lab) as manager:
        with pytest.raises(TaskFailed) as failed:
            await manager.send_await("odd", "lab", timeout=30)
        assert (failed.value.error_type, failed.value.error_message) == ("Odd", "this and that")


async def test_the_tasks_that_a_task_spawned_are_told(lab: Server) -> None:
    async with managing(lab) as manager:
        with manager.events.subscribe() as mailbox:
            ids = await manager.send_await("spawn", "lab", [3], timeout=30)
            (told,) = [each for each in mailbox.drain() if isinstance(each, Spawned)]
        assert list(told.children) == ids
        assert told.total == 3


async def test_a_retry_and_a_task_that_replaces_itself_are_told(own_server: Server) -> None:
    with otherwise(own_server, {"result_extended": True}), elsewhere(own_server):
        async with managing(own_server) as manager:
            with manager.events.subscribe() as mailbox:
                assert await manager.send_await("retried", "lab", [2], timeout=30) == 2
                seen = [each.meta for each in mailbox.drain() if isinstance(each, StateSeen)]
                assert await manager.send_await("replaced", "lab", [2], timeout=30) == 3
                (told,) = [each.text for each in mailbox.drain() if isinstance(each, Noticed)]
                assert told == "It replaced itself: lab.tasks.add ran under its id."
    reason = {"error_type": "ConnectionError", "error_message": "smtp 451"}
    assert seen == [{**reason, "retries": 0}, {**reason, "retries": 1}]


async def test_without_remote_control_nobody_acknowledges_a_revoke_and_results_arrive(
    own_server: Server,
) -> None:
    with otherwise(own_server, {"worker_enable_remote_control": False}):
        async with managing(own_server) as manager:
            assert await manager.send_await("add", "lab", [1, 2], timeout=60) == 3
            began = time.monotonic()
            assert await manager.revoke(new_id()) == []
            assert time.monotonic() - began < 5
            await manager.settle()
