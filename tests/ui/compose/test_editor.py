"""The operator's own editor, from the composer and from the picker."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kimera_tui.ui.app import KimeraApp
from tests.terminal.left_behind import is_running
from tests.ui.compose.composing import composer, open_saved, shape, written


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
        await open_saved(it)
        await it.keys("c", "E")
        assert shape(it.document.steps) == ["one", "from_editor", "two"]
        assert not it.app.state.composer.unsaved


@pytest.mark.usefixtures("terminal")
async def test_an_editor_that_fails_is_reported_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        original = it.document
        editor(monkeypatch, tmp_path, "sys.exit(3)")
        await it.keys("E")
        assert "exited with 3" in it.toasts
        monkeypatch.setenv("EDITOR", "/nowhere/vim")
        await it.keys("E")
        assert "EDITOR=/nowhere/vim: " in it.toasts
        monkeypatch.setenv("EDITOR", "vim 'half")
        await it.keys("E")
        assert "No closing quotation" in it.toasts
        assert it.document is original


async def test_where_the_terminal_can_not_be_left_the_editor_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(monkeypatch, tmp_path, "")
    written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("E")
        assert "Cannot suspend the console" in it.toasts


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


@pytest.mark.usefixtures("terminal")
async def test_a_broken_file_is_mended_in_the_editor_from_the_picker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(monkeypatch, tmp_path, "path.write_text(path.read_text().replace('tsk', 'task'))")
    written(tmp_path, "kimera: 1\nname: x\nsteps: [{id: a, tsk: echo.big}]\n", "broken")
    async with composer(tmp_path) as it:
        await it.keys("o", "ctrl+e")
        assert shape(it.document.steps) == ["a"]


INTERRUPTS = """
import os, signal, time
names = ("SIGINT", "SIGQUIT")
kept = [signal.getsignal(getattr(signal, name)) for name in names]
for name in names:
    os.kill(os.getppid(), getattr(signal, name))
path.write_text(path.read_text().replace("one", "interrupted"))
sys.exit(0 if kept == [signal.default_int_handler, signal.SIG_DFL] else 7)
"""


@pytest.mark.usefixtures("terminal")
async def test_ctrl_c_in_the_editor_is_the_editors_and_the_console_lives_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = (signal.SIGINT, signal.SIGQUIT)
    original = [signal.getsignal(number) for number in numbers]
    editor(monkeypatch, tmp_path, INTERRUPTS)
    written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.keys("E")
        assert shape(it.document.steps) == ["interrupted", "two"]
        assert "exited with" not in it.toasts
    assert [signal.getsignal(number) for number in numbers] == original


@pytest.mark.usefixtures("terminal")
async def test_a_files_name_is_never_an_option_of_the_editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    editor(monkeypatch, tmp_path, "(path.parent / 'seen').write_text(sys.argv[1])")
    written(tmp_path, name="+!id")
    async with composer(Path()) as it:
        await open_saved(it)
        await it.keys("E")
    assert (tmp_path / "seen").read_text() == str(tmp_path / "+!id.kimera.yaml")


@pytest.mark.usefixtures("terminal")
async def test_an_editor_does_not_outlive_the_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    editor(
        monkeypatch,
        tmp_path,
        f"import os, time\npathlib.Path({str(pid)!r}).write_text(f'{{os.getpid()}}.')\n"
        "time.sleep(600)",
    )
    written(tmp_path)
    async with composer(tmp_path) as it:
        await open_saved(it)
        await it.pilot.press("E")
        async with asyncio.timeout(60):
            while not pid.exists() or not pid.read_text().endswith("."):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    running = int(pid.read_text().removesuffix("."))
    async with asyncio.timeout(60):
        while is_running(running):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
