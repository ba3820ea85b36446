"""The search of History: terms, what ended badly, and saved filters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from textual.pilot import Pilot

from kimera_tui.console.filters import SavedFilter
from kimera_tui.errors import ConfigError
from kimera_tui.runs.events import RunStarted
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.runs.filter_windows import FilterPicker
from kimera_tui.ui.runs.history import HistoryScreen
from tests.ui.stage import Stage, grid, settle


def ran(stage: Stage, name: str, error: str = "") -> None:
    """A run of one task that has ended."""
    task = PlannedTask(stage.new_id(), "echo", "a_dict")
    run_id = stage.new_id()
    plan = Node("task", "0", task=task)
    stage.publish(RunStarted(at=stage.clock.now(), run_id=run_id, name=name, plan=plan))
    stage.sent(task)
    if error:
        stage.failed(task, "OSError", error)
    else:
        stage.succeeded(task, {"a": 1})
    stage.ended(run_id)


@pytest.fixture
def stage() -> Stage:
    """Runs of the past: two well, two not."""
    stage = Stage()
    ran(stage, "nightly")
    ran(stage, "nightly draft", "no disk")
    ran(stage, "load")
    ran(stage, "load draft", "no net")
    return stage


@pytest.fixture
async def pilot(stage: Stage) -> AsyncIterator[Pilot[Any]]:
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("4")
        await settle(pilot)
        yield pilot


def history(pilot: Pilot[Any]) -> HistoryScreen:
    screen = pilot.app.screen
    assert isinstance(screen, HistoryScreen)
    return screen


def names(pilot: Pilot[Any]) -> list[str]:
    table = history(pilot).table
    lines = [table.line_at(number) for number in range(table.line_count())]
    return [text.rstrip() for line in lines for text, style in line if style == "strong"]


def subtitle(pilot: Pilot[Any]) -> str:
    return str(history(pilot).table.border_subtitle or "")


def toasts(pilot: Pilot[Any]) -> list[str]:
    return [note.message for note in pilot.app._notifications]


async def typed(pilot: Pilot[Any], line: str) -> None:
    history(pilot).past.search.value = line
    await settle(pilot)


async def pressed(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


async def test_terms_are_joined(pilot: Pilot[Any]) -> None:
    await typed(pilot, "load or (nightly -draft)")
    assert names(pilot) == ["load draft", "load", "nightly"]


async def test_what_cannot_be_read_is_reported_and_the_list_stays(pilot: Pilot[Any]) -> None:
    await typed(pilot, "load")
    await typed(pilot, "load or [b]")
    await typed(pilot, "load or")
    assert subtitle(pilot).startswith("Nothing follows `or`; put it in quotes to search for it.")
    assert names(pilot) == ["load draft", "load"]


async def test_one_key_leaves_only_what_ended_badly(pilot: Pilot[Any]) -> None:
    await pressed(pilot, "!")
    assert names(pilot) == ["load draft", "nightly draft"]
    assert "failed only" in subtitle(pilot)
    await typed(pilot, "load or nothing")
    assert names(pilot) == ["load draft"]
    await typed(pilot, "load) or (nightly")
    assert subtitle(pilot).startswith("The search has a ) without its (.")
    await typed(pilot, "load")
    await pressed(pilot, "!")
    assert names(pilot) == ["load draft", "load"]
    assert subtitle(pilot) == "2"


async def test_a_short_screen_says_in_the_title_what_stands_below_elsewhere(stage: Stage) -> None:
    async with KimeraApp(stage).run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await settle(pilot)
        await pressed(pilot, "!")
        assert "─History  ·  failed only───" in grid(pilot.app)
        await typed(pilot, "(load")
        assert "History  ·  failed only  ·  The search has a ( without its )." in grid(pilot.app)
        await typed(pilot, "")
        await pressed(pilot, "!")
        assert "─History───" in grid(pilot.app)


async def test_a_search_is_saved_from_its_line_and_used_by_its_name(
    pilot: Pilot[Any], stage: Stage
) -> None:
    await typed(pilot, "load -draft")
    await pressed(pilot, "slash", "ctrl+s")
    assert "load -draft" in grid(pilot.app)
    await pressed(pilot, *"fine", "enter")
    assert stage.filters.lines == {"fine": "load -draft"}
    assert toasts(pilot)[-1] == "Saved: @fine"
    await typed(pilot, "-@fine -nightly")
    assert names(pilot) == ["load draft"]


async def test_a_name_that_no_filter_can_have_is_refused_in_the_window(
    pilot: Pilot[Any], stage: Stage
) -> None:
    await typed(pilot, "load")
    await pressed(pilot, "S", *"a b", "enter")
    assert "only letters, digits" in grid(pilot.app)
    await pressed(pilot, "escape")
    assert stage.filters.lines == {}


async def test_what_a_name_meant_before_is_reported_when_it_is_saved_anew(
    pilot: Pilot[Any], stage: Stage
) -> None:
    stage.filters.lines = {"mine": "load"}
    await pressed(pilot, "!", "S", *"mine", "ctrl+s")
    assert stage.filters.lines["mine"].startswith("state:failed or ")
    assert toasts(pilot)[-1] == "Saved: @mine in place of load"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [("", "There is no search to save"), ("(load", "The search has a ( without its ).")],
)
async def test_what_is_no_search_is_not_saved(
    pilot: Pilot[Any], stage: Stage, line: str, sentence: str
) -> None:
    await typed(pilot, line)
    await pressed(pilot, "S")
    assert sentence in toasts(pilot)[-1]
    assert isinstance(pilot.app.screen, HistoryScreen)


async def test_a_saved_filter_is_picked(pilot: Pilot[None], stage: Stage) -> None:
    stage.filters.lines = {"bad": "state:failed", "fine": "load -draft"}
    await pressed(pilot, "F", "down", "enter")
    assert history(pilot).past.search.value == "@fine"
    assert names(pilot) == ["load"]
    assert history(pilot).table.has_focus


async def test_a_saved_filter_is_deleted_and_its_search_stays_readable(
    pilot: Pilot[Any], stage: Stage
) -> None:
    stage.filters.lines = {"bad": "state:failed", "odd": "((", "tag": "[red]x[/]"}
    stage.filters.problems = {"odd": "The search has a ( without its )."}
    await pressed(pilot, "F")
    assert "@odd               ⚠ The search has a ( without its ).  ((" in grid(pilot.app)
    await pressed(pilot, "down", "d")
    assert list(stage.filters.lines) == ["bad", "tag"]
    assert "Deleted @odd. It was: ((" in grid(pilot.app)
    await pressed(pilot, "d")
    assert "Deleted @tag. It was: [red]x[/]" in grid(pilot.app)
    await pressed(pilot, "escape")
    assert history(pilot).past.search.value == ""


async def test_a_file_that_cannot_be_read_is_reported_and_never_written(
    pilot: Pilot[Any], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wrong() -> list[SavedFilter]:
        raise ConfigError("filters.yaml, line 2: filters.a: must be text; quote it.")

    monkeypatch.setattr(stage.filters, "list", wrong)
    await pressed(pilot, "F")
    assert isinstance(pilot.app.screen, FilterPicker)
    assert "filters.yaml, line 2" in grid(pilot.app)
    await pressed(pilot, "escape")
    await typed(pilot, "load")
    await pressed(pilot, "S")
    assert "filters.yaml, line 2" in toasts(pilot)[-1]
    assert isinstance(pilot.app.screen, HistoryScreen)
