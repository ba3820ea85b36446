"""What workers answer is read worker by worker: one that answers oddly hides no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from kimera_tui.cluster.facts import Fact, TaskHeld, WorkerAnswered
from kimera_tui.cluster.questions import Question, Questions
from kimera_tui.process.loop.clock import SystemClock

GOOD: Mapping[Question, Any] = {
    "active_queues": [{"name": "celery"}, {"name": "slow"}],
    "registered": ["add [rate_limit=0]", "a task with spaces [rate_limit=4/m]", "fail"],
    "stats": {
        "pid": 7,
        "uptime": 60,
        "pool": {
            "implementation": "celery.concurrency.prefork:TaskPool",
            "max-concurrency": 2,
            "processes": [8, 9],
        },
    },
    "query_task": {"a": ["active", {"acknowledged": True}], "b": ["scheduled", {}]},
    "ping": {"ok": "pong"},
    "scheduled": [
        {"eta": None, "priority": 6, "request": {"id": "a"}},
        {"request": {"id": "foreign"}},
    ],
}
ODD: list[Any] = [None, "text", 7, [None], ["x", 1], [[]], [{}], {"a": 3}, {"pool": 3}]


@dataclass
class FakeApp:
    """A Celery app whose workers answer as they are told."""

    replies: Sequence[Any]
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def control(self) -> FakeApp:
        return self

    @property
    def conf(self) -> FakeApp:
        return self

    broker_write_url = "memory://"

    def connection_for_write(self, **options: Any) -> FakeApp:
        return self

    def release(self) -> None:
        """Nothing to let go."""

    def broadcast(self, question: str, *, callback: Callable[[Any], None], **rest: Any) -> None:
        self.asked.append({"question": question, **rest})
        for reply in self.replies:
            callback(reply)


async def asked(
    question: Question, *replies: Any, workers: Sequence[str] | None = None
) -> tuple[set[str], list[Fact], FakeApp]:
    app, facts = FakeApp(replies), list[Fact]()
    questions = Questions(app, SystemClock(), facts.extend)
    answered = await questions.ask(question, workers, ["a", "b"])
    await asyncio.sleep(0)
    questions.close()
    return answered, facts, app


@pytest.mark.parametrize("question", GOOD)
async def test_each_answer_is_a_fact(question: Question) -> None:
    answered, facts, _ = await asked(question, {"w1": GOOD[question]})
    assert answered == {"w1"}
    fact = facts[0]
    assert isinstance(fact, WorkerAnswered)
    assert fact.worker == "w1"
    match question:
        case "active_queues":
            assert fact.queues == frozenset({"celery", "slow"})
        case "registered":
            assert fact.registered == frozenset({"add", "a task with spaces", "fail"})
            assert fact.limited == frozenset({"a task with spaces"})
        case "stats":
            assert (fact.pool, fact.slots, fact.processes, fact.pid) == ("prefork", 2, 2, 7)
            assert fact.began is not None
            assert fact.began <= fact.at - 61
        case "query_task":
            held = [each for each in facts if isinstance(each, TaskHeld)]
            assert [(each.task_id, each.phase) for each in held] == [
                ("a", "running"),
                ("b", "scheduled"),
            ]
            assert [each.acknowledged for each in held] == [True, False]
        case "scheduled":
            found = [each for each in facts if isinstance(each, TaskHeld)]
            assert [(each.task_id, each.phase) for each in found] == [("a", "scheduled")]


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("question", GOOD)
async def test_a_worker_that_answers_oddly_is_there_and_hides_no_other(
    question: Question, odd: Any
) -> None:
    answered, facts, _ = await asked(question, {"odd": odd}, {"w1": GOOD[question]})
    assert answered == {"odd", "w1"}
    _, alone, _ = await asked(question, {"w1": GOOD[question]})
    assert len([each for each in facts if getattr(each, "worker", "") == "w1"]) == len(alone)


async def test_an_error_is_no_answer() -> None:
    answered, facts, _ = await asked("ping", {"w1": {"error": "KeyError()"}}, "text", None)
    assert (answered, facts) == (set(), [])


async def test_workers_asked_by_name_are_waited_for_and_no_others() -> None:
    _, _, app = await asked("ping", workers=["w2", "w1"])
    assert app.asked[0]["destination"] == ["w1", "w2"]
    assert app.asked[0]["limit"] == 2
    _, _, app = await asked("query_task")
    assert (app.asked[0]["destination"], app.asked[0]["limit"]) == (None, None)
    assert app.asked[0]["arguments"] == {"ids": ["a", "b"]}
