"""The journal's file: made private, checked, brought up to date, set aside when damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from kimera_tui.config.paths import private_dir
from kimera_tui.errors import ConfigError, JournalError
from kimera_tui.files import open_private
from kimera_tui.runs.schema import APPLICATION_ID, MIGRATIONS, VERSION

NOT_SAVED = "runs are not saved, so nothing is sent."
BUSY_SECONDS = 10.0
"""How long a writer waits for the writer of another console."""
_ANY_LOOK = "SELECT count(*) FROM sqlite_master"


def open_for_writing(path: Path) -> tuple[sqlite3.Connection, str]:
    """Open the journal, made or migrated if need be.

    Returns:
        The connection, and a sentence for people if the file was damaged and set aside.

    Raises:
        JournalError: it can't be used; the message says why and what follows.
    """
    notice = ""
    try:
        if not _make(path) and _is_damaged(path):
            kept = _set_aside(path)
            notice = f"{path} was damaged: kept as {kept.name}, a new one was begun."
            _make(path)
        return _ready(path), notice
    except ConfigError as error:
        raise JournalError(f"{error.message.rstrip('.')}; {NOT_SAVED}") from error
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the journal for looking only."""
    db = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, isolation_level=None)
    db.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    return db


def unusable(path: Path, error: Exception) -> JournalError:
    """Why the journal can't be written, in one sentence."""
    text = str(error)
    if isinstance(error, PermissionError) or "readonly" in text:
        why = f"Cannot write {path}: permission denied"
    elif "full" in text or getattr(error, "errno", None) == 28:
        why = f"Disk full: {path} cannot be written"
    elif "locked" in text:
        why = f"Cannot write {path}: another program has kept it locked for {BUSY_SECONDS:g} s"
    elif isinstance(error, OSError) and error.strerror:
        why = f"Cannot write {path}: {error.strerror.lower()}"
    else:
        why = f"Cannot write {path}: {text}"
    return JournalError(f"{why}; {NOT_SAVED}")


def _make(path: Path) -> bool:
    """Make an empty private file, so that SQLite's own files beside it are private too."""
    private_dir(path.parent)
    try:
        os.close(open_private(path, os.O_RDWR | os.O_EXCL))
    except FileExistsError:
        found = path.lstat()
        if found.st_uid != os.getuid() or not path.is_file() or path.is_symlink():
            raise ConfigError(f"{path} is not a file of yours") from None
        return False
    return True


def _is_damaged(path: Path) -> bool:
    """Whether SQLite can't read the file; a clean end is trusted, a crash is not."""
    if path.stat().st_size == 0:
        return False
    try:
        crashed = path.with_name(path.name + "-wal").exists() and not _is_open(path)
        with contextlib.closing(_connect(path)) as db:
            db.execute(_ANY_LOOK).fetchone()
            return crashed and db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok"
    except sqlite3.OperationalError:
        return False  # busy, or not permitted: that is no damage
    except sqlite3.DatabaseError:
        return True


def _is_open(path: Path) -> bool:
    """Whether somebody has the file open: then nobody else can have it alone."""
    with contextlib.closing(_connect(path, timeout=0)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            db.execute(_ANY_LOOK).fetchone()
        except sqlite3.OperationalError:
            return True
    return False


def _connect(path: Path, timeout: float = BUSY_SECONDS) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    kept = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


def _ready(path: Path) -> sqlite3.Connection:
    if not os.access(path, os.W_OK):
        raise PermissionError(13, "Permission denied")
    db = _connect(path)
    try:
        _check_version(db, path)
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA foreign_keys = ON")
        _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _check_version(db: sqlite3.Connection, path: Path) -> None:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise JournalError(
            f"{path} was written by a newer version (schema {version} > {VERSION}); {NOT_SAVED}"
        )
    made_by: int = db.execute("PRAGMA application_id").fetchone()[0]
    if made_by not in (0, APPLICATION_ID) or (made_by == 0 and version):
        raise JournalError(f"{path} is a database of another program; {NOT_SAVED}")


def _migrate(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")  # two consoles may start at once
    try:
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        for script in MIGRATIONS[version:]:
            for statement in filter(str.strip, script.split(";")):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
