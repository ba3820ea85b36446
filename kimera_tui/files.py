"""Writes files atomically; creates files and folders that only this user can open."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

_writing = threading.Lock()


def is_missing(path: Path) -> bool:
    """Whether a path does not exist; a path that may not be read is not missing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def replace_file(path: Path, text: str, *, private: bool = False) -> None:
    """Replace a file atomically, or create it; keeps permissions, and a link to it.

    Args:
        path: The file; its folder is created if missing.
        text: The new content.
        private: Whether only this user may open a new file and new folders.

    Raises:
        OSError: it cannot be written; the old file is unchanged.
    """
    path = Path(os.path.realpath(path))
    if private:
        make_private_folder(path.parent)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{token_hex(8)}.tmp")
    with _writing:
        _write_new(new, text, private)
        with _removed_on_failure(new):
            if path.exists():
                new.chmod(path.stat().st_mode & 0o777)
            new.replace(path)
    _sync_folder(path.parent)


def create_file(path: Path, text: str, *, private: bool = False) -> None:
    """Create a file that must not exist yet.

    Raises:
        FileExistsError: it exists; it is unchanged.
        OSError: it cannot be written; nothing is left of it.
    """
    with _writing:
        _write_new(path, text, private)
    _sync_folder(path.parent)


def make_private_folder(path: Path) -> None:
    """Create a folder and its missing parents, for this user only.

    Existing folders are unchanged, and the umask has no effect.

    Raises:
        OSError: it cannot be created, or something else is in its place.
    """
    if not path.parent.is_dir():
        make_private_folder(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(0o700)


def open_private(name: str | os.PathLike[str], flags: int) -> int:
    """Open a file for ``open(opener=...)``; a new file is for this user only.

    The umask has no effect; an existing file keeps its permissions.

    Returns:
        A descriptor.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if flags & os.O_EXCL:
            raise
        return os.open(name, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def finish_writing(seconds: float) -> None:
    """Wait for the current write and block further ones: the process is ending.

    Args:
        seconds: The longest to wait.
    """
    _writing.acquire(timeout=seconds)


def _write_new(path: Path, text: str, private: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = open_private(path, flags) if private else os.open(path, flags, 0o666)
    with _removed_on_failure(path), os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


@contextlib.contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system can sync a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
