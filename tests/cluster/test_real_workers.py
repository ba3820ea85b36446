"""What is asked of real brokers and heard from real workers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from kimera_tui.cluster.depths import QueueDepths
from kimera_tui.cluster.facts import Fact, TaskReported, WorkerHeard
from kimera_tui.cluster.kombu_feed import KombuFeed
from kimera_tui.cluster.probe import Probe
from kimera_tui.cluster.redis_feed import RedisFeed
from kimera_tui.process.loop.clock import SystemClock, new_id
from tests.process.redis.console import make_app, until
from tests.process.redis.servers import Server, free_port, worker

from .watching import watching


@pytest.fixture
def nowhere() -> str:
    return f"redis://:s3cret@127.0.0.1:{free_port()}/0"


async def test_depths_count_what_no_worker_has_taken_of_every_priority(lab: Server) -> None:
    app = make_app(lab.url(11))
    depths = QueueDepths(app)
    for priority in (0, 0, 3, 9):
        app.send_task("a.b", queue="full", priority=priority)
    try:
        assert await depths.look(["full", "not there"]) == {"full": 4, "not there": 0}
    finally:
        depths.close()
        lab.client(11).flushdb()


async def test_depths_of_a_broker_that_is_away_are_unknown_and_not_nought(nowhere: str) -> None:
    depths = QueueDepths(make_app(nowhere))
    assert await depths.look(["any"]) == {}
    depths.close()


async def test_a_probe_asks_broker_and_backend_and_names_who_is_away(
    lab: Server, nowhere: str
) -> None:
    for broker, backend, who in (
        (lab.url(), lab.url(), ""),
        (nowhere, lab.url(), "The broker at 127.0.0.1:"),
        (lab.url(), nowhere, "The result backend at 127.0.0.1:"),
    ):
        probe = Probe(make_app(broker, backend))
        failure = await probe.look()
        probe.close()
        if not who:
            assert failure is None
            continue
        assert failure is not None
        assert failure.message.startswith(who)
        assert "s3cret" not in failure.message


async def test_workers_of_every_queue_are_seen(lab: Server) -> None:
    async with watching(lab.url()) as it:
        await until(lambda: len(it.view.tasks) == 2)
        view = await it.monitor.fresh_view()
    assert view.queues == {"w1@lab": {"celery"}, "w2@lab": {"elsewhere"}}
    assert view.findings("celery", "lab.tasks.add") == []
    assert view.findings("elsewhere", "lab.tasks.none") == [
        "No worker has lab.tasks.none registered."
    ]
    assert view.findings("nobody", "lab.tasks.add") == [
        "No worker consumes queue nobody (0 of 2 workers)."
    ]


@pytest.fixture
def reporting(server: Server) -> Iterator[Server]:
    """A worker that sends events, beside one that doesn't."""
    url = server.url(7)
    with (
        worker(url, url, server.url(5), queues="told", name="tells", events=True, heartbeat=True),
        worker(url, url, server.url(5), queues="quiet", name="keeps-quiet"),
    ):
        yield server


@pytest.mark.parametrize("feed_type", [RedisFeed, KombuFeed])
async def test_a_feed_hears_of_every_task_of_workers_that_send_events(
    reporting: Server, feed_type: type[RedisFeed | KombuFeed]
) -> None:
    app, heard = make_app(reporting.url(7)), list[Fact]()
    feed = feed_type(app, SystemClock(), heard.extend)
    feed.start()
    try:
        await until(lambda: any(isinstance(each, WorkerHeard) for each in heard))
        task_id, quiet = new_id(), new_id()
        for each, queue in ((task_id, "told"), (quiet, "quiet")):
            app.send_task("lab.tasks.add", [1], task_id=each, queue=queue)
        await until(lambda: len(reports_in(heard)) == 3)
        await asyncio.to_thread(app.AsyncResult(quiet).get, 10)
    finally:
        await feed.close()
    assert [(fact.task_id, fact.report, fact.worker) for fact in reports_in(heard)] == [
        (task_id, "received", "tells@lab"),
        (task_id, "started", "tells@lab"),
        (task_id, "succeeded", "tells@lab"),
    ]
    beat = next(each for each in heard if isinstance(each, WorkerHeard))
    assert (beat.worker, beat.every) == ("tells@lab", 2.0)
    assert beat.pid


def reports_in(facts: list[Fact]) -> list[TaskReported]:
    return [fact for fact in facts if isinstance(fact, TaskReported)]
