"""The states of a step: what has been seen of it. Celery's PENDING, which says nothing, is none."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The state of a step or run, each with what must have been seen for it to be shown.

    ``fold`` in ``state.py`` decides them; docs/runs.md has the table with what follows from each.
    """

    WAITING = "waiting"
    """Nothing: it has not been sent."""
    SENDING = "sending"
    """Its message is being published; the broker has not acknowledged it."""
    QUEUED = "queued"
    """The broker acknowledged the message, workers sent it, or it was found in its queue; no worker
    was seen to have it."""
    RESERVED = "reserved"
    """A worker reported that it received the task, or listed it when asked; its start was not
    seen."""
    RUNNING = "running"
    """A worker reported the start, the backend stores STARTED, or a worker that was asked listed
    the task as active."""
    PROGRESS = "progress"
    """The backend stores a custom state, such as PROGRESS."""
    LOST = "lost"
    """A worker had it that is gone, or a whole search found it in no queue and with no worker. It
    has not ended: the broker may deliver it again, and a worker that was cut off may finish it."""
    RETRYING = "retrying"
    """The backend stores RETRY, or another attempt is due: by the step's ``retry``, because the
    step is idempotent and its fate unknown, or because an operator decided so."""
    DONE = "done"
    """The backend returned its result, an earlier run's result was reused, or an operator supplied
    one."""
    FAILED = "failed"
    """The backend returned its exception, it could not be sent, or an operator decided so."""
    REVOKED = "revoked"
    """The backend stores REVOKED, and its worker reported that it dropped the task, or neither its
    queue nor a worker has it. A revoke that workers acknowledged is not enough."""
    TIMED_OUT = "timed out"
    """Its timeout passed without an end being seen. The task may still be running."""
    FINISHED_LATE = "finished late"
    """It had timed out, and then the backend returned its end."""
    RESULT_UNKNOWN = "ended, result unknown"
    """The backend stores its end in a form that is not read, or its worker reported the end of a
    task whose result is stored nowhere. Nothing says that it failed."""
    SKIPPED = "skipped"
    """It will not be sent: a step upstream failed, timed out or is uncertain, it needs a result
    that is unknown, or its condition could not be evaluated."""
    UNREACHABLE = "unreachable"
    """It will not be sent, and not because of an upstream failure: a step upstream was revoked, the
    run was cancelled or timed out, or its para gave up when another branch failed."""
    UNCERTAIN = "uncertain"
    """Nothing can tell whether the broker received it, or what became of it."""
    INTERRUPTED = "interrupted"
    """It had not ended when its console stopped, or it needs a value that was never stored.
    ``resume`` continues it."""
    HANDED_OVER = "handed over"
    """Runs only: its workers have it, and no console watches it."""
    NOT_NEEDED = "not needed"
    """It will not be sent, as intended: its condition did not hold, or the error that it handles
    did not occur."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected of the step."""
        return self in _ENDED

    @property
    def short(self) -> str:
        """Its name in lists and searches."""
        return "unknown result" if self is Status.RESULT_UNKNOWN else self.value

    @property
    def bad(self) -> bool:
        """Whether it ended other than as intended."""
        return self in _ENDED and self not in (Status.DONE, Status.NOT_NEEDED)


_ENDED = frozenset(
    {
        Status.DONE,
        Status.FAILED,
        Status.REVOKED,
        Status.TIMED_OUT,
        Status.FINISHED_LATE,
        Status.RESULT_UNKNOWN,
        Status.SKIPPED,
        Status.UNREACHABLE,
        Status.UNCERTAIN,
        Status.INTERRUPTED,
        Status.NOT_NEEDED,
    }
)
