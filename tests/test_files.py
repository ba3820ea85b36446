"""Files come whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kimera_tui.files import create_file, replace_file


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
    before = os.umask(0o022)
    try:
        replace_file(tmp_path / "deep" / "x", "text", private=private)
    finally:
        os.umask(before)
    assert rights(tmp_path / "deep" / "x") == mode
