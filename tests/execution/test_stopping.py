"""Runs are stopped for certain, beside workers that are frozen, away or have nothing to do with it.

No worker here tells when it starts a task.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.execution.cancel import cancel_run
from kimera_tui.execution.runner import Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.events import Dispatched, TakenOut
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.process.redis.queue_locator import id_of
from kimera_tui.runs.events import StepRetried, StopReported
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.status import Status
from tests.process.redis.console import until
from tests.process.redis.servers import Server, worker
from tests.process.redis.test_stopping import broadcasts, frozen

from .conftest import document
from .test_cancel import take_over

FRIENDS = {
    "lab": Friend(route="lab.tasks", queue="celery"),
    "idle": Friend(route="lab.tasks", queue="nobody-consumes-this"),
}


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("stopping")).start()
    yield running
    running.stop()


@dataclass
class Lab:
    """A runner, and what its tasks did."""

    runner: Runner
    manager: TaskManager
    journal: Journal
    server: Server

    def run(self, plain: dict[str, Any]) -> str:
        return self.runner.run(document(plain))

    async def folded(self, run_id: str) -> RunState:
        await self.journal.flush()
        book = RunIndex()
        book.apply_all(await self.journal.events_of(run_id))
        return book.runs[run_id]

    async def ended(self, run_id: str) -> RunState:
        await asyncio.gather(self.runner.result(run_id), return_exceptions=True)
        return await self.folded(run_id)

    def executed(self) -> set[str]:
        """Ids of the tasks that began."""
        return {each.decode() for each in self.server.client(5).hkeys("runs")}

    def waiting(self, queue: str = "celery") -> set[str]:
        """Ids of the tasks in a queue."""
        return {id_of(each).decode() for each in self.server.client().lrange(queue, 0, -1)}


@contextlib.asynccontextmanager
async def opened(server: Server, path: Path, *, asks: bool = False) -> AsyncIterator[Lab]:
    environ = {"CELERY": "1", "BROKER_URL": server.url(), "RESULT_BACKEND": server.url()}
    TaskManager.reset(Bootstrap(environ, FRIENDS))
    manager, clock = TaskManager(), SystemClock()
    journal = Journal(path, clock)
    journal.follow(manager.events)
    await journal.open()
    runner = Runner(manager, clock, journal=journal, profile="lab", asks=asks)
    try:
        yield Lab(runner, manager, journal, server)
    finally:
        await runner.stop()
        await manager.aclose()
        await journal.close()
        TaskManager.reset()


def calls(count: int, task: str, args: list[Any], **more: Any) -> dict[str, Any]:
    """A document that makes so many calls at once."""
    steps = [{"id": f"s{n}", "task": task, "args": args, **more} for n in range(count)]
    return {"steps": [{"id": "all", "para": steps}]}


async def test_a_cancelled_run_leaves_nothing_that_waits_to_a_worker(
    server: Server, tmp_path: Path
) -> None:
    url, counts = server.url(), server.url(5)
    with (
        worker(url, url, counts, pool="prefork", slots=2),
        worker(url, url, counts, queues="elsewhere", name="w2") as second,
        frozen(second),
    ):
        async with opened(server, tmp_path / "runs.db") as lab:
            run_id = lab.run(calls(60, "lab.sleep", [3], timeout="10m"))
            await until(lambda: len(lab.executed()) == 2)
            waiting = lab.waiting()
            assert len(waiting) > 40
            async with asyncio.timeout(10):
                cancelled = await cancel_run(lab.journal, run_id, lab.runner, take_over)
            assert lab.waiting() == set()
            # What it runs after those that it had begun, it runs now.
            await lab.manager.send_await("add", "lab", [1], timeout=60)
            assert lab.executed() & waiting == set()
            run = await lab.folded(run_id)
    assert cancelled.ended
    assert run.status is Status.REVOKED
    assert run.stop is not None
    assert (run.stop.tasks, run.stop.workers) == (60, ("w1@lab",))
    assert {step.task_id for step in run.steps.values() if step.taken_out} == waiting
    assert f"{len(waiting)} were taken out of their queues and never ran" in cancelled.summary


async def test_ten_thousand_waiting_tasks_are_cancelled(server: Server, tmp_path: Path) -> None:
    async with opened(server, tmp_path / "runs.db") as lab:
        with lab.manager.events.subscribe(100_000) as mailbox:
            run_id, sent_tasks = lab.run(calls(10_000, "idle.add", [1], timeout="10m")), 0
            while sent_tasks < 10_000:
                await mailbox.wait()
                sent_tasks += sum(isinstance(each, Dispatched) for each in mailbox.drain())
        assert server.client().llen("nobody-consumes-this") == 10_000
        with broadcasts(server) as sent:
            await lab.runner.cancel(run_id)
            run = await lab.ended(run_id)
        assert lab.waiting("nobody-consumes-this") == set()
    assert run.status is Status.REVOKED
    assert {step.status for step in run.steps.values()} == {Status.REVOKED}
    assert all(step.taken_out for step in run.steps.values())
    assert 1 <= len(sent) < 10


async def test_many_timeouts_cost_few_broadcasts(server: Server, tmp_path: Path) -> None:
    url = server.url()
    with worker(url, url, server.url(5)):
        async with opened(server, tmp_path / "runs.db") as lab:
            with broadcasts(server) as sent:
                run = await lab.ended(lab.run(calls(300, "idle.add", [1], timeout="1s")))
            assert lab.waiting("nobody-consumes-this") == set()
    assert run.status is Status.TIMED_OUT
    assert {step.status for step in run.steps.values()} == {Status.TIMED_OUT}
    assert all(step.taken_out for step in run.steps.values())
    assert 1 <= len(sent) < 30


async def test_a_second_try_after_a_timeout_runs_once(server: Server, tmp_path: Path) -> None:
    url, counts = server.url(), server.url(5)
    retry = {"max": 20, "delay": "0.1s", "on": ["TIMEOUT"]}
    one = {"id": "one", "task": "lab.add", "args": [1], "timeout": "4s", "retry": retry}
    with worker(url, url, counts, queues="elsewhere", name="w2"):
        async with opened(server, tmp_path / "runs.db") as lab:
            with lab.manager.events.subscribe() as mailbox:
                run_id = lab.run({"steps": [one]})
                while not any(isinstance(each, StepRetried) for each in mailbox.drain()):
                    await mailbox.wait()
            with worker(url, url, counts):
                run = await lab.ended(run_id)
                events = await lab.journal.events_of(run_id)
                assert lab.waiting() == set()
    assert run.status is Status.DONE
    assert len(lab.executed()) == 1
    retries = [each for each in events if isinstance(each, StepRetried)]
    taken = [each for each in events if isinstance(each, TakenOut)]
    assert len(taken) == len(retries) >= 1


@pytest.mark.parametrize("asks", [False, True])
async def test_a_second_try_of_a_task_that_may_still_run_is_uncertain(
    server: Server, tmp_path: Path, asks: bool
) -> None:
    url, counts = server.url(), server.url(5)
    retry = {"max": 2, "delay": "0.1s", "on": ["TIMEOUT"]}
    one = {"id": "one", "task": "lab.sleep", "args": [4], "timeout": "2s", "retry": retry}
    with (
        worker(url, url, counts, pool="prefork", slots=1),
        worker(url, url, counts, queues="elsewhere", name="w2"),
    ):
        async with opened(server, tmp_path / "runs.db", asks=asks) as lab:
            run_id = lab.run({"steps": [one]})
            if asks:
                asking = lab.runner._active.executors[run_id].schedule.attempts.asking
                await until(lambda: asking)
                await lab.runner.decide(run_id, "", "fail", "ann")
            run = await lab.ended(run_id)
            assert len(lab.executed()) == 1
    assert run.status is (Status.FAILED if asks else Status.UNCERTAIN)
    assert "it is not sent a second time" in run.error


async def test_a_run_out_of_time_takes_what_waits_out_of_its_queue(
    server: Server, tmp_path: Path
) -> None:
    async with opened(server, tmp_path / "runs.db") as lab:
        run_id = lab.run({**calls(20, "idle.add", [1]), "timeout": "1s"})
        run = await lab.ended(run_id)
        events = await lab.journal.events_of(run_id)
        assert lab.waiting("nobody-consumes-this") == set()
    assert run.status is Status.TIMED_OUT
    (reported,) = [each for each in events if isinstance(each, StopReported)]
    assert (reported.tasks, reported.taken_out) == (20, 20)


async def test_a_para_that_gives_up_takes_its_branches_out_of_their_queues(
    server: Server, tmp_path: Path
) -> None:
    url = server.url()
    with worker(url, url, server.url(5)):
        async with opened(server, tmp_path / "runs.db") as lab:
            waiting = [{"id": f"s{n}", "task": "idle.add", "args": [1]} for n in range(20)]
            bad = {"id": "bad", "task": "lab.fail"}
            para = {"id": "all", "para": [*waiting, bad], "fail": "fast"}
            run = await lab.ended(lab.run({"steps": [para]}))
            assert lab.waiting("nobody-consumes-this") == set()
    assert run.status is Status.FAILED
    assert sum(step.taken_out for step in run.steps.values()) == 20


async def test_what_is_published_while_its_run_is_cancelled_is_stopped_too(
    server: Server, tmp_path: Path
) -> None:
    async with opened(server, tmp_path / "runs.db") as lab:
        run_id = lab.run(calls(2000, "idle.add", [1], timeout="10m"))
        await until(lambda: server.client().llen("nobody-consumes-this") > 0)
        await lab.runner.cancel(run_id)
        run = await lab.ended(run_id)
        assert lab.waiting("nobody-consumes-this") == set()
    assert run.status is Status.REVOKED
