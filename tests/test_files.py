"""Files come whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kimera_tui.files import create_file, make_private_folder, open_private, replace_file


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def rights(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_file_is_never_put_over_another(tmp_path: Path) -> None:
    path = tmp_path / "x"
    create_file(path, "mine", private=True)
    assert rights(path) == 0o600
    with pytest.raises(FileExistsError):
        create_file(path, "other")
    assert path.read_text() == "mine"


@pytest.mark.parametrize("write", [create_file, replace_file])
def test_what_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object
) -> None:
    assert callable(write)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "x", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_replaced_file_keeps_its_rights_and_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    create_file(real, "old")
    real.chmod(0o640)
    link.symlink_to(real)
    replace_file(link, "new", private=True)
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert rights(real) == 0o640


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_a_file_that_was_not_there_has_the_rights_that_are_asked_for(
    tmp_path: Path, private: bool, mode: int
) -> None:
    old_umask = os.umask(0o022)
    try:
        replace_file(tmp_path / "deep" / "x", "text", private=private)
    finally:
        os.umask(old_umask)
    assert rights(tmp_path / "deep" / "x") == mode


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every umask that a user may have."""
    old_umask = os.umask(request.param)
    yield
    os.umask(old_umask)


@pytest.mark.usefixtures("umask")
def test_what_is_private_is_so_whatever_the_umask(tmp_path: Path) -> None:
    old_rights = rights(tmp_path)
    make_private_folder(tmp_path / "new" / "deep" / "er")
    replace_file(tmp_path / "other" / "deep" / "x", "text", private=True)
    create_file(tmp_path / "new" / "y", "text", private=True)
    with open(tmp_path / "new" / "z", "a", opener=open_private) as file:
        file.write("text")
    created = [*tmp_path.rglob("*")]
    assert {rights(path) for path in created if path.is_dir()} == {0o700}
    assert {rights(path) for path in created if path.is_file()} == {0o600}
    assert len(created) == 8
    assert rights(tmp_path) == old_rights


def test_a_file_that_is_there_keeps_what_is_in_it_and_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("before ")
    path.chmod(0o640)
    with open(path, "a", opener=open_private) as file:
        file.write("after")
    assert (path.read_text(), rights(path)) == ("before after", 0o640)
    with pytest.raises(FileExistsError):
        open_private(path, os.O_WRONLY | os.O_EXCL)


def test_a_folder_is_not_made_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    for place in ("x", "x/deep"):
        with pytest.raises(OSError, match=r"exists|Not a directory"):
            make_private_folder(tmp_path / place)
