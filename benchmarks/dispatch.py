"""Tasks per second from the call to the broker's acknowledgement."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.ground import Ground, Lag, Stopwatch, plain_app
from kimera_tui.process.engine import Message
from kimera_tui.process.engines import redis_engine
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import SystemClock, new_id

NAME, QUEUE = "lab.tasks.noop", "dispatch"


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows: plain ``send_task``, threads, our engine, and the raw limit."""
    few, many = int(1000 * scale), int(20_000 * scale)
    rows = [_plain(place, few), _threads(place, few), asyncio.run(_ours(place, many))]
    rows.append(_raw(place, many))
    base = rows[0]["tasks/s"]
    for row in rows:
        row["x plain"] = round(row["tasks/s"] / base, 1)
    place.client().flushall()
    return rows


def _row(way: str, count: int, watch: Stopwatch, **more: float) -> dict[str, Any]:
    return {
        "way": way,
        "tasks": count,
        "tasks/s": round(count / watch.wall),
        "CPU µs/task": round(watch.cpu / count * 1e6, 1),
        **more,
    }


def _plain(place: Ground, count: int) -> dict[str, Any]:
    app = plain_app(place)
    app.send_task(NAME, queue=QUEUE)
    with Stopwatch() as watch:
        for number in range(count):
            app.send_task(NAME, args=[number], queue=QUEUE)
    return _row("send_task in a loop", count, watch)


def _threads(place: Ground, count: int) -> dict[str, Any]:
    app = plain_app(place)
    with ThreadPoolExecutor(6) as pool, Stopwatch() as watch:
        list(pool.map(lambda number: app.send_task(NAME, args=[number], queue=QUEUE), range(count)))
    return _row("send_task on 6 threads", count, watch)


async def _ours(place: Ground, count: int) -> dict[str, Any]:
    engine = redis_engine(plain_app(place), Emitter(EventBus(), SystemClock()))
    assert engine is not None
    publish = engine.publisher.publish
    for number in range(20):
        await publish(Message(new_id(), NAME, [number], {}, {"queue": QUEUE}))
    messages = [Message(new_id(), NAME, [each], {}, {"queue": QUEUE}) for each in range(count)]
    async with Lag() as lag:
        with Stopwatch() as watch:
            tasks = []
            for number, message in enumerate(messages):
                tasks.append(asyncio.ensure_future(publish(message)))
                if number % 64 == 0:
                    await asyncio.sleep(0)
            for task in tasks:
                await task
    return _row("ours (idempotent, acknowledged)", count, watch, **lag.ms())


def _raw(place: Ground, count: int) -> dict[str, Any]:
    client = place.client()
    payload = client.lindex(QUEUE, 0)
    with Stopwatch() as watch:
        for start in range(0, count, 500):
            pipe = client.pipeline(transaction=False)
            for _ in range(min(500, count - start)):
                pipe.lpush("raw", payload)
            pipe.execute()
    return _row("raw pipelined LPUSH of the same bytes", count, watch)
