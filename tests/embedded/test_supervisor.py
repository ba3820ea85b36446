"""Starting children again, and what holds where the kernel does not end them with us (macOS)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kimera_tui.embedded import supervisor
from kimera_tui.embedded.leftovers import prepare
from kimera_tui.embedded.runtime_dir import instance_dir
from kimera_tui.embedded.server import configuration, find_server

from .helpers import until

LIFELINE = """
import os, sys, time
from kimera_tui.embedded.worker import end_with
child = os.fork()
end_with(int(sys.argv[1]))
os.write(1, b"x")
time.sleep(60)
"""


def test_worker_and_its_children_end_with_the_pipe() -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", LIFELINE, str(reader)],
        stdout=subprocess.PIPE,
        pass_fds=(reader,),
        start_new_session=True,
    )
    os.close(reader)
    assert process.stdout is not None
    with process.stdout as pipe:
        assert pipe.read(2) == b"xx"
        os.close(writer)
        assert pipe.read() == b""  # both have closed it
    assert process.wait(20) != 0


def test_orphaned_server_is_ended(runtime: Path) -> None:
    directory = instance_dir("orphan")
    server, socket = find_server(), directory / "broker.sock"
    process = subprocess.Popen([server.path, "-"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(configuration(server, directory, socket).encode())
    until(socket.exists)
    prepare(directory)
    assert process.wait(20) == 0
    assert list(directory.iterdir()) == []


def test_orphan_that_does_not_listen_is_left(runtime: Path) -> None:
    """A dead server's socket is only a file."""
    directory = instance_dir("dead")
    (directory / "broker.sock").touch()
    prepare(directory)
    assert list(directory.iterdir()) == []


def test_back_off_doubles_and_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_log", lambda _text: None)
    started: list[int] = []

    def start(starts: int) -> subprocess.Popen[bytes]:
        started.append(starts)
        process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
        process.wait(20)
        return process

    child = supervisor.Child("worker", start)
    assert child.tick(0.0) is None
    assert [child.tick(0.0) for _ in range(2)] == [0.2, 0.2]
    assert child.tick(0.2) is None
    assert child.tick(0.2) == pytest.approx(0.4)
    now = 0.6
    for _ in range(12):
        child.tick(now)
        now += child.tick(now) or 0.0
    assert child.tick(now) is None
    assert child.tick(now) == 15.0
    child.tick(now + 15)
    assert child.tick(now + 15 + 60) == pytest.approx(0.2)
    assert child.failures == 1
    assert started == list(range(child.starts))
