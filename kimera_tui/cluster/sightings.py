"""Where a task is, concluded from the facts about it and about the worker that had it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from kimera_tui.cluster.facts import (
    Phase,
    Source,
    TaskHeld,
    TaskQueued,
    TaskReported,
    TasksMissing,
    TasksNotHeld,
    TasksSought,
    TaskUnacked,
)
from kimera_tui.cluster.worker import Worker, WorkerState

_WITH_WORKER: Mapping[str, Phase] = {"received": "reserved", "started": "running"}
_ENDS = ("succeeded", "failed", "revoked", "rejected")


class Where(StrEnum):
    """Where a task is, each with what must have been seen for it to be told."""

    UNSEEN = "unseen"
    """Nothing was seen of it."""
    QUEUED = "queued"
    """Its message was read in a queue, and nothing newer says otherwise."""
    HELD = "held"
    """A worker reported it, or listed it when asked, and is online."""
    SILENT = "silent"
    """A worker had it that does not answer now."""
    LOST = "lost"
    """A worker had it that is lost."""
    LEFT = "left"
    """The worker that had it stopped, restarted, or no longer has it; its end was not seen."""
    UNACKED = "unacked"
    """A worker took its message and has not acknowledged it, and no worker that answers has it."""
    MISSING = "missing"
    """It is in none of its queues, not unacknowledged, and no worker has it; all were asked."""
    ENDED = "ended"
    """The worker that ran it reported its end."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a task is, and who told that when."""

    where: Where
    at: float = 0.0
    """When that was last confirmed, in seconds since the epoch; 0 for never."""
    source: Source = "event"
    """Who told it."""
    worker: str = ""
    """The worker that has it, or had it last."""
    phase: Phase | None = None
    """How the worker holds it."""
    queue: str = ""
    before: int = 0
    """How many messages are taken first."""
    back_at: float = 0.0
    """From when an unacknowledged message may be delivered again."""
    since: float = 0.0
    """When its worker was last heard, or when it was first missed."""
    report: TaskReported | None = None
    """The event that told its end."""
    earlier: str = ""
    """Another worker that had started it before."""
    restarted: bool = False
    """Whether its worker, or without one its broker, went down and is back, without the task."""
    left_queue: bool = False
    """Whether it is in none of its queues, although no worker was seen to have it."""
    doubt: str = ""
    """Why a search may have missed it; empty if there was none, or it may not."""


UNSEEN = Sighting(Where.UNSEEN)


