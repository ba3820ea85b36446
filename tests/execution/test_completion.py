"""What the error says that ended a run."""

from __future__ import annotations

import asyncio

import pytest

from kimera_tui.errors import (
    BrokerUnavailable,
    KimeraError,
    PublishUncertain,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
    UsageError,
)
from kimera_tui.execution.completion import RunStopped, RunTimedOut, status_after
from kimera_tui.runs.status import Status


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TaskFailed("lab.step", "t", "ValueError", "no"), Status.FAILED),
        (UsageError("its condition cannot be evaluated"), Status.FAILED),
        (BrokerUnavailable("No broker."), Status.FAILED),
        (KimeraError("decided by ann"), Status.FAILED),
        (ValueError("a bug"), Status.FAILED),
        (TaskRevoked("lab.step", "t"), Status.REVOKED),
        (RunStopped(), Status.REVOKED),
        (TimeoutException("lab.step", "lab", 3, "t"), Status.TIMED_OUT),
        (RunTimedOut("The run timed out after 1s."), Status.TIMED_OUT),
        (PublishUncertain("The reply got lost."), Status.UNCERTAIN),
        (asyncio.CancelledError(), Status.INTERRUPTED),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else each.value,
)
def test_a_run_ends_as_its_error_says(error: BaseException, status: Status) -> None:
    assert status_after(error) is status
