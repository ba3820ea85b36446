"""One run's way through its plan, with tasks that end when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kimera_tui.errors import PublishUncertain, RunTaken, TaskFailed, UsageError
from kimera_tui.execution import attempts
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.start_timeout import Starts
from kimera_tui.runs.events import StepRetried
from kimera_tui.runs.plan import RetryRule
from kimera_tui.runs.status import Status

from .conftest import document
from .in_memory import Broker, Console, console, step

ENV = {"ref": "env.KIMERA_MODE", "eq": "full"}


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest_asyncio.fixture
async def here(path: Path, broker: Broker) -> AsyncIterator[Console]:
    async with console(path, broker) as each:
        yield each


def chain(name: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "chain": list(steps), **more}


def para(name: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "para": list(steps), **more}


# --- what can't be sent -------------------------------------------------------------------------


async def test_a_missing_secret_is_reported_on_its_step(here: Console) -> None:
    secret = {"key": {"type": "secret", "from": "env:KIMERA_NO_SUCH_KEY"}}
    run_id = here.start(step("login", kwargs={"key": "${{ inputs.key }}"}), inputs=secret)
    run = await here.ended(run_id)
    login = here.step(run_id, "login")
    assert (login.status, login.error_type) == (Status.FAILED, "NotSent")
    assert "KIMERA_NO_SUCH_KEY is not set" in login.cause
    assert run.status is Status.FAILED


# --- uncertain steps ----------------------------------------------------------------------------


async def test_a_step_that_its_operator_let_fail_is_not_sent_again_after_a_restart(
    path: Path, broker: Broker
) -> None:
    async with console(path, broker, asks=True) as first:
        broker.loses_next_reply = True
        run_id = first.start(
            step("lost", retry={"max": 3, "delay": "0.01s"}), **{"finally": [step("tidy")]}
        )
        await first.until(lambda: first.step(run_id, "lost").status is Status.UNCERTAIN)
        await first.quiet()
        await first.decide(run_id, "lost", "fail")
        await first.sent("tidy")
    async with console(path, broker, asks=True) as second:
        await second.runner.resume(run_id)
        second.end("tidy")
        run = await second.ended(run_id)
        assert second.step(run_id, "lost").attempt == 1
        assert second.times("lost") == 1
        assert run.status is Status.FAILED


async def test_a_step_that_may_run_twice_is_not_sent_again_for_ever(
    path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "UNASKED", RetryRule(3, delay=0.01, factor=2.0))
    broker.uncertain = True
    async with console(path, broker) as here:
        run_id = here.start(step("twice", idempotent=True))
        run = await here.ended(run_id)
        assert here.times("twice") == 4
        retried = [each for each in here.events if isinstance(each, StepRetried)]
        assert [each.delay for each in retried] == [0.01, 0.02, 0.04]
        assert run.status is Status.UNCERTAIN


async def test_a_step_that_may_run_twice_asks_in_the_end_like_every_other(
    path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "UNASKED", RetryRule(1, delay=0.01))
    broker.uncertain = True
    async with console(path, broker, asks=True) as here:
        run_id = here.start(step("twice", idempotent=True))
        await here.until(lambda: here.times("twice") == 2)
        await here.quiet()
        await here.decide(run_id, "twice", "done", 7)
        assert await here.runner.result(run_id) == 7


async def test_a_step_that_is_waited_for_as_decided_keeps_its_rules(
    path: Path, broker: Broker
) -> None:
    async with console(path, broker, asks=True) as here:
        broker.loses_next_reply = True
        run_id = here.start(step("lost", retry={"max": 1, "delay": "0.01s"}))
        await here.until(lambda: here.step(run_id, "lost").status is Status.UNCERTAIN)
        await here.quiet()
        await here.decide(run_id, "lost", "wait")
        await here.until(lambda: here.step(run_id, "lost").status is Status.QUEUED)
        here.fail("lost")
        await here.sent("lost")
        here.end("lost", 2)
        assert await here.runner.result(run_id) == 2
        assert here.step(run_id, "lost").attempt == 2


async def test_what_is_waited_for_as_decided_is_in_flight_for_a_detach(
    path: Path, broker: Broker
) -> None:
    async with console(path, broker, asks=True) as here:
        broker.loses_next_reply = True
        run_id = here.start(step("lost"), step("after"))
        await here.until(lambda: here.step(run_id, "lost").status is Status.UNCERTAIN)
        await here.quiet()
        await here.decide(run_id, "lost", "wait")
        await here.until(lambda: here.step(run_id, "lost").status is Status.QUEUED)
        await here.quiet()
        closing = asyncio.ensure_future(here.runner._active.executors[run_id].pause.begin())
        await here.quiet()
        assert not closing.done()
        here.end("lost")
        await closing
        assert here.times("after") == 0


async def detached_in_doubt(here: Console, *steps: dict[str, Any]) -> str:
    """A detached run of which nobody knows whether its first message arrived; returns its id."""
    here.broker.loses_next_reply = True
    with pytest.raises(PublishUncertain):
        await here.runner.detach(document({"steps": list(steps)}))
    (run_id,) = here.runner._active.executors
    await here.quiet()
    return run_id


async def test_a_step_that_workers_have_to_run_can_not_be_treated_as_done(
    path: Path, broker: Broker
) -> None:
    async with console(path, broker, asks=True) as here:
        run_id = await detached_in_doubt(here, step("first"), step("last"))
        with pytest.raises(UsageError, match="they have run this one"):
            await here.decide(run_id, "first", "done", 1)
        await here.decide(run_id, "first", "wait")
        await here.until(lambda: here.step(run_id, "first").status is Status.QUEUED)


async def test_the_last_step_of_a_run_that_workers_have_can_be_treated_as_done(
    path: Path, broker: Broker
) -> None:
    async with console(path, broker, asks=True) as here:
        run_id = await detached_in_doubt(here, step("only"))
        await here.decide(run_id, "only", "done", 1)
        assert await here.runner.result(run_id) == 1


async def test_an_answer_after_a_restart_is_waited_for_too(path: Path, broker: Broker) -> None:
    async with console(path, broker, asks=True) as first:
        broker.loses_next_reply = True
        run_id = first.start(step("lost"))
        await first.until(lambda: first.step(run_id, "lost").status is Status.UNCERTAIN)
        await first.quiet()
    async with console(path, broker, asks=True) as second:
        await second.runner.resume(run_id)
        await second.quiet()
        await second.decide(run_id, "lost", "wait")
        await second.until(lambda: second.step(run_id, "lost").status is Status.QUEUED)
        second.end("lost", 3)
        assert await second.runner.result(run_id) == 3
        assert second.times("lost") == 1


# --- going on -----------------------------------------------------------------------------------


async def test_a_try_that_was_never_intended_waits_for_its_time_after_a_restart(
    path: Path, broker: Broker
) -> None:
    async with console(path, broker) as first:
        run_id = first.start(step("flaky", retry={"max": 1, "delay": "1h"}))
        await first.sent("flaky")
        first.fail("flaky")
        await first.until(lambda: first.step(run_id, "flaky").status is Status.RETRYING)
    async with console(path, broker) as second:
        resumed = await second.runner.resume(run_id)
        assert (resumed.watched, resumed.needs) == (0, [])
        await second.quiet()
        assert second.step(run_id, "flaky").status is Status.RETRYING
        assert second.times("flaky") == 1


async def test_a_task_that_was_seen_to_begin_has_begun_after_a_restart_too(
    path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtimes = []
    patience = Starts.patience

    def noted(self: Starts, *args: Any) -> Any:
        seconds, overtime = patience(self, *args)
        overtimes.append(overtime)
        return seconds, overtime

    monkeypatch.setattr(Starts, "patience", noted)
    async with console(path, broker) as first:
        run_id = first.start(step("slow", start_timeout="1s", timeout="1h"))
        await first.sent("slow")
        first.see("slow", "STARTED")
    async with console(path, broker) as second:
        await second.runner.resume(run_id)
        await second.until(lambda: len(overtimes) == 2)
        assert await overtimes[1]() > 3_000


async def test_a_condition_is_not_asked_again_once_its_step_was_sent(
    path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [step("only", when=ENV), chain("both", step("a"), step("b"), when=ENV)]
    monkeypatch.setenv("KIMERA_MODE", "full")
    async with console(path, broker) as first:
        run_id = first.start(*steps, env=["KIMERA_MODE"])
        await first.sent("only")
    monkeypatch.delenv("KIMERA_MODE")
    async with console(path, broker) as second:
        await second.runner.resume(run_id)
        await second.quiet()
        second.end("only")
        await second.until(lambda: second.step(run_id, "only").status is Status.DONE)
        # What was not begun is asked for now.
        run = await second.ended(run_id)
        assert second.step(run_id, "a").cause.startswith("its condition cannot be evaluated")
        assert run.status is Status.FAILED


async def test_a_part_that_was_begun_goes_on_whatever_its_condition_says_now(
    path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIMERA_MODE", "full")
    async with console(path, broker) as first:
        part = chain("both", step("a"), step("b"), when=ENV)
        run_id = first.start(part, env=["KIMERA_MODE"])
        await first.sent("a")
    monkeypatch.setenv("KIMERA_MODE", "none")
    async with console(path, broker) as second:
        await second.runner.resume(run_id)
        await second.quiet()
        second.end("a")
        await second.sent("b")
        second.end("b")
        assert (await second.ended(run_id)).status is Status.DONE


async def test_a_replay_asks_for_the_condition_of_what_it_reuses(
    here: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIMERA_MODE", "full")
    run_id = here.start(step("only", when=ENV), step("last"), env=["KIMERA_MODE"])
    await here.sent("only")
    here.end("only", 5)
    await here.sent("last")
    here.fail("last")
    await here.ended(run_id)
    monkeypatch.setenv("KIMERA_MODE", "none")
    again = await here.runner.replay(run_id, ReplayRequest("from_failed"))
    await here.sent("last")
    executor = here.runner._active.executors[again]
    assert executor.scope.steps["only"] == {"result": None, "status": "not needed"}


# --- conditions ---------------------------------------------------------------------------------


async def test_the_steps_within_a_part_that_is_not_needed_have_null_for_a_result(
    here: Console,
) -> None:
    never = {"ref": "run.name", "eq": "another"}
    inner = chain("outer", step("inner"), para("p", step("deep")), when=never)
    last = step("last", kwargs={"a": "${{ steps.inner.result }}", "b": "${{ steps.deep.status }}"})
    run_id = here.start(inner, last)
    await here.sent("last")
    assert here._message("last").kwargs == {"a": None, "b": "not needed"}
    here.end("last")
    assert (await here.ended(run_id)).status is Status.DONE


async def test_a_run_whose_condition_cannot_be_evaluated_has_failed(here: Console) -> None:
    run_id = here.start(step("only", when=ENV), env=["KIMERA_MODE"])
    run = await here.ended(run_id)
    assert here.step(run_id, "only").status is Status.SKIPPED
    assert run.status is Status.FAILED
    (row,) = await here.journal.runs("state:failed")
    assert row.run_id == run_id


# --- fail: fast ---------------------------------------------------------------------------------


def fast(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return para("p", *steps, fail="fast", **more)


class SlowRevoke:
    """Holds up what the broker is asked to revoke."""

    def __init__(self, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self._stop_all = console.manager.stop_all
        monkeypatch.setattr(console.manager, "stop_all", self)

    async def __call__(self, *args: Any, **options: Any) -> Any:
        self.reached.set()
        await self.go.wait()
        return await self._stop_all(*args, **options)


async def test_a_branch_that_is_given_up_sends_nothing_more(
    here: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke = SlowRevoke(here, monkeypatch)
    other = chain("other", step("first"), step("second"), step("third"))
    run_id = here.start(fast(other, step("slow"), step("bad")))
    await here.sent("first", "slow", "bad")
    here.fail("bad")
    await revoke.reached.wait()
    here.end("first")
    await here.quiet()
    revoke.go.set()
    run = await here.ended(run_id)
    assert here.times("second") == 0
    assert here.was_revoked("slow")
    for name in ("second", "third"):
        given_up = here.step(run_id, name)
        assert (given_up.status, given_up.cause) == (Status.UNREACHABLE, "another branch failed")
    assert run.error == "lab.bad failed: ValueError: bad failed"
    assert run.status is Status.FAILED


async def test_a_branch_that_waits_for_its_turn_never_begins_once_another_failed(
    here: Console,
) -> None:
    run_id = here.start(fast(step("bad"), step("second"), step("third"), max_parallel=1))
    await here.sent("bad")
    here.fail("bad")
    await here.ended(run_id)
    assert (here.times("second"), here.times("third")) == (0, 0)
    assert here.step(run_id, "second").cause == "another branch failed"


async def test_a_branch_that_waits_for_its_next_try_is_given_up_too(here: Console) -> None:
    flaky = step("flaky", retry={"max": 1, "delay": "1h"})
    run_id = here.start(fast(flaky, step("bad")))
    await here.sent("flaky", "bad")
    here.fail("flaky")
    await here.until(lambda: here.step(run_id, "flaky").status is Status.RETRYING)
    here.fail("bad")
    await here.ended(run_id)
    assert here.step(run_id, "flaky").cause == "another branch failed"


@pytest.mark.parametrize(
    "more", [{}, {"retry": {"max": 1, "delay": "0.001s", "on": ["REVOKED"]}}], ids=["", "retry"]
)
async def test_what_is_revoked_for_another_branch_is_not_what_the_run_ends_with(
    here: Console, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    revoke = SlowRevoke(here, monkeypatch)
    run_id = here.start(fast(step("slow", **more), step("bad")))
    await here.sent("slow", "bad")
    here.fail("bad")
    await revoke.reached.wait()
    here.end_revoked("slow")
    await here.quiet()
    revoke.go.set()
    error = await here.error(run_id)
    assert isinstance(error, TaskFailed)
    assert (error.task, here.times("slow")) == ("lab.bad", 1)


# --- the run's own time -------------------------------------------------------------------------


async def test_a_run_that_was_done_in_time_has_not_timed_out_after_a_restart(
    path: Path, broker: Broker
) -> None:
    async with console(path, broker) as first:
        main = para("p", *(chain(f"c{n}", step(f"a{n}"), step(f"b{n}")) for n in range(3)))
        run_id = first.start(main, timeout="1s", **{"finally": [step("tidy")]})
        for letter in "ab":
            names = [f"{letter}{n}" for n in range(3)]
            await first.sent(*names)
            for name in names:
                first.end(name)
        await first.sent("tidy")
    await asyncio.sleep(1.0)
    async with console(path, broker) as second:
        await second.runner.resume(run_id)
        second.end("tidy")
        run = await second.ended(run_id)
        assert (run.status, run.error) == (Status.DONE, "")


async def test_a_run_that_timed_out_before_its_last_steps_has_so_after_a_restart_too(
    path: Path, broker: Broker
) -> None:
    async with console(path, broker) as first:
        steps = chain("c", step("slow"), step("never"))
        run_id = first.start(steps, timeout="0.3s", **{"finally": [step("tidy")]})
        await first.sent("slow")
        await first.until(lambda: first.was_revoked("slow"))
        first.end_revoked("slow")
        await first.sent("tidy")
    async with console(path, broker) as second:
        await second.runner.resume(run_id)
        second.end("tidy")
        run = await second.ended(run_id)
        assert (run.status, run.error) == (Status.TIMED_OUT, "The run timed out after 0.3s.")
        assert second.times("never") == 0


# --- another console has the run ----------------------------------------------------------------


def lose(console: Console, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """From now on another console has the run, as is found out with some steps."""
    intend = console.journal.intend

    async def refused(run_id: str, steps: Any, *more: Any) -> None:
        ids = {step.path: step.id for step in console.index.runs[run_id].steps.values()}
        if any(ids[path] in names for path, *_ in steps):
            raise RunTaken("Another console has the run.")
        await intend(run_id, steps, *more)

    monkeypatch.setattr(console.journal, "intend", refused)


@pytest.mark.parametrize("how", ["on_error", "finally", "para", "fast"])
async def test_a_console_that_lost_its_run_does_not_end_it(
    here: Console, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    bad, lost = step("bad"), step("lost")
    steps: dict[str, list[dict[str, Any]]] = {
        "on_error": [{**bad, "on_error": [lost]}],
        "finally": [bad],
        "para": [para("p", bad, chain("c", step("fine"), lost))],
        "fast": [fast(step("slow"), chain("c", bad, lost))],
    }
    more: dict[str, Any] = {"finally": [lost]} if how == "finally" else {}
    run_id = here.start(*steps[how], **more)
    await here.sent("bad")
    lose(here, monkeypatch, "lost")
    if how == "para":
        here.fail("bad")
        here.end("fine")
    elif how == "fast":
        await here.sent("slow")
        here.end("bad")
        await here.quiet()
        assert not here.was_revoked("slow")
        here.end("slow")
    else:
        here.fail("bad")
    assert isinstance(await here.error(run_id), RunTaken)
    assert not here.told_end(run_id)
