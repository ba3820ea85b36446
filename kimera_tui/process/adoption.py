"""Going on with tasks that were sent before: what is known of them, and watching them again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from kimera_tui.process.call import Overtime
from kimera_tui.process.callables import Callback
from kimera_tui.process.dispatch import Dispatcher
from kimera_tui.process.engines import Engines
from kimera_tui.process.outcome import Outcome
from kimera_tui.process.task_search import Whereabouts, search


@dataclass(frozen=True, slots=True)
class Traces:
    """What broker and result backend still know of some tasks."""

    server: str = ""
    """The run id of the broker's server; an empty string where it doesn't tell."""
    published: Mapping[str, bool] | None = None
    """Whether each has been published; None where the broker can't tell."""
    ended: frozenset[str] = field(default=frozenset())
    """Those whose result is stored."""
    blind: frozenset[str] = field(default=frozenset())
    """Those whose end can't be seen from here."""
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """How those ended."""


@runtime_checkable
class RemembersPublished(Protocol):
    """A publisher that can say later what it has published."""

    async def published(self, task_ids: Sequence[str]) -> Mapping[str, bool]:
        """Whether each has been published; raises BrokerUnavailable."""

    async def server(self) -> str:
        """The run id of the broker's server; raises BrokerUnavailable."""


@runtime_checkable
class LooksUp(Protocol):
    """A watcher that can look at tasks which it doesn't watch."""

    async def look(self, task_ids: Sequence[str]) -> Mapping[str, Outcome | None]:
        """What is stored of each, None for nothing; raises BrokerUnavailable.

        Afterwards they can be watched although this engine has not sent them, except for those
        that are left out.
        """


class Adoption:
    """Looks for tasks that an earlier console sent, and takes them over."""

    def __init__(self, engines: Engines, dispatcher: Dispatcher) -> None:
        self._engines = engines
        self._dispatcher = dispatcher

    async def server(self, friend: str) -> str:
        """The run id of the server behind a friend's broker, as far as it tells."""
        publisher = (await self._engines.engine(friend)).publisher
        return await publisher.server() if isinstance(publisher, RemembersPublished) else ""

    async def traces(self, friend: str, task_ids: Sequence[str]) -> Traces:
        """What is still known of a friend's tasks.

        Raises:
            BrokerUnavailable: broker or result backend can't be asked now.
        """
        engine = await self._engines.engine(friend)
        server, published = "", None
        if isinstance(engine.publisher, RemembersPublished):
            server = await engine.publisher.server()
            published = await engine.publisher.published(task_ids)
        found: Mapping[str, Outcome | None] = {}
        if isinstance(engine.watcher, LooksUp):
            found = await engine.watcher.look(task_ids)
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
        """Where a friend's tasks are that have not ended; None where nobody can tell.

        Takes two seconds more if some of them seem to be nowhere.

        Args:
            friend: Name of the friend.
            task_ids: Their ids.
            sent_to: The queues that they were sent to, of which the friend may have another now.
        """
        engine = await self._engines.engine(friend)
        locator, watcher = engine.locator, engine.watcher
        if locator is None or not isinstance(watcher, LooksUp):
            return None

        async def ended(left: Sequence[str]) -> frozenset[str]:
            return _ended(await watcher.look(left))

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
    ) -> asyncio.Task[Any]:
        """Watch a task that has been sent; returns the background task that waits for its end.

        Args:
            friend: Name of the friend.
            task_name: Function on the friend, without its route.
            task_id: Id of the task.
            callback: Awaited with the result when the task succeeds.
            timeout: Seconds from now; None waits without a limit.
            overtime: Asked when the time is over: how many seconds more.
            patience: Seconds of an outage that don't end the wait.
        """
        followed = await self._dispatcher.adopt(friend, task_name, task_id)
        followed.callback, followed.patience = callback, patience
        followed.timeout, followed.overtime = timeout, overtime
        return self._dispatcher.follow_in_task(followed)


def _ended(found: Mapping[str, Outcome | None]) -> frozenset[str]:
    return frozenset(task_id for task_id, at in found.items() if at and at.ready)
