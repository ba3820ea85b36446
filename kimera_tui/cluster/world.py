"""The observed world of one broker: a fold over facts, with memory and without I/O or a clock.

Every fact carries its time, and of each kind the latest counts, so the order in which facts arrive
makes no difference. What is concluded from them depends on the moment that is asked about: nothing
is believed for longer than its evidence.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from kimera_tui.cluster.facts import (
    BrokerBack,
    BrokerRestarted,
    Fact,
    QueueSeen,
    TaskHeld,
    TaskQueued,
    TaskReported,
    TasksMissing,
    TasksNotHeld,
    TasksSought,
    TaskUnacked,
    WorkerAnswered,
    WorkerGone,
    WorkerHeard,
    WorkerLeft,
    WorkerSilent,
)
from kimera_tui.cluster.sightings import UNSEEN, SeenTask, Sighting, Where
from kimera_tui.cluster.worker import Worker, WorkerState

TASKS_KEPT = 50_000
"""Tasks that are remembered, of all programs on the broker."""
FORGET_WORKER_SECONDS = 86_400.0
"""Seconds after its last word for which a worker that is not online is remembered."""
_FORGET_AT_ONCE = 1_000


@dataclass(slots=True)
class World:
    """What was observed of one broker's workers, queues and tasks."""

    workers: dict[str, Worker] = field(default_factory=dict)
    """By name."""
    queues: dict[str, QueueSeen] = field(default_factory=dict)
    """The latest count of each queue's messages."""
    tasks: dict[str, SeenTask] = field(default_factory=dict)
    """By task id."""
    restarted_at: float = 0.0
    """When the broker was last found to be restarted, in seconds since the epoch; 0 for never."""
    back_at: float = 0.0
    """When the broker was last found to be back, in seconds since the epoch; 0 for never."""
    kept: int = TASKS_KEPT
    """How many tasks are remembered."""
    _counted: dict[str, tuple[float, int]] = field(default_factory=dict, compare=False)
    """How many tasks each worker had at its last word, counted once for each."""

    def take(self, facts: Iterable[Fact]) -> None:
        """Note facts, in any order."""
        for fact in facts:
            self._take(fact)
        if len(self.tasks) > self.kept:
            self._forget_tasks()

    def sighting(self, task_id: str, now: float, sent_at: float = math.inf) -> Sighting:
        """Where a task is.

        Args:
            task_id: The task.
            now: The moment, in seconds since the epoch.
            sent_at: When it was sent, if known.
        """
        task = self.tasks.get(task_id)
        if task is None:
            return UNSEEN
        sighting = task.sighting(self.workers, now)
        gone = sighting.where is Where.MISSING or sighting.left_queue
        if gone and self.restarted_at > max(sent_at, task.had_at):
            return replace(sighting, where=Where.LOST, worker="", restarted=True)
        return sighting

    def named(self, now: float, *states: WorkerState) -> list[str]:
        """The names of the workers in one of these states at a moment."""
        return sorted(name for name, each in self.workers.items() if each.state(now) in states)

    def consumers(self, queue: str, now: float) -> list[str]:
        """The online workers that are known to consume a queue."""
        return [
            name
            for name in self.named(now, WorkerState.ONLINE)
            if queue in (self.workers[name].queues or ())
        ]

    def may_consume(self, queue: str, now: float) -> set[str]:
        """The workers that consume a queue or may do so: those that have not told, too."""
        return {
            name
            for name in self.named(now, WorkerState.ONLINE, WorkerState.SILENT)
            if (queues := self.workers[name].queues) is None or queue in queues
        }

    def held_by(self, name: str) -> int:
        """How many tasks a worker had when it was last heard."""
        last = self.workers[name].last_word
        counted = self._counted.get(name)
        if counted is None or counted[0] != last:
            count = sum(task.was_with(name) for task in self.tasks.values())
            counted = self._counted[name] = (last, count)
        return counted[1]

    def forget_workers(self, now: float) -> None:
        """Forget the workers that have been away for a day."""
        for name in [
            name
            for name, worker in self.workers.items()
            if now - max(worker.last_word, worker.left_at) > FORGET_WORKER_SECONDS
        ]:
            del self.workers[name]

    def _take(self, fact: Fact) -> None:
        match fact:
            case TaskReported():
                self._task(fact.task_id).take(fact)
                if fact.report != "sent":  # a producer's event
                    self._worker(fact.worker).heard(WorkerHeard(at=fact.at, worker=fact.worker))
            case TaskHeld():
                self._task(fact.task_id).take(fact)
                self._worker(fact.worker).answered(WorkerAnswered(at=fact.at, worker=fact.worker))
            case TaskQueued() | TaskUnacked():
                self._task(fact.task_id).take(fact)
            case TasksNotHeld() | TasksMissing() | TasksSought():
                for task in self._known(fact.task_ids):
                    task.take(fact)
            case WorkerHeard():
                self._worker(fact.worker).heard(fact)
            case WorkerAnswered():
                self._worker(fact.worker).answered(fact)
            case WorkerSilent():
                self._worker(fact.worker).silent(fact)
            case WorkerLeft():
                self._worker(fact.worker).left(fact)
            case WorkerGone():
                self._worker(fact.worker).gone(fact)
            case BrokerBack():
                self.back_at = max(self.back_at, fact.at)
                for worker in self.workers.values():
                    worker.excused_at = self.back_at
            case BrokerRestarted():
                self.restarted_at = max(self.restarted_at, fact.at)
            case QueueSeen():
                known = self.queues.get(fact.queue)
                if known is None or fact.at >= known.at:
                    self.queues[fact.queue] = fact

    def _task(self, task_id: str) -> SeenTask:
        task = self.tasks.get(task_id)
        if task is None:
            task = self.tasks[task_id] = SeenTask(task_id)
        return task

    def _known(self, task_ids: Collection[str]) -> Iterator[SeenTask]:
        """These tasks; one that was asked about counts as known."""
        return map(self._task, task_ids)

    def _worker(self, name: str) -> Worker:
        worker = self.workers.get(name)
        if worker is None:
            worker = self.workers[name] = Worker(name, excused_at=self.back_at)
        return worker

    def _forget_tasks(self) -> None:
        """Forget the tasks of which nothing was observed for the longest time."""
        oldest = sorted(self.tasks.values(), key=lambda task: task.seen_at)
        for task in oldest[: len(self.tasks) - self.kept + _FORGET_AT_ONCE]:
            del self.tasks[task.task_id]
