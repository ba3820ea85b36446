"""Our own states of a step, which say what is known; Celery's PENDING is none of them."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The state of a step or run; each says what was seen for it to be shown."""

    WAITING = "waiting"
    """Nothing of it has been sent yet."""
    SENDING = "sending"
    """Its message is being published; the broker has not acknowledged it."""
    QUEUED = "queued"
    """The broker acknowledged the message; no worker was seen to have it."""
    RESERVED = "reserved"
    """A worker announced that it received the task; it was not seen to start it."""
    RUNNING = "running"
    """A worker announced the start, the backend stores STARTED, or a worker that was asked listed
    the task as active."""
    PROGRESS = "progress"
    """The backend stores a state of the task's own, such as PROGRESS."""
    RETRYING = "retrying"
    """The backend stores RETRY, or the attempt failed and the step's ``retry`` will send another
    one."""
    DONE = "done"
    """The backend gave its result; or that of an earlier run was reused, or an operator gave it."""
    FAILED = "failed"
    """The backend gave its exception; or it could not be sent, or an operator said so."""
    REVOKED = "revoked"
    """The backend stores REVOKED. A revoke that was only asked for is not enough."""
    TIMED_OUT = "timed out"
    """Its timeout passed and no end was seen. What the task did since then is not known."""
    FINISHED_LATE = "finished late"
    """It had timed out, and then the backend gave its end."""
    SKIPPED = "skipped"
    """It will never be sent: a step before it failed or timed out, or its condition could not be
    evaluated."""
    UNREACHABLE = "unreachable"
    """It will never be sent, though nothing before it failed: a step before it was revoked, the
    run was cancelled or ran out of time, or another branch failed and the para gave up."""
    UNCERTAIN = "uncertain"
    """Nobody can tell whether it was sent, or what became of it."""
    INTERRUPTED = "interrupted"
    """It had not ended when its console stopped, or it lacks a value that was never written down.
    ``resume`` continues it."""
    HANDED_OVER = "handed over"
    """Only of a run: the workers have it, and no console watches it."""
    NOT_NEEDED = "not needed"
    """It is not sent, and nothing is wrong: its condition did not hold, or it handles an error
    that did not happen."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected of the step."""
        return self in _ENDED

    @property
    def bad(self) -> bool:
        """Whether it ended, and not well."""
        return self in _ENDED and self not in (Status.DONE, Status.NOT_NEEDED)


_ENDED = frozenset(
    {
        Status.DONE,
        Status.FAILED,
        Status.REVOKED,
        Status.TIMED_OUT,
        Status.FINISHED_LATE,
        Status.SKIPPED,
        Status.UNREACHABLE,
        Status.UNCERTAIN,
        Status.INTERRUPTED,
        Status.NOT_NEEDED,
    }
)
