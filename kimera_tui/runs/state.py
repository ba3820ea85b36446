"""The state of a step as a pure fold: ``fold(step, event)`` returns the step after the event."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kimera_tui.process import events as e
from kimera_tui.process.outcome import ENDED
from kimera_tui.redaction import redact_text
from kimera_tui.runs.events import (
    ResultKept,
    StepDecided,
    StepHandedOver,
    StepHeld,
    StepRetried,
    StepReused,
    StepSkipped,
)
from kimera_tui.runs.observed import observation
from kimera_tui.runs.plan import PlannedTask
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import LastKnown, StepState

RUNS = (Status.RUNNING, Status.PROGRESS)
"""A worker was seen to run the task."""
_STARTED = (Status.RUNNING, Status.PROGRESS, Status.RETRYING)
"""A worker was seen to have started the task."""
_LONGEST_CAUSE = 10_000
"""Characters; no screen shows as many."""


StepEvent = (
    e.TaskEvent | StepSkipped | StepReused | StepHeld | StepRetried | StepDecided | StepHandedOver
)
"""The events that a step's state is folded from."""


def begin(path: str, task: PlannedTask, at: float, step_id: str = "") -> StepState:
    """The initial state of a planned step."""
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

    Ended states are final, with three exceptions: a timed-out step may still finish late, a step
    may be retried, and an operator may decide what became of an uncertain one.
    """
    match event:
        case StepRetried():
            return _retried(step, event)
        case StepDecided():
            return _decided(step, event) if step.status is Status.UNCERTAIN else step
        case StepHandedOver():
            return step if step.status.ended else _handed_over(step, event)
        case e.Polled():
            return replace(step, polls=event.attempt)
        case e.Spawned():
            return replace(step, children=event.children, children_total=event.total)
        case e.Forgotten():
            return replace(step, released=True)
        case e.RevokeSent() if event.asked:
            return step if step.status.ended else _revoke_asked(step, event)
        case e.TakenOut():
            return _taken_out(step, event)
        case e.Refused() if event.uncertain and step.status is Status.TIMED_OUT:
            return _fold_open(step, event)  # a second attempt might double it
        case e.FinishedLate() if step.status is Status.TIMED_OUT:
            return _finished_late(step, event)
        case e.Observed() if step.status is Status.TIMED_OUT:
            return _observed_late(step, event)
        case e.CallbackFailed():
            return replace(step, cause=_redacted(f"its callback failed: {event.error}"))
    return step if step.status.ended else _fold_open(step, event)


def _sending(step: StepState, event: e.Sending) -> StepState:
    step = replace(
        step,
        args=event.args,
        kwargs=event.kwargs,
        secret=step.secret | event.secret,
        queue=event.queue,
    )
    return _enter(step, Status.SENDING, event, f"to queue {event.queue}")


def _fold_open(step: StepState, event: StepEvent) -> StepState:
    """The step after the event, if it had not ended before."""
    match event:
        case e.Sending():
            return _sending(step, event)
        case e.Dispatched():
            step = replace(step, sent_at=event.at, queue=event.queue)
            if step.status in (*_STARTED, Status.RESERVED):  # the worker's report came first
                return step
            return _enter(step, Status.QUEUED, event, f"sent to queue {event.queue}")
        case e.Noticed():
            return replace(step, cause=_redacted(event.text))
        case e.Resent():
            return replace(step, cause="published again after a lost reply, queued only once")
        case e.Adopted():
            return _adopted(step, event)
        case e.Refused():
            return _refused(step, event)
        case e.StateSeen():
            return _state_seen(step, event)
        case e.Observed():
            return _observed(step, event)
        case e.Succeeded():
            step = replace(step, result=event.result)
            return _ended(step, Status.DONE, event, "")
        case ResultKept():  # its success was never written
            return _enter(replace(step, result=event.result), Status.DONE, event, "", "backend")
        case e.Failed():
            step = replace(
                step,
                error_type=event.error_type,
                error_message=event.error_message,
                traceback=event.traceback,
            )
            return _ended(step, Status.FAILED, event, _failure_cause(event))
        case e.RemotelyRevoked():
            return _ended(step, Status.REVOKED, event, event.reason or "revoked")
        case e.EndedUnknown():
            return _ended(step, Status.RESULT_UNKNOWN, event, event.reason, event.source)
        case e.TimedOut():
            return _timed_out(step, event)
        case e.WatchStopped():
            return _enter(step, Status.INTERRUPTED, event, "its console stopped waiting for it")
        case StepSkipped():
            return _skipped(step, event)
        case StepReused():
            step = replace(step, result=event.result)
            return _enter(step, Status.DONE, event, f"reused from run {event.from_run}", "journal")
        case StepHeld():
            return _enter(step, Status.INTERRUPTED, event, event.because)
    return step


def _skipped(step: StepState, event: StepSkipped) -> StepState:
    status = Status.UNREACHABLE if event.unreachable else Status.SKIPPED
    status = Status.NOT_NEEDED if event.not_needed else status
    return _enter(step, status, event, event.because)


def _observed(step: StepState, event: e.Observed) -> StepState:
    status, cause = observation(event, step.status)
    cause = f"revoke asked; {cause}" if step.revoke_asked else cause
    runs = event.where == "held" and event.phase == "running"
    step = replace(
        step,
        worker=event.worker or step.worker,
        started_at=(step.started_at or event.at) if runs else step.started_at,
        confirmed_at=event.confirmed_at or step.confirmed_at,
    )
    if status is step.status:
        return replace(step, cause=_redacted(cause), source=event.source)
    confirmed_at = step.confirmed_at
    step = _enter(step, status, event, cause, event.source)
    return replace(step, confirmed_at=confirmed_at)


def _observed_late(step: StepState, event: e.Observed) -> StepState:
    """A timed-out step whose task was seen since."""
    known = Status.QUEUED if step.last_known is None else step.last_known.status
    status, cause = observation(event, known)
    cause = f"now {status}: {cause}" if event.where != "unseen" else cause
    return replace(
        step,
        cause=_redacted(cause),
        source=event.source,
        worker=event.worker or step.worker,
        confirmed_at=event.confirmed_at or step.confirmed_at,
    )


def _refused(step: StepState, event: e.Refused) -> StepState:
    status = Status.UNCERTAIN if event.uncertain else Status.FAILED
    error_type = "Uncertain" if event.uncertain else "NotSent"
    step = replace(step, error_type=error_type, error_message=event.reason)
    return _enter(step, status, event, event.reason)


def _taken_out(step: StepState, event: e.TakenOut) -> StepState:
    """It never ran: revoked, or timed out with nothing left of it."""
    cause = f"taken out of queue {event.queue}: it will never run"
    if not step.status.ended:
        return _enter(replace(step, taken_out=True), Status.REVOKED, event, cause)
    if step.status is Status.TIMED_OUT:
        cause = f"{step.cause}; {cause}"
    elif step.status is not Status.REVOKED:  # a worker was quicker
        return step
    return replace(step, taken_out=True, cause=_redacted(cause))


def _timed_out(step: StepState, event: e.TimedOut) -> StepState:
    age = max(0.0, event.at - step.since)
    known = LastKnown(step.status, step.cause, step.source, step.since, age)
    last = f"{step.status} ({step.cause.rstrip('.')})" if step.cause else step.status
    cause = f"after {event.seconds:g} s; last known: {last}"
    return _enter(replace(step, last_known=known), Status.TIMED_OUT, event, cause)


def _retried(step: StepState, event: StepRetried) -> StepState:
    """A new attempt is a new task: only the reason is kept from the one before."""
    step = replace(
        step,
        task_id=event.task_id,
        attempt=event.attempt,
        next_try=event.at + event.delay,
        sent_at=None,
        adopted_at=None,
        started_at=None,
        polls=0,
        progress=None,
        error_type="",
        error_message="",
        traceback="",
        released=False,
        worker="",
        last_known=None,
        children=(),
        children_total=0,
        taken_out=False,
        revoke_asked="",
        revoked_by=(),
    )
    return _enter(step, Status.RETRYING, event, f"attempt {event.attempt}: {event.because}")


def _decided(step: StepState, event: StepDecided) -> StepState:
    match event.what:
        case "done":
            step = replace(step, result=event.result, error_type="", error_message="")
            return _enter(step, Status.DONE, event, f"decided by {event.by}", "operator")
        case "fail":
            return _enter(step, Status.FAILED, event, f"decided by {event.by}", "operator")
        case "wait":
            return _enter(
                step, Status.QUEUED, event, f"waited for, decided by {event.by}", "operator"
            )
    return _enter(step, Status.WAITING, event, f"to be resent, decided by {event.by}", "operator")


def _adopted(step: StepState, event: e.Adopted) -> StepState:
    # Workers send a step when the one before it ends, which has just been seen.
    sent_at = step.sent_at or (event.at if step.status is Status.WAITING else step.since)
    step = replace(step, sent_at=sent_at, adopted_at=event.at)
    if step.status in _STARTED:
        return step
    cause = "sent before the console restarted, watched again"
    return _enter(step, Status.QUEUED, event, cause)


def _handed_over(step: StepState, event: StepHandedOver) -> StepState:
    step = replace(step, args=event.args, kwargs=event.kwargs, secret=step.secret | event.secret)
    return replace(step, cause="sent by the workers") if step.status is Status.QUEUED else step


def _enter(
    step: StepState, status: Status, event: e.Event, cause: str, source: str = "engine"
) -> StepState:
    ended_at = event.at if status.ended else None
    return replace(
        step,
        status=status,
        since=event.at,
        cause=_redacted(cause),
        source=source,
        ended_at=ended_at,
        confirmed_at=event.at,
    )


def _ended(
    step: StepState,
    status: Status,
    event: e.Succeeded | e.Failed | e.RemotelyRevoked | e.EndedUnknown,
    cause: str,
    source: str = "backend",
) -> StepState:
    """The step with its end, which may lie before the time at which it was adopted."""
    step = _enter(step, status, event, cause, source)
    done_at, adopted = event.done_at, step.adopted_at
    if done_at is None or adopted is None or done_at >= adopted:
        return step
    sent_at, started_at = (
        None if at is None or at >= adopted else at for at in (step.sent_at, step.started_at)
    )
    # The worker's clock may differ from ours; the end must not come before the start.
    done_at = max(done_at, step.planned_at, sent_at or 0.0, started_at or 0.0)
    return replace(step, sent_at=sent_at, started_at=started_at, since=done_at, ended_at=done_at)


def _state_seen(step: StepState, event: e.StateSeen) -> StepState:
    worker = worker_of(event.meta)
    if event.state == "RECEIVED" and step.status not in (Status.SENDING, Status.QUEUED):
        return step  # more is known already
    step = replace(step, worker=worker or step.worker)
    match event.state:
        case "RECEIVED":
            return _enter(step, Status.RESERVED, event, f"received by {worker}", event.source)
        case "STARTED":
            step = replace(step, started_at=step.started_at or event.at)
            if step.status in RUNS:  # reported twice, or progress is known already
                return step
            return _enter(
                step, Status.RUNNING, event, f"on {worker}" if worker else "", event.source
            )
        case "REVOKED":  # any worker may have stored it: not an end yet
            return replace(step, cause="revoked, says the result backend; not confirmed yet")
        case "RETRY":
            return _enter(step, Status.RETRYING, event, retry_text(event.meta), event.source)
    step = replace(step, progress=progress_of(event.meta), started_at=step.started_at or event.at)
    cause = "" if event.state == "PROGRESS" else event.state
    return _enter(step, Status.PROGRESS, event, cause, event.source)


def interrupted(step: StepState, at: float) -> StepState:
    """The step when its run stops: it is interrupted unless it has ended."""
    if step.status.ended:
        return step
    return replace(
        step, status=Status.INTERRUPTED, since=at, ended_at=at, cause="the run was stopped"
    )


def revived(step: StepState, at: float) -> StepState:
    """The step when its run is resumed: if it was interrupted, it waits again."""
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
    if event.state == ENDED:
        cause = f"it ended, and its result is unknown: {event.error}"
    step = replace(step, result=event.result, error_message=event.error)
    return _enter(step, Status.FINISHED_LATE, event, cause, "backend")


def _revoke_asked(step: StepState, event: e.RevokeSent) -> StepState:
    """What is known after an operator's revoke: not yet that the task is gone."""
    act = "terminate" if event.terminate else "revoke"
    workers = tuple(receipt.worker for receipt in event.receipts if receipt.ok)
    cause = f"no worker acknowledged the {act}: repeat it, or it is forgotten"
    if workers:
        cause = f"{act} acknowledged by {', '.join(workers)}; not gone yet"
    if set(workers) == set(step.revoked_by):
        workers = tuple(step.revoked_by)
    return replace(step, cause=cause, revoke_asked=act, revoked_by=workers)


