"""Reads the journal: a run's events, the list of runs, how long a task usually takes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from kimera_tui.process.events import Event
from kimera_tui.runs.codec import decode
from kimera_tui.runs.events import RunStarted, StepIntended, StepRetried
from kimera_tui.runs.history import RunRow
from kimera_tui.runs.search_sql import STATUS, Values, condition
from kimera_tui.runs.search_tree import Search

USUAL_OF = 200
"""A task's usual duration is told from so many of its last runs."""
_LEAST_FOR_USUAL = 3


def events_of_run(db: sqlite3.Connection, run_id: str) -> list[Event]:
    """Everything that happened to a run, in its order; empty for an unknown one."""
    found = db.execute("SELECT key FROM run WHERE run_id = ?", (run_id,)).fetchone()
    if found is None:
        return []
    rows = db.execute("SELECT ts, path, kind, data FROM event WHERE run = ? ORDER BY seq", found)
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
    rows = db.execute(
        f"SELECT run_id, name, {STATUS}, started, ended, done, total, friends, tasks, error, parent"  # noqa: S608 - made of constants
        f" FROM run WHERE {condition(search, values)}"
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


def _row(row: Sequence[Any]) -> RunRow:
    return RunRow(
        run_id=row[0],
        name=row[1],
        status=row[2],
        started=row[3],
        ended=row[4],
        done=row[5],
        total=row[6],
        friends=tuple(json.loads(row[7])),
        tasks=tuple(json.loads(row[8])),
        error=row[9],
        parent=row[10],
    )
