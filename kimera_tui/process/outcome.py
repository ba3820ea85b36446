"""A task's outcome, read from what the result backend stores, whatever its shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from kimera_tui.depth import DEEPEST, is_too_deep, may_be_too_deep
from kimera_tui.process.stored_form import form_of, state_in

SUCCESS: Final = "SUCCESS"
FAILURE: Final = "FAILURE"
REVOKED: Final = "REVOKED"
RETRY: Final = "RETRY"
ENDED: Final = "ENDED"
"""Not one of Celery's: the task ended, and nobody can read what it returned."""
READY: Final = frozenset({SUCCESS, FAILURE, REVOKED, ENDED})
UNREADABLE: Final = "UnreadableResult"
"""The error type of a task that failed with an exception that cannot be read."""
MAX_CHILDREN: Final = 100
"""How many of the tasks that a task spawned are kept by id; the others are counted."""
TOO_DEEP = f"the stored result is nested deeper than {DEEPEST} levels"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task's stored state; final if ``ready``."""

    state: str
    """SUCCESS, FAILURE, REVOKED, ENDED, STARTED, RETRY or a custom state."""
    result: Any = None
    """The task's result, or the meta of a custom state."""
    error_type: str = ""
    error_message: str = ""
    """The exception's message; for ENDED why the result is unknown."""
    traceback: str = ""
    date_done: Any = field(default=None, compare=False)
    """As stored by Celery: when the worker finished the task, by the worker's clock."""
    retries: int | None = None
    """How often the task had been retried before this state, if its meta tells."""
    children: tuple[str, ...] = ()
    """Ids of tasks that the task spawned, at most ``MAX_CHILDREN``."""
    children_total: int = 0
    """How many tasks it spawned."""
    name: str = ""
    """Full name of the task that ended under this id, if its meta tells (``result_extended``)."""
    source: str = "backend"
    """Who told it: ``backend``, a worker's ``event`` or ``inspect``, as in ``StateSeen``."""

    @property
    def meta(self) -> Any:
        """What is known of a state that is no end."""
        if self.state != RETRY and not self.error_type:
            return self.result
        told = {"error_type": self.error_type, "error_message": self.error_message}
        return told if self.retries is None else {**told, "retries": self.retries}

    @property
    def doubtful(self) -> bool:
        """Whether it could not be read, as happens while a file is being written."""
        return self.state == ENDED or self.error_type == UNREADABLE

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


MayDrop = Callable[[str, str, str], bool]
"""Returns whether a worker may have a task or serves its queue, by the task's id, the worker's name
and the queue that the task was sent to, which may be empty. Every worker acknowledges a revoke,
also one that has nothing to do with the task."""


def always_over(task_id: str) -> bool:
    """Take every stored REVOKED for an end, as Celery itself does."""
    return True


def unreadable(why: str, state: str = "") -> Outcome:
    """The outcome of a task whose stored result cannot be read.

    Args:
        why: The reason, as a clause.
        state: The stored state, if that much can be read. A failure stays one, and what has not
            ended goes on; anything else has ended with a result that is unknown.
    """
    if state == FAILURE:
        return Outcome(FAILURE, error_type=UNREADABLE, error_message=why)
    if state == SUCCESS:
        return Outcome(ENDED, error_message=f"it succeeded, but {why}")
    return Outcome(ENDED, error_message=why) if state in ("", ENDED) else Outcome(state)


def not_json(raw: bytes, error: str) -> Outcome:
    """The outcome of a task whose stored result is not JSON, without decoding it."""
    form = form_of(raw)
    why = f"seems to be {form}" if form else f"is not JSON ({error})"
    why = form if form.startswith("compressed") else why
    verb = "is " if form.startswith("compressed") else ""
    unread = ", which Kimera does not read" if form else ""
    return unreadable(f"the stored result {verb}{why}{unread}", state_in(raw))


def read_meta(raw: bytes | str) -> Outcome:
    """Read a JSON result meta as Celery stores it; never raises, imports no exception class.

    Dates, decimals, UUIDs and bytes keep their types, as with Celery's own ``get``.
    """
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
    try:
        meta = json.loads(text, object_hook=_typed if '"__type__"' in text else None)
    except RecursionError:  # far deeper than the limit below
        return unreadable(TOO_DEEP, state_in(_head(raw)))
    except ValueError as error:
        stored = raw if isinstance(raw, bytes) else raw.encode(errors="replace")
        return not_json(stored, type(error).__name__)
    if may_be_too_deep(text) and is_too_deep(meta, DEEPEST + 1):
        return unreadable(TOO_DEEP, _state_of(meta))
    return outcome_of(meta)


def _head(raw: bytes | str) -> bytes:
    return raw[:1024] if isinstance(raw, bytes) else raw[:1024].encode(errors="replace")


def read_decoded(meta: Mapping[str, Any]) -> Outcome:
    """The outcome in a meta decoded by Celery."""
    if is_too_deep(meta, DEEPEST + 1):
        return unreadable(TOO_DEEP, _state_of(meta))
    return outcome_of(meta)


def _state_of(meta: object) -> str:
    """The state in a decoded meta; empty if it has none."""
    state = meta.get("status") if isinstance(meta, Mapping) else None
    return state if isinstance(state, str) else ""


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
    if not (state := _state_of(meta)):
        return unreadable("the stored result has no `status`")
    result = meta.get("result")
    traceback = meta.get("traceback")
    traceback = traceback if isinstance(traceback, str) else ""
    done, retries = meta.get("date_done"), meta.get("retries")
    retries = retries if type(retries) is int else None
    name = meta.get("name")
    name = name if isinstance(name, str) else ""
    if state in (FAILURE, REVOKED, RETRY):
        error_type, error_message = _error_of(result)
        return Outcome(state, None, error_type, error_message, traceback, done, retries, name=name)
    children, total = _spawned(meta["children"]) if meta.get("children") else ((), 0)
    return Outcome(
        state, result, date_done=done, children=children, children_total=total, name=name
    )


_WRAPPER = "UnpickleableExceptionWrapper"
"""What Celery stores instead of an exception that can't be pickled: module, class, arguments and
representation."""


def _error_of(result: object) -> tuple[str, str]:
    """Type and message of a stored exception, as text."""
    if not isinstance(result, Mapping) or "exc_type" not in result:
        return ("Exception", "" if result is None else str(result))
    kind, message = result["exc_type"], result.get("exc_message")
    if kind == _WRAPPER and isinstance(message, list | tuple) and len(message) == 4:
        _, kind, arguments, text = message
        message = arguments if isinstance(arguments, list | tuple) and arguments else text
    if isinstance(message, list | tuple):
        message = ", ".join(str(part) for part in message)
    return (str(kind), "" if message is None else str(message))


def _spawned(children: object) -> tuple[tuple[str, ...], int]:
    """The ids of the tasks that a task spawned, and their number.

    Celery stores ``[[id, parent], null]`` for a task and ``[[id, parent], [task, ...]]`` for a
    group; decoded, they are result objects.
    """
    ids: list[str] = []
    total = 0
    left = list(children) if isinstance(children, list | tuple) else []
    while left:
        child: object = left.pop(0)
        child = child.as_tuple() if hasattr(child, "as_tuple") else child
        match child:
            case [[str(task_id), *_], None]:
                total += 1
                ids += [task_id] if len(ids) < MAX_CHILDREN else []
            case [_, list(members) | tuple(members)]:
                left = [*members, *left]
    return tuple(ids), total
