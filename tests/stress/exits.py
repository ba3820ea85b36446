"""Starts and ends of the program, each at its own random moment, and what was left behind.

Whatever is done to it, it ends by itself, with a documented exit code, and leaves nothing.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.conftest import environment
from tests.conftest import REPO
from tests.terminal.left_behind import family, heeds_signals, until_gone
from tests.terminal.terminal import Terminal

PATIENCE = 90.0
"""Seconds that an end may take on a busy machine; the program's own limit is 30."""
AT_ONCE = 3
"""Programs that run at the same time."""
NOT_TOLD = ("Traceback", "Exception ignored", "not everything was cleaned up", "Fatal Python")
Ground = str
"""URL of a broker without workers."""


@dataclass
class Lab:
    """One start and its end."""

    home: Path
    rng: random.Random
    broker: Ground
    allowed: set[int] = field(default_factory=set)
    """Exit codes that are right for it."""

    def variables(self, **more: str) -> dict[str, str]:
        return {
            "KIMERA_HOME": str(self.home / "home"),
            "KIMERA_RUNTIME_DIR": str(self.home),
            "KIMERA_FRIENDS": str(REPO / "friends.yaml"),
            "TEXTUAL_ANIMATIONS": "none",
            **more,
        }

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "kimera_tui", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPO,
            env=environment(**self.variables(**variables)),
        )

    def moment(self, process: subprocess.Popen[str], longest: float) -> None:
        """Wait until the program has begun, and then for some time."""
        while process.poll() is None and not heeds_signals(process.pid):
            time.sleep(0.001)
        until = time.monotonic() + self.rng.uniform(0, longest)
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)

    def ended(self, process: subprocess.Popen[str]) -> None:
        """Wait for the end and check it."""
        try:
            printed, errors = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError("it does not end") from None
        check(process.returncode, self.allowed, f"{printed or ''}{errors}")

    @contextlib.contextmanager
    def console(self, *, controls: bool = False, **variables: str) -> Iterator[Terminal]:
        env = self.variables(**variables)
        terminal = Terminal(["-m", "kimera_tui"], env, controls=controls)
        try:
            yield terminal
            code = self._code(terminal)
            crashes = [path.read_text() for path in self.home.glob("home/state/crash-*")]
            check(code, self.allowed, "\n".join([terminal.text, *crashes]))
        finally:
            terminal.close()

    def watch(self, terminal: Terminal, longest: float) -> None:
        """Look at a console for some time, from its beginning on."""
        while terminal.process.poll() is None and not heeds_signals(terminal.process.pid):
            terminal.read(0.001)
        terminal.read(self.rng.uniform(0, longest))

    def _code(self, terminal: Terminal) -> int:
        if not terminal.is_there:
            return terminal.process.wait(PATIENCE)
        return terminal.wait_for_end(PATIENCE)


def check(code: int, allowed: set[int], errors: str) -> None:
    assert code in allowed, f"exit code {code}, not one of {sorted(allowed)}: {errors[-4000:]}"
    for words in NOT_TOLD:
        assert words not in errors, errors[-3000:]


def send(lab: Lab, **variables: str) -> subprocess.Popen[str]:
    return lab.start("send", "calculator", "add", "--args", "[1, 2]", "--json", **variables)


def broker_gone(lab: Lab) -> None:
    lab.allowed = {69}
    lab.ended(send(lab, BROKER_URL="redis://127.0.0.1:1/0"))


def tls_without_its_file(lab: Lab) -> None:
    lab.allowed = {69}
    lab.ended(send(lab, BROKER_URL="rediss://localhost/0?ssl_ca_certs=ca/gone.crt"))


def tls_refused(lab: Lab) -> None:
    """A server that hangs up in the midst of the handshake, after some time."""
    lab.allowed = {69}
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_hang_up_on_all, args=(server, lab.rng), daemon=True).start()
        url = f"rediss://127.0.0.1:{server.getsockname()[1]}/0?ssl_cert_reqs=required"
        lab.ended(send(lab, BROKER_URL=url))
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def _hang_up_on_all(server: socket.socket, rng: random.Random) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            client.settimeout(1)
            with client, contextlib.suppress(OSError):
                client.recv(64)
                time.sleep(rng.uniform(0, 0.1))
                client.sendall(b"-ERR no TLS here\r\n")


def interrupted_on_the_private_broker(lab: Lab) -> None:
    _signalled(lab, send(lab), signal.SIGINT, {130, 0}, 2.5)


