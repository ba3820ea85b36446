from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kimera_tui.errors import BrokerUnavailable, KimeraError, NotSerialisable, PublishUncertain
from kimera_tui.process.events import ConnectionLost, Resent
from kimera_tui.process.loop.clock import new_id
from kimera_tui.process.redis.publish_script import MARKER_SECONDS

from .console import Console, until
from .servers import Proxy, Server, free_port

FAR = "nobody-consumes-this"
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"


async def test_the_same_task_is_queued_once(server: Server) -> None:
    console, client = Console(server.url(3)), server.client(3)
    task_id = new_id()
    for _ in range(3):
        await console.publish("a.b", 1, task_id=task_id, queue=FAR)
    assert client.llen(FAR) == 1
    assert 0 < client.ttl(f"kimera:pub:{task_id}") <= MARKER_SECONDS
    client.flushdb()


async def test_a_thousand_at_once_are_queued_in_order(server: Server) -> None:
    console, client = Console(server.url(3)), server.client(3)
    ids = [new_id() for _ in range(1000)]
    await asyncio.gather(*(console.publish("a.b", 1, task_id=each, queue=FAR) for each in ids))
    messages = [text.decode() for text in client.lrange(FAR, 0, -1)]
    assert [each in message for each, message in zip(reversed(ids), messages, strict=True)]
    assert len(messages) == 1000
    assert await console.engine.publisher.published([ids[0], "never"]) == {  # type: ignore[attr-defined]
        ids[0]: True, "never": False,
    }  # fmt: skip
    client.flushdb()


async def test_a_refusal_does_not_say_that_a_task_was_not_published(server: Server) -> None:
    async with Proxy(server.port) as proxy:
        console = Console(proxy.url(3), server.url(3))
        task_id = await console.publish("a.b", 1, queue=FAR)
        proxy.answers = {b"EXISTS": LOADING}
        with pytest.raises(BrokerUnavailable, match="is loading its data"):
            await console.engine.publisher.published([task_id])  # type: ignore[attr-defined]
        proxy.answers = {}
        assert await console.engine.publisher.published([task_id]) == {task_id: True}  # type: ignore[attr-defined]
    server.client(3).flushdb()


async def test_the_key_prefix_goes_before_everything(server: Server) -> None:
    options = {"global_keyprefix": "team:"}
    console, client = Console(server.url(3), broker_transport_options=options), server.client(3)
    task_id = await console.publish("a.b", 1, queue=FAR, priority=6)
    assert client.llen(f"team:{FAR}\x06\x166") == 1
    assert client.exists(f"team:kimera:pub:{task_id}")
    assert all(key.startswith(b"team:") for key in client.keys("*"))
    client.flushdb()


async def test_what_json_cannot_write_is_refused_by_name(server: Server) -> None:
    console = Console(server.url(3))
    for _ in range(4):  # by the genuine path and by the template's
        with pytest.raises(NotSerialisable, match="argument 2: a set cannot be sent"):
            await console.publish("a.b", 1, {2}, queue=FAR)
        await console.publish("a.b", 1, 2, queue=FAR)
    assert server.client(3).llen(FAR) == 4
    server.client(3).flushdb()


async def test_nobody_there_is_reported_at_once() -> None:
    port = free_port()
    console = Console(f"redis://127.0.0.1:{port}/0")
    started = asyncio.get_running_loop().time()
    with pytest.raises(BrokerUnavailable, match=f"127.0.0.1:{port} is not there"):
        await console.publish("a.b", 1)
    assert asyncio.get_running_loop().time() - started < 1
    assert console.of(ConnectionLost)[0].which == "broker"


async def test_a_silent_server_is_given_up_in_five_seconds() -> None:
    held = []  # a writer that nobody holds closes its connection
    silent = await asyncio.start_server(lambda *ends: held.append(ends), "127.0.0.1", 0)
    console = Console(f"redis://127.0.0.1:{silent.sockets[0].getsockname()[1]}/0")
    started = asyncio.get_running_loop().time()
    with pytest.raises(BrokerUnavailable, match="did not answer"):
        await console.publish("a.b", 1)
    assert asyncio.get_running_loop().time() - started < 5.5
    silent.close()
    for _, writer in held:
        writer.close()


async def test_a_first_connection_that_takes_long_is_not_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimera_tui.process.redis.publisher.LOOK_SECONDS", 0.1)
    async with Proxy(server.port) as proxy:
        proxy.slow = 1.0
        await Console(proxy.url(3), server.url(3)).publish("a.b", 1, queue=FAR)
    assert server.client(3).llen(FAR) == 1
    server.client(3).flushdb()


