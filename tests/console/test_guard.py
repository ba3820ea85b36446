"""What may not be sent stays unsent, whichever way a run begins or goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kimera_tui.console.console import Console, build_console
from kimera_tui.console.guard import friends_left
from kimera_tui.errors import UsageError
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.process import events as e
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.runs.events import RunCancelled, RunStarted, StepSkipped
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.plan import Node, PlannedTask

FRIENDS = """
friends:
  open: {route: echo, queue: echo}
  glass: {route: echo, queue: echo, read_only: true}
"""
NOWHERE = "redis://127.0.0.1:1/0"


def task(path: str, friend: str, *handlers: Node) -> Node:
    planned = PlannedTask(f"{path}-{friend}", friend, "value", kwargs={"payload": 1})
    return Node("task", path, task=planned, handlers=handlers)


MENDED_BY_GLASS = Node("chain", "", (task("0", "open", task("0/e/0", "glass")), task("1", "open")))
TIDIED_BY_GLASS = Node("chain", "", (task("0", "open"),), finals=(task("f/0", "glass"),))
ON_GLASS = Node("chain", "", (task("0", "glass"),), finals=(task("f/0", "open"),))


@asynccontextmanager
async def left(
    folder: Path, monkeypatch: pytest.MonkeyPatch, plan: Node, url: str = NOWHERE
) -> AsyncIterator[Console]:
    """A console whose journal has an interrupted run."""
    monkeypatch.setenv("KIMERA_HOME", str(folder))
    (folder / "friends.yaml").write_text(FRIENDS)
    console = build_console(
        {
            "BROKER_URL": url,
            "RESULT_BACKEND": url,
            "KIMERA_FRIENDS": str(folder / "friends.yaml"),
        }
    )
    journal = Journal(folder / "state" / "runs.db", SystemClock())
    await journal.begin(
        RunStarted(
            at=SystemClock().now(),
            run_id="r",
            name="run r",
            plan=plan,
            profile=console.connection.profile,
        )
    )
    await journal.close()
    await console.connection.open_journal()
    try:
        async with asyncio.timeout(30):
            yield console
    finally:
        await console.close()


@pytest.mark.parametrize("plan", [MENDED_BY_GLASS, TIDIED_BY_GLASS, ON_GLASS])
@pytest.mark.parametrize(
    "act",
    [
        lambda console: console.runs.resume("r", RunInputs()),
        lambda console: console.runs.decide("r", "0", "again", None),
        lambda console: console.runs.detach_rest("r"),
        lambda console: console.runs.replay("r", ReplayRequest()),
    ],
    ids=["resume", "decide", "detach the rest", "replay"],
)
async def test_no_way_of_sending_leads_to_a_read_only_friend(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plan: Node,
    act: Callable[[Console], Awaitable[object]],
) -> None:
    async with left(tmp_path, monkeypatch, plan) as console:
        with pytest.raises(UsageError, match="Friend `glass` is read-only"):
            async with asyncio.timeout(5):
                await act(console)


async def test_a_run_that_was_left_is_not_gone_on_with_when_a_friend_of_it_is_read_only(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with left(tmp_path, monkeypatch, MENDED_BY_GLASS, broker_url) as console:
        await console.start()
        found = await console.runs.recover()
        assert found.adopted == []
        ((run_id, why),) = found.left
        assert (run_id, why.startswith("Friend `glass` is read-only")) == ("r", True)
        assert [run.run_id for run in await console.journal.open_runs()] == ["r"]


async def test_a_run_that_nobody_is_at_is_cancelled_though_nothing_was_brought_up_for_that(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after its console died just before it was asked; what it would send counts no more."""
    async with left(tmp_path, monkeypatch, ON_GLASS, broker_url) as console:
        cancelled = await console.runs.cancel("r")
        assert (cancelled.ended, cancelled.summary) == (True, "Cancelled: 1 never sent.")


async def test_a_run_whose_last_steps_may_not_be_sent_is_not_cancelled_here(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with left(tmp_path, monkeypatch, TIDIED_BY_GLASS, broker_url) as console:
        cancelled = await console.runs.cancel("r")
    assert not cancelled.ended
    assert "this one cannot take it over. Friend `glass` is read-only" in cancelled.summary


def left_of(plan: Node, *events: object) -> set[str]:
    index = RunIndex()
    index.apply_all([RunStarted(at=0, run_id="r", name="r", plan=plan), *events])
    return friends_left(index.runs["r"])


def test_what_is_done_or_left_out_is_not_sent_again_and_what_is_uncertain_may_be() -> None:
    plan = Node("chain", "", (task("0", "a", task("0/e/0", "b")), task("1", "c"), task("2", "d")))
    assert left_of(plan) == {"a", "b", "c", "d"}
    left_out = StepSkipped(at=2, run_id="r", path="0/e/0", because="", not_needed=True)
    done = [e.Succeeded(at=1, task_id="0-a", result=1), left_out]
    assert left_of(plan, *done) == {"c", "d"}
    uncertain = e.Refused(at=3, task_id="1-c", reason="who knows", uncertain=True)
    assert left_of(plan, *done, uncertain) == {"c", "d"}


def test_of_a_cancelled_run_only_the_last_steps_are_sent() -> None:
    plan = Node("chain", "", (task("0", "a"),), finals=(task("f/0", "z", task("f/0/e/0", "y")),))
    assert left_of(plan, RunCancelled(at=1, run_id="r")) == {"z", "y"}
