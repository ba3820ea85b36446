"""The console's side of the embedded broker: start or share one, and let go of it."""

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
    """For broker and result backend; there is no password in it."""
    server: str
    """Name and version, such as ``valkey 9.1.2``."""
    instance: str
    supervisor_pid: int
    server_pid: int
    """Of the server that was running when this console came; it is replaced when it dies."""
    directory: Path


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """What the supervisor says about its children now."""

    server_pid: int | None
    worker_pid: int | None
    """None while there is none, or while it waits to be started again."""
    worker_starts: int
    worker_failures: int
    """How many times in a row it ended soon after its start."""


class EmbeddedBroker:
    """A private server and demo worker that live as long as some console holds on to them.

    Consoles that use the same instance name share one; the options of the first one count.
    Everything blocks, prints nothing and may be called from any thread.
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
        """Somebody wants to stop what is still starting."""

    def start(self, timeout: float = 15.0) -> EmbeddedInfo:
        """Attach to the running instance of that name, or start it; waits up to ``timeout`` s.

        Raises:
            EmbeddedError: no server program was found, or it didn't start.
        """
        with self._lock:
            if self._lease is not None and self._info is not None:
                return self._info
            deadline = time.monotonic() + timeout
            while (info := self._hold(deadline)) is None:
                if self._given_up.is_set():
                    raise EmbeddedError("The embedded broker is not needed any more.")
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"The embedded broker {self._instance!r} is being started or ended by"
                        f" another process and did not answer within {timeout:g} s."
                    )
                time.sleep(_RETRY_SECONDS)
            return info

    def restart_worker(self) -> None:
        """Have the supervisor end the demo worker and start a new one; doesn't wait for it.

        Raises:
            EmbeddedError: the broker isn't running.
        """
        self._ask("restart-worker")

    def status(self) -> EmbeddedStatus:
        """Ask the supervisor how its children are.

        Raises:
            EmbeddedError: the broker isn't running.
        """
        answer = self._ask("status")
        return EmbeddedStatus(
            answer["server_pid"],
            answer["worker_pid"],
            answer["worker_starts"],
            answer["worker_failures"],
        )

    def worker_log(self, lines: int = 20) -> str:
        """The last lines that the demo worker wrote, or an empty string."""
        with self._lock:
            info = self._info
        return supervisor.tail(info.directory / "worker.log", lines) if info else ""

    def stop(self, wait: float = 10.0) -> None:
        """Let go; if nobody else holds on, everything ends, and we wait up to ``wait`` s for it."""
        self._given_up.set()
        with self._lock:
            self._given_up.clear()
            lease, self._lease = self._lease, None
            info, self._info = self._info, None
            if lease is None or info is None:
                return
            deadline = time.monotonic() + wait
            try:
                lease.say({"do": "bye"})
                alone = lease.hear(time.monotonic() + _REQUEST_SECONDS)["left"] == 0
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

    def _ask(self, request: str) -> dict[str, Any]:
        with self._lock:
            if self._lease is None:
                raise EmbeddedError("The embedded broker is not running.")
            try:
                self._lease.say({"do": request})
                return self._lease.hear(time.monotonic() + _REQUEST_SECONDS)
            except OSError as error:
                raise EmbeddedError("The embedded broker's supervisor is gone.") from error

    def _hold(self, deadline: float) -> EmbeddedInfo | None:
        """Attach or start; None while another process is busy starting or ending it."""
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
        """Take a lease from a running supervisor; None when there is none."""
        try:
            lease = Lease.take(directory / LEASE_NAME, deadline)
        except OSError:
            return None
        try:
            return self._adopt(lease, directory, lease.hear(deadline))
        except OSError:
            lease.close()
            return None

    def _launch(self, directory: Path, lock: int, deadline: float) -> EmbeddedInfo:
        """Start a supervisor that inherits the lock and holds our lease from its first moment."""
        prepare(directory)
        sweep_siblings(directory)
        try:
            plan = self._plan(directory)
            lease = Lease(self._spawn(directory, lock))
        except (OSError, EmbeddedError) as error:
            discard(directory)
            if isinstance(error, EmbeddedError):
                raise
            raise EmbeddedError(f"The embedded broker can't be started: {error}") from error
        try:
            lease.say(plan)
            answer = lease.hear(deadline)
        except OSError as error:
            said = supervisor.tail(directory / "supervisor.log", 3)
            lease.close()
            raise EmbeddedError(
                f"The embedded broker's supervisor ended or did not answer in time. {said}".strip()
            ) from error
        if "error" in answer:
            lease.wait_until_closed(deadline)
            lease.close()
            raise EmbeddedError(f"The embedded server didn't start: {answer['error']}")
        return self._adopt(lease, directory, answer)

    def _spawn(self, directory: Path, lock: int) -> socket.socket:
        """Start the supervisor's process, in a session of its own; returns our end of its lease."""
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
        # Somebody has to take its exit code, or its entry stays in the process table.
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
        """All that the supervisor has to know, since it imports nothing of ours."""
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
    """Ours without what Celery would let win over what the worker is told."""
    return {name: text for name, text in os.environ.items() if not name.startswith("CELERY")}
