"""What the journal keeps: a sample of each task's polls, and runs up to an age and a total size."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from kimera_tui.process.events import Event, Polled, TaskEvent

KEEP_SECONDS = 90 * 86_400.0
KEEP_BYTES = 1024 * 1024 * 1024
RUNS_PER_TRANSACTION = 20
"""Runs deleted in one transaction; other consoles can write between two of them."""
POLLS_KEPT_WHOLE = 8
"""The first polls of a task are all kept; after that the 16th, the 32nd, the 64th ..."""


class PollSampler:
    """Holds a task's polls back until something else happens to it, then passes on the last."""

    def __init__(self) -> None:
        self._held: dict[str, Polled] = {}

    def sample(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events to write; folding them gives the same state as folding all events."""
        for event in events:
            if isinstance(event, Polled) and not _is_kept(event.attempt):
                self._held[event.task_id] = event
                continue
            if isinstance(event, TaskEvent):
                held = self._held.pop(event.task_id, None)
                if held is not None and not isinstance(event, Polled):
                    yield held
            yield event

    def rest(self) -> list[Event]:
        """All polls still held back, to be written when the journal closes."""
        held: list[Event] = list(self._held.values())
        self._held = {}
        return held


def _is_kept(attempt: int) -> bool:
    return attempt <= POLLS_KEPT_WHOLE or attempt & (attempt - 1) == 0


def delete_old(
    db: sqlite3.Connection,
    now: float,
    keep_seconds: float = KEEP_SECONDS,
    keep_bytes: int = KEEP_BYTES,
) -> int:
    """Delete the oldest of the ended runs that exceed the age or the size; open runs stay.

    Returns:
        How many runs were deleted; unless it is 0 there may be more.
    """
    too_old = "ended < :before"
    rule = too_old if _bytes_in_use(db) <= keep_bytes else "ended IS NOT NULL"
    db.execute("BEGIN IMMEDIATE")
    try:
        keys = [
            row[0]
            for row in db.execute(
                f"SELECT key FROM run WHERE {rule} ORDER BY started LIMIT :most",  # noqa: S608
                {"before": now - keep_seconds, "most": RUNS_PER_TRANSACTION},
            )
        ]
        for key in keys:
            for table, column in (("event", "run"), ("step", "run"), ("run", "key")):
                db.execute(f"DELETE FROM {table} WHERE {column} = ?", (key,))  # noqa: S608
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    if keys:
        db.execute("PRAGMA incremental_vacuum(2000)").fetchall()
    return len(keys)


def _bytes_in_use(db: sqlite3.Connection) -> int:
    """The file's size without the free pages, which a later vacuum returns."""
    pages, free, page = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page)
