"""The fold of a step: pure, final at the end, and the same however events are split."""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.process import events as e
from kimera_tui.runs.events import (
    ResultKept,
    RunCancelled,
    RunDetached,
    RunEnded,
    RunStarted,
    StepRetried,
    StepSkipped,
)
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.journal.event_codec import decode
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.runs.state import begin, fold, progress_of
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import LastKnown, StepState

IDS = ["t0", "t1", "t2"]
PLAN = Node(
    "chain",
    "",
    tuple(Node("task", str(n), task=PlannedTask(IDS[n], "f", f"task{n}")) for n in range(3)),
)
START = RunStarted(at=0, run_id="r", name="run", plan=PLAN)


def at(kind: type[Any], **fields: Any) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda when, task_id: kind(at=when, task_id=task_id, **fields),
        st.floats(1, 100),
        st.sampled_from([*IDS, "a stranger"]),
    )


EVENTS = st.one_of(
    at(e.Sending, task="f.task", friend="f", queue="q", args=(1,), kwargs={"a": 1}),
    at(e.Dispatched, task="f.task", friend="f", queue="q"),
    at(e.Refused, reason="no broker"),
    at(e.Refused, reason="silent", uncertain=True),
    at(e.Resent),
    at(e.Adopted),
    at(e.Noticed, text="No worker consumes queue q."),
    at(e.Polled, attempt=2, state="", next_delay=0.4),
    at(e.StateSeen, state="STARTED", meta={"hostname": "w1"}),
    at(e.StateSeen, state="PROGRESS", meta={"current": 1, "total": 4}),
    at(e.StateSeen, state="PROGRESS", meta="odd"),
    at(e.StateSeen, state="RETRY"),
    at(e.Succeeded, result=[1, 2]),
    at(e.Succeeded, result=3, done_at=50.0),
    at(ResultKept, result=3),
    at(e.Failed, error_type="ValueError", error_message="no", done_at=2.0),
    at(e.Failed, error_type="ValueError", error_message="no"),
    at(e.RemotelyRevoked),
    at(e.EndedUnknown, reason="it keeps no result", source="event"),
    at(e.EndedUnknown, reason="it is a pickle", done_at=3.0),
    at(e.Spawned, children=("c1", "c2"), total=2),
    at(e.StateSeen, state="RETRY", meta={"error_type": "OSError", "retries": 1}),
    at(e.FinishedLate, state="ENDED", error="it is a pickle"),
    at(e.TimedOut, seconds=3),
    at(e.FinishedLate, state="SUCCESS", result=1),
    at(e.WatchStopped),
    at(e.CallbackFailed, callback="c", error="no"),
    at(e.Forgotten),
    at(e.RevokeSent),
    st.builds(
        lambda path: StepSkipped(at=5, run_id="r", path=path, because="upstream failed"),
        st.sampled_from(["0", "1", "2"]),
    ),
    st.just(RunEnded(at=200, run_id="r")),
)
HISTORIES = st.lists(EVENTS, max_size=40)


def summary(index: RunIndex) -> list[Any]:
    return [
        (run.status, run.ended, run.done, run.in_flight, run.steps) for run in index.runs.values()
    ]


@given(HISTORIES, st.lists(st.integers(0, 40)))
def test_one_by_one_is_the_same_as_in_any_chunks(events: list[Any], cuts: list[int]) -> None:
    one_by_one, in_chunks = RunIndex(), RunIndex()
    for event in [START, *events]:
        one_by_one.apply(event)
    whole = [START, *events]
    edges = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    for begin_, end in pairwise(edges):
        in_chunks.apply_all(whole[begin_:end])
    assert summary(one_by_one) == summary(in_chunks)


