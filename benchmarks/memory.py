"""Bytes that one task in flight costs, and whether anything grows."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import Any

from benchmarks.ground import Ground, manager, stub_worker
from kimera_tui.process.task_params import TaskParams


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows: tasks held in flight, and rounds of tasks sent and released."""
    rows = [asyncio.run(_held(int(20_000 * scale)))]
    place.client().flushall()
    with stub_worker(place):
        rows.append(asyncio.run(_rounds(int(20_000 * scale))))
    place.client().flushall()
    return rows


def rss() -> int:
    """Resident bytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _held(count: int) -> dict[str, Any]:
    """Sent to a queue that nobody consumes, each with its asyncio.Task."""
    console = manager()
    for _ in range(50):
        await console.send_async("noop", "real")
    gc.collect()
    before = rss()
    waiting: list[Any] = []
    for start in range(0, count, 64):  # not all at once: what a publish takes isn't measured here
        numbers = range(start, min(start + 64, count))
        sending = (console.send_async("noop", "real", [number]) for number in numbers)
        waiting += await asyncio.gather(*sending)
    gc.collect()
    each = (rss() - before) / count
    for task in waiting:
        task.cancel()
    return {
        "what": "held in flight, with its asyncio.Task",
        "tasks": count,
        "bytes/task": round(each),
    }


async def _rounds(count: int) -> dict[str, Any]:
    console = manager()
    sizes = []
    for _ in range(5):
        await console.paraTasks([TaskParams("stub", "noop", timeout=600) for _ in range(count)])
        await console.settle()
        gc.collect()
        sizes.append(rss())
    grown = (sizes[-1] - sizes[1]) / (3 * count)
    return {
        "what": "grown per task sent and released",
        "tasks": 5 * count,
        "bytes/task": round(grown),
    }
