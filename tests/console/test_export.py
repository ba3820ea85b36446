"""A run written to a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kimera_tui.console.export import write_run
from kimera_tui.errors import UsageError
from kimera_tui.process import events as e
from kimera_tui.values.placeholders import TooLarge
from tests.runs.lab import started


def test_values_of_any_depth_and_what_was_not_kept_are_written(tmp_path: Path) -> None:
    deep: list[object] = []
    for _ in range(2000):
        deep = [deep]
    events = [
        started("r-export", at=1),
        e.Succeeded(at=2, task_id="r-0", result=deep),
        e.Succeeded(at=3, task_id="r-1", result=TooLarge(9 << 20)),
        e.Succeeded(at=4, task_id="r-2", result={"password": "canary"}),
    ]
    path = write_run(tmp_path, "r-export", events)
    exported = json.loads(path.read_text())
    assert [row["event"] for row in exported["events"]] == ["RunStarted", *["Succeeded"] * 3]
    assert "canary" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="already exists; it was not changed"):
        write_run(tmp_path, "r-export", events)
