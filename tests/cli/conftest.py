"""The commands as programs, on one embedded broker that stays up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPO

Run = Callable[..., subprocess.CompletedProcess[str]]


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
