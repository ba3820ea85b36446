"""One server, one worker and one zygote for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.redis.servers import Server
from tests.torture.lab import Torture, Zygote, torture_worker


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Zygote]]:
    server = Server(tmp_path_factory.mktemp("torture")).start()
    zygote = Zygote()
    with torture_worker(server):
        yield server, zygote
    zygote.close()
    server.stop()


@pytest.fixture
def torture(ground: tuple[Server, Zygote], tmp_path: Path) -> Torture:
    return Torture(*ground, tmp_path)
