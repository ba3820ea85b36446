"""Who owns a run: one console at a time, under a lease that it renews every few seconds."""

from __future__ import annotations

import os
import socket
import sqlite3
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LEASE_SECONDS = 15.0
"""How long an owner counts as alive after its last renewal."""
RENEW_SECONDS = 5.0
MAX_RECOVERIES = 5
"""Maximum recoveries without progress; after that an operator must resume the run."""
_CANCEL = "RunCancelled"


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended."""

    run_id: str
    name: str
    profile: str
    owner: str
    """Empty if its console released it."""
    alive: bool
    """Whether its owner may still be working on it."""
    recoveries: int
    """Recoveries after a crash since it last sent a step."""

    @property
    def stuck(self) -> bool:
        """Whether consoles crashed on it so often that only an operator may resume it."""
        return self.recoveries >= MAX_RECOVERIES


class Leases:
    """The leases of one owner. All calls run on the journal's thread."""

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
            OpenRun(run_id, name, profile, owner, _is_alive(owner, until, now), recoveries)
            for run_id, name, profile, owner, until, recoveries in rows
        ]

    def take(self, run_id: str, now: float) -> bool:
        """Take over an open run without a living owner; False if it has one or has ended.

        Taking a run that its console released does not count as a recovery.
        """
        row = self._db.execute(
            "SELECT owner, lease_until FROM run WHERE run_id = ? AND ended IS NULL", (run_id,)
        ).fetchone()
        if row is None:
            return False
        owner, until = row
        if owner == self._owner:
            return True
        if _is_alive(owner, until, now):
            return False
        # One statement, so that only one of two consoles still finds the old owner in the row.
        cursor = self._db.execute(
            "UPDATE run SET owner = ?, lease_until = ?, recoveries = recoveries + (owner != '')"
            " WHERE run_id = ? AND owner = ? AND lease_until = ? AND ended IS NULL",
            (self._owner, now + LEASE_SECONDS, run_id, owner, until),
        )
        return cursor.rowcount == 1

    def renew(self, now: float) -> None:
        """Extend the leases on all of our open runs."""
        self._db.execute(
            "UPDATE run SET lease_until = ? WHERE ended IS NULL AND owner = ?",
            (now + LEASE_SECONDS, self._owner),
        )

    def progressed(self, run_id: str) -> None:
        """Reset the count of recoveries: the run sent a step."""
        self._db.execute(
            "UPDATE run SET recoveries = 0 WHERE run_id = ? AND recoveries > 0", (run_id,)
        )

    def release(self, run_id: str) -> None:
        """Let other consoles take one of our runs at once."""
        self._db.execute(
            "UPDATE run SET owner = '', lease_until = 0 WHERE run_id = ? AND owner = ?",
            (run_id, self._owner),
        )

    def release_all(self) -> None:
        """Let other consoles take all of our open runs at once."""
        self._db.execute(
            "UPDATE run SET owner = '', lease_until = 0 WHERE ended IS NULL AND owner = ?",
            (self._owner,),
        )


class CancelRequests:
    """Finds cancel requests that other consoles wrote. All calls run on the journal's thread.

    Args:
        db: The journal.
        owner: Look for requests about this owner's runs.
    """

    def __init__(self, db: sqlite3.Connection, owner: str) -> None:
        self._db = db
        self._owner = owner
        self._version = self._data_version()
        self._seen = self._last_event()

    def poll(self) -> list[str]:
        """The owner's open runs that were cancelled since the last call; cheap if none was."""
        version = self._data_version()
        if version == self._version:
            return []
        last = self._last_event()
        rows = self._db.execute(
            "SELECT DISTINCT run.run_id FROM event JOIN run ON run.key = event.run"
            " WHERE event.seq > ? AND event.seq <= ? AND event.kind = ?"
            " AND run.owner = ? AND run.ended IS NULL",
            (self._seen, last, _CANCEL, self._owner),
        ).fetchall()
        self._version, self._seen = version, last
        return [run_id for (run_id,) in rows]

    def has_new(self, key: int) -> bool:
        """Whether there is a request about one run that ``poll`` has not returned yet."""
        row = self._db.execute(
            "SELECT 1 FROM event WHERE run = ? AND seq > ? AND kind = ?",
            (key, self._seen, _CANCEL),
        ).fetchone()
        return row is not None

    def _data_version(self) -> int:
        """A number that changes with every transaction of another connection."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def _last_event(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0])


def owner_name(unique: str) -> str:
    """A name for this process as an owner, such as ``lab:4711:8813422:c0ffee``.

    Args:
        unique: Distinguishes two owners within one process.
    """
    pid = os.getpid()
    return f"{_host()}:{pid}:{_started_at(pid)}:{unique}"


def pid_of(owner: str) -> str:
    """The process id in an owner's name, or an empty string."""
    parts = owner.rsplit(":", 3)
    return parts[1] if len(parts) == 4 else ""


def _is_alive(owner: str, until: float, now: float) -> bool:
    return bool(owner) and until >= now and not _is_gone(owner)


def _is_gone(owner: str) -> bool:
    """Whether the owner is a process of this machine that has ended.

    False for owners on other machines: only their lease tells whether they are alive.
    """
    parts = owner.rsplit(":", 3)
    if len(parts) != 4 or parts[0] != _host() or not parts[1].isdecimal():
        return False
    pid = int(parts[1])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started_at(pid) != parts[2]


@cache
def _host() -> str:
    return socket.gethostname()


def _started_at(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty if the system does not say.

    Process ids are reused; together with the start time they are unique.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # Field 22. The second field is the program's name, which may contain spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    # A zombie no longer runs, but keeps its id until its parent reaps it.
    return "ended" if fields[0] == "Z" else fields[19]
