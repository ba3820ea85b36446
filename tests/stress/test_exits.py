"""The program ends as it should, however it is ended; ``make stress`` does it far more often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.redis.servers import Server
from tests.stress.exits import KINDS, stressed

pytestmark = [
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = Server(tmp_path_factory.mktemp("stress")).start()
    yield server.url()
    server.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_it_ends_by_itself_with_a_known_code_and_leaves_nothing(kind: str, broker: str) -> None:
    outcome = stressed(kind, 2, broker)
    assert outcome.faults == []
