"""What a search makes of answers, however late they are looked at."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.cluster.facts import Fact, TaskHeld, TasksNotHeld, WorkerAnswered
from kimera_tui.cluster.flight_search import FlightSearch
from kimera_tui.cluster.in_flight import Flight
from kimera_tui.cluster.sightings import Where
from kimera_tui.cluster.world import World
from kimera_tui.process.engine import Queued


@dataclass
class Broker:
    """A broker with a worker that answers; its clock is the search's, too."""

    late: float = 0.0
    """Seconds from the answer until the search goes on, as in a program that was stopped."""
    held: Collection[str] = ("t",)
    """The tasks that the worker has."""
    read: list[Collection[str]] = field(default_factory=list)
    """The tasks that were looked for in the queue, each time that it was read."""
    world: World = field(default_factory=World)
    facts: list[Fact] = field(default_factory=list)
    at: float = 100.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def take(self, facts: Sequence[Fact]) -> None:
        self.facts += facts
        self.world.take(facts)

    async def ask(
        self, question: str, workers: Collection[str] | None, task_ids: Sequence[str]
    ) -> set[str]:
        held = [
            TaskHeld(at=self.at, task_id=each, worker="w", phase="running")
            for each in task_ids
            if each in self.held
        ]
        self.take([WorkerAnswered(at=self.at, worker="w"), *held])
        self.at += self.late
        return {"w"}


async def no_depths(queues: Collection[str]) -> Mapping[str, int]:
    return dict.fromkeys(queues, 0)


async def test_an_answer_counts_although_it_is_looked_at_late() -> None:
    broker = Broker(late=5.0)
    questions: Any = broker
    search = FlightSearch(broker.world, broker, questions, None, no_depths, broker.take)
    flight = Flight("t", "lab", "q", "lab.add", 90, 92, believed=(Where.HELD, "w", "running"))
    for _ in range(3):
        await search.search([flight])
    assert not [fact for fact in broker.facts if isinstance(fact, TasksNotHeld)]
    assert broker.world.sighting("t", broker.at).where is Where.HELD


def in_flight(task_id: str, where: Where, worker: str = "") -> Flight:
    return Flight(task_id, "lab", "q", "lab.add", 90, 92, believed=(where, worker, ""))


@dataclass
class Reader:
    """Reads the broker's only queue."""

    broker: Broker
    server: str = "1"

    async def queued(self, queue: str, task_ids: Collection[str]) -> Queued:
        self.broker.read.append(sorted(task_ids))
        return Queued({each: 0 for each in task_ids if each == "waits"})

    async def held(self, task_ids: Collection[str]) -> Mapping[str, float]:
        return {}


async def test_a_queue_is_not_read_for_a_task_that_its_worker_has() -> None:
    broker = Broker()
    asking: Any = broker
    reader: Any = Reader(broker)
    search = FlightSearch(broker.world, broker, asking, reader, no_depths, broker.take)
    running = in_flight("t", Where.HELD, "w")
    await search.search([running])
    assert broker.read == []
    await search.search([running, in_flight("waits", Where.QUEUED)])
    assert broker.read == [["waits"]]
    broker.held, broker.read = (), []
    broker.at += 1
    await search.search([running])  # it may be back in its queue
    assert broker.read == [["t"]]
