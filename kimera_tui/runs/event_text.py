"""Every event of the engine in words: its kind, its style and one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kimera_tui.cluster.events import BrokerChanged
from kimera_tui.process import events as e
from kimera_tui.redaction import by_place, redact, redact_text
from kimera_tui.runs import events as r
from kimera_tui.runs.sightings import progress_of
from kimera_tui.safetext import compact, safe, trimmed

Words = tuple[str, str, str]
"""Kind, style, text."""
_LONGEST_SECRET = 8192
"""Characters."""


def narrate(event: object) -> Words | None:
    """Kind, style and safe text of an event; None for events that are no news to people."""
    teller = _TELLERS.get(type(event))
    return None if teller is None else teller(event)


def _told(text: str, limit: int) -> str:
    """A free text of somebody else as people are shown it: safe, cut, and without secrets.

    Args:
        text: What was said.
        limit: The most characters kept; the rest is counted.
    """
    # What reaches over the end may be a secret that is known by its whole shape only.
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


def _polled(event: e.Polled) -> Words:
    state = safe(event.state, 40) or "nothing yet"
    then = f", next in {event.next_delay:g} s" if event.next_delay else ""
    return "polled", "dim", f"attempt {event.attempt}: {state}{then}"


def _state(event: e.StateSeen) -> Words:
    worker = event.meta.get("hostname") if isinstance(event.meta, dict) else None
    match event.state:
        case "RECEIVED":
            return "reserved", "queued", f"taken by {safe(worker, 80)}"
        case "STARTED":
            return "started", "active", f"on {safe(worker, 80)}" if worker else "by a worker"
        case "RETRY":
            return "retry", "warning", "failed, and will be tried again"
    if (progress := progress_of(event.meta)) is not None:
        done, total = progress
        return "progress", "active", f"{safe(event.state, 40)} {done:g}/{total:g}"
    return "progress", "active", f"{safe(event.state, 40)} {compact(redact(trimmed(event.meta)))}"


def _failed(event: e.Failed) -> Words:
    return "failed", "bad", f"{safe(event.error_type, 80)}: {_told(event.error_message, 300)}"


def _late(event: e.FinishedLate) -> Words:
    what = _told(event.error, 200) or compact(redact(trimmed(event.result)))
    return "late", "warning", f"finished late: {safe(event.state, 40)} {what}"


def _revoke(event: e.RevokeSent) -> Words:
    who = ", ".join(safe(receipt.worker, 60) for receipt in event.receipts if receipt.ok)
    if not event.asked:
        return "released", "dim", f"revoke of the finished task: {who or 'no worker'} knows"
    what = "terminate" if event.terminate else "revoke"
    return "revoked", "warning", f"{what} asked: {who or 'no worker'} acknowledged"


def _refused(event: e.Refused) -> Words:
    if event.uncertain:
        return "uncertain", "warning", _told(event.reason, 300)
    return "refused", "bad", _told(event.reason, 300)


def _callback_failed(event: e.CallbackFailed) -> Words:
    return "callback", "bad", f"{safe(event.callback, 80)} failed: {_told(event.error, 200)}"


def _lost(event: e.ConnectionLost) -> Words:
    return "lost", "bad", f"{event.which}: {_told(event.reason, 200)}"


def _broker(event: BrokerChanged) -> Words:
    style = {"ready": "good", "failed": "bad"}.get(event.phase, "active")
    text = f"{event.label} {event.phase}" + (f": {event.message}" if event.message else "")
    return "broker", style, _told(text, 400)


def _skipped(event: r.StepSkipped) -> Words:
    return "not needed" if event.not_needed else "skipped", "dim", _told(event.because, 200)


def _reused(event: r.StepReused) -> Words:
    result = compact(redact(trimmed(event.result)))
    return "reused", "good", f"of run {safe(event.from_run[:8])}: {result}"


def _retried(event: r.StepRetried) -> Words:
    when = f" in {event.delay:g} s" if event.delay else ""
    text = f"try {event.attempt}{when}: {_told(event.because, 200)}"
    return "retry", "warning", text


def _decided(event: r.StepDecided) -> Words:
    what = {"again": "send again", "done": "treat as done", "fail": "fail", "wait": "wait"}
    said = f"{what.get(event.what, safe(event.what, 20))}, decided by {safe(event.by, 60)}"
    return "decided", "key", said


def _handed_over(event: r.StepHandedOver) -> Words:
    text = f"sent by the workers, with ({_payload(event)})"
    return "handed over", "active", text


def _detached(event: r.RunDetached) -> Words:
    count = len(event.paths)
    bring = "messages bring" if count != 1 else "message brings"
    return "detached", "key", f"{count} {bring} the rest; it is only watched"


def _run_ended(event: r.RunEnded) -> Words:
    return ("run", "bad", f"ended: {_told(event.error, 300)}") if event.error else (
        "run", "good", "ended well"
    )  # fmt: skip


_TELLERS: dict[type[Any], Callable[[Any], Words]] = {
    e.Sending: _sending,
    e.Dispatched: lambda event: ("dispatched", "queued", f"acknowledged, in {safe(event.queue)}"),
    e.Refused: _refused,
    e.Noticed: lambda event: (
        ("warning", "warning", _told(event.text, 300))
        if event.against
        else ("found", "key", _told(event.text, 300))
    ),
    e.Resent: lambda event: ("resent", "warning", "the reply got lost; queued once"),
    e.Polled: _polled,
    e.StateSeen: _state,
    e.Succeeded: lambda event: ("succeeded", "good", compact(redact(trimmed(event.result)))),
    e.Failed: _failed,
    e.RemotelyRevoked: lambda event: ("revoked", "bad", _told(event.reason, 200) or "by somebody"),
    e.TimedOut: lambda event: ("timed out", "warning", f"no end after {event.seconds:g} s"),
    e.FinishedLate: _late,
    e.WatchStopped: lambda event: ("stopped", "warning", "nobody waits for it any more"),
    e.CallbackStarted: lambda event: ("callback", "dim", f"{safe(event.callback, 80)} begins"),
    e.CallbackFinished: lambda event: ("callback", "key", f"{safe(event.callback, 80)} finished"),
    e.CallbackFailed: _callback_failed,
    e.ChainAdvanced: lambda event: ("fed", "key", f"into {safe(event.place, 200)}"),
    e.Forgotten: lambda event: ("forgotten", "dim", "result removed from the backend"),
    e.RevokeSent: _revoke,
    e.ConnectionLost: _lost,
    e.ConnectionBack: lambda event: ("back", "good", f"{event.which} answers again"),
    r.RunStarted: lambda event: ("run", "strong", f"started: {safe(event.name, 200)}"),
    r.ResultKept: lambda event: ("kept", "dim", "result written to the journal"),
    r.StepSkipped: _skipped,
    r.StepReused: _reused,
    r.StepRetried: _retried,
    r.StepDecided: _decided,
    r.StepHandedOver: _handed_over,
    r.RunDetached: _detached,
    r.RunEnded: _run_ended,
    BrokerChanged: _broker,
}
