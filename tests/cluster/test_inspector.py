"""What workers answer is looked at worker by worker: one that answers oddly hides no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from kimera_tui.cluster.inspector import FULL_LOOK_EVERY, Inspector

GOOD = {
    "active_queues": [{"name": "celery"}, {"name": "slow"}],
    "registered": ["add [rate_limit=0]", "fail"],
    "active": [{"id": "a"}, {"id": "b"}],
}
ODD: list[Any] = [{"error": "KeyError()"}, None, "text", 7, [None], ["x", 1], [[]], [{}]]


@dataclass
class FakeApp:
    """A Celery app whose workers answer as they are told."""

    answers: Mapping[str, Mapping[str, Any] | None]
    limits: list[int | None] = field(default_factory=list)
    limit: int | None = None

    @property
    def control(self) -> FakeApp:
        return self

    def inspect(self, timeout: float, limit: int | None) -> FakeApp:
        self.limits.append(limit)
        return self

    def __getattr__(self, question: str) -> Any:
        return lambda: self.answers[question]


@asynccontextmanager
async def inspecting(
    **answers: Mapping[str, Any] | None,
) -> AsyncIterator[tuple[Inspector, FakeApp]]:
    app = FakeApp(
        {question: answers.get(question, {"w1": good}) for question, good in GOOD.items()}
    )
    inspector = Inspector(app)
    yield inspector, app
    inspector.close()


async def test_a_look_tells_who_consumes_and_knows_what() -> None:
    async with inspecting() as (inspector, _):
        view = await inspector.look()
    assert view.queues == {"w1": {"celery", "slow"}}
    assert view.tasks == {"w1": {"add", "fail"}}
    assert view.problem == ""


@pytest.mark.parametrize("odd", ODD, ids=str)
async def test_a_worker_that_answers_oddly_hides_no_other(odd: Any) -> None:
    answers = {question: {"odd": odd, "w1": good} for question, good in GOOD.items()}
    async with inspecting(**answers) as (inspector, _):
        view = await inspector.look()
        assert await inspector.active({"a"}) == {"a": "w1"}
    assert view.problem == ""
    assert view.queues["w1"] == {"celery", "slow"}
    assert view.tasks["w1"] == {"add", "fail"}
    assert view.consumers("celery") == ["w1"]


async def test_an_odd_answer_is_expected_again_lest_it_be_the_only_one_waited_for() -> None:
    answers = {"odd": {"error": "KeyError()"}, "w1": GOOD["active_queues"]}
    async with inspecting(active_queues=answers) as (inspector, app):
        await inspector.look()
        await inspector.look()
    assert app.limits == [None, 2]


async def test_where_nobody_answers_nothing_runs() -> None:
    async with inspecting(active_queues=None, active=None) as (inspector, _):
        assert (await inspector.look()).workers == []
        assert await inspector.active({"a"}) == {}


@dataclass
class Joining(FakeApp):
    """As many workers answer as are there, or as were asked to."""

    workers: int = 1

    def __getattr__(self, question: str) -> Any:
        count = self.limit or self.workers
        return lambda: {f"w{n}": GOOD[question] for n in range(1, self.workers + 1)[:count]}

    def inspect(self, timeout: float, limit: int | None) -> FakeApp:
        self.limit = limit
        return super().inspect(timeout, limit)


async def test_a_worker_that_joins_later_is_seen_at_the_next_full_look() -> None:
    app = Joining({})
    inspector = Inspector(app)
    assert (await inspector.look()).workers == ["w1"]
    app.workers = 2
    for _ in range(FULL_LOOK_EVERY):
        view = await inspector.look()
    assert view.workers == ["w1", "w2"]
    assert len(app.limits) == 1 + FULL_LOOK_EVERY
    assert app.limits[1:-1] == [1] * (FULL_LOOK_EVERY - 1)  # quick in between
    inspector.close()
