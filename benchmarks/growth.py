"""A million tasks sent and released: does anything grow? Minutes, so only when named."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

from benchmarks.ground import Ground, manager, stub_worker
from benchmarks.memory import rss
from kimera_tui.process.task_params import TaskParams

PER_ROUND = 20_000
ROUNDS = 50
LONGEST = 240.0
"""Seconds after which no new round begins."""


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows: memory after each fifth of the rounds."""
    with stub_worker(place):
        return asyncio.run(_rounds(place, int(PER_ROUND * scale)))


async def _rounds(place: Ground, count: int) -> list[dict[str, Any]]:
    console = manager()
    rows: list[dict[str, Any]] = []
    began, first = time.perf_counter(), 0
    for number in range(1, ROUNDS + 1):
        await console.paraTasks([TaskParams("stub", "noop", timeout=600) for _ in range(count)])
        await console.settle()
        seconds = time.perf_counter() - began
        last = number == ROUNDS or seconds > LONGEST
        if number % (ROUNDS // 5) == 0 or number == 2 or last:
            gc.collect()
            first = first or rss()
            rows.append(
                {
                    "tasks": number * count,
                    "seconds": round(seconds),
                    "RSS MB": round(rss() / 2**20, 1),
                    "bytes/task since the first row": round((rss() - first) / (number * count), 1),
                    "keys left on the server": place.client().dbsize(),
                }
            )
        if last:
            break
    return rows
