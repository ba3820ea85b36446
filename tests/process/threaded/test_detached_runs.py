"""Runs that are handed to workers on RabbitMQ, which has no word of what it was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from kimera_tui.runs.status import Status
from tests.execution.conftest import Console, open_console
from tests.execution.detach.test_detach import SHAPES, both_ways, by_id, left_to_the_workers
from tests.process.redis.servers import Server
from tests.torture.lab import torture_worker

from .rabbit import Rabbit


@pytest.fixture(scope="module")
def torture(rabbit: Rabbit, redis_server: Server) -> Iterator[None]:
    with torture_worker(redis_server, rabbit.url()):
        yield


@pytest_asyncio.fixture
async def console(
    torture: None, rabbit: Rabbit, redis_server: Server, tmp_path: Path
) -> AsyncIterator[Console]:
    async for each in open_console(redis_server, tmp_path / "runs.db", broker=rabbit.url()):
        yield each


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_detached_run_comes_to_what_the_console_would_have_come_to(
    console: Console, shape: str
) -> None:
    here, there = await both_ways(console, shape)
    assert by_id(there) == by_id(here)


async def test_the_workers_go_on_without_the_console_and_another_one_sees_the_end(
    torture: None, rabbit: Rabbit, redis_server: Server, tmp_path: Path
) -> None:
    run = await left_to_the_workers(redis_server, tmp_path / "runs.db", rabbit.url())
    assert run.status is Status.DONE
