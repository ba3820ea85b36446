"""What every benchmark stands on: a server, a worker, a lag probe, and a console."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.embedded.server import find_server
from kimera_tui.process.task_manager import TaskManager

ROOT = Path(__file__).parent.parent
QUEUE = "stub"


@dataclass
class Ground:
    """A Redis server on loopback; nothing of it survives the run."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port)


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """Start a server and point the console's configuration at it."""
    binary = find_server().path
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--logfile", "server.log", "--dir", folder]
        )  # fmt: skip
        place = Ground(port, Path(folder))
        try:
            _wait_for(place)
            _configure(place)
            yield place
        finally:
            process.kill()
            process.wait()


def _wait_for(place: Ground) -> None:
    for _ in range(200):
        with contextlib.suppress(redis.RedisError):
            if place.client().ping():
                return
        time.sleep(0.02)


def _configure(place: Ground) -> None:
    friends = place.folder / "friends.yaml"
    friends.write_text(
        f"friends:\n  stub: {{route: lab.tasks, queue: {QUEUE}}}\n"
        "  real: {route: lab.tasks, queue: real}\n"
    )
    os.environ.update(
        CELERY="1", BROKER_URL=place.url, RESULT_BACKEND=place.url, KIMERA_FRIENDS=str(friends)
    )


@contextlib.contextmanager
def stub_worker(place: Ground) -> Iterator[None]:
    """A worker that answers as fast as Python can."""
    with _running("-m", "benchmarks.stub_worker", str(place.port), QUEUE):
        yield


@contextlib.contextmanager
def completer(place: Ground, ids_file: Path, rate: int) -> Iterator[None]:
    """A process that completes listed ids at a rate, each result being the time it was stored."""
    with _running("-m", "benchmarks.completer", str(place.port), str(ids_file), str(rate)):
        yield


@contextlib.contextmanager
def real_worker(place: Ground) -> Iterator[None]:
    """A prefork ``celery worker`` on the queue ``real``."""
    env = {
        **os.environ,
        "LAB_BROKER": place.url,
        "LAB_BACKEND": place.url,
    }
    with _running(
        "-m", "celery", "-A", "benchmarks.real_tasks", "worker", "-c", "2", "-Q", "real",
        "-l", "ERROR", "--without-mingle", "--without-gossip", "--without-heartbeat", env=env,
    ):  # fmt: skip
        app = _app(place)
        for _ in range(100):
            if app.control.ping(timeout=0.3):
                break
        yield


def _app(place: Ground) -> Any:
    from celery import Celery

    return Celery("bench", broker=place.url, backend=place.url, set_as_current=False)


def plain_app(place: Ground) -> Any:
    """A Celery app as anybody would make it."""
    return _app(place)


@contextlib.contextmanager
def _running(*arguments: str, env: dict[str, str] | None = None) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def manager() -> TaskManager:
    """A fresh TaskManager on the benchmark's server."""
    TaskManager.reset(Bootstrap())
    return TaskManager()


class Lag:
    """How late a 2 ms timer comes, sampled all the time: what a screen on the loop would feel."""

    PERIOD = 0.002

    def __init__(self) -> None:
        self.samples: list[float] = []

    async def __aenter__(self) -> Lag:
        gc.collect()  # what earlier benchmarks left behind isn't this one's
        self._task = asyncio.create_task(self._probe())
        await asyncio.sleep(0.05)
        self.samples.clear()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.sleep(0)
        self._task.cancel()

    async def _probe(self) -> None:
        while True:
            slept_at = time.perf_counter()
            await asyncio.sleep(self.PERIOD)
            self.samples.append(time.perf_counter() - slept_at - self.PERIOD)

    def ms(self) -> dict[str, float]:
        return {f"lag {name}": value for name, value in spread(self.samples, 1e3).items()}


def spread(samples: list[float], scale: float) -> dict[str, float]:
    """Median, 99th percentile and maximum."""
    if not samples:
        return {}
    ordered = sorted(samples)
    last = len(ordered) - 1
    return {
        "p50": round(ordered[last // 2] * scale, 2),
        "p99": round(ordered[int(last * 0.99)] * scale, 2),
        "max": round(ordered[-1] * scale, 2),
    }


class Stopwatch:
    """Wall and CPU seconds of a block."""

    def __enter__(self) -> Stopwatch:
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *exc: object) -> None:
        self.wall = time.perf_counter() - self._wall
        self.cpu = time.process_time() - self._cpu
