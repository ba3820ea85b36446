"""Facts about workers, queues and tasks: what was observed, by whom it was told, and when.

``at`` is when a fact arrived here, in seconds since the epoch by this machine's clock. A worker's
own clock is never compared with ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["event", "inspect", "queue"]
"""A worker's ``event``, a worker's reply to a question (``inspect``), or a look at the ``queue``
and the unacknowledged messages on the broker."""

Phase = Literal["running", "reserved", "scheduled"]
"""How a worker holds a task: it runs it, keeps it for the next free slot, or until its ETA."""

Report = Literal[
    "sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected"
]
"""What an event says of a task, named as the event without its ``task-``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something observed."""

    at: float


# --- workers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHeard(Fact):
    """A worker sent an event: a heartbeat, that it is online, or about a task."""

    worker: str
    every: float | None = None
    """Seconds between its heartbeats; None if the event does not say."""
    online: bool = False
    """Whether it said that it comes online."""
    pid: int | None = None
    """The process id of its parent process; it changes when the worker restarts."""
    active: int | None = None
    """How many tasks it runs."""
    processed: int | None = None
    """How many tasks it has run since its start."""
    load: tuple[float, ...] = ()
    """Its machine's load over 1, 5 and 15 minutes."""
    version: str = ""
    """Its version of Celery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLeft(Fact):
    """A worker said that it goes offline."""

    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAnswered(Fact):
    """A worker answered a question; what it was not asked is None."""

    worker: str
    queues: frozenset[str] | None = None
    registered: frozenset[str] | None = None
    limited: frozenset[str] = frozenset()
    """Those of ``registered`` that have a rate limit."""
    pool: str | None = None
    """The pool's kind: ``prefork``, ``threads``, ``solo``, ``gevent``, ``eventlet`` or another."""
    slots: int | None = None
    """How many tasks it can run at a time."""
    processes: int | None = None
    """How many processes its pool has; None for pools without."""
    pid: int | None = None
    began: float | None = None
    """When its process began or shortly before, in seconds since the epoch, by our clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSilent(Fact):
    """A worker was asked by name and did not answer in time."""

    worker: str
    asked_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGone(Fact):
    """The broker has no connection of the worker any more."""

    worker: str


# --- queues --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSeen(Fact):
    """The messages of a queue were counted."""

    queue: str
    ready: int
    """Messages that no worker has taken, of all priorities."""
    consumers: int | None = None
    """How many consumers it has; None where the broker does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerRestarted(Fact):
    """The broker's server was found to be another process than before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerBack(Fact):
    """The broker can be used again, after a time in which nobody could be heard."""


# --- tasks ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReported(Fact):
    """An event about a task."""

    task_id: str
    report: Report
    worker: str
    """The worker; for ``sent`` the program that sent it."""
    name: str = ""
    detail: str = ""
    """The exception of a failure or a retry; why a task was revoked."""
    queue: str = ""
    retries: int | None = None
    eta: str = ""
    runtime: float | None = None
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHeld(Fact):
    """A worker that was asked holds the task."""

    task_id: str
    worker: str
    phase: Phase
    acknowledged: bool = False
    """Whether its message is acknowledged, so that the task is lost if the worker dies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksNotHeld(Fact):
    """A worker that was asked holds none of these tasks."""

    task_ids: frozenset[str]
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQueued(Fact):
    """A task's message is in a queue."""

    task_id: str
    queue: str
    before: int
    """How many messages are taken first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUnacked(Fact):
    """A task's message was taken and is not acknowledged."""

    task_id: str
    back_at: float
    """The earliest time at which it may be delivered again, in seconds since the epoch."""
    doubt: str = ""
    """Which workers may have it and did not answer; empty if no worker that is left has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksMissing(Fact):
    """Tasks that a whole search did not find.

    It read their queues to the end, then the unacknowledged messages, and then had an answer of
    every known worker.
    """

    task_ids: frozenset[str]
    since: float
    """When the search began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksSought(Fact):
    """A search that did not find some tasks and may have missed them."""

    task_ids: frozenset[str]
    doubt: str
    """Why it may have missed them, such as the workers that did not answer."""
    left_queue: bool = False
    """Whether their queues were read to the end, so that they are in none of them."""
