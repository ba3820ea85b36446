"""What Celery's own states hide is told as it is: real workers, real brokers, our states."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kimera_tui.cli.json_output.events import news_of
from kimera_tui.console.console import Console, build_console
from kimera_tui.documents.calls import Chain, Para, Step, Task, Workflow
from kimera_tui.process import TaskParams
from kimera_tui.runs.index import RunIndex, RunState

FRIENDS = """
friends:
  calculator: {route: calculator, queue: calculator}
  flaky: {route: flaky, queue: flaky}
  typo: {route: calculator, queue: calculatr}
"""


@asynccontextmanager
async def connected(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Console]:
    """A console on a broker that is up, once a worker has replied."""
    monkeypatch.setenv("KIMERA_HOME", str(folder))
    friends = folder / "friends.yaml"
    friends.write_text(FRIENDS)
    console = build_console(
        {"BROKER_URL": url, "RESULT_BACKEND": url, "KIMERA_FRIENDS": str(friends)}
    )
    await console.start()
    try:
        async with asyncio.timeout(20):
            monitor = await console.connection.monitor()
            while not (monitor.view and monitor.view.workers):  # noqa: ASYNC110 - asked, not told
                await asyncio.sleep(0.05)
        yield console
    finally:
        await console.close()


async def watched(
    console: Console,
    root: Step,
    until: Callable[[RunState], bool] = lambda run: run.ended is not None,
) -> RunState:
    """Launch a workflow and fold what happens until something is so."""
    index = RunIndex()
    with console.bus.subscribe() as mailbox:
        run_id = await console.runs.start(Workflow("run", root))
        async with asyncio.timeout(25):
            while run_id not in index.runs or not until(index.runs[run_id]):
                await mailbox.wait()
                index.apply_all(mailbox.drain())
    return index.runs[run_id]


def call(friend: str, task: str, timeout: float = 20, **kwargs: object) -> Task:
    return Task(TaskParams(friend, task, kwargs=kwargs, timeout=timeout))


def words(run: RunState) -> list[str]:
    return [step.status.value for step in run.steps.values()]


async def test_steps_behind_a_failure_are_skipped_and_not_failed(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(broker_url, tmp_path, monkeypatch) as console:
        add = call("calculator", "add", a=1, b=2)
        run = await watched(console, Chain((add, call("flaky", "fail"), add, add)))
    assert words(run) == ["done", "failed", "skipped", "skipped"]
    assert run.steps["2"].cause == "upstream fail failed"


async def test_steps_behind_a_revoked_one_are_unreachable_and_not_pending(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(broker_url, tmp_path, monkeypatch) as console:
        slow = call("flaky", "sleep", seconds=15)
        index = RunIndex()
        with console.bus.subscribe() as mailbox:
            run_id = await console.runs.start(Workflow("run", Chain((slow, slow))))
            async with asyncio.timeout(25):
                asked = False
                while run_id not in index.runs or index.runs[run_id].ended is None:
                    await mailbox.wait()
                    index.apply_all(mailbox.drain())
                    first = index.runs[run_id].steps["0"] if run_id in index.runs else None
                    if first is not None and first.status.value == "running" and not asked:
                        asked = True
                        stopped = await console.runs.stop(
                            first.task_id, terminate=True, signal="SIGTERM"
                        )
                        assert stopped.workers == ["demo@kimera"]
        run = index.runs[run_id]
    assert words(run) == ["revoked", "unreachable"]


async def test_a_misspelt_queue_is_named_at_once(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(broker_url, tmp_path, monkeypatch) as console:
        run = await watched(
            console,
            call("typo", "add", timeout=4),
            until=lambda run: "consumes" in run.steps[""].cause,
        )
        assert run.steps[""].cause == (
            "in queue calculatr, next in line. No worker consumes queue calculatr (0 of 2 workers)."
        )
        assert words(run) == ["queued"]


async def test_a_misspelt_task_is_reported_as_unknown_to_the_worker(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(broker_url, tmp_path, monkeypatch) as console:
        run = await watched(console, call("calculator", "ad"))
    assert words(run) == ["failed"]
    assert run.steps[""].cause == "the worker does not know this task"


async def test_a_start_that_the_worker_announces_is_reported_once(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(broker_url, tmp_path, monkeypatch) as console:
        with console.bus.subscribe() as mailbox:
            run = await watched(console, call("flaky", "sleep", seconds=5))
            index = RunIndex()
            news = [news_of(event, index)[1] for event in mailbox.drain()]
    assert words(run) == ["done"]
    assert [line[0] for line in news if line is not None].count("started") == 1


async def test_a_task_that_a_worker_has_taken_and_not_begun_is_reserved(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(broker_url, tmp_path, monkeypatch) as console:
        slow = call("flaky", "sleep", seconds=3)
        run = await watched(
            console,
            Para((slow, slow, slow)),  # the worker runs two at once
            until=lambda run: sorted(words(run)) == ["reserved", "running", "running"],
        )
        (waiting,) = [step for step in run.steps.values() if step.status.value == "reserved"]
        assert waiting.cause == "received by demo@kimera"
        assert waiting.source == "event"