@given(HISTORIES)
def test_an_ended_step_stays_as_it_ended(events: list[Any]) -> None:
    index = RunIndex()
    index.apply(START)
    ended: dict[str, Status] = {}
    for event in events:
        index.apply(event)
        for path, step in index.runs["r"].steps.items():
            earlier = ended.get(path)
            if earlier is not None and step.status is not earlier:
                assert (earlier, step.status) == (Status.TIMED_OUT, Status.FINISHED_LATE)
            if step.status.ended:
                ended[path] = step.status
                assert step.ended_at is not None


@given(HISTORIES)
def test_the_fold_changes_nothing_that_it_is_given(events: list[Any]) -> None:
    step = begin("0", PLANNED, 0)
    for event in events:
        if isinstance(event, e.TaskEvent):
            earlier = copy.deepcopy(step)
            after = fold(step, event)
            assert step == earlier
            step = after


@given(HISTORIES)
def test_the_counts_are_those_of_the_steps(events: list[Any]) -> None:
    index = RunIndex()
    index.apply_all([START, *events])
    run = index.runs["r"]
    statuses = [step.status for step in run.steps.values()]
    assert run.done == statuses.count(Status.DONE)
    assert run.in_flight == sum(
        status in (Status.SENDING, Status.QUEUED, Status.RUNNING, Status.PROGRESS, Status.RETRYING)
        for status in statuses
    )
    if run.ended is not None:
        assert all(status.ended for status in statuses)


PLANNED = PlannedTask("t0", "f", "task0", secret=frozenset({"pin"}))


def after(*events: Any) -> StepState:
    step = begin("0", PLANNED, 0)
    for event in events:
        step = fold(step, event)
    return step


SENT = e.Dispatched(at=1, task_id="t0", task="f.task0", friend="f", queue="q")
STARTED = e.StateSeen(at=2, task_id="t0", state="STARTED", meta={"hostname": "w1"})


def test_a_step_that_timed_out_tells_what_was_known_last_and_claims_no_more() -> None:
    late = e.TimedOut(at=9, task_id="t0", seconds=3)
    queued, running = after(SENT, late), after(SENT, STARTED, late)
    assert queued.cause == "after 3 s; last known: queued (sent to queue q)"
    assert queued.last_known == LastKnown(Status.QUEUED, "sent to queue q", "engine", 1, 8)
    assert running.cause == "after 3 s; last known: running (on w1)"
    assert running.last_known == LastKnown(Status.RUNNING, "on w1", "backend", 2, 7)


def test_the_worker_that_has_a_task_is_known_until_it_is_tried_again() -> None:
    taken = e.StateSeen(at=2, task_id="t0", state="RECEIVED", meta={"hostname": "w1"})
    moved = e.StateSeen(at=3, task_id="t0", state="STARTED", meta={"hostname": "w2"})
    done = e.Succeeded(at=4, task_id="t0", result=1)
    assert [after(SENT, *more).worker for more in ((), (taken,), (taken, moved, done))] == [
        "", "w1", "w2",
    ]  # fmt: skip
    again = StepRetried(
        at=5, run_id="r", path="0", task_id="t1", attempt=2, delay=0, because="lost"
    )
    assert after(SENT, taken, again).worker == ""


def test_a_worker_that_is_quicker_than_the_brokers_word_still_runs_the_task() -> None:
    step = after(STARTED, SENT)
    assert (step.status, step.sent_at) == (Status.RUNNING, 1)


def test_a_start_that_is_reported_again_does_not_hide_the_progress() -> None:
    meta = {"current": 1, "total": 4}
    progress = e.StateSeen(at=3, task_id="t0", state="PROGRESS", meta=meta)
    step = after(SENT, STARTED, progress, STARTED)
    assert (step.status, step.progress, step.started_at) == (Status.PROGRESS, (1, 4), 2)


def test_a_late_end_is_noted_on_a_step_that_timed_out() -> None:
    step = after(
        SENT,
        e.TimedOut(at=9, task_id="t0", seconds=3),
        e.FinishedLate(at=12, task_id="t0", state="SUCCESS", result=7),
    )
    assert (step.status, step.result) == (Status.FINISHED_LATE, 7)


