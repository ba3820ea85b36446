"""The search for tasks that have not ended, on a locator that is told what to find."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.engine import Holders, Queued
from kimera_tui.process.task_search import Held, InQueue, Whereabouts, WithWorker, search

T = TypeVar("T")
ALL = Holders({}, answered=1, expected=1)


@dataclass
class FakeLocator:
    """A broker and its workers as they are at each look; the last look goes on."""

    queues: Sequence[Queued] = (Queued({}),)
    holds: Sequence[Mapping[str, float]] = ({},)
    answers: Sequence[Holders] = (ALL,)
    results: Sequence[frozenset[str]] = (frozenset(),)
    asked: list[tuple[str, list[str]]] = field(default_factory=list)

    def _now(self, what: str, looks: Sequence[T], ids: Collection[str]) -> T:
        earlier = sum(asked == what for asked, _ in self.asked)
        self.asked.append((what, list(ids)))
        return looks[min(earlier, len(looks) - 1)]

    async def queued(self, queue: str, task_ids: Collection[str]) -> Queued:
        return self._now("queue", self.queues, task_ids)

    async def held(self, task_ids: Collection[str]) -> Mapping[str, float]:
        return self._now("held", self.holds, task_ids)

    async def workers(self, task_ids: Collection[str]) -> Holders:
        return self._now("workers", self.answers, task_ids)

    async def ended(self, task_ids: Sequence[str]) -> frozenset[str]:
        return self._now("results", self.results, task_ids) & set(task_ids)

    async def search(self, *task_ids: str) -> Whereabouts:
        return await search(self, self.ended, ["q"], task_ids, look_again=0.0)


async def test_what_is_queued_is_not_looked_for_among_workers() -> None:
    locator = FakeLocator([Queued({"a": 3})])
    assert await locator.search("a") == Whereabouts({"a": InQueue("q", 3)})
    assert locator.asked == [("queue", ["a"])]


async def test_a_worker_that_answers_counts_before_what_the_broker_holds() -> None:
    locator = FakeLocator(
        [Queued({"a": 0})], [{"b": 9.0, "c": 8.0}], [Holders({"b": ("w", True)}, 1, 1)]
    )
    found = await locator.search("a", "b", "c")
    assert found.places == {
        "a": InQueue("q", 0), "b": WithWorker("w", True), "c": Held(8.0, gone=True),
    }  # fmt: skip
    assert [ids for _, ids in locator.asked] == [["a", "b", "c"], ["b", "c"], ["b", "c"]]


@pytest.mark.parametrize("answers", [Holders({}, 0, 1), Holders({}, 1, 2), Holders({}, 0, 0)])
async def test_a_silent_worker_may_still_have_what_is_held(answers: Holders) -> None:
    found = await FakeLocator(holds=[{"a": 9.0}], answers=[answers]).search("a")
    assert found.places == {"a": Held(9.0, gone=False)}


async def test_nowhere_is_only_what_two_looks_did_not_find() -> None:
    locator = FakeLocator()
    assert await locator.search("a", "b") == Whereabouts()
    assert [what for what, _ in locator.asked] == ["queue", "held", "workers", "results"] * 2


async def test_the_second_look_is_for_what_the_first_did_not_find() -> None:
    locator = FakeLocator(
        [Queued({"a": 0}), Queued({})],
        answers=[ALL, Holders({"b": ("w", False)}, 1, 1)],
        results=[frozenset("c")],
    )
    found = await locator.search("a", "b", "c", "d")
    assert found.places == {"a": InQueue("q", 0), "b": WithWorker("w", False)}
    assert found.ended == {"c"}
    assert ("queue", ["b", "d"]) in locator.asked


@pytest.mark.parametrize(
    ("locator", "doubt"),
    [
        (FakeLocator([Queued({}, complete=False)]), "queue q is too long to search"),
        (FakeLocator(answers=[Holders({}, 1, 3)]), "2 of 3 workers did not answer"),
        (FakeLocator(answers=[Holders({}, 0, 2)]), "no worker answered"),
        (FakeLocator(answers=[Holders({}, 0, 0)]), "no worker answered"),
        (FakeLocator(answers=[ALL, Holders({}, 1, 2)]), "1 of 2 workers did not answer"),
    ],
)
async def test_a_look_that_can_miss_it_proves_nothing(locator: FakeLocator, doubt: str) -> None:
    assert (await locator.search("a")).doubt == doubt


async def test_a_broker_that_goes_away_leaves_a_doubt_and_what_was_found() -> None:
    class Leaves(FakeLocator):
        async def workers(self, task_ids: Collection[str]) -> Holders:
            if self.asked.count(("workers", ["b"])):
                raise BrokerUnavailable("The broker is not there.")
            return await FakeLocator.workers(self, task_ids)

    locator = Leaves([Queued({"a": 0}), Queued({})])
    found = await locator.search("a", "b")
    assert found == Whereabouts({"a": InQueue("q", 0)}, doubt="The broker is not there")


class TwoQueues(FakeLocator):
    """A broker on which some tasks still wait in the queue that their friend had before."""

    async def queued(self, queue: str, task_ids: Collection[str]) -> Queued:
        self.asked.append((queue, list(task_ids)))
        return Queued({"a": 1}) if queue == "old" else Queued({"b": 2}, complete=False)


async def test_every_queue_is_looked_in_for_what_was_not_found_yet() -> None:
    locator = TwoQueues()
    found = await search(locator, locator.ended, ["old", "new"], ["a", "b"], look_again=0.0)
    assert found == Whereabouts({"a": InQueue("old", 1), "b": InQueue("new", 2)})
    assert locator.asked == [("old", ["a", "b"]), ("new", ["b"])]


async def test_of_several_queues_the_one_that_hides_something_is_named() -> None:
    locator = TwoQueues()
    found = await search(locator, locator.ended, ["new", "old"], ["c"], look_again=0.0)
    assert found.doubt == "queue new is too long to search"
