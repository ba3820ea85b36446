"""What is known of one worker, and for how long it may be believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kimera_tui.cluster.facts import (
    WorkerAnswered,
    WorkerGone,
    WorkerHeard,
    WorkerLeft,
    WorkerSilent,
)

HEARTBEAT_SECONDS = 2.0
"""Celery's default interval between heartbeats."""
MISSED_HEARTBEATS = 3
"""Intervals without a heartbeat after which a worker is asked by name."""
LOST_SECONDS = 15.0
"""Seconds without a word, and without an answer to a question by name, after which a worker counts
as lost."""
TRUST_SECONDS = 15.0
"""Seconds for which a word of a worker is evidence that it is online."""
_PIDS_KEPT = 8
_BLOCKING_POOLS = ("solo",)
"""Pools that run tasks in the process that would answer."""


class WorkerState(StrEnum):
    """The state of a worker, each with what must have been seen for it to be told."""

    ONLINE = "online"
    """It sent an event or answered within the last seconds."""
    SILENT = "silent"
    """It sent no heartbeat for three intervals and did not answer a question by name, or nothing
    was heard of it for a while. It may be busy, stopped, or cut off."""
    LOST = "lost"
    """It is silent, and its connections are gone or it has been silent for 15 seconds."""
    STOPPED = "stopped"
    """It said that it goes offline."""


@dataclass(slots=True, eq=True)
class Worker:
    """One worker. Each field is the latest of its kind, whatever the order of arrival."""

    name: str
    heard_at: float = 0.0
    """When its latest event arrived, in seconds since the epoch; 0 for never."""
    answered_at: float = 0.0
    """When its latest answer arrived; 0 for never."""
    left_at: float = 0.0
    """When it last said that it goes offline; 0 for never."""
    gone_at: float = 0.0
    """When its connections were last seen to be gone; 0 for never."""
    unanswered_at: float = 0.0
    """When the latest question that it did not answer was asked; 0 for none."""
    excused_at: float = 0.0
    """Until when it could not be heard, because the broker was away; 0 for never."""
    beat_at: float = 0.0
    """When its latest heartbeat arrived; 0 for never."""
    every: float = HEARTBEAT_SECONDS
    """Seconds between its heartbeats."""
    pids: dict[int, tuple[float, float]] = field(default_factory=dict)
    """When each process id of its parent process was first and last seen."""
    began_at: float = 0.0
    """When its latest process began, within a few seconds, if it ever told; 0 if it never did."""
    online_at: float = 0.0
    """When it last said that it comes online; 0 for never."""
    active: int | None = None
    """How many tasks it said it runs."""
    processed: int | None = None
    """How many tasks it said it has run."""
    load: tuple[float, ...] = ()
    version: str = ""
    queues: frozenset[str] | None = None
    """The queues that it consumes; None if it never told."""
    queues_at: float = 0.0
    registered: frozenset[str] | None = None
    """The tasks that it has registered; None if it never told."""
    limited: frozenset[str] = frozenset()
    """The tasks that it runs only so often, and holds back in between."""
    registered_at: float = 0.0
    pool: str = ""
    """The kind of its pool; empty if it never told."""
    slots: int | None = None
    """How many tasks it can run at a time."""
    processes: int | None = None
    """How many processes its pool has; None if unknown, or for a pool without."""
    pool_at: float = 0.0

    @property
    def last_word(self) -> float:
        """When it was last heard or answered, in seconds since the epoch; 0 for never."""
        return max(self.heard_at, self.answered_at)

    def state(self, now: float) -> WorkerState:
        """Its state at a moment."""
        last = self.last_word
        if self.left_at > 0 and self.left_at >= last:
            return WorkerState.STOPPED
        age = now - last
        if self.unanswered_at > last:  # asked since, in vain
            gone = self.gone_at > last
            unheard = now - max(last, self.excused_at)
            if gone or (unheard >= LOST_SECONDS and not self.may_be_busy):
                return WorkerState.LOST
            return WorkerState.SILENT if age >= self.silence else WorkerState.ONLINE
        return WorkerState.ONLINE if age < max(TRUST_SECONDS, self.silence) else WorkerState.SILENT

    @property
    def silence(self) -> float:
        """Seconds without a word after which it is asked by name."""
        return self.every * MISSED_HEARTBEATS if self.beat_at else TRUST_SECONDS

    @property
    def may_be_busy(self) -> bool:
        """Whether it can't answer while it runs a task, as far as is known.

        A worker that said that it runs a task has shown that it can speak meanwhile.
        """
        return self.pool in _BLOCKING_POOLS or not (self.pool or self.active)

    @property
    def has_no_pool(self) -> bool:
        """Whether its pool has lost all its processes, so that it takes tasks and runs none."""
        return self.processes == 0 and bool(self.slots)

    def heard(self, fact: WorkerHeard) -> None:
        """It sent an event."""
        self.heard_at = max(self.heard_at, fact.at)
        if fact.online:
            self.online_at = max(self.online_at, fact.at)
        if fact.every is not None and fact.at >= self.beat_at:
            self.beat_at = fact.at
            self.every = max(fact.every, 0.1)
            self.active, self.processed = fact.active, fact.processed
            self.load, self.version = fact.load, fact.version
        self._saw_pid(fact.pid, fact.at)

    def answered(self, fact: WorkerAnswered) -> None:
        """It answered a question."""
        self.answered_at = max(self.answered_at, fact.at)
        if fact.queues is not None and fact.at >= self.queues_at:
            self.queues, self.queues_at = fact.queues, fact.at
        if fact.registered is not None and fact.at >= self.registered_at:
            self.registered, self.registered_at = fact.registered, fact.at
            self.limited = fact.limited
        if fact.pool is not None and fact.at >= self.pool_at:
            self.pool, self.slots, self.processes = fact.pool, fact.slots, fact.processes
            self.pool_at = fact.at
        self.began_at = max(self.began_at, fact.began or 0.0)
        self._saw_pid(fact.pid, fact.at)

    def left(self, fact: WorkerLeft) -> None:
        """It said that it goes offline."""
        self.left_at = max(self.left_at, fact.at)

    def gone(self, fact: WorkerGone) -> None:
        """The broker has no connection of it."""
        self.gone_at = max(self.gone_at, fact.at)

    def silent(self, fact: WorkerSilent) -> None:
        """It did not answer."""
        self.unanswered_at = max(self.unanswered_at, fact.asked_at)

    @property
    def pid(self) -> int | None:
        """The process id of its parent process; None if it never told."""
        return max(self.pids, key=lambda pid: self.pids[pid][::-1], default=None)

    @property
    def restarted_at(self) -> float:
        """Since when it holds nothing that it held before, as far as is known; 0 if unknown.

        In a container its process may have the same id after each restart: how long it says that
        it has been up counts, too.
        """
        pid = self.pid
        if pid is None or len(self.pids) == 1:
            return self.began_at
        first = self.pids[pid][0]
        is_another = any(seen[0] < first for seen in self.pids.values())
        return max(self.began_at, first if is_another else 0.0)

    def _saw_pid(self, pid: int | None, at: float) -> None:
        if pid is None:
            return
        first, last = self.pids.get(pid, (at, at))
        self.pids[pid] = min(first, at), max(last, at)
        if len(self.pids) > _PIDS_KEPT:
            del self.pids[min(self.pids, key=lambda each: self.pids[each][1])]
