"""Where tasks are, asked of a real server and of workers that live, work and die."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.engine import Holders, Locator
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import SystemClock, new_id
from kimera_tui.process.redis.capture import Capture
from kimera_tui.process.redis.known_workers import KnownWorkers
from kimera_tui.process.redis.queue_locator import READ_BYTES, RedisLocator
from kimera_tui.process.redis.reconnecting import RedisConnection, ServerHealth
from kimera_tui.process.redis.wire import Wire
from kimera_tui.process.task_search import InQueue, Whereabouts

from .console import Console, make_app
from .servers import Proxy, Server, free_port, worker
from .test_revoke_until_acked import managing

FAR = "nobody-consumes-this"
NOWHERE = "00000000-never-sent"


def locator_of(console: Console) -> Locator:
    locator = console.engine.locator
    assert locator is not None
    return locator


def small_locator(url: str, most: int) -> RedisLocator:
    app = make_app(url)
    capture, health = Capture(app), ServerHealth("broker", Emitter(EventBus(), SystemClock()))
    workers = KnownWorkers(b"_kombu.binding.celery.pidbox", capture.separator, ".celery.pidbox")
    return RedisLocator(app, RedisConnection(capture.endpoint, health), workers, most)


async def send_many(console: Console, count: int, queue: str = FAR, **options: Any) -> list[str]:
    return [await console.publish("a.b", each, queue=queue, **options) for each in range(count)]


async def until_workers(locator: Locator, ids: list[str], wanted: set[str]) -> Holders:
    """Ask until workers have what they should have."""
    async with asyncio.timeout(10):
        holders = await locator.workers(ids)
        while holders.by_task.keys() != wanted:
            holders = await locator.workers(ids)
    return holders


async def test_a_queue_tells_what_is_before_each_task(server: Server) -> None:
    console = Console(server.url(6))
    ids = await send_many(console, 2500)
    found = await locator_of(console).queued(FAR, [ids[0], ids[7], ids[2499], NOWHERE])
    assert found.ahead == {ids[0]: 0, ids[7]: 7, ids[2499]: 2499}
    assert found.complete
    server.client(6).flushdb()


async def test_a_queue_that_is_not_there_has_nothing(server: Server) -> None:
    found = await locator_of(Console(server.url(6))).queued("never-heard-of", [NOWHERE])
    assert (found.ahead, found.complete) == ({}, True)


async def test_priorities_come_one_after_the_other(server: Server) -> None:
    console = Console(server.url(6))
    [late] = await send_many(console, 1, priority=9)
    plain = await send_many(console, 2)
    middle = await send_many(console, 3, priority=3)
    found = await locator_of(console).queued(FAR, [late, *plain, *middle])
    assert [found.ahead[each] for each in (*plain, *middle, late)] == [0, 1, 2, 3, 4, 5]
    server.client(6).flushdb()


async def test_separator_and_steps_of_ones_own(server: Server) -> None:
    options = {"sep": "~", "priority_steps": [0, 1, 2]}
    console = Console(server.url(6), broker_transport_options=options)
    [last] = await send_many(console, 1, priority=2)
    [first] = await send_many(console, 1, priority=1)
    assert server.client(6).llen(f"{FAR}~2") == 1
    assert (await locator_of(console).queued(FAR, [first, last])).ahead == {first: 0, last: 1}
    server.client(6).flushdb()


async def test_long_messages_are_read_a_few_at_a_time(server: Server) -> None:
    console = Console(server.url(6))
    ids = [await console.publish("a.b", "x" * 300_000, queue=FAR) for _ in range(40)]
    found = await locator_of(console).queued(FAR, ids)
    assert found.ahead == {each: place for place, each in enumerate(ids)}
    server.client(6).flushdb()


async def test_short_messages_say_little_about_those_behind_them(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    console, client = Console(server.url(6)), server.client(6)
    ids = [await console.publish("a.b", "x" * 20_000, queue=FAR) for _ in range(300)]
    client.lpush(FAR, *["short"] * 16)
    read: list[int] = []
    call = Wire.call

    def noting(wire: Wire, payload: bytes, replies: int = 1) -> asyncio.Future[list[Any]]:
        def note(done: asyncio.Future[list[Any]]) -> None:
            read.extend(sum(map(len, reply)) for reply in done.result() if isinstance(reply, list))

        answer = call(wire, payload, replies)
        answer.add_done_callback(note)
        return answer

    monkeypatch.setattr(Wire, "call", noting)
    found = await locator_of(console).queued(FAR, [ids[0], ids[-1]])
    assert found.ahead == {ids[0]: 0, ids[-1]: 299}
    assert max(read) < 2 * READ_BYTES
    client.flushdb()


async def test_messages_without_a_byte_are_looked_past(server: Server) -> None:
    console, client = Console(server.url(6)), server.client(6)
    [task_id] = await send_many(console, 1)
    client.lpush(FAR, *[""] * 100)
    assert (await locator_of(console).queued(FAR, [task_id])).ahead == {task_id: 0}
    client.flushdb()


async def test_text_that_looks_like_an_id_is_none(server: Server) -> None:
    console = Console(server.url(6))
    text = f'"correlation_id": "{NOWHERE}"'
    await console.publish("a.b", text, queue=FAR, kwargs={"correlation_id": NOWHERE})
    server.client(6).lpush(FAR, "not a message", "\x00\xff")
    found = await locator_of(console).queued(FAR, [NOWHERE])
    assert (found.ahead, found.complete) == ({}, True)
    server.client(6).flushdb()


async def test_of_a_queue_over_the_cap_the_next_are_looked_at(server: Server) -> None:
    console, locator = Console(server.url(6)), small_locator(server.url(6), most=5)
    ids = await send_many(console, 8)
    [less] = await send_many(console, 1, priority=9)
    found = await locator.queued(FAR, [*ids, less])
    assert found.ahead == {each: place for place, each in enumerate(ids[:5])}
    assert not found.complete
    server.client(6).flushdb()


@pytest.mark.parametrize("prefix", ["", "team:"])
async def test_what_was_taken_and_not_acknowledged_comes_back(server: Server, prefix: str) -> None:
    options = {"global_keyprefix": prefix, "visibility_timeout": 900}
    console = Console(server.url(6), broker_transport_options=options)
    ids = await send_many(console, 3)
    ahead = time.time()
    with console.app.connection_for_read() as connection:
        taken = connection.default_channel.basic_get(FAR)  # type: ignore[attr-defined]
        assert taken.properties["correlation_id"] == ids[0]
        assert server.client(6).hlen(f"{prefix}unacked") == 1
        locator = locator_of(console)
        [(task_id, back_at)] = (await locator.held([*ids, NOWHERE])).items()
        assert task_id == ids[0]
        assert ahead + 900 <= back_at <= time.time() + 900
        assert (await locator.queued(FAR, ids)).ahead == {ids[1]: 0, ids[2]: 1}
        taken.ack()
        assert await locator.held(ids) == {}
    server.client(6).flushdb()


async def test_a_running_task_is_with_its_worker(lab: Server) -> None:
    console = Console(lab.url())
    locator = locator_of(console)
    task_id = await console.publish("lab.tasks.sleep", 1)
    holders = await until_workers(locator, [task_id, NOWHERE], {task_id})
    assert holders == Holders({task_id: ("w1@lab", True)}, answered=2, expected=2)
    assert (await locator.queued("celery", [task_id])).ahead == {}


async def test_what_is_nowhere_is_with_nobody(lab: Server) -> None:
    locator = locator_of(Console(lab.url()))
    assert (await locator.queued("celery", [NOWHERE])).ahead == {}
    assert await locator.held([NOWHERE]) == {}
    assert await locator.workers([NOWHERE]) == Holders({}, answered=2, expected=2)


async def test_a_killed_worker_leaves_what_it_kept_for_later(own_server: Server) -> None:
    url = own_server.url()
    console = Console(url)
    locator = locator_of(console)
    with worker(url, url, own_server.url(5), name="doomed") as process:
        ids = [await console.publish("lab.tasks.sleep", 60) for _ in range(6)]
        holders = await until_workers(locator, ids, set(ids))
        running = [each for each, (_, runs) in holders.by_task.items() if runs]
        kept = set(ids) - set(running)
        assert len(running) == 4
        process.kill()
        process.wait()
    assert (await locator.held(ids)).keys() == kept
    assert (await locator.queued("celery", ids)).ahead == {}
    for _ in range(2):  # it keeps being missed, though it isn't waited for again
        assert await locator.workers(ids) == Holders({}, answered=0, expected=1)


async def test_everything_is_found_under_a_key_prefix(server: Server) -> None:
    url, options = server.url(6), {"global_keyprefix": "team:"}
    console = Console(url, broker_transport_options=options)
    locator = locator_of(console)
    with worker(url, url, server.url(5), name="prefixed", prefix="team:"):
        ids = [await console.publish("lab.tasks.sleep", 30) for _ in range(30)]
        async with asyncio.timeout(10):
            held = await locator.held(ids)
            while len(held) != 16:  # four run, 16 are kept for later
                held = await locator.held(ids)
        holders = await locator.workers(ids)
        queued = await locator.queued("celery", ids)
    assert holders.by_task.keys() == set(ids[:20])
    assert holders.by_task.keys() >= held.keys()
    assert {worker for worker, _ in holders.by_task.values()} == {"prefixed@lab"}
    assert queued.ahead == {each: place for place, each in enumerate(ids[20:])}
    server.client(6).flushdb()


async def test_a_broker_that_is_away_is_reported() -> None:
    locator = locator_of(Console(f"redis://127.0.0.1:{free_port()}/0"))
    for look in (locator.queued(FAR, ["t"]), locator.held(["t"]), locator.workers(["t"])):
        with pytest.raises(BrokerUnavailable, match="is not there"):
            await look


async def test_a_broker_that_goes_away_halfway_is_reported(server: Server) -> None:
    async with Proxy(server.port) as proxy:
        console = Console(proxy.url(6))
        await send_many(console, 50)
        proxy.lose_reply_to = b"LRANGE"
        with pytest.raises(BrokerUnavailable, match="closed the connection"):
            await locator_of(console).queued(FAR, [NOWHERE])
    server.client(6).flushdb()


async def test_a_key_that_is_no_queue_is_a_refusal(server: Server) -> None:
    server.client(6).set(FAR, "something else")
    with pytest.raises(BrokerUnavailable, match="cannot be used: WRONGTYPE"):
        await locator_of(Console(server.url(6))).queued(FAR, [NOWHERE])
    server.client(6).flushdb()


async def test_a_task_is_found_in_the_queue_that_its_friend_had_before(own_server: Server) -> None:
    async with managing(own_server) as manager:
        task_id = new_id()
        handle = await manager.send_async("add", "lab", [1], task_id=task_id, queue=FAR)
        found = await manager.adoption.search("lab", [task_id], [FAR])
        assert found == Whereabouts({task_id: InQueue(FAR, 0)})
        handle.cancel()
