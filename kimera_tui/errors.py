"""All errors: each has a readable sentence, an exit code and, where it helps, a hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class KimeraError(Exception):
    """Base class of all errors raised by Kimera.

    Attributes:
        exit_code: The exit code of the command line.
        message: One sentence.
        hint: What the reader can do about it; may be empty.
        place: The step of a chain where it happened, such as "step 2 of 3"; may be empty.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class UsageError(KimeraError):
    """The call itself is wrong; nothing was sent."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting or configuration file is wrong; the message names it."""


class UnknownFriend(UsageError):
    """No friend of that name is configured."""


class NotSerialisable(UsageError):
    """An argument cannot be serialised; nothing was sent."""


class CeleryDisabled(KimeraError):
    """Celery is off, so nothing can be sent."""

    exit_code = 2

    def __init__(self) -> None:
        super().__init__(
            "Celery is turned off: set CELERY=1 in the environment or in .env to turn it on."
        )


class BrokerUnavailable(KimeraError):
    """The broker or the result backend is not available."""

    exit_code = 69


class PublishUncertain(BrokerUnavailable):
    """The connection was lost while publishing: the task may or may not be queued."""


class JournalError(KimeraError):
    """The journal cannot be written; nothing was sent."""


class RunRefused(KimeraError):
    """The run may not start now; nothing was sent."""


class ResultAtRisk(KimeraError):
    """A result is not safe yet: it must stay in the backend and not be released."""


class RunTaken(ResultAtRisk):
    """Another console owns the run, so this one neither sends nor releases its tasks."""


class TaskFailed(KimeraError):
    """The remote task raised.

    Attributes:
        task_id: Id of the failed task.
        task: Its full Celery name.
        error_type: Name of the remote exception's class; the class is never imported.
        error_message: Message of the remote exception.
        traceback: The remote traceback; may be empty.
    """

    def __init__(
        self, task: str, task_id: str, error_type: str, error_message: str, traceback: str = ""
    ) -> None:
        if error_type == "NotRegistered":
            super().__init__(f"The worker does not know task {task} (NotRegistered).")
        else:
            super().__init__(f"{task} failed: {error_type}: {error_message}")
        self.task = task
        self.task_id = task_id
        self.error_type = error_type
        self.error_message = error_message
        self.traceback = traceback


class TaskRevoked(KimeraError):
    """The remote task was revoked before it finished.

    Attributes:
        task_id: Id of the revoked task.
        task: Its full Celery name.
    """

    exit_code = 4

    def __init__(self, task: str, task_id: str, reason: str = "") -> None:
        why = f" ({reason})" if reason not in ("", "revoked") else ""
        super().__init__(f"{task} was revoked{why}")
        self.task = task
        self.task_id = task_id


class ResultUnknown(KimeraError):
    """The remote task ended, and nobody can read what it returned.

    It is not known to have failed, so it is neither repeated nor handled as a failure.

    Attributes:
        task_id: Id of the task.
        task: Its full Celery name.
        reason: Why the result is unknown, as a clause.
    """

    exit_code = 5

    def __init__(self, task: str, task_id: str, reason: str) -> None:
        super().__init__(f"{task} ended, and its result is unknown: {reason}")
        self.task = task
        self.task_id = task_id
        self.reason = reason


class TimeoutException(KimeraError):
    """A task did not finish in time; it continues remotely.

    Attributes:
        task_id: Id of the task.
        task: Its full Celery name.
        friend: Name of its friend.
        seconds: How long the caller waited.
    """

    exit_code = 3

    def __init__(self, task: str, friend: str, seconds: float, task_id: str) -> None:
        super().__init__(
            f"{task} on friend {friend} did not finish in {seconds:g} s (task id {task_id})"
        )
        self.task = task
        self.friend = friend
        self.seconds = seconds
        self.task_id = task_id


class EmbeddedError(KimeraError):
    """The embedded broker cannot be started or reached; the message says why."""

    exit_code: ClassVar[int] = 69


def near(word: str, known: Iterable[str]) -> str:
    """A sentence that suggests similar known words, or an empty string."""
    matches = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f" Near: {', '.join(f'`{match}`' for match in matches)}." if matches else ""
