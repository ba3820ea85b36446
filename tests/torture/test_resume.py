"""Runs that are left, gone on with, cancelled and replayed, on a real broker with a real worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.documents.calls import Chain, Para, Step, Task, Workflow
from kimera_tui.errors import JournalError, RunTaken, UsageError
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.runner import Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.loop.clock import Clock, SystemClock
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.recovery import recover
from kimera_tui.runs.search.query import RunRow
from kimera_tui.runs.status import Status
from tests.process.redis.servers import Server
from tests.torture.lab import Zygote

FRIENDS = {
    "lab": Friend(route="torture", queue="torture"),
    "idle": Friend(route="torture", queue="nobody-consumes-this"),
}


@dataclass
class Console:
    runner: Runner
    journal: Journal
    manager: TaskManager
    mailbox: Any
    index: RunIndex

    def run(self, run_id: str) -> RunState:
        self.index.apply_all(self.mailbox.drain())
        return self.index.runs[run_id]

    async def until(self, run_id: str, path: str, *statuses: Status) -> None:
        async with asyncio.timeout(10):
            while self.run(run_id).steps[path].status not in statuses:
                await self.mailbox.wait()

    async def ended(self, run_id: str) -> RunState:
        await asyncio.gather(self.runner.result(run_id), return_exceptions=True)
        return self.run(run_id)

    async def row(self, state: str) -> RunRow:
        """The one run that the journal lists in a state, once its end is written."""
        async with asyncio.timeout(30):
            while not (rows := await self.journal.runs(f"state:{state}")):  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.02)
        [row] = rows
        return row


@contextlib.asynccontextmanager
async def console(
    path: Path, url: str, profile: str = "lab", clock: Clock | None = None
) -> AsyncIterator[Console]:
    environ = {"CELERY": "1", "BROKER_URL": url, "RESULT_BACKEND": url}
    clock = clock or SystemClock()
    TaskManager.reset(Bootstrap(environ, FRIENDS), clock=clock)
    manager = TaskManager()
    journal = Journal(path, clock)
    journal.follow(manager.events)
    await journal.open()
    runner = Runner(manager, clock, journal=journal, profile=profile)
    with manager.events.subscribe() as mailbox:
        yield Console(runner, journal, manager, mailbox, RunIndex())
        await runner.stop()
        await manager.aclose()
        await journal.close()
    TaskManager.reset()


def step(name: str = "step", friend: str = "lab", **kwargs: Any) -> Task:
    return Task(TaskParams(friend, name, kwargs={"of": "resume", **kwargs}))


def flow(*steps: Step) -> Workflow:
    return Workflow("flow", Chain(steps))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def url(ground: tuple[Server, Zygote]) -> str:
    return ground[0].url()


@pytest.fixture
def ran(ground: tuple[Server, Zygote]) -> Callable[[RunState], list[int]]:
    counts = ground[0].client(5)
    return lambda run: [int(counts.hget("runs", step.task_id) or 0) for step in run.steps.values()]


async def test_a_run_that_is_left_in_order_goes_on_in_the_next_console(
    path: Path, url: str, ran: Callable[[RunState], list[int]]
) -> None:
    async with console(path, url) as first:
        run_id = first.runner.start(flow(step(), step(pause=0.5), step()))
        await first.until(run_id, "1", Status.QUEUED, Status.RUNNING)
    async with console(path, url) as second:
        [row] = await second.journal.runs()
        assert row.status == "interrupted"
        found = await recover(second.journal, second.runner.resume, "lab")
        assert found.sentence == "1 run was interrupted: 1 resumed."
        run = await second.ended(run_id)
        assert run.status is Status.DONE
        assert ran(run) == [1, 1, 1]
        read = RunIndex()
        read.apply_all(await second.journal.events_of(run_id))
        assert read.runs[run_id].status is Status.DONE
        with pytest.raises(RunTaken):
            await second.runner.resume(run_id)


class HourAgo(SystemClock):
    """What a console had for the time that ran an hour ago."""

    def now(self) -> float:
        return super().now() - 3600


async def test_a_step_whose_time_ran_out_between_two_consoles_is_given_time_to_be_found(
    path: Path, url: str, ran: Callable[[RunState], list[int]]
) -> None:
    timed = Task(TaskParams("lab", "step", kwargs={"of": "resume", "pause": 0.5}, timeout=60))
    async with console(path, url, clock=HourAgo()) as first:
        run_id = first.runner.start(flow(timed, step()))
        await first.until(run_id, "0", Status.QUEUED, Status.RUNNING)
    async with console(path, url) as second:
        await second.runner.resume(run_id)
        run = await second.ended(run_id)
        assert [each.status for each in run.steps.values()] == [Status.DONE, Status.DONE]
        assert ran(run) == [1, 1]


async def test_a_run_of_another_broker_is_left_alone(path: Path, url: str) -> None:
    async with console(path, url, "production") as first:
        run_id = first.runner.start(flow(step(friend="idle"), step()))
        await first.until(run_id, "0", Status.QUEUED)
    async with console(path, url, "lab") as second:
        found = await recover(second.journal, second.runner.resume, "lab")
        assert found.left == [(run_id, "It was started with another broker: production.")]
        assert found.sentence == "1 run was interrupted: 1 needs you."
        with pytest.raises(UsageError, match="another broker"):
            await second.runner.resume(run_id)


async def test_a_broker_that_lost_everything_makes_steps_uncertain(
    path: Path, tmp_path: Path
) -> None:
    server = Server(tmp_path / "own").start()
    async with console(path, server.url()) as first:
        run_id = first.runner.start(flow(step(), step()))
        await first.until(run_id, "0", Status.QUEUED)
    server.stop()
    server = Server(tmp_path / "own", port=server.port).start()
    try:
        async with console(path, server.url()) as second:
            resumed = await second.runner.resume(run_id)
            [need] = resumed.needs
            assert "the broker was restarted and has no trace of it" in need
            run = await second.ended(run_id)
            assert [each.status for each in run.steps.values()] == [
                Status.UNCERTAIN,
                Status.SKIPPED,
            ]
            assert server.client().llen("torture") == 0
    finally:
        server.stop()


async def test_a_secret_that_is_gone_is_asked_for_and_its_mask_never_sent(
    path: Path, url: str, ran: Callable[[RunState], list[int]]
) -> None:
    async with console(path, url) as first:
        run_id = first.runner.start(flow(step(pause=0.5), step(password="hunter2-canary")))
        await first.until(run_id, "0", Status.QUEUED, Status.RUNNING)
    async with console(path, url) as second:
        await second.runner.resume(run_id)
        run = await second.ended(run_id)
        assert run.steps["0"].status is Status.DONE
        assert run.steps["1"].status is Status.INTERRUPTED
        assert run.steps["1"].cause == "needs password again"
        assert ran(run) == [1, 0]
        with pytest.raises(UsageError, match=r"needs password again\. Nothing was sent\."):
            await second.runner.replay(run_id, ReplayRequest("from_failed"))
        overrides = {"1": {"password": "hunter2-canary"}}
        replayed = await second.runner.replay(
            run_id, ReplayRequest("from_failed", overrides=overrides)
        )
        again = await second.ended(replayed)
        assert again.status is Status.DONE
        assert again.parent == run_id
        assert again.steps["0"].cause == f"reused from run {run_id}"
        assert ran(again) == [0, 1]


async def test_nothing_is_sent_without_a_journal(url: str, tmp_path: Path, ran: Any) -> None:
    (tmp_path / "state").write_text("in the way")
    async with console(tmp_path / "state" / "runs.db", url) as here:
        run_id = here.runner.start(flow(step(), step()))
        with pytest.raises(JournalError, match=r"runs are not saved, so nothing is sent\."):
            await here.runner.result(run_id)
        run = here.run(run_id)
        assert [each.status for each in run.steps.values()] == [Status.FAILED] * 2
        assert "nothing is sent" in run.steps["0"].cause
        assert ran(run) == [0, 0]


async def test_cancelling_revokes_what_is_in_flight_and_sends_nothing_more(
    path: Path, url: str, ran: Callable[[RunState], list[int]]
) -> None:
    async with console(path, url) as here:
        # All that the worker can do at once.
        busy = here.runner.start(Workflow("busy", Para([step(pause=1.0) for _ in range(4)])))
        await here.until(busy, "3", Status.QUEUED, Status.RUNNING)
        await asyncio.sleep(0.2)
        run_id = here.runner.start(flow(step(), step()))
        await here.until(run_id, "0", Status.QUEUED, Status.RUNNING)
        receipts = await here.runner.cancel(run_id)
        assert {receipt.worker for receipt in receipts} == {"torture@lab", "elsewhere@lab"}
        run = here.run(run_id)
        assert run.status is Status.REVOKED
        assert run.error == "cancelled"
        assert run.steps["0"].status is Status.REVOKED
        assert run.steps["1"].status is Status.UNREACHABLE
        assert ran(run) == [0, 0]
        assert (await here.row("revoked")).error == "cancelled"
        with pytest.raises(UsageError, match="not active"):
            await here.runner.cancel(run_id)


async def test_a_run_that_was_being_cancelled_is_not_gone_on_with(
    path: Path, url: str, ran: Callable[[RunState], list[int]]
) -> None:
    from kimera_tui.runs.events import RunCancelled

    async with console(path, url) as first:
        run_id = first.runner.start(flow(step(friend="idle"), step()))
        await first.until(run_id, "0", Status.QUEUED)
        at = SystemClock().now()
        await first.journal.keep(RunCancelled(at=at, run_id=run_id))
    async with console(path, url) as second:
        await second.runner.resume(run_id)
        run = second.run(run_id)
        assert run.status is Status.REVOKED
        assert ran(run) == [0, 0]
        assert (await second.row("revoked")).run_id == run_id


async def test_a_result_that_cannot_be_saved_is_not_released(
    path: Path, url: str, ground: tuple[Server, Zygote]
) -> None:
    async with console(path, url) as here:
        run_id = here.runner.start(flow(step(pause=0.3), step()))
        await here.until(run_id, "0", Status.QUEUED, Status.RUNNING)
        store = here.journal._queue.writer
        assert store is not None
        real = store.write

        def full(*args: Any, **kwargs: Any) -> Any:
            raise JournalError("Disk full: x cannot be written; nothing.")

        store.write = full  # type: ignore[method-assign]
        await here.until(run_id, "0", Status.DONE)
        await asyncio.sleep(0.6)
        task_id = here.run(run_id).steps["0"].task_id
        assert ground[0].client().exists(f"celery-task-meta-{task_id}")
        assert here.run(run_id).steps["1"].status is Status.WAITING
        store.write = real  # type: ignore[method-assign]
        assert (await here.ended(run_id)).status is Status.DONE
