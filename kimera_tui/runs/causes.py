"""Why a step is in its state, in words for people."""

from __future__ import annotations

from kimera_tui.process.events import RevokeSent
from kimera_tui.redaction import redact_text

LONGEST_CAUSE = 10_000
"""Characters; nobody is ever shown as many."""


def told(cause: str) -> str:
    """A cause, which may be what somebody else said, without secrets."""
    return redact_text(cause[:LONGEST_CAUSE])


def not_started(cause: str) -> str:
    """Why nothing was seen of a step that timed out, as far as that is known."""
    return f"not started yet ({cause.rstrip('.')})" if cause else "not started yet"


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
