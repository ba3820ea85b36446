"""The engine with the few lines that a task manager would put around it."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from celery import Celery

from kimera_tui.process.engine import Message
from kimera_tui.process.engines import redis_engine
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import SystemClock, new_id
from kimera_tui.process.outcome import SUCCESS, IsOver, Outcome, always_over


def make_app(broker: str, backend: str | None = None, **conf: Any) -> Celery:
    app = Celery("lab", broker=broker, backend=backend or broker, set_as_current=False)
    app.conf.update(conf)
    return app


class Console:
    """Sends, waits, releases; keeps all events."""

    def __init__(
        self,
        broker: str,
        backend: str | None = None,
        *,
        is_over: IsOver = always_over,
        **conf: Any,
    ) -> None:
        self.app = make_app(broker, backend, **conf)
        self.bus = EventBus()
        self.mailbox = self.bus.subscribe(1_000_000)
        engine = redis_engine(self.app, Emitter(self.bus, SystemClock()), is_over)
        assert engine is not None
        self.engine = engine
        self._events: list[Any] = []

    async def call(
        self, name: str, *args: Any, task_id: str = "", poll: tuple[float, float] = (0.1, 1.0),
        release: bool = True, **options: Any,
    ) -> Outcome:  # fmt: skip
        task_id = task_id or new_id()
        future = self.engine.watcher.watch(task_id, *poll)
        kwargs = options.pop("kwargs", {})
        try:
            await self.engine.publisher.publish(
                Message(task_id, f"lab.tasks.{name}", args, kwargs, options)
            )
        except BaseException:
            self.engine.watcher.unwatch(task_id)
            raise
        outcome = await asyncio.wait_for(future, 30)
        if release and outcome.state == SUCCESS:
            self.engine.releaser.release(task_id)
        return outcome

    async def publish(self, name: str = "lab.tasks.add", *args: Any, **options: Any) -> str:
        task_id = options.pop("task_id", None) or new_id()
        kwargs = options.pop("kwargs", {})
        positional = options.pop("args", args)
        await self.engine.publisher.publish(Message(task_id, name, positional, kwargs, options))
        return task_id

    @property
    def events(self) -> list[Any]:
        self._events += self.mailbox.drain()
        return self._events

    def count(self) -> Counter[str]:
        return Counter(type(event).__name__ for event in self.events)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


async def until(condition: Any, seconds: float = 20.0) -> None:
    """Wait for a condition; the test fails when it doesn't come true."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come true"
        await asyncio.sleep(0.01)
