"""Collects single tasks that are to be stopped, so that many cost one stroke."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Protocol

from kimera_tui.process.stopping.stop_all import Stopped, StopReport

WINDOW = 0.075
"""Seconds for which tasks are collected."""


class StopAll(Protocol):
    """``TaskManager.stop_all``."""

    def __call__(
        self, task_ids: list[str], terminate: bool, *, friends: Mapping[str, str]
    ) -> Awaitable[StopReport]:
        """Stop tasks."""


class StopBatch:
    """Stops tasks in batches, whichever runs they belong to."""

    def __init__(self) -> None:
        self._waiting: dict[bool, dict[str, str]] = {}
        """The friend of each task, by whether it is to be terminated and by task id."""
        self._strokes: dict[bool, asyncio.Task[StopReport]] = {}
        self._started: set[asyncio.Task[StopReport]] = set()

    async def stop(self, stop_all: StopAll, task_id: str, friend: str, terminate: bool) -> Stopped:
        """Stop a task with all that are to be stopped within ``WINDOW`` seconds.

        Args:
            stop_all: Stops them.
            task_id: The task.
            friend: Its friend.
            terminate: Whether to end it while it runs.

        Raises:
            KimeraError: what ``stop_all`` raises.
        """
        self._waiting.setdefault(terminate, {})[task_id] = friend
        if (stroke := self._strokes.get(terminate)) is None:
            stroke = asyncio.get_running_loop().create_task(self._stroke(stop_all, terminate))
            self._strokes[terminate] = stroke
            self._started.add(stroke)
            stroke.add_done_callback(self._ended)
        report = await asyncio.shield(stroke)
        return report.tasks.get(task_id, Stopped(task_id))

    async def _stroke(self, stop_all: StopAll, terminate: bool) -> StopReport:
        try:
            await asyncio.sleep(WINDOW)
        finally:
            friends = self._waiting.pop(terminate, {})
            self._strokes.pop(terminate, None)
        return await stop_all(list(friends), terminate, friends=friends)

    def _ended(self, stroke: asyncio.Task[StopReport]) -> None:
        self._started.discard(stroke)
        if not stroke.cancelled():
            stroke.exception()  # raised for whoever waits
