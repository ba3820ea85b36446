"""The directory of an embedded broker's sockets and logs: private, with a short path."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Final

from kimera_tui.config.paths import private_dir
from kimera_tui.errors import ConfigError, EmbeddedError
from kimera_tui.files import make_private_folder

DIRECTORY_VARIABLE: Final = "KIMERA_RUNTIME_DIR"
SOCKET_NAME: Final = "broker.sock"
LEASE_NAME: Final = "lease.sock"
LONGEST_SOCKET_PATH: Final = 100
"""Bytes; the system's own limit is 104 on macOS and 108 on Linux."""

_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


def instance_dir(instance: str) -> Path:
    """Create the instance's directory (0700, ours) and return it.

    Raises:
        EmbeddedError: the name is invalid, or the place is not safe.
    """
    if not _INSTANCE.fullmatch(instance):
        raise EmbeddedError(
            f"{instance!r} is not a valid instance name: use up to 40 letters, digits, - _ or ."
        )
    directory = _place(instance)
    for _ in range(20):
        try:
            _check_base(directory.parent)
            return private_dir(directory)
        except (OSError, ConfigError) as error:
            if isinstance(error, FileNotFoundError | FileExistsError) and not _is_taken(directory):
                continue  # a supervisor that ended has removed the directory
            raise EmbeddedError(
                f"The embedded broker cannot use {directory}: {error}",
                hint=f"Set {DIRECTORY_VARIABLE} to a directory of yours.",
            ) from error
    raise EmbeddedError(f"{directory} keeps disappearing.")


def _is_taken(directory: Path) -> bool:
    """Whether something else is in the directory's place."""
    try:
        return not stat.S_ISDIR(directory.lstat().st_mode)
    except FileNotFoundError:
        return False


def try_lock(directory: Path) -> int | None:
    """Lock the directory and return its descriptor, or None if a supervisor holds it.

    The lock is on the directory itself, so no lock file is left behind. Also None if the directory
    was removed after it was opened: the lock would protect nothing.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), directory.lstat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def own_base(directory: Path) -> list[Path]:
    """The parent directory, to be removed when empty, unless the user named it."""
    base = directory.parent
    return [base] if base == _fallback() or not os.environ.get(DIRECTORY_VARIABLE) else []


def _place(instance: str) -> Path:
    """The preferred directory, or a short one if its socket paths would be too long."""
    wanted = _base() / instance
    if len(os.fsencode(wanted / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
        return wanted
    # The digest distinguishes instances of the same name in two long directories.
    digest = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
    return _fallback() / f"{instance[:24]}-{digest}"


def _base() -> Path:
    named = os.environ.get(DIRECTORY_VARIABLE)
    if named:
        return Path(named).absolute()
    session = os.environ.get("XDG_RUNTIME_DIR")
    return Path(session).absolute() / "kimera" if session else _fallback()


def _fallback() -> Path:
    return Path("/tmp") / f"kimera-{os.getuid()}"  # noqa: S108  owner and mode are checked


def _check_base(base: Path) -> None:
    """Create the base if it is missing; accept an existing one only if it is safe.

    Raises:
        ConfigError: another user could replace our directory.
    """
    if own_base(base / "any"):
        private_dir(base)
        return
    make_private_folder(base)
    found = base.stat()
    # A directory named by the user may be shared, like /tmp: keep its mode.
    if found.st_uid not in (os.getuid(), 0):
        raise ConfigError(f"{base} belongs to another user.")
    if found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
        raise ConfigError(f"other users can write to {base}.")
