"""The composer's files by keys: save, open, changes by other hands, the editor, the picker."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.screens.compose_windows import Reader
from kimera_tui.ui.screens.confirm import Confirm
from kimera_tui.ui.screens.live import LiveScreen
from kimera_tui.ui.screens.replay import AskReplay
from kimera_tui.ui.screens.workflow_picker import WorkflowPicker
from kimera_tui.workflows.replay import Wish
from kimera_tui.workflows.store import open_workflow
from tests.ui.composing import Composing, call, composer, shape

TEXT = """\
# kept by hand
kimera: 1
name: nightly
steps:
  - id: one   # the first
    task: echo.nothing
  - id: two
    task: echo.a_dict
"""


def written(folder: Path, text: str = TEXT, name: str = "nightly") -> Path:
    path = folder / f"{name}.kimera.yaml"
    path.write_text(text)
    return path


async def opened(it: Composing, name: str = "nightly") -> None:
    await it.keys("o")
    await it.pick(name)


async def look(it: Composing) -> None:
    """What the composer does every two seconds."""
    it.screen._look()
    await it.keys()


async def test_a_new_workflow_is_named_when_it_is_saved_and_read_again_from_the_picker(
    tmp_path: Path,
) -> None:
    async with composer(tmp_path) as it:
        await it.add("fetch")
        await it.keys("ctrl+s")
        await it.fill(name=" ")
        assert "name: give it one." in it.picture
        await it.fill(name="Nightly orders")
        path = tmp_path / "nightly-orders.kimera.yaml"
        assert open_workflow(path).document == it.document
        assert "Saved:" in it.told
        assert "nightly-orders.kimera.yaml" in it.picture
        await it.keys("c", "ctrl+s")
        assert len(open_workflow(path).document.steps) == 2
        await it.keys("ctrl+n")
        assert it.document.steps == []
        await opened(it, "nightly")
        assert shape(it.document.steps) == ["fetch", "fetch_2"]
        assert not it.app.composition.unsaved


async def test_saving_keeps_comments_and_undo_goes_on_behind_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await opened(it)
        await it.keys("c", "ctrl+s")
        text = path.read_text()
        assert text.startswith("# kept by hand")
        assert "# the first" in text
        assert not it.app.composition.unsaved
        await it.keys("u")
        assert it.app.composition.unsaved
        assert "unsaved" in it.picture
        await it.keys("ctrl+y")
        assert not it.app.composition.unsaved


async def test_save_as_writes_another_file_and_goes_on_in_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await opened(it)
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
        assert it.app.composition.unsaved


async def conflict(it: Composing, path: Path) -> None:
    """Edits here, and an edit by somebody else; then save."""
    await opened(it)
    await it.keys("d")
    path.write_text(TEXT.replace("echo.a_dict", "echo.a_list"))
    await look(it)
    assert "The file changed on disk. Saving will show the difference." in it.told
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
        assert not it.app.composition.unsaved


async def test_theirs_can_be_taken_in_a_conflict_and_that_can_be_undone(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await conflict(it, path)
        await it.keys("r")
        assert shape(it.document.steps) == ["one", "two"]
        assert not it.app.composition.unsaved
        await it.keys("u")
        assert shape(it.document.steps) == ["two"]
        assert it.app.composition.unsaved
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
        await opened(it)
        await it.keys("d")
        path.write_text("steps: [")
        await it.keys("ctrl+s", "O")
        assert shape(open_workflow(path).document.steps) == ["two"]


async def test_a_changed_file_is_read_again_with_the_cursor_on_the_same_step(
    tmp_path: Path,
) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await opened(it)
        await it.keys("down")
        path.write_text(TEXT.replace("steps:\n", "steps:\n  - {id: zero, task: echo.big}\n"))
        await look(it)
        assert "Read again: the file changed on disk." in it.told
        assert shape(it.document.steps) == ["zero", "one", "two"]
        assert it.here == "two"
        assert not it.app.composition.unsaved
        await it.keys("u")
        assert shape(it.document.steps) == ["one", "two"]


async def test_a_changed_file_that_can_not_be_read_is_told_once_and_read_when_it_can(
    tmp_path: Path,
) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await opened(it)
        path.write_text(TEXT.replace("task: echo.a_dict", "tsk: echo.a_dict"))
        await look(it)
        await look(it)
        assert it.told.count("Unknown key 'tsk'") == 1
        assert shape(it.document.steps) == ["one", "two"]
        path.write_text(TEXT.replace("two", "last"))
        await look(it)
        assert shape(it.document.steps) == ["one", "last"]


async def test_a_comment_that_somebody_writes_is_no_edit_and_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await opened(it)
        path.write_text("# another\n" + TEXT)
        await look(it)
        assert not it.app.composition.history.past
        await it.keys("c", "ctrl+s")
        assert path.read_text().startswith("# another\n# kept by hand")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A console whose terminal can be left to others: a test has none."""

    @contextlib.contextmanager
    def suspend(self: KimeraApp) -> Iterator[None]:
        yield

    monkeypatch.setattr(KimeraApp, "suspend", suspend)


