"""The console's side of the embedded broker: start or share it, and release it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from kimera_tui.embedded import supervisor
from kimera_tui.embedded.lease import Lease
from kimera_tui.embedded.leftovers import discard, prepare, sweep, sweep_siblings
from kimera_tui.embedded.runtime_dir import (
    LEASE_NAME,
    SOCKET_NAME,
    instance_dir,
    own_base,
    try_lock,
)
from kimera_tui.embedded.server import configuration, find_server
from kimera_tui.errors import EmbeddedError
from kimera_tui.files import open_private

__all__ = ["EmbeddedBroker", "EmbeddedError", "EmbeddedInfo", "EmbeddedStatus"]

_RETRY_SECONDS = 0.02
_REQUEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class EmbeddedInfo:
    """A running embedded broker."""

    url: str
    """For broker and result backend; contains no password."""
    server: str
    """Name and version, such as ``valkey 9.1.2``."""
    instance: str
    supervisor_pid: int
    server_pid: int
    """Of the server that ran when this console attached; a server that dies is replaced."""
    directory: Path


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """The state of the supervisor's children."""

    server_pid: int | None
    worker_pid: int | None
    """None if there is no worker, or while it waits to be restarted."""
    worker_starts: int
    worker_failures: int
    """How many times in a row it ended soon after its start."""