KEPT = ResultKept(at=5, task_id="t0", result=7)


def test_a_kept_result_stands_for_a_success_that_was_never_written_down() -> None:
    step = after(SENT, STARTED, KEPT)
    assert (step.status, step.result, step.ended_at) == (Status.DONE, 7, 5)


def test_a_kept_result_changes_nothing_after_the_success() -> None:
    step = after(SENT, done(4, None))
    assert fold(step, KEPT) is step


def test_a_success_that_an_older_journal_holds_twice_is_one() -> None:
    once = after(SENT, done(4, None))
    assert after(SENT, done(4, None), done(5, None)) == once


def adopted(when: float) -> e.Adopted:
    return e.Adopted(at=when, task_id="t0")


def done(when: float, done_at: float | None) -> e.Succeeded:
    return e.Succeeded(at=when, task_id="t0", result=1, done_at=done_at)


def times(step: StepState) -> tuple[float | None, ...]:
    return step.sent_at, step.began_at, step.ended_at, step.since


def test_an_end_that_nobody_watched_is_reported_with_its_time() -> None:
    assert times(after(SENT, STARTED, adopted(50), done(51, 9.5))) == (1, 2, 9.5, 9.5)
    assert times(after(SENT, adopted(50), done(51, 9.5))) == (1, 1, 9.5, 9.5)


def test_the_times_of_a_step_that_workers_sent_unseen_are_not_made_up() -> None:
    step = after(adopted(50), done(51, 9.5))
    assert times(step) == (None, None, 9.5, 9.5)
    assert step.was_sent


def test_a_step_that_workers_sent_before_our_eyes_has_its_times() -> None:
    started = e.StateSeen(at=51, task_id="t0", state="STARTED")
    assert times(after(adopted(50), started, done(55, 55.1))) == (50, 51, 55, 55)


def test_what_ran_before_it_was_watched_again_has_no_beginning() -> None:
    started = e.StateSeen(at=50.5, task_id="t0", state="STARTED")
    step = after(SENT, adopted(50), started, done(55, 54.9))
    assert (step.started_at, step.began_at, step.ended_at) == (50.5, None, 55)


def test_another_clock_puts_no_end_before_its_beginning_and_none_into_the_future() -> None:
    assert times(after(SENT, STARTED, adopted(50), done(51, 0.5))) == (1, 2, 2, 2)
    assert times(after(SENT, STARTED, adopted(50), done(51, 99.0))) == (1, 2, 51, 51)
    assert times(after(SENT, STARTED, done(51, 9.5))) == (1, 2, 51, 51)
    assert times(after(adopted(50), done(51, -1e10))) == (None, None, 0, 0)


@pytest.mark.parametrize(("detached", "ended"), [(True, 9), (False, 52)])
def test_a_run_that_workers_had_ends_when_its_last_step_did(detached: bool, ended: float) -> None:
    index = RunIndex()
    index.apply(START)
    if detached:
        index.apply(RunDetached(at=0, run_id="r", paths=("0",)))
    for n, task_id in enumerate(IDS):
        index.apply(e.Adopted(at=50, task_id=task_id))
        index.apply(e.Succeeded(at=51, task_id=task_id, result=n, done_at=7 + n))
    index.apply(RunEnded(at=52, run_id="r"))
    assert (index.runs["r"].status, index.runs["r"].ended) == (Status.DONE, ended)


def test_a_task_that_no_worker_knows_is_reported() -> None:
    step = after(SENT, e.Failed(at=2, task_id="t0", error_type="NotRegistered", error_message="x"))
    assert step.cause == "the worker does not know this task"


