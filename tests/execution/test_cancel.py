"""Runs cancelled from elsewhere: another console's, and those that nobody is at."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kimera_tui.errors import UsageError
from kimera_tui.execution.cancel import cancel_run
from kimera_tui.execution.runner import Runner
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.status import Status
from tests.runs.lab import started

from .conftest import Console, document
from .test_running import step, words

SLOW = {
    "steps": [
        step("first", "step", with_={"pause": 3}),
        step("second", "step"),
    ],
    "finally": [step("last", "step")],
}


async def take_over(run_id: str) -> None:
    raise AssertionError("another console is at it")


async def test_another_console_cancels_its_run_when_it_is_asked_to(
    console: Console, tmp_path: Path
) -> None:
    run_id = console.runner.run(document(SLOW))
    await console.until(run_id, "0", Status.QUEUED, Status.RUNNING)
    elsewhere = Journal(tmp_path / "runs.db", SystemClock())
    await elsewhere.open()
    try:
        cancelled = await cancel_run(elsewhere, run_id, None, take_over)
    finally:
        await elsewhere.close()
    run = console.folded(run_id)
    assert run.status is Status.REVOKED
    assert words(run)["second"] in ("unreachable", "waiting", "skipped")
    assert run.steps["1"].sent_at is None
    assert words(run)["last"] == "done"
    assert cancelled.ended
    assert cancelled.summary.startswith("Cancelled: ")
    assert "never sent" in cancelled.summary


async def test_a_run_that_nobody_is_at_is_cancelled_by_whoever_is_asked(
    console: Console, tmp_path: Path
) -> None:
    run_id = console.runner.run(document(SLOW))
    await console.until(run_id, "0", Status.QUEUED, Status.RUNNING)
    await console.runner.stop()
    await console.journal.close()
    journal = Journal(tmp_path / "runs.db", SystemClock())
    journal.follow(console.manager.events)
    await journal.open()
    try:
        runner = Runner(console.manager, SystemClock(), journal=journal, profile="lab")
        async with asyncio.timeout(30):
            cancelled = await cancel_run(journal, run_id, None, runner.resume)
        assert cancelled.ended
        (row,) = await journal.runs(f"run:{run_id}")
        assert row.status == "revoked"
        with pytest.raises(UsageError, match="has ended: there is nothing to cancel"):
            await cancel_run(journal, run_id, runner, take_over)
        await runner.stop()
    finally:
        await journal.close()


async def test_a_broker_that_does_not_tell_keeps_nobody_waiting_who_cancels(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "runs.db", SystemClock())
    await journal.begin(started("r", SystemClock().now()))
    await journal.close()
    elsewhere = Journal(tmp_path / "runs.db", SystemClock())
    await elsewhere.open()
    tells = asyncio.Event()

    async def take(run_id: str) -> None:
        await tells.wait()

    cancelled = await cancel_run(elsewhere, "r", None, take, patience=0.05)
    assert not cancelled.ended
    assert cancelled.summary.startswith("Recorded: whoever resumes the run will cancel it. ")
    assert "has not reported" in cancelled.summary
    tells.set()
    await elsewhere.close()
