"""Many no-op tasks at once, from ``paraTasks`` to the last callback."""

from __future__ import annotations

import asyncio
import resource
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
from kimera_tui.process.task_params import TaskParams


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows: 10,000 and 100,000 with the stub worker, 2,000 with a real one; naive beside them."""
    rows = []
    with stub_worker(place):
        few, many = int(10_000 * scale), int(100_000 * scale)
        rows.append(asyncio.run(_naive(place, "stub worker", QUEUE, int(2_000 * scale))))
        rows.append(asyncio.run(_naive(place, "stub worker", QUEUE, few)))
        rows.append(asyncio.run(_ours("stub worker", "stub", few)))
        rows.append(asyncio.run(_ours("stub worker", "stub", many)))
    place.client().flushall()
    with real_worker(place):
        count = int(2_000 * scale)
        rows.append(asyncio.run(_naive(place, "real prefork worker", "real", count)))
        rows.append(asyncio.run(_ours("real prefork worker", "real", count)))
    place.client().flushall()
    return rows


def _row(way: str, worker: str, count: int, watch: Stopwatch, lag: Lag) -> dict[str, Any]:
    return {
        "way": way,
        "worker": worker,
        "tasks": count,
        "seconds": round(watch.wall, 3),
        "tasks/s": round(count / watch.wall),
        "CPU µs/task": round(watch.cpu / count * 1e6),
        **lag.ms(),
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
