"""Our own states of a step, which say what is known; Celery's PENDING is none of them."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    SENDING = "sending"
    QUEUED = "queued"
    RESERVED = "reserved"
    RUNNING = "running"
    PROGRESS = "progress"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    REVOKED = "revoked"
    TIMED_OUT = "timed out"
    FINISHED_LATE = "finished late"
    SKIPPED = "skipped"
    UNREACHABLE = "unreachable"
    UNCERTAIN = "uncertain"
    INTERRUPTED = "interrupted"
    HANDED_OVER = "handed over"
    NOT_NEEDED = "not needed"

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
