"""The process that owns the embedded server and worker, and ends with the last console.

Started as a script with ``-I -S``: it uses only the standard library and imports nothing of ours.
Its standard input is the first console's lease: a socket that carries one JSON object per line,
first the plan, then requests. The kernel closes it when that console dies, however it dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

LOGS: Final = ("server.log", "worker.log", "supervisor.log")
FILES: Final = (*LOGS, "lease.sock", "broker.sock", "dump.rdb")
"""All files in an instance's directory."""

LOG_LIMIT: Final = 4_000_000
"""Bytes; a larger log is truncated to nothing."""

_TICK = 1.0
_SERVER_SECONDS = 10.0
_PING_SECONDS = 0.003
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 15.0
_STEADY_SECONDS = 20.0
_SERVER_TRIES = 5
_PR_SET_PDEATHSIG = 1


class Child:
    """A process that is restarted when it dies, after a pause that doubles."""

    def __init__(self, name: str, start: Callable[[int], subprocess.Popen[bytes]]) -> None:
        self.name = name
        self.starts = 0
        self.failures = 0
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._due = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def tick(self, now: float) -> float | None:
        """Start or restart the process if due; return seconds until the next call, if needed."""
        if self.pid is not None:
            return None
        if self._process is not None:
            self._bury(self._process, now)
        if now < self._due:
            return self._due - now
        self._process = self._start(self.starts)
        self.starts += 1
        self._started = now
        return None

    def kill(self) -> None:
        """Kill the process and everything it started."""
        if self._process is None:
            return
        # Its children are in its process group and outlive it while they are busy.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _bury(self, process: subprocess.Popen[bytes], now: float) -> None:
        self.kill()
        self.failures = 1 if now - self._started > _STEADY_SECONDS else self.failures + 1
        pause = min(_FIRST_PAUSE * 2 ** (self.failures - 1), _LONGEST_PAUSE)
        self._due = now + pause
        _log(f"the {self.name} ended (code {process.returncode}); restarting in {pause:g} s")


