"""Runs that are handed to real workers: they end as the console's own, and survive it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.errors import BrokerUnavailable, UsageError
from kimera_tui.execution.detach.handover import CannotDetach
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.process.redis.publisher import RedisPublisher
from kimera_tui.runs.events import RunDetached, StepHandedOver, StepIntended
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.runs.status import Status
from tests.execution.conftest import Console, document, open_console
from tests.process.redis.servers import Server


def step(step_id: str, task: str = "got", **more: Any) -> dict[str, Any]:
    """A task step that takes the result before it as its first argument."""
    kwargs = {"of": step_id, **more.pop("with_", {})}
    return {"id": step_id, "task": f"lab.{task}", "kwargs": kwargs, "pass": "first", **more}


def chain(step_id: str, *steps: Any) -> dict[str, Any]:
    return {"id": step_id, "chain": list(steps)}


def para(step_id: str, *steps: Any, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "para": list(steps), **more}


SHAPES: dict[str, list[Any]] = {
    "one task": [step("a")],
    "a chain": [step("a"), step("b"), step("c", **{"pass": "none"}), step("d")],
    "a para": [para("p", step("a"), step("b"))],
    "a para of chains with a join": [
        para("p", chain("x", step("a"), step("b")), chain("y", step("c"), step("d"))),
        step("e"),
        step("f"),
    ],
    "a chain, a para, a chain": [
        step("a"),
        step("b"),
        para("p", chain("x", step("c"), step("d")), step("e", **{"pass": "none"})),
        step("f"),
        step("g"),
    ],
    "paras behind paras": [
        para("p", step("a"), step("b")),
        para("q", step("c"), step("d")),
        step("e"),
        para("r", step("f"), step("g")),
    ],
    "paras within branches": [
        para(
            "p",
            chain("x", para("q", step("a"), step("b")), step("c")),
            chain("y", step("d"), para("r", step("e"), step("f")), step("g"), step("h")),
        ),
        step("i"),
        para("s", step("j"), step("k")),
        step("l"),
    ],
    "a para at the end of a branch": [
        step("a"),
        para("p", chain("x", step("b"), para("q", step("c"), step("d"))), step("e")),
    ],
}


def by_id(run: RunState) -> dict[str, Any]:
    return {step.id: (step.status.value, step.result, step.args) for step in run.steps.values()}


def count(run: RunState, console: Console, step_id: str) -> int:
    """How often a step was executed."""
    task_id = next(step.task_id for step in run.steps.values() if step.id == step_id)
    return int(console.server.client(5).hget("runs", task_id) or 0)


def once(run: RunState, console: Console) -> bool:
    """Whether each step was executed once."""
    return all(count(run, console, step.id) == 1 for step in run.steps.values())


async def only_run(console: Console) -> str:
    (run,) = await console.journal.open_runs()
    return run.run_id


@asynccontextmanager
async def another_console(server: Server, path: Path, broker: str = "") -> AsyncIterator[Console]:
    async for console in open_console(server, path, broker=broker):
        yield console


async def both_ways(console: Console, shape: str) -> tuple[RunState, RunState]:
    """A run of a shape that the console walks, and one that the workers have; both are done."""
    plain = {"steps": SHAPES[shape]}
    here = await console.run(plain)
    there = await console.ended(await console.runner.detach(document(plain)))
    assert here.status is there.status is Status.DONE
    assert once(there, console)
    return here, there


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_detached_run_comes_to_what_the_console_would_have_come_to(
    console: Console, shape: str
) -> None:
    here, there = await both_ways(console, shape)
    assert by_id(there) == by_id(here)
    assert await console.runner.result(there.run_id) == await console.runner.result(here.run_id)
    assert there.detached
    assert not here.detached


async def test_only_the_first_messages_are_published_and_written_down_before(
    console: Console,
) -> None:
    run_id = await console.runner.detach(document({"steps": SHAPES["a chain, a para, a chain"]}))
    run = await console.ended(run_id)
    events = await console.journal.events_of(run_id)
    detached = next(n for n, event in enumerate(events) if isinstance(event, RunDetached))
    assert events[detached].paths == ("0",)  # type: ignore[attr-defined]
    intents = [n for n, event in enumerate(events) if isinstance(event, StepIntended)]
    assert [events[n].path for n in intents] == ["0"]  # type: ignore[attr-defined]
    assert detached < intents[0]
    handed = [event.path for event in events if isinstance(event, StepHandedOver)]
    assert sorted(handed) == [path for path in run.steps if path != "0"]


async def test_templates_are_filled_in_before_it_is_handed_over(
    console: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DETACH_KEY", "kanarienvogel-drei")
    plain = {
        "inputs": {
            "day": {"type": "date", "required": True},
            "key": {"type": "secret", "from": "env:DETACH_KEY"},
        },
        "steps": [
            step("a", with_={"day": "${{ inputs.day }}"}),
            step("b", with_={"key": "${{ inputs.key }}", "text": "$${{ no.template }}"}),
        ],
    }
    run_id = await console.runner.detach(document(plain), RunInputs({"day": "2026-11-22"}))
    result = await console.runner.result(run_id)
    assert result == {
        "args": [{"args": [], "kwargs": {"day": "2026-11-22"}}],
        "kwargs": {"key": "kanarienvogel-drei", "text": "${{ no.template }}"},
    }
    await console.ended(run_id, masked=True)
    await console.journal.flush()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"kanarienvogel" not in written


async def test_what_stands_against_it_is_reported_and_nothing_is_sent(console: Console) -> None:
    plain = {
        "steps": [
            step("a", retry={"max": 1}),
            step("b", **{"pass": "auto"}, when={"ref": "prev", "exists": True}),
        ]
    }
    with pytest.raises(CannotDetach) as raised:
        await console.runner.detach(document(plain))
    assert [stop.id for stop in raised.value.blockers] == ["a", "b", "b"]
    assert "b: has `when`" in raised.value.hint
    assert await console.journal.runs() == []
    assert await console.runner.blockers(document(plain)) == raised.value.blockers


async def test_a_missing_input_or_secret_keeps_it_from_being_sent(console: Console) -> None:
    plain = {
        "inputs": {"key": {"type": "secret", "from": "env:NOT_SET_ANYWHERE"}},
        "steps": [step("a"), step("b", with_={"key": "${{ inputs.key }}"})],
    }
    with pytest.raises(UsageError, match="NOT_SET_ANYWHERE"):
        await console.runner.detach(document(plain))
    assert await console.journal.runs() == []


async def test_what_follows_a_failed_step_is_reported_as_skipped(console: Console) -> None:
    steps = [step("a"), step("bad", "fail"), step("c"), para("p", step("d"), step("e")), step("f")]
    run_id = await console.runner.detach(document({"steps": steps}))
    run = await console.ended(run_id)
    assert {step.id: step.status.value for step in run.steps.values()} == {
        "a": "done", "bad": "failed", "c": "skipped", "d": "skipped", "e": "skipped",
        "f": "skipped",
    }  # fmt: skip
    assert run.status is Status.FAILED
    assert "on purpose" in run.error
    assert count(run, console, "c") == 0


async def test_a_failed_branch_keeps_the_join_from_running(console: Console) -> None:
    steps = [para("p", chain("x", step("a"), step("bad", "fail")), step("b")), step("join")]
    run_id = await console.runner.detach(document({"steps": steps}))
    run = await console.ended(run_id)
    assert {step.id: step.status.value for step in run.steps.values()} == {
        "a": "done", "bad": "failed", "b": "done", "join": "skipped",
    }  # fmt: skip
    assert count(run, console, "join") == 0


async def test_a_cancelled_run_stops_at_the_workers_too(console: Console) -> None:
    slow = step("slow", "step", with_={"pause": 1.0})
    plain = {"steps": [slow, step("b"), para("p", step("c"), step("d"))]}
    run_id = await console.runner.detach(document(plain))
    await console.until(run_id, "0", Status.QUEUED, Status.RUNNING)
    await console.runner.cancel(run_id)
    run = await console.ended(run_id)
    assert run.status is Status.REVOKED
    done = await console.run({"steps": [step("after")]})  # all before it has had its turn
    assert done.status is Status.DONE
    assert [count(run, console, each) for each in "bcd"] == [0, 0, 0]


async def test_steps_have_no_time_out_once_the_workers_have_them(console: Console) -> None:
    slow = {"with_": {"pause": 0.4}, "timeout": "0.1s"}
    plain = {"timeout": "0.2s", "steps": [step("a", "step", **slow), step("b", "step", **slow)]}
    run_id = await console.runner.detach(document(plain))
    assert (await console.ended(run_id)).status is Status.DONE


async def test_a_step_can_be_replayed_as_the_workers_sent_it(console: Console) -> None:
    plain = {
        "inputs": {"n": {"type": "int", "default": 3}},
        "steps": [step("a"), step("b", with_={"n": "${{ inputs.n }}"})],
    }
    first = await console.ended(await console.runner.detach(document(plain)))
    again = await console.ended(
        await console.runner.replay(first.run_id, ReplayRequest("only_step", "b"))
    )
    assert again.steps["0"].result == first.steps["1"].result


async def test_the_workers_go_on_without_the_console_and_another_one_sees_the_end(
    server: Server, tmp_path: Path
) -> None:
    run = await left_to_the_workers(server, tmp_path / "runs.db")
    assert run.status is Status.DONE
    assert by_id(run)["e"][1]["args"][0][1] == {"args": [{"n0": 0}], "kwargs": {}}


async def left_to_the_workers(server: Server, path: Path, broker: str = "") -> RunState:
    """A run whose console was closed while its first task ran, as another one saw its end."""
    slow = {"with_": {"pause": 0.3}}
    plain = {
        "steps": [
            step("a", "step", **slow),
            para("p", chain("x", step("b", "step", **slow), step("c")), step("d")),
            step("e"),
        ]
    }
    async with another_console(server, path, broker) as first:
        run_id = await first.runner.detach(document(plain))
        await first.until(run_id, "0", Status.QUEUED, Status.RUNNING)
    async with another_console(server, path, broker) as second:
        resumed = await second.runner.resume(run_id)
        assert not resumed.needs
        run = await second.ended(run_id)
        assert once(run, second)
        return run


async def done_by_the_workers(server: Server, tasks: Sequence[str]) -> list[float]:
    """Wait for the results of tasks; returns when each was done, by its worker's clock."""
    keys = [f"celery-task-meta-{task}" for task in tasks]
    async with asyncio.timeout(20):
        while server.client().exists(*keys) < len(keys):  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.05)
    dates = [json.loads(meta)["date_done"] for meta in server.client().mget(keys)]
    return [datetime.fromisoformat(date).timestamp() for date in dates]


