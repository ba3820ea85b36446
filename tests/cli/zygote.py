"""``kimera-tui`` forked from a process that has imported all of it already.

Reads orders from the socket whose descriptor is its argument: each forks a program that has the
arguments, the environment, the folder and the three streams of its order, and is answered with a
line for its process id and one for its exit code. The program is the one of ``python -m``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import socket
import sys
import time
from dataclasses import dataclass

import kimera_tui

LIBRARIES = ("celery.app.amqp", "celery.app.control", "celery.backends.redis", "celery.result",
             "kombu.transport.redis", "redis.asyncio")  # fmt: skip
LEFT_OUT = ("kimera_tui.__main__", "kimera_tui.ui", "kimera_tui.embedded.worker")
"""Modules that no forked program runs or needs."""


@dataclass
class Order:
    """One program to start."""

    words: list[str]
    env: dict[str, str]
    cwd: str


def import_all() -> None:
    """Import what commands import when they need it."""
    for module in pkgutil.walk_packages(kimera_tui.__path__, "kimera_tui."):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def become(order: Order, streams: list[int]) -> None:
    """Be the program of an order, as far as it differs from this process."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # As a new interpreter makes them: what they are connected to is another thing now.
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace")
    os.environ.clear()
    os.environ.update(order.env)
    time.tzset()
    os.chdir(order.cwd)
    sys.path[0] = order.cwd
    sys.argv = ["kimera_tui", *order.words]


def program(control: socket.socket) -> None:
    """Serve orders until nobody sends any; returns in each program that is to run."""
    while True:
        size, streams, _, _ = socket.recv_fds(control, 8, 3)
        if not size:
            sys.exit()
        left = int(size)
        text = b""
        while len(text) < left:
            text += control.recv(left - len(text))
        pid = os.fork()
        if pid == 0:
            control.close()
            become(Order(**json.loads(text)), streams)
            return
        for stream in streams:
            os.close(stream)
        control.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        control.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    import_all()
    program(socket.socket(fileno=int(sys.argv[1])))
    from kimera_tui.__main__ import main

    main()
