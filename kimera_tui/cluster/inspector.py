"""Inspects the workers: which are online, what they consume and which tasks they know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.process.loop.call_thread import CallThread

ANSWER_SECONDS = 1.0
"""Seconds that workers have to reply."""
FULL_LOOK_EVERY = 4
"""One inspection in so many waits for the deadline, to find new workers."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The replies of the workers at one time; no reply does not mean no worker."""

    at: float
    """When they were asked, in seconds since the epoch."""
    queues: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Queues consumed, by worker."""
    tasks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Registered tasks, by worker."""
    problem: str = ""
    """Why they could not be asked, or an empty string."""

    @property
    def workers(self) -> list[str]:
        """The workers that replied."""
        return sorted(self.queues)

    def consumers(self, queue: str) -> list[str]:
        """The workers that consume a queue."""
        return sorted(worker for worker, consumed in self.queues.items() if queue in consumed)

    def knows(self, task: str) -> bool | None:
        """Whether a worker has the task registered; None if no worker said."""
        if not self.tasks:
            return None
        return any(task in known for known in self.tasks.values())

    def findings(self, queue: str, task: str) -> list[str]:
        """Warnings about sending a task now, in sentences."""
        if self.problem:
            return [self.problem]
        if not self.queues:
            return ["No worker answered: nobody may take this task."]
        found = []
        total = len(self.queues)
        if not self.consumers(queue):
            found.append(f"No worker consumes queue {queue} (0 of {total} workers).")
        elif self.knows(task) is False:
            found.append(f"No worker has {task} registered.")
        return found


class Inspector:
    """Inspects the workers of one Celery app, on its own thread."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._thread = CallThread("kimera-inspect")
        self._known = 0
        self._looks = 0

    async def look(self, deadline: float = ANSWER_SECONDS) -> ClusterView:
        """Inspect all workers; never raises, and returns soon after the deadline in seconds."""
        asked = self._thread.call(self._ask, deadline)
        try:
            return await asyncio.wait_for(asked, deadline * 2 + 10)
        except TimeoutError:
            return ClusterView(at=time.time(), problem="The broker did not answer in time.")

    async def active(self, task_ids: Set[str], deadline: float = ANSWER_SECONDS) -> dict[str, str]:
        """Which of the tasks are running now, each with its worker; never raises.

        A worker that runs its tasks in its own process doesn't reply while it is busy.
        """
        asked = self._thread.call(self._ask_active, frozenset(task_ids), deadline)
        try:
            return await asyncio.wait_for(asked, deadline * 2 + 10)
        except TimeoutError:
            return {}

    def _ask_active(self, task_ids: Set[str], deadline: float) -> dict[str, str]:
        try:
            inspect = self._app.control.inspect(timeout=deadline, limit=self._known or None)
            return {
                str(task.get("id")): worker
                for worker, tasks in _lists_of(dict, inspect.active()).items()
                for task in tasks
                if str(task.get("id")) in task_ids
            }
        except Exception:  # noqa: BLE001 - the next inspection reports it
            return {}

    def close(self) -> None:
        """Let the thread end."""
        self._thread.close()

    def _ask(self, deadline: float) -> ClusterView:
        from kimera_tui.process.failures import broker_failure

        at = time.time()
        try:
            # Given the number of replies to expect, an inspection ends with the last of them. Every
            # few inspections one goes without it, to find new workers.
            limit = self._known if self._looks % FULL_LOOK_EVERY else None
            self._looks += 1
            inspect = self._app.control.inspect(timeout=deadline, limit=limit or None)
            answers = inspect.active_queues() or {}
            self._known = inspect.limit = len(answers)
            if not answers:
                return ClusterView(at=at)
            queues = {
                worker: frozenset(str(queue["name"]) for queue in consumed if "name" in queue)
                for worker, consumed in _lists_of(dict, answers).items()
            }
            tasks = {
                worker: frozenset(name.split(" ", 1)[0] for name in names)
                for worker, names in _lists_of(str, inspect.registered()).items()
            }
        except Exception as error:  # noqa: BLE001 - the view reports any failure
            failure = broker_failure(error)
            return ClusterView(at=at, problem=str(failure or f"Cannot ask the workers: {error}"))
        return ClusterView(at=at, queues=queues, tasks=tasks)


def _lists_of(kind: type, answers: Any) -> dict[str, list[Any]]:
    """The reply of each worker, without those that replied with an error instead of a list."""
    return {
        str(worker): reply
        for worker, reply in (answers or {}).items()
        if isinstance(reply, list) and all(isinstance(each, kind) for each in reply)
    }
