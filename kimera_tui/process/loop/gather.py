"""Many calls at once: started in slices, gathered in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
SLICE = 64
"""Tasks started per turn of the loop, so that the screen stays responsive."""
GATHER_SLICE = 2000
"""Results collected per turn of the loop."""


async def start_in_slices(
    perform: Callable[[T], Coroutine[Any, Any, Any]], items: Sequence[T]
) -> list[asyncio.Task[Any]]:
    """Start ``perform(item)`` for each item as a separate task."""
    loop = asyncio.get_running_loop()
    tasks = []
    for count, item in enumerate(items, 1):
        tasks.append(loop.create_task(perform(item)))
        if count % SLICE == 0:
            await asyncio.sleep(0)
    return tasks


async def gather_in_order(tasks: Sequence[asyncio.Task[Any]]) -> list[Any]:
    """Return results or exceptions in the order given; cancelling cancels all tasks."""
    results = []
    try:
        for count, task in enumerate(tasks, 1):
            # Awaiting a finished task does not yield to the loop.
            results.append(await _result_of(task))
            if count % GATHER_SLICE == 0:
                await asyncio.sleep(0)
    finally:
        if len(results) < len(tasks):
            for task in tasks:
                task.cancel()
    return results


async def _result_of(task: asyncio.Task[Any]) -> Any:
    try:
        return await task
    except asyncio.CancelledError as error:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        return error
    except Exception as error:  # noqa: BLE001 - an exception is a result here
        return error
