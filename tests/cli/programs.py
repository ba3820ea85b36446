"""Starts ``kimera-tui`` for tests: a new interpreter now and then, a fork of one mostly."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.cli.zygote import Order
from tests.conftest import REPO

Done = subprocess.CompletedProcess[str]


class Programs:
    """Runs commands of ``kimera-tui`` to their ends.

    The first run of each command is ``python -m kimera_tui``, which finds what that command
    forgets to import. The others are forked, and have real streams, signals and exits too.
    """

    def __init__(self) -> None:
        self._begun: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, words: list[str], env: Mapping[str, str], cwd: Path, text: str = "", timeout: int = 60
    ) -> Done:
        """Run a command; ``text`` is its standard input.

        Raises:
            TimeoutExpired: It did not end within ``timeout`` seconds; it has been killed.
        """
        command = next((word for word in words if not word.startswith("-")), "")
        if command in self._begun:
            return self._forked(Order(words, dict(env), str(cwd)), text, timeout)
        self._begun.add(command)
        return subprocess.run(
            [sys.executable, "-m", "kimera_tui", *words],
            capture_output=True, text=True, timeout=timeout, cwd=cwd, input=text, env=env,
        )  # fmt: skip

    def close(self) -> None:
        """End the process that programs are forked from."""
        if self._process is not None:
            self._control.shutdown(socket.SHUT_RDWR)
            self._told.close()
            self._control.close()
            self._process.wait()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.zygote", str(theirs.fileno())],
            cwd=REPO, pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()
        self._told = self._control.makefile("r")

    def _forked(self, order: Order, text: str, timeout: int) -> Done:
        if self._process is None:
            self._start()
        (in_, giving), (printing, out), (saying, err) = os.pipe(), os.pipe(), os.pipe()
        message = json.dumps(asdict(order)).encode()
        socket.send_fds(self._control, [f"{len(message):8}".encode()], [in_, out, err])
        self._control.sendall(message)
        for stream in (in_, out, err):
            os.close(stream)
        pid = int(self._told.readline())
        with ThreadPoolExecutor(3) as pool:
            pool.submit(_give, giving, text)
            printed, said = pool.submit(_all_of, printing), pool.submit(_all_of, saying)
            code = pool.submit(self._told.readline)
            try:
                return subprocess.CompletedProcess(
                    order.words, int(code.result(timeout)),
                    printed.result(timeout), said.result(timeout),
                )  # fmt: skip
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(order.words, timeout) from None


def _give(stream: int, text: str) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(stream, "w") as file:
        file.write(text)


def _all_of(stream: int) -> str:
    with os.fdopen(stream) as file:
        return file.read()
