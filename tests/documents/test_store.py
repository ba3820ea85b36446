"""The folder of workflows: files are found, and written whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.documents import edits, store
from kimera_tui.documents.document import Document, TaskStep
from kimera_tui.documents.store import (
    ENDING,
    ChangedOnDisk,
    Library,
    changed,
    open_workflow,
    save,
    workflows_folder,
)
from kimera_tui.errors import ConfigError, UsageError
from tests.conftest import REPO
from tests.documents.cases import EVERYTHING


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with comments."""
    path = tmp_path / f"everything{ENDING}"
    path.write_text(EVERYTHING)
    return path


def shorter(path: Path) -> tuple[Document, store.Stored]:
    """The file as it was read, and its document with one step less."""
    stored = open_workflow(path)
    document, _ = edits.delete(stored.document, ("steps", 0))
    return document, stored


def only(path: Path) -> bool:
    """Whether nothing else lies in the folder."""
    return [each.name for each in path.parent.iterdir()] == [path.name]


# Writing


def test_a_document_is_written_read_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "below" / f"new{ENDING}"
    document = Document(name="new", steps=[TaskStep(id="a", task="echo.value")])
    stored = save(document, path, None)
    assert open_workflow(path).document == document
    document, _ = edits.rename(document, ("steps", 0), "b")
    stored = save(document, path, stored)
    assert (stored.document, stored.text) == (document, path.read_text())
    assert "id: b" in stored.text
    assert only(path)
    assert not changed(stored)


def test_what_somebody_else_wrote_is_never_written_over(path: Path) -> None:
    document, stored = shorter(path)
    theirs = EVERYTHING.replace("name: everything", "name: theirs")
    path.write_text(theirs)
    assert changed(stored)
    for known in (stored, None):
        with pytest.raises(
            ChangedOnDisk, match="changed on disk; it was not overwritten"
        ) as caught:
            save(document, path, known)
        assert "-name: theirs" in caught.value.diff
        assert "+name: everything" in caught.value.diff
        assert caught.value.diff.startswith(f"--- {path} on disk\n+++ yours")
    assert path.read_text() == theirs
    assert only(path)
    save(document, path, open_workflow(path))
    assert "name: everything" in path.read_text()


def test_a_file_that_went_is_written_again(path: Path) -> None:
    document, stored = shorter(path)
    path.unlink()
    assert not changed(stored)
    save(document, path, stored)
    assert "# above the day" in path.read_text()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_rights_of_a_file_stay(path: Path, mode: int) -> None:
    path.chmod(mode)
    save(*reversed_(shorter(path), path))
    assert stat.S_IMODE(path.stat().st_mode) == mode


def reversed_(pair: tuple[Document, store.Stored], path: Path) -> Any:
    document, stored = pair
    return document, path, stored


def test_a_new_file_has_the_rights_that_the_process_gives(tmp_path: Path) -> None:
    old_umask = os.umask(0o027)
    try:
        path = tmp_path / "x"
        save(Document(name="x"), path, None)
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_one(tmp_path: Path, path: Path) -> None:
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(path)
    save(*reversed_(shorter(link), link))
    assert link.is_symlink()
    assert open_workflow(path).document.steps[0].id == "work"
    assert [each.name for each in link.parent.iterdir()] == ["link"]


# What goes wrong while writing


def refuse(number: int) -> Any:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("where", "number"),
    [("os.fsync", errno.ENOSPC), ("pathlib.Path.chmod", errno.EPERM),
     ("pathlib.Path.replace", errno.EXDEV), ("os.open", errno.EACCES)],
)  # fmt: skip
def test_a_file_that_cannot_be_written_is_a_sentence_and_stays_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch, where: str, number: int
) -> None:
    document, stored = shorter(path)
    if where == "os.open":
        monkeypatch.setattr(store, "read_text", lambda _: stored.text)
    monkeypatch.setattr(where, refuse(number))
    with pytest.raises(ConfigError) as caught:
        save(document, path, stored)
    monkeypatch.undo()
    assert str(caught.value) == f"{path}: cannot be written ({os.strerror(number)})."
    assert path.read_text() == EVERYTHING
    assert only(path)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process gets over 1,000 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_without_space_leaves_the_old_file_whole(
    path: Path, request: pytest.FixtureRequest
) -> None:
    document, stored = shorter(path)
    request.getfixturevalue("small_files")
    with pytest.raises(ConfigError, match=r"cannot be written \(File too large\)"):
        save(document, path, stored)
    assert path.read_text() == EVERYTHING
    assert only(path)


