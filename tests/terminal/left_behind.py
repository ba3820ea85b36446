"""What a program leaves behind: processes that were given its home, sockets, half a file."""

from __future__ import annotations

import time
from pathlib import Path


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def family(home: Path) -> list[int]:
    """Every process that was given this home, the program included."""
    mark = f"KIMERA_RUNTIME_DIR={home}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0") and is_running(
                int(entry.name)
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def until_gone(home: Path, seconds: float = 15) -> None:
    """Wait until no process and no socket is left."""
    end = time.monotonic() + seconds
    while family(home) or any(home.glob("*/*.sock")):
        assert time.monotonic() < end, (family(home), list(home.rglob("*")))
        time.sleep(0.05)


def heeds_signals(pid: int) -> bool:
    """Whether the program has got so far that it decides what a SIGTERM does."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> 14 & 1)
