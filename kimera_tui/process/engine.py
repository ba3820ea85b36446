"""The three parts every engine has, as protocols: publish a message, watch it, let it go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from kimera_tui.process.outages import Outages
from kimera_tui.process.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Message:
    """One task message, in the words of Celery's ``send_task``."""

    task_id: str
    name: str
    """Full Celery task name, route included."""
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """``queue``, ``countdown``, ``priority``, ... as ``apply_async`` names them."""
    patience: float | None = None
    """Seconds to wait for a broker that was there before and is away; None for a few."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one worker answered to a revoke."""

    worker: str
    answer: str
    ok: bool


class Publisher(Protocol):
    """Brings messages to the broker."""

    async def publish(self, message: Message) -> None:
        """Return once the broker acknowledged the message.

        Raises:
            NotSerialisable: the arguments can't be written; nothing was sent.
            BrokerUnavailable: the broker refused or didn't answer; nothing was sent.
            PublishUncertain: the connection was lost halfway.
        """


class Watcher(Protocol):
    """Notices how tasks end."""

    def watch(self, task_id: str, poll_start: float, max_poll: float) -> asyncio.Future[Outcome]:
        """Return a future that gets the task's outcome; called before the publish.

        Args:
            task_id: The task to watch.
            poll_start: Seconds before the first poll; each later one waits twice as long.
            max_poll: The longest wait between two polls, in seconds.
        """

    def unwatch(self, task_id: str) -> None:
        """Stop watching; the future is cancelled if it hasn't got its outcome.

        After the outcome: let go of what is kept for a release that will not come.
        """


class Releaser(Protocol):
    """Frees what finished tasks hold, and revokes."""

    def release(self, task_id: str) -> None:
        """Have the finished task revoked, then its result forgotten, in the next batch."""

    async def revoke(
        self, task_ids: Sequence[str], *, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Sequence[Receipt]:
        """Revoke now and return which workers acknowledged; empty when none answered."""

    async def settle(self) -> None:
        """Return once everything handed to ``release`` so far is released."""


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
    """None where nobody knows where a message is."""
    outages: Outages = field(default_factory=Outages)
    """When broker or result backend were away."""


class NewWorkerRevoker(Protocol):
    """Tells workers which tasks are revoked while they start."""

    def revoking(
        self, task_ids: Collection[str], on_told: Callable[[str], None]
    ) -> AbstractContextManager[None]:
        """Tell workers that start meanwhile; ``on_told`` gets the name of each."""


class Locator(Protocol):
    """Finds where tasks are that have not ended."""

    async def queued(self, queue: str, task_ids: Collection[str]) -> Queued:
        """Which of the tasks are in a queue; raises BrokerUnavailable."""

    async def held(self, task_ids: Collection[str]) -> Mapping[str, float]:
        """When those come back whose messages are taken and not acknowledged.

        In seconds since the epoch, should nobody acknowledge them. Raises BrokerUnavailable.
        """

    async def workers(self, task_ids: Collection[str]) -> Holders:
        """Which of the tasks workers have; raises BrokerUnavailable."""


@dataclass(frozen=True, slots=True)
class Queued:
    """What was found in a queue."""

    before: Mapping[str, int]
    """How many messages are before each task that was found."""
    complete: bool = True
    """Whether all of the queue was looked at."""


@dataclass(frozen=True, slots=True)
class Holders:
    """What workers answered when they were asked for tasks."""

    by_task: Mapping[str, tuple[str, bool]]
    """Worker, and whether it runs the task now rather than keeping it for later."""
    answered: int
    expected: int
    """How many workers should have answered."""


class Closer(Protocol):
    """Ends an engine's connections and threads."""

    def __call__(self) -> None:
        """Close without waiting, and cancel what is watched.

        Safe to call from another loop, and when the engine's own is gone.
        """


def read_receipts(reply: Any) -> list[Receipt]:
    """The receipts in one broadcast reply, ``{worker: {"ok": text}}`` or ``{"error": text}``."""
    receipts = []
    for worker, answer in reply.items() if isinstance(reply, dict) else ():
        ok = isinstance(answer, dict) and "ok" in answer
        text = answer.get("ok") or answer.get("error") if isinstance(answer, dict) else answer
        receipts.append(Receipt(worker=str(worker), answer=str(text), ok=ok))
    return receipts
