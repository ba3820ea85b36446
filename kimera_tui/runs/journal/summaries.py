"""The summary tables: one row for each run and step, folded from the events for searching."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from kimera_tui.redaction import redact_text
from kimera_tui.runs.events import RunStarted
from kimera_tui.runs.index import RunState
from kimera_tui.runs.journal.batch_sql import insert, update_steps
from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.runs.step import StepState

StepRow = tuple[str, str, float | None, float | None, float | None, str]
"""Path, status, when sent, when started if known, when ended, error."""
RunSummary = tuple[str, int, int, float | None, str]
"""Status, steps done, steps in total, when ended, error."""


def add_run(
    db: sqlite3.Connection, event: RunStarted, packer: Packer, owner: str, lease_until: float
) -> int:
    """Write a new run and its steps; returns the run's key."""
    leaves = list(event.plan.leaves())
    friends = sorted({task.friend for _, task in leaves})
    tasks = sorted({f"{task.friend}.{task.task_name}" for _, task in leaves})
    cursor = db.execute(
        "INSERT INTO run (run_id, name, parent, profile, started, status, done, total, friends,"
        " tasks, error, owner, lease_until, concurrency)"
        " VALUES (?, ?, ?, ?, ?, 'waiting', 0, ?, ?, ?, '', ?, ?, ?)",
        (
            event.run_id,
            _column(event.name, packer),
            event.parent,
            event.profile,
            event.at,
            len(leaves),
            json.dumps(friends),
            json.dumps(tasks),
            owner,
            lease_until,
            _concurrency_key(event),
        ),
    )
    key = cursor.lastrowid or 0
    insert(
        db,
        "step (run, path, task_id, friend, task, status, error)",
        [
            (key, path, task.task_id, task.friend, task.task_name, "waiting", "")
            for path, task in leaves
        ],
    )
    return key


def update_run(
    db: sqlite3.Connection, key: int, run: RunState, paths: Iterable[str], packer: Packer
) -> None:
    """Update a run's row, and the rows of some of its steps, from the fold."""
    update_steps(db, key, [step_row(run.steps[path], packer) for path in paths])
    db.execute(
        "UPDATE run SET status = ?, done = ?, total = ?, ended = ?, error = ?, detached = ?,"
        " stopped = ?, stopping = ? WHERE key = ?",
        (*run_summary(run, packer), run.detached, *(run.cancelling or (0, None)), key),
    )


def concurrency_conflict(db: sqlite3.Connection, event: RunStarted) -> str:
    """Why a run may not start beside open runs with the same key, or an empty string."""
    if not event.concurrency:
        return ""
    rows = db.execute(
        "SELECT name FROM run WHERE ended IS NULL AND concurrency = ?",
        (_concurrency_key(event),),
    ).fetchall()
    if len(rows) < event.limit:
        return ""
    key = f"the concurrency key `{_concurrency_key(event)}`"
    open_runs = f"1 run with {key} is" if len(rows) == 1 else f"{len(rows)} runs with {key} are"
    return f"{open_runs} still open; the limit is {event.limit}"


def set_task_id(db: sqlite3.Connection, key: int, path: str, task_id: str) -> None:
    """Note the new task of a step that is retried."""
    db.execute("UPDATE step SET task_id = ? WHERE run = ? AND path = ?", (task_id, key, path))


def step_row(step: StepState, packer: Packer) -> StepRow:
    """A step's row."""
    error = ""
    if step.status.bad:
        text = f"{step.error_type}: {step.error_message}" if step.error_type else step.cause
        error = _column(text, packer)
    return step.path, step.status.value, step.sent_at, step.began_at, step.ended_at, error


def run_summary(run: RunState, packer: Packer) -> RunSummary:
    """A run's columns that change."""
    return run.status.value, run.done, run.total, run.ended, _column(run.error, packer)


def _column(text: str, packer: Packer) -> str:
    return _encodable(packer.text(text))


def _concurrency_key(event: RunStarted) -> str:
    """The key under which runs are counted; it must not depend on the secrets of each."""
    return _encodable(redact_text(event.concurrency))


def _encodable(text: str) -> str:
    """The text with an escape sequence for each surrogate, which UTF-8 can't encode."""
    return text.encode("utf-8", "backslashreplace").decode()
