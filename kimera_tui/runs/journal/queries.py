"""Reads the journal: a run's events, the list of runs, how long a task usually takes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from kimera_tui.process.events import Event
from kimera_tui.runs.events import RunStarted, StepIntended, StepRetried
from kimera_tui.runs.journal.codec import decode
from kimera_tui.runs.search.query import RunRow
from kimera_tui.runs.search.sql import STATUS, Values, condition
from kimera_tui.runs.search.tree import Search

USUAL_OF = 200
"""A task's usual duration is told from so many of its last runs."""
_LEAST_FOR_USUAL = 3
_LAST_MOMENT = 253_402_300_800.0
"""The year 10000, from which on a moment can't be written as a date."""

_Cell = TypeVar("_Cell", str, int, float, tuple[str, ...])


def events_of_run(db: sqlite3.Connection, run_id: str) -> list[Event]:
    """Everything that happened to a run, in its order; empty for an unknown one."""
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
    payloads: dict[str | None, dict[str, Any]] = {}
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
    """The runs that meet a search, the latest first; it names no saved filters."""
    values: Values = {"now": now, "limit": limit}
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(
        f"SELECT run_id, name, {STATUS} AS status, started, ended, done, total, friends, tasks,"  # noqa: S608 - made of constants
        f" error, parent FROM run WHERE {condition(search, values)}"
        " ORDER BY started DESC, key DESC LIMIT :limit",
        values,
    )
    return [_row(row) for row in rows]


def usual(db: sqlite3.Connection, friend: str, task_name: str) -> tuple[float, float] | None:
    """Seconds that half and 95 % of a task's last successes took at most.

    From when a worker was seen to begin, or else from when it was sent.
    """
    rows = db.execute(
        "SELECT ended - began FROM step WHERE status = 'done' AND began IS NOT NULL"
        " AND friend = ? AND task = ? ORDER BY ended DESC LIMIT ?",
        (friend, task_name, USUAL_OF),
    )
    return _spread(rows)


def usual_of_run(db: sqlite3.Connection, name: str) -> tuple[float, float] | None:
    """Seconds that half and 95 % of the last runs of a name took at most that were done."""
    rows = db.execute(
        "SELECT ended - started FROM run WHERE status = 'done' AND ended IS NOT NULL"
        " AND name = ? ORDER BY started DESC LIMIT ?",
        (name, USUAL_OF),
    )
    return _spread(rows)


def _spread(rows: Iterable[Sequence[float]]) -> tuple[float, float] | None:
    """The median and 95th percentile; None for too few."""
    took = sorted(max(0.0, row[0]) for row in rows)
    if len(took) < _LEAST_FOR_USUAL:
        return None
    return _percentile(took, 0.5), _percentile(took, 0.95)


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Cells:
    """The cells of a row that another program may have written; notes which are of no use."""

    def __init__(self, row: sqlite3.Row) -> None:
        self._row = row
        self.wrong: list[str] = []

    def text(self, name: str) -> str:
        value = self._row[name]
        return value if isinstance(value, str) else self._unusable(name, "")

    def count(self, name: str) -> int:
        value = self._row[name]
        return value if isinstance(value, int) else self._unusable(name, 0)

    def moment(self, name: str) -> float:
        value = self._row[name]
        usable = isinstance(value, int | float) and 0 <= value < _LAST_MOMENT
        return value if usable else self._unusable(name, 0.0)

    def words(self, name: str) -> tuple[str, ...]:
        try:
            found = json.loads(self.text(name))
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            return tuple(found)
        return self._unusable(name, ())

    def _unusable(self, name: str, instead: _Cell) -> _Cell:
        self.wrong.append(name)
        return instead


def _row(row: sqlite3.Row) -> RunRow:
    cells = _Cells(row)
    found = RunRow(
        run_id=cells.text("run_id"),
        name=cells.text("name"),
        status=cells.text("status"),
        started=cells.moment("started"),
        ended=None if row["ended"] is None else cells.moment("ended"),
        done=cells.count("done"),
        total=cells.count("total"),
        friends=cells.words("friends"),
        tasks=cells.words("tasks"),
        error=cells.text("error"),
        parent=cells.text("parent"),
    )
    if not cells.wrong:
        return found
    damage = f"Damaged in the journal: {', '.join(dict.fromkeys(cells.wrong))}."
    return replace(found, error=" ".join(filter(None, [damage, found.error])))
