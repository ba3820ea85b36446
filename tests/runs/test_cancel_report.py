"""A cancelled run says how far it is, and at its end what could not be stopped and why."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.process import events as e
from kimera_tui.process.engine import Receipt
from kimera_tui.runs.cancel_report import RUNNING_GOES_ON, cancel_report
from kimera_tui.runs.event_text import narrate
from kimera_tui.runs.events import RunCancelled, RunEnded, RunStarted, StopReported
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.runs.journal.event_codec import decode, encode
from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.runs.status import Status

W1 = Receipt("w1@h", "ok", ok=True)


def para_of(count: int) -> RunStarted:
    tasks = [
        Node("task", str(n), task=PlannedTask(f"t{n}", "lab", "step"), id=f"s{n}")
        for n in range(count)
    ]
    return RunStarted(at=1.0, run_id="r", name="x", plan=Node("para", "", tuple(tasks)))


def sent(n: int) -> e.Dispatched:
    return e.Dispatched(at=2.0, task_id=f"t{n}", task="lab.step", friend="lab", queue="q")


def cancelled(*ns: int) -> RunCancelled:
    return RunCancelled(at=3.0, run_id="r", revoked=tuple(f"t{n}" for n in ns))


def taken_out(n: int) -> e.TakenOut:
    return e.TakenOut(at=4.0, task_id=f"t{n}", queue="q")


def asked(n: int, *receipts: Receipt, terminate: bool = False) -> e.RevokeSent:
    return e.RevokeSent(at=4.0, task_id=f"t{n}", receipts=receipts, terminate=terminate, asked=True)


def seen(n: int, state: str, worker: str) -> e.StateSeen:
    return e.StateSeen(at=2.5, task_id=f"t{n}", state=state, meta={"hostname": worker})


def stopped(n: int) -> e.WatchStopped:
    return e.WatchStopped(at=7.0, task_id=f"t{n}")


def reported(*why_not: str) -> StopReported:
    return StopReported(at=4.0, run_id="r", tasks=3, taken_out=1, workers=("w1@h",),
                        why_not=why_not)  # fmt: skip


def folded(*events: object, count: int = 4) -> RunState:
    book = RunIndex()
    book.apply_all([para_of(count), *events])
    return book.runs["r"]


END = RunEnded(at=8.0, run_id="r", error="The run was cancelled.", status="revoked")


def test_a_run_counts_what_has_ended_of_what_was_in_flight() -> None:
    events = [sent(0), sent(1), sent(2)]
    assert folded(*events).cancelling is None
    run = folded(*events, cancelled(0, 1, 2, 3))
    assert run.cancelling == (0, 3)
    assert folded(*events, cancelled(0, 1, 2), taken_out(1)).cancelling == (1, 3)
    assert folded(*events, cancelled(0, 1, 2), taken_out(1), END).cancelling is None


@given(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5), min_size=1), st.data())
def test_the_count_is_a_fold_however_often_it_is_cancelled(
    first: list[int], second: list[int], data: st.DataObject
) -> None:
    ends = data.draw(st.lists(st.integers(0, 5), unique=True))
    run = folded(
        *map(sent, range(6)), cancelled(*first), cancelled(*second), *map(taken_out, ends), count=6
    )
    asked_for = {*first, *second}
    assert run.cancelling == (len(asked_for & {*ends}), len(asked_for))


def test_what_was_taken_out_never_ran() -> None:
    run = folded(*map(sent, range(3)), cancelled(0, 1, 2), *map(taken_out, range(3)), END)
    assert {step.cause for step in run.steps.values() if step.was_sent} == {
        "taken out of queue q: it will never run"
    }
    report = cancel_report(run)
    assert report.text == (
        "Cancelled: 3 were taken out of their queues and never ran, 1 never sent."
    )


def test_a_worker_that_was_quicker_to_say_so_changes_nothing() -> None:
    revoked = e.RemotelyRevoked(at=4.0, task_id="t0", reason="TaskRevokedError: revoked")
    step = folded(sent(0), cancelled(0), revoked, taken_out(0), END).steps["0"]
    assert (step.status, step.taken_out) == (Status.REVOKED, True)
    assert step.cause == "taken out of queue q: it will never run"


def test_what_timed_out_and_was_taken_out_has_timed_out() -> None:
    late = e.TimedOut(at=3.0, task_id="t0", seconds=1)
    step = folded(sent(0), late, taken_out(0)).steps["0"]
    assert (step.status, step.taken_out) == (Status.TIMED_OUT, True)
    assert step.cause.endswith("taken out of queue q: it will never run")


def text_of(*events: object, why_not: Sequence[str] = ()) -> str:
    return cancel_report(
        folded(sent(0), *events, cancelled(0), reported(*why_not), stopped(0), END, count=1)
    ).text


def test_the_end_says_what_could_not_be_stopped_and_why() -> None:
    assert text_of(seen(0, "STARTED", "w1@h"), asked(0, W1)) == (
        f"Cancelled: 1 runs on w1@h ({RUNNING_GOES_ON}). Acknowledged by w1@h."
    )
    assert "1 runs on w1@h (no worker could terminate it; its end was not seen)" in text_of(
        seen(0, "STARTED", "w1@h"), asked(0, terminate=True)
    )
    assert "1 is held by w1@h (which will drop it)" in text_of(
        seen(0, "RECEIVED", "w1@h"), asked(0, W1)
    )
    assert "1 is held by w2@h (which did not answer)" in text_of(
        seen(0, "RECEIVED", "w2@h"), asked(0, W1)
    )
    assert "1 may still run (no longer in its queue; no worker acknowledged it)" in text_of(
        asked(0)
    )
    assert "(this broker cannot; its revoke was acknowledged by w1@h)" in text_of(
        asked(0, W1), why_not=["This broker cannot."]
    )


def test_what_is_left_is_counted_by_worker() -> None:
    events = [sent(n) for n in range(4)]
    events += [seen(n, "STARTED", "w1@h") for n in (0, 1)]  # type: ignore[misc]
    run = folded(*events, cancelled(0, 1, 2, 3), taken_out(2), stopped(0), stopped(1), stopped(3),
                 END)  # fmt: skip
    report = cancel_report(run)
    assert f"1 was taken out of its queue and never ran, 2 run on w1@h ({RUNNING_GOES_ON})" in (
        report.text
    )
    assert [left.step.task_id for left in report.left] == ["t0", "t1", "t3"]


def test_what_stopping_brought_is_kept_and_told() -> None:
    event = reported("This broker cannot.")
    row = encode(event, Packer())
    assert decode("StopReported", row, {"at": 4.0, "run_id": "r", "path": None}) == event
    words = narrate(event)
    assert words is not None
    assert words[2] == (
        "1 of 3 taken out of their queues; revoke of the others acknowledged by w1@h."
        " This broker cannot"
    )
