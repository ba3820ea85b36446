"""What tests hear from the engine, and how long they wait for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from kimera_tui.process import TaskManager
from kimera_tui.process.events import TaskEvent

E = TypeVar("E")
SECONDS = 30.0
"""The longest that any test waits for anything."""


class Listener:
    """Keeps every event from now on."""

    def __init__(self) -> None:
        self._mailbox = TaskManager.events.subscribe()
        self._heard: list[Any] = []

    @property
    def events(self) -> list[Any]:
        self._heard += self._mailbox.drain()
        return self._heard

    def of(self, kind: type[E], task_id: str | None = None) -> list[E]:
        return [
            event
            for event in self.events
            if isinstance(event, kind) and task_id in (None, getattr(event, "task_id", None))
        ]

    def names(self, task_id: str | None = None) -> list[str]:
        """The kinds of events, in order; of one task if its id is given."""
        return [
            type(event).__name__
            for event in self.events
            if isinstance(event, TaskEvent) and task_id in (None, event.task_id)
        ]

    async def hear(self, kind: type[E], task_id: str | None = None) -> E:
        """Wait for the first event of a kind."""
        async with asyncio.timeout(SECONDS):
            while not (found := self.of(kind, task_id)):
                await self._mailbox.wait()
        return found[0]

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._mailbox.close()


@dataclass
class Lag:
    """How the loop came round; a busy machine holds every loop up for a moment now and then."""

    worst: float = 0.0
    lasted: float = 0.0

    @property
    def held_up(self) -> bool:
        """Whether the loop did not come round for half of the time, and for a second at least."""
        return self.worst > max(1.0, self.lasted / 2)


@asynccontextmanager
async def measured_lag() -> AsyncIterator[Lag]:
    lag, began = Lag(), time.monotonic()

    async def tick() -> None:
        while True:
            slept_at = time.monotonic()
            await asyncio.sleep(0.01)
            lag.worst = max(lag.worst, time.monotonic() - slept_at - 0.01)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        yield lag
    finally:
        lag.lasted = time.monotonic() - began
        await asyncio.sleep(0.02)  # the tick that was held up until now counts too
        ticking.cancel()


class Held:
    """A call that comes back when the loop lets it go; on the loop itself it never would."""

    def __init__(self, answer: Any = None) -> None:
        self.let_go_by_the_loop = False
        self._answer = answer
        self._entered = threading.Event()
        self._let_go = threading.Event()

    def __call__(self, *_: Any) -> Any:
        self._entered.set()
        self.let_go_by_the_loop = self._let_go.wait(SECONDS)
        return self._answer

    async def let_go(self) -> None:
        """Wait until the call is made, and let it go."""
        await until(self._entered.is_set)
        self._let_go.set()


async def until(condition: Callable[[], object]) -> None:
    """Wait for something outside the engine, which tells no event."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)


def in_order(names: list[str], *wanted: str) -> bool:
    """Whether the wanted names come one after the other, whatever is between them."""
    rest = iter(names)
    return all(name in rest for name in wanted)
