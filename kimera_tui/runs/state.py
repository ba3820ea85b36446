"""The state of a step as a pure fold: ``fold(state, event)`` says what is true after the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kimera_tui.process import events as e
from kimera_tui.runs.events import (
    ResultKept,
    StepDecided,
    StepHandedOver,
    StepHeld,
    StepRetried,
    StepReused,
    StepSkipped,
)
from kimera_tui.runs.plan import PlannedTask
from kimera_tui.runs.reasons import asked_to_go, failure, timed_out, told
from kimera_tui.runs.sightings import LastKnown, progress_of, worker_of
from kimera_tui.runs.status import Status

RUNS = (Status.RUNNING, Status.PROGRESS)
"""A worker was seen to run it."""
_BEGUN = (Status.RUNNING, Status.PROGRESS, Status.RETRYING)
"""A worker has it."""


@dataclass(frozen=True, slots=True)
class StepState:
    """What is known of one step."""

    path: str
    task_id: str
    friend: str
    task_name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    timeout: float | None
    secret: frozenset[str]
    """Names in ``kwargs`` whose values are never shown or written down."""
    since: float
    """When it came into its status, in seconds since the epoch."""
    status: Status = Status.WAITING
    cause: str = ""
    """Why it is where it is, for people."""
    source: str = "engine"
    """Who said so: ``engine``, ``backend``, ``event``, ``inspect``, ``journal``, ``operator``."""
    planned_at: float = 0.0
    """When its run began."""
    sent_at: float | None = None
    """When the broker got it; None if it didn't, or if nobody saw a worker send it."""
    adopted_at: float | None = None
    """When it was last watched again: what came before may have been seen by nobody."""
    started_at: float | None = None
    """When a worker was first seen to run it; None for tasks that don't tell."""
    ended_at: float | None = None
    polls: int = 0
    next_poll: float = 0.0
    progress: tuple[float, float] | None = None
    result: Any = None
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    queue: str = ""
    """Where it was sent to; its friend may have another queue by now."""
    worker: str = ""
    """The worker that was last seen to have it; empty if none was."""
    last_known: LastKnown | None = None
    """Of a step that timed out."""
    released: bool = False
    attempt: int = 1
    """Which try this is."""
    next_try: float | None = None
    """When the next try is sent, in seconds since the epoch."""
    id: str = ""
    """What the step is called in its document."""

    @property
    def name(self) -> str:
        """What to call the step."""
        return f"{self.friend}.{self.task_name}"

    @property
    def was_sent(self) -> bool:
        """Whether the broker got it, from here or from a worker."""
        return self.sent_at is not None or self.adopted_at is not None

    @property
    def began_at(self) -> float | None:
        """When a worker was seen to begin, or else when it was sent; None if nobody saw that."""
        began, adopted = self.started_at, self.adopted_at
        if began is None or adopted is None or began < adopted or self.sent_at == adopted:
            return began or self.sent_at
        return None


StepEvent = (
    e.TaskEvent | StepSkipped | StepReused | StepHeld | StepRetried | StepDecided | StepHandedOver
)
"""What a step's state is folded from."""


def begin(path: str, task: PlannedTask, at: float, step_id: str = "") -> StepState:
    """The state of a planned step of which nothing has happened yet."""
    return StepState(
        id=step_id,
        path=path,
        task_id=task.task_id,
        friend=task.friend,
        task_name=task.task_name,
        args=task.args,
        kwargs=task.kwargs,
        timeout=task.timeout,
        secret=task.secret,
        since=at,
        planned_at=at,
    )


def fold(step: StepState, event: StepEvent) -> StepState:
    """The step after the event.

    Terminal states are final, except that a late end is still noted, that a step may be tried
    again, and that its operator may decide what became of an uncertain one.
    """
    match event:
        case StepRetried():
            return _retried(step, event)
        case StepDecided():
            return _decided(step, event) if step.status is Status.UNCERTAIN else step
        case StepHandedOver():
            return step if step.status.ended else _handed_over(step, event)
        case e.Polled():
            return replace(step, polls=event.attempt, next_poll=event.next_delay)
        case e.Forgotten():
            return replace(step, released=True)
        case e.RevokeSent() if event.asked:
            return step if step.status.ended else replace(step, cause=asked_to_go(event))
        case e.FinishedLate() if step.status is Status.TIMED_OUT:
            return _finished_late(step, event)
        case e.CallbackFailed():
            return replace(step, cause=told(f"its callback failed: {event.error}"))
    return step if step.status.ended else _moved(step, event)


