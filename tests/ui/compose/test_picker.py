"""The list of saved workflows: what it tells, and what is done from it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from kimera_tui.console.workflows import SavedWorkflow
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.ui.compose.workflow_picker import WorkflowPicker
from kimera_tui.ui.runs.live import LiveScreen
from kimera_tui.ui.runs.replay_window import AskReplay
from kimera_tui.ui.windows.confirm import Confirm
from tests.ui.compose.composing import TEXT, composer, open_saved, written
from tests.ui.stage import until
from tests.ui.test_typed_ahead import at_once


async def test_the_picker_lists_last_runs_usual_durations_and_what_is_wrong(
    tmp_path: Path,
) -> None:
    written(tmp_path)
    written(tmp_path, "kimera: 1\nname: x\nsteps: [{id: a, tsk: b}]\n", "broken")
    written(tmp_path, "kimera: 1\nname: lost\nsteps: [{id: a, task: nobody.there}]\n", "lost")
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("r")
        run_id = next(iter(it.app.state.run_index.runs))
        it.stage.clock.at += 90
        for _, task in it.stage.plans[0]:
            it.stage.sent(task)
            it.stage.succeeded(task, None)
        it.stage.ended(run_id)
        await it.keys("2", "o")
        lines = {
            name: next(line for line in it.picture.split("\n") if name in line)
            for name in ("broken.kimera.yaml", "lost", "nightly ")
        }
        assert "unreadable" in lines["broken.kimera.yaml"]
        assert "no run yet" in lines["lost"]
        assert "no friend `nobody` is configured" in lines["lost"]
        nightly = [line for line in it.picture.split("\n") if "1m30s" in line]
        assert "2  ✓ done" in nightly[0]
        assert "15 Jan 08:00    1m30s" in nightly[0]
        assert "⚠ line 3: steps.0" in it.picture  # the one under the cursor, in full
        await it.keys("down")
        assert "⚠ no friend `nobody`" in it.picture


async def test_a_broken_file_is_not_opened_and_says_why(tmp_path: Path) -> None:
    written(tmp_path, "kimera: 1\nname: x\nsteps: [{id: a, tsk: b}]\n", "broken")
    async with composer(tmp_path) as it:
        await it.add("add")
        await it.keys("u")
        original = it.document
        await it.keys("o", "enter")
        if isinstance(it.app.screen, Confirm):
            await it.keys("right", "right", "enter")
        assert "Unknown key 'tsk'" in it.toasts
        assert it.document is original


async def test_a_workflow_is_run_from_the_picker(tmp_path: Path) -> None:
    written(tmp_path)
    async with composer(tmp_path) as it:
        await it.keys("o", "ctrl+r")
        ((document, _),) = it.stage.documents
        assert document.name == "nightly"
        assert isinstance(it.app.screen, LiveScreen)


async def test_the_last_run_of_a_workflow_is_replayed_from_the_picker(tmp_path: Path) -> None:
    written(tmp_path)
    async with composer(tmp_path) as it:
        await it.keys("o", "ctrl+l")
        assert isinstance(it.app.screen, WorkflowPicker)
        assert "has never run, so there is nothing to replay" in it.toasts
        await it.keys("ctrl+r")
        run_id = next(iter(it.app.state.run_index.runs))
        await it.keys("2", "o", "ctrl+l")
        assert "has not ended" in it.toasts
        (_, one), _ = it.stage.plans[0]
        it.stage.sent(one)
        it.stage.failed(one, "ValueError", "no")
        it.stage.ended(run_id, "one failed")
        await it.keys("2", "o", "ctrl+l")
        assert isinstance(it.app.screen, AskReplay)
        await it.keys("enter")
        assert it.stage.acts == [(run_id, ReplayRequest("from_failed"))]


async def test_the_picker_finds_by_letters_of_the_name_and_stays_empty_without(
    tmp_path: Path,
) -> None:
    for name in ("alpha", "beta", "gamma"):
        written(tmp_path, TEXT.replace("nightly", name), name)
    async with composer(tmp_path) as it:
        await it.keys("o")
        await it.type("gma")
        await it.keys()
        assert "gamma" in it.picture
        assert "beta" not in it.picture
        await it.keys("up", "down", "enter")
        assert it.document.name == "gamma"
        await it.keys("o")
        await it.type("zzz")
        await it.keys("enter")
        assert isinstance(it.app.screen, WorkflowPicker)


@pytest.mark.parametrize(("key", "name"), [("ctrl+r", "beta"), ("enter", "beta")])
async def test_what_is_taken_is_what_was_typed_however_late_the_folder_is_read(
    key: str, name: str, tmp_path: Path
) -> None:
    for each in ("alpha", "beta", "gamma"):
        written(tmp_path, TEXT.replace("nightly", each), each)
    async with composer(tmp_path) as it:
        may_read, saved = asyncio.Event(), it.stage.workflows.saved

        async def late() -> Sequence[SavedWorkflow]:
            await may_read.wait()
            return await saved()

        it.stage.workflows.saved = late
        await it.pilot.press("o")
        await until(it.pilot, lambda: isinstance(it.app.screen, WorkflowPicker))
        at_once(it, *"bet", key)
        await it.pilot.pause()
        assert isinstance(it.app.screen, WorkflowPicker)
        may_read.set()
        await it.keys()
        if key == "enter":
            assert it.document.name == name
        else:
            await until(it.pilot, lambda: bool(it.stage.documents))
            assert [document.name for document, _ in it.stage.documents] == [name]


async def test_a_name_that_no_workflow_has_is_refused_with_a_word(tmp_path: Path) -> None:
    written(tmp_path)
    async with composer(tmp_path) as it:
        await it.keys("o")
        await it.type("zzz")
        await it.keys("ctrl+r")
        assert isinstance(it.app.screen, WorkflowPicker)
        assert "No workflow matches." in it.toasts
