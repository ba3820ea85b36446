"""One tree of errors: each has a sentence for people, an exit code and, where one helps, a hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class KimeraError(Exception):
    """Anything Kimera says no to.

    Attributes:
        exit_code: What the command line exits with.
        hint: What the reader can do about it, or an empty string.
        place: Where in a chain it happened ("step 2 of 3"), or an empty string.
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
    """The call itself is wrong: nothing was sent."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting or a file that Kimera reads is wrong; the message names it."""


class UnknownFriend(UsageError):
    """No friend of that name is configured."""


class NotSerialisable(UsageError):
    """An argument can't be written in the message's serializer: nothing was sent."""


class CeleryDisabled(KimeraError):
    """Celery is off, so nothing can be sent."""

    exit_code = 2

    def __init__(self) -> None:
        super().__init__(
            "Celery is turned off: set CELERY=1 in the environment or in .env to turn it on."
        )


class BrokerUnavailable(KimeraError):
    """The broker or the result backend can't be used now."""

    exit_code = 69


class PublishUncertain(BrokerUnavailable):
    """The connection was lost while publishing: the task may or may not be queued."""


class JournalError(KimeraError):
    """The journal can't be written now: nothing was sent."""


class RunRefused(KimeraError):
    """The run may not begin now: nothing was sent."""


class ResultAtRisk(KimeraError):
    """A result isn't in safety yet: it must stay where it is, not be released."""


class RunTaken(ResultAtRisk):
    """Another console has the run, so this one neither sends nor releases anything of it."""


class TaskFailed(KimeraError):
    """The remote task raised.

    Attributes:
        task_id: Id of the failed task.
        task: Its full Celery name.
        error_type: Name of the remote exception's class, as text; it is never imported.
        error_message: What the remote exception said.
        traceback: The remote traceback, or an empty string.
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
    """The remote task was revoked before it finished."""

    exit_code = 4

    def __init__(self, task: str, task_id: str, reason: str = "") -> None:
        why = f" ({reason})" if reason not in ("", "revoked") else ""
        super().__init__(f"{task} was revoked{why}")
        self.task = task
        self.task_id = task_id


class TimeoutException(KimeraError):
    """A task didn't finish in time; it is left running remotely."""

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
    """The embedded broker can't be started or reached; the message says why in one sentence."""

    exit_code: ClassVar[int] = 69


def near(word: str, known: Iterable[str]) -> str:
    """A sentence that names what was probably meant, or an empty string."""
    matches = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f" Near: {', '.join(f'`{match}`' for match in matches)}." if matches else ""
