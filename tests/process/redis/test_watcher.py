from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.events import ConnectionBack, ConnectionLost, Polled, StateSeen
from kimera_tui.process.loop.clock import new_id
from kimera_tui.process.outcome import Outcome
from kimera_tui.process.redis import watcher
from kimera_tui.process.redis.results import LARGEST

from .console import Console, until
from .servers import Proxy, Server

PREFIX = "celery-task-meta-"


def store(client: Any, task_id: str, meta: Any, *, notify: bool = True) -> None:
    """Store a result as a worker does."""
    raw = meta if isinstance(meta, bytes) else json.dumps(meta)
    client.set(PREFIX + task_id, raw)
    if notify:
        client.publish(PREFIX + task_id, raw)


def success(result: Any = 1) -> dict[str, Any]:
    return {"status": "SUCCESS", "result": result, "traceback": None, "children": []}


async def test_results_failures_and_states_of_a_real_worker(lab: Server) -> None:
    console = Console(lab.url())
    assert (await console.call("add", 1, other=2, kwargs={"other": 2})).result == 3
    failed = await console.call("fail", "no luck")
    assert (failed.error_type, failed.error_message) == ("ValueError", "no luck")
    assert "lab_tasks.py" in failed.traceback
    assert (await console.call("steps", 3)).result == 3
    seen = [event.meta["done"] for event in console.of(StateSeen) if event.state == "PROGRESS"]
    assert set(seen) == {0, 1, 2}
    assert seen[-1] == 2


