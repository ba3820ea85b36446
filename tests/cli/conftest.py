"""The commands as programs, on one embedded broker that stays up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.programs import Done, Programs
from tests.conftest import REPO

Run = Callable[..., Done]


def environment(**more: str) -> dict[str, str]:
    """The test's environment with some variables set, and those given as '' taken out."""
    merged = {**os.environ, **more}
    return {name: value for name, value in merged.items() if value}


@pytest.fixture(scope="session")
def programs() -> Iterator[Programs]:
    """Where commands are run."""
    each = Programs()
    yield each
    each.close()


@pytest.fixture
def run(runtime_dir: Path, programs: Programs) -> Run:
    """Run ``kimera-tui`` and return what it printed and how it left."""

    def call(*words: str, **variables: str) -> Done:
        env = environment(**{"KIMERA_RUNTIME_DIR": str(runtime_dir), **variables})
        return programs.run(list(words), env, REPO)

    return call
