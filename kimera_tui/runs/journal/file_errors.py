"""Why the journal's file can't be used, derived from error codes and the state of the disk."""

from __future__ import annotations

import errno
import os
import pwd
import sqlite3
from pathlib import Path

from kimera_tui.errors import JournalError

NOT_SAVED = "runs are not saved, so nothing is sent."
BUSY_SECONDS = 10.0
"""How long a writer waits for another console's transaction to end."""
_LEAST_FREE = 64 * 1024
"""Bytes; SQLite needs 32 KiB for its shared memory and a few pages for a transaction."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SYSTEM_CALL = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""SQLite's codes for any system call that failed."""
_DENIED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)


class Unwritable(JournalError):
    """The journal can't be written, but it may still be readable."""


def unusable(path: Path, error: Exception) -> JournalError:
    """Why the journal can't be written, in one sentence."""
    code, number = _sqlite_code(error), getattr(error, "errno", None)
    failed = code in (*_SYSTEM_CALL, *_DENIED) or isinstance(error, PermissionError)
    if code == sqlite3.SQLITE_FULL or number in _FULL or (code in _SYSTEM_CALL and _is_full(path)):
        why = f"Disk full: {path} cannot be written"
    elif number == errno.EROFS or (failed and _is_read_only(path)):
        why = f"Cannot write {path}: its disk is read-only"
    elif failed and (owner := _other_owner(path)):
        why = f"Cannot write {path}: it belongs to {owner}"
    elif code in _DENIED or isinstance(error, PermissionError):
        why = f"Cannot write {path}: permission denied"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        why = f"Cannot write {path}: another program has kept it locked for {BUSY_SECONDS:g} s"
    elif isinstance(error, OSError) and error.strerror:
        why = f"Cannot write {path}: {error.strerror.lower()}"
    else:
        why = f"Cannot write {path}: {error}"
    kind = Unwritable if isinstance(error, OSError | sqlite3.Error) else JournalError
    return kind(f"{why}; {NOT_SAVED}")


def unreadable(path: Path, error: Exception) -> JournalError:
    """Why the journal can't be read, in one sentence."""
    code = _sqlite_code(error)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        why = "it is damaged"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        why = f"another program has kept it locked for {BUSY_SECONDS:g} s"
    elif code == sqlite3.SQLITE_CANTOPEN and path.exists() and not os.access(path, os.R_OK):
        why = "permission denied"
    else:
        why = str(error)
    return JournalError(f"{path} cannot be read: {why}.")


def not_ours(path: Path) -> JournalError:
    """The journal belongs to another user."""
    return unusable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _sqlite_code(error: Exception) -> int | None:
    """SQLite's primary result code; None for other errors."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _is_full(path: Path) -> bool:
    disk = _disk(path)
    if disk is None:
        return False
    no_files = disk.f_files > 0 and disk.f_favail == 0
    return no_files or disk.f_bavail * disk.f_frsize < _LEAST_FREE


def _is_read_only(path: Path) -> bool:
    disk = _disk(path)
    return disk is not None and bool(disk.f_flag & os.ST_RDONLY)


def _disk(path: Path) -> os.statvfs_result | None:
    try:
        return os.statvfs(path.parent)
    except OSError:
        return None


def _other_owner(path: Path) -> str:
    """The owner of the file, or an empty string if we own it."""
    try:
        owner = path.stat().st_uid
    except OSError:
        return ""
    if owner == os.getuid():
        return ""
    try:
        return f"user {pwd.getpwuid(owner).pw_name}"
    except KeyError:
        return f"the user with id {owner}"
