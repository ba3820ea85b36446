"""Broken wires and servers: nothing lost, nothing doubled, and it is told."""

from __future__ import annotations

import asyncio

import pytest

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.events import ConnectionBack, ConnectionLost, Resent
from kimera_tui.process.loop.clock import new_id

from .console import Console, until
from .servers import Proxy, Server, worker


def executions(server: Server, ids: list[str]) -> list[int]:
    counts = server.client(5).hmget("runs", ids)
    return [int(count or 0) for count in counts]


async def test_cut_every_100_ms_nothing_is_lost_and_nothing_doubled(lab: Server) -> None:
    async with Proxy(lab.port) as proxy:
        console, ids = Console(proxy.url()), [new_id() for _ in range(600)]

        async def keep_cutting() -> None:
            while True:
                await asyncio.sleep(0.1)
                proxy.cut()

        async def one(number: int) -> int:
            await asyncio.sleep(number * 0.004)
            outcome = await console.call(
                "add", number, task_id=ids[number], poll=(0.1, 0.5), release=False
            )
            return int(outcome.result)

        first = await one(0)  # a broker that never answered is not waited for
        cutting = asyncio.ensure_future(keep_cutting())
        others = await asyncio.gather(*(one(number) for number in range(1, len(ids))))
        cutting.cancel()
        assert [first, *others] == list(range(len(ids)))
        assert executions(lab, ids) == [1] * len(ids)
        assert proxy.cuts > 15
        assert len(console.of(ConnectionLost)) > 5


async def test_every_reply_of_a_burst_lost_once(lab: Server) -> None:
    async with Proxy(lab.port) as proxy:
        console, ids = Console(proxy.url()), [new_id() for _ in range(30)]
        for number, each in enumerate(ids):
            proxy.lose_reply_to = f"kimera:pub:{each}".encode()
            outcome = await console.call("add", number, task_id=each, release=False)
            assert outcome.result == number
        assert executions(lab, ids) == [1] * len(ids)
        assert len(console.of(Resent)) == len(ids)


async def test_a_server_that_stops_for_two_seconds_ends_no_wait(lab: Server) -> None:
    console, ids = Console(lab.url()), [new_id() for _ in range(20)]
    await console.call("add", 1)
    lab.freeze()
    try:
        calls = asyncio.gather(
            *(console.call("add", 1, task_id=each, release=False) for each in ids)
        )
        await asyncio.sleep(2)
        assert not calls.done()
    finally:
        lab.thaw()
    assert [outcome.result for outcome in await calls] == [1] * 20
    assert executions(lab, ids) == [1] * 20


async def test_a_restart_with_aof_goes_on_where_it_was(own_server: Server) -> None:
    own_server.stop()
    own_server.options = ["--appendonly", "yes", "--appendfsync", "always"]
    own_server.start()
    url = own_server.url()
    console, ids = Console(url), [new_id() for _ in range(50)]
    for each in ids:
        await console.publish("lab.tasks.add", 1, task_id=each)
    waiting = [console.engine.watcher.watch(each, 0.1, 0.5) for each in ids]
    await asyncio.to_thread(own_server.stop)
    await until(lambda: {event.which for event in console.of(ConnectionLost)} >= {"broker"})
    await asyncio.to_thread(own_server.start)
    for each in ids:  # whoever doubts offers again: each is queued already
        await console.publish("lab.tasks.add", 1, task_id=each)
    with_worker = worker(url, url, own_server.url(5), name="w2")
    await asyncio.to_thread(with_worker.__enter__)
    try:
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting), 20)
    finally:
        await asyncio.to_thread(with_worker.__exit__, None, None, None)
    assert [outcome.result for outcome in outcomes] == [1] * 50
    assert executions(own_server, ids) == [1] * 50
    assert {event.which for event in console.of(ConnectionBack)} == {"broker", "result backend"}


async def test_broker_and_backend_fail_and_return_each_on_its_own(
    own_server: Server, server: Server
) -> None:
    console = Console(server.url(6), own_server.url())
    await console.publish("a.b", queue="far")
    future = console.engine.watcher.watch(new_id(), 0.1, 0.2)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(own_server.stop)
    await until(lambda: console.of(ConnectionLost))
    # A publish that waited for the dead backend would be refused when its patience ends.
    await console.publish("a.b", queue="far")
    await asyncio.to_thread(own_server.start)
    await until(lambda: console.of(ConnectionBack))
    assert [event.which for event in console.of(ConnectionLost)] == ["result backend"]
    assert [event.which for event in console.of(ConnectionBack)] == ["result backend"]
    assert not future.done()
    server.client(6).flushdb()


def reasons(console: Console) -> dict[str, str]:
    """Why each server was lost, as told last."""
    return {event.which: event.reason for event in console.of(ConnectionLost)}


async def test_a_server_that_wants_a_password_is_not_back(own_server: Server) -> None:
    console, admin = Console(own_server.url()), own_server.client()
    await console.publish("a.b", queue="far")
    future = console.engine.watcher.watch(new_id(), 0.1, 0.2)
    await asyncio.sleep(0.3)
    admin.config_set("requirepass", "new")
    admin = own_server.client(password="new")
    for kind in ("normal", "pubsub"):
        admin.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    wants = f"at 127.0.0.1:{own_server.port} wants a password."
    await until(lambda: reasons(console) == {"broker": wants, "result backend": wants})
    with pytest.raises(BrokerUnavailable, match="wants a password"):
        await console.publish("a.b", queue="far")
    assert not console.of(ConnectionBack)
    assert console.count()["ConnectionLost"] <= 4  # each attempt is no news
    admin.config_set("requirepass", "")
    await until(lambda: len(console.of(ConnectionBack)) == 2)
    assert not future.done()
    await console.publish("a.b", queue="far")
    assert own_server.client().llen("far") == 2


async def test_a_server_that_is_loading_is_not_back(own_server: Server) -> None:
    async with Proxy(own_server.port) as proxy:
        console = Console(proxy.url())
        await console.publish("a.b", queue="far")
        console.engine.watcher.watch(new_id(), 0.1, 0.2)
        await asyncio.sleep(0.3)
        loading = b"-LOADING Redis is loading the dataset in memory\r\n"
        proxy.answers = {b"PING": loading, b"STRLEN": loading, b"SUBSCRIBE": loading}
        proxy.cut()
        await until(lambda: proxy.answered > 5)
        assert console.of(ConnectionLost)
        assert not console.of(ConnectionBack)
        proxy.answers = {}
        await until(lambda: console.of(ConnectionBack))


async def test_an_idle_connection_that_the_server_closes_is_no_news(server: Server) -> None:
    async with Proxy(server.port) as proxy:
        console = Console(proxy.url(3))
        task_id = await console.publish("a.b", queue="far")
        console.engine.watcher.watch(task_id, 0.1, 0.2)
        await asyncio.sleep(0.3)
        console.engine.watcher.unwatch(task_id)
        await asyncio.sleep(0.3)
        for _ in range(3):
            opened = proxy.accepted
            proxy.cut()
            await until(lambda opened=opened: proxy.accepted >= opened + 3)
            await asyncio.sleep(0.1)
        await console.publish("a.b", queue="far")
        assert server.client(3).llen("far") == 2
        assert not console.of(ConnectionLost)
        proxy.refuse = True
        proxy.cut()
        await until(lambda: console.of(ConnectionLost))
    server.client(3).flushdb()
