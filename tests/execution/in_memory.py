"""Consoles on a broker in memory, where a task ends when the test says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.errors import PublishUncertain
from kimera_tui.execution.runner import Decision, Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.engine import Message
from kimera_tui.process.events import StateSeen
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.process.outcome import Outcome
from kimera_tui.runs.events import RunEnded
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.step import StepState
from tests.runs.fake_broker import FakeBroker, FakeEngine

from .conftest import document


@dataclass
class Broker(FakeBroker):
    """Also keeps what was published, and can leave every publish uncertain."""

    published: list[Message] = field(default_factory=list)
    uncertain: bool = False

    def __post_init__(self) -> None:
        super().__init__()


class _Engine(FakeEngine):
    async def publish(self, message: Message) -> None:
        assert isinstance(self._broker, Broker)
        self._broker.published.append(message)
        if self._broker.uncertain:
            raise PublishUncertain("The reply got lost.")
        await super().publish(message)


@dataclass
class Console:
    """A runner on a broker in memory; each step's task is called as the step."""

    runner: Runner
    journal: Journal
    manager: TaskManager
    broker: Broker
    mailbox: Any
    index: RunIndex = field(default_factory=RunIndex)
    events: list[Any] = field(default_factory=list)

    def start(self, *steps: dict[str, Any], **plain: Any) -> str:
        """Start a document; its steps name no task."""
        return self.runner.run(document({"steps": list(steps), **plain}))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once something holds that comes with an event."""
        async with asyncio.timeout(10):
            while self._take_in() or not holds():
                await self.mailbox.wait()

    async def sent(self, *names: str) -> None:
        """Return once the tasks of steps wait in the queue."""
        await self.until(lambda: set(names) <= {message.name[4:] for message in self.broker.queue})

    async def quiet(self) -> None:
        """Return once all has happened that can happen before a task ends."""
        for _ in range(3):
            for _ in range(50):
                await asyncio.sleep(0)
            await self.journal.flush()
        self._take_in()

    async def decide(self, run_id: str, name: str, what: Decision, result: Any = None) -> None:
        """Answer for an uncertain step, once it is asked for."""
        path = self.step(run_id, name).path
        await self.until(
            lambda: path in self.runner._active.executors[run_id].schedule.attempts.asking
        )
        await self.runner.decide(run_id, path, what, "ann", result)

    def end(self, name: str, result: Any = None) -> None:
        """Have the task of a step done."""
        self._end(name, Outcome("SUCCESS", result))

    def fail(self, name: str) -> None:
        """Have the task of a step fail."""
        self._end(name, Outcome("FAILURE", None, "ValueError", f"{name} failed"))

    def end_revoked(self, name: str) -> None:
        """Have the task of a step end as revoked."""
        self._end(name, Outcome("REVOKED"))

    def see(self, name: str, state: str) -> None:
        """Have a state of a step's task told."""
        at, task_id = SystemClock().now(), self._message(name).task_id
        self.manager.events.publish(StateSeen(at=at, task_id=task_id, state=state))

    async def ended(self, run_id: str) -> RunState:
        """The run once it has ended, as it was told."""
        async with asyncio.timeout(10):
            await asyncio.gather(self.runner.result(run_id), return_exceptions=True)
        self._take_in()
        return self.index.runs[run_id]

    async def error(self, run_id: str) -> BaseException | None:
        """What a run ended with."""
        async with asyncio.timeout(10):
            (ended,) = await asyncio.gather(self.runner.result(run_id), return_exceptions=True)
        return ended if isinstance(ended, BaseException) else None  # type: ignore[has-type]

    def step(self, run_id: str, name: str) -> StepState:
        """What has been told of a step."""
        self._take_in()
        return next(each for each in self.index.runs[run_id].steps.values() if each.id == name)

    def times(self, name: str) -> int:
        """How often the task of a step was published."""
        return sum(message.name == f"lab.{name}" for message in self.broker.published)

    def was_revoked(self, name: str) -> bool:
        """Whether the task of a step was revoked."""
        return any(
            each.task_id in self.broker.revoked
            for each in self.broker.published
            if each.name == f"lab.{name}"
        )

    def told_end(self, run_id: str) -> bool:
        """Whether it was told that a run has ended."""
        self._take_in()
        return any(isinstance(each, RunEnded) and each.run_id == run_id for each in self.events)

    def _take_in(self) -> bool:
        found = self.mailbox.drain()
        self.events += found
        self.index.apply_all(found)
        return False

    def _message(self, name: str) -> Message:
        return next(each for each in self.broker.queue if each.name == f"lab.{name}")

    def _end(self, name: str, outcome: Outcome) -> None:
        message = self._message(name)
        self.broker.queue.remove(message)
        self.broker.results[message.task_id] = outcome
        self.broker.publish(message.task_id)


@contextlib.asynccontextmanager
async def console(path: Path, broker: Broker, *, asks: bool = False) -> AsyncIterator[Console]:
    """A console; left, it goes as one that is closed."""
    environ = {"CELERY": "1", "BROKER_URL": "redis://fake", "RESULT_BACKEND": "redis://fake"}
    TaskManager.reset(Bootstrap(environ, {"lab": Friend(route="lab", queue="q")}))
    manager, clock = TaskManager(), SystemClock()
    engines = manager._engines
    engines._engines[engines._default] = _Engine(broker).engine
    engines._loop = asyncio.get_running_loop()
    journal = Journal(path, clock)
    journal.follow(manager.events)
    await journal.open()
    runner = Runner(manager, clock, journal=journal, asks=asks)
    with manager.events.subscribe() as mailbox:
        try:
            yield Console(runner, journal, manager, broker, mailbox)
        finally:
            await runner.stop()
            await journal.close()
            TaskManager.reset()


def step(name: str, **more: Any) -> dict[str, Any]:
    """A step whose task is called as it is, and takes nothing in."""
    return {"id": name, "task": f"lab.{name}", "pass": "none", **more}
