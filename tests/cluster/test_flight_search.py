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


@dataclass
class Broker:
    """A broker without queues and a worker that answers; its clock is the search's, too."""

    late: float
    """Seconds from the answer until the search goes on, as in a program that was stopped."""
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
            TaskHeld(at=self.at, task_id=each, worker="w", phase="running") for each in task_ids
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
