"""Events of the engine: frozen facts with a time, from which all other state is computed."""

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
    """The message was not published, or it is unknown whether it was."""

    reason: str
    uncertain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed(TaskEvent):
    """Other knowledge of the task: where it is, or that no worker consumes its queue."""

    text: str
    against: bool = True
    """Whether it endangers the task's success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent(TaskEvent):
    """The acknowledgement was lost, so the message was published again; it is queued once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted(TaskEvent):
    """A task sent earlier is watched again."""

    friend: str = ""
    queue: str = ""
    """The queue it was sent to, or else its friend's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(TaskEvent):
    """Where a task in flight is, as observed from workers and queues; announced when it changes."""

    where: str
    """``queued``, ``held``, ``silent``, ``lost``, ``left``, ``unacked``, ``missing``, ``unseen`` or
    ``ended``; see ``kimera_tui.cluster.sightings.Where``."""
    worker: str = ""
    """The worker that has it, or had it last."""
    phase: str = ""
    """How the worker holds it: ``running``, ``reserved`` or ``scheduled``."""
    queue: str = ""
    before: int = 0
    """How many messages of the queue are taken first."""
    since: float = 0.0
    """When its worker was last heard, or when it was first missed, in seconds since the epoch."""
    back_at: float = 0.0
    """From when its unacknowledged message may be delivered again; 0 if it has none."""
    confirmed_at: float = 0.0
    """When that was last confirmed, in seconds since the epoch; 0 for never."""
    source: str = "inspect"
    """A worker's ``event``, its reply when asked (``inspect``), or a look at the ``queue``."""
    earlier: str = ""
    """Another worker that had started it before; the task may run twice."""
    restarted: bool = False
    """Whether its worker, or without one its broker, went down and is back, without the task."""
    doubt: str = ""
    """Why nothing certain can be said, such as the workers that do not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled(TaskEvent):
    """The result backend was polled."""

    attempt: int
    """Counts from 1."""
    state: str
    """The stored state; empty for nothing yet."""
    next_delay: float
    """Seconds until the next poll; 0 if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSeen(TaskEvent):
    """An intermediate state: RECEIVED, STARTED, RETRY, or a custom one such as PROGRESS."""

    state: str
    meta: Any = None
    """Of a RETRY ``error_type``, ``error_message`` and, if known, ``retries`` made before it."""
    source: str = "backend"
    """Its source: the result ``backend``, a worker's ``event``, or ``inspect``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded(TaskEvent):
    """The task returned."""

    result: Any
    done_at: float | None = None
    """When the worker finished it, by the worker's clock; set for adopted tasks only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned(TaskEvent):
    """The task had sent other tasks; told just before its success."""

    children: Sequence[str]
    """Their ids, at most a hundred."""
    total: int
    """How many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(TaskEvent):
    """The task raised."""

    error_type: str
    error_message: str
    traceback: str = ""
    done_at: float | None = None
    """When the worker finished it, by the worker's clock; set for adopted tasks only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotelyRevoked(TaskEvent):
    """The task was revoked before it finished."""

    reason: str = ""
    done_at: float | None = None
    """When the worker finished it, by the worker's clock; set for adopted tasks only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedUnknown(TaskEvent):
    """The task ended, and nobody can read what it returned; its callbacks are not called."""

    reason: str
    """Why the result is unknown, as a clause."""
    done_at: float | None = None
    """When the worker finished it, by the worker's clock; set for adopted tasks only."""
    source: str = "backend"
    """Who told the end; see ``StateSeen``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut(TaskEvent):
    """The wait timed out; the task may still be running."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedLate(TaskEvent):
    """A task ended after its wait had timed out."""

    state: str
    """SUCCESS, FAILURE, REVOKED, or ENDED with a result that is unknown."""
    result: Any = None
    error: str = ""
    """Its exception; for ENDED why the result is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStopped(TaskEvent):
    """The waiting asyncio.Task was cancelled; the remote task continues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackStarted(TaskEvent):
    """A callback was called with the result."""

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
    """A revoke was broadcast: as part of the task's release, or on request."""

    terminate: bool = False
    receipts: Sequence[Receipt] = ()
    """Which workers acknowledged."""
    asked: bool = False
    """True if requested, False for the release of a finished task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOut(TaskEvent):
    """The waiting message was taken out of its queue on request: the task will never run."""

    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainAdvanced(TaskEvent):
    """A result was fed into the chain's next task; ``task_id`` is the finished task."""

    next_task_id: str
    next_task: str
    """Name of the next task, without its friend's route."""
    place: str
    """The next step's place in the chain, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyRevoked(Event):
    """So many tasks were revoked within three hours that workers may forget some of them."""

    count: int

    @property
    def text(self) -> str:
        """What that means and what to do, in sentences."""
        return (
            f"{self.count:,} tasks were revoked within three hours, released ones included."
            " A worker remembers 50,000: it may run a revoked task that it has forgotten."
            " `release: forget` at a friend in friends.yaml releases without a revoke."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost(Event):
    """The broker or the result backend became unavailable."""

    which: str
    """``broker`` or ``result backend``."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBack(Event):
    """The broker or the result backend is available again."""

    which: str
