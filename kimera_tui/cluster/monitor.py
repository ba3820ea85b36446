"""Polls the broker and its workers, and publishes what it learns."""

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

POLL_SECONDS = 5.0
"""Seconds between two polls of the workers."""
BUSY_POLL_SECONDS = 2.0
"""The same while tasks are in flight or the broker is unreachable."""
START_POLL_SECONDS = 0.3
"""Seconds to wait for a reply, and between two polls, until a worker has replied."""
ANNOUNCE_SECONDS = 0.5
"""Seconds within which the event by which a task announces its own start has arrived."""


class Monitor:
    """Knows the state of the default broker and its workers.

    Args:
        app: The Celery app.
        bus: Where events are published.
        clock: Where the time comes from.
        in_flight: Returns the ids of the tasks that were sent and have not ended.
        is_ours: Whether a task is one of these; called on any thread.
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
        self._poll_requested = asyncio.Event()
        self._probe = None if embedded else Probe(app)
        self._depths = QueueDepths(app)
        self._feed = TaskFeed(app, is_ours, self._on_task_event)
        self.inspector = Inspector(app)
        self.view: ClusterView | None = None
        """The latest replies of the workers; None before the first."""
        self.failure: KimeraError | None = None
        """Why nothing can be sent at the moment, or None."""

    async def probe_broker(self, label: str) -> None:
        """Probe the operator's own broker and result backend; publish a change."""
        before = self.failure
        self.failure = await self._probe.look() if self._probe is not None else None
        if self.failure is not None:
            if before is None or before.message != self.failure.message:
                publish_failure(self._bus, self._clock, label, self.failure)
        elif before is not None or self.view is None:
            self._publish(BrokerChanged(at=self._clock.now(), phase="ready", label=label))

    async def poll_workers(self, label: str) -> None:
        """Poll the workers for ever, more often while tasks are in flight."""
        answered = False
        self._feed.start()
        while True:
            if self.failure is None:
                view = await self.inspector.look(ANSWER_SECONDS if answered else START_POLL_SECONDS)
                self.view, answered = view, bool(view.workers)
                self._publish(ClusterSeen(at=self._clock.now(), view=view))
                await self._publish_running()
            self._poll_requested.clear()
            pause = POLL_SECONDS if answered and not self._in_flight() else BUSY_POLL_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._poll_requested.wait(),
                    pause if answered or self.failure else START_POLL_SECONDS,
                )
            if self._probe is not None and (self.failure or not answered):
                await self.probe_broker(label)

    def poll_now(self) -> None:
        """Poll the workers now rather than at the next turn."""
        self._poll_requested.set()

    async def queue_depths(self, queues: Collection[str]) -> Mapping[str, int]:
        """Ready messages by queue; queues whose depth is unknown are left out."""
        return await self._depths.look(queues) if queues else {}

    def findings(self, friend: Friend | None, task_name: str) -> list[str]:
        """Warnings about a task from the workers' latest replies; none before the first reply."""
        view = self.view
        if friend is None or friend.broker is not None or view is None or not view.workers:
            return []
        return view.findings(friend.queue, f"{friend.route}.{task_name}")

    def close(self) -> None:
        """Stop listening and let the threads end."""
        self._states.close()
        self.inspector.close()
        self._depths.close()
        self._feed.close()
        if self._probe is not None:
            self._probe.close()

    async def _publish_running(self) -> None:
        """Find running tasks whose workers announce no start, by inspecting what is active."""
        ours = set(self._in_flight())
        self._note_running()
        self._seen_running &= ours
        if not ours - self._seen_running:
            return
        for task_id, worker in (await self.inspector.active(ours - self._seen_running)).items():
            meta, at = {"hostname": worker}, self._clock.now()
            self._publish_start(
                StateSeen(at=at, task_id=task_id, state="STARTED", meta=meta, source="inspect")
            )

    def _on_task_event(self, event: StateSeen) -> None:
        """Publish a worker's event; a start only if the task doesn't announce it itself."""
        if event.state == "STARTED":
            asyncio.get_running_loop().call_later(ANNOUNCE_SECONDS, self._publish_start, event)
        else:
            self._publish(event)

    def _publish_start(self, event: StateSeen) -> None:
        """Publish a start unless another source was quicker or the task has ended."""
        self._note_running()
        if event.task_id not in self._seen_running and self._is_ours(event.task_id):
            self._publish(event)

    def _note_running(self) -> None:
        """Note which tasks are known to run, from any source."""
        self._seen_running |= {
            event.task_id
            for event in self._states.drain()
            if isinstance(event, StateSeen) and event.state != "RECEIVED"
        }

    def _publish(self, event: object) -> None:
        self._bus.publish(event)


def publish_failure(bus: EventBus, clock: Clock, label: str, error: KimeraError) -> None:
    """Publish that the broker can't be used."""
    bus.publish(BrokerChanged(at=clock.now(), phase="failed", label=label, message=str(error)))
