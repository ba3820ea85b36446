"""Where the sockets lie, and whom that place must belong to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.embedded.broker import EmbeddedBroker, EmbeddedError
from kimera_tui.embedded.runtime_dir import LONGEST_SOCKET_PATH, instance_dir, try_lock

from .conftest import make_client


def test_session_directory(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIMERA_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert instance_dir("x") == runtime / "kimera" / "x"
    with EmbeddedBroker("y", worker=False) as broker:
        assert broker.start().directory == runtime / "kimera" / "y"
    (runtime / "kimera" / "x").rmdir()
    with EmbeddedBroker("y", worker=False):
        pass
    assert list(runtime.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "a b", "x" * 41, "é"])
def test_bad_names(runtime: Path, name: str) -> None:
    with pytest.raises(EmbeddedError, match="is not a valid instance name"):
        instance_dir(name)


def test_too_long_directories_get_short_ones(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = []
    for letter in "ab":
        monkeypatch.setenv("KIMERA_RUNTIME_DIR", str(runtime / (letter * 110)))
        with EmbeddedBroker("long", worker=False) as broker:
            info = broker.start()
            places.append(info.directory)
            assert len(os.fsencode(info.directory / "broker.sock")) <= LONGEST_SOCKET_PATH
        assert not info.directory.exists()
    assert places[0] != places[1]


def test_odd_characters_in_the_path(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIMERA_RUNTIME_DIR", str(runtime / "a b%20#@:é?"))
    with EmbeddedBroker("odd") as broker:
        app = make_client(broker.start().url)
        result = app.send_task("calculator.add", [2, 3], queue="calculator")
        assert result.get(timeout=60) == 5
        app.close()


def test_shared_directory_of_the_user_keeps_its_mode(runtime: Path) -> None:
    runtime.chmod(0o1777)
    assert instance_dir("x").stat().st_mode & 0o777 == 0o700
    assert runtime.stat().st_mode & 0o7777 == 0o1777


def test_directory_that_others_can_write_to(runtime: Path) -> None:
    runtime.chmod(0o777)
    with pytest.raises(EmbeddedError, match="other users can write"):
        instance_dir("x")


def test_link_in_our_place(runtime: Path, tmp_path: Path) -> None:
    (runtime / "x").symlink_to(tmp_path)
    with pytest.raises(EmbeddedError):
        instance_dir("x")


def test_file_in_our_place(runtime: Path) -> None:
    (runtime / "x").write_text("")
    with pytest.raises(EmbeddedError):
        instance_dir("x")


def test_files_of_others_stay(runtime: Path) -> None:
    (runtime / "x").mkdir(mode=0o700)
    mine = runtime / "x" / "thesis.tex"
    mine.write_text("...")
    with EmbeddedBroker("x", worker=False):
        pass
    assert list((runtime / "x").iterdir()) == [mine]


def test_lock_is_exclusive_and_on_what_is_there(runtime: Path) -> None:
    directory = instance_dir("x")
    lock = try_lock(directory)
    assert lock is not None
    assert try_lock(directory) is None
    os.close(lock)
    directory.rmdir()
    assert try_lock(directory) is None


def test_busy_instance_is_not_waited_for_forever(runtime: Path) -> None:
    lock = try_lock(instance_dir("busy"))
    assert lock is not None
    with pytest.raises(EmbeddedError, match="did not answer within"):
        EmbeddedBroker("busy").start(timeout=0.2)
    os.close(lock)


@pytest.mark.parametrize("gone", [FileNotFoundError, FileExistsError])
def test_a_directory_that_goes_while_it_is_made_is_made_again(
    runtime: Path, monkeypatch: pytest.MonkeyPatch, gone: type[OSError]
) -> None:
    """A ``mkdir`` that finds one which is removed before it is looked at says that it exists."""
    mkdir, fails = Path.mkdir, [gone(), gone()]

    def racing_mkdir(self: Path, *args: Any, **more: Any) -> None:
        if self.name == "quick" and fails:
            raise fails.pop()
        mkdir(self, *args, **more)

    monkeypatch.setattr(Path, "mkdir", racing_mkdir)
    assert instance_dir("quick").is_dir()
    assert not fails
