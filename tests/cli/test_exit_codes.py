"""The exit code of a run: its error's where that has one of its own, else its state's."""

from __future__ import annotations

import pytest

from kimera_tui.cli.exit_codes import code_of
from kimera_tui.errors import (
    BrokerUnavailable,
    KimeraError,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
    UsageError,
)
from kimera_tui.execution.completion import RunStopped, RunTimedOut


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (None, "done", 0),
        (None, "failed", 1),
        (None, "timed out", 3),
        (None, "revoked", 4),
        (TaskFailed("t", "i", "ValueError", "no"), "failed", 1),
        (TimeoutException("t", "f", 1, "i"), "timed out", 3),
        (TaskRevoked("t", "i"), "revoked", 4),
        (BrokerUnavailable("away"), "failed", 69),
        (RunTimedOut("late"), "revoked", 3),
        (RunStopped(), "revoked", 4),
        (UsageError("its condition cannot be evaluated"), "skipped", 1),
        (KimeraError("odd"), "done", 1),
        (KimeraError("odd"), "timed out", 3),
    ],
)
def test_a_run_leaves_with_the_code_that_says_how_it_ended(
    error: KimeraError | None, status: str, code: int
) -> None:
    assert code_of(error, status) == code
