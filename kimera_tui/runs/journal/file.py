"""The journal's file: made private, checked, brought up to date, set aside when damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kimera_tui.config.paths import private_dir
from kimera_tui.errors import ConfigError, JournalError
from kimera_tui.files import open_private
from kimera_tui.runs.journal.file_errors import (
    BUSY_SECONDS,
    NOT_SAVED,
    damaged_notice,
    not_ours,
    set_aside,
    unreadable,
    unusable,
)
from kimera_tui.runs.journal.migrations import APPLICATION_ID, MIGRATIONS, VERSION

T = TypeVar("T")

_ANY_LOOK = "SELECT count(*) FROM sqlite_master"


def open_for_writing(path: Path) -> tuple[sqlite3.Connection, str]:
    """Open the journal, made or migrated if need be.

    Returns:
        The connection, and a sentence for people if a damaged one was set aside, now or before.

    Raises:
        Unwritable: it can't be written; what is in it may still be read.
        JournalError: it can't be used; the message says why and what follows.
    """
    fresh = ""
    try:
        if not _make(path) and _is_damaged(path):
            fresh = set_aside(path)
            _make(path)
        return _ready(path), damaged_notice(path, fresh)
    except ConfigError as error:
        raise JournalError(f"{error.message.rstrip('.')}; {NOT_SAVED}") from error
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the journal for looking only.

    Raises:
        JournalError: another version or program wrote it.
    """
    return _checked(_open(path, "mode=ro"), path)


def read_once(path: Path, call: Callable[..., T], *args: Any) -> T:
    """Return ``call(connection, *args)`` of a journal that can't be written.

    Raises:
        JournalError: it can't be read either.
    """
    try:
        with contextlib.closing(_open_unwritable(path)) as db:
            return call(_checked(db, path), *args)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error


def _open_unwritable(path: Path) -> sqlite3.Connection:
    """Open a journal where SQLite can't make its own files beside it."""
    wal = path.with_name(f"{path.name}-wal")
    ways = ["mode=ro", "mode=rw"]  # alone with it, SQLite needs no shared memory
    if not wal.exists() or not wal.stat().st_size:
        ways.append("mode=ro&immutable=1")
    for way in ways[:-1]:
        try:
            return _open(path, way)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:  # somebody is writing just now
                raise
    return _open(path, ways[-1])


def _open(path: Path, way: str) -> sqlite3.Connection:
    db = sqlite3.connect(
        f"file:{_quoted(path)}?{way}", uri=True, isolation_level=None, timeout=BUSY_SECONDS
    )
    try:
        if way == "mode=rw":
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA query_only = ON")
        db.execute(_ANY_LOOK).fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _checked(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """The connection, if what is in it can be understood."""
    _check_version(db, path)
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version < VERSION:
        raise JournalError(
            f"{path} was written by an older version (schema {version} < {VERSION}):"
            " it can be read once it can be written."
        )
    return db


def _make(path: Path) -> bool:
    """Make an empty private file, so that SQLite's own files beside it are private too."""
    private_dir(path.parent)
    try:
        os.close(open_private(path, os.O_RDWR | os.O_EXCL))
    except FileExistsError:
        found = path.lstat()
        if not path.is_file() or path.is_symlink():
            raise ConfigError(f"{path} is not a file of yours") from None
        if found.st_uid != os.getuid():
            raise not_ours(path) from None
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