async def test_refusals_are_one_plain_sentence(own_server: Server) -> None:
    console, client = Console(own_server.url()), own_server.client()
    await console.publish("a.b", 1, queue=FAR)
    client.config_set("maxmemory", "1")
    with pytest.raises(BrokerUnavailable, match="is out of memory: nothing was sent"):
        await console.publish("a.b", 1, queue=FAR)
    client.config_set("maxmemory", "0")
    client.set("a-string", "x")
    with pytest.raises(BrokerUnavailable, match="WRONGTYPE"):
        await console.publish("a.b", 1, queue="a-string", task_id="marker-goes")
    assert not client.exists("kimera:pub:marker-goes")
    client.replicaof("127.0.0.1", free_port())
    with pytest.raises(BrokerUnavailable, match="is a read-only replica: nothing was sent"):
        await console.publish("a.b", 1, queue=FAR)
    client.replicaof("NO", "ONE")
    await console.publish("a.b", 1, queue=FAR)
    assert client.llen(FAR) == 2


def without_eval(server: Server, *also: str) -> str:
    """Makes a user who may run no script, nor these commands; returns its login for a URL."""
    denied = [f"-{command}" for command in ("eval", *also)]
    server.client().acl_setuser(
        "app", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"],
        commands=["+@all", *denied],
    )  # fmt: skip
    return "redis://app:secret@"


