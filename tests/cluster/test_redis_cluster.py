"""A Redis Cluster is refused in a sentence: Celery's keys don't stay in one slot."""

from __future__ import annotations

import time

import pytest

from kimera_tui.errors import BrokerUnavailable
from tests.process.redis.console import Console
from tests.process.redis.servers import Server, free_port


async def test_a_cluster_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    node = Server(tmp_path_factory.mktemp("cluster"), options).start()
    try:
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="is a Redis Cluster"):
            await Console(node.url()).publish("a.b")
        assert time.monotonic() - began < 10
    finally:
        node.stop()