def editor(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """An editor that is a Python script; the file is ``path``."""
    script = folder / "editor.py"
    script.write_text(f"import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n{code}\n")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", shlex.join([sys.executable, str(script)]))


@pytest.mark.usefixtures("terminal")
async def test_the_operators_editor_is_given_the_saved_file_and_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(
        monkeypatch, tmp_path, "path.write_text(path.read_text().replace('one_2', 'from_editor'))"
    )
    written(tmp_path)
    async with composer(tmp_path) as it:
        await opened(it)
        await it.keys("c", "E")
        assert shape(it.document.steps) == ["one", "from_editor", "two"]
        assert not it.app.composition.unsaved


@pytest.mark.usefixtures("terminal")
async def test_an_editor_that_fails_is_told_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)
    async with composer(tmp_path) as it:
        await opened(it)
        before = it.document
        editor(monkeypatch, tmp_path, "sys.exit(3)")
        await it.keys("E")
        assert "ended with 3" in it.told
        monkeypatch.setenv("EDITOR", "/nowhere/vim")
        await it.keys("E")
        assert "EDITOR=/nowhere/vim: " in it.told
        monkeypatch.setenv("EDITOR", "vim 'half")
        await it.keys("E")
        assert "No closing quotation" in it.told
        assert it.document is before


async def test_where_the_terminal_can_not_be_left_the_editor_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(monkeypatch, tmp_path, "")
    written(tmp_path)
    async with composer(tmp_path) as it:
        await opened(it)
        await it.keys("E")
        assert "can't make room for an editor" in it.told


@pytest.mark.usefixtures("terminal")
async def test_a_new_workflow_is_saved_before_the_editor_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(monkeypatch, tmp_path, "path.write_text(path.read_text() + '# seen')")
    async with composer(tmp_path) as it:
        await it.add("add")
        await it.keys("E", "escape")
        assert list(tmp_path.glob("*.yaml")) == []
        await it.keys("E")
        await it.fill(name="seen")
        assert (tmp_path / "seen.kimera.yaml").read_text().endswith("# seen")


async def test_edits_are_asked_about_before_they_are_let_go(tmp_path: Path) -> None:
    path = written(tmp_path)
    async with composer(tmp_path) as it:
        await opened(it)
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
        await opened(it)
        await it.keys("d", "ctrl+q")
        assert isinstance(it.app.screen, Confirm)
        assert "`nightly` has edits that are not saved" in it.picture
        await it.keys("escape")
        assert it.app.is_running
        await it.keys("u")
        await it.pilot.press("ctrl+q")
    assert it.stage.closed


async def test_the_picker_lists_last_runs_usual_durations_and_what_is_wrong(
    tmp_path: Path,
) -> None:
    written(tmp_path)
    written(tmp_path, "kimera: 1\nname: x\nsteps: [{id: a, tsk: b}]\n", "broken")
    written(tmp_path, "kimera: 1\nname: lost\nsteps: [{id: a, task: nobody.there}]\n", "lost")
    async with composer(tmp_path) as it:
        await opened(it)
        await it.keys("r")
        run_id = next(iter(it.app.book.runs))
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
        assert "not readable" in lines["broken.kimera.yaml"]
        assert "no run yet" in lines["lost"]
        assert "no friend `nobody` is configured" in lines["lost"]
        nightly = [line for line in it.picture.split("\n") if "usually" in line]
        assert "2 steps  ✓ done" in nightly[0]
        assert "15 Jan 08:00  usually 1m30s" in nightly[0]
        assert "⚠ line 3: steps.0" in it.picture  # the one under the cursor, in full
        await it.keys("down")
        assert "⚠ no friend `nobody`" in it.picture


async def test_a_broken_file_is_not_opened_and_says_why(tmp_path: Path) -> None:
    written(tmp_path, "kimera: 1\nname: x\nsteps: [{id: a, tsk: b}]\n", "broken")
    async with composer(tmp_path) as it:
        await it.add("add")
        await it.keys("u")
        before = it.document
        await it.keys("o", "enter")
        if isinstance(it.app.screen, Confirm):
            await it.keys("right", "right", "enter")
        assert "Unknown key 'tsk'" in it.told
        assert it.document is before


@pytest.mark.usefixtures("terminal")
async def test_a_broken_file_is_mended_in_the_editor_from_the_picker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(monkeypatch, tmp_path, "path.write_text(path.read_text().replace('tsk', 'task'))")
    written(tmp_path, "kimera: 1\nname: x\nsteps: [{id: a, tsk: echo.big}]\n", "broken")
    async with composer(tmp_path) as it:
        await it.keys("o", "ctrl+e")
        assert shape(it.document.steps) == ["a"]


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
        assert "has no run yet to be replayed" in it.told
        await it.keys("ctrl+r")
        run_id = next(iter(it.app.book.runs))
        await it.keys("2", "o", "ctrl+l")
        assert "has not ended" in it.told
        (_, one), _ = it.stage.plans[0]
        it.stage.sent(one)
        it.stage.failed(one, "ValueError", "no")
        it.stage.ended(run_id, "one failed")
        await it.keys("2", "o", "ctrl+l")
        assert isinstance(it.app.screen, AskReplay)
        await it.keys("enter")
        assert it.stage.acts == [(run_id, Wish("from_failed"))]


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


async def test_a_run_is_composed_and_saved_as_a_workflow(tmp_path: Path) -> None:
    async with composer(tmp_path) as it:
        it.put([call("reports.fetch"), call("calculator.total", "sum")])
        await it.reopen()
        await it.keys("r")
        it.stage.ended(next(iter(it.app.book.runs)))
        await it.keys("4", "w")
        assert isinstance(it.app.screen, Confirm)
        await it.keys("right", "enter")
        assert shape(it.document.steps) == ["fetch", "sum"]
        await it.keys("ctrl+s")
        await it.fill(name="from a run")
        saved = open_workflow(tmp_path / "from-a-run.kimera.yaml")
        assert shape(saved.document.steps) == ["fetch", "sum"]
