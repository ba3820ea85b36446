"""Every event as a line for people: its kind, its style and its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kimera_tui.cluster.events import BrokerChanged
from kimera_tui.process import events as e
from kimera_tui.process.outcome import ENDED
from kimera_tui.redaction import by_place, redact, redact_text
from kimera_tui.runs import events as r
from kimera_tui.runs.observed import observation
from kimera_tui.runs.state import progress_of, retry_text
from kimera_tui.runs.status import Status
from kimera_tui.safetext import compact, safe, trimmed

Words = tuple[str, str, str]
"""Kind, style, text."""
_LONGEST_SECRET = 8192
"""Characters."""


def narrate(event: object) -> Words | None:
    """Kind, style and safe text of an event; None for events that people need not see."""
    describe = _TEXTS.get(type(event))
    return None if describe is None else describe(event)


def _quote(text: str, limit: int) -> str:
    """A text from outside, made safe to show: escaped, cut, and without secrets.

    Args:
        text: The text.
        limit: The most characters kept; the rest is counted.
    """
    # A secret that the limit cuts in two is recognised only as a whole.
    shown = safe(redact_text(text[: limit + _LONGEST_SECRET])[:limit])
    cut = len(text) - limit
    return f"{shown}… {cut:,} more characters" if cut > 0 else shown


def _sending(event: e.Sending) -> Words:
    text = f"{safe(event.task)}({_payload(event)}) to queue {safe(event.queue)}"
    return "sending", "active", text


def _payload(event: e.Sending | r.StepHandedOver) -> str:
    args = redact(by_place(trimmed(event.args)), event.secret)
    kwargs = redact(trimmed(event.kwargs), event.secret)
    return ", ".join(
        [compact(value, 60) for value in args.values()]
        + [f"{safe(key, 40)}={compact(value, 60)}" for key, value in kwargs.items()]
    )


def _revoked(event: e.RemotelyRevoked) -> Words:
    return "revoked", "bad", _quote(event.reason, 200) or "by another program"


def _polled(event: e.Polled) -> Words:
    state = safe(event.state, 40) or "nothing yet"
    then = f", next in {event.next_delay:g} s" if event.next_delay else ""
    return "polled", "dim", f"attempt {event.attempt}: {state}{then}"


def _state(event: e.StateSeen) -> Words:
    worker = event.meta.get("hostname") if isinstance(event.meta, dict) else None
    match event.state:
        case "RECEIVED":
            return "reserved", "queued", f"received by {safe(worker, 80)}"
        case "STARTED":
            return "started", "active", f"on {safe(worker, 80)}" if worker else "by a worker"
        case "RETRY":
            return "retry", "warning", _quote(retry_text(event.meta), 300)
    if (progress := progress_of(event.meta)) is not None:
        done, total = progress
        return "progress", "active", f"{safe(event.state, 40)} {done:g}/{total:g}"
    return "progress", "active", f"{safe(event.state, 40)} {compact(redact(trimmed(event.meta)))}"


def _observed(event: e.Observed) -> Words:
    status, cause = observation(event, Status.QUEUED)
    bad = event.doubt or event.earlier or event.where in ("silent", "lost", "unacked", "missing")
    if event.where in ("unseen", "queued") and event.doubt:
        return "warning", "warning", _quote(event.doubt, 300)
    return ("warning" if bad else status.value, "warning" if bad else "active", _quote(cause, 300))


def _failed(event: e.Failed) -> Words:
    return "failed", "bad", f"{safe(event.error_type, 80)}: {_quote(event.error_message, 300)}"


def _unknown(event: e.EndedUnknown) -> Words:
    return "ended", "warning", f"its result is unknown: {_quote(event.reason, 300)}"


def _spawned(event: e.Spawned) -> Words:
    shown = ", ".join(safe(each, 80) for each in event.children[:3])
    more = ", ..." if event.total > 3 else ""
    return "spawned", "key", f"{event.total:,} task{'s' * (event.total != 1)}: {shown}{more}"


def _late(event: e.FinishedLate) -> Words:
    if event.state == ENDED:
        why = _quote(event.error, 200)
        return "late", "warning", f"finished late: it ended, and its result is unknown: {why}"
    end = _quote(event.error, 200) or compact(redact(trimmed(event.result)))
    return "late", "warning", f"finished late: {safe(event.state, 40)} {end}"


def _revoke(event: e.RevokeSent) -> Words:
    workers = ", ".join(safe(receipt.worker, 60) for receipt in event.receipts if receipt.ok)
    act = "terminate" if event.terminate else "revoke"
    act = act if event.asked else "revoke of the finished task"
    style = ("revoked", "warning") if event.asked else ("released", "dim")
    return *style, f"{act} acknowledged by {workers or 'no worker'}"


def _refused(event: e.Refused) -> Words:
    if event.uncertain:
        return "uncertain", "warning", _quote(event.reason, 300)
    return "refused", "bad", _quote(event.reason, 300)


def _callback_failed(event: e.CallbackFailed) -> Words:
    return "callback", "bad", f"{safe(event.callback, 80)} failed: {_quote(event.error, 200)}"


def _lost(event: e.ConnectionLost) -> Words:
    return "lost", "bad", f"{event.which}: {_quote(event.reason, 200)}"


def _broker(event: BrokerChanged) -> Words:
    style = {"ready": "good", "failed": "bad"}.get(event.phase, "active")
    text = f"{event.label} {event.phase}" + (f": {event.message}" if event.message else "")
    return "broker", style, _quote(text, 400)


def _skipped(event: r.StepSkipped) -> Words:
    return "not needed" if event.not_needed else "skipped", "dim", _quote(event.because, 200)


def _reused(event: r.StepReused) -> Words:
    result = compact(redact(trimmed(event.result)))
    return "reused", "good", f"of run {safe(event.from_run[:8])}: {result}"


def _retried(event: r.StepRetried) -> Words:
    when = f" in {event.delay:g} s" if event.delay else ""
    return "retry", "warning", f"attempt {event.attempt}{when}: {_quote(event.because, 200)}"


def _decided(event: r.StepDecided) -> Words:
    acts = {"again": "send again", "done": "treat as done", "fail": "fail", "wait": "wait"}
    act = acts.get(event.what, safe(event.what, 20))
    return "decided", "key", f"{act}, decided by {safe(event.by, 60)}"


def _handed_over(event: r.StepHandedOver) -> Words:
    return "handed over", "active", f"sent by the workers, with ({_payload(event)})"


def _detached(event: r.RunDetached) -> Words:
    count = len(event.paths)
    carry = "messages carry" if count != 1 else "message carries"
    return "detached", "key", f"{count} {carry} the rest; the console only watches"


def _cancelled(event: r.RunCancelled) -> Words:
    count = len(event.revoked)
    return "cancelling", "warning", f"nothing more is sent; {count} in flight to be stopped"


def _stop(event: r.StopReported) -> Words:
    workers = ", ".join(safe(worker, 60) for worker in event.workers)
    act = "terminate" if event.terminate else "revoke"
    text = f"{event.taken_out} of {event.tasks} taken out of their queues; {act} of the others"
    if event.taken_out < event.tasks:
        text += f" acknowledged by {workers or 'no worker'}"
        text += "".join(f". {_quote(why.rstrip('.'), 200)}" for why in event.why_not)
    else:
        text = f"all {event.tasks} taken out of their queues"
    return "stopped", "warning", text


def _run_ended(event: r.RunEnded) -> Words:
    if event.error:
        return "run", "bad", f"ended: {_quote(event.error, 300)}"
    return "run", "good", "ended without errors"


_TEXTS: dict[type[Any], Callable[[Any], Words]] = {
    e.Sending: _sending,
    e.Dispatched: lambda event: ("dispatched", "queued", f"acknowledged, in {safe(event.queue)}"),
    e.Refused: _refused,
    e.Noticed: lambda event: (
        ("warning", "warning", _quote(event.text, 300))
        if event.against
        else ("found", "key", _quote(event.text, 300))
    ),
    e.Resent: lambda event: ("resent", "warning", "the reply was lost; queued only once"),
    e.Observed: _observed,
    e.Polled: _polled,
    e.StateSeen: _state,
    e.Succeeded: lambda event: ("succeeded", "good", compact(redact(trimmed(event.result)))),
    e.Failed: _failed,
    e.RemotelyRevoked: _revoked,
    e.EndedUnknown: _unknown,
    e.Spawned: _spawned,
    e.TimedOut: lambda event: ("timed out", "warning", f"no result after {event.seconds:g} s"),
    e.FinishedLate: _late,
    e.WatchStopped: lambda event: ("stopped", "warning", "its console stopped waiting for it"),
    e.CallbackStarted: lambda event: ("callback", "dim", f"{safe(event.callback, 80)} started"),
    e.CallbackFinished: lambda event: ("callback", "key", f"{safe(event.callback, 80)} finished"),
    e.CallbackFailed: _callback_failed,
    e.ChainAdvanced: lambda event: ("fed", "key", f"into {safe(event.place, 200)}"),
    e.Forgotten: lambda event: ("forgotten", "dim", "result removed from the backend"),
    e.RevokeSent: _revoke,
    e.TakenOut: lambda event: (
        ("taken out", "warning", f"of queue {safe(event.queue)}: it will never run")
    ),
    e.ManyRevoked: lambda event: ("warning", "warning", event.text),
    e.ConnectionLost: _lost,
    e.ConnectionBack: lambda event: ("back", "good", f"{event.which} is reachable again"),
    r.RunStarted: lambda event: ("run", "strong", f"started: {safe(event.name, 200)}"),
    r.ResultKept: lambda event: ("kept", "dim", "result written to the journal"),
    r.StepSkipped: _skipped,
    r.StepReused: _reused,
    r.StepRetried: _retried,
    r.StepDecided: _decided,
    r.StepHandedOver: _handed_over,
    r.RunDetached: _detached,
    r.RunCancelled: _cancelled,
    r.StopReported: _stop,
    r.RunEnded: _run_ended,
    BrokerChanged: _broker,
}
