"""How long runs are kept: by age and by size, the oldest ended ones go first."""

from __future__ import annotations

import sqlite3

KEEP_SECONDS = 90 * 86_400.0
KEEP_BYTES = 1024 * 1024 * 1024
RUNS_AT_ONCE = 20
"""So many runs go in one transaction: between two of them others can write."""


def forget_old(
    db: sqlite3.Connection,
    now: float,
    keep_seconds: float = KEEP_SECONDS,
    keep_bytes: int = KEEP_BYTES,
) -> int:
    """Remove one portion of what is too old or too much; never a run that has not ended.

    Returns:
        How many runs went; as long as it isn't 0, there may be more.
    """
    too_old = "ended < :before"
    rule = too_old if _size(db) <= keep_bytes else "ended IS NOT NULL"
    db.execute("BEGIN IMMEDIATE")
    try:
        keys = [
            row[0]
            for row in db.execute(
                f"SELECT key FROM run WHERE {rule} ORDER BY started LIMIT :most",  # noqa: S608
                {"before": now - keep_seconds, "most": RUNS_AT_ONCE},
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


def _size(db: sqlite3.Connection) -> int:
    """Bytes in use; pages that are free are on their way out."""
    pages, free, page = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page)