async def test_what_ended_while_no_console_was_there_is_reported_with_its_time(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "runs.db"
    plain = {"steps": [step("a", "held", with_={"key": "no console"}), step("b"), step("c")]}
    async with another_console(server, path) as first:
        run_id = await first.runner.detach(document(plain))
        tasks = [each.task_id for each in first.folded(run_id).steps.values()]
    server.client(5).rpush("no console", "go on")
    done = await done_by_the_workers(server, tasks)
    opened = time.time()
    async with another_console(server, path) as second:
        await second.runner.resume(run_id)
        run = await second.ended(run_id)
        # Not always in order: a worker sends what comes next before it stores a result.
        assert [each.ended_at for each in run.steps.values()] == done
        assert run.started < min(done)
        assert run.ended == max(done) < opened
        assert [each.began_at for each in run.steps.values()][1:] == [None, None]
        (row,) = await second.journal.runs()
        assert row.ended == run.ended


async def test_what_was_not_published_when_the_console_died_is_published_once(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The console dies once some of the messages are out: the others are the other console's."""
    path, publish = tmp_path / "runs.db", RedisPublisher.publish
    hang = asyncio.Event()
    published: list[str] = []

    async def publish_two(self: RedisPublisher, message: Any) -> None:
        if len(published) == 2:
            hang.set()
            await asyncio.Event().wait()
        published.append(message.task_id)
        await publish(self, message)

    branches = [chain(f"x{n}", step(f"a{n}"), step(f"b{n}")) for n in range(5)]
    plain = {"steps": [para("p", *branches), step("join"), step("end")]}
    async with another_console(server, path) as first:
        monkeypatch.setattr(RedisPublisher, "publish", publish_two)
        detaching = asyncio.ensure_future(first.runner.detach(document(plain)))
        await hang.wait()
        run_id = await only_run(first)
        detaching.cancel()
    monkeypatch.setattr(RedisPublisher, "publish", publish)
    async with another_console(server, path) as second:
        await second.runner.resume(run_id)
        run = await second.ended(run_id)
        assert run.status is Status.DONE
        assert [each["args"][0]["args"] for each in by_id(run)["join"][1]["args"][0]] == [[]] * 5
        assert once(run, second)


async def test_a_crash_before_the_first_publish_sends_it_once_in_the_end(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, publish = tmp_path / "runs.db", RedisPublisher.publish
    reached = asyncio.Event()

    async def never(self: RedisPublisher, message: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    plain = {"steps": SHAPES["a chain, a para, a chain"]}
    async with another_console(server, path) as first:
        monkeypatch.setattr(RedisPublisher, "publish", never)
        detaching = asyncio.ensure_future(first.runner.detach(document(plain)))
        await reached.wait()
        run_id = await only_run(first)
        detaching.cancel()
    monkeypatch.setattr(RedisPublisher, "publish", publish)
    for _ in range(2):  # the second time there is nothing to do any more
        async with another_console(server, path) as console:
            if any(run.run_id == run_id for run in await console.journal.open_runs()):
                await console.runner.resume(run_id)
                await console.ended(run_id)
            index = RunIndex()
            index.apply_all(await console.journal.events_of(run_id))
            assert index.runs[run_id].status is Status.DONE
            assert once(index.runs[run_id], console)


async def test_a_publish_that_fails_is_reported_to_the_caller(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: RedisPublisher, message: Any) -> None:
        raise BrokerUnavailable("The broker went for lunch.")

    monkeypatch.setattr(RedisPublisher, "publish", refuse)
    with pytest.raises(BrokerUnavailable, match="lunch"):
        await console.runner.detach(document({"steps": SHAPES["a chain"]}))
    (row,) = await console.journal.runs()
    run = await console.ended(row.run_id)
    assert [step.status for step in run.steps.values()] == ["failed", *["skipped"] * 3]


async def test_the_rest_of_a_run_is_handed_over_once_what_is_in_flight_has_ended(
    console: Console,
) -> None:
    plain = {
        "steps": [
            step("a"),
            step("slow", "step", with_={"pause": 0.5}),
            step("b", **{"pass": "auto"}, with_={"first": "${{ steps.a.result }}"}),
            para("p", step("c"), step("d", with_={"n": "${{ steps.slow.result.n1 }}"})),
            step("e"),
        ]
    }
    run_id = console.runner.run(document(plain))
    await console.until(run_id, "1", Status.QUEUED, Status.RUNNING)
    await console.runner.detach_rest(run_id)
    run = await console.ended(run_id)
    assert run.status is Status.DONE
    assert by_id(run)["b"][1] == {
        "args": [],
        "kwargs": {"first": {"args": [], "kwargs": {}}, "n1": 0},
    }
    assert by_id(run)["d"][1]["kwargs"] == {"n": 0}
    assert once(run, console)
    events = await console.journal.events_of(run_id)
    assert [event.paths for event in events if isinstance(event, RunDetached)] == [("2",)]
    assert [event.path for event in events if isinstance(event, StepIntended)] == ["0", "1", "2"]
    assert await console.runner.result(run_id) == by_id(run)["e"][1]


async def test_the_rest_of_a_para_is_handed_over_where_nothing_takes_its_result(
    console: Console,
) -> None:
    slow = step("slow", "step", with_={"pause": 0.5})
    behind = [para("p", chain("x", slow, step("a")), step("b")), step("join", **{"pass": "none"})]
    run_id = console.runner.run(document({"steps": behind}))
    await console.until(run_id, "0/1", Status.DONE)
    await console.runner.detach_rest(run_id)
    run = await console.ended(run_id)
    assert run.status is Status.DONE
    assert once(run, console)
    taken = [behind[0], step("join")]
    run_id = console.runner.run(document({"steps": taken}))
    await console.until(run_id, "0/1", Status.DONE)
    with pytest.raises(CannotDetach, match="1 reason") as raised:
        await console.runner.detach_rest(run_id)
    assert "p: is half done" in raised.value.hint
    assert (await console.ended(run_id)).status is Status.DONE


async def test_a_run_goes_on_here_if_its_rest_cannot_be_handed_over(console: Console) -> None:
    slow = step("slow", "step", with_={"pause": 0.4})
    run_id = console.runner.run(document({"steps": [slow, step("a"), step("b", retry={"max": 1})]}))
    await console.until(run_id, "0", Status.QUEUED, Status.RUNNING)
    with pytest.raises(CannotDetach, match="1 reason"):
        await console.runner.detach_rest(run_id)
    assert (await console.ended(run_id)).status is Status.DONE
    run_id = console.runner.run(document({"steps": [slow]}))
    await console.until(run_id, "", Status.QUEUED, Status.RUNNING)
    with pytest.raises(UsageError, match="nothing is left"):
        await console.runner.detach_rest(run_id)
    assert (await console.ended(run_id)).status is Status.DONE
    with pytest.raises(UsageError, match="not active"):
        await console.runner.detach_rest(run_id)


async def test_a_run_that_is_cancelled_while_its_rest_is_handed_over_stays_here(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {"steps": [step("slow", "step", with_={"pause": 0.5}), step("a")]}
    run_id = console.runner.run(document(plain))
    await console.until(run_id, "0", Status.QUEUED, Status.RUNNING)
    pause = console.runner._active.executors[run_id].pause
    begin, cancelling = pause.begin, []

    async def begin_and_cancel() -> None:
        await begin()
        cancelling.append(asyncio.create_task(console.runner.cancel(run_id)))
        await asyncio.sleep(0)

    monkeypatch.setattr(pause, "begin", begin_and_cancel)
    with pytest.raises(UsageError, match="cancelled, or ended in the meantime"):
        await console.runner.detach_rest(run_id)
    await asyncio.gather(*cancelling)
    async with asyncio.timeout(20):
        await asyncio.gather(console.runner.result(run_id), return_exceptions=True)
    run = console.folded(run_id)
    assert run.status is Status.REVOKED
    assert run.steps["1"].sent_at is None
    assert not run.detached


async def test_a_rest_is_handed_over_once(console: Console) -> None:
    plain = {"steps": [step("slow", "step", with_={"pause": 0.5}), step("a")]}
    run_id = console.runner.run(document(plain))
    await console.until(run_id, "0", Status.QUEUED, Status.RUNNING)
    both = [console.runner.detach_rest(run_id), console.runner.detach_rest(run_id)]
    first, second = await asyncio.gather(*both, return_exceptions=True)
    assert first is None
    assert isinstance(second, UsageError)
    run = await console.ended(run_id)
    assert run.status is Status.DONE
    assert once(run, console)


async def test_a_rest_that_was_handed_over_is_resumed_by_another_console(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "runs.db"
    slow = {"with_": {"pause": 0.3}}
    plain = {"steps": [step("a", "step", **slow), step("b", "step", **slow), step("c")]}
    async with another_console(server, path) as first:
        run_id = first.runner.run(document(plain))
        await first.until(run_id, "0", Status.QUEUED, Status.RUNNING)
        await first.runner.detach_rest(run_id)
    async with another_console(server, path) as second:
        await second.runner.resume(run_id)
        run = await second.ended(run_id)
        assert run.status is Status.DONE
        assert once(run, second)


LOGIN = {
    "steps": [
        step("login", "give", with_={"value": {"token": "kanarienvogel-vier", "name": "x"}}),
        step("slow", "step", with_={"pause": 0.5}, **{"pass": "none"}),
        step(
            "use",
            "got",
            **{"pass": "none"},
            with_={"auth": "Bearer ${{ steps.login.result.token }}"},
        ),
    ]
}
"""Its third step puts a part of the first one's result into a text, which the journal withheld."""


async def test_a_rest_that_needs_what_was_not_written_down_goes_on_here(console: Console) -> None:
    run_id = console.runner.run(document(LOGIN))
    await console.until(run_id, "1", Status.QUEUED, Status.RUNNING)
    with pytest.raises(UsageError, match=r"`steps\.login\.result\.token` was not saved"):
        await console.runner.detach_rest(run_id)
    result = await console.runner.result(run_id)
    assert result["kwargs"] == {"auth": "Bearer kanarienvogel-vier"}


@pytest.mark.parametrize(
    ("more", "status", "cause"),
    [
        ({}, Status.FAILED, "`steps.login.result.token` was not saved: needs result.token"),
        (
            {"when": {"ref": "steps.login.result.token", "eq": "kanarienvogel-vier"}},
            Status.SKIPPED,
            "its condition cannot be evaluated: `steps.login.result.token` was not saved",
        ),
    ],
)
async def test_a_resumed_run_never_sends_a_mask_nor_compares_with_it(
    server: Server, tmp_path: Path, more: dict[str, Any], status: Status, cause: str
) -> None:
    path = tmp_path / "runs.db"
    login, slow, use = LOGIN["steps"]
    async with another_console(server, path) as first:
        run_id = first.runner.run(document({"steps": [login, slow, use | more]}))
        await first.until(run_id, "1", Status.QUEUED, Status.RUNNING)
    async with another_console(server, path) as second:
        await second.runner.resume(run_id)
        run = await second.ended(run_id)
        assert (run.steps["1"].status, run.steps["2"].status) == (Status.DONE, status)
        assert run.steps["2"].cause.startswith(cause)
        assert count(run, second, "use") == 0


async def test_an_error_names_its_task_after_a_restart_as_before(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "runs.db"
    alert = [
        step("slow", "step", with_={"pause": 0.5}),
        step("alert", **{"pass": "none"}, with_={"task": "${{ error.task }}"}),
    ]
    bad = step("bad", "fail", retry={"max": 1, "delay": "0.01s"}, on_error=alert)
    async with another_console(server, path) as first:
        run_id = first.runner.run(document({"steps": [bad]}))
        await first.until(run_id, "e/0", Status.QUEUED, Status.RUNNING)
    async with another_console(server, path) as second:
        await second.runner.resume(run_id)
        run = await second.ended(run_id)
        assert by_id(run)["alert"][1]["kwargs"] == {"task": "lab.fail"}
