"""Which workers are there, what they consume and what they know, asked with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.process.loop.call_thread import CallThread

ANSWER_SECONDS = 1.0
"""Seconds that workers have for their answers."""
FULL_LOOK_EVERY = 4


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What the workers answered at one moment; no answer is not the same as no worker."""

    at: float
    """When it was asked, in seconds since the epoch."""
    queues: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Queues consumed, by worker."""
    tasks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Registered tasks, by worker."""
    problem: str = ""
    """Why nobody could be asked, or an empty string."""

    @property
    def workers(self) -> list[str]:
        """Who answered."""
        return sorted(self.queues)

    def consumers(self, queue: str) -> list[str]:
        """The workers that consume a queue."""
        return sorted(worker for worker, consumed in self.queues.items() if queue in consumed)

    def knows(self, task: str) -> bool | None:
        """Whether a worker has the task registered; None when no worker has told."""
        if not self.tasks:
            return None
        return any(task in known for known in self.tasks.values())

    def findings(self, queue: str, task: str) -> list[str]:
        """What stands against sending a task now, in sentences."""
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
    """Asks the workers of one Celery app, on a thread of its own."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._thread = CallThread("kimera-inspect")
        self._known = 0
        self._looks = 0

    async def look(self, deadline: float = ANSWER_SECONDS) -> ClusterView:
        """Ask all workers; never raises, and returns soon after the deadline."""
        asked = self._thread.call(self._ask, deadline)
        try:
            return await asyncio.wait_for(asked, deadline * 2 + 10)
        except TimeoutError:
            return ClusterView(at=time.time(), problem="The broker did not answer in time.")

    async def active(self, task_ids: Set[str], deadline: float = ANSWER_SECONDS) -> dict[str, str]:
        """Which of the tasks a worker is running now, and which worker that is; never raises.

        A worker that runs nothing but tasks in its own process doesn't answer while it is busy.
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
        except Exception:  # noqa: BLE001 - the next look says what is wrong
            return {}

    def close(self) -> None:
        """Let the thread end."""
        self._thread.close()

    def _ask(self, deadline: float) -> ClusterView:
        from kimera_tui.process.failures import broker_failure

        at = time.time()
        try:
            # With the number of answers to expect an inspection ends with the last of them; every
            # few looks one goes without, to find workers that are new.
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
        except Exception as error:  # noqa: BLE001 - whatever it is, the view says so
            failure = broker_failure(error)
            return ClusterView(at=at, problem=str(failure or f"Cannot ask the workers: {error}"))
        return ClusterView(at=at, queues=queues, tasks=tasks)


def _lists_of(kind: type, answers: Any) -> dict[str, list[Any]]:
    """What each worker answered, without those that answered with an error instead of a list."""
    return {
        str(worker): said
        for worker, said in (answers or {}).items()
        if isinstance(said, list) and all(isinstance(each, kind) for each in said)
    }
