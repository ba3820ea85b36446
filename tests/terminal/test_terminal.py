"""The console in a real terminal: hostile text, leaving it, and being killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.terminal.left_behind import family, until_gone
from tests.terminal.terminal import Terminal, terminal

OSC = re.compile(rb"\x1b\]([^\x07\x1b]*)")
CSI = re.compile(rb"\x1b\[([0-9;:?<>=$]*)[ -/]*([@-~])")
# What `y` puts on the clipboard (the data asks for four characters), and the mouse pointer's shape.
OURS = re.compile(rb"\x1b\](?:52;c;[A-Za-z0-9+/=]{40,}|22;[a-z-]*)\x07")
STRINGS = re.compile(rb"\x1b[PX^_]")


@pytest.fixture
def home() -> Iterator[Path]:
    """A home for the console's files, with a path short enough for sockets."""
    directory = Path(tempfile.mkdtemp(prefix="kt-", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def env(home: Path) -> dict[str, str]:
    return {
        "KIMERA_HOME": str(home / "home"),
        "KIMERA_RUNTIME_DIR": str(home),
        "TEXTUAL_ANIMATIONS": "none",
    }


def crashes(home: Path) -> str:
    """What the console wrote down when it crashed."""
    return "\n".join(path.read_text() for path in home.glob("home/state/crash-*"))


def check_nothing_acted(output: bytes) -> None:
    """Only Textual's own sequences, none of the data's."""
    assert not [text for text in OSC.findall(output) if b"PWNED" in text or text[:3] == b"52;"]
    assert not [params for params, _ in CSI.findall(output) if b"666" in params]
    assert not STRINGS.findall(output)
    text = output.decode(errors="surrogateescape")
    assert not re.search(r"[\x80-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\ud800-\udbff]", text)
    assert "\x07" not in text
    # The pty turns line ends of Textual's own into CR LF; no other control character is written.
    assert not re.search(r"[\x00-\x06\x0b\x0c\x0e-\x1a\x1c-\x1f]", text)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_hostile_text_in_every_pane_is_only_shown(home: Path, size: tuple[int, int]) -> None:
    with terminal(["-m", "tests.terminal.hostile_console"], env(home), size) as console:
        console.wait_for("Friends")
        console.read(1)
        console.type("\x14")
        console.wait_for("A workflow cannot hold this call")
        console.type("\x12")
        console.wait_for("Marked as dangerous")
        for keys in ("\x1b[C", "\r"):
            console.type(keys)
        console.wait_for("Input / Output" if size[0] > 100 else "Steps", since=0)
        console.read(1)
        for keys in ("o", "\t", "j", "j", "\t", "k", "k", "g", "G", "l", "l", "y", "o", "r", "r"):
            console.type(keys)
        for keys in ("5", "2", "j", "i", "\x1b", "j", "e", "\x1b", "n", "p", "\x1b", "P", "\x1b"):
            console.type(keys)
        for keys in ("?", "\x1b", "\x10", "\x1b", "3", "1"):
            console.type(keys)
        for mode in ("1", "2", "3", "4", "5"):
            console.type(mode)
            for y in range(2, size[1] - 1):
                for x in range(2, size[0], 9):
                    console.click(x, y)
                console.read(0.02)
        console.type("\x1b")
        since = len(console.output)
        console.type("?")  # goes the way of the clicks: all of them have been worked off by then
        console.wait_for("All keys", 60, since)
        console.type("\x1b")
        assert console.process.poll() is None, crashes(home) or console.text[-2000:]
        check_nothing_acted(OURS.sub(b"", console.output))
        since = len(console.output)
        console.type("\x11")
        console.wait_for("has unsaved edits", 20, since)
        for keys in ("\x1b[C", "\x1b[C", "\r"):
            console.type(keys)
        assert console.wait_for_end() == 0


def send_the_first_task(console: Terminal) -> None:
    console.wait_for("embedded valkey")
    console.wait_for("1 worker")
    console.type("\x12")
    console.wait_for("succeeded")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_leaving_restores_the_terminal_and_leaves_nothing_behind(home: Path) -> None:
    with terminal(["-m", "kimera_tui"], env(home)) as console:
        send_the_first_task(console)
        assert len(family(home)) > 3
        console.type("\x11")
        assert console.wait_for_end() == 0
        assert console.modes == console.modes_before
        assert console.output.rfind(b"\x1b[?1049l") > console.output.rfind(b"\x1b[?1049h")
        assert b"\x1b[?25h" in console.output[-400:]
        assert "Traceback" not in console.text
    until_gone(home)
    assert [path for path in home.iterdir() if path.name != "home"] == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_killed_console_leaves_no_process_socket_or_file_of_the_broker(home: Path) -> None:
    with terminal(["-m", "kimera_tui"], env(home)) as console:
        send_the_first_task(console)
        os.kill(console.process.pid, signal.SIGKILL)
        console.process.wait(5)
        until_gone(home)
    assert [path for path in home.iterdir() if path.name != "home"] == []


def test_a_broker_that_is_not_there_is_reported_on_the_screen_which_lives_on(home: Path) -> None:
    own = {"BROKER_URL": "redis://:hunter2@127.0.0.1:1/0", "KIMERA_FRIENDS": "friends.yaml"}
    with terminal(["-m", "kimera_tui"], {**env(home), **own}) as console:
        console.wait_for("calculator")
        console.type("\x12")
        console.wait_for("connection refused")
        console.type("2")
        console.wait_for("Nothing composed yet")
        assert "hunter2" not in console.text
        console.type("\x11")
        assert console.wait_for_end() == 0
        assert "Traceback" not in console.text


def test_a_malformed_broker_url_is_reported_on_the_screen_which_lives_on(home: Path) -> None:
    own = {"BROKER_URL": "redis://:s3cr#et@h/0", "KIMERA_FRIENDS": str(REPO / "friends.yaml")}
    with terminal(["-m", "kimera_tui"], {**env(home), **own}) as console:
        console.wait_for("a password with # must be written %23")
        console.type("\x12")
        console.type("3")
        console.wait_for("No runs yet")
        assert "s3cr" not in console.text
        console.type("\x11")
        assert console.wait_for_end() == 0
