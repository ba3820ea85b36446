"""Reads a task's outcome from a Celery result object, or a stand-in, by public calls."""

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

READ_SECONDS = 0.1
"""The longest that one round of reads occupies the thread, unless a single read is slower."""

ReadResult = Callable[[Any], Outcome | None]


def read_all(
    handles: Sequence[Any], read_result: ReadResult
) -> tuple[list[Outcome | None], BrokerUnavailable | None]:
    """Read as many results as there is time for, in order.

    Returns:
        The outcomes, None for nothing yet or no result object yet; and the error if the result
        backend is not available, which ends the round.
    """
    until = time.monotonic() + READ_SECONDS
    outcomes: list[Outcome | None] = []
    for handle in handles:
        try:
            outcomes.append(None if handle is None else read_result(handle))
        except BrokerUnavailable as error:
            return outcomes + [None] * (len(handles) - len(outcomes)), error
        if time.monotonic() > until:
            break
    return outcomes, None


def read_meta_of(handle: Any) -> Outcome | None:
    """Like ``read`` for Celery's own result objects, in one trip to the backend."""
    return _guarded(lambda: of_decoded_meta(handle.backend.get_task_meta(handle.id)))


def read(handle: Any) -> Outcome | None:
    """Read the outcome from a result object; None for nothing yet.

    Args:
        handle: The return value of ``send_task``.

    Raises:
        BrokerUnavailable: the result backend is not available; nothing else is raised.
    """
    return _guarded(lambda: _read_by_calls(handle))


def _guarded(call: Callable[[], Outcome | None]) -> Outcome | None:
    try:
        return call()
    except RecursionError:
        return unreadable(TOO_DEEP)
    except Exception as error:
        if (failure := broker_failure(error, what="result backend")) is not None:
            raise failure from error
        return unreadable(f"{type(error).__name__}: {error}")
    except BaseException as error:  # noqa: BLE001 - a task can store even a SystemExit
        return unreadable(f"{type(error).__name__}: {error}")


def _read_by_calls(handle: Any) -> Outcome | None:
    state = SUCCESS if handle.successful() is True else getattr(handle, "state", None)
    # Each access asks the backend again, so the state may change between two of them.
    if state == SUCCESS:
        result = handle.result if hasattr(handle, "result") else handle.get(timeout=1)
        return Outcome(SUCCESS, result)
    if not isinstance(state, str) or state == "PENDING":
        return None
    if state in READY:
        return _ended(state, handle.result, getattr(handle, "traceback", None))
    meta = getattr(handle, "info", None)
    return Outcome(state, meta) if handle.state == state else _read_by_calls(handle)


def of_decoded_meta(meta: Mapping[str, Any]) -> Outcome | None:
    """The outcome in a meta decoded by Celery, exceptions included; None for PENDING."""
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
