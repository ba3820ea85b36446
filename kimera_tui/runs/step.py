"""What is known of one step, and what was known when it timed out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kimera_tui.runs.status import Status


@dataclass(frozen=True, slots=True)
class LastKnown:
    """What was known of a task when its wait timed out."""

    status: Status
    cause: str
    source: str
    since: float
    """When it entered that status, in seconds since the epoch."""
    age: float
    """Seconds from then to the timeout."""


@dataclass(frozen=True, slots=True)
class StepState:
    """What is known of one step."""

    path: str
    task_id: str
    friend: str
    task_name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    timeout: float | None
    secret: frozenset[str]
    """Names in ``kwargs`` whose values are never shown or written."""
    since: float
    """When it entered its status, in seconds since the epoch."""
    status: Status = Status.WAITING
    cause: str = ""
    """Why it has its status, for people."""
    source: str = "engine"
    """Who reported it: ``engine``, ``backend``, ``event`` (a worker's), ``inspect`` (a worker's
    reply), ``journal`` or ``operator``."""
    confirmed_at: float | None = None
    """When its status was last confirmed, in seconds since the epoch; None before anything was."""
    planned_at: float = 0.0
    """When its run started."""
    sent_at: float | None = None
    """When the broker acknowledged it; None if it did not, or a worker sent it unobserved."""
    adopted_at: float | None = None
    """When a console last resumed watching it; earlier events may have gone unobserved."""
    started_at: float | None = None
    """When a worker was first seen to run it; None if its start was never reported."""
    ended_at: float | None = None
    polls: int = 0
    """How often the result backend was asked for its result."""
    progress: tuple[float, float] | None = None
    """Done and total, as the task reported them."""
    result: Any = None
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    queue: str = ""
    """The queue it was sent to; its friend may have another queue by now."""
    worker: str = ""
    """The worker last seen to have it; empty if none was."""
    last_known: LastKnown | None = None
    """Set if the step timed out."""
    released: bool = False
    """Whether its result was removed from the backend."""
    children: Sequence[str] = ()
    """Ids of the tasks that its task spawned, at most a hundred."""
    children_total: int = 0
    """How many it spawned."""
    attempt: int = 1
    """Counts from 1."""
    next_try: float | None = None
    """When the next attempt is sent, in seconds since the epoch."""
    id: str = ""
    """The step's id in its document; empty for plain calls."""
    taken_out: bool = False
    """Whether its message was taken out of the queue, so that it never ran and never will."""
    revoke_asked: str = ""
    """``revoke`` or ``terminate``, whichever was last asked for; empty if neither was."""
    revoked_by: Sequence[str] = ()
    """The workers that acknowledged it, whether they had the task or not."""

    @property
    def name(self) -> str:
        """The friend and task, such as ``shop.mail``."""
        return f"{self.friend}.{self.task_name}"

    @property
    def was_sent(self) -> bool:
        """Whether the broker received it, from this console or from a worker."""
        return self.sent_at is not None or self.adopted_at is not None

    @property
    def began_at(self) -> float | None:
        """When a worker was seen to start it, or else when it was sent; None if unobserved."""
        started, adopted = self.started_at, self.adopted_at
        if started is None or adopted is None or started < adopted or self.sent_at == adopted:
            return started or self.sent_at
        return None
