"""What consoles ask of each other through the journal: to cancel a run that another one owns."""

from __future__ import annotations

import sqlite3

_KIND = "RunCancelled"


class CancelRequests:
    """Looks for requests that others wrote down; on the journal's thread.

    Args:
        db: The journal.
        owner: Whose runs are looked at.
    """

    def __init__(self, db: sqlite3.Connection, owner: str) -> None:
        self._db = db
        self._owner = owner
        self._version = self._look_at_version()
        self._seen = self._last()

    def news(self) -> list[str]:
        """Open runs of the owner that were cancelled since the last look; cheap without news."""
        version = self._look_at_version()
        if version == self._version:
            return []
        last = self._last()
        rows = self._db.execute(
            "SELECT DISTINCT run.run_id FROM event JOIN run ON run.key = event.run"
            " WHERE event.seq > ? AND event.seq <= ? AND event.kind = ?"
            " AND run.owner = ? AND run.ended IS NULL",
            (self._seen, last, _KIND, self._owner),
        ).fetchall()
        self._version, self._seen = version, last
        return [run_id for (run_id,) in rows]

    def is_asked(self, key: int) -> bool:
        """Whether there is a request about one run that hasn't been looked at yet."""
        row = self._db.execute(
            "SELECT 1 FROM event WHERE run = ? AND seq > ? AND kind = ?", (key, self._seen, _KIND)
        ).fetchone()
        return row is not None

    def _look_at_version(self) -> int:
        """A number that changes with every transaction of another connection."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def _last(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0])