def _sending(step: StepState, event: e.Sending) -> StepState:
    step = replace(
        step,
        args=event.args,
        kwargs=event.kwargs,
        secret=step.secret | event.secret,
        queue=event.queue,
    )
    return _now(step, Status.SENDING, event, f"to queue {event.queue}")


def _moved(step: StepState, event: StepEvent) -> StepState:
    match event:
        case e.Sending():
            return _sending(step, event)
        case e.Dispatched():
            step = replace(step, sent_at=event.at, queue=event.queue)
            if step.status in (*_BEGUN, Status.RESERVED):  # a quick worker: heard of before
                return step
            return _now(step, Status.QUEUED, event, f"sent to queue {event.queue}")
        case e.Noticed():
            return replace(step, cause=told(event.text))
        case e.Resent():
            return replace(step, cause="published again after a lost reply; queued once")
        case e.Adopted():
            return _adopted(step, event)
        case e.Refused():
            status = Status.UNCERTAIN if event.uncertain else Status.FAILED
            error_type = "Uncertain" if event.uncertain else "NotSent"
            step = replace(step, error_type=error_type, error_message=event.reason)
            return _now(step, status, event, event.reason)
        case e.StateSeen():
            return _state_seen(step, event)
        case e.Succeeded():
            step = replace(step, result=event.result)
            return _ended(step, Status.DONE, event, "")
        case ResultKept():  # of a success that was never written down
            return _now(replace(step, result=event.result), Status.DONE, event, "", "backend")
        case e.Failed():
            step = replace(
                step,
                error_type=event.error_type,
                error_message=event.error_message,
                traceback=event.traceback,
            )
            return _ended(step, Status.FAILED, event, failure(step.error_type, step.error_message))
        case e.RemotelyRevoked():
            return _ended(step, Status.REVOKED, event, event.reason or "revoked")
        case e.TimedOut():
            return _timed_out(step, event)
        case e.WatchStopped():
            return _now(step, Status.INTERRUPTED, event, "nobody waits for it any more")
        case StepSkipped():
            status = Status.UNREACHABLE if event.unreachable else Status.SKIPPED
            status = Status.NOT_NEEDED if event.not_needed else status
            return _now(step, status, event, event.because)
        case StepReused():
            step = replace(step, result=event.result)
            return _now(step, Status.DONE, event, f"reused from run {event.from_run}", "journal")
        case StepHeld():
            return _now(step, Status.INTERRUPTED, event, event.because)
    return step


def _timed_out(step: StepState, event: e.TimedOut) -> StepState:
    age = max(0.0, event.at - step.since)
    known = LastKnown(step.status, step.cause, step.source, step.since, age)
    cause = timed_out(event.seconds, step.status, step.cause)
    return _now(replace(step, last_known=known), Status.TIMED_OUT, event, cause)


def _retried(step: StepState, event: StepRetried) -> StepState:
    """A new try is a new task: of the one before only its reason is kept."""
    step = replace(
        step,
        task_id=event.task_id,
        attempt=event.attempt,
        next_try=event.at + event.delay,
        sent_at=None,
        adopted_at=None,
        started_at=None,
        polls=0,
        next_poll=0.0,
        progress=None,
        error_type="",
        error_message="",
        traceback="",
        released=False,
        worker="",
        last_known=None,
    )
    return _now(step, Status.RETRYING, event, f"try {event.attempt}: {event.because}")


