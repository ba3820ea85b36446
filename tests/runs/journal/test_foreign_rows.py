"""Rows that another program wrote: shown safely, and never in the way of the others."""

from __future__ import annotations

import json
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.journal import event_codec
from kimera_tui.runs.recovery import Past
from tests.runs.lab import Clock, opened, whole_run


async def two_runs(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "good", 1_000_000.0)
        await whole_run(journal, bus, "bad", 1_000_100.0)


def damage(path: Path, statement: str, *values: Any) -> None:
    db = sqlite3.connect(path)
    with db:
        assert db.execute(statement, values).rowcount > 0
    db.close()


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("started", "yesterday", "started"),
        ("started", 1e300, "started"),
        ("started", -1.0, "started"),
        ("ended", "never", "ended"),
        ("tasks", "{[", "tasks"),
        ("tasks", "[" * 5000, "tasks"),
        ("friends", "7", "friends"),
        ("friends", '["a", 7]', "friends"),
        ("name", b"\xff\xfe", "name"),
        ("error", b"\x00", "error"),
        ("status", b"\xff", "status"),
        ("parent", b"\xff", "parent"),
        ("done", "many", "done"),
    ],
)
async def test_one_bad_row_never_hides_the_others(
    tmp_path: Path, column: str, value: Any, kept: str
) -> None:
    path = tmp_path / "runs.db"
    await two_runs(path)
    damage(path, f"UPDATE run SET {column} = ? WHERE run_id = 'bad'", value)
    async with opened(path, Clock()) as (journal, _):
        rows = {row.run_id: row for row in await journal.runs("", 10, {})}
    assert set(rows) == {"good", "bad"}
    assert rows["good"].error == ""
    assert rows["bad"].error.startswith(f"Damaged in the journal: {kept}.")
    assert isinstance(rows["bad"].started, float)


@pytest.mark.parametrize(
    ("column", "value"), [("lease_until", "x"), ("recoveries", "x"), ("owner", b"\xff")]
)
async def test_an_open_run_with_a_bad_lease_is_left_alone(
    tmp_path: Path, column: str, value: Any
) -> None:
    path = tmp_path / "runs.db"
    await two_runs(path)
    damage(path, "UPDATE run SET ended = NULL, owner = ''")
    damage(path, f"UPDATE run SET {column} = ? WHERE run_id = 'bad'", value)
    async with opened(path, Clock()) as (journal, _):
        assert [run.run_id for run in await journal.open_runs()] == ["good"]


@pytest.mark.parametrize(
    "data",
    [
        "[]", "7", "null", "{", '{"name": 7}', '{"plan": 7}', '{"plan": {"kind": []}}',
        '{"inputs": 7}', '{"at": "noon"}', "[" * 100_000, b"\x00\x01", b"", zlib.compress(b"[]"),
    ],
)  # fmt: skip
async def test_an_event_of_another_shape_is_left_out(tmp_path: Path, data: str | bytes) -> None:
    path = tmp_path / "runs.db"
    await two_runs(path)
    for kind in event_codec.KINDS:
        for moment in (1_000_101.0, "noon"):
            damage(
                path,
                "INSERT INTO event (ts, run, path, kind, data)"
                " SELECT ?, key, '0', ?, ? FROM run WHERE run_id = 'bad'",
                moment,
                kind,
                data,
            )
    async with opened(path, Clock()) as (journal, _):
        index = RunIndex()
        index.apply_all(await journal.events_of("bad"))
        assert index.runs["bad"].total == 3
        assert Past.of(await journal.events_of("good")).run.run_id == "good"


def test_a_small_row_never_becomes_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_codec, "_LARGEST_TEXT", 100_000)
    columns = {"at": 1.0, "run_id": "r", "path": "0", "task_id": "t"}
    fine = zlib.compress(json.dumps({"result": "x" * 10_000}).encode())
    bomb = zlib.compress(json.dumps({"result": "x" * 1_000_000}).encode())
    assert event_codec.decode("Succeeded", fine, columns) is not None
    assert event_codec.decode("Succeeded", bomb, columns) is None
