"""The outcomes of steps and runs."""

from __future__ import annotations

import asyncio
from typing import Any

from kimera_tui.errors import (
    KimeraError,
    PublishUncertain,
    ResultUnknown,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)
from kimera_tui.redaction import MASK
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.values.placeholders import UnknownResult, Withheld

GIVEN_UP = "another branch failed"
"""Why a step is no longer sent although its run continues."""


class RunStopped(KimeraError):
    """Nothing more is sent: the run was cancelled, or a para gave up.

    Attributes:
        because: The reason, in a few words.
    """

    exit_code = 4

    def __init__(self, because: str = "the run was cancelled") -> None:
        super().__init__(f"{because[:1].upper()}{because[1:]}.")
        self.because = because


class RunTimedOut(KimeraError):
    """The run timed out: what was in flight is revoked, and nothing more is sent."""

    exit_code = 3


class ResultNeeded(KimeraError):
    """A step was not sent, because it needs a result that is unknown.

    Attributes:
        unknown: The stand-in for that result.
        because: The reason, as a clause.
    """

    exit_code = 5

    def __init__(self, name: str, unknown: UnknownResult) -> None:
        self.unknown = unknown
        self.because = f"{name} was not sent: {unknown.why}"
        super().__init__(f"{self.because}.")


def outcome_of(step: StepState) -> Any:
    """The result of a step that has ended; raises the error it ended with."""
    match step.status:
        case Status.DONE:
            return step.result
        case Status.NOT_NEEDED:
            return None
        case Status.FAILED if step.error_type not in ("NotSent", "Uncertain"):
            message = step.error_message
            if MASK in message:  # an error handler must not send the mask as if it were the text
                message = Withheld("error.message", message)
            raise TaskFailed(step.name, step.task_id, step.error_type, message, step.traceback)
        case Status.REVOKED:
            raise TaskRevoked(step.name, step.task_id)
        case Status.TIMED_OUT | Status.FINISHED_LATE:
            raise TimeoutException(step.name, step.friend, step.timeout or 0, step.task_id)
        case Status.UNCERTAIN:
            raise PublishUncertain(step.cause)
        case Status.RESULT_UNKNOWN:
            raise ResultUnknown(step.name, step.task_id, step.cause)
    raise KimeraError(step.cause)


def reason(error: KimeraError) -> str:
    """Why a step is retried, in a few words."""
    match error:
        case TaskFailed():
            return f"{error.error_type}: {error.error_message}"
        case TaskRevoked():
            return "the task was revoked"
        case TimeoutException():
            return f"no result within {error.seconds:g} s"
    return str(error)


def status_after(error: BaseException) -> Status:
    """The status of a run that ended with an error."""
    match error:
        case asyncio.CancelledError():
            return Status.INTERRUPTED
        case RunTimedOut() | TimeoutException():
            return Status.TIMED_OUT
        case RunStopped() | TaskRevoked():
            return Status.REVOKED
        case PublishUncertain():
            return Status.UNCERTAIN
        case ResultUnknown() | ResultNeeded():
            return Status.RESULT_UNKNOWN
    return Status.FAILED
