"""What is told of tasks in flight on real workers, where one worker's word is not the truth.

A second worker stands beside each: it has nothing to do with the queue, and hears every revoke.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from kimera_tui.config.friends import Friend
from kimera_tui.process.events import Observed, Sending
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from tests.process.redis.console import until
from tests.process.redis.servers import Server, kill_group, worker

from .watching import Watching, watching

DB = 8


@pytest.fixture(scope="module")
def server_with_bystander(server: Server) -> Iterator[Server]:
    url = server.url(DB)
    with worker(url, url, server.url(5), queues="other", name="bystander"):
        yield server


@pytest.fixture
async def it(server_with_bystander: Server) -> AsyncIterator[Watching]:
    async with watching(server_with_bystander.url(DB)) as it:
        yield it
    for key in ("celery", "unacked", "unacked_index"):
        server_with_bystander.client(DB).delete(key)


@pytest.fixture
def broker(server_with_bystander: Server) -> Server:
    return server_with_bystander


def start(
    broker: Server, name: str = "w1", **options: Any
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A worker on the tests' queue; without events and heartbeats unless asked for."""
    url = broker.url(DB)
    return worker(url, url, broker.url(5), name=name, **options)


def runs(step: StepState) -> bool:
    return step.status is Status.RUNNING


def ran(broker: Server, task_id: str) -> int:
    """How often a task was executed."""
    return int(broker.client(5).hget("runs", task_id) or 0)


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
async def test_a_revoke_that_another_worker_heard_ends_nothing_that_runs(
    it: Watching, broker: Server, pool: str
) -> None:
    with start(broker, pool=pool, slots=2, heartbeat=True):
        run = it.send("write", 5.0, timeout=60)
        step, _ = await it.until(run, lambda step: ran(broker, step.task_id) == 1)
        await it.manager.revoke(step.task_id)
        await asyncio.sleep(2)
        assert not it.step(run).status.ended
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert step.status is Status.DONE


async def test_a_revoked_task_that_no_worker_serves_is_told_to_be_in_its_queue(
    it: Watching, broker: Server
) -> None:
    run = it.send("write", 0.0, timeout=60)
    step, _ = await it.until(run, lambda step: "No worker consumes" in step.cause, 40)
    assert step.cause == (
        "in queue celery, next in line. No worker consumes queue celery (0 of 1 workers)."
    )
    (receipt,) = await it.manager.revoke(step.task_id)
    assert (receipt.worker, receipt.ok) == ("bystander@lab", False)
    assert receipt.answer.endswith("but it neither has the task nor serves its queue")
    step, _ = await it.until(run, lambda step: step.cause.startswith("revoke asked; in queue"), 40)
    await asyncio.sleep(2)
    assert it.step(run).status is Status.QUEUED
    with start(broker):
        step, _ = await it.until(run, lambda step: step.status.ended)
    assert (step.status, ran(broker, step.task_id)) == (Status.DONE, 1)  # it was never told


async def test_a_reserved_task_that_is_revoked_ends_without_running(
    it: Watching, broker: Server
) -> None:
    with start(broker, pool="prefork", slots=1):
        it.send("write", 4.0, timeout=60)
        run = it.send("write", 0.0, timeout=60)
        step, _ = await it.until(run, lambda step: step.status is Status.RESERVED, 40)
        assert step.cause == "received by w1@lab"
        await it.manager.revoke(step.task_id)
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert (step.status, ran(broker, step.task_id)) == (Status.REVOKED, 0)


async def test_a_timed_out_task_is_tried_again_once_its_worker_dropped_it(
    it: Watching, broker: Server
) -> None:
    with start(broker, pool="prefork", slots=1):
        it.send("write", 6.0, timeout=60)
        run = it.run("task: lab.write, timeout: 3s, retry: {max: 1, delay: 1s, on: [TIMEOUT]}")
        step, _ = await it.until(run, lambda step: step.status is Status.DONE)
        assert step.attempt == 2
        ids = [event.task_id for event in it.seen if isinstance(event, Sending)][1:]
    assert [ran(broker, task_id) for task_id in ids] == [0, 1]


async def test_a_task_whose_worker_is_killed_is_lost(it: Watching, broker: Server) -> None:
    with start(broker, pool="prefork", slots=2, heartbeat=True) as process:
        run = it.send("write", 60.0, timeout=120)
        await it.until(run, runs, 40)
        kill_group(process)
        step, _ = await it.until(run, lambda step: step.status is Status.LOST, 40)
        assert step.cause.startswith("w1@lab was running it and is lost; last heard ")
        assert "w1@lab" in it.view.away


