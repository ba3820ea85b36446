"""The palette: words are found as words, and nothing is sent, cancelled or lost without asking."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.ui.actions import ACTIONS, ASK_FIRST, actions_of
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.palette import ActionCommands, matching
from kimera_tui.ui.runs.history import HistoryScreen
from kimera_tui.ui.runs.live import LiveScreen
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.window import Palette
from tests.ui.compose.composing import Composing, call, composer, open_saved, shape, written
from tests.ui.stage import settle, until
from tests.ui.test_typed_ahead import at_once


def found(query: str, *scopes: str) -> list[str]:
    """What the palette offers for a query, the best first."""
    offered = [action for scope in (*scopes, "app") for action in actions_of(scope)]
    scored = [(-matching(query, action), action.id) for action in offered]
    return [action_id for score, action_id in sorted(scored, key=lambda each: each[0]) if score]


def test_letters_here_and_there_find_nothing() -> None:
    assert found("render", "friends") == []
    assert found("sd", "friends") == []
    assert found("send xyz", "friends") == []


@pytest.mark.parametrize(
    ("query", "scope", "first"),
    [
        ("send", "friends", "send"),
        ("SEND", "friends", "send"),
        ("edit", "compose", "edit"),
        ("edi", "compose", "edit"),
        ("edit (e)", "compose", "edit"),
        ("para", "compose", "turn"),
        ("save as", "compose", "save-as"),
        ("revo", "live", "revoke"),
        ("cancel run", "live", "cancel-run"),
        ("history", "history", "mode-history"),
        ("(/)", "history", "search"),
    ],
)
def test_the_beginning_of_words_finds_what_has_them(query: str, scope: str, first: str) -> None:
    assert found(query, scope)[0] == first


async def pick(it: Composing, words: str) -> None:
    """Choose the first that the palette offers for these words."""
    await it.pilot.press("ctrl+p")
    await until(it.pilot, lambda: isinstance(it.app.screen, Palette))
    await it.type(words)
    await it.pilot.press("enter")
    await it.pilot.pause()
    await it._done()


async def test_a_word_of_another_task_sends_nothing() -> None:
    async with composer() as it:
        await it.keys("1")
        await it.pilot.press("ctrl+p")
        await until(it.pilot, lambda: isinstance(it.app.screen, Palette))
        at_once(it, *"render", "enter")
        await it.pilot.pause(0.3)
        await settle(it.pilot)
        assert it.stage.launched == []
        assert not isinstance(it.app.screen, Confirm)


async def test_what_is_taken_is_what_was_typed_not_what_stood_there_before() -> None:
    async with composer() as it:
        await it.keys("1")
        at_once(it, "ctrl+p", *"help", "enter")
        await until(it.pilot, lambda: "closes" in it.picture)
        assert "All keys" in it.picture
        assert it.stage.launched == []


async def test_sending_from_the_palette_names_task_arguments_and_queue_first() -> None:
    async with composer() as it:
        await it.keys("1")
        await settle(it.pilot)
        await pick(it, "send")
        await until(it.pilot, lambda: isinstance(it.app.screen, Confirm))
        for words in ("calculator.add  to queue calculator", "a = 2", "b = 3"):
            assert words in it.picture
        await it.keys("enter")
        assert it.stage.launched == []
        await pick(it, "send")
        await until(it.pilot, lambda: isinstance(it.app.screen, Confirm))
        await it.keys("right", "enter")
        await until(it.pilot, lambda: len(it.stage.launched) == 1)


async def test_the_key_sends_without_asking() -> None:
    async with composer() as it:
        await it.keys("1")
        await settle(it.pilot)
        await it.keys("ctrl+r")
        await until(it.pilot, lambda: len(it.stage.launched) == 1)


async def test_running_from_the_palette_names_workflow_inputs_and_tasks_first() -> None:
    async with composer() as it:
        await it.put([call("reports.fetch")], inputs={"day": {}})
        await pick(it, "run the work")
        await it.fill(day="today")
        assert isinstance(it.app.screen, Confirm)
        for words in ("nightly", "day = today", "reports.fetch  to queue reports"):
            assert words in it.picture
        await it.keys("enter")
        assert it.stage.documents == []
        await it.keys("r")
        await it.fill(day="today")
        assert len(it.stage.documents) == 1


MODES = {"friends": "1", "compose": "2", "live": "3", "history": "4"}


@asynccontextmanager
async def everything(folder: Path, mode: str) -> AsyncIterator[Composing]:
    """A console in a mode, with something there for every act: a form, a file, two runs."""
    written(folder)
    async with composer(folder) as it:
        for ends in (True, False):
            await it.put([call("echo.value", "one"), call("echo.value", "two")])
            await it.keys("r")
            _, first = it.stage.plans[-1][0]
            it.stage.sent(first)
            it.stage.started(first)
            if ends:
                it.stage.failed(first, "ValueError", "no")
                it.stage.ended(next(iter(it.app.state.run_index.runs)), "one failed")
            await it.keys("2")
        await it.put([])
        await open_saved(it)
        await it.keys("c")
        assert it.app.state.composer.unsaved
        await back_to(it, mode)
        yield it


async def back_to(it: Composing, mode: str) -> None:
    """Close every window, and go to a mode."""
    while not isinstance(screen := it.app.screen, ModeScreen):
        await it.keys("escape")
    if mode != screen.SCOPE:
        await it.keys("escape", MODES[mode])
        await settle(it.pilot)


async def nothing(*_: object) -> list[Any]:
    """What keeps a document from being detached."""
    return []


def acted(it: Composing, folder: Path) -> Any:
    """Everything that was sent, cancelled, decided, deleted or written over."""
    acts = [act for act in it.stage.acts if act[0] != "save"]  # writes a new file
    files = {path.name: path.read_text() for path in folder.iterdir()}
    return (
        acts,
        files,
        len(it.stage.launched),
        len(it.stage.documents),
        dict(it.stage.filters.lines),
    )


@pytest.mark.parametrize(
    ("mode", "run"),
    [
        ("friends", "ended"),
        ("compose", "ended"),
        ("live", "ended"),
        ("live", "going"),
        ("history", "ended"),
        ("history", "going"),
    ],
)
@pytest.mark.timeout(400)  # some fifty windows are opened and left, one after the other
async def test_nothing_that_is_picked_acts_before_it_is_asked_about(
    mode: str, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "true")
    async with everything(tmp_path, mode) as it:
        it.stage.workflows.blockers = nothing
        original = acted(it, tmp_path)
        for action in (a for scope in (mode, "runs") for a in actions_of(scope)):
            screen = it.app.screen
            if action.scope not in screen.SCOPES:  # type: ignore[attr-defined]
                continue
            if isinstance(screen, HistoryScreen | LiveScreen):
                table = screen.table if isinstance(screen, HistoryScreen) else screen.runs
                table.move_cursor(1 if run == "ended" else 0)
            await ActionCommands(screen)._do(action)
            await it.keys("enter", "enter")
            assert acted(it, tmp_path) == original, action.id
            await back_to(it, mode)
        assert it.picture


@pytest.mark.parametrize("answer", [["enter"], ["right", "enter"]])
async def test_a_step_is_removed_from_the_palette_once_that_is_chosen(answer: list[str]) -> None:
    async with composer() as it:
        await it.put([call("echo.value", "one"), call("echo.value", "two")])
        await pick(it, "remove")
        assert isinstance(it.app.screen, Confirm)
        assert "one" in it.picture
        await it.keys(*answer)
        assert shape(it.document.steps) == (["one", "two"] if len(answer) == 1 else ["two"])


async def test_a_safe_command_is_done_at_once() -> None:
    async with composer() as it:
        await it.put([call("echo.value", "one")])
        await pick(it, "wrap")
        await it.keys("c")
        assert shape(it.document.steps) == [("chain", ["one"])]


def test_every_action_that_acts_asks_first_from_the_palette() -> None:
    asking = {action.id for action in ACTIONS if action.from_palette != action.action}
    assert asking == ASK_FIRST
