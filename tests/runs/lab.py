"""What the journal's tests have in common: a clock to turn, a plan, a bus with a journal on it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from kimera_tui.process import events as e
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.runs.events import RunEnded, RunStarted
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.plan import Node, PlannedTask


class Clock:
    """Goes on by hand."""

    def __init__(self, at: float = 1_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


def task(path: str, task_id: str, name: str = "step", *args: Any, **kwargs: Any) -> Node:
    return Node("task", path, task=PlannedTask(task_id, "lab", name, args, kwargs))


def chain(run_id: str, count: int = 3) -> Node:
    return Node("chain", "", tuple(task(str(n), f"{run_id}-{n}") for n in range(count)))


def started(run_id: str = "r", at: float = 1_000_000.0, **fields: Any) -> RunStarted:
    plan = fields.pop("plan", None) or chain(run_id)
    return RunStarted(at=at, run_id=run_id, plan=plan, **{"name": f"run {run_id}", **fields})


def sending(task_id: str, *args: Any, at: float = 1_000_001.0, **kwargs: Any) -> e.Sending:
    return e.Sending(
        at=at, task_id=task_id, task="lab.step", friend="lab", queue="q", args=args, kwargs=kwargs
    )


def dispatched(task_id: str, at: float = 1_000_001.0) -> e.Dispatched:
    return e.Dispatched(at=at, task_id=task_id, task="lab.step", friend="lab", queue="q")


@contextlib.asynccontextmanager
async def opened(path: Path, clock: Clock) -> AsyncIterator[tuple[Journal, EventBus]]:
    """A journal that follows a bus."""
    journal, bus = Journal(path, clock), EventBus()
    journal.follow(bus)
    await journal.open()
    try:
        yield journal, bus
    finally:
        await journal.close()


async def whole_run(
    journal: Journal, bus: EventBus, run_id: str, at: float, *ends: Any, **fields: Any
) -> None:
    """A run whose steps end as told: a result each, or an event without its task's id."""
    begun = started(run_id, at, **fields)
    bus.publish(begun)
    await journal.begin(begun)
    for n, (path, planned) in enumerate(begun.plan.leaves()):
        if n >= len(ends):
            break
        task_id = planned.task_id
        await journal.intend(run_id, [(path, task_id, planned.args, planned.kwargs)])
        bus.publish(sending(task_id, *planned.args, at=at + n, **planned.kwargs))
        bus.publish(dispatched(task_id, at=at + n))
        end = ends[n]
        if isinstance(end, e.Failed | e.EndedUnknown):
            bus.publish(end)
        else:
            bus.publish(e.Succeeded(at=at + n + 0.5, task_id=task_id, result=end))
            await journal.keep_result(run_id, path, task_id, end)
    ended = RunEnded(at=at + len(ends), run_id=run_id)
    bus.publish(ended)
    await journal.end(ended)
