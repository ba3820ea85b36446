"""Milliseconds per hop of a chain of 100, with a real worker."""

from __future__ import annotations

import asyncio
from typing import Any

from celery import chain

from benchmarks.ground import Ground, Stopwatch, manager, plain_app, real_worker
from kimera_tui.process.task_params import TaskParams

HOPS = 100


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows: chainSyncTasks, chainTasks, Celery's canvas, and a loop of ``get``."""
    with real_worker(place):
        rows = [
            asyncio.run(_sync_chain()),
            asyncio.run(_callback_chain()),
            _canvas(place),
            _get_loop(place),
        ]
    place.client().flushall()
    return rows


def _row(way: str, watch: Stopwatch) -> dict[str, Any]:
    return {
        "way": way,
        "hops": HOPS,
        "ms/hop": round(watch.wall / HOPS * 1e3, 2),
        "CPU µs/hop": round(watch.cpu / HOPS * 1e6),
    }


def _steps(callback: Any = None) -> list[TaskParams]:
    steps = [TaskParams("real", "noop") for _ in range(HOPS)]
    if callback is not None:
        steps[-1] = TaskParams("real", "noop", callback)
    return steps


async def _sync_chain() -> dict[str, Any]:
    console = manager()
    await console.chainSyncTasks(_steps()[:5])
    with Stopwatch() as watch:
        await console.chainSyncTasks(_steps())
    await console.settle()
    return _row("chainSyncTasks", watch)


async def _callback_chain() -> dict[str, Any]:
    console = manager()
    ended = asyncio.Event()

    async def callback(result: Any) -> None:
        ended.set()

    await console.chainSyncTasks(_steps()[:5])
    with Stopwatch() as watch:
        await console.chainTasks(_steps(callback))
        await ended.wait()
    await console.settle()
    return _row("chainTasks", watch)


def _canvas(place: Ground) -> dict[str, Any]:
    app = plain_app(place)
    step = app.signature("lab.tasks.noop", immutable=True, queue="real")
    chain(*[step.clone() for _ in range(5)], app=app).apply_async().get(timeout=60)
    with Stopwatch() as watch:
        chain(*[step.clone() for _ in range(HOPS)], app=app).apply_async().get(timeout=60)
    return _row("Celery's own chain", watch)


def _get_loop(place: Ground) -> dict[str, Any]:
    app = plain_app(place)
    app.send_task("lab.tasks.noop", queue="real").get(timeout=60)
    with Stopwatch() as watch:
        for _ in range(HOPS):
            app.send_task("lab.tasks.noop", queue="real").get(timeout=60)
    return _row("send_task().get() in a loop", watch)
