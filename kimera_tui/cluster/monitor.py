"""Looks at the broker and its workers again and again, and tells what it sees."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

from kimera_tui.cluster.depths import QueueDepths
from kimera_tui.cluster.events import BrokerChanged, ClusterSeen
from kimera_tui.cluster.feed import TaskFeed
from kimera_tui.cluster.inspector import ANSWER_SECONDS, ClusterView, Inspector
from kimera_tui.cluster.probe import Probe
from kimera_tui.config.friends import Friend
from kimera_tui.errors import KimeraError
from kimera_tui.process.events import StateSeen
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.process.loop.clock import Clock

ASK_EVERY = 5.0
"""Seconds between two looks at the workers."""
ASK_IN_FLIGHT = 2.0
"""The same, as long as tasks are in flight, or the broker is away."""
ASK_AT_START = 0.3
"""Seconds for an answer, and between two looks, as long as no worker has answered."""
ANNOUNCED_IN = 0.5
"""Seconds in which a task's own announcement of its start has arrived by all means."""


class Lookout:
    """What is known of the default broker and its workers.

    Args:
        app: The Celery app.
        bus: Where it is told.
        clock: Where the time comes from.
        in_flight: Gives the ids of the tasks that were sent and have not ended.
        is_ours: Tells whether a task is one of these, on any thread.
        embedded: Whether the broker is the console's own, which needs no probe.
    """

    def __init__(
        self,
        app: Any,
        bus: EventBus,
        clock: Clock,
        in_flight: Callable[[], Collection[str]],
        is_ours: Callable[[str], bool],
        *,
        embedded: bool,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._in_flight = in_flight
        self._is_ours = is_ours
        self._states = bus.subscribe()
        self._seen_running: set[str] = set()
        self._ask_now = asyncio.Event()
        self._probe = None if embedded else Probe(app)
        self._depths = QueueDepths(app)
        self._feed = TaskFeed(app, is_ours, self._heard)
        self.inspector = Inspector(app)
        self.view: ClusterView | None = None
        """What the workers answered last; None before the first answer."""
        self.failure: KimeraError | None = None
        """Why nothing can be sent now, or None."""

    async def look_at_broker(self, label: str) -> None:
        """Ask the operator's own broker and result backend whether they are there."""
        before = self.failure
        self.failure = await self._probe.look() if self._probe is not None else None
        if self.failure is not None:
            if before is None or before.message != self.failure.message:
                tell_failed(self._bus, self._clock, label, self.failure)
        elif before is not None or self.view is None:
            self._tell(BrokerChanged(at=self._clock.now(), phase="ready", label=label))

    async def keep_asking(self, label: str) -> None:
        """Look at the broker and its workers for ever; at what is in flight more often."""
        answered = False
        self._feed.start()
        while True:
            if self.failure is None:
                view = await self.inspector.look(ANSWER_SECONDS if answered else ASK_AT_START)
                self.view, answered = view, bool(view.workers)
                self._tell(ClusterSeen(at=self._clock.now(), view=view))
                await self._tell_who_runs()
            self._ask_now.clear()
            pause = ASK_EVERY if answered and not self._in_flight() else ASK_IN_FLIGHT
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._ask_now.wait(), pause if answered or self.failure else ASK_AT_START
                )
            if self._probe is not None and (self.failure or not answered):
                await self.look_at_broker(label)

    def ask_now(self) -> None:
        """Have the workers asked now."""
        self._ask_now.set()

    async def depths(self, queues: Collection[str]) -> Mapping[str, int]:
        """Messages that wait, by queue; queues of which nobody could tell are left out."""
        return await self._depths.look(queues) if queues else {}

    def findings(self, friend: Friend | None, task_name: str) -> list[str]:
        """What the workers' latest answers say against a task; nothing where none answered yet."""
        view = self.view
        if friend is None or friend.broker is not None or view is None or not view.workers:
            return []
        return view.findings(friend.queue, f"{friend.route}.{task_name}")

    def close(self) -> None:
        """Stop listening, and let the threads end."""
        self._states.close()
        self.inspector.close()
        self._depths.close()
        self._feed.close()
        if self._probe is not None:
            self._probe.close()

    async def _tell_who_runs(self) -> None:
        """Tasks whose workers don't announce a start are found by asking what is active."""
        ours = set(self._in_flight())
        self._take_in()
        self._seen_running &= ours
        if not ours - self._seen_running:
            return
        for task_id, worker in (await self.inspector.active(ours - self._seen_running)).items():
            meta, at = {"hostname": worker}, self._clock.now()
            self._tell_start(
                StateSeen(at=at, task_id=task_id, state="STARTED", meta=meta, source="inspect")
            )

    def _heard(self, event: StateSeen) -> None:
        """Hand on what a worker tells; a start only if its task doesn't announce it itself."""
        if event.state == "STARTED":
            asyncio.get_running_loop().call_later(ANNOUNCED_IN, self._tell_start, event)
        else:
            self._tell(event)

    def _tell_start(self, event: StateSeen) -> None:
        """Tell a start, unless another source was quicker or the task has ended meanwhile."""
        self._take_in()
        if event.task_id not in self._seen_running and self._is_ours(event.task_id):
            self._tell(event)

    def _take_in(self) -> None:
        """Note which tasks have been told to run, in whatever way."""
        self._seen_running |= {
            event.task_id
            for event in self._states.drain()
            if isinstance(event, StateSeen) and event.state != "RECEIVED"
        }

    def _tell(self, event: object) -> None:
        self._bus.publish(event)


def tell_failed(bus: EventBus, clock: Clock, label: str, error: KimeraError) -> None:
    """Tell that the broker can't be used."""
    bus.publish(BrokerChanged(at=clock.now(), phase="failed", label=label, message=str(error)))