async def test_prefetched_tasks_of_a_worker_that_shuts_down_are_back_in_the_queue(
    it: Watching, broker: Server
) -> None:
    with start(broker, pool="prefork", slots=1, heartbeat=True) as process:
        it.send("write", 3.0, timeout=60)
        run = it.send("write", 0.0, timeout=60)
        await it.until(run, lambda step: step.status is Status.RESERVED, 40)
        process.send_signal(signal.SIGTERM)
        step, _ = await it.until(run, lambda step: step.status is Status.QUEUED, 40)
        assert step.cause.startswith("back in queue celery, next in line.")


async def test_a_task_delivered_again_is_told_with_the_worker_that_runs_it_now(
    it: Watching, broker: Server
) -> None:
    conf = {"task_acks_late": True}
    with start(broker, conf=conf, heartbeat=True, slots=1) as process:
        run = it.send("write", 6.0, timeout=120)
        await it.until(run, runs, 40)
        kill_group(process)
        step, _ = await it.until(run, lambda step: "redelivers" in step.cause, 40)
        assert step.cause.startswith("taken by w1@lab, which no longer answers for it; the broker")
        deliver_again(broker)
        with start(broker, name="w2", conf=conf, heartbeat=True, slots=1):
            step, _ = await it.until(run, lambda step: step.worker == "w2@lab" and runs(step))
            assert step.cause == "on w2@lab; w1@lab had started it before"
            step, _ = await it.until(run, lambda step: step.status.ended)
    assert step.status is Status.DONE


def deliver_again(broker: Server) -> None:
    """What kombu does when the visibility timeout is over, two minutes later at the most."""
    client = broker.client(DB)
    for tag, taken in client.hgetall("unacked").items():
        message, _, queue = json.loads(taken)
        client.rpush(queue, json.dumps(message))
        client.hdel("unacked", tag)
        client.zrem("unacked_index", tag)


async def test_a_frozen_worker_is_told_to_be_silent(it: Watching, broker: Server) -> None:
    with start(broker, pool="threads", heartbeat=True) as process:
        run = it.send("write", 20.0, timeout=60)
        await it.until(run, runs, 40)
        process.send_signal(signal.SIGSTOP)
        try:
            step, _ = await it.until(run, lambda step: "does not answer" in step.cause, 40)
            assert step.cause.startswith("on w1@lab, which does not answer; last heard ")
        finally:
            process.send_signal(signal.SIGCONT)
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert step.status is Status.DONE


async def test_a_consumer_that_is_cancelled_is_noticed_while_a_task_waits(
    it: Watching, broker: Server
) -> None:
    with start(broker):
        await until(lambda: it.view.consumers("celery"), 40)
        control = it.manager.celery_app.control
        # Until it has answered it may still take what is sent.
        answered = {"destination": ["w1@lab"], "reply": True, "timeout": 20}
        assert await asyncio.to_thread(control.cancel_consumer, "celery", **answered)
        run = it.send("write", 0.0, timeout=60)
        step, _ = await it.until(run, lambda step: "No worker consumes" in step.cause, 40)
        assert "(0 of 2 workers)" in step.cause
        await asyncio.to_thread(control.add_consumer, "celery", destination=["w1@lab"])
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert step.status is Status.DONE


async def test_a_worker_without_remote_control_is_named_as_not_answering(
    it: Watching, broker: Server
) -> None:
    conf = {"worker_enable_remote_control": False}
    with start(broker, conf=conf, heartbeat=True, slots=1, pool="prefork"):
        await until(lambda: "w1@lab" in it.view.untold, 40)
        it.send("write", 5.0, timeout=60)
        run = it.send("write", 0.0, timeout=60)
        step, _ = await it.until(run, lambda step: "w1@lab" in step.cause, 40)
        assert "No worker consumes" not in step.cause
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert step.status is Status.DONE


@pytest.mark.parametrize("events", [True, False], ids=["with events", "without events"])
@pytest.mark.parametrize("task", ["note", "ignored"])
async def test_a_task_that_keeps_no_result_ends_with_its_result_unknown(
    it: Watching, broker: Server, task: str, events: bool
) -> None:
    with start(broker, events=events):
        run = it.send(task, timeout=60)
        step, _ = await it.until(run, lambda step: step.status.ended, 40)
        assert step.status is Status.RESULT_UNKNOWN
        assert "no result" in step.cause


async def test_a_busy_solo_worker_counts_and_is_not_lost(it: Watching, broker: Server) -> None:
    with start(broker, pool="solo", slots=1, heartbeat=True):
        await until(lambda: it.view.consumers("celery"), 40)
        first = it.send("write", 20.0, timeout=60)
        run = it.send("write", 0.0, timeout=60)
        await it.until(run, lambda step: step.sent_at is not None)
        began = time.monotonic()
        while not it.step(run).status.ended:
            assert it.step(first).status is not Status.LOST
            assert "No worker consumes" not in it.step(run).cause
            assert time.monotonic() - began < 60
            await asyncio.sleep(0.2)


