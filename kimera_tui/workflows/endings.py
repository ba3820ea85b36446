"""How a step of the past ended, given once more."""

from __future__ import annotations

from typing import Any

from kimera_tui.errors import (
    KimeraError,
    PublishUncertain,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)
from kimera_tui.runs.state import StepState
from kimera_tui.runs.status import Status


def given(step: StepState) -> Any:
    """What a step that has ended gave: its result, or the error that it ended with."""
    match step.status:
        case Status.DONE:
            return step.result
        case Status.NOT_NEEDED:
            return None
        case Status.FAILED if step.error_type != "NotSent":
            raise TaskFailed(
                step.name, step.task_id, step.error_type, step.error_message, step.traceback
            )
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
