"""What is told of tasks in flight on RabbitMQ, whose queues can be counted and not read.

A second worker stands beside the tests' own: it has nothing to do with the queue, and hears every
revoke.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from kimera_tui.config.friends import Friend
from kimera_tui.runs.status import Status
from tests.cluster.watching import Watching, watching
from tests.process.redis.servers import Server, kill_group, worker

from .rabbit import Rabbit

QUEUE = "observed"
FRIENDS = {"lab": Friend(route="lab.tasks", queue=QUEUE)}


@pytest.fixture(scope="module")
def bystander(rabbit: Rabbit, redis_server: Server) -> Iterator[None]:
    backend, counts = redis_server.url(6), redis_server.url(5)
    with worker(rabbit.url(), backend, counts, queues="other", name="bystander"):
        yield


@pytest.fixture
async def it(bystander: None, rabbit: Rabbit, redis_server: Server) -> AsyncIterator[Watching]:
    async with watching(rabbit.url(), redis_server.url(6), FRIENDS) as it:
        yield it


def start(
    rabbit: Rabbit, redis: Server, **options: Any
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A worker on the tests' queue."""
    backend, counts = redis.url(6), redis.url(5)
    return worker(rabbit.url(), backend, counts, queues=QUEUE, heartbeat=True, **options)


async def test_a_task_that_runs_survives_the_revoke_that_another_worker_heard(
    it: Watching, rabbit: Rabbit, redis_server: Server
) -> None:
    with start(rabbit, redis_server, pool="prefork", slots=2):
        run = it.send("write", 6.0, timeout=60)
        step, _ = await it.until(run, lambda step: step.status is Status.RUNNING, 40)
        await it.manager.revoke(step.task_id)
        await asyncio.sleep(2)
        assert it.step(run).status is Status.RUNNING
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert step.status is Status.DONE


async def test_a_revoked_task_that_no_worker_serves_does_not_end(
    it: Watching, rabbit: Rabbit, redis_server: Server
) -> None:
    run = it.send("write", 0.0, timeout=60)
    step, _ = await it.until(run, lambda step: "No worker consumes" in step.cause, 40)
    await it.manager.revoke(step.task_id)
    await asyncio.sleep(4)
    assert it.step(run).status is Status.QUEUED
    with start(rabbit, redis_server):
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert step.status is Status.DONE


async def test_a_reserved_task_that_is_revoked_ends_without_running(
    it: Watching, rabbit: Rabbit, redis_server: Server
) -> None:
    with start(rabbit, redis_server, pool="prefork", slots=1):
        it.send("write", 6.0, timeout=60)
        run = it.send("write", 0.0, timeout=60)
        step, _ = await it.until(run, lambda step: step.status is Status.RESERVED, 40)
        await it.manager.revoke(step.task_id)
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert step.status is Status.REVOKED
    assert not redis_server.client(5).hget("runs", step.task_id)


async def test_what_a_killed_worker_ran_is_lost_or_delivered_again(
    it: Watching, rabbit: Rabbit, redis_server: Server
) -> None:
    with start(rabbit, redis_server, pool="prefork", slots=1) as process:
        run = it.send("write", 60.0, timeout=120)
        held = it.send("write", 0.0, timeout=120)
        await it.until(run, lambda step: step.status is Status.RUNNING, 40)
        await it.until(held, lambda step: step.status is Status.RESERVED, 40)
        kill_group(process)
        step, _ = await it.until(run, lambda step: step.status is Status.LOST)
        assert step.cause.startswith("w1@lab was running it and is lost; last heard ")
    with start(rabbit, redis_server, name="w2"):
        step, _ = await it.until(held, lambda step: step.status.ended)
        assert step.status is Status.DONE


async def test_a_frozen_worker_is_told_to_be_silent(
    it: Watching, rabbit: Rabbit, redis_server: Server
) -> None:
    with start(rabbit, redis_server) as process:
        run = it.send("write", 16.0, timeout=60)
        await it.until(run, lambda step: step.status is Status.RUNNING, 40)
        process.send_signal(signal.SIGSTOP)
        try:
            await it.until(run, lambda step: "does not answer" in step.cause, 40)
        finally:
            process.send_signal(signal.SIGCONT)
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert step.status is Status.DONE


async def test_a_task_that_keeps_no_result_ends_with_its_result_unknown(
    it: Watching, rabbit: Rabbit, redis_server: Server
) -> None:
    with start(rabbit, redis_server):
        run = it.send("note", timeout=60)
        step, _ = await it.until(run, lambda step: step.status.ended, 40)
        assert "no result" in step.cause
