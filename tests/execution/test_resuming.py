"""Runs that are taken over: walked once, cancelled when asked to meanwhile, with their secrets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.errors import RunTaken, UsageError
from kimera_tui.execution import runner as module
from kimera_tui.execution.cancel import cancel_run
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.recovery import recover
from kimera_tui.runs.status import Status
from tests.execution.detach.test_detach import once
from tests.process.redis.servers import Server

from .conftest import Console, document, open_console
from .test_running import of, step

SLOW = step("slow", "step", with_={"pause": 1, "of": "resuming"})
AFTER = step("after", "step", with_={"of": "resuming"})
SECRET = {
    "inputs": {"pin": {"type": "secret"}},
    "steps": [
        step("slow", "step", with_={"pause": 1}),
        step("repeats", "got", with_={"value": "the pin is ${{ inputs.pin }}"}),
    ],
}
PIN = "canary-4711"


@asynccontextmanager
async def console_at(server: Server, path: Path) -> AsyncIterator[Console]:
    async for each in open_console(server, path):
        yield each


@asynccontextmanager
async def left(
    server: Server, path: Path, plain: dict[str, Any], run_inputs: RunInputs
) -> AsyncIterator[tuple[Console, str]]:
    """A console beside a run that another one left with its first step in flight."""
    async with console_at(server, path) as first:
        run_id = first.runner.run(document(plain), run_inputs)
        await first.until(run_id, "0", Status.QUEUED, Status.RUNNING)
    async with console_at(server, path) as second:
        yield second, run_id


class Held:
    """Holds a take-over up where it asks what became of the tasks."""

    def __init__(self, judge: Any) -> None:
        self._judge = judge
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, *args: Any) -> Any:
        self.reached.set()
        await self.go.wait()
        return await self._judge(*args)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    found = Held(module.judge_all)  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "judge_all", found)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


async def test_a_run_that_is_being_taken_over_is_not_taken_over_twice(
    server: Server, path: Path, held: Held
) -> None:
    async with left(server, path, {"steps": [SLOW, AFTER]}, RunInputs()) as (console, run_id):
        first = asyncio.create_task(console.runner.resume(run_id))
        await held.reached.wait()
        with pytest.raises(RunTaken, match="already owns the run"):
            await console.runner.resume(run_id)
        held.go.set()
        await first
        run = await console.ended(run_id)
        assert run.status is Status.DONE
        assert once(run, console)


@pytest.mark.parametrize("here", [True, False], ids=["here", "from another console"])
async def test_a_run_that_is_cancelled_while_it_is_taken_over_sends_nothing_more(
    server: Server, path: Path, held: Held, here: bool
) -> None:
    async with left(server, path, {"steps": [SLOW, AFTER]}, RunInputs()) as (console, run_id):
        resuming = asyncio.create_task(console.runner.resume(run_id))
        await held.reached.wait()

        async def runner() -> module.Runner:
            return console.runner

        other = Journal(path, SystemClock())
        await other.open()
        asked = console.journal if here else other
        cancelling = asyncio.create_task(
            cancel_run(asked, run_id, console.runner if here else None, runner)  # type: ignore[arg-type]
        )
        await _cancelled(console, run_id)
        held.go.set()
        await resuming
        cancelled = await cancelling
        await other.close()
        run = console.folded(run_id)
        assert cancelled.ended
        assert run.status is Status.REVOKED
        assert of(run, "after").sent_at is None


async def _cancelled(console: Console, run_id: str) -> None:
    """Wait until the console has heard of it."""
    async with asyncio.timeout(10):
        while not console.runner._taking[run_id]:  # noqa: ASYNC110 - it is no event
            await asyncio.sleep(0.02)


async def test_a_run_whose_next_step_needs_a_secret_waits_for_its_operator(
    server: Server, path: Path
) -> None:
    run_inputs = RunInputs(prompted={"pin": PIN})
    async with left(server, path, SECRET, run_inputs) as (console, run_id):
        found = await recover(console.journal, console.runner.resume, "lab")
        assert [(each, "pin" in why) for each, why in found.left] == [(run_id, True)]
        assert [run.alive for run in await console.journal.open_runs()] == [False]
        with pytest.raises(UsageError, match="pin: a run asks for it"):
            await console.runner.resume(run_id)
        await console.runner.resume(run_id, run_inputs)
        run = await console.ended(run_id, masked=True)
        assert run.status is Status.DONE


async def test_what_repeats_a_secret_is_hidden_after_a_restart_too(
    server: Server, path: Path
) -> None:
    run_inputs = RunInputs(prompted={"pin": PIN})
    async with left(server, path, SECRET, run_inputs) as (console, run_id):
        await console.runner.resume(run_id, run_inputs)
        run = await console.ended(run_id, masked=True)
        assert "••••" in str(of(run, "repeats").result)
    assert PIN.encode() not in path.read_bytes()


async def test_a_run_whose_secret_no_step_needs_any_more_is_taken_over(
    server: Server, path: Path
) -> None:
    plain = {"inputs": SECRET["inputs"], "steps": [SLOW, AFTER]}
    async with left(server, path, plain, RunInputs(prompted={"pin": PIN})) as (console, run_id):
        found = await recover(console.journal, console.runner.resume, "lab")
        assert [each.run_id for each in found.adopted] == [run_id]
        assert (await console.ended(run_id)).status is Status.DONE
