"""Reads a task's outcome from a Celery result object, or a stand-in, by public calls."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.failures import broker_failure
from kimera_tui.process.outcome import (
    FAILURE,
    READY,
    RETRY,
    REVOKED,
    SUCCESS,
    TOO_DEEP,
    Outcome,
    outcome_of,
    read_decoded,
    read_meta,
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
    return _guarded(
        lambda: of_decoded_meta(handle.backend.get_task_meta(handle.id)), lambda: _by_key(handle)
    )


def read(handle: Any) -> Outcome | None:
    """Read the outcome from a result object; None for nothing yet.

    Args:
        handle: The return value of ``send_task``.

    Raises:
        BrokerUnavailable: the result backend is not available; nothing else is raised.
    """
    return _guarded(lambda: _read_by_calls(handle))


def _guarded(
    call: Callable[[], Outcome | None], otherwise: Callable[[], Outcome | None] = lambda: None
) -> Outcome | None:
    """The outcome that a call reads, or else another one."""
    try:
        return call()
    except RecursionError:
        return otherwise() or unreadable(TOO_DEEP)
    except Exception as error:
        if (failure := broker_failure(error, what="result backend")) is not None:
            raise failure from error
        return otherwise() or unreadable(_cannot_be_read(error))
    except BaseException as error:  # noqa: BLE001 - a task can store even a SystemExit
        return unreadable(_cannot_be_read(error))


def _cannot_be_read(error: BaseException) -> str:
    return f"the stored result cannot be read ({type(error).__name__}: {error})"


def _by_key(handle: Any) -> Outcome | None:
    """The outcome in what a key-value backend stores, read without Celery, which could not."""
    backend: Any = handle.backend
    with contextlib.suppress(Exception):
        raw = backend.get(backend.get_key_for_task(handle.id))
        return read_meta(raw) if isinstance(raw, bytes | str) else None
    return None


def _read_by_calls(handle: Any) -> Outcome | None:
    state = SUCCESS if handle.successful() is True else getattr(handle, "state", None)
    # Each access asks the backend again, so the state may change between two of them.
    if state == SUCCESS:
        result = handle.result if hasattr(handle, "result") else handle.get(timeout=1)
        return Outcome(SUCCESS, result)
    if not isinstance(state, str) or state == "PENDING":
        return None
    if state in READY:
        return _error_by_calls(state, handle)
    meta = getattr(handle, "info", None)
    return Outcome(state, meta) if handle.state == state else _read_by_calls(handle)


def _error_by_calls(state: str, handle: Any) -> Outcome:
    """The outcome with the exception of a task that is known not to have succeeded."""
    try:
        error = handle.result
    except Exception as unread:
        if broker_failure(unread, what="result backend") is not None:
            raise
        return unreadable(_cannot_be_read(unread), state)
    return _with_error(state, error, {"traceback": getattr(handle, "traceback", None)})


def of_decoded_meta(meta: Mapping[str, Any]) -> Outcome | None:
    """The outcome in a meta decoded by Celery, exceptions included; None for PENDING."""
    state = meta.get("status")
    if state == "PENDING":
        return None
    if isinstance(state, str) and state in (FAILURE, REVOKED, RETRY):
        return _with_error(state, meta.get("result"), meta)
    return read_decoded(meta)


def _with_error(state: str, error: object, meta: Mapping[str, Any]) -> Outcome:
    """The outcome in a meta whose exception Celery may have built anew."""
    stored: object = error
    if isinstance(error, BaseException):
        stored = {"exc_type": type(error).__name__, "exc_message": list(error.args)}
    elif not isinstance(error, Mapping):
        stored = {"exc_type": "Exception", "exc_message": str(error)}
    return outcome_of({**meta, "status": state, "result": stored})
