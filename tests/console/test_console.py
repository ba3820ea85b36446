"""The console as a whole: started once, and never blocking the loop."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from kimera_tui.execution.cancel import _outcome
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.runs.index import RunIndex
from tests.console.test_guard import MENDED_BY_GLASS, left
from tests.console.test_states import connected


async def test_what_was_begun_is_not_begun_again(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(broker_url, tmp_path, monkeypatch) as console:
        connection, journal = console.connection, console.journal
        idle = (connection.started_runner, connection._polling, [*journal._background])
        await console.start()
        assert idle == (connection.started_runner, connection._polling, journal._background)


async def test_whole_runs_are_folded_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folding: list[threading.Thread] = []
    apply_all = RunIndex.apply_all

    def noted(index: RunIndex, events: Iterable[object]) -> set[str]:
        folding.append(threading.current_thread())
        return apply_all(index, events)

    async with left(tmp_path, monkeypatch, MENDED_BY_GLASS) as console:
        monkeypatch.setattr(RunIndex, "apply_all", noted)
        await console.runs.replay_plan("r", ReplayRequest())
        assert await console.workflows.last_run("run r") is not None
        await console.journal.run("r")
        await _outcome(console.journal, "r")
    assert len(folding) >= 4
    assert threading.main_thread() not in folding