def _decided(step: StepState, event: StepDecided) -> StepState:
    match event.what:
        case "done":
            step = replace(step, result=event.result, error_type="", error_message="")
            return _now(step, Status.DONE, event, f"decided by {event.by}", "operator")
        case "fail":
            return _now(step, Status.FAILED, event, f"decided by {event.by}", "operator")
        case "wait":
            return _now(step, Status.QUEUED, event, "still waited for, as decided", "operator")
    return _now(step, Status.WAITING, event, f"to be sent again, decided by {event.by}", "operator")


def _adopted(step: StepState, event: e.Adopted) -> StepState:
    # One that workers send goes out when the step before it has ended, which was seen just now.
    sent_at = step.sent_at or (event.at if step.status is Status.WAITING else step.since)
    step = replace(step, sent_at=sent_at, adopted_at=event.at)
    if step.status in (Status.RUNNING, Status.PROGRESS, Status.RETRYING):
        return step
    cause = "sent before the console was restarted; watched again"
    return _now(step, Status.QUEUED, event, cause)


def _handed_over(step: StepState, event: StepHandedOver) -> StepState:
    step = replace(step, args=event.args, kwargs=event.kwargs, secret=step.secret | event.secret)
    return replace(step, cause="sent by the workers") if step.status is Status.QUEUED else step


def _now(
    step: StepState, status: Status, event: e.Event, cause: str, source: str = "engine"
) -> StepState:
    ended_at = event.at if status.ended else None
    return replace(
        step, status=status, since=event.at, cause=told(cause), source=source, ended_at=ended_at
    )


def _ended(
    step: StepState, status: Status, event: e.Succeeded | e.Failed | e.RemotelyRevoked, cause: str
) -> StepState:
    """The step with its end, which may have come before it was watched again."""
    step = _now(step, status, event, cause, "backend")
    done_at, adopted = event.done_at, step.adopted_at
    if done_at is None or adopted is None or done_at >= adopted:
        return step
    sent_at, started_at = (
        None if at is None or at >= adopted else at for at in (step.sent_at, step.started_at)
    )
    # The worker's clock may be another one: it doesn't put an end before its beginning.
    done_at = max(done_at, step.planned_at, sent_at or 0.0, started_at or 0.0)
    return replace(step, sent_at=sent_at, started_at=started_at, since=done_at, ended_at=done_at)


def _state_seen(step: StepState, event: e.StateSeen) -> StepState:
    worker = worker_of(event.meta)
    if event.state == "RECEIVED" and step.status not in (Status.SENDING, Status.QUEUED):
        return step  # more is known already
    step = replace(step, worker=worker or step.worker)
    match event.state:
        case "RECEIVED":
            return _now(step, Status.RESERVED, event, f"taken by {worker}", event.source)
        case "STARTED":
            step = replace(step, started_at=step.started_at or event.at)
            if step.status in RUNS:  # told twice; more is known
                return step
            return _now(step, Status.RUNNING, event, f"on {worker}" if worker else "", event.source)
        case "RETRY":
            return _now(step, Status.RETRYING, event, "will be tried again", event.source)
    step = replace(step, progress=progress_of(event.meta), started_at=step.started_at or event.at)
    cause = "" if event.state == "PROGRESS" else event.state
    return _now(step, Status.PROGRESS, event, cause, event.source)


def interrupted(step: StepState, at: float) -> StepState:
    """The step when its run stops: what had not ended is interrupted."""
    if step.status.ended:
        return step
    return replace(
        step, status=Status.INTERRUPTED, since=at, ended_at=at, cause="the run was stopped"
    )


def revived(step: StepState, at: float) -> StepState:
    """The step when its run goes on: what was interrupted waits again."""
    if step.status is not Status.INTERRUPTED:
        return step
    sent = step.sent_at is not None
    return replace(
        step,
        status=Status.QUEUED if sent else Status.WAITING,
        since=at,
        ended_at=None,
        cause="watched again" if sent else "",
    )


def _finished_late(step: StepState, event: e.FinishedLate) -> StepState:
    cause = event.error or f"ended with {event.state} after its timeout"
    step = replace(step, result=event.result, error_message=event.error)
    return _now(step, Status.FINISHED_LATE, event, cause, "backend")
