"""Who goes on with a run: one owner at a time, who says every few seconds that it is alive."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from kimera_tui.runs.journal.owner import is_gone

LEASE_SECONDS = 15.0
"""How long an owner counts as alive without a word."""
RENEW_SECONDS = 5.0
MOST_RECOVERIES = 5
"""So many take-overs without a step sent in between, and the run is left to its operator."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended."""

    run_id: str
    name: str
    profile: str
    owner: str
    """An empty string for one that was given back."""
    alive: bool
    """Whether its owner may still be at it."""
    recoveries: int
    """Take-overs since it last got ahead."""

    @property
    def stuck(self) -> bool:
        """Whether its consoles have crashed so often that it is not taken over unasked."""
        return self.recoveries >= MOST_RECOVERIES


class Leases:
    """The leases of one owner; on the journal's thread."""

    def __init__(self, db: sqlite3.Connection, owner: str) -> None:
        self._db = db
        self._owner = owner

    def open_runs(self, now: float) -> list[OpenRun]:
        """Every run that has not ended, oldest first."""
        rows = self._db.execute(
            "SELECT run_id, name, profile, owner, lease_until, recoveries FROM run"
            " WHERE ended IS NULL AND typeof(lease_until) = 'real'"
            " AND typeof(recoveries) = 'integer' AND typeof(run_id) = 'text'"
            " AND typeof(owner) = 'text' ORDER BY key"
        )
        return [
            OpenRun(run_id, name, profile, owner, _alive(owner, until, now), recoveries)
            for run_id, name, profile, owner, until, recoveries in rows
        ]

    def take(self, run_id: str, now: float) -> bool:
        """Take over an open run whose owner is gone; False if somebody has it or it has ended.

        A run that was given back in order doesn't count as a crash.
        """
        row = self._db.execute(
            "SELECT owner, lease_until FROM run WHERE run_id = ? AND ended IS NULL", (run_id,)
        ).fetchone()
        if row is None:
            return False
        owner, until = row
        if owner == self._owner:
            return True
        if _alive(owner, until, now):
            return False
        # One statement, so that of two consoles only one finds the old owner still in it.
        cursor = self._db.execute(
            "UPDATE run SET owner = ?, lease_until = ?, recoveries = recoveries + (owner != '')"
            " WHERE run_id = ? AND owner = ? AND lease_until = ? AND ended IS NULL",
            (self._owner, now + LEASE_SECONDS, run_id, owner, until),
        )
        return cursor.rowcount == 1

    def renew(self, now: float) -> None:
        """Say that the owner is alive."""
        self._db.execute(
            "UPDATE run SET lease_until = ? WHERE ended IS NULL AND owner = ?",
            (now + LEASE_SECONDS, self._owner),
        )

    def progressed(self, run_id: str) -> None:
        """The run got ahead: earlier crashes count no more."""
        self._db.execute(
            "UPDATE run SET recoveries = 0 WHERE run_id = ? AND recoveries > 0", (run_id,)
        )

    def let_go(self, run_id: str) -> None:
        """Let others take one of our runs at once."""
        self._db.execute(
            "UPDATE run SET owner = '', lease_until = 0 WHERE run_id = ? AND owner = ?",
            (run_id, self._owner),
        )

    def give_back(self) -> None:
        """Let others take our runs at once."""
        self._db.execute(
            "UPDATE run SET owner = '', lease_until = 0 WHERE ended IS NULL AND owner = ?",
            (self._owner,),
        )


def _alive(owner: str, until: float, now: float) -> bool:
    return bool(owner) and until >= now and not is_gone(owner)


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
