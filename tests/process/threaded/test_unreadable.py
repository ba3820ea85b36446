"""Results that the threaded engine can't read: the task ended, and its result is unknown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.errors import ResultUnknown, TaskFailed
from kimera_tui.process import TaskManager
from kimera_tui.process.events import EndedUnknown, FinishedLate, Polled, Spawned
from kimera_tui.process.outcome import ENDED, Outcome
from tests.process.listening import Listener
from tests.process.redis.servers import Server, worker

from .console import SECONDS, Ways, managed


@pytest.fixture
def files(redis_server: Server, tmp_path: Path) -> Ways:
    (tmp_path / "files").mkdir()
    return Ways("files", redis_server.url(3), f"file://{tmp_path}/files", "files")


@pytest.fixture
def rpc(redis_server: Server) -> Ways:
    return Ways("rpc", redis_server.url(4), "rpc://", "called")


@pytest.fixture
def workers(redis_server: Server) -> Iterator[Any]:
    """Starts a worker with a configuration, and one that has nothing to do with its queue."""
    with ExitStack() as running:

        def start(ways: Ways, **conf: Any) -> None:
            counts = redis_server.url(5)
            for queue, name in ((ways.queue, "w1"), ("elsewhere", "w2")):
                running.enter_context(
                    worker(ways.broker, ways.backend, counts, queues=queue, name=name, conf=conf)
                )

        yield start


FORMS = {"pickle": "a pickle", "yaml": "YAML", "msgpack": "msgpack"}


@pytest.mark.parametrize("kind", ["files", "rpc"])
@pytest.mark.parametrize("serializer", FORMS)
async def test_a_result_in_another_serializer_is_unknown(
    request: pytest.FixtureRequest, kind: str, serializer: str, workers: Any, tmp_path: Path
) -> None:
    ways: Ways = request.getfixturevalue(kind)
    await asyncio.to_thread(workers, ways, result_serializer=serializer)
    async with managed(ways, tmp_path) as manager:
        with pytest.raises(ResultUnknown, match=f"it succeeded.* seems to be {FORMS[serializer]}"):
            await manager.send_await("add", "lab", [1, 2], timeout=SECONDS)
        with pytest.raises(TaskFailed, match=f"UnreadableResult.* seems to be {FORMS[serializer]}"):
            await manager.send_await("fail", "lab", timeout=SECONDS)


@pytest.mark.parametrize("kind", ["files", "rpc"])
async def test_an_exception_that_cannot_be_pickled_and_spawned_tasks_are_told(
    request: pytest.FixtureRequest, kind: str, workers: Any, tmp_path: Path
) -> None:
    ways: Ways = request.getfixturevalue(kind)
    await asyncio.to_thread(workers, ways)
    async with managed(ways, tmp_path) as manager:
        with pytest.raises(TaskFailed) as failed:
            await manager.send_await("odd", "lab", timeout=SECONDS)
        assert (failed.value.error_type, failed.value.error_message) == ("Odd", "this and that")
        with manager.events.subscribe() as mailbox:
            ids = await manager.send_await("spawn", "lab", [2], timeout=SECONDS)
            (told,) = [each for each in mailbox.drain() if isinstance(each, Spawned)]
        assert list(told.children) == ids


async def sent(manager: TaskManager, task_id: str, **options: Any) -> asyncio.Task[Any]:
    """A task that no worker takes."""
    options = {"timeout": SECONDS, "poll_start": 0.05, "max_poll": 0.05, **options}
    return await manager.send_async("add", "lab", task_id=task_id, queue="nobody", **options)


async def test_a_file_is_read_twice_before_it_is_called_unreadable(
    files: Ways, tmp_path: Path
) -> None:
    stored = json.dumps({"status": "SUCCESS", "result": 3, "task_id": "half"})
    file = tmp_path / "files" / "celery-task-meta-half"
    file.write_text(stored[:20])
    async with managed(files, tmp_path) as manager:
        with Listener() as listener:
            handle = await sent(manager, "half", poll_start=1.0, max_poll=10.0)
            await listener.hear(Polled)
            file.write_text(stored)
            assert await asyncio.wait_for(handle, SECONDS) == 3


async def test_what_celery_cannot_build_anew_is_read_by_its_key(
    files: Ways, tmp_path: Path
) -> None:
    stored = {"status": "FAILURE", "result": {"exc_type": "system", "exc_module": "os"}}
    async with managed(files, tmp_path) as manager:
        handle = await sent(manager, "odd")
        (tmp_path / "files" / "celery-task-meta-odd").write_text(json.dumps(stored))
        with pytest.raises(TaskFailed) as failed:
            await asyncio.wait_for(handle, SECONDS)
        assert failed.value.error_type == "system"


async def test_an_end_learned_elsewhere_says_who_told_it(files: Ways, tmp_path: Path) -> None:
    outcome = Outcome(ENDED, error_message="the task keeps no result", source="event")
    async with managed(files, tmp_path) as manager:
        with manager.events.subscribe() as mailbox:
            handle = await sent(manager, "one")
            await manager.conclude("one", outcome)
            with pytest.raises(ResultUnknown, match=r"is unknown: the task keeps no result$"):
                await asyncio.wait_for(handle, SECONDS)
            (told,) = [each for each in mailbox.drain() if isinstance(each, EndedUnknown)]
            assert (told.reason, told.source) == ("the task keeps no result", "event")
            late = await sent(manager, "two", timeout=0.05)
            await asyncio.gather(late, return_exceptions=True)
            await manager.conclude("two", outcome)
            while not (ends := [e for e in mailbox.drain() if isinstance(e, FinishedLate)]):
                await asyncio.wait_for(mailbox.wait(), SECONDS)
            assert (ends[0].state, ends[0].error) == (ENDED, "the task keeps no result")