class EmbeddedBroker:
    """A private server and demo worker that live as long as a console holds a lease on them.

    Consoles with the same instance name share them; the options of the first console count.
    All methods block, print nothing and may be called from any thread.

    Args:
        instance: Name of the instance.
        worker: Whether to start the demo worker.
        concurrency: Number of the worker's processes.
    """

    def __init__(
        self, instance: str = "default", *, worker: bool = True, concurrency: int = 2
    ) -> None:
        self._instance = instance
        self._worker = worker
        self._concurrency = concurrency
        self._lock = threading.RLock()
        self._lease: Lease | None = None
        self._reaper: threading.Thread | None = None
        self._info: EmbeddedInfo | None = None
        self._given_up = threading.Event()
        """Set by ``stop`` while ``start`` is in progress."""

    def start(self, timeout: float = 15.0) -> EmbeddedInfo:
        """Attach to the running instance of that name, or start it.

        Args:
            timeout: Seconds to wait.

        Raises:
            EmbeddedError: no server program was found, or it did not start.
        """
        with self._lock:
            if self._lease is not None and self._info is not None:
                return self._info
            deadline = time.monotonic() + timeout
            while (info := self._hold(deadline)) is None:
                if self._given_up.is_set():
                    raise EmbeddedError("The embedded broker was stopped while it was starting.")
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"The embedded broker {self._instance!r} is being started or stopped by"
                        f" another process and did not answer within {timeout:g} s."
                    )
                time.sleep(_RETRY_SECONDS)
            return info

    def status(self) -> EmbeddedStatus:
        """Ask the supervisor for the state of its children.

        Raises:
            EmbeddedError: the broker is not running.
        """
        answer = self._request("status")
        return EmbeddedStatus(
            answer["server_pid"],
            answer["worker_pid"],
            answer["worker_starts"],
            answer["worker_failures"],
        )

    def stop(self, wait: float = 10.0) -> None:
        """Release the lease; the last lease ends server and worker.

        Args:
            wait: Seconds to wait for that end.
        """
        self._given_up.set()
        with self._lock:
            self._given_up.clear()
            lease, self._lease = self._lease, None
            info, self._info = self._info, None
            if lease is None or info is None:
                return
            deadline = time.monotonic() + wait
            try:
                lease.send({"do": "bye"})
                alone = lease.receive(time.monotonic() + _REQUEST_SECONDS)["left"] == 0
                if alone:
                    lease.wait_until_closed(deadline)
            except (OSError, KeyError):
                sweep(info.directory)
                alone = True
            finally:
                lease.close()
            if alone and self._reaper is not None:
                self._reaper.join(max(0.0, deadline - time.monotonic()))
            self._reaper = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _request(self, request: str) -> dict[str, Any]:
        with self._lock:
            if self._lease is None:
                raise EmbeddedError("The embedded broker is not running.")
            try:
                self._lease.send({"do": request})
                return self._lease.receive(time.monotonic() + _REQUEST_SECONDS)
            except OSError as error:
                raise EmbeddedError("The embedded broker's supervisor is gone.") from error

    def _hold(self, deadline: float) -> EmbeddedInfo | None:
        """Attach or start; None while another process is starting or stopping the instance."""
        directory = instance_dir(self._instance)
        info = self._attach(directory, deadline)
        if info is not None:
            return info
        lock = try_lock(directory)
        if lock is None:
            return None
        try:
            return self._launch(directory, lock, deadline)
        finally:
            os.close(lock)

    def _attach(self, directory: Path, deadline: float) -> EmbeddedInfo | None:
        """Take a lease from a running supervisor; None if there is none."""
        try:
            lease = Lease.take(directory / LEASE_NAME, deadline)
        except OSError:
            return None
        try:
            return self._adopt(lease, directory, lease.receive(deadline))
        except OSError:
            lease.close()
            return None

    def _launch(self, directory: Path, lock: int, deadline: float) -> EmbeddedInfo:
        """Start a supervisor that inherits the lock and holds our lease from its start."""
        prepare(directory)
        sweep_siblings(directory)
        try:
            plan = self._plan(directory)
            lease = Lease(self._spawn(directory, lock))
        except (OSError, EmbeddedError) as error:
            discard(directory)
            if isinstance(error, EmbeddedError):
                raise
            raise EmbeddedError(f"The embedded broker cannot be started: {error}") from error
        try:
            lease.send(plan)
            answer = lease.receive(deadline)
        except OSError as error:
            log = supervisor.tail(directory / "supervisor.log", 3)
            lease.close()
            raise EmbeddedError(
                f"The embedded broker's supervisor ended or did not answer in time. {log}".strip()
            ) from error
        if "error" in answer:
            lease.wait_until_closed(deadline)
            lease.close()
            raise EmbeddedError(f"The embedded server did not start: {answer['error']}")
        return self._adopt(lease, directory, answer)

    def _spawn(self, directory: Path, lock: int) -> socket.socket:
        """Start the supervisor in its own session; return our end of its lease."""
        ours, theirs = socket.socketpair()
        with theirs, open(directory / "supervisor.log", "ab", opener=open_private) as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, self._instance],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock,),
            )
        # Its exit code must be collected, or it stays in the process table.
        self._reaper = threading.Thread(target=process.wait, name="embedded-reaper", daemon=True)
        self._reaper.start()
        return ours

    def _adopt(self, lease: Lease, directory: Path, answer: dict[str, Any]) -> EmbeddedInfo:
        info = EmbeddedInfo(
            url=answer["url"],
            server=answer["server"],
            instance=self._instance,
            supervisor_pid=answer["supervisor_pid"],
            server_pid=answer["server_pid"],
            directory=directory,
        )
        self._lease, self._info = lease, info
        return info

    def _plan(self, directory: Path) -> dict[str, Any]:
        """All settings of the supervisor, which imports nothing of ours."""
        server = find_server()
        path = directory / SOCKET_NAME
        url = f"redis+socket://{quote(str(path))}"
        worker = [
            sys.executable,
            "-P",
            str(Path(__file__).with_name("worker.py")),
            url,
            "--concurrency",
            str(self._concurrency),
        ]
        return {
            "directory": str(directory),
            "socket": str(path),
            "url": url,
            "server": str(server),
            "server_argv": [server.path, "-"],
            "server_config": configuration(server, directory, path),
            "worker_argv": worker if self._worker else None,
            "worker_env": _worker_environment(),
            "remove_if_empty": [str(base) for base in own_base(directory)],
        }


def _worker_environment() -> dict[str, str]:
    """Our environment without Celery's variables, which would override the worker's options."""
    return {name: text for name, text in os.environ.items() if not name.startswith("CELERY")}
