"""Waiting messages are taken out of their queues: exactly those asked for, the rest in order."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.process.engine import Unqueued
from kimera_tui.process.loop.clock import new_id
from kimera_tui.process.redis import unqueue
from kimera_tui.process.redis.queue_locator import id_of

from .console import Console
from .servers import Server, free_port

IDS = [f"id-{n}" for n in range(12)]
STEPS = ("", "\x06\x163", "\x06\x166", "\x06\x169")
"""What follows the queue's name in the keys of its lists, by priority."""


def message(task_id: str, body: str = "W10=", **headers: Any) -> bytes:
    """A message as Celery leaves it in a Redis list."""
    properties = {"correlation_id": task_id, "reply_to": "r", "delivery_tag": new_id()}
    told = {"lang": "py", "task": "a.b", "id": task_id, **headers}
    whole = {"body": body, "headers": told, "content-type": "json", "properties": properties}
    return json.dumps(whole).encode()


def fill(server: Server, key: str, messages: Iterable[bytes]) -> None:
    """Push messages, the first to be taken first."""
    pipe = server.client().pipeline(transaction=False)
    for each in messages:
        pipe.lpush(key, each)
    pipe.execute()


def waiting(server: Server, key: str) -> list[bytes]:
    """What is in a list, the next to be taken first."""
    return list(reversed(server.client().lrange(key, 0, -1)))


async def taken_out(
    url: str, queue: str, ids: Sequence[str], *, forbidden: bool = False
) -> tuple[list[str], Unqueued]:
    console = Console(url)
    unqueuer = console.engine.unqueuer
    assert isinstance(unqueuer, unqueue.RedisUnqueuer)
    if forbidden:
        unqueuer._refusal = "NOPERM"
    found: list[str] = []
    try:
        done = await unqueuer.take_out({queue: ids}, lambda _, ids: found.extend(ids))
    finally:
        await console.engine.releaser.settle()
        console.engine.close()
        await unqueuer._broker.close()
    return found, done


TRICKY = st.sampled_from(
    [
        b"",
        b"no message",
        b'{"properties": {"correlation_id": null}, "headers": {"correlation_id": "id-1"}}',
        b'{"properties": {"correlation_id": "id-1\\"", "x": 1}}',
        json.dumps({"body": '"correlation_id": "id-2"', "properties": {}}).encode(),
        message("other", body='"correlation_id": "id-3"'),
        message("other", correlation_id="id-4"),
        b"\x80\xff\x00" * 700,
    ]
)
OURS = st.builds(
    message, st.sampled_from(IDS), body=st.integers(0, 3000).map(lambda size: "x" * size)
)
LISTS = st.lists(OURS | TRICKY, max_size=60)


@given(
    lists=st.tuples(LISTS, LISTS, LISTS, LISTS),
    ids=st.lists(st.sampled_from([*IDS, "nobody's"]), unique=True),
    windows=st.sampled_from([(1, 3), (2, 2), (128, 1000)]),
    forbidden=st.booleans(),
)
def test_exactly_what_is_asked_for_is_taken_and_the_rest_keeps_its_order(
    server: Server,
    lists: tuple[list[bytes], ...],
    ids: list[str],
    windows: tuple[int, int],
    forbidden: bool,
) -> None:
    queue = f"property-{new_id()}"
    kept = []
    for step, messages in zip(STEPS, lists, strict=True):
        fill(server, queue + step, messages)
        kept.append([each for each in messages if id_of(each).decode() not in ids])
    there = {id_of(each).decode() for messages in lists for each in messages}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unqueue, "FIRST_WINDOW", windows[0])
        patch.setattr(unqueue, "MOST_WINDOW", windows[1])
        patch.setattr(unqueue, "LEAST_WINDOW", 1)
        found, done = asyncio.run(taken_out(server.url(), queue, ids, forbidden=forbidden))
    assert [waiting(server, queue + step) for step in STEPS] == kept
    assert sorted(found) == sorted(there & set(ids))
    assert done.complete
    server.client().delete(*(queue + step for step in STEPS))