async def test_without_the_right_to_eval_transactions_do_it(
    own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    client, login = own_server.client(), without_eval(own_server, "evalsha", "script")
    console = Console(own_server.url().replace("redis://", login))
    ids = [new_id() for _ in range(40)]
    for _ in range(2):
        await asyncio.gather(*(console.publish("a.b", 1, task_id=each, queue=FAR) for each in ids))
    assert client.llen(FAR) == 40
    assert "does not permit EVAL" in caplog.text
    client.set("a-string", "x")
    with pytest.raises(BrokerUnavailable):
        await console.publish("a.b", 1, queue="a-string")


@pytest.mark.parametrize("command", ["exists", "watch"])
async def test_a_transaction_that_may_not_look_publishes_nothing_and_says_so(
    own_server: Server, command: str
) -> None:
    client, login = own_server.client(), without_eval(own_server, command)
    console = Console(own_server.url().replace("redis://", login))
    with pytest.raises(BrokerUnavailable, match="does not permit this user to do that"):
        await console.publish("a.b", 1, queue=FAR)
    assert client.llen(FAR) == 0
    client.acl_setuser("app", commands=[f"+{command}"])
    await console.publish("a.b", 2, queue=FAR)
    assert client.llen(FAR) == 1


async def test_a_transaction_waits_for_a_server_that_is_loading(own_server: Server) -> None:
    client, login = own_server.client(), without_eval(own_server)
    async with Proxy(own_server.port) as proxy:
        console = Console(proxy.url().replace("redis://", login))
        await console.publish("a.b", 0, queue=FAR)
        proxy.answers = {b"WATCH": LOADING, b"EXISTS": LOADING}
        waiting = asyncio.ensure_future(console.publish("a.b", 1, queue=FAR))
        await until(lambda: proxy.answered > 2)
        proxy.answers = {}
        await asyncio.wait_for(waiting, 20)
        assert client.llen(FAR) == 2


async def test_a_lost_reply_is_offered_again_and_queued_once(server: Server) -> None:
    client = server.client(3)
    async with Proxy(server.port) as proxy:
        console = Console(proxy.url(3), server.url(3))
        await console.publish("a.b", 0, queue=FAR)
        proxy.lose_reply_to = b"EVAL"
        task_id = await console.publish("a.b", 1, queue=FAR)
        assert [event.task_id for event in console.of(Resent)] == [task_id]
        assert client.llen(FAR) == 2
        assert console.count()["ConnectionLost"] == console.count()["ConnectionBack"] == 1
        client.flushdb()


async def test_a_lost_transaction_is_offered_again_too(own_server: Server) -> None:
    client, login = own_server.client(), without_eval(own_server)
    async with Proxy(own_server.port) as proxy:
        console = Console(proxy.url().replace("redis://", login))
        await console.publish("a.b", 0, queue=FAR)
        proxy.lose_reply_to = b"EXEC"
        await console.publish("a.b", 1, queue=FAR)
        assert client.llen(FAR) == 2
        assert console.count()["Resent"] == 1


async def test_a_lost_reply_and_no_way_back_is_uncertain(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimera_tui.process.redis.publisher.DOUBT_SECONDS", 0.5)
    async with Proxy(server.port) as proxy:
        console = Console(proxy.url(3), server.url(3))
        await console.publish("a.b", 0, queue=FAR)
        proxy.lose_reply_to, proxy.refuse = b"EVAL", True
        with pytest.raises(PublishUncertain, match="may or may not be queued"):
            await console.publish("a.b", 1, queue=FAR)
    server.client(3).flushdb()


async def test_a_restart_without_memory_makes_an_open_publish_uncertain(
    own_server: Server,
) -> None:
    async with Proxy(own_server.port) as proxy:
        console = Console(proxy.url(), own_server.url())
        await console.publish("a.b", 0, queue=FAR)
        proxy.lose_reply_to, proxy.refuse = b"EVAL", True
        lost = asyncio.ensure_future(console.publish("a.b", 1, queue=FAR))
        await until(lambda: console.of(ConnectionLost))
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(own_server.start)
        proxy.refuse = False
        with pytest.raises(PublishUncertain, match="restarted"):
            await lost
        assert own_server.client().llen(FAR) == 0


@asynccontextmanager
async def published_at_a_restart(server: Server) -> AsyncIterator[tuple[Proxy, Any]]:
    """A publish whose reply was lost, and a server that is loading its data since."""
    async with Proxy(server.port) as proxy:
        console = Console(proxy.url(), server.url())
        console.engine.watcher.watch("lost", 30, 30)
        await console.publish("a.b", 0, queue=FAR)
        proxy.lose_reply_to, proxy.refuse = b"EVAL", True
        lost = asyncio.ensure_future(console.publish("a.b", 1, task_id="lost", queue=FAR))
        await until(lambda: console.of(ConnectionLost))
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        proxy.answers, proxy.refuse = {b"EXISTS": LOADING}, False
        await until(lambda: proxy.answered > 2)
        yield proxy, lost
        console.engine.close()


async def test_after_a_restart_the_marker_is_looked_for_until_all_is_loaded(
    own_server: Server,
) -> None:
    async with published_at_a_restart(own_server) as (proxy, lost):
        own_server.client().set("kimera:pub:lost", 1)  # as if it had been kept
        proxy.answers = {}
        await asyncio.wait_for(lost, 20)
        assert own_server.client().llen(FAR) == 0  # what the marker vouches for isn't sent again


async def test_a_server_that_goes_on_loading_makes_an_open_publish_uncertain(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimera_tui.process.redis.publisher._LOADING_PAUSE", 0.0)
    async with published_at_a_restart(own_server) as (_, lost):
        with pytest.raises(PublishUncertain, match="restarted"):
            await asyncio.wait_for(lost, 12)


async def test_an_engine_that_is_closed_leaves_no_publish_waiting(own_server: Server) -> None:
    async with published_at_a_restart(own_server) as (_, lost):
        assert not lost.done()
    with pytest.raises(PublishUncertain, match="the engine was closed"):
        await asyncio.wait_for(lost, 20)


async def test_a_publish_waits_out_a_short_outage(own_server: Server) -> None:
    console = Console(own_server.url())
    await console.publish("a.b", 0, queue=FAR)
    await asyncio.to_thread(own_server.stop)
    await until(lambda: console.of(ConnectionLost))
    waiting = asyncio.ensure_future(console.publish("a.b", 1, queue=FAR))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(own_server.start)
    await waiting
    assert own_server.client().llen(FAR) == 1


async def test_a_cancelled_publish_that_was_not_written_is_not_sent(server: Server) -> None:
    console = Console(server.url(3))
    sending = asyncio.ensure_future(console.publish("a.b", 1, queue=FAR))
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await console.publish("a.b", 2, queue=FAR)
    assert server.client(3).llen(FAR) == 1
    server.client(3).flushdb()


@pytest.mark.parametrize("options", [{"queue": 5}, {"countdown": "soon"}, {"bogus_serializer": 1}])
async def test_odd_options_raise_or_send_as_send_task_does(
    server: Server, options: dict[str, Any]
) -> None:
    console = Console(server.url(3))
    options = {"serializer": "bogus"} if "bogus_serializer" in options else options
    with pytest.raises(Exception) as ours:  # noqa: PT011
        await console.publish("a.b", 1, **options)
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        console.app.send_task("a.b", [1], **options)
    assert isinstance(ours.value, KimeraError) or type(ours.value) is type(theirs.value)
