"""The parts of an engine, as protocols: publisher, watcher, releaser and optional lookups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from kimera_tui.process.outages import Outages
from kimera_tui.process.outcome import MayDrop, Outcome

NO_PART = "it neither has the task nor serves its queue"
"""Why a worker's acknowledgement of a revoke is none."""


@dataclass(frozen=True, slots=True)
class Message:
    """One task message, with the terms of Celery's ``send_task``."""

    task_id: str
    name: str
    """Full Celery task name, route included."""
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """``queue``, ``countdown``, ``priority``, ... as ``apply_async`` names them."""
    patience: float | None = None
    """Seconds to wait for a broker that was up before and is unavailable; None for a few."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One worker's answer to a revoke."""

    worker: str
    answer: str
    ok: bool


class Publisher(Protocol):
    """Publishes messages to the broker."""

    async def publish(self, message: Message) -> None:
        """Return once the broker acknowledged the message.

        Raises:
            NotSerialisable: an argument cannot be serialised; nothing was sent.
            BrokerUnavailable: the broker refused or did not answer; nothing was sent.
            PublishUncertain: the connection was lost while publishing.
        """


class Watcher(Protocol):
    """Learns how tasks end."""

    def watch(self, task_id: str, poll_start: float, max_poll: float) -> asyncio.Future[Outcome]:
        """Return a future for the task's outcome; call this before the publish.

        Args:
            task_id: The task to watch.
            poll_start: Seconds before the first poll; the wait doubles with each poll.
            max_poll: The longest wait between two polls, in seconds.
        """

    def unwatch(self, task_id: str) -> None:
        """Stop watching; the future is cancelled if it has no outcome yet.

        After the outcome: free what is kept for a release that will not happen.
        """

    def conclude(self, task_id: str, outcome: Outcome) -> None:
        """Resolve a watched task's future with an outcome learned elsewhere.

        Does nothing for a task that is not watched or has its outcome already.
        """


