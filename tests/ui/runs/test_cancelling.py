"""A run that is being cancelled shows how far that is, wherever runs are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kimera_tui.cli.progress import _bar
from kimera_tui.cli.runs import _line, _public
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.runs.events import RunCancelled, RunEnded
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.ui.runs import history_table
from kimera_tui.ui.runs.runs_table import _state, _steps
from tests.runs.test_cancel_report import para_of, sent, taken_out

EVENTS: list[Any] = [
    *map(sent, range(3)),
    RunCancelled(at=3.0, run_id="r", revoked=("t0", "t1", "t2")),
    taken_out(1),
]


def test_live_and_the_bar_of_a_command_show_it() -> None:
    book = RunIndex()
    book.apply_all([para_of(4), *EVENTS])
    assert _state(book.runs["r"]) == ("▶ cancelling", "warning")
    assert _steps(book.runs["r"]) == ("1/3", "")
    assert _bar(book.runs["r"]).endswith("0/4, cancelling 1/3")


async def test_the_journal_knows_it_until_the_run_has_ended(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.db", SystemClock())
    await journal.open()
    await journal.begin(para_of(4))
    for event in EVENTS:
        await journal.keep(event)
    (row,) = await journal.runs("run:r")
    assert row.cancelling == (1, 3)
    assert history_table._state(row) == ("▶ cancelling", "warning")
    assert history_table._steps(row) == ("1/3", "")
    assert "cancelling" in _line(row)
    shown = _public(row).cancelling
    assert shown is not None
    assert (shown.done, shown.of) == (1, 3)
    run = await journal.run("r")
    assert run.cancelling == (1, 3)
    await journal.keep(RunEnded(at=9.0, run_id="r", error="cancelled", status="revoked"))
    (row,) = await journal.runs("run:r")
    assert row.cancelling is None
    assert _public(row).cancelling is None
    await journal.close()
