"""A program under a pseudo-terminal: what is typed, what it writes, what it leaves behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.conftest import REPO

_CONTROL = re.compile(rb"\x1b\[[0-9;:?<>=$]*[ -/]*[@-~]|\x1b[@-_]|\x1b[0-9=>()]")


class Terminal:
    """A running program and its terminal.

    Args:
        words: What follows ``python`` on the command line.
        env: The program's environment, besides what every terminal has.
        size: Columns and rows.
        cwd: Its working directory.
        controls: Whether the program is told by a SIGHUP when the terminal is closed.
    """

    def __init__(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        size: tuple[int, int] = (120, 36),
        cwd: Path = REPO,
        *,
        controls: bool = False,
    ) -> None:
        self._master, slave = pty.openpty()
        columns, rows = size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._slave = slave
        self.modes_before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            [sys.executable, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TERM": "xterm-256color",
                 "LANG": "C.UTF-8", **env},
            start_new_session=True,
            preexec_fn=_take_control if controls else None,
        )  # fmt: skip
        self.output = b""

    @property
    def text(self) -> str:
        """Everything written so far, without control sequences."""
        return _CONTROL.sub(b"", self.output).decode(errors="replace")

    @property
    def modes(self) -> list[object]:
        """The terminal's modes now."""
        return termios.tcgetattr(self._slave)

    @property
    def is_there(self) -> bool:
        """Whether the terminal has not been closed."""
        return self._master >= 0

    def read(self, seconds: float = 0.1) -> None:
        """Take in what the program writes in the next moments."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self._master], [], [], left)
            if ready:
                self.output += os.read(self._master, 65536)

    def type(self, keys: str) -> None:
        """Type, and read on so that the program never waits for us."""
        os.write(self._master, keys.encode())
        self.read(0.15)

    def click(self, x: int, y: int) -> None:
        """Press and release the mouse's first button."""
        os.write(self._master, f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m".encode())

    def wait_for(self, words: str, seconds: float = 20, since: int = 0) -> None:
        """Read until the words have been written."""
        end = time.monotonic() + seconds
        while words not in _CONTROL.sub(b"", self.output[since:]).decode(errors="replace"):
            assert self.process.poll() is None, f"it ended: {self.text[-2000:]}"
            assert time.monotonic() < end, f"no {words!r} in: {self.text[-3000:]}"
            self.read(0.1)

    def wait_for_end(self, seconds: float = 15) -> int:
        """Read until the program has ended; returns its exit code."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            self.read(0.05)
        self.read(0.2)
        return self.process.returncode

    def hang_up(self) -> None:
        """Close the terminal, as its window is closed."""
        if self.is_there:
            os.close(self._slave)
            os.close(self._master)
            self._master = -1

    def close(self) -> None:
        """End the program, if it is still there."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(5)
        self.hang_up()


def _take_control() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextlib.contextmanager
def terminal(
    words: Sequence[str],
    env: Mapping[str, str],
    size: tuple[int, int] = (120, 36),
    cwd: Path = REPO,
) -> Iterator[Terminal]:
    """A program under a terminal, ended afterwards."""
    running = Terminal(words, env, size, cwd)
    try:
        yield running
    finally:
        running.close()
