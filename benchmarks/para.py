"""Many no-op tasks at once, from ``paraTasks`` to the last callback."""

from __future__ import annotations

import asyncio
import resource
import time
from typing import Any

from benchmarks import naive
from benchmarks.ground import (
    QUEUE,
    Ground,
    Lag,
    Stopwatch,
    manager,
    plain_app,
    real_worker,
    stub_worker,
)
from kimera_tui.process.engine import Message
from kimera_tui.process.engines import redis_engine
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import SystemClock, new_id
from kimera_tui.process.loop.gather import gather_in_order, start_in_slices
from kimera_tui.process.task_params import TaskParams

SAMPLE_ID = new_id()


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows: 10,000 and 100,000 with the stub worker, 2,000 with a real one; naive beside them."""
    rows = []
    with stub_worker(place):
        few, many = int(10_000 * scale), int(100_000 * scale)
        rows.append(asyncio.run(_naive(place, "stub worker", QUEUE, int(2_000 * scale))))
        rows.append(asyncio.run(_naive(place, "stub worker", QUEUE, few)))
        rows.append(_raw(place, few))
        rows.append(asyncio.run(_engine(place, few)))
        rows.append(asyncio.run(_ours("stub worker", "stub", few)))
        rows.append(asyncio.run(_ours("stub worker", "stub", many)))
    place.client().flushall()
    with real_worker(place):
        count = int(2_000 * scale)
        rows.append(asyncio.run(_naive(place, "real prefork worker", "real", count)))
        rows.append(asyncio.run(_ours("real prefork worker", "real", count)))
    place.client().flushall()
    return rows


def _raw(place: Ground, count: int) -> dict[str, Any]:
    """The limit: finished messages pushed in one go, until the worker has stored all results."""
    client = place.client()
    plain_app(place).send_task("lab.tasks.noop", args=[1], queue="elsewhere", task_id=SAMPLE_ID)
    message = client.lindex("elsewhere", 0).decode()
    client.flushall()
    payloads = [message.replace(SAMPLE_ID, new_id()) for _ in range(count)]
    with Stopwatch() as watch:
        for start in range(0, count, 500):
            client.lpush(QUEUE, *payloads[start : start + 500])
        while client.dbsize() < count:
            time.sleep(0.002)
    client.flushall()
    return _row("raw push, nobody told (limit)", "stub worker", count, watch, None)


async def _engine(place: Ground, count: int) -> dict[str, Any]:
    """Publisher, watcher and releaser alone, without the TaskManager's share."""
    engine = redis_engine(plain_app(place), Emitter(EventBus(), SystemClock()))
    assert engine is not None

    async def one(number: int) -> None:
        task_id = new_id()
        outcome = engine.watcher.watch(task_id, 0.1, 1.0)
        message = Message(task_id, "lab.tasks.noop", [number], {}, {"queue": QUEUE})
        await engine.publisher.publish(message)
        await outcome
        engine.releaser.release(task_id)

    await asyncio.gather(*(one(number) for number in range(500)))
    async with Lag() as lag:
        with Stopwatch() as watch:
            await gather_in_order(await start_in_slices(one, range(count)))
    await engine.releaser.settle()
    return _row("ours, engine only", "stub worker", count, watch, lag)


def _row(way: str, worker: str, count: int, watch: Stopwatch, lag: Lag | None) -> dict[str, Any]:
    return {
        "way": way,
        "worker": worker,
        "tasks": count,
        "seconds": round(watch.wall, 3),
        "tasks/s": round(count / watch.wall),
        "CPU µs/task": round(watch.cpu / count * 1e6),
        **(lag.ms() if lag else {}),
        "peak RSS MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


async def _naive(place: Ground, worker: str, queue: str, count: int) -> dict[str, Any]:
    app = plain_app(place)
    async with Lag() as lag:
        with Stopwatch() as watch:
            await asyncio.gather(
                *(
                    naive.send_and_wait(app, "lab.tasks.noop", [each], queue)
                    for each in range(count)
                )
            )
    return _row("naive", worker, count, watch, lag)


async def _ours(worker: str, friend: str, count: int) -> dict[str, Any]:
    console = manager()
    called = 0

    async def callback(result: Any) -> None:
        nonlocal called
        called += 1

    await console.paraTasks([TaskParams(friend, "noop", None, [each]) for each in range(500)])
    await console.settle()
    tasks = [TaskParams(friend, "noop", callback, [each], timeout=600) for each in range(count)]
    async with Lag() as lag:
        with Stopwatch() as watch:
            results = await console.paraTasks(tasks)
    assert called == count
    assert not any(results)
    await console.settle()
    return _row("ours", worker, count, watch, lag)
