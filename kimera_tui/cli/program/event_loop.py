"""Runs a command on an event loop that a signal can stop and that shuts down in bounded time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from kimera_tui.cli.program.shutdown import way_out

T = TypeVar("T")

END_SECONDS = 5.0
"""Time limit for background tasks of the loop to end, and again for calls on its threads."""


def run(
    work: Coroutine[Any, Any, T],
    stop: Callable[[], None] | None = None,
    mend: Callable[[], None] = lambda: None,
) -> T:
    """Run to the end and return the result; like ``asyncio.run``, but with time limits.

    Args:
        work: The coroutine to run.
        stop: Called on the loop at a signal, to make it end; None cancels it.
        mend: Restores the terminal if the program exits at once.

    Raises:
        asyncio.CancelledError: a signal stopped it.
    """
    loop = asyncio.new_event_loop()
    executor = ThreadPoolExecutor(thread_name_prefix="kimera")
    loop.set_default_executor(executor)
    asyncio.set_event_loop(loop)
    task = loop.create_task(work)
    ask = stop or task.cancel
    try:
        with way_out.asked_to_stop(lambda: _ask(loop, ask), mend):
            try:
                return loop.run_until_complete(task)
            finally:
                _clear_up(loop, executor)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _ask(loop: asyncio.AbstractEventLoop, stop: Callable[[], object]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop)


def _clear_up(loop: asyncio.AbstractEventLoop, executor: ThreadPoolExecutor) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        ended, _ = loop.run_until_complete(asyncio.wait(tasks, timeout=END_SECONDS))
        for task in ended:
            if not task.cancelled() and (error := task.exception()) is not None:
                context = {"message": "failed at the end", "exception": error, "task": task}
                loop.call_exception_handler(context)
    closing = loop.create_task(loop.shutdown_asyncgens())
    loop.run_until_complete(asyncio.wait({closing}, timeout=END_SECONDS))
    # Waiting for the executor has no time limit of its own.
    waiting = threading.Thread(target=executor.shutdown, daemon=True)
    waiting.start()
    waiting.join(END_SECONDS)
