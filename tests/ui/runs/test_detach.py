"""Handing runs to the workers by keys: asked for first, and what keeps them is listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.pilot import Pilot

from kimera_tui.documents.document import Document
from kimera_tui.execution.detach.blockers import Blocker
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.runs.detach_windows import DetachBlockers
from kimera_tui.ui.runs.live import LiveScreen
from kimera_tui.ui.windows.confirm import Confirm
from tests.ui.stage import FRIENDS, Stage, grid, settle


def lasting(*dangerous: str) -> Stage:
    """A stage whose workers outlive the console.

    Args:
        dangerous: Names of friends that are dangerous.
    """
    risky = {name: FRIENDS[name].model_copy(update={"danger": True}) for name in dangerous}
    stage = Stage({**FRIENDS, **risky})
    stage.connection.embedded = False
    return stage


def two(passing: str) -> Document:
    return Document.model_validate(
        {
            "name": "two steps",
            "steps": [
                {"id": "one", "task": "calculator.add", "kwargs": {"a": 1, "b": 2}},
                {"id": "two", "task": "echo.value", "pass": passing},
            ],
        }
    )


async def composed(pilot: Pilot[Any], document: Document) -> None:
    app = pilot.app
    assert isinstance(app, KimeraApp)
    await settle(pilot)
    app.state.composer.open(document)
    await pilot.press("2")
    await settle(pilot)


async def test_what_is_composed_is_detached_once_that_is_chosen() -> None:
    stage = lasting()
    app = KimeraApp(stage)
    async with app.run_test(size=(200, 60)) as pilot:
        await composed(pilot, two("first"))
        await pilot.press("D")
        await settle(pilot)
        assert isinstance(app.screen, Confirm)
        assert "2 tasks are handed to the workers" in grid(app)
        await pilot.press("escape")
        await settle(pilot)
        assert stage.documents == []
        await pilot.press("D")
        await settle(pilot)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert isinstance(app.screen, LiveScreen)
        assert [document.name for document, _ in stage.documents] == ["two steps"]
        assert "two steps (detached)" in grid(app)
        assert "timeout 30 s, while the run was here" in grid(app)


async def test_what_keeps_it_from_the_workers_is_listed_and_nothing_is_sent() -> None:
    stage = lasting()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await composed(pilot, two("auto"))
        await pilot.press("D")
        await settle(pilot)
        assert isinstance(app.screen, DetachBlockers)
        assert "two  has `pass: auto`" in grid(app)
        await pilot.press("escape")
        await settle(pilot)
        assert stage.documents == []


async def test_the_rest_of_a_run_is_handed_over_once_that_is_chosen() -> None:
    stage = lasting()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await composed(pilot, two("auto"))
        await pilot.press("r")
        await settle(pilot)
        (_, first), _ = stage.plans[0]
        stage.sent(first)
        stage.started(first)
        await settle(pilot)
        run_id = next(iter(app.state.run_index.runs))
        stage.runner.refused = [Blocker("1", "two", "two: has `retry`: workers try nothing again")]
        await pilot.press("D")
        await settle(pilot)
        assert "In flight, waits for them first: 1" in grid(app)
        assert "Then handed to the workers: 1" in grid(app)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert isinstance(app.screen, DetachBlockers)
        assert "The run continues in this console." in grid(app)
        await pilot.press("escape")
        stage.runner.refused = ()
        await settle(pilot)
        await pilot.press("D", "right", "enter")
        await settle(pilot)
        assert stage.acts == [("detach", run_id)] * 2
        assert app.state.run_index.runs[run_id].detached
        await pilot.press("D")
        await settle(pilot)
        assert isinstance(app.screen, LiveScreen)


async def refused_and_meant(app: KimeraApp, pilot: Pilot[Any], done: Sequence[object]) -> None:
    """Hand over twice: it is asked about, and done once that was said to be meant."""
    for answer in (["enter"], ["right", "enter"]):
        assert len(done) == 0
        await pilot.press("D")
        await settle(pilot)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert "Marked as dangerous: echo" in grid(app)
        await pilot.press(*answer)
        await settle(pilot)
    assert len(done) == 1


async def test_what_is_detached_to_a_dangerous_friend_is_asked_about_by_its_name() -> None:
    stage = lasting("echo")
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await composed(pilot, two("first"))
        await refused_and_meant(app, pilot, stage.documents)


async def test_the_rest_of_a_run_is_not_handed_to_a_dangerous_friend_unasked() -> None:
    stage = lasting("echo")
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await composed(pilot, two("auto"))
        await pilot.press("r")
        await settle(pilot)
        await pilot.press("R")
        await settle(pilot)
        stage.sent(stage.plans[0][0][1])
        await settle(pilot)
        await refused_and_meant(app, pilot, stage.acts)