def test_what_is_sent_is_what_is_shown() -> None:
    sending = e.Sending(
        at=1, task_id="t0", task="f.task0", friend="f", queue="q", args=(9,),
        kwargs={"payload": 3}, secret=frozenset({"token"}),
    )  # fmt: skip
    step = after(sending)
    assert (step.args, step.kwargs) == ((9,), {"payload": 3})
    assert step.secret == {"pin", "token"}


def test_progress_needs_numbers() -> None:
    assert progress_of({"current": 3, "total": 4}) == (3.0, 4.0)
    assert progress_of({"done": 1, "total": 2}) == (1.0, 2.0)
    for meta in (
        None,
        "half",
        {"current": 1},
        {"current": "x", "total": 2},
        {"current": 1, "total": 0},
        {"current": 10**400, "total": 1},
        {"current": 1, "total": 10**400},
    ):
        assert progress_of(meta) is None


def test_the_index_forgets_its_oldest_ended_runs_and_never_a_live_one() -> None:
    index = RunIndex(max_runs=2)
    for n in range(5):
        plan = Node("task", "", task=PlannedTask(f"task-{n}", "f", "x"))
        index.apply(RunStarted(at=n, run_id=f"r{n}", name="run", plan=plan))
        if n != 1:
            index.apply(RunEnded(at=n, run_id=f"r{n}"))
    assert "r1" in index.runs
    assert index.place_of("task-1") is not None
    assert index.place_of("task-0") is None


def ended(error: str, status: str, *events: Any) -> RunIndex:
    index = RunIndex()
    index.apply_all([START, *events, RunEnded(at=9, run_id="r", error=error, status=status)])
    return index


FAILED = e.Failed(at=2, task_id="t0", error_type="ValueError", error_message="no")
REVOKED = e.RemotelyRevoked(at=8, task_id="t1")
SKIPPED = [
    StepSkipped(at=2, run_id="r", path=path, because="its condition can't be told")
    for path in ("0", "1", "2")
]


def test_a_run_ends_as_what_ended_it() -> None:
    status = ended("The run did not end in 1s.", "timed out", FAILED, REVOKED).runs["r"].status
    assert status is Status.TIMED_OUT


def test_a_late_end_of_a_step_does_not_change_how_its_run_ended() -> None:
    late = e.TimedOut(at=5, task_id="t0", seconds=3)
    index = ended("t0 did not finish in 3 s", "timed out", late)
    index.apply(e.FinishedLate(at=20, task_id="t0", state="SUCCESS", result=7))
    assert index.runs["r"].steps["0"].status is Status.FINISHED_LATE
    assert index.runs["r"].status is Status.TIMED_OUT


def test_a_run_of_an_older_journal_ends_as_the_worst_of_its_steps() -> None:
    read = decode("RunEnded", '{"error":"t1 was revoked"}', {"at": 9, "run_id": "r"})
    assert read == RunEnded(at=9, run_id="r", error="t1 was revoked")
    assert ended("t1 was revoked", "", REVOKED).runs["r"].status is Status.REVOKED
    assert ended("t1 was revoked", "of a newer version", REVOKED).runs["r"].status is Status.REVOKED


def test_a_run_of_which_an_error_let_nothing_begin_has_failed() -> None:
    assert ended("env.X: not set", "", *SKIPPED).runs["r"].status is Status.FAILED


def test_a_run_that_was_cancelled_is_revoked_whatever_its_steps_ended_with() -> None:
    cancelled = RunCancelled(at=3, run_id="r")
    run = ended("cancelled", "failed", FAILED, cancelled).runs["r"]
    assert run.status is Status.REVOKED


def test_every_state_says_what_must_have_been_seen_for_it() -> None:
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(Status))).body
    assert isinstance(body, ast.ClassDef)
    documented = [
        one.targets[0].id
        for one, following in pairwise(body.body)
        if isinstance(one, ast.Assign)
        and isinstance(one.targets[0], ast.Name)
        and isinstance(following, ast.Expr)
    ]
    assert documented == [status.name for status in Status]
