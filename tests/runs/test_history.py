"""The search line: read, and answered by the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from kimera_tui.errors import UsageError
from kimera_tui.process import events as e
from kimera_tui.runs.history import Search, Term, parse, seconds_of
from kimera_tui.runs.plan import Node, PlannedTask

from .lab import Clock, opened, task, whole_run


@pytest.mark.parametrize(
    ("line", "search"),
    [
        ("", Search()),
        ("report", Search((Term("word", "report"),))),
        ("-draft", Search((Term("word", "draft", negated=True),))),
        ("-", Search((Term("word", "-"),))),
        ("state:failed", Search((Term("state", "failed"),))),
        ("-state:done", Search((Term("state", "done", negated=True),))),
        ('exc:"no such table"', Search((Term("exc", "no such table"),))),
        ('state:"timed out"', Search((Term("state", "timed out"),))),
        ("since:1h30m", Search((), 5400.0)),
        ("friend:etl task:a.b", Search((Term("friend", "etl"), Term("task", "a.b")))),
        ("http://x", Search((Term("word", "http://x"),))),
        ("state:", Search((Term("word", "state:"),))),
        ("don't", Search((Term("word", "don't"),))),
    ],
)  # fmt: skip
def test_a_line_is_read(line: str, search: Search) -> None:
    assert parse(line) == search


@pytest.mark.parametrize("line", ["since:yesterday", "since:5", "since:-2h", 'a "b'])
def test_a_line_that_makes_no_sense_is_refused(line: str) -> None:
    with pytest.raises(UsageError):
        parse(line)


def test_durations() -> None:
    assert [seconds_of(text) for text in ("45s", "2h", "3d", "1w")] == [45, 7200, 259200, 604800]


async def found(journal, line: str) -> str:
    return " ".join(row.run_id for row in await journal.runs(line))


async def test_runs_are_found(tmp_path: Path) -> None:
    clock = Clock(1_010_000.0)
    async with opened(tmp_path / "s" / "runs.db", clock) as (journal, bus):
        await whole_run(journal, bus, "a", 1_000_000.0, 1, 2, 3, name="Daily 100% report_x")
        boom = e.Failed(at=1_001_001, task_id="b-0", error_type="OSError", error_message="no disk")
        await whole_run(journal, bus, "b", 1_001_000.0, boom, name="daily draft")
        other = Node("task", "0", task=PlannedTask("c-0", "etl", "load.rows"))
        await whole_run(journal, bus, "c", 1_009_000.0, 1, plan=other, name="load", parent="a")
        plan = Node("para", "", (task("0", "d-0", "draw"), task("1", "d-1", "draw")))
        await whole_run(journal, bus, "d", 1_009_500.0, 1, 2, plan=plan, name="draw | draw")

        assert await found(journal, "") == "d c b a"
        assert await found(journal, "daily") == "b a"
        assert await found(journal, "daily -draft") == "a"
        assert await found(journal, "0% _x") == "a"
        assert await found(journal, "state:failed") == "b"
        assert await found(journal, "-state:failed") == "d c a"
        assert await found(journal, "exc:oserror") == "b"
        assert await found(journal, 'exc:"no disk"') == "b"
        assert await found(journal, "friend:etl") == "c"
        assert await found(journal, "task:rows") == "c"
        assert await found(journal, "task:draw state:done") == "d"
        assert await found(journal, "since:20m") == "d c"
        assert await found(journal, "'; DROP TABLE run; --") == ""
        [row] = await journal.runs("friend:etl")
        assert (row.parent, row.friends, row.tasks) == ("a", ("etl",), ("etl.load.rows",))
        assert (row.done, row.total, row.status, row.ended) == (1, 1, "done", 1_009_001.0)
        assert [row.run_id for row in await journal.runs(limit=2)] == ["d", "c"]
