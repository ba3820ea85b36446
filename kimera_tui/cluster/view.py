"""The workers of one broker at one moment, and what speaks against sending a task to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kimera_tui.cluster.worker import Worker, WorkerState
from kimera_tui.cluster.world import World

CANNOT_TERMINATE = ("solo", "threads")
"""Kinds of pools that can't end a task that they run."""
NAMED = 3
"""How many workers a sentence names."""


@dataclass(frozen=True, slots=True)
class AwayWorker:
    """A worker that is known and not online."""

    state: WorkerState
    since: float
    """When it was last heard, or when it said that it goes offline, in seconds since the epoch."""
    queues: frozenset[str] | None = None
    """The queues that it consumed; None if it never told."""
    held: int = 0
    """How many tasks it was last seen to hold."""
    may_be_busy: bool = False
    """Whether its pool can't answer while it runs a task."""


@dataclass(frozen=True, slots=True)
class WorkerDetails:
    """What an online worker has told of itself; None for what it has not."""

    heard_at: float
    """When it last sent an event or answered, in seconds since the epoch."""
    running: int | None = None
    """How many tasks it runs, of all programs."""
    slots: int | None = None
    """How many it can run at a time."""
    processed: int | None = None
    """How many it has run since its start."""
    load: float | None = None
    """Its machine's load over the last minute."""
    version: str = ""
    """Its version of Celery."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What is known of the workers at one moment. No answer does not mean no worker."""

    at: float
    """The moment, in seconds since the epoch."""
    queues: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Consumed queues by worker, of the workers that are online."""
    tasks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Registered tasks by worker; without the workers that have not told."""
    problem: str = ""
    """Why the workers could not be asked; empty if they could."""
    untold: frozenset[str] = frozenset()
    """The workers that are online and have not told which queues they consume."""
    away: Mapping[str, AwayWorker] = field(default_factory=dict)
    """The workers that are known and not online."""
    without_pool: frozenset[str] = frozenset()
    """The workers that are online and whose pool has lost all its processes."""
    pools: Mapping[str, str] = field(default_factory=dict)
    """The kind of pool of each worker that has told, such as ``prefork``."""
    details: Mapping[str, WorkerDetails] = field(default_factory=dict)
    """More about the workers that are online."""
    running: int | None = None
    """How many tasks the workers said they run, of all programs; None if none has said."""

    @property
    def workers(self) -> list[str]:
        """Names of the workers that are online."""
        return sorted(self.queues.keys() | self.untold)

    def away_in(self, *states: WorkerState) -> list[str]:
        """Names of the workers in one of these states."""
        return sorted(name for name, worker in self.away.items() if worker.state in states)

    def consumers(self, queue: str) -> list[str]:
        """The online workers that consume a queue."""
        return sorted(worker for worker, consumed in self.queues.items() if queue in consumed)

    def can_terminate(self, worker: str) -> bool | None:
        """Whether a worker can end a task that it runs; None if its pool is not known."""
        pool = self.pools.get(worker)
        return None if pool is None else pool not in CANNOT_TERMINATE

    def knows(self, task: str) -> bool | None:
        """Whether a worker has registered the task; None if no worker has told."""
        if not self.tasks:
            return None
        return any(task in known for known in self.tasks.values())

    def findings(self, queue: str, task: str) -> list[str]:
        """Reasons not to send a task now, in sentences."""
        if self.problem:
            return [self.problem]
        consumers = self.consumers(queue)
        if not consumers:
            return [self._nobody(queue)]
        found = [
            f"{name} consumes queue {queue}, but its pool has no process left to run tasks."
            for name in consumers
            if name in self.without_pool
        ]
        told = [name for name in consumers if name in self.tasks]
        if len(told) == len(consumers) and not any(task in self.tasks[name] for name in told):
            found.append(
                f"No worker has {task} registered."
                if self.knows(task) is False
                else f"No worker that consumes queue {queue} has {task} registered."
            )
        return found

    def _nobody(self, queue: str) -> str:
        """That no worker consumes a queue, and who may do so and does not answer."""
        silent = [
            name
            for name in self.away_in(WorkerState.SILENT)
            if (queues := self.away[name].queues) is None or queue in queues
        ]
        unsure = sorted({*silent, *self.untold})
        total = len(self.workers)
        if unsure:
            does = "does not answer" if len(unsure) == 1 else "do not answer"
            return f"No worker that answers consumes queue {queue}; {named(unsure)} {does}."
        if not total:
            return "No worker answered: nobody may take this task."
        lost = [
            name
            for name in self.away_in(WorkerState.LOST, WorkerState.STOPPED)
            if queue in (self.away[name].queues or ())
        ]
        gone = f"; {named(lost)} did, and {_is(lost)} gone" if lost else ""
        return f"No worker consumes queue {queue} (0 of {total} workers){gone}."


def view_of(world: World, now: float, problem: str = "") -> ClusterView:
    """The view of a world at a moment."""
    online = {
        name: worker
        for name, worker in world.workers.items()
        if worker.state(now) is WorkerState.ONLINE
    }
    return ClusterView(
        at=now,
        queues={name: each.queues for name, each in online.items() if each.queues is not None},
        tasks={
            name: each.registered for name, each in online.items() if each.registered is not None
        },
        problem=problem,
        untold=frozenset(name for name, each in online.items() if each.queues is None),
        away={
            name: _away(worker, worker.state(now), world)
            for name, worker in world.workers.items()
            if name not in online
        },
        without_pool=frozenset(name for name, each in online.items() if each.has_no_pool),
        pools={name: each.pool for name, each in world.workers.items() if each.pool},
        details={name: _details(each) for name, each in online.items()},
        running=_running(online.values()),
    )


def _details(worker: Worker) -> WorkerDetails:
    return WorkerDetails(
        worker.last_word,
        worker.active,
        worker.slots,
        worker.processed,
        worker.load[0] if worker.load else None,
        worker.version,
    )


def _running(online: Iterable[Worker]) -> int | None:
    told = [worker.active for worker in online if worker.active is not None]
    return sum(told) if told else None


def _away(worker: Worker, state: WorkerState, world: World) -> AwayWorker:
    since = worker.left_at if state is WorkerState.STOPPED else worker.last_word
    held = world.held_by(worker.name)
    return AwayWorker(state, since, worker.queues, held, worker.may_be_busy)


def named(workers: Sequence[str]) -> str:
    """Up to three workers by name, and the number of the others."""
    rest = len(workers) - NAMED
    return ", ".join(workers[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def same(one: ClusterView, other: ClusterView) -> bool:
    """Whether two views say the same, apart from their time."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in (
            "queues",
            "tasks",
            "problem",
            "untold",
            "away",
            "without_pool",
            "pools",
            "running",
        )
    )


def _is(workers: Iterable[str]) -> str:
    return "is" if len(list(workers)) == 1 else "are"