@pytest.mark.parametrize("forbidden", [False, True])
async def test_what_a_worker_takes_meanwhile_is_neither_lost_nor_doubled(
    server: Server, forbidden: bool
) -> None:
    queue, messages = f"popped-{new_id()}", [message(new_id()) for _ in range(6000)]
    ids = [id_of(each).decode() for each in messages]
    wanted = ids[1::2]
    fill(server, queue, messages)
    popped: list[bytes] = []
    over = threading.Event()

    def consume() -> None:
        client = server.client()
        while not over.is_set():
            if (each := client.rpop(queue)) is not None:
                popped.append(each)

    consumer = threading.Thread(target=consume)
    consumer.start()
    try:
        found, done = await taken_out(server.url(), queue, wanted, forbidden=forbidden)
    finally:
        over.set()
        consumer.join()
    rest = waiting(server, queue)
    assert done.complete
    assert found
    assert sorted([*map(id_of, (*popped, *rest)), *(each.encode() for each in found)]) == sorted(
        each.encode() for each in ids
    )
    assert not {id_of(each).decode() for each in rest} & set(wanted)
    assert [*popped, *rest] == [each for each in messages if id_of(each).decode() not in set(found)]


async def test_ten_thousand_among_twenty_thousand_never_block_the_server(
    own_server: Server,
) -> None:
    client = own_server.client()
    client.config_set("slowlog-log-slower-than", 0)
    client.config_set("slowlog-max-len", 100_000)
    messages = [message(new_id(), body="x" * 400) for _ in range(20_000)]
    ids = [id_of(each).decode() for each in messages]
    fill(own_server, "q", messages)
    client.slowlog_reset()
    found, done = await taken_out(own_server.url(), "q", ids[::2])
    calls = [each["duration"] for each in client.slowlog_get(100_000)
             if each["command"].startswith(b"EVAL")]  # fmt: skip
    assert done == Unqueued()
    assert sorted(found) == sorted(ids[::2])
    assert waiting(own_server, "q") == messages[1::2]
    # The machine is not ours alone: all but single calls take under 5 ms.
    calls.sort()
    assert calls[len(calls) * 9 // 10] < 5000


async def test_a_user_without_the_right_to_scripts_takes_out_one_by_one(
    own_server: Server,
) -> None:
    own_server.client().acl_setuser(
        "plain", enabled=True, passwords=["+pw"], keys="*", channels="*",
        commands=["+@all", "-eval"],
    )  # fmt: skip
    fill(own_server, "q", [message("a"), message("b"), message("c")])
    url = f"redis://plain:pw@127.0.0.1:{own_server.port}/0"
    found, done = await taken_out(url, "q", ["b"])
    assert found == ["b"]
    assert done.complete
    assert "one by one" in done.why
    assert "eval" in done.why
    assert [id_of(each) for each in waiting(own_server, "q")] == [b"a", b"c"]


async def test_a_full_server_lets_messages_be_taken_out(own_server: Server) -> None:
    fill(own_server, "q", [message("a"), message("b")])
    own_server.client().config_set("maxmemory", 1)
    found, done = await taken_out(own_server.url(), "q", ["a"])
    assert found == ["a"]
    assert "OOM" in done.why


async def test_a_queue_that_is_no_list_is_a_reason(server: Server) -> None:
    queue = f"odd-{new_id()}"
    server.client().set(queue, "text")
    found, done = await taken_out(server.url(), queue, ["a"])
    assert not found
    assert not done.complete
    assert "WRONGTYPE" in done.why


async def test_without_a_broker_there_is_a_reason() -> None:
    found, done = await taken_out(f"redis://127.0.0.1:{free_port()}/0", "q", ["a"])
    assert not found
    assert not done.complete
    assert done.why


async def test_a_search_ends_in_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = f"long-{new_id()}"
    fill(server, queue, [message("a")])
    console = Console(server.url())
    unqueuer = console.engine.unqueuer
    assert isinstance(unqueuer, unqueue.RedisUnqueuer)
    monkeypatch.setattr(unqueuer, "_seconds", 0.0)
    done = await unqueuer.take_out({queue: ["a"]}, lambda *_: None)
    assert not done.complete
    assert "0 s" in done.why
