"""Keys that come before the window that an earlier one opens: they are not for what lies below."""

from __future__ import annotations

import asyncio

from textual.events import Key

from kimera_tui.ui.screens.compose_forms import FormWindow
from kimera_tui.ui.screens.confirm import Confirm
from kimera_tui.ui.screens.inputs_editor import InputsEditor
from kimera_tui.ui.screens.live import LiveScreen
from kimera_tui.ui.screens.window import Palette
from tests.ui.composing import Composing, call, composer, shape
from tests.ui.stage import until


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