class Releaser(Protocol):
    """Releases finished tasks and revokes tasks."""

    def release(self, task_id: str, *, revoke: bool = True) -> None:
        """Revoke a finished task, unless told not to, then forget its result, in a batch."""

    async def revoke(
        self, task_ids: Sequence[str], *, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Sequence[Receipt]:
        """Revoke now and return the acknowledgements; empty if no worker answered."""

    async def settle(self) -> None:
        """Return once every task passed to ``release`` so far is released."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Publisher, watcher and releaser of one broker and result backend."""

    publisher: Publisher
    watcher: Watcher
    releaser: Releaser
    close: Closer
    new_worker_revoker: NewWorkerRevoker | None = None
    """None where workers that start cannot be told."""
    locator: Locator | None = None
    """None where messages cannot be located."""
    unqueuer: Unqueuer | None = None
    """None where messages cannot be taken out of a queue."""
    outages: Outages = field(default_factory=Outages)
    """How long broker or result backend were unavailable."""


class NewWorkerRevoker(Protocol):
    """Tells workers which tasks are revoked while they start."""

    def revoking(
        self, task_ids: Collection[str], on_told: Callable[[str], None]
    ) -> AbstractContextManager[None]:
        """Tell workers that start meanwhile; ``on_told`` gets the name of each."""


class Locator(Protocol):
    """Finds tasks that have not ended."""

    async def queued(self, queue: str, task_ids: Collection[str]) -> Queued:
        """Find the tasks that are in a queue; raises BrokerUnavailable."""

    async def held(self, task_ids: Collection[str]) -> Mapping[str, float]:
        """When taken, unacknowledged messages are redelivered, in seconds since the epoch.

        Raises:
            BrokerUnavailable: the broker is not available.
        """

    async def workers(self, task_ids: Collection[str]) -> Holders:
        """Find the tasks that workers hold; raises BrokerUnavailable."""


@dataclass(frozen=True, slots=True)
class Queued:
    """Tasks found in a queue."""

    ahead: Mapping[str, int]
    """How many messages precede each task."""
    complete: bool = True
    """Whether the whole queue was read."""


@dataclass(frozen=True, slots=True)
class Holders:
    """Tasks held by workers."""

    by_task: Mapping[str, tuple[str, bool]]
    """The worker, and whether it is running the task rather than reserving it."""
    answered: int
    expected: int
    """Number of workers that should have answered."""


class Unqueuer(Protocol):
    """Takes messages that no worker has taken out of their queues."""

    async def take_out(
        self, queues: Mapping[str, Collection[str]], on_taken: Callable[[str, Sequence[str]], None]
    ) -> Unqueued:
        """Take the messages of tasks out of their queues; never raises for the broker's sake.

        Args:
            queues: The ids of tasks, by the queue that they were sent to.
            on_taken: Called with a queue and the ids that were just taken out of it.
        """


@dataclass(frozen=True, slots=True)
class Unqueued:
    """How a take-out went."""

    complete: bool = True
    """Whether all of the queues was read, so that what was not taken out is not in them."""
    why: str = ""
    """Why it is not complete, or how it was done otherwise, in a sentence; empty for nothing."""


class Closer(Protocol):
    """Closes an engine's connections and threads."""

    def __call__(self) -> None:
        """Close without waiting, and cancel all watches.

        Safe to call from another loop, and after the engine's own loop has ended.
        """


@runtime_checkable
class PublishRecord(Protocol):
    """A publisher that knows what it has published."""

    async def published(self, task_ids: Sequence[str]) -> Mapping[str, bool]:
        """Whether each task was published; raises BrokerUnavailable."""

    async def server(self) -> str:
        """The run id of the broker's server; raises BrokerUnavailable."""


@runtime_checkable
class ResultLookup(Protocol):
    """A watcher that can read results of tasks that it does not watch."""

    async def look_up(self, task_ids: Sequence[str]) -> Mapping[str, Outcome | None]:
        """What is stored for each task, None for nothing; raises BrokerUnavailable.

        Afterwards these tasks can be watched, although this engine did not send them, except for
        those missing from the answer.
        """


TERMINATED = "terminate: "
"""How the answer of a worker that terminated tasks begins; their ids follow."""
UNKNOWN = "tasks unknown"
"""How the answer of a worker ends that has none of the tasks."""


def read_receipts(reply: Any) -> list[Receipt]:
    """The receipts in one broadcast reply: ``{worker: {"ok": text}}`` or ``{"error": text}``.

    A worker that knows none of the tasks has acknowledged nothing.
    """
    receipts = []
    for worker, answer in reply.items() if isinstance(reply, dict) else ():
        ok = isinstance(answer, dict) and "ok" in answer
        text = answer.get("ok") or answer.get("error") if isinstance(answer, dict) else answer
        ok = ok and not str(text).endswith(UNKNOWN)
        receipts.append(Receipt(worker=str(worker), answer=str(text), ok=ok))
    return receipts


def checked(
    receipts: Iterable[Receipt], task_id: str, queue: str, may_drop: MayDrop
) -> tuple[Receipt, ...]:
    """The receipts for one task; an acknowledgement of a worker that can't drop it is none."""
    return tuple(
        receipt
        if not receipt.ok or may_drop(task_id, receipt.worker, queue)
        else Receipt(receipt.worker, f"{receipt.answer}, but {NO_PART}", ok=False)
        for receipt in receipts
    )


def receipts_by_task(
    receipts: Sequence[Receipt], task_ids: Sequence[str]
) -> dict[str, tuple[Receipt, ...]]:
    """What the receipts of one broadcast say of each task.

    A plain revoke is acknowledged for all of them; a worker that terminates tells which it had.
    """
    common: list[Receipt] = []
    terminated: list[tuple[str, frozenset[str]]] = []
    for receipt in receipts:
        if receipt.ok and receipt.answer.startswith(TERMINATED):
            ids = frozenset(receipt.answer.removeprefix(TERMINATED).split(", "))
            terminated.append((receipt.worker, ids))
        else:
            common.append(receipt)
    if not terminated:
        return dict.fromkeys(task_ids, tuple(common))
    return {
        task_id: (
            *common,
            *(
                Receipt(worker, TERMINATED + (task_id if task_id in ids else UNKNOWN),
                        task_id in ids)
                for worker, ids in terminated
            ),
        )
        for task_id in task_ids
    }  # fmt: skip