class Supervisor:
    """Owns one server, at most one worker and the leases."""

    def __init__(self, plan: dict[str, Any], first: socket.socket) -> None:
        self._plan = plan
        self._directory = Path(plan["directory"])
        self._first = first
        self._leases: dict[socket.socket, bytes] = {first: b""}
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._lifeline = os.pipe()
        self._ending = False
        self._server = Child("server", self._start_server)
        self._worker = Child("worker", self._start_worker) if plan["worker_argv"] else None
        self._children = [child for child in (self._server, self._worker) if child is not None]

    def run(self) -> None:
        """Serve until the last lease is closed, then remove everything."""
        try:
            wake = self._catch_signals()
            # The worker imports for longest, so it does not wait for the server.
            self._due()
            if self._server_answers():
                self._serve(wake)
        except Exception as error:
            _send(self._first, {"error": f"{type(error).__name__}: {error}"})
            raise
        finally:
            self._end()

    def _catch_signals(self) -> socket.socket:
        """Make signals readable by the selector."""
        wake, bell = socket.socketpair()
        bell.setblocking(False)
        signal.set_wakeup_fd(bell.detach(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._asked_to_end)
        return wake

    def _asked_to_end(self, *_: object) -> None:
        self._ending = True

    def _start_server(self, _starts: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._plan["server_argv"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent(),
        )
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
                pipe.write(self._plan["server_config"].encode())
        return process

    def _start_worker(self, starts: int) -> subprocess.Popen[bytes]:
        # We hold the pipe's other end and never write: on any system it closes when we die.
        argv = [*self._plan["worker_argv"], "--lifeline", str(self._lifeline[0])]
        if starts:
            argv.append("--restore")
        with (self._directory / "worker.log").open("ab") as log:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=self._plan["worker_env"],
                start_new_session=True,
                pass_fds=self._lifeline[:1],
                preexec_fn=_die_with_parent(),
            )

    def _server_answers(self) -> bool:
        """Wait for the server's first answer; report to the console if there is none."""
        deadline, why = time.monotonic() + _SERVER_SECONDS, "did not answer in time"
        while time.monotonic() < deadline and not self._ending:
            if _ping(self._plan["socket"]):
                return True
            if self._server.pid is None:
                why = "ended at once"
                break
            time.sleep(_PING_SECONDS)
        log = tail(self._directory / "server.log", 5)
        _send(self._first, {"error": f"{self._plan['server']} {why}. {log}".strip()})
        return False

    def _serve(self, wake: socket.socket) -> None:
        self._listener = listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._directory / "lease.sock"))
        listener.listen(16)
        for source in (wake, listener, self._first):
            source.setblocking(False)
            self._selector.register(source, selectors.EVENT_READ, source)
        _send(self._first, self._state())
        while self._leases and not self._ending:
            for key, _ in self._selector.select(self._due()):
                if key.data is wake:
                    wake.recv(512)
                elif key.data is listener:
                    self._accept(listener)
                else:
                    self._receive(key.data)

    def _due(self) -> float:
        """Check the children and logs; return seconds until the next check."""
        now = time.monotonic()
        waits = [child.tick(now) for child in self._children]
        if self._server.failures > _SERVER_TRIES:
            _log("the server keeps dying: giving up")
            self._ending = True
        for log in map(self._directory.joinpath, LOGS):
            with contextlib.suppress(OSError):
                if log.stat().st_size > LOG_LIMIT:
                    os.truncate(log, 0)
        return min([_TICK, *(wait for wait in waits if wait is not None)])

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            lease, _ = listener.accept()
            lease.setblocking(False)
            self._leases[lease] = b""
            self._selector.register(lease, selectors.EVENT_READ, lease)
            _send(lease, self._state())

    def _receive(self, lease: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = lease.recv(4096)
        if not data:
            self._selector.unregister(lease)
            self._leases.pop(lease, None)
            lease.close()
            return
        *lines, rest = (self._leases.get(lease, b"") + data).split(b"\n")
        if lease in self._leases:
            self._leases[lease] = rest
        for line in lines:
            with contextlib.suppress(ValueError, AttributeError):
                self._handle(lease, json.loads(line).get("do"))

    def _handle(self, lease: socket.socket, request: object) -> None:
        if request == "bye":
            # Released, but kept open: the console waits for it to close when we end.
            self._leases.pop(lease, None)
            self._ending = self._ending or not self._leases
        _send(lease, self._state())

    def _state(self) -> dict[str, Any]:
        worker = self._worker
        return {
            **{key: self._plan[key] for key in ("url", "server")},
            "supervisor_pid": os.getpid(),
            "server_pid": self._server.pid,
            "worker_pid": worker.pid if worker else None,
            "worker_starts": worker.starts if worker else 0,
            "worker_failures": worker.failures if worker else 0,
            "left": len(self._leases),
        }

    def _end(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for child in self._children:
            child.kill()  # the demo keeps no data, so a graceful end is not needed
        clear(self._directory)
        for directory in (self._directory, *map(Path, self._plan["remove_if_empty"])):
            with contextlib.suppress(OSError):
                directory.rmdir()


def clear(directory: Path) -> None:
    """Remove an instance's files; foreign files stay."""
    for name in FILES:
        with contextlib.suppress(OSError):
            (directory / name).unlink()


def tail(file: Path, lines: int) -> str:
    """The last lines of a log; empty if there is none."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - 65_536))
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def _ping(path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            connection.connect(path)
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def _send(lease: socket.socket, message: dict[str, Any]) -> None:
    """Send a message to a console; ignore one that is gone or does not listen."""
    with contextlib.suppress(OSError):
        lease.send(json.dumps(message).encode() + b"\n")


def _die_with_parent() -> Callable[[], None] | None:
    """For ``preexec_fn``: make the kernel kill the child when we die (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _log(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def main() -> None:
    """Read the plan from the first console and supervise."""
    os.umask(0o077)
    os.chdir("/")
    lease = socket.socket(fileno=os.dup(0))
    # The console sends no request before our answer, so this buffer holds nothing else.
    plan = lease.makefile("rb").readline()
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 0)
    os.close(quiet)
    if plan:
        Supervisor(json.loads(plan), lease).run()


if __name__ == "__main__":
    main()
