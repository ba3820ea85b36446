"""One RabbitMQ node, one Redis server and a worker for each kind of result backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.redis.servers import Server, worker

from .console import Ways
from .rabbit import Rabbit, rabbit_binary


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("redis")).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    if rabbit_binary() is None:
        pytest.skip("no rabbitmq-server here: apt-get install rabbitmq-server")
    running = Rabbit(tmp_path_factory.mktemp("rabbit"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def own_rabbit(tmp_path: Path) -> Iterator[Rabbit]:
    """A node that a test may break."""
    if rabbit_binary() is None:
        pytest.skip("no rabbitmq-server here: apt-get install rabbitmq-server")
    running = Rabbit(tmp_path)
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(
    scope="session", params=["rabbit-rpc", "rabbit-redis", "redis-sqlite", "redis-files"]
)
def ways(request: pytest.FixtureRequest, redis_server: Server, folder: Path) -> Iterator[Ways]:
    """A broker and a result backend that aren't two Redis servers, with a worker on them."""
    (folder / "files").mkdir(exist_ok=True)
    broker = redis_server.url(1)
    if request.param.startswith("rabbit"):
        broker = request.getfixturevalue("rabbit").url()
    if request.param == "redis-sqlite":
        pytest.importorskip("sqlalchemy", reason="no sqlalchemy here")
    backend = {
        "rabbit-rpc": "rpc://",
        "rabbit-redis": redis_server.url(2),
        "redis-sqlite": f"db+sqlite:///{folder}/results.db",
        "redis-files": f"file://{folder}/files",
    }[request.param]
    queue = request.param
    with worker(broker, backend, redis_server.url(5), queues=queue, name=queue):
        yield Ways(request.param, broker, backend, queue)
