"""The journal's tables, as the migrations that bring a file of any older version up to date."""

from __future__ import annotations

APPLICATION_ID = 0x4B494D45
"""Spells ``KIME`` in the file's header."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE run (
        key INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        parent TEXT NOT NULL,
        profile TEXT NOT NULL,
        started REAL NOT NULL,
        ended REAL,
        status TEXT NOT NULL,
        done INTEGER NOT NULL,
        total INTEGER NOT NULL,
        friends TEXT NOT NULL,
        tasks TEXT NOT NULL,
        error TEXT NOT NULL,
        owner TEXT NOT NULL,
        lease_until REAL NOT NULL,
        recoveries INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX run_started ON run (started);
    CREATE INDEX run_open ON run (key) WHERE ended IS NULL;
    CREATE TABLE step (
        run INTEGER NOT NULL REFERENCES run (key),
        path TEXT NOT NULL,
        task_id TEXT NOT NULL UNIQUE,
        friend TEXT NOT NULL,
        task TEXT NOT NULL,
        status TEXT NOT NULL,
        sent REAL,
        began REAL,
        ended REAL,
        error TEXT NOT NULL,
        PRIMARY KEY (run, path)
    ) WITHOUT ROWID;
    CREATE INDEX step_done ON step (friend, task, ended)
        WHERE status = 'done' AND began IS NOT NULL;
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        ts REAL NOT NULL,
        run INTEGER NOT NULL REFERENCES run (key),
        path TEXT,
        kind TEXT NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX event_of_run ON event (run, seq);
    """,
    """
    ALTER TABLE run ADD COLUMN concurrency TEXT NOT NULL DEFAULT '';
    CREATE INDEX run_concurrency ON run (concurrency) WHERE ended IS NULL AND concurrency != '';
    """,
    """
    ALTER TABLE run ADD COLUMN detached INTEGER NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE run ADD COLUMN stopping INTEGER;
    ALTER TABLE run ADD COLUMN stopped INTEGER NOT NULL DEFAULT 0;
    """,
)
"""Script number n, counted from 1, turns version n - 1 into version n."""

VERSION = len(MIGRATIONS)
