"""A console without screen and journal that observes real workers, and its steps."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.cluster.monitor import Monitor
from kimera_tui.cluster.view import ClusterView
from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.documents.calls import Task, Workflow
from kimera_tui.documents.parse import read_formed
from kimera_tui.execution.runner import Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.step import StepState

SECONDS = 40.0


@dataclass
class Watching:
    """What a console knows of the tasks that it sends."""

    manager: TaskManager
    runner: Runner
    monitor: Monitor
    index: RunIndex = field(default_factory=RunIndex)
    seen: list[Any] = field(default_factory=list)
    """All events, oldest first."""

    def send(self, task: str, *args: Any, friend: str = "lab", **options: Any) -> str:
        """Send a task as a run of its own; returns the run's id."""
        params = TaskParams(task_name=task, friend=friend, args=list(args), **options)
        return self.runner.start(Workflow(task, Task(params)))

    def run(self, step: str) -> str:
        """Start a workflow of one step, written in YAML; returns the run's id."""
        document = read_formed(f"kimera: 1\nname: n\nsteps: [{{id: one, {step}}}]", "n")
        return self.runner.run(document)

    @property
    def view(self) -> ClusterView:
        """What is known of the workers of the default broker."""
        return self.monitor.view or ClusterView(at=0.0)

    def step(self, run_id: str) -> StepState:
        """The only step of a run."""
        return next(iter(self.index.runs[run_id].steps.values()))

    async def until(
        self, run_id: str, holds: Callable[[StepState], bool], seconds: float = SECONDS
    ) -> tuple[StepState, float]:
        """Wait until something holds for a run's step; returns it and the seconds that it took."""
        began = time.monotonic()
        while True:
            if run_id in self.index.runs and holds(step := self.step(run_id)):
                return step, time.monotonic() - began
            if time.monotonic() - began > seconds:
                history = [f"{type(event).__name__} {event}" for event in self.seen[-30:]]
                raise AssertionError("\n".join([f"{self.step(run_id)}", *history]))
            await asyncio.sleep(0.05)

    async def fold(self) -> None:
        """Fold what happens, for ever."""
        with self.manager.events.subscribe(1_000_000) as mailbox:
            while True:
                await mailbox.wait()
                for event in mailbox.drain():
                    self.seen.append(event)
                    self.index.take(event)


@asynccontextmanager
async def watching(
    broker: str, backend: str | None = None, friends: Mapping[str, Friend] | None = None
) -> AsyncIterator[Watching]:
    """A console on a broker, with a friend ``lab`` on queue ``celery``."""
    known = friends or {"lab": Friend(route="lab.tasks", queue="celery")}
    environ = {"CELERY": "1", "BROKER_URL": broker, "RESULT_BACKEND": backend or broker}
    TaskManager.reset(Bootstrap(environ, known))
    manager, clock = TaskManager(), SystemClock()
    await asyncio.to_thread(lambda: manager.celery_app)
    it = Watching(manager, Runner(manager, clock), Monitor(manager, clock, embedded=False))
    tasks = [asyncio.create_task(work) for work in (it.fold(), it.monitor.run("lab"))]
    await asyncio.sleep(0)  # both listen from now on
    try:
        yield it
    finally:
        await it.runner.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(manager.aclose(), 10)
        TaskManager.reset()
