"""The engine that one would write first: a coroutine per task, Celery's own calls in the loop."""

from __future__ import annotations

import asyncio
from typing import Any


async def send_and_wait(app: Any, name: str, args: list[Any], queue: str) -> Any:
    """``send_task``, poll with back-off from 0.1 to 1 s, then forget and revoke."""
    result = app.send_task(name, args=args, queue=queue)
    delay = 0.1
    while not result.ready():
        await asyncio.sleep(delay)
        delay = min(delay * 2, 1.0)
    value = result.result
    result.forget()
    result.revoke()
    return value


async def watch(app: Any, task_id: str, poll_start: float = 0.1, max_poll: float = 1.0) -> Any:
    """Poll a task that somebody else sent; what it stored."""
    result = app.AsyncResult(task_id)
    delay = poll_start
    while not result.ready():
        await asyncio.sleep(delay)
        delay = min(delay * 2, max_poll)
    return result.result
