"""What a file that was merely found may read is asked for on the screen, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from kimera_tui.config.friends import Friend
from kimera_tui.config.trust import Trust
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.compose.preflight_window import Preflight
from kimera_tui.ui.runs.live import LiveScreen
from kimera_tui.ui.windows.confirm import Confirm
from tests.ui.compose.composing import call, composer, open_saved, written
from tests.ui.stage import FRIENDS, Stage, grid, settle

TEXT = """\
kimera: 1
name: nightly
env: [REGION]
steps:
  - {id: one, task: echo.value, args: ["${{ env.REGION }}"]}
"""
READS = "Reads the environment variable REGION and sends it to echo.value."


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REGION", "eu")
    return tmp_path / "home"


async def test_a_run_asks_once_for_what_its_file_reads(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("ctrl+r")
        assert isinstance(it.app.screen, Confirm)
        assert READS in it.picture
        await it.keys("enter")  # the focus is on No
        assert not it.stage.documents
        await it.keys("ctrl+r", "right", "enter")
        assert len(it.stage.documents) == 1
        assert isinstance(it.app.screen, LiveScreen)
        await it.keys("2", "ctrl+r")
        assert len(it.stage.documents) == 2
    assert list(Trust().files()) == [str(path.resolve())]


async def test_what_was_never_saved_is_asked_for_again_in_another_console() -> None:
    steps = [call("echo.value", args=["${{ env.REGION }}"])]
    for _ in range(2):
        async with composer() as it:
            await it.put(steps, env=["REGION"])
            await it.keys("ctrl+r", "right", "enter", "2", "ctrl+r")
            assert len(it.stage.documents) == 2
    assert Trust().files() == {}


async def test_a_look_before_the_run_and_a_dry_run_name_what_is_read(tmp_path: Path) -> None:
    written(tmp_path, TEXT)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("k", "k")
        assert "REGION and sends it to echo.value." in it.picture
        await it.keys("P")
        assert isinstance(it.app.screen, Preflight)
        assert "Not allowed yet." in it.picture
        await it.keys("escape", "p")
        assert "${{ env.REGION }}" in it.picture


async def test_friends_are_asked_about_when_the_console_opens() -> None:
    asking = Friend(route="far", queue="far", broker="redis://u:${REGION}@far/0")
    for answer, asked_again in ((["enter"], True), (["right", "enter"], False)):
        app = KimeraApp(Stage(friends={**FRIENDS, "far": asking}))
        async with app.run_test(size=(120, 36)) as pilot:
            await settle(pilot)
            assert isinstance(app.screen, Confirm)
            assert "Reads the environment variable REGION and sends it to" in grid(app)
            await pilot.press(*answer)
            await settle(pilot)
            assert not isinstance(app.screen, Confirm)
            assert bool(app.services.permissions.friends_want()) is asked_again
    app = KimeraApp(Stage(friends={**FRIENDS, "far": asking}))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        assert not isinstance(app.screen, Confirm)
