"""Observes every broker that tasks are sent to, and checks the default one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

from kimera_tui.cluster.events import BrokerChanged, ClusterSeen
from kimera_tui.cluster.observer import Observer
from kimera_tui.cluster.probe import Probe
from kimera_tui.cluster.view import ClusterView, same, view_of
from kimera_tui.errors import KimeraError
from kimera_tui.process.events import Adopted, ConnectionBack, Sending
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import Clock
from kimera_tui.process.task_manager import TaskManager

logger = logging.getLogger(__name__)

PROBE_SECONDS = 5.0
"""Seconds between two checks of the operator's own broker while no worker answers."""
VIEW_SECONDS = 0.5
"""Seconds between two looks at what changed in the default broker's world."""
REFRESH_SECONDS = 5.0
"""Seconds after which an unchanged view is published again, so that its age is known."""
PORTION = 500
"""Events folded in one turn of the loop."""
MAILBOX = 1_000_000
"""Events between two turns of the loop; more than the engine emits in one."""


class Monitor:
    """Knows the state of the brokers, and of the workers and tasks in flight on them.

    Args:
        manager: Sends the tasks.
        clock: Where the time comes from.
        embedded: Whether the default broker is the console's own, which needs no probe.
    """

    def __init__(self, manager: TaskManager, clock: Clock, *, embedded: bool) -> None:
        self._manager = manager
        self._emitter = Emitter(manager.events, clock)
        self._mailbox = manager.events.subscribe(MAILBOX)
        app = manager.celery_app
        self._probe = None if embedded else Probe(app)
        self._observers: dict[int, Observer] = {}
        """By the identity of their app: friends with one broker share it."""
        self._by_friend: dict[str, Observer] = {}
        self._default = self._observer(app)
        self._tasks: set[asyncio.Task[None]] = set()
        self.view: ClusterView | None = None
        """What is known of the default broker's workers; None before the first answer."""
        self.failure: KimeraError | None = None
        """Why nothing can be sent at the moment, or None."""
        manager.confirm_revokes(self.is_over, self.may_drop)

    async def probe_broker(self, label: str) -> None:
        """Probe the operator's own broker and result backend; publish a change."""
        earlier = self.failure
        self.failure = await self._probe.look() if self._probe is not None else None
        now = self._emitter.now()
        if self.failure is not None:
            if earlier is None or earlier.message != self.failure.message:
                publish_failure(self._emitter.bus, self._emitter.clock, label, self.failure)
        elif earlier is not None or self.view is None:
            self._emitter.emit(BrokerChanged(at=now, phase="ready", label=label))

    async def run(self, label: str) -> None:
        """Observe until cancelled."""
        try:
            self._start(self._default.run())
            self._start(self._follow())
            await self._publish_views(label)
        finally:
            self.close()

    def poll_now(self) -> None:
        """Ask all workers now."""
        self._start(self.look())

    async def look(self) -> None:
        """Ask all workers of the default broker, and return when they had time to answer."""
        await self._default.roll_call.everybody()
        self._publish_view()

    async def fresh_view(self, friend: str = "") -> ClusterView:
        """What is known of workers after all of them were asked just now.

        Args:
            friend: The workers of this friend's broker; of the default broker if empty.
        """
        observer = await self._observer_of(friend) if friend else self._default
        await observer.roll_call.everybody()
        return self._view_of(observer)

    def view_for(self, friend: str) -> ClusterView | None:
        """What is known of the workers of a friend's own broker; observes it from now on.

        None before they had time to answer.
        """
        observer = self._by_friend.get(friend)
        if observer is None:
            self._start(self._observe(friend))
            return None
        return self._view_of(observer) if observer.roll_call.has_asked else None

    async def _observe(self, friend: str) -> None:
        await self._observer_of(friend)

    async def queue_depths(self, queues: Collection[str]) -> Mapping[str, int]:
        """Ready messages by queue; queues whose depth is unknown are left out."""
        return await self._default.depths.look(queues) if queues else {}

    def is_over(self, task_id: str) -> bool:
        """Whether a task whose stored state is REVOKED has ended; see ``outcome.IsOver``."""
        # One that no observer knows yet is asked about again.
        return any(observer.is_over(task_id) for observer in self._observers.values())

    def may_drop(self, task_id: str, worker: str, queue: str) -> bool:
        """Whether a worker may have a task or serves its queue; see ``outcome.MayDrop``."""
        for observer in self._observers.values():
            if task_id in observer.in_flight.flights:
                return observer.may_drop(task_id, worker, queue)
        return self._default.may_drop(task_id, worker, queue)

    def close(self) -> None:
        """Stop observing; the threads end by themselves."""
        self._mailbox.close()
        for task in self._tasks:
            task.cancel()
        if self._probe is not None:
            self._probe.close()

    async def _follow(self) -> None:
        """Fold what the engine says of the tasks in flight."""
        while True:
            await self._mailbox.wait()
            for event in self._mailbox.drain(PORTION):
                if isinstance(event, Sending | Adopted):
                    observer = await self._observer_of(event.friend)
                    observer.in_flight.take(event)
                elif isinstance(event, ConnectionBack):
                    for observer in self._observers.values():
                        observer.look_soon()
                else:
                    for observer in self._observers.values():
                        observer.in_flight.take(event)
            await asyncio.sleep(0)

    async def _observer_of(self, friend: str) -> Observer:
        """The observer of a friend's broker, which is started for the first task."""
        if (known := self._by_friend.get(friend)) is not None:
            return known
        try:
            app = await asyncio.to_thread(self._manager.app_of, friend)
        except KimeraError:  # the send fails with the same error
            return self._default
        observer = self._observers.get(id(app))
        if observer is None:
            observer = self._observer(app)
            self._start(observer.run())
        self._by_friend[friend] = observer
        return observer

    def _observer(self, app: Any) -> Observer:
        observer = Observer(app, self._emitter, self._manager.conclude)
        self._observers[id(app)] = observer
        return observer

    async def _publish_views(self, label: str) -> None:
        probed_at = self._emitter.now()  # its caller has just done so
        while True:
            self._publish_view()
            now = self._emitter.now()
            helpless = self.failure is not None or not (self.view and self.view.workers)
            if self._probe is not None and helpless and now - probed_at >= PROBE_SECONDS:
                probed_at = now
                await self.probe_broker(label)
            await asyncio.sleep(VIEW_SECONDS)

    def _publish_view(self) -> None:
        """Publish what is known of the default broker's workers, where it changed or aged."""
        view, known = self._view_of(self._default), self.view
        if known is not None and same(known, view) and view.at - known.at < REFRESH_SECONDS:
            return
        asked = self._default.roll_call.has_asked
        if known is None and not (view.workers or view.problem or asked):
            return
        self.view = view
        self._emitter.emit(ClusterSeen(at=view.at, view=view))

    def _view_of(self, observer: Observer) -> ClusterView:
        return view_of(observer.world, self._emitter.now(), observer.roll_call.problem)

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("Observing failed.", exc_info=error)


def publish_failure(bus: EventBus, clock: Clock, label: str, error: KimeraError) -> None:
    """Publish that the broker can't be used."""
    bus.publish(BrokerChanged(at=clock.now(), phase="failed", label=label, message=str(error)))
