"""A task's outcome, read from what the result backend stores, whatever its shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from kimera_tui.depth import DEEPEST, is_too_deep, may_be_too_deep

SUCCESS: Final = "SUCCESS"
FAILURE: Final = "FAILURE"
REVOKED: Final = "REVOKED"
READY: Final = frozenset({SUCCESS, FAILURE, REVOKED})
TOO_DEEP = f"the stored result is nested deeper than {DEEPEST} levels"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task's stored state; final if ``ready``."""

    state: str
    """SUCCESS, FAILURE, REVOKED, STARTED, RETRY or a custom state."""
    result: Any = None
    """The task's result, or the meta of a custom state."""
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    date_done: Any = field(default=None, compare=False)
    """As stored by Celery: when the worker finished the task, by the worker's clock."""

    @property
    def done_at(self) -> float | None:
        """When the worker finished it, in seconds since the epoch; None if not stored."""
        date = self.date_done
        try:
            date = datetime.fromisoformat(date) if isinstance(date, str) else date
            if not isinstance(date, datetime):
                return None
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None

    @property
    def ready(self) -> bool:
        """Whether this is an end; a stored REVOKED is one only if an ``IsOver`` confirms it."""
        return self.state in READY

    def ends(self, task_id: str, is_over: IsOver) -> bool:
        """Whether the task with this outcome has ended."""
        return self.ready and (self.state != REVOKED or is_over(task_id))


IsOver = Callable[[str], bool]
"""Returns whether a task whose stored state is REVOKED has ended. Since Celery 5.6 any worker that
hears a revoke stores REVOKED, even for a task that another worker is running."""


def always_over(task_id: str) -> bool:
    """Take every stored REVOKED for an end, as Celery itself does."""
    return True


def unreadable(why: str) -> Outcome:
    """The outcome of a task whose stored result cannot be read: a failure with the reason."""
    return Outcome(FAILURE, error_type="UnreadableResult", error_message=why)


def read_meta(raw: bytes | str) -> Outcome:
    """Read a JSON result meta as Celery stores it; never raises, imports no exception class.

    Dates, decimals, UUIDs and bytes keep their types, as with Celery's own ``get``.
    """
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
    try:
        meta = json.loads(text, object_hook=_typed if '"__type__"' in text else None)
    except RecursionError:  # far deeper than the limit below
        return unreadable(TOO_DEEP)
    except ValueError as error:
        return unreadable(f"the stored result is not JSON ({type(error).__name__})")
    if may_be_too_deep(text) and is_too_deep(meta, DEEPEST + 1):
        return unreadable(TOO_DEEP)
    return outcome_of(meta)


def read_decoded(meta: Mapping[str, Any]) -> Outcome:
    """The outcome in a meta decoded by Celery."""
    return unreadable(TOO_DEEP) if is_too_deep(meta, DEEPEST + 1) else outcome_of(meta)


def _typed(stored: dict[str, Any]) -> Any:
    """The value behind kombu's ``{"__type__": ..., "__value__": ...}``, or the dict itself."""
    if stored.keys() != {"__type__", "__value__"}:
        return stored
    from kombu.utils.json import object_hook

    try:
        return object_hook(stored)
    except Exception:  # noqa: BLE001 - an unknown type, or an invalid value
        return stored


def outcome_of(meta: object) -> Outcome:
    """The outcome in a decoded result meta."""
    if not isinstance(meta, Mapping):
        return unreadable("the stored result is not a JSON object")
    state = meta.get("status")
    if not isinstance(state, str) or not state:
        return unreadable("the stored result has no `status`")
    result = meta.get("result")
    traceback = meta.get("traceback")
    traceback = traceback if isinstance(traceback, str) else ""
    done = meta.get("date_done")
    if state in (FAILURE, REVOKED, "RETRY"):
        error_type, error_message = _error_of(result)
        return Outcome(state, None, error_type, error_message, traceback, done)
    return Outcome(state, result, date_done=done)


def _error_of(result: object) -> tuple[str, str]:
    """Type and message of a stored exception, as text."""
    if not isinstance(result, Mapping) or "exc_type" not in result:
        return ("Exception", "" if result is None else str(result))
    message = result.get("exc_message")
    if isinstance(message, list | tuple):
        message = ", ".join(str(part) for part in message)
    return (str(result["exc_type"]), "" if message is None else str(message))
