"""History: the same picture from the journal as live, and replays of what is there."""

from __future__ import annotations

from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.screens.history import HistoryScreen
from kimera_tui.ui.screens.live import LiveScreen
from kimera_tui.workflows.replay import Wish
from tests.pictures.scenes import live_failed
from tests.ui.stage import Stage, grid, settle


def pane(app: KimeraApp, name: str) -> list[str]:
    """The lines of one pane of the screen."""
    region = app.screen.query_one(name).region
    rows = grid(app).split("\n")[region.y + 1 : region.bottom - 1]
    return [row.ljust(region.right)[region.x : region.right] for row in rows]


async def test_a_run_looks_the_same_live_and_from_the_journal() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await live_failed(pilot, stage)
        await pilot.press("3", "r")
        await settle(pilot)
        live = [pane(app, name) for name in ("#step-tree", "#output")]
        await pilot.press("4")
        await settle(pilot)
        assert isinstance(app.screen, HistoryScreen)
        assert [pane(app, name) for name in ("#step-tree", "#output")] == live


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
        assert stage.acts == [(next(iter(app.book.runs)), Wish("from_failed"))]
        assert isinstance(app.screen, LiveScreen)
