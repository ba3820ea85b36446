"""Comparing two runs from History: marked, found as parent, walked through, copied."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from textual.pilot import Pilot

from kimera_tui.process import events as e
from kimera_tui.runs.events import RunEnded, RunStarted
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.runs.compare_window import CompareRuns
from kimera_tui.ui.runs.history import HistoryScreen
from tests.ui.stage import NOON, SIZES, Stage, grid, settle

SECRET = "hunter2-canary"


def past_run(
    stage: Stage,
    run_id: str,
    results: list[Any],
    day: str = "mon",
    steps: int = 3,
    **fields: Any,
) -> None:
    """A run of the past whose steps end with a result each, or fail with an error."""
    tasks = [
        PlannedTask(
            f"{run_id}-{n}",
            "reports",
            f"step{n}",
            kwargs={"day": day, "pin": SECRET},
            secret=frozenset({"pin"}),
        )
        for n in range(steps)
    ]
    plan = Node("chain", "", [Node("task", str(n), task=task) for n, task in enumerate(tasks)])
    at = NOON + len(stage.events)
    stage.publish(RunStarted(at=at, run_id=run_id, name="daily [/bold]", plan=plan, **fields))
    for n, result in enumerate(results):
        about: dict[str, Any] = {"at": at + n, "task_id": tasks[n].task_id}
        where = {"task": "x", "friend": "reports", "queue": "q"}
        kwargs = tasks[n].kwargs
        stage.publish(
            e.Sending(**about, **where, args=(), kwargs=kwargs, secret=tasks[n].secret),  # type: ignore[arg-type]
            e.Dispatched(**about, **where),  # type: ignore[arg-type]
            e.StateSeen(**about, state="STARTED"),
        )
        about["at"] += 2 + n
        if isinstance(result, Exception):
            stage.publish(e.Failed(**about, error_type="ValueError", error_message=str(result)))
        else:
            stage.publish(e.Succeeded(**about, result=result))
    stage.publish(RunEnded(at=at + 9, run_id=run_id))


@contextlib.asynccontextmanager
async def history(
    stage: Stage, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[tuple[Pilot[Any], KimeraApp]]:
    """A console that shows History."""
    app = KimeraApp(stage)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        yield pilot, app


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys and wait for the comparison that they may ask for."""
    for key in keys:
        await pilot.press(key)
        asked = [worker for worker in pilot.app.workers if worker.group == "history-compare"]
        if asked:
            await pilot.app.workers.wait_for_complete(asked)
    await settle(pilot)


def toasts(app: KimeraApp) -> str:
    return " ".join(toast.message for toast in app._notifications)


def two_runs(stage: Stage) -> None:
    past_run(stage, "first-run", [{"rows": [1, 2]}, "same", {"total": 3}], inputs={"day": "mon"})
    results = [{"rows": [1, 5]}, "same", ValueError("no [/x]")]
    past_run(stage, "second-run", results, day="tue", inputs={"day": "tue"})


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_marked_run_is_compared_with_the_one_under_the_cursor(
    size: tuple[int, int],
) -> None:
    stage = Stage()
    two_runs(stage)
    async with history(stage, size) as (pilot, app):
        await press(pilot, "j", "m")
        assert "◆" in grid(app)
        await press(pilot, "k", "c")
        assert isinstance(app.screen, CompareRuns)
        shown = grid(app)
        for part in ("first-ru", "second-r", "✓ done", "✗ failed", "daily [/bold]"):
            assert part in shown
        assert "3 of 3 steps differ, first reports.step0." in shown
        assert "inputs.day" in shown
        assert 'kwargs.day  "mon" → "tue"' in shown
        assert "result.rows[1]  2 → 5 (+3)" in shown
        assert "esc close" in shown
        assert SECRET not in shown


async def test_the_differences_are_walked_through_round_the_ends() -> None:
    stage = Stage()
    for n, name in enumerate(("one", "two")):
        past_run(stage, name, [n, 0, n, *[0] * 27, n], steps=40)
    async with history(stage) as (pilot, app):
        await press(pilot, "j", "m", "k", "c")
        assert isinstance(app.screen, CompareRuns)
        table = app.screen.table
        assert "reports.step0" in str(app.screen.detail.border_title)
        walked = []
        for key in ("n", "n", "n", "N", "N", "N"):
            await press(pilot, key)
            walked.append(int(table.title.removeprefix("reports.step")))
        assert walked == [2, 30, 0, 30, 2, 0]
        await press(pilot, "escape")
        assert isinstance(app.screen, HistoryScreen)


async def test_a_step_that_differs_far_down_is_in_view_at_once() -> None:
    stage = Stage()
    for n, name in enumerate(("one", "two")):
        past_run(stage, name, [0] * 30 + [n], steps=40)
    async with history(stage) as (pilot, app):
        await press(pilot, "j", "m", "k", "c")
        assert isinstance(app.screen, CompareRuns)
        assert app.screen.table.title == "reports.step30"
        assert "≠  reports.step30" in grid(app)
        assert "result  0 → 1 (+1)" in grid(app)


async def test_a_replay_is_compared_with_what_it_replays() -> None:
    stage = Stage()
    past_run(stage, "parent", [1, ValueError("no"), 1])
    past_run(stage, "replay", [1, 2, 3], parent="parent")
    async with history(stage) as (pilot, app):
        await press(pilot, "c")
        assert isinstance(app.screen, CompareRuns)
        assert grid(app).index("parent") < grid(app).index("replay")


async def test_without_a_mark_the_next_step_is_explained() -> None:
    stage = Stage()
    two_runs(stage)
    async with history(stage) as (pilot, app):
        await press(pilot, "c")
        assert "Mark another run with m first." in toasts(app)
        app.clear_notifications()
        await press(pilot, "m", "c")
        assert "Mark another run with m first." in toasts(app)
        await press(pilot, "m")
        assert isinstance(app.screen, HistoryScreen)
        assert app.screen.table.marked == ""
        assert "◆" not in grid(app)


async def test_a_run_that_is_gone_is_named() -> None:
    stage = Stage()
    past_run(stage, "replay", [1], parent="long-gone")
    async with history(stage) as (pilot, app):
        await press(pilot, "c")
        assert "Run long-gon cannot be read: its start is not in the journal." in toasts(app)


async def test_the_comparison_is_copied_as_text_without_secrets() -> None:
    stage = Stage()
    two_runs(stage)
    async with history(stage) as (pilot, app):
        await press(pilot, "j", "m", "k", "c", "y")
        copied = app.clipboard
        assert copied.startswith("A  first-ru")
        assert "≠ reports.step0" in copied
        assert 'inputs.day: "mon" → "tue"' in copied
        assert SECRET not in copied


async def test_runs_that_are_alike_say_so() -> None:
    stage = Stage()
    past_run(stage, "alike", [1, 2, 3])
    past_run(stage, "again", [1, 2, 3])
    async with history(stage) as (pilot, app):
        await press(pilot, "j", "m", "k", "c")
        assert "Nothing differs except timings." in grid(app)
        await press(pilot, "n")
        assert "Nothing differs except timings." in toasts(app)
        await press(pilot, "tab", "G", "escape")
        assert isinstance(app.screen, HistoryScreen)
