"""One server and two workers for all tests of this directory, per test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .console import Console
from .servers import Server, worker


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("redis")).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def lab(server: Server) -> Iterator[Server]:
    """The server with a worker on it, and one that has nothing to do with the tests' queue.

    Counts of executions are in database 5.
    """
    url = server.url()
    with (
        worker(url, url, server.url(5)),
        worker(url, url, server.url(5), queues="elsewhere", name="w2"),
    ):
        yield server


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that a test may break."""
    running = Server(tmp_path_factory.mktemp("own")).start()
    yield running
    running.stop()


@pytest.fixture
async def console(lab: Server) -> Console:
    return Console(lab.url())