@dataclass(slots=True)
class SeenTask:
    """What was observed of one task: the latest of each kind, whatever the order of arrival."""

    task_id: str
    seen_at: float = 0.0
    """When something was last observed of it, in seconds since the epoch."""
    reports: dict[str, TaskReported] = field(default_factory=dict)
    """The latest event of each kind."""
    started_by: dict[str, float] = field(default_factory=dict)
    """When each worker was last seen to run it."""
    held: dict[str, TaskHeld] = field(default_factory=dict)
    """The latest answer of each worker that held it."""
    not_held: dict[str, float] = field(default_factory=dict)
    """When each worker last answered that it does not hold it."""
    queued: TaskQueued | None = None
    unacked: TaskUnacked | None = None
    missing: TasksMissing | None = None
    sought: TasksSought | None = None

    def was_with(self, worker: str) -> bool:
        """Whether a worker was the last that was seen to have it, and no end was seen since."""
        newest, end = self._newest, self._end
        return (
            isinstance(newest, TaskReported | TaskHeld)
            and newest.worker == worker
            and (end is None or end.at < newest.at)
        )

    def take(self, fact: TaskFact) -> None:
        """Note a fact about this task, unless a newer one of its kind is known."""
        self.seen_at = max(self.seen_at, fact.at)
        match fact:
            case TaskReported():
                self.reports[fact.report] = _later(self.reports.get(fact.report), fact)
                if fact.report == "started":
                    self._started(fact.worker, fact.at)
            case TaskHeld():
                self.held[fact.worker] = _later(self.held.get(fact.worker), fact)
                if fact.phase == "running":
                    self._started(fact.worker, fact.at)
            case TasksNotHeld():
                at = self.not_held.get(fact.worker, 0.0)
                self.not_held[fact.worker] = max(at, fact.at)
            case TaskQueued():
                self.queued = _later(self.queued, fact)
            case TaskUnacked():
                self.unacked = _later(self.unacked, fact)
            case TasksMissing():
                self.missing = _later(self.missing, fact)
            case TasksSought():
                self.sought = _later(self.sought, fact)

    def sighting(self, workers: Mapping[str, Worker], now: float) -> Sighting:
        """Where it is at a moment, judged from what is known of the workers, too."""
        end = self._end
        newest = self._newest
        if end is not None and (newest is None or end.at >= newest.at) and not self._dropped(end):
            return Sighting(
                Where.ENDED, end.at, "event", worker=end.worker, since=end.at, report=end
            )
        if self.missing is not None and (newest is None or self.missing.since > newest.at):
            return self._missing(self.missing, workers, now)
        match newest:
            case None:
                return self._unseen()
            case TaskQueued() if self._has_left_queue(newest.at):
                return self._unseen(newest.queue)
            case TaskQueued():
                return Sighting(
                    Where.QUEUED,
                    newest.at,
                    "queue",
                    worker=self._last_worker,
                    queue=newest.queue,
                    before=newest.before,
                )
            case TaskUnacked():
                return Sighting(
                    Where.UNACKED,
                    newest.at,
                    "queue",
                    worker=self._last_worker,
                    back_at=newest.back_at,
                    doubt=newest.doubt,
                )
        return self._with_worker(newest, workers.get(newest.worker), now)

    def _dropped(self, end: TaskReported) -> bool:
        """Whether it was rejected, which may put it back into its queue, and was missed since."""
        missing = self.missing
        return end.report == "rejected" and missing is not None and missing.since > end.at

    def _has_left_queue(self, seen_at: float) -> bool:
        """Whether it was in none of its queues since it was last seen in one."""
        return self.sought is not None and self.sought.left_queue and self.sought.at > seen_at

    def _unseen(self, queue: str = "") -> Sighting:
        sought = self.sought
        if sought is None:
            return UNSEEN
        return Sighting(
            Where.UNSEEN,
            sought.at,
            "inspect",
            queue=queue,
            left_queue=sought.left_queue,
            doubt=sought.doubt,
        )

    def _with_worker(
        self, newest: TaskReported | TaskHeld, worker: Worker | None, now: float
    ) -> Sighting:
        """Where it is if a worker was the last to have it."""
        asked = isinstance(newest, TaskHeld)
        state = WorkerState.ONLINE if worker is None else worker.state(now)
        where, since = Where.HELD, newest.at
        if self.not_held.get(newest.worker, 0.0) > newest.at:
            where, since = Where.LEFT, self.not_held[newest.worker]
        elif worker is not None and worker.restarted_at > newest.at:
            where, since = Where.LEFT, worker.restarted_at
        elif worker is not None and state is WorkerState.STOPPED and worker.left_at > newest.at:
            where, since = Where.LEFT, worker.left_at
        elif worker is not None and state is WorkerState.LOST:
            where, since = Where.LOST, worker.last_word
        elif worker is not None and state is WorkerState.SILENT:
            where, since = Where.SILENT, worker.last_word
        others = {name: at for name, at in self.started_by.items() if name != newest.worker}
        return Sighting(
            where,
            newest.at,
            "inspect" if asked else "event",
            worker=newest.worker,
            phase=_phase_of(newest),
            since=since,
            earlier=max(others, key=others.__getitem__, default=""),
        )

    def leaving(self, workers: Mapping[str, Worker], now: float) -> str:
        """The worker that had it last, if that goes offline: it ends first what it runs.

        From then on it answers and reports nothing. Empty if it is another, or back already.
        """
        last = self._last_holder
        worker = None if last is None else workers.get(last.worker)
        if last is None or worker is None or worker.state(now) is not WorkerState.STOPPED:
            return ""
        dropped = self.not_held.get(last.worker, 0.0) > last.at
        return worker.name if not dropped and worker.left_at > last.at else ""

    def _missing(
        self, missing: TasksMissing, workers: Mapping[str, Worker], now: float
    ) -> Sighting:
        """Where it is if it was not found: lost, if the worker that had it died."""
        last = self._last_holder
        worker = None if last is None else workers.get(last.worker)
        if last is None or worker is None:
            return Sighting(Where.MISSING, missing.at, "inspect", since=missing.since)
        lost = worker.state(now) is WorkerState.LOST
        # A worker that says that it goes offline ends its tasks first.
        killed = worker.restarted_at > last.at and not worker.left_at > last.at
        return Sighting(
            Where.LOST if lost or killed else Where.MISSING,
            missing.at,
            "inspect",
            worker=last.worker,
            phase=_phase_of(last),
            since=worker.last_word if lost else missing.since,
            restarted=killed and not lost,
        )

    @property
    def _end(self) -> TaskReported | None:
        ends = [self.reports[kind] for kind in _ENDS if kind in self.reports]
        return max(ends, key=_by_time, default=None)

    @property
    def _newest(self) -> TaskReported | TaskHeld | TaskQueued | TaskUnacked | None:
        """The newest fact that says where it is."""
        facts: list[TaskReported | TaskHeld | TaskQueued | TaskUnacked] = [*self.held.values()]
        facts += [self.reports[kind] for kind in _WITH_WORKER if kind in self.reports]
        facts += [fact for fact in (self.queued, self.unacked) if fact is not None]
        return max(facts, key=_by_time, default=None)

    @property
    def had_at(self) -> float:
        """When a worker was last seen to have it, in seconds since the epoch; 0 for never."""
        return 0.0 if self._last_holder is None else self._last_holder.at

    @property
    def _last_worker(self) -> str:
        """The worker that had it last; empty if none was seen."""
        return "" if self._last_holder is None else self._last_holder.worker

    @property
    def _last_holder(self) -> TaskReported | TaskHeld | None:
        """The newest fact that a worker had it."""
        facts: list[TaskReported | TaskHeld] = [*self.held.values()]
        facts += [self.reports[kind] for kind in _WITH_WORKER if kind in self.reports]
        return max(facts, key=_by_time, default=None)

    def _started(self, worker: str, at: float) -> None:
        self.started_by[worker] = max(self.started_by.get(worker, 0.0), at)


TaskFact = (
    TaskReported | TaskHeld | TasksNotHeld | TaskQueued | TaskUnacked | TasksMissing | TasksSought
)
T = TypeVar("T", bound=TaskFact)


def _phase_of(fact: TaskReported | TaskHeld) -> Phase:
    return fact.phase if isinstance(fact, TaskHeld) else _WITH_WORKER[fact.report]


def _later(known: T | None, fact: T) -> T:
    return fact if known is None or fact.at >= known.at else known


def _by_time(fact: TaskFact) -> float:
    return fact.at
