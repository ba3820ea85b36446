"""Keys that come before the window that an earlier one opens: they are not for what lies below."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.events import Key

from kimera_tui.ui import typed_ahead
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.inputs_editor import InputsEditor
from kimera_tui.ui.friends.screen import FriendsScreen
from kimera_tui.ui.runs.history import HistoryScreen
from kimera_tui.ui.runs.live import LiveScreen
from kimera_tui.ui.runs.replay_window import AskReplay
from kimera_tui.ui.typed_ahead import BUSY, UNSEEN
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.window import Palette
from tests.ui.compose.composing import Composing, call, composer, shape
from tests.ui.stage import settle, until


def at_once(it: Composing, *keys: str) -> None:
    """Keys that all are there before the first one is looked at."""
    for key in keys:
        it.app.post_message(Key(key, key if len(key) == 1 else None))


async def burst(it: Composing, *keys: str) -> None:
    """The same, with what came of them."""
    at_once(it, *keys)
    await it.keys()


STEPS = [call("echo.value", "one"), call("echo.value", "two"), call("echo.value", "three")]


async def test_e_and_d_in_one_burst_open_the_form_and_delete_nothing() -> None:
    async with composer() as it:
        await it.put(STEPS)
        await burst(it, "e", "d")
        assert isinstance(it.app.screen, FormWindow)
        assert shape(it.document.steps) == ["one", "two", "three"]


async def test_a_form_that_is_asked_for_twice_opens_once() -> None:
    async with composer() as it:
        await it.put(STEPS)
        for keys in (("e", "e"), ("e", "enter"), ("enter", "e"), ("enter", "enter")):
            await burst(it, *keys)
            assert len(it.app.screen_stack) == 2
            await it.keys("escape")
            assert it.app.screen is it.screen


async def test_the_form_is_that_of_the_step_on_which_it_was_asked_for() -> None:
    async with composer() as it:
        await it.put(STEPS)
        await burst(it, "e", "j")
        assert it.form.fields["id"].input.value == "one"


async def test_escape_behind_it_closes_the_window_and_not_more() -> None:
    async with composer() as it:
        await it.put(STEPS)
        await burst(it, "i", "a", "escape")
        assert isinstance(it.app.screen, InputsEditor)
        await burst(it, "a", "a")
        assert len(it.app.screen_stack) == 3


async def test_an_edit_of_an_input_is_not_undone_by_the_form_that_was_asked_for_with_it() -> None:
    async with composer() as it:
        await it.put(STEPS, inputs={"day": {}, "size": {}})
        await it.keys("i")
        await burst(it, "e", "e")
        await it.fill(description="a day")
        assert isinstance(it.app.screen, InputsEditor)
        await it.keys("escape")
        assert it.document.inputs["day"].description == "a day"


async def test_what_reads_before_it_asks_keeps_keys_from_what_lies_below() -> None:
    async with composer() as it:
        await it.put(STEPS, inputs={"day": {}})
        goes_on, problems = asyncio.Event(), it.stage.workflows.problems

        async def slow(document: object) -> object:
            await goes_on.wait()
            return await problems(document)

        it.stage.workflows.problems = slow
        at_once(it, "r", "d", "r", "J")
        await it.pilot.pause()
        assert it.app.screen is it.screen
        goes_on.set()
        await it.keys()
        assert len(it.app.screen_stack) == 2
        assert "Run: nightly" in it.picture
        assert shape(it.document.steps) == ["one", "two", "three"]
        await it.keys("escape", "d")
        assert shape(it.document.steps) == ["two", "three"]


async def test_a_question_is_not_asked_twice_in_live() -> None:
    async with composer() as it:
        await it.put(STEPS)
        await it.keys("r")
        assert isinstance(it.app.screen, LiveScreen)
        await burst(it, "C", "C", "D")
        assert isinstance(it.app.screen, Confirm)
        await it.keys("escape")
        assert isinstance(it.app.screen, LiveScreen)


async def test_what_is_picked_in_the_palette_is_done_on_the_screen_below_it() -> None:
    async with composer() as it:
        await it.put(STEPS)
        await it.pilot.press("ctrl+p")
        await until(it.pilot, lambda: isinstance(it.app.screen, Palette))
        await it.type("edit (e)")
        await until(it.pilot, lambda: "Compose: Edit (e)" in it.picture)
        await it.pilot.press("enter")
        await until(it.pilot, lambda: isinstance(it.app.screen, FormWindow))
        assert it.form.fields["id"].input.value == "one"


async def test_what_is_typed_ahead_into_a_picker_is_found_in_it() -> None:
    async with composer() as it:
        await it.put(STEPS)
        await burst(it, "a", *"divide", "enter")
        assert it.app.screen is it.screen
        assert shape(it.document.steps) == ["one", "divide", "two", "three"]


async def test_a_search_that_is_typed_in_one_burst_does_nothing_else() -> None:
    async with composer() as it:
        await it.keys("4")
        await burst(it, "slash", *"xmpcu!S", "enter")
        screen: Any = it.app.screen
        assert isinstance(screen, HistoryScreen)
        assert screen.past.search.value == "xmpcu!S"
        assert screen.table.has_focus
        assert screen.table.marked == ""
        assert not screen.past.only_bad
        assert it.toasts == ""


async def test_what_was_typed_before_the_key_that_sends_is_sent() -> None:
    async with composer() as it:
        await it.keys("1", "enter")
        await settle(it.pilot)
        await burst(it, *"417", "ctrl+r")
        await until(it.pilot, lambda: bool(it.stage.plans))
        ((_, task),) = it.stage.plans[0]
        assert task.kwargs == {"a": 417, "b": 3}


async def test_a_question_is_not_answered_by_what_was_typed_before_it_was_there() -> None:
    async with composer() as it:
        await it.put(STEPS)
        await it.keys("r")
        await burst(it, "C", "right", "enter")
        assert isinstance(it.app.screen, Confirm)
        assert it.stage.acts == []
        assert UNSEEN in it.toasts
        await it.keys("right", "enter")
        assert len(it.stage.acts) == 1


@pytest.mark.parametrize("keys", [["p", "enter"], ["p", "down", "enter", "enter"]])
async def test_no_replay_begins_before_its_plan_was_seen(keys: list[str]) -> None:
    async with composer() as it:
        await it.put(STEPS)
        await it.keys("r")
        it.stage.ended(next(iter(it.app.state.run_index.runs)))
        await it.keys()
        await burst(it, *keys)
        assert isinstance(it.app.screen, AskReplay)
        assert it.stage.acts == []


async def test_keys_that_wait_too_long_are_refused_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typed_ahead, "PATIENCE", 3)
    async with composer() as it:
        await it.put(STEPS)
        goes_on = asyncio.Event()

        async def slow(_: object) -> list[object]:
            await goes_on.wait()
            return []

        it.stage.workflows.problems = slow
        at_once(it, "r", "d")
        await until(it.pilot, lambda: BUSY in it.toasts)
        it.app.clear_notifications()
        await it.pilot.press("d")
        assert BUSY in it.toasts
        assert shape(it.document.steps) == ["one", "two", "three"]
        await it.pilot.press("1")
        assert isinstance(it.app.screen, FriendsScreen)
        goes_on.set()


async def test_a_key_after_the_first_change_of_mode_is_for_that_mode() -> None:
    async with composer() as it:
        await it.put(STEPS)
        await it.keys("r")
        it.stage.ended(next(iter(it.app.state.run_index.runs)))
        await it.keys("2")
        await burst(it, "4", "p")
        assert isinstance(it.app.screen, AskReplay)


@pytest.mark.parametrize("key", ["ctrl+r", "ctrl+t"])
async def test_the_task_under_the_cursor_is_taken_before_its_form_is_drawn(key: str) -> None:
    async with composer() as it:
        await it.put([])
        await it.keys("1")
        await settle(it.pilot)
        await burst(it, "down", key)
        if key == "ctrl+r":
            await until(it.pilot, lambda: bool(it.stage.plans))
            assert [task.task_name for _, task in it.stage.plans[0]] == ["multiply"]
        else:
            assert shape(it.document.steps) == ["multiply"]


async def test_quitting_is_done_in_its_turn() -> None:
    async with composer() as it:
        await it.put(STEPS)
        await it.keys("J")
        assert it.app.state.composer.unsaved
        await burst(it, "question_mark", "escape", "ctrl+q")
        assert isinstance(it.app.screen, Confirm)
        assert "has unsaved edits" in it.picture
        assert len(it.app.screen_stack) == 2


async def test_quitting_waits_for_nothing_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_ahead, "PATIENCE", 3)
    async with composer() as it:
        await it.put(STEPS)
        await it.keys("J")

        async def never(_: object) -> list[object]:
            await asyncio.Event().wait()
            return []

        it.stage.workflows.problems = never
        at_once(it, "r", "d", "ctrl+q")
        await until(it.pilot, lambda: isinstance(it.app.screen, Confirm))
        assert BUSY in it.toasts
        assert shape(it.document.steps) == ["two", "one", "three"]


async def test_a_key_before_the_one_that_leaves_does_not_answer_its_question() -> None:
    async with composer() as it:
        await it.put(STEPS)
        await it.keys("?")
        await burst(it, "escape", "ctrl+q")
        assert isinstance(it.app.screen, Confirm)
        await burst(it, "escape")
        assert not isinstance(it.app.screen, Confirm)
