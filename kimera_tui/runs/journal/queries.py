"""Reads the journal: a run's events, the list of runs, and usual durations."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from kimera_tui.process.events import Event
from kimera_tui.runs.events import RunStarted, StepIntended, StepRetried
from kimera_tui.runs.journal.event_codec import decode
from kimera_tui.runs.search.query import RunRow
from kimera_tui.runs.search.sql import STATUS, Values, condition
from kimera_tui.runs.search.tree import Search

USUAL_SAMPLE = 200
"""How many of the last successes a usual duration is computed from."""
_SMALLEST_SAMPLE = 3
_LAST_TIME = 253_402_300_800.0
"""The year 10000, from which times can't be formatted as dates."""

_Cell = TypeVar("_Cell", str, int, float, tuple[str, ...])


def events_of_run(db: sqlite3.Connection, run_id: str) -> list[Event]:
    """All events of a run, in order; empty for an unknown run.

    Rows that another program or a newer version wrote and that can't be decoded are left out.
    """
    found = db.execute("SELECT key FROM run WHERE run_id = ?", (run_id,)).fetchone()
    if found is None:
        return []
    rows = db.execute(
        "SELECT ts, path, kind, data FROM event WHERE run = ?"
        " AND typeof(ts) IN ('real', 'integer') ORDER BY seq",
        found,
    )
    events: list[Event] = []
    tasks: dict[str | None, str] = {}
    payloads: dict[str | None, Mapping[str, Any]] = {}
    for ts, path, kind, data in rows:
        columns = {
            "at": ts,
            "run_id": run_id,
            "path": path,
            "task_id": tasks.get(path, ""),
            **(payloads.get(path, {"args": (), "kwargs": {}}) if kind == "Sending" else {}),
        }
        event = decode(kind, data, columns)
        if isinstance(event, RunStarted):
            tasks = {path: task.task_id for path, task in event.plan.leaves()}
        elif isinstance(event, StepRetried):
            tasks[path] = event.task_id
        elif isinstance(event, StepIntended):
            kwargs = dict(event.kwargs)
            payloads[path] = {"args": event.args, "kwargs": kwargs, "secret": event.secret}
        if event is not None:
            events.append(event)
    return events


def runs(db: sqlite3.Connection, search: Search, limit: int, now: float) -> list[RunRow]:
    """The runs that match a search without saved filters, the latest first."""
    values: Values = {"now": now, "limit": limit}
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(
        f"SELECT run_id, name, {STATUS} AS status, started, ended, done, total, friends, tasks,"  # noqa: S608 - made of constants
        f" error, parent, stopped, stopping FROM run WHERE {condition(search, values)}"
        " ORDER BY started DESC, key DESC LIMIT :limit",
        values,
    )
    return [_row(row) for row in rows]


def usual(db: sqlite3.Connection, friend: str, task_name: str) -> tuple[float, float] | None:
    """Seconds within which 50 % and 95 % of a task's last successes ended; None if too few.

    They count from when a worker was seen to start the task, or else from when it was sent.
    """
    rows = db.execute(
        "SELECT ended - began FROM step WHERE status = 'done' AND began IS NOT NULL"
        " AND friend = ? AND task = ? ORDER BY ended DESC LIMIT ?",
        (friend, task_name, USUAL_SAMPLE),
    )
    return _median_and_95th(rows)


def usual_of_run(db: sqlite3.Connection, name: str) -> tuple[float, float] | None:
    """Seconds within which 50 % and 95 % of a workflow's last runs were done; None if too few."""
    rows = db.execute(
        "SELECT ended - started FROM run WHERE status = 'done' AND ended IS NOT NULL"
        " AND name = ? ORDER BY started DESC LIMIT ?",
        (name, USUAL_SAMPLE),
    )
    return _median_and_95th(rows)


def _median_and_95th(rows: Iterable[Sequence[float]]) -> tuple[float, float] | None:
    durations = sorted(max(0.0, row[0]) for row in rows)
    if len(durations) < _SMALLEST_SAMPLE:
        return None
    return _percentile(durations, 0.5), _percentile(durations, 0.95)


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Cells:
    """The cells of a row that another program may have written; notes which are unusable."""

    def __init__(self, row: sqlite3.Row) -> None:
        self._row = row
        self.unusable: list[str] = []

    def text(self, name: str) -> str:
        value = self._row[name]
        return value if isinstance(value, str) else self._unusable(name, "")

    def count(self, name: str) -> int:
        value = self._row[name]
        return value if isinstance(value, int) else self._unusable(name, 0)

    def time(self, name: str) -> float:
        value = self._row[name]
        usable = isinstance(value, int | float) and 0 <= value < _LAST_TIME
        return value if usable else self._unusable(name, 0.0)

    def names(self, name: str) -> tuple[str, ...]:
        try:
            names = json.loads(self.text(name))
        except (ValueError, RecursionError):
            names = None
        if isinstance(names, list) and all(isinstance(each, str) for each in names):
            return tuple(names)
        return self._unusable(name, ())

    def _unusable(self, name: str, default: _Cell) -> _Cell:
        self.unusable.append(name)
        return default


def _row(row: sqlite3.Row) -> RunRow:
    cells = _Cells(row)
    run = RunRow(
        run_id=cells.text("run_id"),
        name=cells.text("name"),
        status=cells.text("status"),
        started=cells.time("started"),
        ended=None if row["ended"] is None else cells.time("ended"),
        done=cells.count("done"),
        total=cells.count("total"),
        friends=cells.names("friends"),
        tasks=cells.names("tasks"),
        error=cells.text("error"),
        parent=cells.text("parent"),
        cancelling=None
        if row["stopping"] is None
        else (cells.count("stopped"), cells.count("stopping")),
    )
    if not cells.unusable:
        return run
    damage = f"Damaged in the journal: {', '.join(dict.fromkeys(cells.unusable))}."
    return replace(run, error=" ".join(filter(None, [damage, run.error])))