def test_an_interrupt_while_writing_leaves_the_old_file_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    document, stored = shorter(path)
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(document, path, stored)
    assert path.read_text() == EVERYTHING
    assert only(path)


KILLED = """
import os, sys
from pathlib import Path
from kimera_tui.documents import edits, store

path = Path(sys.argv[1])
os.{at} = lambda *_, **__: os.kill(os.getpid(), 9)
stored = store.open_workflow(path)
document, _ = edits.delete(stored.document, ("steps", 0))
store.save(document, path, stored)
"""


@pytest.mark.parametrize("at", ["chmod", "fsync", "replace", "rename"])
def test_a_process_that_is_killed_while_writing_leaves_the_file_whole(path: Path, at: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(at=at), str(path)], cwd=REPO, check=False
    )
    text = path.read_text()
    assert done.returncode == (-signal.SIGKILL if text == EVERYTHING else 0)
    assert open_workflow(path).document.name == "everything"
    assert Library(path.parent).entries() == [path]


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder with a workflow in which this process may change nothing."""
    folder = Path(tempfile.mkdtemp(prefix="kt-", dir="/tmp"))
    (folder / "x").write_text(EVERYTHING)
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_is_a_sentence(closed_folder: Path) -> None:
    path = closed_folder / "x"
    document, stored = shorter(path)
    with pytest.raises(ConfigError, match=r"x: cannot be written \(Permission denied\)"):
        save(document, path, stored)
    assert path.read_text() == EVERYTHING
    assert only(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user's folder")
def test_a_folder_that_may_not_be_looked_into_is_a_sentence(closed_folder: Path) -> None:
    os.seteuid(0)
    closed_folder.chmod(0o700)
    os.seteuid(65534)
    with pytest.raises(ConfigError, match=r"x: cannot be written \(Permission denied\)"):
        save(Document(name="x"), closed_folder / "x", None)
    with pytest.raises(UsageError, match="No file"):
        Library(closed_folder).find(str(closed_folder / "x"))
    with pytest.raises(UsageError, match="No workflow `x`"):
        Library(closed_folder).find("x")


def test_places_that_are_no_files_are_sentences(tmp_path: Path) -> None:
    document = Document(name="x")
    (tmp_path / "file").write_text("")
    for path, why in (
        (tmp_path, "Is a directory"),
        (tmp_path / "file" / "below", "Not a directory|File exists"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(ConfigError, match=why):
            save(document, path, None)


def test_what_a_file_cannot_hold_is_not_written(path: Path) -> None:
    _, stored = shorter(path)
    step = TaskStep(id="a", task="b", kwargs={"x": "\ud800"})
    with pytest.raises(ConfigError, match="Cannot save"):
        save(Document(name="x", steps=[step]), path, stored)
    assert path.read_text() == EVERYTHING
    assert only(path)


# Finding


def test_workflows_are_found_by_path_and_by_name(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(tmp_path)
    monkeypatch.chdir("/")
    for word in (str(path), "everything", "Everything"):
        assert library.find(word) == path
    assert library.file_for("Nightly  orders: EU/US") == tmp_path / f"nightly-orders-eu-us{ENDING}"
    assert library.file_for("../../etc/passwd") == tmp_path / f"etc-passwd{ENDING}"
    assert library.file_for("…") == tmp_path / f"workflow{ENDING}"
    assert len(library.file_for("ü" * 500).name.encode()) <= 200


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("everythin", r"No workflow `everythin` in .*\. Near: `everything`\."),
        ("zzz", r"No workflow `zzz` in .*\. Available: everything\."),
        ("no/such", "No file no/such."),
        ("nothing.yaml", "No file nothing.yaml."),
        ("", "No workflow ``"),
        ("x" * 5000, "No workflow"),
        ("a\0b", "No workflow"),
        ("/" + "x" * 5000, "No file"),
    ],
)
def test_what_is_not_there_is_reported_with_what_is(path: Path, word: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Library(path.parent).find(word)


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert Library(tmp_path / "nowhere").entries() == []
    assert workflows_folder({}) == Path("workflows")
    assert workflows_folder({"KIMERA_WORKFLOWS": "/x"}) == Path("/x")


def test_a_file_that_has_not_the_form_cannot_be_opened(path: Path) -> None:
    path.write_text("kimera: 1\nname: x\nsteps: [{id: a}]\n")
    with pytest.raises(ConfigError, match=r"line 3: steps\.0: a step needs exactly one of"):
        open_workflow(path)
