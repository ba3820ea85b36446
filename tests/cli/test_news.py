"""What several sources say of a task is told once."""

from __future__ import annotations

from kimera_tui.cli.json_output.events import news_of
from kimera_tui.process.events import StateSeen
from kimera_tui.runs.event_text import Words
from kimera_tui.runs.index import RunIndex
from tests.runs.lab import dispatched, started


def start(source: str, worker: str = "w1@host", task_id: str = "r-0") -> StateSeen:
    meta = {"hostname": worker} if worker else None
    return StateSeen(at=1_000_002, task_id=task_id, state="STARTED", meta=meta, source=source)


def words_of(event: object, index: RunIndex) -> Words | None:
    return news_of(event, index)[1]


def test_a_start_is_reported_once_whoever_says_it_first() -> None:
    index = RunIndex()
    seen = [started("r"), dispatched("r-0"), start("inspect"), start("backend", ""), start("event")]
    shown = [words[0] for event in seen if (words := words_of(event, index)) is not None]
    assert shown == ["run", "dispatched", "started"]
    assert words_of(start("event", "w2@host"), index) == ("started", "active", "on w2@host")
    assert words_of(start("event", task_id="r-1"), index) == ("started", "active", "on w1@host")
    assert words_of(StateSeen(at=1, task_id="r-0", state="RETRY"), index) is not None
    assert words_of(start("event", "w2@host"), index) is not None
