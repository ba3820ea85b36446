"""Many rows by few statements: each statement lets go of the interpreter, and queues to get it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

_PORTIONS = (128, 16, 1)
"""Rows of one statement; few different lengths, so that SQLite has them all prepared."""

_KNOWS_UPDATE_FROM = (3, 33)

Row = Sequence[Any]


def insert(db: sqlite3.Connection, into: str, rows: Sequence[Row]) -> None:
    """Insert rows in their order.

    Args:
        db: The journal.
        into: Table and columns, such as ``step (run, path)``.
        rows: As many values each as there are columns.
    """
    for portion in _portions(rows):
        db.execute(
            f"INSERT INTO {into} VALUES {_places(portion)}",  # noqa: S608 - a constant
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
            f" (VALUES {_places(portion)})"
            " UPDATE step SET status = new.status, sent = new.sent, began = new.began,"
            " ended = new.ended, error = new.error FROM new"
            " WHERE step.run = ? AND step.path = new.path",
            [*(value for row in portion for value in row), run],
        )


def _portions(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    at = 0
    for size in _PORTIONS:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


def _places(portion: Sequence[Row]) -> str:
    one = f"({', '.join('?' * len(portion[0]))})"
    return ", ".join([one] * len(portion))
