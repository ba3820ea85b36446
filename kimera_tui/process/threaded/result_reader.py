"""What a Celery result object, or a stand-in for one, tells of its task by public calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.failures import broker_failure
from kimera_tui.process.outcome import (
    READY,
    SUCCESS,
    TOO_DEEP,
    Outcome,
    outcome_of,
    read_decoded,
    unreadable,
)

LOOK_SECONDS = 0.1
"""The longest that one round of looking keeps a thread, but for a look that is slow by itself."""

Look = Callable[[Any], Outcome | None]


def look_all(
    handles: Sequence[Any], look_at: Look
) -> tuple[list[Outcome | None], BrokerUnavailable | None]:
    """Look at as many as there is time for, from the first on.

    Returns:
        What was seen, None for nothing yet or no result object yet; and why the result backend
        can't be asked, after which nothing more is looked at.
    """
    until = time.monotonic() + LOOK_SECONDS
    seen: list[Outcome | None] = []
    for handle in handles:
        try:
            seen.append(None if handle is None else look_at(handle))
        except BrokerUnavailable as away:
            return seen + [None] * (len(handles) - len(seen)), away
        if time.monotonic() > until:
            break
    return seen, None


def look_by_meta(handle: Any) -> Outcome | None:
    """The same as ``look`` for Celery's own result objects, in one trip to the backend."""
    return _looked(lambda: of_decoded_meta(handle.backend.get_task_meta(handle.id)))


def look(handle: Any) -> Outcome | None:
    """What a result object tells of its task: None for nothing yet.

    Args:
        handle: What ``send_task`` returned.

    Raises:
        BrokerUnavailable: the result backend can't be asked now; nothing else is raised.
    """
    return _looked(lambda: _of_calls(handle))


def _looked(ask: Callable[[], Outcome | None]) -> Outcome | None:
    try:
        return ask()
    except RecursionError:
        return unreadable(TOO_DEEP)
    except Exception as error:
        if (away := broker_failure(error, what="result backend")) is not None:
            raise away from error
        return unreadable(f"{type(error).__name__}: {error}")
    except BaseException as error:  # noqa: BLE001 - a task can store even a SystemExit
        return unreadable(f"{type(error).__name__}: {error}")


def _of_calls(handle: Any) -> Outcome | None:
    state = SUCCESS if handle.successful() is True else getattr(handle, "state", None)
    # Each of these asks the backend anew, so the task may have gone on between two of them.
    if state == SUCCESS:
        result = handle.result if hasattr(handle, "result") else handle.get(timeout=1)
        return Outcome(SUCCESS, result)
    if not isinstance(state, str) or state == "PENDING":
        return None
    if state in READY:
        return _ended(state, handle.result, getattr(handle, "traceback", None))
    meta = getattr(handle, "info", None)
    return Outcome(state, meta) if handle.state == state else _of_calls(handle)


def of_decoded_meta(meta: Mapping[str, Any]) -> Outcome | None:
    """The outcome in a meta as Celery decodes it, exceptions included; None for PENDING."""
    state = meta.get("status")
    if state == "PENDING":
        return None
    if state in READY and state != SUCCESS:
        return _ended(str(state), meta.get("result"), meta.get("traceback"), meta.get("date_done"))
    return read_decoded(meta)


def _ended(state: str, error: object, traceback: object, date_done: object = None) -> Outcome:
    stored: object = error
    if isinstance(error, BaseException):
        stored = {
            "exc_type": type(error).__name__,
            "exc_message": [str(part) for part in error.args],
        }
    elif not isinstance(error, Mapping):
        stored = {"exc_type": "Exception", "exc_message": str(error)}
    return outcome_of(
        {"status": state, "result": stored, "traceback": traceback, "date_done": date_done}
    )
