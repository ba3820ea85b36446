"""Removes what a killed supervisor could not remove itself."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from kimera_tui.embedded.runtime_dir import SOCKET_NAME, own_base, try_lock
from kimera_tui.embedded.supervisor import clear

_ORPHAN_SECONDS = 2.0


def prepare(directory: Path) -> None:
    """Prepare a locked directory for a new supervisor."""
    _end_orphan(directory / SOCKET_NAME)
    clear(directory)


def discard(directory: Path) -> None:
    """Remove a locked directory in which nothing runs; foreign files stay."""
    clear(directory)
    for place in (directory, *own_base(directory)):
        with contextlib.suppress(OSError):
            place.rmdir()


def sweep(directory: Path) -> None:
    """Remove the directory unless a supervisor uses it; foreign files stay."""
    with contextlib.suppress(OSError):
        lock = try_lock(directory)
        if lock is None:
            return
        try:
            prepare(directory)
            discard(directory)
        finally:
            os.close(lock)


def sweep_siblings(directory: Path) -> None:
    """Remove what dead instances with other names left behind."""
    with contextlib.suppress(OSError):
        for log in directory.parent.glob("*/supervisor.log"):
            if log.parent != directory and log.lstat().st_uid == os.getuid():
                sweep(log.parent)


def _end_orphan(path: Path) -> None:
    """End a server that outlived its supervisor, where the kernel does not (macOS)."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ORPHAN_SECONDS)
        connection.connect(str(path))
        connection.sendall(b"SHUTDOWN NOSAVE\r\n")
        while connection.recv(64):
            pass
