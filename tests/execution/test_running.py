"""Every feature of the format on a real broker with a real worker, live as in the journal."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kimera_tui.errors import KimeraError, RunRefused, UsageError
from kimera_tui.execution.completion import RunTimedOut
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.runs.events import StepRetried
from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status

from .conftest import Console, document


def step(step_id: str, task: str = "give", **more: Any) -> dict[str, Any]:
    """A task step; what goes to the task stands in ``with_``."""
    kwargs = {"of": "running", **more.pop("with_", {})}
    return {"id": step_id, "task": f"lab.{task}", "kwargs": kwargs, **more}


def of(run: RunState, step_id: str) -> Any:
    return next(step for step in run.steps.values() if step.id == step_id)


def words(run: RunState) -> dict[str, str]:
    return {step.id: step.status.value for step in run.steps.values()}


async def test_templates_look_up_inputs_results_and_what_came_before(console: Console) -> None:
    run = await console.run(
        {
            "inputs": {
                "day": {"type": "date", "required": True},
                "limit": {"type": "int", "default": 3},
            },
            "steps": [
                step("rows", with_={"value": [{"n": 7}, {"n": 8}]}),
                {
                    "id": "work",
                    "gather": "dict",
                    "para": [
                        step("one", with_={"value": 1}),
                        step("two", "got", **{"pass": "none"}),
                    ],
                },
                step(
                    "last",
                    "got",
                    **{"pass": "none"},
                    args=["${{ prev.one }}"],
                    with_={
                        "n": "${{ steps.rows.result[1].n }}",
                        "limit": "${{ inputs.limit }}",
                        "title": "Day ${{ inputs.day }}, run ${{ run.name | upper }}",
                        "safe": "$${{ not.a.template }}",
                    },
                ),
            ],
        },
        RunInputs({"day": "2026-11-22"}),
    )
    assert run.status is Status.DONE
    assert of(run, "last").result == {
        "args": [1],
        "kwargs": {
            "n": 8,
            "limit": 3,
            "title": "Day 2026-11-22, run FLOW",
            "safe": "${{ not.a.template }}",
        },
    }
    assert run.inputs == {"day": "2026-11-22", "limit": 3}


@pytest.mark.parametrize(
    ("passing", "args", "kwargs"),
    [
        ("auto", ["own"], {"a": 1}),
        ("first", [{"a": 1}, "own"], {}),
        ("payload", ["own"], {"payload": {"a": 1}}),
        ("none", ["own"], {}),
    ],
)
async def test_a_result_comes_in_as_pass_says(
    console: Console, passing: str, args: list[Any], kwargs: dict[str, Any]
) -> None:
    run = await console.run(
        {
            "steps": [
                step("first", with_={"value": {"a": 1}}),
                step("second", "got", args=["own"], **{"pass": passing}),
            ]
        }
    )
    assert of(run, "second").result == {"args": args, "kwargs": kwargs}


async def test_a_condition_that_does_not_hold_leaves_its_step_out(console: Console) -> None:
    run = await console.run(
        {
            "steps": [
                step("count", with_={"value": {"rows": 0}}),
                step("load", "fail", when={"ref": "steps.count.result.rows", "gt": 0}),
                step(
                    "all", "got", **{"pass": "none"}, when={"not": {"ref": "prev", "exists": False}}
                ),
                step("last", "got"),
            ]
        }
    )
    assert words(run) == {"count": "done", "load": "not needed", "all": "done", "last": "done"}
    assert "rows" in of(run, "load").cause
    assert (run.status, run.done, run.total) == (Status.DONE, 3, 3)


async def test_a_step_is_tried_again_as_a_new_task(console: Console) -> None:
    retry = {"max": 3, "delay": "0.05s", "factor": 1}
    with_ = {"key": "again", "times": 2, "of": "again"}
    plain = {"steps": [step("flaky", "fail_times", retry=retry, with_=with_), step("last", "got")]}
    run_id = console.runner.run(document(plain))
    run = await console.ended(run_id)
    assert words(run) == {"flaky": "done", "last": "done"}
    assert of(run, "flaky").attempt == 3
    assert console.executions("again") == 3
    retried = [
        event for event in await console.journal.events_of(run_id) if isinstance(event, StepRetried)
    ]
    assert [event.attempt for event in retried] == [2, 3]
    assert retried[0].because == "ConnectionError: not yet, again"
    assert len({event.task_id for event in retried} | {run.plan.children[0].task.task_id}) == 3  # type: ignore[union-attr]


async def test_only_the_errors_that_are_named_are_tried_again(console: Console) -> None:
    retry = {"max": 3, "delay": "0.05s", "on": ["TIMEOUT"]}
    with_ = {"key": "named", "times": 1, "of": "named"}
    run = await console.run({"steps": [step("flaky", "fail_times", retry=retry, with_=with_)]})
    assert run.status is Status.FAILED
    assert console.executions("named") == 1


async def test_continue_goes_on_with_null(console: Console) -> None:
    run = await console.run(
        {
            "steps": [
                step("bad", "fail", on_error="continue"),
                step("last", "got", with_={"status": "${{ steps.bad.status }}"}),
            ]
        }
    )
    assert words(run) == {"bad": "failed", "last": "done"}
    assert of(run, "last").result == {"args": [], "kwargs": {"status": "failed"}}
    assert run.status is Status.DONE


async def test_on_error_steps_see_the_error_and_the_run_still_fails(console: Console) -> None:
    run = await console.run(
        {
            "steps": [
                step("fine", on_error=[step("unused")]),
                {
                    "id": "both",
                    "chain": [step("bad", "fail")],
                    "on_error": [
                        step(
                            "alert",
                            "got",
                            with_={
                                "text": "${{ error.type }}: ${{ error.message }}",
                                "task": "${{ error.task }}",
                            },
                        ),
                        step("then", "got"),
                    ],
                },
                step("never"),
            ],
            "finally": [
                step("bad_end", "fail"),
                step("end", "got", with_={"run": "${{ run.id }}"}),
            ],
        }
    )
    assert words(run) == {
        "fine": "done",
        "unused": "not needed",
        "bad": "failed",
        "alert": "done",
        "then": "done",
        "never": "skipped",
        "bad_end": "failed",
        "end": "done",
    }
    assert of(run, "alert").result["kwargs"] == {
        "text": "ValueError: on purpose", "task": "lab.fail",
    }  # fmt: skip
    assert of(run, "end").result["kwargs"] == {"run": run.run_id}
    assert run.status is Status.FAILED
    assert "on purpose" in run.error


async def test_max_parallel_holds_the_others_back(console: Console) -> None:
    slow = [step(f"s{n}", "step", with_={"pause": 0.3}) for n in range(4)]
    run_id = console.runner.run(document({"steps": [{"id": "p", "max_parallel": 2, "para": slow}]}))
    most = 0
    task = asyncio.ensure_future(console.runner.result(run_id))
    while not task.done():
        most = max(most, len(console.runner.in_flight))
        await asyncio.sleep(0.01)
    run = await console.ended(run_id)
    assert (run.done, most) == (4, 2)


async def test_fail_fast_gives_the_other_branches_up(console: Console) -> None:
    branch = [step("slow", "step", with_={"pause": 0.5}), step("after")]
    run = await console.run(
        {
            "steps": [
                {
                    "id": "p",
                    "fail": "fast",
                    "para": [
                        {"id": "c", "chain": branch},
                        step("bad", "fail"),
                        step("idle") | {"task": "idle.give"},
                    ],
                }
            ]
        }
    )
    assert of(run, "bad").status is Status.FAILED
    assert of(run, "after").status is Status.UNREACHABLE
    assert of(run, "idle").status.bad
    assert "on purpose" in run.error


async def test_a_queue_nobody_serves_ends_at_start_timeout(console: Console) -> None:
    run = await console.run(
        {
            "steps": [
                step("wait", start_timeout="0.4s", timeout="60s") | {"task": "idle.give"},
            ]
        }
    )
    assert of(run, "wait").status in (Status.TIMED_OUT, Status.FINISHED_LATE)
    assert run.status.bad


async def test_a_timeout_is_retried_where_that_is_named(console: Console) -> None:
    retry = {"max": 1, "delay": "0.05s", "on": ["TIMEOUT"]}
    run = await console.run(
        {
            "steps": [
                step(
                    "slow", "step", timeout="0.3s", retry=retry, idempotent=True,
                    with_={"pause": 1.0},
                )
            ]
        }
    )  # fmt: skip
    assert of(run, "slow").attempt == 2
    assert of(run, "slow").status in (Status.TIMED_OUT, Status.FINISHED_LATE)


async def test_the_whole_run_has_a_time(console: Console) -> None:
    plain = {
        "timeout": "0.5s",
        "steps": [
            step("slow", "step", with_={"pause": 8.0}) | {"task": "idle.step"},
            step("after"),
        ],
        "finally": [step("end")],
    }
    run_id = console.runner.run(document(plain))
    with pytest.raises(RunTimedOut, match=r"timed out after 0\.5s"):
        await console.runner.result(run_id)
    run = await console.ended(run_id)
    assert of(run, "end").status is Status.DONE
    assert of(run, "after").status is Status.UNREACHABLE
    assert run.status is Status.TIMED_OUT


async def test_a_cancelled_run_sends_nothing_more_but_its_last_steps(console: Console) -> None:
    plain = {
        "steps": [step("slow") | {"task": "idle.give"}, step("after")],
        "finally": [step("end")],
    }
    run_id = console.runner.run(document(plain))
    await console.until(run_id, "0", Status.QUEUED)
    await console.runner.cancel(run_id)
    run = await console.ended(run_id)
    assert of(run, "end").status is Status.DONE
    assert of(run, "after").status is Status.UNREACHABLE
    assert run.status is Status.REVOKED


async def test_secrets_are_fetched_late_and_written_nowhere(
    console: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("ORDERS_KEY", "kanarienvogel-eins")
    plain = {
        "inputs": {
            "key": {"type": "secret", "from": "env:ORDERS_KEY"},
            "word": {"type": "secret", "from": "prompt"},
        },
        "steps": [
            step(
                "login",
                "got",
                with_={"auth": {"key": "${{ inputs.key }}"}, "word": "Bearer ${{ inputs.word }}"},
            )
        ],
    }
    run_inputs = RunInputs(prompted={"word": "kanarienvogel-zwei"})
    with console.manager.events.subscribe() as mailbox:
        run_id = console.runner.run(document(plain), run_inputs)
        result = await console.runner.result(run_id)
        shown = [event for event in mailbox.drain() if type(event).__name__ == "Sending"]
    assert result["kwargs"] == {
        "auth": {"key": "kanarienvogel-eins"},
        "word": "Bearer kanarienvogel-zwei",
    }
    assert shown[0].secret >= {"auth", "word"}
    await console.ended(run_id, masked=True)
    await console.journal.flush()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"login" in written
    assert b"kanarienvogel" not in written

    replayed = await console.runner.replay(run_id, ReplayRequest("again", run_inputs=run_inputs))
    again = await console.ended(replayed, masked=True)
    assert again.status is Status.DONE
    with pytest.raises(KimeraError, match="word"):
        await console.runner.result(await console.runner.replay(run_id, ReplayRequest("again")))


async def test_inputs_that_do_not_fit_are_refused_before_anything_is_sent(console: Console) -> None:
    plain = {"inputs": {"n": {"type": "int", "required": True}}, "steps": [step("a")]}
    with pytest.raises(UsageError, match="n"):
        console.runner.run(document(plain))
    with pytest.raises(UsageError, match="n"):
        console.runner.run(document(plain), RunInputs({"n": "x"}))
    assert await console.journal.runs() == []


async def test_runs_with_the_same_key_do_not_overlap(console: Console) -> None:
    plain = {
        "inputs": {"region": {"default": "eu"}},
        "concurrency": {"key": "orders-${{ inputs.region }}"},
        "steps": [step("slow", "step", with_={"pause": 0.5})],
    }
    first = console.runner.run(document(plain))
    await console.until(first, "", Status.QUEUED, Status.RUNNING)
    second = console.runner.run(document(plain))
    with pytest.raises(RunRefused, match="orders-eu"):
        await console.runner.result(second)
    other = console.runner.run(document(plain), RunInputs({"region": "us"}))
    assert (await console.ended(other)).status is Status.DONE
    assert (await console.ended(first)).status is Status.DONE
    assert len(await console.journal.runs()) == 2


async def test_a_replay_with_other_inputs_runs_only_what_looks_them_up(console: Console) -> None:
    plain = {
        "inputs": {"a": {"default": "1"}, "b": {"default": "2"}},
        "steps": [
            {
                "id": "p",
                "gather": "dict",
                "para": [
                    step("left", with_={"value": "${{ inputs.a }}"}),
                    step("right", with_={"value": "${{ inputs.b }}"}),
                ],
            },
            step("sum", "got", **{"pass": "none"}, with_={"r": "${{ steps.right.result }}"}),
            step("fixed", "got", **{"pass": "none"}),
        ],
    }
    first = console.runner.run(document(plain))
    await console.ended(first)
    again = await console.runner.replay(
        first, ReplayRequest("from_failed", run_inputs=RunInputs({"b": "3"}))
    )
    run = await console.ended(again)
    sent = {step.id for step in run.steps.values() if step.sent_at is not None}
    assert sent == {"right", "sum"}
    assert of(run, "sum").result["kwargs"] == {"r": "3"}
    assert run.inputs == {"a": "1", "b": "3"}