def interrupted_without_a_worker(lab: Lab) -> None:
    _signalled(lab, send(lab, BROKER_URL=lab.broker), signal.SIGINT, {130}, 1.5)


def interrupted_twice(lab: Lab) -> None:
    process = send(lab)
    lab.allowed = {130, 0}
    lab.moment(process, 2)
    for _ in range(2):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        time.sleep(lab.rng.uniform(0, 0.05))
    lab.ended(process)


def terminated(lab: Lab) -> None:
    number = lab.rng.choice([signal.SIGTERM, signal.SIGHUP])
    codes = {143} if number == signal.SIGTERM else {129}
    _signalled(lab, send(lab, BROKER_URL=lab.broker), number, codes, 1.5)


def workflow_interrupted(lab: Lab) -> None:
    process = lab.start("run", "daily-report", "-i", "day=2026-01-31", "--json")
    _signalled(lab, process, signal.SIGINT, {130, 0}, 3)


def list_interrupted(lab: Lab) -> None:
    words = lab.rng.choice([["runs"], ["friends"], ["workflow", "list"], ["--help"]])
    _signalled(lab, lab.start(*words), signal.SIGINT, {130, 0}, 0.6)


def demo_ended(lab: Lab) -> None:
    number = lab.rng.choice([signal.SIGINT, signal.SIGTERM])
    _signalled(lab, lab.start("demo"), number, {0, 130, 143}, 2)


def _signalled(
    lab: Lab, process: subprocess.Popen[str], number: int, codes: set[int], longest: float
) -> None:
    lab.allowed = codes
    lab.moment(process, longest)
    process.send_signal(number)
    lab.ended(process)


def reader_gone(lab: Lab) -> None:
    """Who reads the output goes away, as ``head`` does."""
    lab.allowed = {0, 1}
    process = lab.start(lab.rng.choice(["friends", "--help"]))
    assert process.stdout is not None
    assert process.stderr is not None
    if lab.rng.random() < 0.5:
        process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    lab.ended(process)


def console_left(lab: Lab) -> None:
    lab.allowed = {0}
    with lab.console() as console:
        console.wait_for("Friends", PATIENCE)
        lab.watch(console, 3)
        console.type("\x11")


def console_terminated(lab: Lab) -> None:
    lab.allowed = {143}
    with lab.console(BROKER_URL=lab.broker) as console:
        lab.watch(console, 3)
        console.process.send_signal(signal.SIGTERM)


def terminal_closed(lab: Lab) -> None:
    """With a SIGHUP, or without one, when another process leads the session."""
    lab.allowed = {129}
    with lab.console(controls=lab.rng.random() < 0.5) as console:
        console.wait_for("Friends", PATIENCE)
        lab.watch(console, 3)
        console.hang_up()


def terminal_closed_at_the_start(lab: Lab) -> None:
    lab.allowed = {129}
    with lab.console(controls=True, BROKER_URL=lab.broker) as console:
        lab.watch(console, 1.5)
        console.hang_up()


KINDS: dict[str, Callable[[Lab], None]] = {
    each.__name__: each
    for each in (
        broker_gone, tls_without_its_file, tls_refused, interrupted_on_the_private_broker,
        interrupted_without_a_worker, interrupted_twice, terminated, workflow_interrupted,
        list_interrupted, demo_ended, reader_gone, console_left, console_terminated,
        terminal_closed, terminal_closed_at_the_start,
    )
}  # fmt: skip


@dataclass
class Outcome:
    """What became of many starts of one kind."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    longest: float = 0.0

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {how}" for how, count in self.ends.most_common())
        return f"{ends}; the longest took {self.longest:.1f} s"


def stressed(kind: str, times: int, broker: Ground, seed: int = 1) -> Outcome:
    """Start and end the program so many times in one way."""
    outcome = Outcome()

    def once(number: int) -> None:
        home = Path(tempfile.mkdtemp(prefix="kx-", dir="/tmp"))
        began = time.monotonic()
        try:
            KINDS[kind](Lab(home, random.Random(f"{kind} {seed} {number}"), broker))
            until_gone(home, PATIENCE)
            check_clean(home)
            outcome.ends["well"] += 1
        except AssertionError as error:
            outcome.ends["badly"] += 1
            outcome.faults.append(f"{kind} {number}: {error}")
        finally:
            outcome.longest = max(outcome.longest, time.monotonic() - began)
            shutil.rmtree(home, ignore_errors=True)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(once, range(times)))
    return outcome


def check_clean(home: Path) -> None:
    assert family(home) == []
    left = [path for path in home.rglob("*") if path.suffix in (".tmp", ".sock")]
    assert left == []
