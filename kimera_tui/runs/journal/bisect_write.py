"""Writes what can be written of a batch: what spoils it is found by halves and left out."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence

from kimera_tui.errors import JournalError
from kimera_tui.process.events import Event

logger = logging.getLogger(__name__)

Refused = dict[int, Exception]
"""Why single events were not written, by their ``id``."""

_OF_A_VALUE = (sqlite3.IntegrityError, sqlite3.DataError)
"""SQLite's errors that one event is to blame for; all others are about the file."""


def sift(
    db: sqlite3.Connection,
    events: Sequence[Event],
    write: Callable[[Sequence[Event]], Refused],
    start_over: Callable[[], None],
) -> Refused:
    """Write events within a transaction, but for those that can't be written whatever is tried.

    Args:
        db: The journal, in a transaction.
        events: What happened, in its order.
        write: Writes events and returns which were refused.
        start_over: Called when what ``write`` did last was undone in the file.

    Raises:
        sqlite3.Error: the file can't be written.
    """
    db.execute("SAVEPOINT part")
    try:
        refused = write(events)
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not isinstance(error, _OF_A_VALUE):
            raise
        db.execute("ROLLBACK TO part")
        start_over()
        if len(events) > 1:
            half = len(events) // 2
            refused = sift(db, events[:half], write, start_over)
            refused |= sift(db, events[half:], write, start_over)
        else:
            refused = {id(event): _unwritable(event, error) for event in events}
    db.execute("RELEASE part")
    return refused


def _unwritable(event: Event, error: Exception) -> JournalError:
    logger.warning("An event could not be written down: %s: %s", type(event), error)
    return JournalError(f"It cannot be written down: {error}.")
