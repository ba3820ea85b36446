"""Reads the journal: a run's events, the list of runs, how long a task usually takes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from kimera_tui.process.events import Event
from kimera_tui.runs.codec import decode
from kimera_tui.runs.events import RunStarted, StepIntended
from kimera_tui.runs.history import RunRow, Search, Term

USUAL_OF = 200
"""A task's usual duration is told from so many of its last runs."""
_LEAST_FOR_USUAL = 3

_HAS: dict[str, str] = {
    "word": "(run.name LIKE :x ESCAPE '\\' OR run.tasks LIKE :x ESCAPE '\\')",
    "state": "CASE WHEN run.ended IS NULL AND (run.owner = '' OR run.lease_until < :now)"
    " THEN 'interrupted' ELSE run.status END LIKE :x ESCAPE '\\'",
    "friend": "EXISTS (SELECT 1 FROM json_each(run.friends) WHERE value LIKE :x ESCAPE '\\')",
    "task": "EXISTS (SELECT 1 FROM json_each(run.tasks) WHERE value LIKE :x ESCAPE '\\')",
    "exc": "(run.error LIKE :x ESCAPE '\\' OR EXISTS (SELECT 1 FROM step"
    " WHERE step.run = run.key AND step.error LIKE :x ESCAPE '\\'))",
}


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
        elif isinstance(event, StepIntended):
            kwargs = dict(event.kwargs)
            payloads[path] = {"args": event.args, "kwargs": kwargs, "secret": event.secret}
        if event is not None:
            events.append(event)
    return events


def runs(db: sqlite3.Connection, search: Search, limit: int, now: float) -> list[RunRow]:
    """The runs that meet all conditions, the latest first."""
    where, values = ["1"], {"now": now, "limit": limit}
    if search.since is not None:
        where.append("run.started >= :since")
        values["since"] = now - search.since
    named: dict[str, Any] = dict(values)
    for number, term in enumerate(search.terms):
        name = f"x{number}"
        named[name] = _pattern(term)
        where.append(
            f"{'NOT ' if term.negated else ''}({_HAS[term.kind].replace(':x', ':' + name)})"
        )
    rows = db.execute(
        "SELECT run_id, name, status, started, ended, done, total, friends, tasks, error, parent,"  # noqa: S608 - the conditions are constants
        " owner = '' OR lease_until < :now FROM run WHERE "
        + " AND ".join(where)
        + " ORDER BY started DESC, key DESC LIMIT :limit",
        named,
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
    took = sorted(max(0.0, row[0]) for row in rows)
    if len(took) < _LEAST_FOR_USUAL:
        return None
    return _percentile(took, 0.5), _percentile(took, 0.95)


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _pattern(term: Term) -> str:
    text = term.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{text}%" if term.kind == "state" else f"%{text}%"


def _row(row: Sequence[Any]) -> RunRow:
    ended, left = row[4], row[11]
    return RunRow(
        run_id=row[0],
        name=row[1],
        status="interrupted" if ended is None and left else row[2],
        started=row[3],
        ended=ended,
        done=row[5],
        total=row[6],
        friends=tuple(json.loads(row[7])),
        tasks=tuple(json.loads(row[8])),
        error=row[9],
        parent=row[10],
    )
