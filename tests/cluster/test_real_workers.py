"""What is asked of real brokers and heard from real workers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from kimera_tui.cluster.depths import QueueDepths
from kimera_tui.cluster.feed import TaskFeed
from kimera_tui.cluster.inspector import Inspector
from kimera_tui.cluster.monitor import Monitor
from kimera_tui.cluster.probe import Probe
from kimera_tui.config.friends import Friend
from kimera_tui.process.events import StateSeen
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.process.loop.clock import SystemClock, new_id
from tests.process.redis.console import make_app, until
from tests.process.redis.servers import Server, free_port, worker


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
    inspector = Inspector(make_app(lab.url()))
    view = await inspector.look()
    inspector.close()
    assert view.queues == {"w1@lab": {"celery"}, "w2@lab": {"elsewhere"}}
    assert view.findings("celery", "lab.tasks.add") == []
    assert view.findings("elsewhere", "lab.tasks.none") == [
        "No worker has lab.tasks.none registered."
    ]
    assert view.findings("nobody", "lab.tasks.add") == [
        "No worker consumes queue nobody (0 of 2 workers)."
    ]


@pytest.fixture
def telling(server: Server) -> Iterator[Server]:
    """A worker that sends events, beside one that doesn't."""
    url = server.url(7)
    with (
        worker(url, url, server.url(5), queues="told", name="tells", events=True),
        worker(url, url, server.url(5), queues="quiet", name="keeps-quiet"),
    ):
        yield server


async def test_a_feed_tells_of_our_tasks_where_workers_send_events(telling: Server) -> None:
    app = make_app(telling.url(7))
    ours, heard = {new_id(), new_id()}, list[StateSeen]()
    told, quiet = ours
    feed = TaskFeed(app, ours.__contains__, heard.append)
    feed.start()
    await until(lambda: telling.client(7).exists("_kombu.binding.celeryev"), 10)
    try:
        for task_id, queue in ((told, "told"), (quiet, "quiet"), (new_id(), "told")):
            app.send_task("lab.tasks.add", [1], task_id=task_id, queue=queue)
        await until(lambda: len(heard) == 2, 10)
        await asyncio.to_thread(app.AsyncResult(quiet).get, 10)
    finally:
        feed.close()
    assert [(event.task_id, event.state) for event in heard] == [
        (told, "RECEIVED"),
        (told, "STARTED"),
    ]
    assert {event.meta["hostname"] for event in heard} == {"tells@lab"}


async def test_nothing_is_said_of_a_friend_of_another_broker(lab: Server) -> None:
    monitor = Monitor(
        make_app(lab.url()), EventBus(), SystemClock(), set, lambda _: False, embedded=False
    )
    monitor.view = await monitor.inspector.look()
    near, far = (Friend(route="r", queue="q", broker=broker) for broker in (None, lab.url(3)))
    assert monitor.findings(near, "x") == ["No worker consumes queue q (0 of 2 workers)."]
    assert monitor.findings(far, "x") == []
    monitor.close()
