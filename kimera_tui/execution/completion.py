"""How steps and runs end: the outcome of a step in the journal, and what ends a run."""

from __future__ import annotations

import asyncio
from typing import Any

from kimera_tui.errors import (
    KimeraError,
    PublishUncertain,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)
from kimera_tui.redaction import MASK
from kimera_tui.runs.state import StepState
from kimera_tui.runs.status import Status
from kimera_tui.values.placeholders import Withheld

GIVEN_UP = "another branch failed"
"""Why a step isn't sent any more of which the run goes on."""


class RunStopped(KimeraError):
    """Nothing more is sent, because the run was cancelled or a part of it was given up.

    Attributes:
        because: Why, in a few words.
    """

    exit_code = 4

    def __init__(self, because: str = "the run was cancelled") -> None:
        super().__init__(f"{because[:1].upper()}{because[1:]}.")
        self.because = because


class RunTimedOut(KimeraError):
    """The run did not end in its time: what was in flight is revoked, nothing more is sent."""

    exit_code = 3


def outcome_of(step: StepState) -> Any:
    """The result of a step that has ended; raises the error that it ended with."""
    match step.status:
        case Status.DONE:
            return step.result
        case Status.NOT_NEEDED:
            return None
        case Status.FAILED if step.error_type not in ("NotSent", "Uncertain"):
            said = step.error_message
            if MASK in said:  # a step that is run for it mustn't take that for what was said
                said = Withheld("error.message", said)
            raise TaskFailed(step.name, step.task_id, step.error_type, said, step.traceback)
        case Status.REVOKED:
            raise TaskRevoked(step.name, step.task_id)
        case Status.TIMED_OUT | Status.FINISHED_LATE:
            raise TimeoutException(step.name, step.friend, step.timeout or 0, step.task_id)
        case Status.UNCERTAIN:
            raise PublishUncertain(step.cause)
    raise KimeraError(step.cause)


def reason(error: KimeraError) -> str:
    """Why a step is tried again, in a few words."""
    match error:
        case TaskFailed():
            return f"{error.error_type}: {error.error_message}"
        case TaskRevoked():
            return "it was revoked"
        case TimeoutException():
            return f"no result in {error.seconds:g} s"
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
    return Status.FAILED