async def test_an_answer_that_is_older_than_what_was_pushed_is_not_reported(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    console, task_id = Console(server.url(4)), new_id()
    store(server.client(4), task_id, {"status": "STARTED", "result": None}, notify=False)
    look_up, asked, go = watcher.look_up, asyncio.Event(), asyncio.Event()  # type: ignore[attr-defined]

    async def slow(*args: Any) -> Any:
        found = await look_up(*args)
        asked.set()
        await go.wait()
        return found

    monkeypatch.setattr(watcher, "look_up", slow)
    future = console.engine.watcher.watch(task_id, 0.05, 0.05)
    await until(lambda: server.client(4).pubsub_numsub(PREFIX + task_id)[0][1] == 1)
    await asked.wait()
    store(server.client(4), task_id, {"status": "PROGRESS", "result": {"done": 1}})
    await until(lambda: console.of(StateSeen))
    go.set()
    await until(lambda: console.of(Polled))
    store(server.client(4), task_id, success())
    await asyncio.wait_for(future, 20)
    assert [event.state for event in console.of(StateSeen)] == ["PROGRESS"]


async def test_a_push_is_noticed_without_a_poll(server: Server) -> None:
    console = Console(server.url(4))
    task_id = new_id()
    future = console.engine.watcher.watch(task_id, 20, 20)
    await until(lambda: server.client(4).pubsub_numsub(PREFIX + task_id)[0][1] == 1)
    store(server.client(4), task_id, success())
    assert (await asyncio.wait_for(future, 10)).result == 1
    assert not console.of(Polled)
    await until(lambda: server.client(4).pubsub_numsub(PREFIX + task_id)[0][1] == 0)


async def test_polls_back_off_from_poll_start_to_max_poll(server: Server) -> None:
    console = Console(server.url(4))
    task_id, loop = new_id(), asyncio.get_running_loop()
    started = loop.time()
    future = console.engine.watcher.watch(task_id, 0.05, 0.3)
    await until(lambda: len(console.of(Polled)) == 5)
    assert loop.time() - started > 0.9
    polls = console.of(Polled)
    assert [poll.attempt for poll in polls] == [1, 2, 3, 4, 5]
    assert [poll.next_delay for poll in polls] == [0.1, 0.2, 0.3, 0.3, 0.3]
    assert {poll.state for poll in polls} == {""}
    store(server.client(4), task_id, success("quietly"), notify=False)
    assert (await asyncio.wait_for(future, 10)).result == "quietly"
    assert (console.of(Polled)[-1].state, console.of(Polled)[-1].next_delay) == ("SUCCESS", 0.0)


async def test_a_result_that_is_there_already_is_read(server: Server) -> None:
    console = Console(server.url(4))
    task_id = new_id()
    store(server.client(4), task_id, success("old"), notify=False)
    outcome = await asyncio.wait_for(console.engine.watcher.watch(task_id, 20, 20), 10)
    assert outcome.result == "old"


async def test_many_thousand_watches_are_cheap_and_their_polls_are_stretched(
    server: Server,
) -> None:
    console, loop = Console(server.url(4)), asyncio.get_running_loop()
    first = console.engine.watcher.watch(new_id(), 20, 20)
    store(server.client(4), "warm", success())
    await asyncio.sleep(0.2)
    started = loop.time()
    ids = [new_id() for _ in range(10_000)]
    futures = [console.engine.watcher.watch(each, 0.1, 1) for each in ids]
    assert loop.time() - started < 0.5
    await asyncio.sleep(1.0)
    polled = {event.task_id for event in console.of(Polled)}
    assert 500 < len(polled) < 5_000
    client = server.client(4)
    pipe = client.pipeline(transaction=False)
    for each in ids:
        pipe.publish(PREFIX + each, json.dumps(success(each)))
    await asyncio.to_thread(pipe.execute)
    outcomes = await asyncio.wait_for(asyncio.gather(*futures), 20)
    assert [outcome.result for outcome in outcomes] == ids
    first.cancel()


async def test_watching_twice_gives_the_same_future_and_unwatch_ends_it(server: Server) -> None:
    console = Console(server.url(4))
    task_id = new_id()
    future = console.engine.watcher.watch(task_id, 0.05, 0.05)
    assert console.engine.watcher.watch(task_id, 0.05, 0.05) is future
    console.engine.watcher.unwatch(task_id)
    console.engine.watcher.unwatch("never watched")
    assert future.cancelled()
    store(server.client(4), task_id, success())
    await asyncio.sleep(0.2)
    assert not console.of(Polled)


async def test_a_task_that_is_watched_again_stays_subscribed(server: Server) -> None:
    console, client, task_id = Console(server.url(4)), server.client(4), new_id()
    console.engine.watcher.watch(task_id, 20, 20)
    await until(lambda: client.pubsub_numsub(PREFIX + task_id)[0][1] == 1)
    console.engine.watcher.unwatch(task_id)
    future = console.engine.watcher.watch(task_id, 20, 20)
    await asyncio.sleep(0.4)
    store(client, task_id, success("again"))
    assert (await asyncio.wait_for(future, 10)).result == "again"


@pytest.mark.parametrize("notify", [True, False], ids=["pushed", "polled"])
async def test_a_huge_result_is_not_read(server: Server, notify: bool) -> None:
    console, task_id = Console(server.url(4)), new_id()
    future = console.engine.watcher.watch(task_id, 0.2, 1)
    await asyncio.sleep(0.1)
    raw = json.dumps(success("x" * LARGEST)).encode()
    await asyncio.to_thread(store, server.client(4), task_id, raw, notify=notify)
    outcome = await asyncio.wait_for(future, 20)
    assert outcome.state == "ENDED"
    assert outcome.error_message.startswith("it succeeded, but the stored result is 8.0 MiB")
    assert server.client(4).exists(PREFIX + task_id)
    server.client(4).flushdb()


async def test_hostile_metas_end_readably_and_hurt_nobody_else(server: Server) -> None:
    console, client = Console(server.url(4)), server.client(4)
    hostile = [b"", b"\xff", b"{}", b"[]", b'{"status": 5}', b"[" * 50_000, b'{"status":"FAILURE"}']
    ids = [new_id() for _ in hostile]
    futures = [console.engine.watcher.watch(each, 0.1, 0.2) for each in ids]
    last_id = new_id()
    last = console.engine.watcher.watch(last_id, 0.1, 0.2)
    odd_id = new_id()
    client.lpush(PREFIX + odd_id, "a list, not a string")
    odd = console.engine.watcher.watch(odd_id, 0.1, 0.2)
    await asyncio.sleep(0.1)
    for each, raw in zip(ids, hostile, strict=True):
        store(client, each, raw)
    store(client, last_id, success())
    outcomes = await asyncio.wait_for(asyncio.gather(*futures, odd), 20)
    states = ["FAILURE" if b"FAILURE" in raw else "ENDED" for raw in (*hostile, b"a list")]
    assert [outcome.state for outcome in outcomes] == states
    assert (await last).result == 1
    client.flushdb()


@pytest.mark.parametrize("command", [b"STRLEN", b"MGET"])
async def test_a_refusal_does_not_say_that_nothing_is_stored(
    server: Server, command: bytes
) -> None:
    async with Proxy(server.port) as proxy:
        console, task_id = Console(server.url(4), proxy.url(4)), new_id()
        store(server.client(4), task_id, success("there"), notify=False)
        proxy.answers = {command: b"-LOADING Redis is loading the dataset in memory\r\n"}
        with pytest.raises(BrokerUnavailable, match="is loading its data"):
            await console.engine.watcher.look_up([task_id])  # type: ignore[attr-defined]
        future = console.engine.watcher.watch(task_id, 0.05, 0.1)
        await until(lambda: proxy.answered > 2)
        assert not future.done()
        proxy.answers = {}
        assert (await asyncio.wait_for(future, 20)).result == "there"
    server.client(4).flushdb()


async def test_what_happened_while_deaf_is_read_after_the_reconnect(server: Server) -> None:
    client = server.client(4)
    async with Proxy(server.port) as proxy:
        console = Console(server.url(4), proxy.url(4))
        ids = [new_id() for _ in range(300)]
        futures = [console.engine.watcher.watch(each, 30, 30) for each in ids]
        await until(lambda: client.pubsub_numsub(PREFIX + ids[-1])[0][1] == 1)
        proxy.refuse = True
        proxy.cut()
        await until(lambda: console.of(ConnectionLost))
        for each in ids:
            store(client, each, success(each))
        await asyncio.sleep(0.2)
        assert not any(future.done() for future in futures)
        proxy.refuse = False
        outcomes = await asyncio.wait_for(asyncio.gather(*futures), 20)
        assert [outcome.result for outcome in outcomes] == ids
        assert {event.which for event in console.of(ConnectionLost)} == {"result backend"}
        await until(lambda: console.of(ConnectionBack))
    client.flushdb()


async def test_a_silent_backend_ends_no_wait(
    own_server: Server, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimera_tui.process.redis.wire.SILENCE_SECONDS", 0.5)
    console, task_id = Console(server.url(4), own_server.url()), new_id()
    future = console.engine.watcher.watch(task_id, 0.1, 0.2)
    await until(lambda: console.of(Polled))
    own_server.freeze()
    await until(lambda: console.of(ConnectionLost))
    assert not future.done()
    own_server.thaw()
    await until(lambda: console.of(ConnectionBack))
    store(own_server.client(), task_id, success())
    assert (await asyncio.wait_for(future, 20)).result == 1


async def test_without_the_right_to_subscribe_the_polls_do_it(
    own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    own_server.client().acl_setuser(
        "app", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all"],
        reset_channels=True,
    )  # fmt: skip
    console = Console(own_server.url().replace("redis://", "redis://app:secret@"))
    task_id = new_id()
    future = console.engine.watcher.watch(task_id, 0.1, 0.2)
    await until(lambda: len(console.of(Polled)) == 2)
    store(own_server.client(), task_id, success("polled"))
    assert (await asyncio.wait_for(future, 20)).result == "polled"
    assert "does not permit subscriptions" in caplog.text


REVOKED = {"status": "REVOKED", "result": {"exc_type": "TaskRevokedError", "exc_message": ["x"]}}


async def test_a_revoked_that_nobody_confirms_ends_nothing_and_a_later_result_counts(
    server: Server,
) -> None:
    console, task_id = Console(server.url(4), is_over=lambda _: False), new_id()
    future = console.engine.watcher.watch(task_id, 0.05, 0.05)
    store(server.client(4), task_id, REVOKED)
    await until(lambda: len(console.of(Polled)) > 3)
    assert not future.done()
    assert [event.state for event in console.of(StateSeen)] == ["REVOKED"]
    store(server.client(4), task_id, success(7))
    assert (await asyncio.wait_for(future, 20)).result == 7


async def test_a_revoked_ends_its_task_once_it_is_confirmed(server: Server) -> None:
    over: set[str] = set()
    console, task_id = Console(server.url(4), is_over=over.__contains__), new_id()
    future = console.engine.watcher.watch(task_id, 0.05, 0.05)
    store(server.client(4), task_id, REVOKED, notify=False)
    await until(lambda: len(console.of(Polled)) > 3)
    assert not future.done()
    over.add(task_id)
    assert (await asyncio.wait_for(future, 20)).state == "REVOKED"


async def test_an_outcome_learned_elsewhere_ends_a_watch(server: Server) -> None:
    console, task_id = Console(server.url(4)), new_id()
    future = console.engine.watcher.watch(task_id, 0.05, 0.05)
    console.engine.watcher.conclude("another", Outcome("REVOKED"))
    console.engine.watcher.conclude(task_id, Outcome("REVOKED", error_message="taken out"))
    assert (await asyncio.wait_for(future, 20)).error_message == "taken out"
    console.engine.watcher.conclude(task_id, Outcome("SUCCESS"))
