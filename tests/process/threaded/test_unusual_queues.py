"""Queues that somebody else declared in another way than the console would."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.process.redis.servers import Server, worker

from .console import SECONDS, Ways, managed
from .rabbit import Rabbit


@pytest.mark.xfail(
    strict=True, reason="each send declares its queue without arguments: 406 PRECONDITION_FAILED"
)
async def test_a_queue_that_its_worker_declared_with_arguments_is_sent_to(
    rabbit: Rabbit, redis_server: Server, tmp_path: Path
) -> None:
    ways = Ways("priorities", rabbit.url(), redis_server.url(3), "priorities")
    conf = {"task_queue_max_priority": 5}
    starting = worker(
        ways.broker, ways.backend, redis_server.url(5),
        queues=ways.queue, name=ways.queue, conf=conf,
    )  # fmt: skip
    with starting:
        async with managed(ways, tmp_path) as manager:
            found = manager.send_await("add", "lab", [1], {"other": 2}, priority=5)
            assert await asyncio.wait_for(found, SECONDS) == 3
