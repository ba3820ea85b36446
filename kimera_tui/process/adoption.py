"""Adopts tasks that an earlier console sent: finds their traces and watches them again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.process.call import Callback, Overtime
from kimera_tui.process.dispatch import Dispatcher
from kimera_tui.process.engine import PublishRecord, ResultLookup
from kimera_tui.process.engines import Engines
from kimera_tui.process.outcome import Outcome
from kimera_tui.process.task_search import Whereabouts, search


@dataclass(frozen=True, slots=True)
class Traces:
    """What broker and result backend still know of some tasks."""

    server: str = ""
    """The run id of the broker's server; empty if unknown."""
    published: Mapping[str, bool] | None = None
    """Whether each was published; None if the broker cannot tell."""
    ended: frozenset[str] = field(default=frozenset())
    """Tasks whose result is stored."""
    blind: frozenset[str] = field(default=frozenset())
    """Tasks whose result cannot be read by this console."""
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """The outcomes of the ended tasks."""


class Adoption:
    """Looks for tasks that an earlier console sent, and adopts them."""

    def __init__(self, engines: Engines, dispatcher: Dispatcher) -> None:
        self._engines = engines
        self._dispatcher = dispatcher

    async def server(self, friend: str) -> str:
        """Return the run id of a friend's broker; empty if unknown."""
        publisher = (await self._engines.engine(friend)).publisher
        return await publisher.server() if isinstance(publisher, PublishRecord) else ""

    async def traces(self, friend: str, task_ids: Sequence[str]) -> Traces:
        """Find out what is still known of a friend's tasks.

        Raises:
            BrokerUnavailable: broker or result backend is not available.
        """
        engine = await self._engines.engine(friend)
        server, published = "", None
        if isinstance(engine.publisher, PublishRecord):
            server = await engine.publisher.server()
            published = await engine.publisher.published(task_ids)
        found: Mapping[str, Outcome | None] = {}
        if isinstance(engine.watcher, ResultLookup):
            found = await engine.watcher.look_up(task_ids)
        ended = {task_id: found[task_id] for task_id in _ended(found)}
        outcomes = {task_id: outcome for task_id, outcome in ended.items() if outcome is not None}
        blind = frozenset(task_ids) - found.keys()
        return Traces(server, published, frozenset(outcomes), blind, outcomes)

    async def search(
        self,
        friend: str,
        task_ids: Sequence[str],
        sent_to: Collection[str] = (),
    ) -> Whereabouts | None:
        """Locate a friend's tasks that have not ended; None if the broker cannot tell.

        Takes two seconds longer if some of them are not found at once.

        Args:
            friend: Name of the friend.
            task_ids: Ids of the tasks.
            sent_to: Queues they were sent to, in case the friend's queue has changed.
        """
        engine = await self._engines.engine(friend)
        locator, watcher = engine.locator, engine.watcher
        if locator is None or not isinstance(watcher, ResultLookup):
            return None

        async def ended(left: Sequence[str]) -> frozenset[str]:
            return _ended(await watcher.look_up(left))

        queues = dict.fromkeys((*sent_to, self._engines.friend(friend)["queue"]))
        return await search(locator, ended, queues, task_ids)

    async def adopt(
        self,
        friend: str,
        task_name: str,
        task_id: str,
        callback: Callback | None = None,
        timeout: float | None = None,
        overtime: Overtime | None = None,
        patience: float | None = None,
        queue: str = "",
    ) -> asyncio.Task[Any]:
        """Watch a task sent earlier; return the background task that waits for its end.

        Args:
            friend: Name of the friend.
            task_name: Function on the friend, without the route.
            task_id: Id of the task.
            callback: Awaited with the result when the task succeeds.
            timeout: Seconds from now; None waits without a limit.
            overtime: Called when the timeout is over; returns seconds to wait longer, 0 to stop.
            patience: Seconds of outages that do not count as time waited.
            queue: The queue that it was sent to; empty for the friend's.
        """
        pending = await self._dispatcher.adopt(friend, task_name, task_id, queue)
        pending.callback, pending.patience = callback, patience
        pending.timeout, pending.overtime = timeout, overtime
        return self._dispatcher.wait_in_task(pending)


def _ended(found: Mapping[str, Outcome | None]) -> frozenset[str]:
    return frozenset(task_id for task_id, at in found.items() if at and at.ready)
