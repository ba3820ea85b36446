"""What an observer announces of its sightings, and what it concludes from them."""

from __future__ import annotations

import pytest

from kimera_tui.cluster.endings import MISSING_SECONDS, RESULT_SECONDS, conclusion
from kimera_tui.cluster.facts import (
    Fact,
    Report,
    TaskHeld,
    TaskReported,
    TasksMissing,
    TasksSought,
    WorkerAnswered,
)
from kimera_tui.cluster.in_flight import Flight, InFlight
from kimera_tui.cluster.observer import Observer, is_news
from kimera_tui.cluster.sightings import Sighting, Where
from kimera_tui.cluster.world import World
from kimera_tui.process import events as e
from kimera_tui.process.engine import Receipt
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.outcome import Outcome
from tests.process.redis.console import make_app
from tests.runs.lab import Clock


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


async def concluded(task_id: str, outcome: Outcome) -> None:
    """Nobody waits for these tasks."""


def judging(*facts: Fact, acked: frozenset[str]) -> bool:
    """Whether a task that was revoked at 150 is over, by what an observer knows at 200."""
    app = make_app("redis://nowhere/0")
    observer = Observer(app, Emitter(EventBus(), Clock(200.0)), concluded)
    observer.world.take(facts)
    observer.in_flight.flights["t"] = flight(revoked_at=150.0, acked=acked)
    return observer.is_over("t")


def answered(worker: str, at: float = 199, queues: frozenset[str] | None = None) -> WorkerAnswered:
    return WorkerAnswered(at=at, worker=worker, queues=queues)


SOUGHT = TasksSought(at=190, task_ids=frozenset({"t"}), doubt="it may be in queue q")
SERVES = answered("w", queues=frozenset({"q"}))


@pytest.mark.parametrize(
    ("facts", "acked", "over"),
    [
        ((SERVES, SOUGHT), {"w"}, True),
        ((SERVES, SOUGHT), set(), False),
        ((SERVES, SOUGHT, answered("v", queues=frozenset({"q"}))), {"w"}, False),
        ((SERVES, SOUGHT, answered("v", queues=frozenset({"r"}))), {"w"}, True),
        ((SERVES, SOUGHT, answered("mute")), {"w"}, False),
        ((SERVES, SOUGHT, answered("frozen", 100, frozenset({"q"}))), {"w"}, False),
        ((answered("v", queues=frozenset({"r"})), SOUGHT), {"v"}, False),
        ((SERVES,), {"w"}, False),
        ((SERVES, TaskHeld(at=190, task_id="t", worker="w", phase="reserved")), {"w"}, True),
        ((SERVES, TaskHeld(at=190, task_id="t", worker="w", phase="running")), {"w"}, False),
        ((SERVES, TasksMissing(at=199, task_ids=frozenset({"t"}), since=160)), set(), True),
        ((SERVES, TasksMissing(at=199, task_ids=frozenset({"t"}), since=140)), set(), False),
    ],
)
def test_a_stored_revoked_ends_a_task_only_with_proof(
    facts: tuple[Fact, ...], acked: set[str], over: bool
) -> None:
    assert judging(*facts, acked=frozenset(acked)) is over


def test_a_worker_that_has_been_away_for_a_day_is_forgotten() -> None:
    world = World()
    world.take([answered("old", 100), answered("new", 90_000)])
    world.forget_workers(90_001)
    assert list(world.workers) == ["new"]
