"""Seconds from the moment a result is stored to the moment the console's code has it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks import naive
from benchmarks.ground import Ground, Lag, completer, plain_app, spread
from kimera_tui.process.engines import redis_engine
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import SystemClock, new_id

SECONDS = 2.5
"""All tasks in flight are completed, one by one, within this time."""


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows for 100, 1,000 and 10,000 in flight: naive polling and ours."""
    rows = []
    for count in (100, int(1000 * scale) or 1000, int(10_000 * scale) or 10_000):
        for way in (_naive, _ours):
            if way is _naive and count > 5000 and scale < 1:
                continue
            rows.append(asyncio.run(_measure(place, way, count)))
            place.client().flushall()
    return rows


async def _measure(place: Ground, way: Any, count: int) -> dict[str, Any]:
    ids = [new_id() for _ in range(count)]
    listed = place.folder / "ids"
    listed.write_text("\n".join(ids))
    latencies: list[float] = []
    async with Lag() as lag:
        waits = way(place, ids, latencies)
        await asyncio.sleep(0.3)
        lag.samples.clear()
        with completer(place, listed, int(count / SECONDS)):
            await waits
    return {
        "way": way.__doc__,
        "in flight": count,
        **{f"notice {name} ms": value for name, value in spread(latencies, 1e3).items()},
        **lag.ms(),
    }


def _naive(place: Ground, ids: list[str], latencies: list[float]) -> Any:
    """naive polling"""
    app = plain_app(place)

    async def wait(task_id: str) -> None:
        stored = await naive.watch(app, task_id)
        latencies.append(time.monotonic() - stored)

    return asyncio.gather(*(wait(each) for each in ids))


def _ours(place: Ground, ids: list[str], latencies: list[float]) -> Any:
    """ours"""
    engine = redis_engine(plain_app(place), Emitter(EventBus(), SystemClock()))
    assert engine is not None
    futures = [engine.watcher.watch(each, 0.1, 1.0) for each in ids]
    for future in futures:
        future.add_done_callback(
            lambda done: latencies.append(time.monotonic() - done.result().result)
        )
    return asyncio.gather(*futures)
