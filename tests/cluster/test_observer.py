"""What an observer announces of its sightings, and what it concludes from them."""

from __future__ import annotations

import pytest

from kimera_tui.cluster.endings import MISSING_SECONDS, RESULT_SECONDS, conclusion
from kimera_tui.cluster.facts import Report, TaskReported
from kimera_tui.cluster.in_flight import Flight, InFlight
from kimera_tui.cluster.observer import is_news
from kimera_tui.cluster.sightings import Sighting, Where
from kimera_tui.process import events as e
from kimera_tui.process.engine import Receipt


def flight(**rest: object) -> Flight:
    made = Flight("t", "lab", "q", "lab.add", sent_at=100, look_at=102)
    for name, value in rest.items():
        setattr(made, name, value)
    return made


def queued(before: int, doubt: str = "") -> Sighting:
    return Sighting(Where.QUEUED, 101, "queue", queue="q", before=before, doubt=doubt)


HELD = Sighting(Where.HELD, 101, "inspect", worker="w", phase="running")


@pytest.mark.parametrize(
    ("known", "sighting", "news"),
    [
        (flight(), queued(9), True),
        (flight(believed=(Where.QUEUED, "", ""), before=9), queued(8), False),
        (flight(believed=(Where.QUEUED, "", ""), before=9), queued(4), True),
        (flight(believed=(Where.QUEUED, "", ""), before=9), queued(9, "nobody"), True),
        (flight(believed=(Where.QUEUED, "", ""), before=9, doubt="nobody"), queued(9), True),
        (flight(believed=(Where.HELD, "w", "running")), HELD, False),
        (flight(believed=(Where.HELD, "w", "reserved")), HELD, True),
        (flight(believed=(Where.HELD, "v", "running")), HELD, True),
        (flight(), Sighting(Where.UNSEEN), False),
        (flight(), Sighting(Where.UNSEEN, doubt="w is silent"), True),
        (flight(believed=(Where.HELD, "w", "running")), Sighting(Where.LEFT, worker="w"), False),
    ],
)
def test_only_what_differs_from_what_was_announced_is_news(
    known: Flight, sighting: Sighting, news: bool
) -> None:
    assert is_news(known, sighting) is news


def ended(report: Report, at: float = 200, detail: str = "") -> Sighting:
    event = TaskReported(at=at, task_id="t", report=report, worker="w", detail=detail)
    return Sighting(Where.ENDED, at, "event", worker="w", report=event)


@pytest.mark.parametrize(
    ("sighting", "state", "kind", "message"),
    [
        (ended("succeeded"), "ENDED", "", "its worker reported success"),
        (ended("failed", detail="ValueError('no')"), "FAILURE", "ValueError", "'no'"),
        (ended("failed", detail="odd"), "FAILURE", "Exception", "odd"),
        (ended("revoked", detail="expired"), "REVOKED", "", "expired"),
    ],
)
def test_a_worker_that_reports_an_end_is_believed_once_no_result_came(
    sighting: Sighting, state: str, kind: str, message: str
) -> None:
    outcome, again = conclusion(sighting, flight(), 200 + RESULT_SECONDS / 2)
    assert (outcome, again) == (None, True)
    outcome, again = conclusion(sighting, flight(), 200 + RESULT_SECONDS)
    assert outcome is not None
    assert (outcome.state, outcome.error_type, again) == (state, kind, False)
    assert outcome.error_message.startswith(message)


def test_a_missing_task_has_ended_after_a_while() -> None:
    missing = Sighting(Where.MISSING, 201, "inspect", since=200)
    assert conclusion(missing, flight(), 200 + MISSING_SECONDS / 2) == (None, True)
    outcome, _ = conclusion(missing, flight(), 200 + MISSING_SECONDS)
    assert outcome is not None
    assert outcome.state == "ENDED"


def test_a_missing_task_that_was_revoked_before_it_was_missed_is_revoked_at_once() -> None:
    missing = Sighting(Where.MISSING, 201, "inspect", since=200)
    outcome, _ = conclusion(missing, flight(revoked_at=199), 201)
    assert outcome is not None
    assert outcome.state == "REVOKED"
    outcome, again = conclusion(missing, flight(revoked_at=200.5), 201)  # it may be dropped since
    assert (outcome, again) == (None, True)


@pytest.mark.parametrize("where", [Where.LOST, Where.SILENT, Where.UNACKED, Where.HELD])
def test_what_is_lost_has_not_ended(where: Where) -> None:
    assert conclusion(Sighting(where, 200, worker="w"), flight(), 9999) == (None, False)


SENDING = e.Sending(at=1, task_id="t", task="lab.add", friend="lab", queue="q", args=(), kwargs={})


@pytest.mark.parametrize(
    "end",
    [
        e.Succeeded(at=2, task_id="t", result=1),
        e.Failed(at=2, task_id="t", error_type="E", error_message=""),
        e.RemotelyRevoked(at=2, task_id="t"),
        e.EndedUnknown(at=2, task_id="t", reason="a pickle"),
        e.Refused(at=2, task_id="t", reason="no"),
        e.WatchStopped(at=2, task_id="t"),
        e.FinishedLate(at=2, task_id="t", state="SUCCESS"),
    ],
)
def test_a_task_is_in_flight_until_it_ends(end: e.TaskEvent) -> None:
    tasks = InFlight()
    begun = tasks.take(SENDING)
    assert begun is tasks.flights["t"]
    tasks.take(e.TimedOut(at=1, task_id="t", seconds=1))
    assert tasks.flights["t"].late
    tasks.take(end)
    assert tasks.flights == {}
    assert list(tasks.ended) == ["t"]


def test_a_revoke_that_is_stored_or_answered_has_the_task_looked_for_at_once() -> None:
    tasks = InFlight()
    tasks.take(SENDING)
    tasks.take(e.StateSeen(at=5, task_id="t", state="REVOKED"))
    known = tasks.flights["t"]
    assert (known.revoked_at, known.look_at) == (5, 3)  # which is due already
    known.look_at = 60
    receipts = (Receipt("w", "ok", ok=True), Receipt("v", "no", ok=False))
    tasks.take(e.RevokeSent(at=6, task_id="t", receipts=receipts, asked=True))
    assert (known.acked, known.look_at, known.retell) == (frozenset({"w"}), 6, True)
