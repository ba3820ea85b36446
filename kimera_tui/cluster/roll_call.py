"""Keeps what is known of the workers fresh: who is there, what they consume, who went silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from kimera_tui.cluster.connections import Connections
from kimera_tui.cluster.facts import BrokerBack, Fact, WorkerGone, WorkerSilent
from kimera_tui.cluster.questions import ANSWER_SECONDS, Questions
from kimera_tui.cluster.worker import Worker, WorkerState
from kimera_tui.cluster.world import World
from kimera_tui.process.loop.clock import Clock

DETAILS_SECONDS = 30.0
"""Seconds after which a worker is asked again what it consumes, knows and can run at a time."""
ASK_AGAIN_SECONDS = 5.0
"""Seconds between two questions to a worker that has not answered."""
LOST_AGAIN_SECONDS = 30.0
"""The same for a worker that is lost."""
EVERYBODY_SECONDS = 10.0
"""Seconds between two questions to all workers, for those that send no heartbeats."""
START_SECONDS = 0.3
"""The same until the first worker has answered, and how long they may take then."""


class RollCall:
    """Asks workers by name, each when it is due; a silent worker delays nobody else's question.

    Args:
        world: What is known.
        clock: Tells the time.
        asking: Asks workers that answer.
        calling: Asks everybody, and workers that may not answer; on another thread.
        connections: Tells which workers have no connection any more.
        on_facts: Called with what is learned beside the answers.
    """

    def __init__(
        self,
        world: World,
        clock: Clock,
        asking: Questions,
        calling: Questions,
        connections: Connections,
        on_facts: Callable[[Sequence[Fact]], None],
    ) -> None:
        self._world = world
        self._clock = clock
        self._asking = asking
        self._calling = calling
        self._connections = connections
        self._on_facts = on_facts
        self._asked_at: dict[str, float] = {}
        """When each worker was last asked for its details."""
        self._called_at: dict[str, float] = {}
        """When each worker that is not heard was last called by name."""
        self.everybody_at = 0.0
        """When all workers were last asked and had time to answer; 0 for never."""
        self._everybody_due = 0.0
        self._busy: dict[str, asyncio.Task[None]] = {}
        self.problem = ""
        """Why the workers can't be asked; empty if they can."""

    def turn(self, now: float) -> None:
        """Ask what is due, in the background."""
        if details := self._without_details(now):
            self._start("details", self._ask_details(details, now))
        if silent := self._not_heard(now):
            self._start("names", self._call(silent, now))
        if now >= self._everybody_due:
            self._start("everybody", self._call_everybody(now))

    async def everybody(self) -> None:
        """Ask all workers that listen now, and return when they had time to answer."""
        while (running := self._busy.get("everybody")) is not None:
            await asyncio.wait({running})  # it may have begun before the worker came
        self._start("everybody", self._call_everybody(self._clock.now(), ANSWER_SECONDS))
        await asyncio.wait({self._busy["everybody"]})

    @property
    def has_asked(self) -> bool:
        """Whether all workers had time to answer at least once."""
        return self.everybody_at > 0

    def close(self) -> None:
        """Stop asking."""
        for task in self._busy.values():
            task.cancel()

    def _without_details(self, now: float) -> list[str]:
        return [
            name
            for name in self._world.named(now, WorkerState.ONLINE)
            if self._lacks_details(self._world.workers[name], now)
            and now - self._asked_at.get(name, 0.0) >= ASK_AGAIN_SECONDS
        ]

    def _lacks_details(self, worker: Worker, now: float) -> bool:
        known_at = min(worker.queues_at, worker.registered_at, worker.pool_at)
        came_at = max(worker.restarted_at, worker.online_at)
        return known_at < came_at or now - known_at >= DETAILS_SECONDS

    def _not_heard(self, now: float) -> list[str]:
        """The workers that have not been heard for three intervals, and are to be called now."""
        names = []
        for name, worker in self._world.workers.items():
            state = worker.state(now)
            again = LOST_AGAIN_SECONDS if state is WorkerState.LOST else ASK_AGAIN_SECONDS
            if (
                state is not WorkerState.STOPPED
                and now - worker.last_word >= worker.silence
                and now - self._called_at.get(name, 0.0) >= again
            ):
                names.append(name)
        return names

    async def _ask_details(self, names: Collection[str], now: float) -> None:
        self._asked_at |= dict.fromkeys(names, now)
        for question in ("active_queues", "registered", "stats"):
            await self._asking.ask(question, names)

    async def _call(self, names: Collection[str], now: float) -> None:
        self._called_at |= dict.fromkeys(names, now)
        silent = set(names) - await self._calling.ask("ping", names)
        at = self._clock.now()
        self._on_facts([WorkerSilent(at=at, worker=name, asked_at=now) for name in silent])
        if gone := await self._connections.gone(silent):
            self._on_facts([WorkerGone(at=self._clock.now(), worker=name) for name in gone])

    async def _call_everybody(self, now: float, seconds: float = START_SECONDS) -> None:
        seconds = ANSWER_SECONDS if self._world.workers else seconds
        self._everybody_due = now + EVERYBODY_SECONDS
        await self._calling.ask("active_queues", None, seconds=seconds)
        self.everybody_at = now
        if not self._world.workers:
            self._everybody_due = now + START_SECONDS

    def _start(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Start some work, unless the same is still under way."""
        if what in self._busy:
            work.close()
            return
        self._busy[what] = asyncio.get_running_loop().create_task(self._do(what, work))

    async def _do(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        from kimera_tui.process.failures import broker_failure

        try:
            await work
            if self.problem:
                self._on_facts([BrokerBack(at=self._clock.now())])
            self.problem = ""
        except Exception as error:  # noqa: BLE001 - told as the problem
            failure = broker_failure(error)
            self.problem = str(failure or f"The workers cannot be asked: {error}")
        finally:
            del self._busy[what]
