"""A broker, its result store and a worker in memory, and the engine that talks to them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from kimera_tui.errors import BrokerUnavailable, PublishUncertain
from kimera_tui.process.engine import Engine, Message, Receipt
from kimera_tui.process.outcome import Outcome


class FakeBroker:
    """What outlives every console."""

    def __init__(self) -> None:
        self.server = 1
        self.markers: set[str] = set()
        self.queue: list[Message] = []
        self.results: dict[str, Outcome] = {}
        self.revoked: set[str] = set()
        self.pushes: Counter[str] = Counter()
        self.executions: Counter[str] = Counter()
        self.away = False
        self.loses_next_reply = False
        self.watches: dict[str, asyncio.Future[Outcome]] = {}

    def restart_empty(self) -> None:
        """Come back without data."""
        self.server += 1
        self.markers.clear()
        self.queue.clear()
        self.results.clear()

    def work(self, position: int, good: bool) -> None:
        """A worker takes a message, not always the first one."""
        message = self.queue.pop(position % len(self.queue))
        if message.task_id in self.revoked:
            outcome = Outcome("REVOKED")
        else:
            self.executions[message.task_id] += 1
            outcome = Outcome("SUCCESS", {"n": 1}) if good else Outcome("FAILURE", None, "E", "no")
        self.results[message.task_id] = outcome
        self.publish(message.task_id)

    def publish(self, task_id: str) -> None:
        watch = self.watches.get(task_id)
        if watch is not None and not watch.done() and task_id in self.results:
            watch.set_result(self.results[task_id])


class FakeEngine:
    """Publisher, watcher and releaser of one console."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.engine = Engine(self, self, self, lambda: None)

    async def publish(self, message: Message) -> None:
        broker = self._broker
        if broker.away:
            raise BrokerUnavailable("No broker.")
        if message.task_id not in broker.markers:
            broker.markers.add(message.task_id)
            broker.queue.append(message)
            broker.pushes[message.task_id] += 1
        if broker.loses_next_reply:
            broker.loses_next_reply = False
            raise PublishUncertain("The reply got lost.")

    async def published(self, task_ids: Sequence[str]) -> dict[str, bool]:
        return {task_id: task_id in self._broker.markers for task_id in task_ids}

    async def server(self) -> str:
        return str(self._broker.server)

    def watch(self, task_id: str, poll_start: float, max_poll: float) -> asyncio.Future[Outcome]:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._broker.watches[task_id] = future
        self._broker.publish(task_id)
        return future

    def unwatch(self, task_id: str) -> None:
        if (watch := self._broker.watches.pop(task_id, None)) is not None:
            watch.cancel()

    def conclude(self, task_id: str, outcome: Outcome) -> None:
        watch = self._broker.watches.get(task_id)
        if watch is not None and not watch.done():
            watch.set_result(outcome)

    async def look_up(self, task_ids: Sequence[str]) -> dict[str, Outcome | None]:
        return {task_id: self._broker.results.get(task_id) for task_id in task_ids}

    def release(self, task_id: str, *, revoke: bool = True) -> None:
        self._broker.results.pop(task_id, None)
        self._broker.markers.discard(task_id)

    async def revoke(
        self, task_ids: Sequence[str], *, terminate: bool = False, signal: str = ""
    ) -> Sequence[Receipt]:
        self._broker.revoked.update(task_ids)
        return [Receipt("w", "ok", ok=True)]

    async def settle(self) -> None:
        return
