"""One embedded broker with its demo worker per test process, and a fresh TaskManager per test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kimera_tui.embedded.broker import EmbeddedBroker, EmbeddedInfo
from kimera_tui.embedded.runtime_dir import DIRECTORY_VARIABLE
from kimera_tui.process import TaskManager

from .listening import Listener


@pytest.fixture(autouse=True)
def fresh_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No configuration of the machine's, and nothing left of the test before."""
    monkeypatch.chdir(tmp_path)
    for name in ("CELERY", "BROKER_URL", "RESULT_BACKEND", "KIMERA_FRIENDS", "APP_PATH"):
        monkeypatch.delenv(name, raising=False)
    TaskManager.reset()
    yield
    TaskManager.reset()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as hearing:
        yield hearing


@pytest.fixture(scope="session")
def demo() -> Iterator[EmbeddedInfo]:
    """A server and demo worker, shared by all tests that leave them alone."""
    directory = Path(tempfile.mkdtemp(prefix="kt-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(DIRECTORY_VARIABLE, str(directory))
        broker = EmbeddedBroker("contract", concurrency=3)
        info = broker.start(timeout=60)
    yield info
    broker.stop()
    shutil.rmtree(directory)
