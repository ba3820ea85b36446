"""What letting 1,000 finished tasks go costs: commands at the server and keys left behind."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks.ground import Ground, Stopwatch, manager, plain_app, real_worker
from kimera_tui.process.task_params import TaskParams


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows: forget and revoke each, and our batches."""
    count = int(1000 * scale)
    with real_worker(place):
        rows = [_one_by_one(place, count), asyncio.run(_ours(place, count))]
    place.client().flushall()
    return rows


def _row(place: Ground, way: str, count: int, watch: Stopwatch, commands: int) -> dict[str, Any]:
    time.sleep(1)  # a worker that heard too late stores REVOKED by now
    left = sum(1 for _ in place.client().scan_iter("celery-task-meta-*"))
    return {
        "way": way,
        "tasks": count,
        "seconds": round(watch.wall, 2),
        "CPU µs/task": round(watch.cpu / count * 1e6),
        "commands/task": round(commands / count, 2),
        "results left": left,
    }


def _commands(place: Ground) -> int:
    return int(place.client().info("stats")["total_commands_processed"])


def _one_by_one(place: Ground, count: int) -> dict[str, Any]:
    app = plain_app(place)
    results = [app.send_task("lab.tasks.noop", queue="real") for _ in range(count)]
    for result in results:
        result.get(timeout=60)
    earlier = _commands(place)
    with Stopwatch() as watch:
        for result in results:
            result.forget()
            result.revoke()
    row = _row(place, "forget, then revoke, each", count, watch, _commands(place) - earlier)
    place.client().delete(*place.client().scan_iter("celery-task-meta-*") or ["none"])
    return row


async def _ours(place: Ground, count: int) -> dict[str, Any]:
    console = manager()
    engine = await console._engines.engine()
    held: list[str] = []
    release, engine.releaser.release = engine.releaser.release, held.append
    await console.paraTasks([TaskParams("real", "noop", timeout=120) for _ in range(count)])
    earlier = _commands(place)
    with Stopwatch() as watch:
        for task_id in held:
            release(task_id)
        await engine.releaser.settle()
    return _row(place, "ours: revoke, acknowledged, then forget", count, watch,
                _commands(place) - earlier)  # fmt: skip
