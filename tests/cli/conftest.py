"""The commands as programs, on one embedded broker that is kept up meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kimera_tui.embedded.broker import EmbeddedBroker
from tests.conftest import REPO

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def runtime_dir() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="kt-", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def broker_url(runtime_dir: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIMERA_RUNTIME_DIR", str(runtime_dir))
        broker = EmbeddedBroker()
        info = broker.start(timeout=60)
    yield info.url
    broker.stop()


def environment(**more: str) -> dict[str, str]:
    """The test's environment with some variables set, and those given as '' taken out."""
    merged = {**os.environ, **more}
    return {name: value for name, value in merged.items() if value}


@pytest.fixture
def run(runtime_dir: Path) -> Run:
    """Run ``kimera-tui`` and return what it printed and how it left."""

    def call(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kimera_tui", *words],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=REPO,
            stdin=subprocess.DEVNULL,
            env=environment(**{"KIMERA_RUNTIME_DIR": str(runtime_dir), **variables}),
        )

    return call
