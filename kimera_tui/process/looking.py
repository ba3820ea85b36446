"""What a Celery result object, or a stand-in for one, tells of its task by public calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kimera_tui.process.failures import broker_failure
from kimera_tui.process.outcome import READY, SUCCESS, Outcome, outcome_of, unreadable


def look_all(handles: Sequence[Any]) -> list[Outcome | None]:
    """Look at each; None stands for a result object that isn't there yet, too."""
    return [None if handle is None else look(handle) for handle in handles]


def look(handle: Any) -> Outcome | None:
    """What a result object tells of its task: None for nothing yet; never raises.

    Args:
        handle: What ``send_task`` returned.
    """
    try:
        state = SUCCESS if handle.successful() is True else getattr(handle, "state", None)
        # Each of these asks the backend anew, so the task may have gone on between two of them.
        if state == SUCCESS:
            result = handle.result if hasattr(handle, "result") else handle.get(timeout=1)
            return Outcome(SUCCESS, result)
        if not isinstance(state, str) or state == "PENDING":
            return None
        if state in READY:
            return _ended(handle, state)
        meta = getattr(handle, "info", None)
        return Outcome(state, meta) if handle.state == state else look(handle)
    except Exception as error:  # noqa: BLE001 - a backend that is away is asked again
        return None if broker_failure(error) else unreadable(f"{type(error).__name__}: {error}")
    except BaseException as error:  # noqa: BLE001 - a task can store even a SystemExit
        return unreadable(f"{type(error).__name__}: {error}")


def _ended(handle: Any, state: str) -> Outcome:
    error = handle.result
    traceback = getattr(handle, "traceback", None)
    if isinstance(error, BaseException):
        stored = {
            "exc_type": type(error).__name__,
            "exc_message": [str(part) for part in error.args],
        }
    else:
        stored = {"exc_type": "Exception", "exc_message": str(error)}
    return outcome_of({"status": state, "result": stored, "traceback": traceback})
