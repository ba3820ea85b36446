"""A runtime directory per test, and one running demo for the tests that only send tasks to it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from kimera_tui.embedded.broker import EmbeddedBroker, EmbeddedInfo
from kimera_tui.embedded.runtime_dir import DIRECTORY_VARIABLE

if not sys.platform.startswith("linux"):
    collect_ignore_glob = ["test_lifecycle.py"]  # it reads /proc


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private runtime directory with a short path, empty at the end."""
    directory = Path(tempfile.mkdtemp(prefix="kt-", dir="/tmp"))
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(directory))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def demo() -> Iterator[EmbeddedInfo]:
    """A server and demo worker, shared by all tests that leave them alone."""
    directory = Path(tempfile.mkdtemp(prefix="kt-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(DIRECTORY_VARIABLE, str(directory))
        broker = EmbeddedBroker("demo")
        info = broker.start(timeout=60)
    yield info
    broker.stop()
    shutil.rmtree(directory)


def make_client(url: str) -> Celery:
    """A Celery app that only sends."""
    app = Celery("client", broker=url, backend=url, set_as_current=False)
    app.conf.update(accept_content=["json"], result_accept_content=["json"])
    return app


@pytest.fixture(scope="session")
def client(demo: EmbeddedInfo) -> Iterator[Celery]:
    app = make_client(demo.url)
    yield app
    app.close()
