"""Files that are written whole or not at all; files and folders that only this user can open."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

_writing = threading.Lock()


def is_missing(path: Path) -> bool:
    """Whether nothing is there; what may not be looked for isn't missing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def replace_file(path: Path, text: str, *, private: bool = False) -> None:
    """Put a file in the place of another in one step; the other's rights, and a link, stay.

    Args:
        path: Its folder is made where there is none.
        text: All of what is in it then.
        private: Whether only this user may read it, and enter what folders are made, where new.

    Raises:
        OSError: it can't be written; what was there is as it was.
    """
    path = Path(os.path.realpath(path))
    if private:
        make_private_folder(path.parent)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{token_hex(8)}.tmp")
    with _writing:
        _write_new(new, text, private)
        with _gone_on_failure(new):
            if path.exists():
                new.chmod(path.stat().st_mode & 0o777)
            new.replace(path)
    _sync_folder(path.parent)


def create_file(path: Path, text: str, *, private: bool = False) -> None:
    """Write a file that must not be there yet.

    Raises:
        FileExistsError: it is there; it was not touched.
        OSError: it can't be written; nothing of it is there.
    """
    with _writing:
        _write_new(path, text, private)
    _sync_folder(path.parent)


def make_private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing: only this user can enter them.

    What is there already stays as it is, and the umask changes nothing.

    Raises:
        OSError: it can't be made, or something else stands there.
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
    """Open a file, made if need be, as ``open`` wants it of an ``opener``.

    Only this user can read one that is made, whatever the umask; another one keeps its rights.

    Returns:
        A descriptor.

    Raises:
        OSError: it can't be opened.
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
    """Let what is being written be finished, and nothing more be begun: the process ends.

    Args:
        seconds: The longest to wait for it.
    """
    _writing.acquire(timeout=seconds)


def _write_new(path: Path, text: str, private: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = open_private(path, flags) if private else os.open(path, flags, 0o666)
    with _gone_on_failure(path), os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


@contextlib.contextmanager
def _gone_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it is written; not every file system syncs a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
