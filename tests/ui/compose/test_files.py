"""The composer's files by keys: save, save as, open, and changes by other hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kimera_tui.documents.document import Document
from kimera_tui.documents.store import Stored, open_workflow
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.windows import Reader
from kimera_tui.ui.windows.confirm import Confirm
from tests.ui.compose.composing import TEXT, Composing, call, composer, open_saved, shape, written


async def look(it: Composing) -> None:
    """What the composer does every two seconds."""
    it.screen.look_at_file()
    await it.keys()


async def test_a_new_workflow_is_named_when_it_is_saved_and_read_again_from_the_picker(
    tmp_path: Path,
) -> None:
    async with composer(tmp_path) as it:
        await it.add("fetch")
        await it.keys("ctrl+s")
        await it.fill(name=" ")
        assert "name: enter a name." in it.picture
        await it.fill(name="Nightly orders")
        path = tmp_path / "nightly-orders.kimera.yaml"
        assert open_workflow(path).document == it.document
        assert "Saved:" in it.toasts
        assert "nightly-orders.kimera.yaml" in it.picture
        await it.keys("c", "ctrl+s")
        assert len(open_workflow(path).document.steps) == 2
        await it.keys("ctrl+n")
        assert it.document.steps == []
        await open_saved(it, "nightly")
        assert shape(it.document.steps) == ["fetch", "fetch_2"]
        assert not it.app.state.composer.unsaved


async def test_saving_keeps_comments_and_undo_goes_on_behind_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("c", "ctrl+s")
        text = path.read_text()
        assert text.startswith("# kept by hand")
        assert "# the first" in text
        assert not it.app.state.composer.unsaved
        await it.keys("u")
        assert it.app.state.composer.unsaved
        assert "unsaved" in it.picture
        await it.keys("ctrl+y")
        assert not it.app.state.composer.unsaved


async def test_save_as_writes_another_file_and_goes_on_in_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("S")
        assert it.form.fields["name"].input.value == "nightly"
        await it.fill(name="weekly")
        await it.keys("c", "ctrl+s")
        assert path.read_text() == TEXT
        saved = open_workflow(tmp_path / "weekly.kimera.yaml").document
        assert saved.name == "weekly"
        assert shape(saved.steps) == ["one", "one_2", "two"]


async def test_save_as_never_writes_over_a_file_that_is_there_unseen(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await it.add("add")
        await it.keys("ctrl+s")
        await it.fill(name="nightly")
        assert isinstance(it.app.screen, Reader)
        assert "-  - id: one" in it.picture
        await it.keys("escape")
        assert path.read_text() == TEXT
        assert it.app.state.composer.unsaved


async def conflict(it: Composing, path: Path) -> None:
    """Edits here, and an edit by somebody else; then save."""
    await open_saved(it)
    await it.keys("d")
    path.write_text(TEXT.replace("echo.a_dict", "echo.a_list"))
    await look(it)
    assert "The file changed on disk. Saving will show the difference." in it.toasts
    await it.keys("ctrl+s")
    assert isinstance(it.app.screen, Reader)
    assert "-  - id: one" in it.picture
    assert "+    task: echo.a_dict" in it.picture


async def test_a_conflict_shows_the_difference_and_overwrites_when_told_to(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await conflict(it, path)
        await it.keys("O")
        assert shape(open_workflow(path).document.steps) == ["two"]
        assert "echo.a_dict" in path.read_text()
        assert not it.app.state.composer.unsaved


async def test_theirs_can_be_taken_in_a_conflict_and_that_can_be_undone(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await conflict(it, path)
        await it.keys("r")
        assert shape(it.document.steps) == ["one", "two"]
        assert not it.app.state.composer.unsaved
        await it.keys("u")
        assert shape(it.document.steps) == ["two"]
        assert it.app.state.composer.unsaved
        await it.keys("ctrl+s")
        assert shape(open_workflow(path).document.steps) == ["two"]


async def test_what_changed_while_the_difference_was_read_is_shown_before_it_is_overwritten(
    tmp_path: Path,
) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await conflict(it, path)
        path.write_text(TEXT.replace("one", "later"))
        await it.keys("O")
        assert isinstance(it.app.screen, Reader)
        assert "-  - id: later" in it.picture
        assert "id: later" in path.read_text()


async def test_a_file_that_was_broken_meanwhile_can_be_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("d")
        path.write_text("steps: [")
        await it.keys("ctrl+s", "O")
        assert shape(open_workflow(path).document.steps) == ["two"]


async def test_a_changed_file_is_read_again_with_the_cursor_on_the_same_step(
    tmp_path: Path,
) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("down")
        path.write_text(TEXT.replace("steps:\n", "steps:\n  - {id: zero, task: echo.big}\n"))
        await look(it)
        assert "Reloaded: the file changed on disk." in it.toasts
        assert shape(it.document.steps) == ["zero", "one", "two"]
        assert it.here == "two"
        assert not it.app.state.composer.unsaved
        await it.keys("u")
        assert shape(it.document.steps) == ["one", "two"]


async def test_a_changed_file_that_can_not_be_read_is_reported_once_and_read_when_it_can(
    tmp_path: Path,
) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        path.write_text(TEXT.replace("task: echo.a_dict", "tsk: echo.a_dict"))
        await look(it)
        await look(it)
        assert it.toasts.count("Unknown key 'tsk'") == 1
        assert shape(it.document.steps) == ["one", "two"]
        path.write_text(TEXT.replace("two", "last"))
        await look(it)
        assert shape(it.document.steps) == ["one", "last"]


async def test_a_comment_that_somebody_writes_is_no_edit_and_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        path.write_text("# another\n" + TEXT)
        await look(it)
        assert not it.app.state.composer.undo()
        await it.keys("c", "ctrl+s")
        assert path.read_text().startswith("# another\n# kept by hand")


async def test_edits_are_asked_about_before_they_are_let_go(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("d", "ctrl+n")
        assert isinstance(it.app.screen, Confirm)
        await it.keys("escape")
        assert shape(it.document.steps) == ["two"]
        await it.keys("ctrl+n", "right", "enter")
        assert it.document.steps == []
        assert shape(open_workflow(path).document.steps) == ["two"]
        await it.add("add")
        await it.keys("o")
        await it.pick("nightly")
        assert isinstance(it.app.screen, Confirm)
        await it.keys("right", "right", "enter")
        assert shape(it.document.steps) == ["two"]


async def test_leaving_with_edits_asks_first(tmp_path: Path) -> None:
    written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("d", "ctrl+q")
        assert isinstance(it.app.screen, Confirm)
        assert "`nightly` has unsaved edits" in it.picture
        await it.keys("escape")
        assert it.app.is_running
        await it.keys("u")
        await it.pilot.press("ctrl+q")
    assert it.stage.closed


async def test_a_run_is_composed_and_saved_as_a_workflow(tmp_path: Path) -> None:
    async with composer(tmp_path) as it:
        await it.put([call("reports.fetch"), call("calculator.total", "sum")])
        await it.keys("r")
        it.stage.ended(next(iter(it.app.state.run_index.runs)))
        await it.keys("4", "w")
        assert isinstance(it.app.screen, Confirm)
        assert "Save first" in it.picture
        await it.keys("right", "right", "enter")
        assert shape(it.document.steps) == ["fetch", "sum"]
        await it.keys("ctrl+s")
        await it.fill(name="from a run")
        saved = open_workflow(tmp_path / "from-a-run.kimera.yaml")
        assert shape(saved.document.steps) == ["fetch", "sum"]


async def test_leaving_offers_to_save_first(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("c", "1", "ctrl+q")
        assert "The workflow `nightly` has unsaved edits." in it.picture
        await it.keys("escape")
        assert it.app.state.composer.unsaved
        await it.keys("ctrl+q", "right", "enter")
        assert not it.app.is_running
    assert len(open_workflow(path).document.steps) == 3


async def test_leaving_stays_where_saving_came_to_nothing(tmp_path: Path) -> None:
    async with composer(tmp_path) as it:
        await it.add("fetch")
        await it.keys("ctrl+q", "right", "enter", "escape")  # no name for the new file
        assert it.app.is_running
        assert it.app.state.composer.unsaved


class SlowSave:
    """Holds saving up until it is let go."""

    def __init__(self, it: Composing) -> None:
        self.begun, self.goes_on = asyncio.Event(), asyncio.Event()
        self._save = it.stage.workflows.save
        it.stage.workflows.save = self

    async def __call__(self, document: Document, path: Path, stored: Stored | None) -> Stored:
        self.begun.set()
        await self.goes_on.wait()
        return await self._save(document, path, stored)


@asynccontextmanager
async def saving(tmp_path: Path) -> AsyncIterator[tuple[Composing, SlowSave]]:
    """A composer whose document, with one step more, is on its way to the disk."""
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("c")
        slow = SlowSave(it)
        await it.pilot.press("ctrl+s")
        await slow.begun.wait()
        yield it, slow


async def test_a_save_that_ends_late_leaves_what_is_composed_by_then_alone(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with saving(tmp_path) as (it, slow):
        it.app.state.composer.start_new()
        slow.goes_on.set()
        await it.keys()
        assert len(open_workflow(path).document.steps) == 3
        assert it.app.state.composer.stored is None
        assert not it.app.state.composer.unsaved


async def test_edits_while_a_save_goes_on_are_not_taken_for_saved(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("c")
        slow = SlowSave(it)
        saving = asyncio.create_task(it.app.files.save())
        await slow.begun.wait()
        await it.pilot.press("c")
        slow.goes_on.set()
        assert not await saving
        assert it.app.state.composer.unsaved
        assert it.app.state.composer.stored is not None
        assert len(open_workflow(path).document.steps) == 3
        assert len(it.document.steps) == 4


async def test_a_conflict_of_what_is_composed_no_longer_is_only_reported(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with saving(tmp_path) as (it, slow):
        path.write_text(TEXT.replace("one", "theirs"))
        it.app.state.composer.start_new()
        slow.goes_on.set()
        await it.keys()
        assert it.app.screen is it.screen
        assert "changed on disk" in it.toasts
        assert "theirs" in path.read_text()


async def test_a_changed_file_is_not_read_again_below_a_form_of_one_of_its_steps(
    tmp_path: Path,
) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("e")
        assert isinstance(it.app.screen, FormWindow)
        path.write_text(TEXT.replace("steps:\n", "steps:\n  - {id: zero, task: echo.big}\n"))
        await look(it)
        await it.fill(notes="mine")
        assert shape(it.document.steps) == ["one", "two"]
