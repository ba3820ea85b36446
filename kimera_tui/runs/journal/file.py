"""The journal's file: created private, checked, migrated, and set aside when damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kimera_tui.config.paths import private_dir
from kimera_tui.errors import ConfigError, JournalError
from kimera_tui.files import open_private
from kimera_tui.runs.journal.file_errors import (
    BUSY_SECONDS,
    NOT_SAVED,
    Unwritable,
    not_ours,
    unreadable,
    unusable,
)
from kimera_tui.runs.journal.migrations import APPLICATION_ID, MIGRATIONS, VERSION

T = TypeVar("T")

DAMAGED = ".damaged-"
"""Separates the journal's name from the time at which a damaged one was set aside."""
_ANY_QUERY = "SELECT count(*) FROM sqlite_master"


def open_for_writing(path: Path) -> tuple[sqlite3.Connection, str]:
    """Open the journal; create or migrate it if needed.

    Returns:
        The connection, and a sentence for people if a damaged file was set aside, now or earlier.

    Raises:
        Unwritable: it can't be written, but it may be readable.
        JournalError: it can't be used; the message says why and what follows.
    """
    set_aside = ""
    try:
        if not _create(path) and _is_damaged(path):
            set_aside = _set_aside(path)
            _create(path)
        return _connect_migrated(path), damaged_notice(path, set_aside)
    except ConfigError as error:
        raise JournalError(f"{error.message.rstrip('.')}; {NOT_SAVED}") from error
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open a journal that this console also has open for writing.

    Raises:
        JournalError: it belongs to another program, or an older version wrote it.
    """
    return _checked(_open(path, "mode=ro"), path)


def read_once(path: Path, call: Callable[..., T], *args: Any) -> T:
    """Return ``call(connection, *args)`` for a journal that can't be written.

    Raises:
        JournalError: it can't be read either.
    """
    try:
        with contextlib.closing(_open_unwritable(path)) as db:
            return call(_checked(db, path), *args)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error


def damaged_notice(path: Path, set_aside: str = "") -> str:
    """Where a damaged journal was kept; empty if none lies beside this one.

    Args:
        path: The journal.
        set_aside: The name of a damaged file that was set aside just now.
    """
    if set_aside:
        return f"{path} was damaged: kept as {set_aside}, and a new one was started."
    kept = [each for each in path.parent.glob(f"{path.name}{DAMAGED}*") if "-wal" not in each.name]
    kept = [each for each in kept if not each.name.endswith("-shm")]
    if not kept:
        return ""
    last = max(kept, key=lambda each: each.name)
    return (
        f"{path} was damaged: kept as {last.name}, with the runs it had;"
        " move that file away to stop this notice."
    )


def _open_unwritable(path: Path) -> sqlite3.Connection:
    """Open a journal where SQLite may be unable to create its own files beside it."""
    wal = path.with_name(f"{path.name}-wal")
    modes = ["mode=ro", "mode=rw"]  # with exclusive access SQLite needs no shared memory
    if not wal.exists() or not wal.stat().st_size:
        modes.append("mode=ro&immutable=1")
    for mode in modes[:-1]:
        try:
            return _open(path, mode)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:  # another console is writing
                raise
    return _open(path, modes[-1])


def _open(path: Path, mode: str) -> sqlite3.Connection:
    db = sqlite3.connect(
        f"file:{_quoted(path)}?{mode}", uri=True, isolation_level=None, timeout=BUSY_SECONDS
    )
    try:
        if mode == "mode=rw":
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA query_only = ON")
        db.execute(_ANY_QUERY).fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _checked(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """The connection, unless the file's tables are too old to be queried.

    A newer version's are queried as well as they can be: it adds columns and kinds of events.
    """
    if (version := _version(db, path)) < VERSION:
        raise JournalError(
            f"{path} was written by an older version (schema {version} < {VERSION})"
            " and must be migrated before it can be read; make it writable."
        )
    return db


def _create(path: Path) -> bool:
    """Create an empty private file, which makes SQLite's files beside it private too."""
    private_dir(path.parent)
    try:
        os.close(open_private(path, os.O_RDWR | os.O_EXCL))
    except FileExistsError:
        found = path.lstat()
        if not path.is_file() or path.is_symlink():
            raise ConfigError(f"{path} is not a regular file") from None
        if found.st_uid != os.getuid():
            raise not_ours(path) from None
        return False
    return True


def _is_damaged(path: Path) -> bool:
    """Whether SQLite can't read the file. It is checked in full only after a crash."""
    if path.stat().st_size == 0:
        return False
    try:
        crashed = path.with_name(path.name + "-wal").exists() and not _is_open(path)
        with contextlib.closing(_connect(path)) as db:
            db.execute(_ANY_QUERY).fetchone()
            return crashed and db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok"
    except sqlite3.OperationalError:
        return False  # locked or not permitted, which is not damage
    except sqlite3.DatabaseError:
        return True


def _is_open(path: Path) -> bool:
    """Whether another process has the file open, which denies us exclusive access."""
    with contextlib.closing(_connect(path, timeout=0)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            db.execute(_ANY_QUERY).fetchone()
        except sqlite3.OperationalError:
            return True
    return False


def _set_aside(path: Path) -> str:
    """Rename a damaged journal, overwriting nothing; returns its new name."""
    stamp, count = time.strftime("%Y%m%d-%H%M%S"), 1
    kept = path.with_name(f"{path.name}{DAMAGED}{stamp}")
    while kept.exists():
        count += 1
        kept = path.with_name(f"{path.name}{DAMAGED}{stamp}.{count}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept.name


def _connect(path: Path, timeout: float = BUSY_SECONDS) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)


def _connect_migrated(path: Path) -> sqlite3.Connection:
    if not os.access(path, os.W_OK):
        raise PermissionError(13, "Permission denied")
    db = _connect(path)
    try:
        _refuse_newer(db, path)
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA foreign_keys = ON")
        _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    if (version := _version(db, path)) > VERSION:
        raise Unwritable(
            f"{path} was written by a newer version (schema {version} > {VERSION}); {NOT_SAVED}"
        )


def _version(db: sqlite3.Connection, path: Path) -> int:
    """The version of the file's tables, 0 for an empty file.

    Raises:
        JournalError: the database belongs to another program.
    """
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    application: int = db.execute("PRAGMA application_id").fetchone()[0]
    if application not in (0, APPLICATION_ID) or (application == 0 and version):
        raise JournalError(f"{path} is a database of another program; {NOT_SAVED}")
    return version


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
