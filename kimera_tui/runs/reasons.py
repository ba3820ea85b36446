"""Why a step is in its state, in words for people."""

from __future__ import annotations

from kimera_tui.process.events import RevokeSent
from kimera_tui.redaction import redact_text

LONGEST_CAUSE = 10_000
"""Characters; nobody is ever shown as many."""


def told(cause: str) -> str:
    """A cause, which may be what somebody else said, without secrets."""
    return redact_text(cause[:LONGEST_CAUSE])


def timed_out(seconds: float, status: str, cause: str) -> str:
    """Why a step timed out, and what was known of its task by then: nothing newer is claimed."""
    known = f"{status} ({cause.rstrip('.')})" if cause else status
    return f"after {seconds:g} s; last known: {known}"


def asked_to_go(event: RevokeSent) -> str:
    """What is known after a revoke that somebody asked for: not yet that the task is gone."""
    act = "terminate" if event.terminate else "revoke"
    workers = [receipt.worker for receipt in event.receipts if receipt.ok]
    if not workers:
        return f"{act} asked, no worker answered: it will be forgotten unless asked again"
    return f"{act} acknowledged by {', '.join(workers)}; not gone yet"


def failure(error_type: str, message: str) -> str:
    """What a task raised."""
    if error_type == "NotRegistered":
        return "the worker does not know this task"
    return f"{error_type}: {message}"
