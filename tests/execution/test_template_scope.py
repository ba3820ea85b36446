"""What is told of an error: by which name it goes, and whose it is."""

from __future__ import annotations

import pytest

from kimera_tui.errors import (
    KimeraError,
    PublishUncertain,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)
from kimera_tui.execution.template_scope import NOTHING, Scope


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TaskFailed("route.load", "1", "ValueError", "no"), "ValueError"),
        (TaskRevoked("route.load", "1"), "REVOKED"),
        (TimeoutException("route.load", "etl", 3, "1"), "TIMEOUT"),
        (PublishUncertain("The reply got lost."), "Uncertain"),
        (KimeraError("no such friend"), "NotSent"),
        (OSError("disk"), "OSError"),
    ],
)
def test_an_error_goes_by_its_name_and_that_of_its_task(error: Exception, kind: str) -> None:
    scope = Scope()
    scope.names["1"] = "etl.load"
    found = scope.at(NOTHING, error)["error"]
    assert found["type"] == kind
    assert found["task"] == ("etl.load" if hasattr(error, "task_id") else "")