async def test_a_friend_with_its_own_broker_is_observed_there(
    broker: Server, own_server: Server
) -> None:
    far = own_server.url()
    friends = {
        "lab": Friend(route="lab.tasks", queue="celery"),
        "far": Friend(route="lab.tasks", queue="celery", broker=far),
    }
    async with watching(broker.url(DB), friends=friends) as it:
        run = it.send("write", 0.0, friend="far", timeout=60)
        step, _ = await it.until(run, lambda step: "No worker" in step.cause, 40)
        assert step.cause == (
            "in queue celery, next in line. No worker answered: nobody may take this task."
        )
        with worker(far, far, broker.url(5), name="far"):
            step, _ = await it.until(run, lambda step: step.status.ended)
            assert step.status is Status.DONE


async def test_what_a_broker_that_restarted_empty_has_lost_is_told(own_server: Server) -> None:
    url = own_server.url()
    async with watching(url) as it:
        run = it.send("write", 0.0, timeout=60)
        await it.until(run, lambda step: step.status is Status.QUEUED and "in queue" in step.cause)
        own_server.stop()
        await asyncio.sleep(0.5)
        own_server.start()
        step, _ = await it.until(run, lambda step: step.status is Status.LOST, 40)
        assert step.cause == "the broker was restarted without it"
        await asyncio.sleep(3)
        assert it.step(run).status is Status.LOST


@pytest.mark.parametrize("events", [True, False], ids=["with events", "without events"])
async def test_a_retry_that_its_worker_holds_until_its_eta_is_not_lost(
    it: Watching, broker: Server, events: bool
) -> None:
    with start(broker, pool="prefork", events=events):
        await until(lambda: it.view.consumers("celery"), 40)
        run = it.send("retried", 1, 9.0, timeout=60)
        step, _ = await it.until(run, lambda step: step.cause == "w1@lab will retry it")
        assert step.status is Status.RETRYING
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert step.status is Status.DONE
        assert told(it, run).isdisjoint({"lost", "unacked"})


async def test_a_task_that_its_worker_holds_back_for_its_rate_limit_is_not_lost(
    it: Watching, broker: Server
) -> None:
    with start(broker):
        await until(lambda: it.view.consumers("celery"), 40)
        it.send("limited", timeout=60)
        run = it.send("limited", timeout=60)
        step, _ = await it.until(run, lambda step: "rate limit" in step.cause)
        assert step.cause == "taken from its queue; w1@lab may hold it back for its rate limit"
        step, _ = await it.until(run, lambda step: step.status.ended)
        assert step.status is Status.DONE


def told(it: Watching, run_id: str) -> set[str]:
    """Where a run's task was told to be."""
    task_id = it.step(run_id).task_id
    return {
        each.where for each in it.seen if isinstance(each, Observed) and each.task_id == task_id
    }


@pytest.mark.parametrize("heartbeat", [True, False], ids=["with heartbeat", "without heartbeat"])
async def test_a_solo_worker_that_was_busy_before_it_was_asked_is_not_lost(
    server_with_bystander: Server, heartbeat: bool
) -> None:
    seconds = 20.0 if heartbeat else 8.0
    with start(server_with_bystander, pool="solo", slots=1, heartbeat=heartbeat):
        async with watching(server_with_bystander.url(DB)) as it:
            run = it.send("write", seconds, timeout=60)
            await it.until(run, lambda step: step.sent_at is not None)
            while not (step := it.step(run)).status.ended:
                assert step.status is not Status.LOST, step.cause
                await asyncio.sleep(0.1)
            assert step.status is Status.DONE


async def test_no_worker_is_told_to_be_silent_while_the_broker_is(own_server: Server) -> None:
    url = own_server.url()
    with worker(url, url, own_server.url(5), events=True, heartbeat=True):
        async with watching(url) as it:
            run = it.send("write", 35.0, timeout=90)
            await it.until(run, runs, 40)
            own_server.freeze()
            try:
                await asyncio.sleep(18)
                assert it.view.problem
            finally:
                own_server.thaw()
            step, _ = await it.until(run, lambda step: step.status.ended, 60)
            assert step.status is Status.DONE
            assert told(it, run).isdisjoint({"silent", "lost"})


@pytest.mark.parametrize("late", [True, False], ids=["acknowledged late", "acknowledged early"])
async def test_a_worker_that_shuts_down_ends_first_what_it_runs(
    it: Watching, broker: Server, late: bool
) -> None:
    conf = {"task_acks_late": late}
    with start(broker, pool="prefork", slots=1, heartbeat=True, conf=conf) as process:
        run = it.send("write", 30.0, timeout=90)
        await it.until(run, runs, 40)
        process.send_signal(signal.SIGTERM)
        step, _ = await it.until(run, lambda step: step.status is not Status.RUNNING)
        assert step.status is Status.DONE, step.cause
