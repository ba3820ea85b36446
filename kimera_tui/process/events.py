"""What the engine says happened: frozen facts, each with its time; everything else folds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kimera_tui.process.engine import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    at: float
    """Seconds since the epoch, by this machine's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent(Event):
    """Something that happened to one task."""

    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending(TaskEvent):
    """The message is about to be published."""

    task: str
    """Full Celery name."""
    friend: str
    queue: str
    args: Sequence[Any]
    kwargs: dict[str, Any]
    secret: frozenset[str] = frozenset()
    """Names in ``kwargs``, and positions in ``args`` such as ``"0"``, whose values are never shown
    or written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched(TaskEvent):
    """The broker acknowledged the message."""

    task: str
    friend: str
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(TaskEvent):
    """The message wasn't published, or nobody can say whether it was."""

    reason: str
    uncertain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed(TaskEvent):
    """What is known of the task besides: where it is, or that nobody consumes its queue."""

    text: str
    against: bool = True
    """Whether it speaks against the task's success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent(TaskEvent):
    """The acknowledgement got lost, so the same message was offered again; it is queued once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted(TaskEvent):
    """A task that was sent before is watched again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled(TaskEvent):
    """The result backend was asked."""

    attempt: int
    """Counts from 1."""
    state: str
    """What the backend stores, or an empty string for nothing yet."""
    next_delay: float
    """Seconds until the next poll; 0 when there will be none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSeen(TaskEvent):
    """A state on the way: RECEIVED, STARTED, RETRY, or a custom one such as PROGRESS."""

    state: str
    meta: Any = None
    source: str = "backend"
    """Who said so: the result ``backend``, a worker's ``event``, or ``inspect``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded(TaskEvent):
    """The task returned."""

    result: Any
    done_at: float | None = None
    """When the worker ended it, by its clock; told of adopted tasks, which nobody watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(TaskEvent):
    """The task raised."""

    error_type: str
    error_message: str
    traceback: str = ""
    done_at: float | None = None
    """When the worker ended it, by its clock; told of adopted tasks, which nobody watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotelyRevoked(TaskEvent):
    """Somebody revoked the task before it finished."""

    reason: str = ""
    done_at: float | None = None
    """When the worker ended it, by its clock; told of adopted tasks, which nobody watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut(TaskEvent):
    """The wait is over; the task may still be running."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedLate(TaskEvent):
    """A task whose wait had timed out ended after all."""

    state: str
    result: Any = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStopped(TaskEvent):
    """The waiting asyncio.Task was cancelled; the remote task goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackStarted(TaskEvent):
    """A callback begins with the result."""

    callback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFinished(TaskEvent):
    """A callback returned."""

    callback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFailed(TaskEvent):
    """A callback raised."""

    callback: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten(TaskEvent):
    """The result was removed from the backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeSent(TaskEvent):
    """The task was revoked: part of its release, or asked for."""

    terminate: bool = False
    receipts: Sequence[Receipt] = ()
    """Which workers acknowledged."""
    asked: bool = False
    """True when somebody asked for it, False when it belongs to a finished task's release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainAdvanced(TaskEvent):
    """A chain's result was fed into its next task; ``task_id`` is the finished one."""

    next_task_id: str
    next_task: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost(Event):
    """The broker or the result backend stopped answering."""

    which: str
    """``broker`` or ``result backend``."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBack(Event):
    """It answers again."""

    which: str
