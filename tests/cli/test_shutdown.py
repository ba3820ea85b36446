"""How a command ends: a signal stops its loop, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kimera_tui.cli.program import event_loop
from kimera_tui.cli.program.event_loop import run
from kimera_tui.console.console import build_console
from kimera_tui.process.loop.shield import shielded
from tests.cli.conftest import environment

PROGRAM = """
import asyncio, os, sys, threading, time
from kimera_tui.cli.program import shutdown as module
from kimera_tui.cli.program.event_loop import run
from kimera_tui.process.loop.shield import shielded
from kimera_tui.cli.program.shutdown import end_as_program, way_out
module.LONGEST = 1.0
way_out.heed_signals()

def ready():
    print("ready", flush=True)

{body}
"""


def program(body: str) -> subprocess.Popen[str]:
    """A program of its own that has come to the point where it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    printed, errors = process.communicate(timeout=60)
    return process.returncode, printed, errors


CLOSES_SLOWLY = """
async def work():
    try:
        ready()
        await asyncio.Event().wait()
    finally:
        print("closing", flush=True)
        await shielded(asyncio.sleep({seconds}))
        print("closed")

def main():
    try:
        return run(work())
    except asyncio.CancelledError:
        return way_out.signalled

end_as_program(main)
"""


@pytest.mark.parametrize(("number", "code"), [("INT", 130), ("TERM", 143), ("HUP", 129)])
def test_a_signal_has_everything_cleared_up_and_printed(number: str, code: int) -> None:
    process = program(CLOSES_SLOWLY.format(seconds=0.1))
    process.send_signal(getattr(signal, f"SIG{number}"))
    assert ended(process) == (code, "closing\nclosed\n", "")


def test_a_second_ctrl_c_ends_at_once() -> None:
    process = program("module.LONGEST = 60.0\n" + CLOSES_SLOWLY.format(seconds=3600))
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "closing\n"
    process.send_signal(signal.SIGINT)
    assert ended(process)[:2] == (130, "")


def test_a_terminal_that_is_closed_may_say_so_twice() -> None:
    process = program(CLOSES_SLOWLY.format(seconds=0.5))
    process.send_signal(signal.SIGHUP)
    assert process.stdout is not None
    assert process.stdout.readline() == "closing\n"
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (129, "closed\n", "")


def test_clearing_up_has_a_limit() -> None:
    process = program(CLOSES_SLOWLY.format(seconds=3600))
    process.send_signal(signal.SIGTERM)
    code, printed, errors = ended(process)
    assert (code, printed) == (143, "closing\n")
    assert errors == "kimera-tui: not everything was cleaned up within 1 s.\n"


def test_a_loop_that_is_blocked_ends_too() -> None:
    process = program(
        "async def work():\n    ready()\n"
        "    lock = threading.Lock(); lock.acquire(); lock.acquire()\n"
        "end_as_program(lambda: run(work()))"
    )
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 143


def test_before_there_is_anything_to_clear_up_a_signal_ends_at_once() -> None:
    process = program("ready()\ntime.sleep(3600)")
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "", "kimera-tui: interrupted.\n")


def test_a_signal_that_was_switched_off_stays_so() -> None:
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "-", sys.executable, "-c",
         PROGRAM.format(body="ready()\nsys.stdin.readline()\nway_out.leave(0)")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    printed, errors = process.communicate("\n", timeout=60)
    assert (process.returncode, printed, errors) == (0, "", "")


def test_a_thread_in_c_code_does_not_outlive_the_library_it_is_in() -> None:
    """Loading certificates over and over while the process ends: OpenSSL takes itself apart."""
    body = (
        "import ssl\n"
        "def load():\n    while True: ssl.create_default_context()\n"
        "for _ in range(4): threading.Thread(target=load, daemon=True).start()\n"
        "ready()\ntime.sleep(0.05)\nprint('all')\nway_out.leave(7)"
    )
    for _ in range(5):
        assert ended(program(body)) == (7, "all\n", "")


def test_a_thread_of_the_library_in_c_code_is_waited_for_at_the_end(tmp_path: Path) -> None:
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None:
        pytest.skip("no CA certificates here: installing some gives OpenSSL something to do")
    many = tmp_path / "many.pem"
    many.write_text(Path(bundle).read_text() * 5)
    body = (
        "import ssl\n"
        "from kimera_tui.process.loop import call_thread\n"
        "call_thread.LAST_SECONDS = 60\n"
        f"def load(): ssl.create_default_context(cafile={str(many)!r})\n"
        "async def work():\n"
        "    return [call_thread.CallThread('c').call(load) for _ in range(3)]\n"
        "asyncio.run(work())\nready()"
    )
    for _ in range(8):
        assert ended(program(body)) == (0, "", "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_takes_is_reported_by_the_exit_code(unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        body = "end_as_program(lambda: print('x') or 0)"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(body=body)],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
            env=environment(PYTHONUNBUFFERED=unbuffered),
        )  # fmt: skip
    errors = "kimera-tui: the output cannot be written (No space left on device).\n"
    assert (done.returncode, done.stderr) == (1, errors)


def test_a_file_that_is_being_written_is_finished_before_an_end_at_once(tmp_path: Path) -> None:
    body = (
        "from pathlib import Path\nfrom kimera_tui import files\n"
        "sync = os.fsync\n"
        "def slow(fd):\n    ready(); time.sleep(0.3); sync(fd)\n"
        "os.fsync = slow\n"
        f"path = Path({str(tmp_path / 'it')!r})\n"
        "threading.Thread(target=files.replace_file, args=(path, 'all of it')).start()\n"
        "time.sleep(3600)"
    )
    process = program(body)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130
    assert [each.name for each in tmp_path.iterdir()] == ["it"]
    assert (tmp_path / "it").read_text() == "all of it"


async def test_what_is_shielded_goes_on_to_its_end_when_its_waiter_is_cancelled() -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.05)
        done.append("all")

    waiter = asyncio.create_task(shielded(work()))
    await asyncio.sleep(0)
    for _ in range(3):
        waiter.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert done == ["all"]


async def test_what_is_shielded_tells_its_result_and_its_error() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    assert await shielded(asyncio.sleep(0, "result")) == "result"
    with pytest.raises(ZeroDivisionError):
        await shielded(fails())


def test_a_background_task_that_does_not_end_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop, "END_SECONDS", 0.05)

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    async def work() -> int:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        tasks.append(task)
        return 5

    tasks: list[asyncio.Task[None]] = []
    assert run(work()) == 5
    assert not tasks[0].done()


def test_a_call_that_does_not_return_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop, "END_SECONDS", 0.05)
    go_on = threading.Event()

    async def work() -> int:
        asyncio.get_running_loop().run_in_executor(None, go_on.wait, 60)
        return 5

    assert run(work()) == 5
    go_on.set()


async def test_one_step_of_closing_that_fails_does_not_keep_the_others_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path))
    console = build_console({"KIMERA_FRIENDS": "friends.yaml"})
    await console.connection.open_journal()

    class Broken:
        async def stop(self) -> None:
            raise ZeroDivisionError

    monkeypatch.setattr(console.connection, "started_runner", Broken())
    await console.close()
    assert console.journal._queue.writer is None
