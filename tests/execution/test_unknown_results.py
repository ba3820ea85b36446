"""An end that is learned elsewhere, with a result that is unknown: told, kept, never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from kimera_tui.cli.exit_codes import code_of
from kimera_tui.errors import ResultUnknown
from kimera_tui.process.outcome import ENDED, Outcome
from kimera_tui.runs.index import folded
from kimera_tui.runs.journal.summaries import run_summary
from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.runs.status import Status

from .in_memory import Broker, Console, console, step

WHY = "the task keeps no result"
ELSEWHERE = Outcome(ENDED, error_message=WHY, source="event")


async def concluded(at: Console, name: str) -> None:
    """Another part of the program learns that the task of a step has ended."""
    await at.sent(name)
    task_id = next(each.task_id for each in at.broker.queue if each.name == f"lab.{name}")
    await at.manager.conclude(task_id, ELSEWHERE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


async def test_a_step_is_concluded_once_and_the_run_says_how_it_ended(path: Path) -> None:
    again = {"retry": {"max": 3, "delay": "1ms"}, "idempotent": True}
    async with console(path, Broker()) as at:
        run_id = at.start(step("a", **again, on_error=[step("mend")]), step("b"))
        await concluded(at, "a")
        await at.sent("b")
        at.end("b", 7)
        run, error = await at.ended(run_id), await at.error(run_id)
        assert isinstance(error, ResultUnknown)
        assert str(error) == f"lab.a ended, and its result is unknown: {WHY}"
        assert (run.status, run.error) == (Status.RESULT_UNKNOWN, str(error))
        assert code_of(error, run.status) == code_of(None, run.status) == 5
        step_a = at.step(run_id, "a")
        assert (step_a.status, step_a.cause, step_a.source) == (Status.RESULT_UNKNOWN, WHY, "event")
        assert step_a.error_type == ""
        assert at.step(run_id, "b").result == 7
        assert at.step(run_id, "mend").status is Status.NOT_NEEDED
        assert (at.times("a"), at.times("mend")) == (1, 0)
        assert not at.was_revoked("a")
        await at.journal.flush()
        kept = folded(await at.journal.events_of(run_id))
        assert kept is not None
        assert kept.steps == run.steps
        assert run_summary(kept, Packer())[0] == "ended, result unknown"
        assert [row.run_id for row in await at.journal.runs("state:unknown")] == [run_id]


async def test_the_next_console_goes_on_where_such_a_step_stood(path: Path) -> None:
    broker = Broker()
    async with console(path, broker) as at:
        run_id = at.start(step("a"), step("b"), {**step("c"), "pass": "auto"})
        await concluded(at, "a")
        await at.sent("b")
        await at.quiet()
    async with console(path, broker) as at:
        await at.runner.resume(run_id)
        await at.quiet()
        await at.sent("b")
        await concluded(at, "b")
        run = await at.ended(run_id)
        assert run.status is Status.RESULT_UNKNOWN
        assert {each.id: each.status for each in run.steps.values()} == {
            "a": Status.RESULT_UNKNOWN,
            "b": Status.RESULT_UNKNOWN,
            "c": Status.SKIPPED,
        }
        assert run.error == "c was not sent: step b ended and its result is unknown."
    assert [message.name for message in broker.published] == ["lab.a", "lab.b"]


async def test_what_has_timed_out_and_ends_so_is_told_as_that(path: Path) -> None:
    async with console(path, Broker()) as at:
        run_id = at.start(step("a", timeout="50ms", on_timeout="leave"), step("b"))
        await at.ended(run_id)
        await concluded(at, "a")
        await at.until(lambda: at.step(run_id, "a").status is Status.FINISHED_LATE)
        assert at.step(run_id, "a").cause == f"it ended, and its result is unknown: {WHY}"
