"""Replaying one step: the one under the cursor, with its values, and nothing but what was shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kimera_tui.documents.document import Document
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.ui.runs.history import HistoryScreen
from kimera_tui.ui.runs.live import LiveScreen
from kimera_tui.ui.runs.replay_window import AskReplay
from kimera_tui.ui.windows.confirm import Confirm
from tests.ui.compose.composing import Composing, composer
from tests.ui.stage import settle
from tests.ui.test_typed_ahead import at_once

CHAIN = {
    "name": "report",
    "inputs": {"day": {"required": True}, "count": {"type": "int"}},
    "steps": [
        {"id": "fetch", "task": "reports.fetch"},
        {"id": "render", "task": "reports.render", "kwargs": {"title": "Sales", "pages": 2}},
        {"id": "sum", "task": "calculator.multiply", "args": [4], "kwargs": {"b": 5}},
        {"id": "last", "task": "echo.value"},
    ],
}


async def failed(it: Composing, name: str = "report", bad: int = 2) -> str:
    """A run whose steps are done up to one that failed; returns its id."""
    document = Document.model_validate({**CHAIN, "name": name})
    run_id = it.stage.runner.run(document, RunInputs({"day": "monday", "count": 3}))
    for number, (_, task) in enumerate(it.stage.plans[-1][: bad + 1]):
        it.stage.sent(task)
        if number == bad:
            it.stage.failed(task, "ValueError", "no")
        else:
            it.stage.succeeded(task, number)
    it.stage.ended(run_id, "failed")
    await it.keys()
    return run_id


@asynccontextmanager
async def on_step(line: int, mode: str = "4", bad: int = 2) -> AsyncIterator[Composing]:
    """A failed run, with the cursor on a line of its steps."""
    async with composer(size=(120, 40)) as it:
        it.run_id = await failed(it, bad=bad)  # type: ignore[attr-defined]
        await it.keys(mode)
        await settle(it.pilot)
        await it.keys("enter", "g", *["j"] * line)
        yield it


def step_here(it: Composing) -> str:
    screen: Any = it.app.screen
    return screen.shown_step.id


async def to_way(it: Composing, words: str) -> None:
    """Ask for a replay, and point at a way."""
    await it.keys("p")
    window: Any = it.app.screen
    assert isinstance(window, AskReplay)
    (number,) = [n for n, (each, _) in enumerate(window.choices) if each == words]
    await it.keys(*["down"] * number)


@pytest.mark.parametrize("mode", ["3", "4"])
@pytest.mark.parametrize(("line", "name"), [(1, "fetch"), (2, "render"), (3, "sum")])
async def test_the_plan_names_the_step_of_the_cursor_and_its_call(
    mode: str, line: int, name: str
) -> None:
    async with on_step(line, mode) as it:
        await to_way(it, f"Only {name}, with other arguments…")
        assert f"Will run 1: {name}." in it.picture
        assert "No other step runs" in it.picture
        call = {"fetch": "reports.fetch", "render": 'title = "Sales"', "sum": "b = 5"}[name]
        assert call in it.picture


@pytest.mark.parametrize("mode", ["3", "4"])
async def test_the_cursor_stays_when_the_form_is_left(mode: str) -> None:
    async with on_step(1, mode) as it:
        for _ in range(2):
            await to_way(it, "Only fetch, with other arguments…")
            await it.keys("enter", "escape")
            await settle(it.pilot)
            assert step_here(it) == "fetch"


async def test_the_form_shows_what_was_sent_by_name_and_by_position_and_what_was_not() -> None:
    async with on_step(3) as it:
        await to_way(it, "Only sum, with other arguments…")
        await it.keys("enter")
        assert it.form.typed == {"b": "5", "a": "", "args  ": "[4]", "more  ": ""}


async def test_what_was_typed_is_shown_as_a_call_and_sent_as_it_was_shown() -> None:
    async with on_step(3) as it:
        await to_way(it, "Only sum, with other arguments…")
        await it.keys("enter")
        await it.fill(b="7", args____="[9]")
        assert isinstance(it.app.screen, Confirm)
        for words in ("Will run 1: sum.", "calculator.multiply", " 9 ", "b = 7"):
            assert words in it.picture
        assert it.stage.acts == []
        await it.keys("right", "enter")
        request = ReplayRequest("only_step", "2", overrides={"2": {"b": 7}}, args={"2": (9,)})
        assert it.stage.acts == [(it.run_id, request)]  # type: ignore[attr-defined]


async def test_an_argument_can_be_made_null_true_or_left() -> None:
    async with on_step(2) as it:
        await to_way(it, "Only render, with other arguments…")
        await it.keys("enter")
        await it.fill(title="null", pages="true")
        await it.keys("right", "enter")
        ((_, request),) = it.stage.acts
        assert request.overrides == {"1": {"title": None, "pages": True}}
        assert request.args == {}


async def test_who_does_not_want_what_is_shown_finds_the_form_as_it_was_filled_in() -> None:
    async with on_step(2) as it:
        await to_way(it, "Only render, with other arguments…")
        await it.keys("enter")
        await it.fill(title='"Costs"')
        await it.keys("enter")
        assert it.form.typed["title"] == '"Costs"'
        await it.keys("escape")
        assert isinstance(it.app.screen, HistoryScreen)
        assert it.stage.acts == []


async def test_inputs_that_were_typed_are_there_again_and_what_they_change_is_shown() -> None:
    async with on_step(3) as it:
        await to_way(it, "With other inputs…")
        assert "Asks for the inputs first" in it.picture
        await it.keys("enter")
        assert it.form.typed == {"day": "monday", "count": "3"}
        await it.fill(day="tuesday")
        assert "Will run 2, reuse 2: sum, last." in it.picture
        await it.keys("enter")
        assert it.form.typed == {"day": "tuesday", "count": "3"}
        await it.keys("ctrl+r", "right", "enter")
        ((_, request),) = it.stage.acts
        assert request.run_inputs.inputs == {"day": "tuesday", "count": 3}


@pytest.mark.parametrize("mode", ["3", "4"])
async def test_the_timeline_and_the_steps_have_the_same_step(mode: str) -> None:
    async with on_step(1, mode) as it:
        await it.keys("t")
        assert step_here(it) == "fetch"
        await it.keys("j")
        assert step_here(it) == "render"
        await it.keys("f")
        assert step_here(it) == "sum"
        await it.keys("t")
        assert step_here(it) == "sum"


async def test_history_opens_on_the_run_of_live_however_fast_the_keys_are() -> None:
    async with composer() as it:
        first = await failed(it, "first")
        await it.keys("4")
        await settle(it.pilot)
        await it.keys("3")
        second = await failed(it, "second")
        await settle(it.pilot)
        assert isinstance(it.app.screen, LiveScreen)
        await it.keys("g")
        at_once(it, "4", "p")
        await it.pilot.pause()
        await settle(it.pilot)
        assert isinstance(it.app.screen, AskReplay)
        assert "second" in it.picture
        await it.keys("enter")
        assert [run_id for run_id, _ in it.stage.acts] == [second]
        assert first != second


async def test_a_run_of_live_that_the_search_hides_is_said_to_be_hidden() -> None:
    async with composer() as it:
        await failed(it, "first")
        await failed(it, "second")
        await it.keys("4", "slash")
        await it.type("first")
        await it.keys("enter")
        await settle(it.pilot)
        await it.keys("3", "g", "4")
        await settle(it.pilot)
        assert "The search hides the run you selected" in it.toasts


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_call_that_is_longer_than_the_screen_leaves_room_for_the_answer(
    size: tuple[int, int],
) -> None:
    async with composer(size=size) as it:
        kwargs = {f"a{n}": "long " * 40 for n in range(15)}
        step = {"id": "add", "task": "echo.value", "kwargs": kwargs}
        document = Document.model_validate({"name": "long", "steps": [step]})
        run_id = it.stage.runner.run(document, RunInputs())
        it.stage.succeeded(it.stage.plans[-1][0][1], 1)
        it.stage.sent(it.stage.plans[-1][0][1])
        it.stage.ended(run_id)
        await it.keys("3")
        await settle(it.pilot)
        await to_way(it, "Only add, with other arguments…")
        assert "a0 = " in it.picture
        assert "Only add, with other arguments…" in it.picture
        await it.keys("enter", "ctrl+r")
        assert isinstance(it.app.screen, Confirm)
        assert "No  esc" in it.picture
        assert "a14 = " not in it.picture
        await it.pilot.press(*["down"] * 50)
        assert "a14 = " in it.picture
