"""The composer without a screen: edits, undo, its file, its problems and its last run."""

from __future__ import annotations

from pathlib import Path

import pytest

from kimera_tui.config.friends import Friend, Param, TaskInfo
from kimera_tui.documents import edits
from kimera_tui.documents.checks import Problem
from kimera_tui.documents.document import Document, TaskStep
from kimera_tui.documents.store import Stored
from kimera_tui.errors import UsageError
from kimera_tui.process.task_params import TaskParams
from kimera_tui.ui.compose.composer import UNDO_LIMIT, UNNAMED, Composer

FILE = Path("nightly.kimera.yaml")


def document(*ids: str, name: str = "nightly") -> Document:
    return Document(name=name, steps=[TaskStep(id=each, task=f"demo.{each}") for each in ids])


def composing(*ids: str, stored: bool = False) -> Composer:
    composer = Composer()
    opened = document(*ids)
    composer.open(opened, Stored(FILE, opened, "") if stored else None)
    return composer


def ids(composer: Composer) -> list[str]:
    return [step.id for step in composer.document.steps]


def test_an_empty_composer_has_nothing_to_lose_and_nothing_to_undo() -> None:
    composer = Composer()
    assert composer.document.name == UNNAMED
    assert not composer.unsaved
    assert not composer.undo()
    assert not composer.redo()
    assert composer.file is None


def test_undo_and_redo_bring_the_document_and_the_cursor_back() -> None:
    composer = composing("a", "b", stored=True)
    composer.cursor = ("steps", 1)
    composer.edit(edits.delete, ("steps", 1))
    assert ids(composer) == ["a"]
    assert composer.unsaved
    assert composer.undo()
    assert ids(composer) == ["a", "b"]
    assert composer.cursor == ("steps", 1)
    assert not composer.unsaved
    assert composer.redo()
    assert ids(composer) == ["a"]


def test_what_was_undone_is_gone_after_another_edit_and_the_oldest_is_forgotten() -> None:
    composer = composing("a", "b", "c")
    composer.edit(edits.delete, ("steps", 0))
    composer.undo()
    composer.edit(edits.delete, ("steps", 1))
    assert not composer.redo()
    for number in range(UNDO_LIMIT + 10):
        composer.edit(edits.rename, ("steps", 0), f"n{number}")
    undone = 0
    while composer.undo():
        undone += 1
    assert undone == UNDO_LIMIT


def test_an_edit_that_changes_nothing_can_not_be_undone() -> None:
    composer = composing("a")
    composer.replace(composer.document)
    assert not composer.undo()


def test_an_impossible_edit_raises_and_changes_nothing() -> None:
    composer = composing("a")
    original = composer.document
    with pytest.raises(UsageError):
        composer.edit(edits.unwrap, ("steps", 0))
    assert composer.document is original
    assert not composer.undo()


def test_a_cut_step_is_kept_for_pasting() -> None:
    composer = composing("a", "b")
    composer.cut(("steps", 0))
    assert ids(composer) == ["b"]
    assert composer.clipboard is not None
    assert composer.clipboard.id == "a"


def test_a_document_without_a_file_is_unsaved_from_the_start() -> None:
    assert composing("a").unsaved
    assert not composing("a", stored=True).unsaved


def test_edits_made_while_a_save_is_written_stay_unsaved() -> None:
    composer = composing("a", "b")
    written = composer.document
    composer.edit(edits.delete, ("steps", 0))
    composer.mark_saved(written, Stored(FILE, written, ""))
    assert composer.unsaved
    assert composer.file == FILE
    composer.undo()
    assert not composer.unsaved


def test_the_edition_changes_with_the_file_and_not_with_edits() -> None:
    composer = composing("a", "b")
    edition = composer.edition
    composer.edit(edits.delete, ("steps", 0))
    composer.undo()
    assert composer.edition == edition
    composer.mark_saved(composer.document, Stored(FILE, composer.document, ""))
    saved = composer.edition
    composer.start_new()
    assert len({edition, saved, composer.edition}) == 3


def test_a_reload_is_an_edit_that_keeps_the_cursor_on_its_step() -> None:
    composer = composing("a", "b", stored=True)
    composer.cursor = ("steps", 1)
    theirs = document("zero", "a", "b")
    composer.reload(Stored(FILE, theirs, ""))
    assert composer.cursor == ("steps", 2)
    assert not composer.unsaved
    composer.undo()
    assert ids(composer) == ["a", "b"]
    assert composer.unsaved


def test_a_reload_without_the_step_under_the_cursor_goes_to_the_first() -> None:
    composer = composing("a", "b", stored=True)
    composer.cursor = ("steps", 1)
    composer.reload(Stored(FILE, document("c"), ""))
    assert composer.cursor == ("steps", 0)


def test_a_reload_of_the_same_document_is_no_edit() -> None:
    composer = composing("a", stored=True)
    composer.reload(Stored(FILE, document("a"), "# a comment"))
    assert not composer.undo()
    assert composer.stored is not None
    assert composer.stored.text == "# a comment"
    assert not composer.unsaved


def test_watchers_hear_of_every_change() -> None:
    composer, heard = composing("a", "b"), []
    composer.watch(lambda: heard.append(ids(composer)))
    composer.edit(edits.delete, ("steps", 0))
    composer.undo()
    composer.start_new()
    assert heard == [["b"], ["a", "b"], []]


def test_problems_of_a_document_that_has_changed_since_are_dropped() -> None:
    composer = composing("a", "b")
    checked = composer.document
    composer.edit(edits.delete, ("steps", 0))
    assert not composer.take_problems(checked, [Problem("wrong")])
    assert not composer.is_checked
    assert composer.problems == ()
    assert composer.take_problems(composer.document, [])
    assert composer.is_checked


def test_the_last_run_is_read_once_for_each_name_and_again_after_a_run_of_it() -> None:
    composer = composing("a")
    assert composer.last_run_to_read() == "nightly"
    assert composer.last_run_to_read() is None
    composer.run_ended("another")
    assert composer.last_run_to_read() is None
    composer.run_ended("nightly")
    assert composer.last_run_to_read() == "nightly"
    composer.open(document("a", name="weekly"))
    assert composer.last_run_to_read() == "weekly"


def test_a_call_is_added_with_its_secrets_as_inputs() -> None:
    composer = composing("a")
    info = TaskInfo(params={"pin": Param(type="string", secret=True)})
    friend = Friend(route="bank", queue="bank", tasks={"pay": info})
    added = composer.add_call(TaskParams("bank", "pay", kwargs={"pin": "s3cret"}), friend)
    assert "pin" in added
    assert "s3cret" not in repr(composer.document)
    assert ids(composer) == ["a", "pay"]
    assert composer.document.inputs["pin"].type == "secret"


def test_a_call_that_no_document_can_hold_is_refused() -> None:
    composer, friend = composing("a"), Friend(route="bank", queue="bank")
    with pytest.raises(UsageError, match="A workflow cannot hold this call"):
        composer.add_call(TaskParams("bank", "x" * 300), friend)
    assert ids(composer) == ["a"]
