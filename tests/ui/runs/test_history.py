"""History: the same picture from the journal as live, and replays of what is there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from kimera_tui.documents.document import Document
from kimera_tui.errors import JournalError
from kimera_tui.execution.replay.plan import ReplayPlan, ReplayRequest
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.runs.events import RunStarted
from kimera_tui.runs.index import RunIndex
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.runs import history
from kimera_tui.ui.runs.event_pane import EventLine, event_line
from kimera_tui.ui.runs.history import HistoryScreen
from kimera_tui.ui.runs.live import LiveScreen
from tests.pictures.scenes import Scene, live_failed, live_unknown
from tests.ui.compose.composing import Composing
from tests.ui.stage import Stage, StageJournal, grid, settle

ADD = {"id": "add", "task": "calculator.add"}


def pane(app: KimeraApp, name: str) -> list[str]:
    """The texts of one pane of the screen, whatever its size."""
    region = app.screen.query_one(name).region
    rows = grid(app).split("\n")[region.y + 1 : region.bottom - 1]
    lines = [row.ljust(region.right)[region.x : region.right].strip("│ ") for row in rows]
    return [line for line in lines if line]


@pytest.mark.parametrize("scene", [live_failed, live_unknown])
async def test_a_run_looks_the_same_live_and_from_the_journal(scene: Scene) -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(300, 60)) as pilot:
        await settle(pilot)
        await scene(pilot, stage)
        await pilot.press("3", "r")
        await settle(pilot)
        live = [pane(app, name) for name in ("#step-tree", "#output")]
        await pilot.press("4")
        await settle(pilot)
        assert isinstance(app.screen, HistoryScreen)
        assert [pane(app, name) for name in ("#step-tree", "#output")] == live
        word = "✗ failed" if scene is live_failed else "◌ unknown result"
        assert any(word in line for line in grid(app).split("\n"))


async def test_typing_searches_and_escape_goes_back() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await live_failed(pilot, stage)
        await pilot.press("4")
        await settle(pilot)
        await pilot.press("slash", *"nothing of that name")
        await settle(pilot)
        await settle(pilot)
        assert isinstance(app.screen, HistoryScreen)
        assert app.screen.table.line_count() == 0
        await pilot.press("escape", "escape")
        await settle(pilot)
        await settle(pilot)
        assert app.screen.table.line_count() == 1


async def test_a_failed_run_is_replayed_from_what_failed() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await live_failed(pilot, stage)
        await pilot.press("4")
        await settle(pilot)
        await pilot.press("p")
        await settle(pilot)
        assert "Will run 1, reuse 1: fail." in grid(app)
        await pilot.press("enter")
        await settle(pilot)
        assert stage.acts == [(next(iter(app.state.run_index.runs)), ReplayRequest("from_failed"))]
        assert isinstance(app.screen, LiveScreen)


class SlowJournal(StageJournal):
    """Returns a run only when a test says so, or fails."""

    def __init__(self) -> None:
        super().__init__()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.failure = ""

    async def events_of(self, run_id: str) -> list[Any]:
        await self.may_read.wait()
        if self.failure:
            raise JournalError(self.failure)
        return await super().events_of(run_id)


async def past(stage: Stage, *names: str) -> list[str]:
    """Runs of these names that ended; the last one is the newest. Returns their ids."""
    ids = []
    for name in names:
        run = Document.model_validate({"name": name, "steps": [ADD]})
        ids.append(stage.runner.run(run, RunInputs()))
        stage.succeeded(stage.plans[-1][0][1], f"of {name}")
        stage.ended(ids[-1])
    return ids


@asynccontextmanager
async def two_runs() -> AsyncIterator[tuple[Pilot[Any], Stage, SlowJournal, list[str]]]:
    """History with the cursor on the second of two runs, which is still being read."""
    journal = SlowJournal()
    stage = Stage(journal=journal)
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        ids = await past(stage, "older", "newer")
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, HistoryScreen)
        assert screen.shown_run is not None
        assert screen.shown_run.name == "newer"
        journal.may_read.clear()
        await pilot.press("j")
        assert screen.shown_run is None
        yield pilot, stage, journal, ids


async def test_the_run_that_is_replayed_is_the_one_under_the_cursor_not_the_one_read_last() -> None:
    async with two_runs() as (pilot, stage, journal, ids):
        await pilot.press("p")
        journal.may_read.set()
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert stage.acts == [(ids[0], ReplayRequest("again"))]


@pytest.mark.parametrize("key", ["s", "y", "w"])
async def test_what_a_key_takes_is_of_the_run_under_the_cursor(key: str) -> None:
    async with two_runs() as (pilot, stage, journal, ids):
        await pilot.press(key)
        journal.may_read.set()
        await Composing(pilot, stage).keys()
        if key == "s":
            assert stage.acts == [("save", f"run-{ids[0][:8]}-add.json", '"of older"')]
        elif key == "y":
            assert pilot.app.clipboard == '"of older"'
        else:
            assert pilot.app.state.composer.document.name == "older"  # type: ignore[attr-defined]


async def test_a_run_that_can_not_be_read_is_reported_at_the_list_and_no_key_takes_another() -> (
    None
):
    async with two_runs() as (pilot, stage, journal, _):
        journal.failure = "The journal can not be read: disk I/O error."
        journal.may_read.set()
        await settle(pilot)
        screen: Any = pilot.app.screen
        assert "disk I/O error" in str(screen.table.border_subtitle)
        assert screen.steps.line_count() == 0
        await pilot.press("p", "s", "y", "R")
        await settle(pilot)
        assert pilot.app.screen is screen
        assert stage.acts == []
        journal.failure = ""
        await pilot.press("k")
        await settle(pilot)
        assert str(screen.table.border_subtitle) == "2"  # type: ignore[attr-defined]
        assert screen.shown_run.name == "newer"  # type: ignore[attr-defined]


async def test_a_run_of_another_version_is_shown_and_said_not_to_be_replayed_here() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        await past(stage, "of tomorrow")
        (place,) = [n for n, event in enumerate(stage.events) if isinstance(event, RunStarted)]
        header = {"kimera": 2, "inputs": [{"name": "x", "type": "quaternion"}]}
        stage.events[place] = replace(stage.events[place], header=header)  # type: ignore[type-var]
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        await pilot.press("p")
        await settle(pilot)
        assert "another version of Kimera" in grid(pilot.app)


async def test_a_run_is_folded_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()

    def watched(event: object, index: RunIndex) -> EventLine | None:
        threads.add(threading.current_thread())
        return event_line(event, index)

    monkeypatch.setattr(history, "event_line", watched)
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        await past(stage, "big")
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        assert threads
        assert threading.main_thread() not in threads


async def test_a_way_to_replay_is_planned_once_however_often_it_is_pointed_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage, planned = Stage(), []
    plan = stage.runs.replay_plan

    async def counted(run_id: str, request: ReplayRequest) -> ReplayPlan:
        planned.append(request)
        return await plan(run_id, request)

    monkeypatch.setattr(stage.runs, "replay_plan", counted)
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await live_failed(pilot, stage)
        await pilot.press("4")
        await settle(pilot)
        await pilot.press("p")
        await settle(pilot)
        for key in ("down", "up", "down", "up"):
            await pilot.press(key)
            await settle(pilot)
        assert planned == [ReplayRequest("from_failed"), ReplayRequest("again")]
        assert "Will run 1, reuse 1: fail." in grid(pilot.app)


async def test_a_short_screen_shows_the_list_alone_until_a_run_is_opened() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await live_failed(pilot, stage)
        await pilot.press("4")
        await settle(pilot)
        screen: Any = app.screen
        assert screen.table.has_focus
        assert not screen.steps.is_on_screen
        assert screen.table.region.height >= 15
        await pilot.press("enter")
        await settle(pilot)
        assert screen.steps.has_focus
        assert screen.steps.is_on_screen
        assert not screen.table.is_on_screen
        await pilot.press("escape")
        await settle(pilot)
        assert screen.table.has_focus
        assert not screen.steps.is_on_screen
