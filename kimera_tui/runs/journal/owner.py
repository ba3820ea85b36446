"""Who owns a run: this process by name, and whether another owner can still be alive."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


@cache
def _host() -> str:
    return socket.gethostname()


def owner_name(unique: str) -> str:
    """A name for this process as an owner, such as ``lab:4711:8813422:c0ffee``.

    Args:
        unique: Tells two owners in one process apart.
    """
    pid = os.getpid()
    return f"{_host()}:{pid}:{_born(pid)}:{unique}"


def pid_of(owner: str) -> str:
    """The process id in an owner's name, or an empty string."""
    parts = owner.rsplit(":", 3)
    return parts[1] if len(parts) == 4 else ""


def is_gone(owner: str) -> bool:
    """Whether the owner certainly lives no more: a process of this machine that has ended.

    False for owners elsewhere: only their lease tells.
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
    return _born(pid) != parts[2]


def _born(pid: int) -> str:
    """When a process began, in clock ticks since boot; empty where the system doesn't tell.

    A process id is used again by and by, together with its time of birth it isn't.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # Field 22; the second field is the program's name, which may hold spaces and brackets.
    fields = stat.rpartition(")")[2].split()
    # A zombie runs no more, though it has its id until its parent asks for it.
    return "ended" if fields[0] == "Z" else fields[19]
