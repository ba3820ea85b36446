"""Batches of rows: written by few statements, and without the events that SQLite rejects.

Each statement gives up Python's interpreter lock and has to wait for it again, so that a few
statements with many rows are far quicker than one for each row.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kimera_tui.errors import JournalError
from kimera_tui.process.events import Event

logger = logging.getLogger(__name__)

Row = Sequence[Any]
Rejected = dict[int, Exception]
"""Why single events were not written, by their ``id``."""

_PORTIONS = (128, 16, 1)
"""Rows of one statement; few different lengths, so that SQLite keeps all of them prepared."""
_KNOWS_UPDATE_FROM = (3, 33)
_ABOUT_A_VALUE = (sqlite3.IntegrityError, sqlite3.DataError)
"""SQLite's errors that a single event causes; all others concern the file."""


def write_by_halves(
    db: sqlite3.Connection,
    events: Sequence[Event],
    write: Callable[[Sequence[Event]], Rejected],
    reset: Callable[[], None],
) -> Rejected:
    """Write events within a transaction; if that fails, find the culprits by bisection.

    Args:
        db: The journal, in a transaction.
        events: What happened, in order.
        write: Writes events and returns those that it rejected.
        reset: Called after a failed ``write`` was rolled back in the file.

    Returns:
        The events that could not be written, each with its error.

    Raises:
        sqlite3.Error: the file can't be written.
    """
    db.execute("SAVEPOINT part")
    try:
        rejected = write(events)
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not isinstance(error, _ABOUT_A_VALUE):
            raise
        db.execute("ROLLBACK TO part")
        reset()
        if len(events) > 1:
            half = len(events) // 2
            rejected = write_by_halves(db, events[:half], write, reset)
            rejected |= write_by_halves(db, events[half:], write, reset)
        else:
            rejected = {id(event): _unwritable(event, error) for event in events}
    db.execute("RELEASE part")
    return rejected


def _unwritable(event: Event, error: Exception) -> JournalError:
    logger.warning("An event could not be written to the journal: %s: %s", type(event), error)
    return JournalError(f"It cannot be written to the journal: {error}.")


def insert(db: sqlite3.Connection, into: str, rows: Sequence[Row]) -> None:
    """Insert rows in their order.

    Args:
        db: The journal.
        into: Table and columns, such as ``step (run, path)``.
        rows: One value for each column.
    """
    for portion in _portions(rows):
        db.execute(
            f"INSERT INTO {into} VALUES {_placeholders(portion)}",  # noqa: S608 - a constant
            [value for row in portion for value in row],
        )


def update_steps(db: sqlite3.Connection, run: int, rows: Sequence[Row]) -> None:
    """Write path, status, sent, began, ended and error of steps of a run."""
    if sqlite3.sqlite_version_info < _KNOWS_UPDATE_FROM:
        db.executemany(
            "UPDATE step SET status = ?, sent = ?, began = ?, ended = ?, error = ?"
            " WHERE run = ? AND path = ?",
            [(*row[1:], run, row[0]) for row in rows],
        )
        return
    for portion in _portions(rows):
        db.execute(
            "WITH new (path, status, sent, began, ended, error) AS"  # noqa: S608 - see above
            f" (VALUES {_placeholders(portion)})"
            " UPDATE step SET status = new.status, sent = new.sent, began = new.began,"
            " ended = new.ended, error = new.error FROM new"
            " WHERE step.run = ? AND step.path = new.path",
            [*(value for row in portion for value in row), run],
        )


def _portions(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start = 0
    for size in _PORTIONS:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


def _placeholders(portion: Sequence[Row]) -> str:
    one = f"({', '.join('?' * len(portion[0]))})"
    return ", ".join([one] * len(portion))