def _failure_cause(event: e.Failed) -> str:
    if event.error_type == "NotRegistered":
        return "the worker does not know this task"
    return f"{event.error_type}: {event.error_message}"


def _redacted(cause: str) -> str:
    """A cause without secrets; it may quote a task or a server."""
    return redact_text(cause[:_LONGEST_CAUSE])


def retry_text(meta: Any) -> str:
    """What failed and that it is retried, from the meta of a RETRY."""
    told = meta if isinstance(meta, Mapping) else {}
    kind, message, retries = (told.get(name) for name in ("error_type", "error_message", "retries"))
    which = f"try {retries + 1} " if isinstance(retries, int) else ""
    if not isinstance(kind, str) or not kind:
        return f"{which}failed; its worker will retry it" if which else "its worker will retry it"
    error = f"{kind}: {message}" if message else kind
    return f"{which}failed with {error}; its worker will retry it"


def worker_of(meta: Any) -> str:
    """The worker that a state's meta names, or an empty string."""
    worker = meta.get("hostname") if isinstance(meta, Mapping) else None
    return worker if isinstance(worker, str) else ""


def progress_of(meta: Any) -> tuple[float, float] | None:
    """Done and total from a custom state's meta, where it has numbers under their usual names.

    None where a number does not fit into a float.
    """
    if not isinstance(meta, Mapping):
        return None
    done, total = meta.get("current", meta.get("done")), meta.get("total")
    if isinstance(done, int | float) and isinstance(total, int | float) and total > 0:
        with contextlib.suppress(OverflowError):
            return float(done), float(total)
    return None
