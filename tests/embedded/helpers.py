"""What the tests of the embedded broker share: processes, deadlines, a console to kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

CONSOLE = """
import json, sys
from kimera_tui.embedded.broker import EmbeddedBroker
broker = EmbeddedBroker(sys.argv[1])
info = broker.start(timeout=60)
print(json.dumps({"supervisor": info.supervisor_pid, "url": info.url,
                  "directory": str(info.directory)}), flush=True)
sys.stdin.read()
broker.stop()
"""


@dataclass(frozen=True)
class Console:
    """A process that holds a lease until its standard input is closed."""

    process: subprocess.Popen[str]
    supervisor: int
    url: str
    directory: Path

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


@contextmanager
def console(instance: str) -> Iterator[Console]:
    """A second console on the instance of that name."""
    process = subprocess.Popen(
        [sys.executable, "-c", CONSOLE, instance],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        started = json.loads(process.stdout.readline())
        yield Console(process, started["supervisor"], started["url"], Path(started["directory"]))
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
        with suppress(OSError):
            process.stdin.close()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for something to become true; fails when it doesn't in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds:g} s"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits for its exit code to be taken doesn't."""
    try:
        # "pid (name) state parent ...", where the name may have spaces
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def nobody_left(pids: list[int]) -> bool:
    return not any(map(alive, pids))


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
