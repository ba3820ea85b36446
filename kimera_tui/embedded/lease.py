"""A console's lease on the supervisor: a Unix socket that carries one JSON object per line."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path
from typing import Any, Self

_LEAST_SECONDS = 0.05


class Lease:
    """Held until it is closed; the kernel closes it when the process dies."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = connection.makefile("rb")

    @classmethod
    def take(cls, path: Path, deadline: float) -> Self:
        """Take a lease from the supervisor that listens on a socket.

        Raises:
            OSError: no supervisor listens.
        """
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_until(deadline))
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        return cls(connection)

    def send(self, message: dict[str, Any]) -> None:
        """Send one message.

        Raises:
            OSError: the supervisor is gone.
        """
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, deadline: float) -> dict[str, Any]:
        """Receive the next message; the deadline is on the monotonic clock.

        Raises:
            OSError: the supervisor is gone or silent until the deadline.
        """
        self._connection.settimeout(_until(deadline))
        line = self._reader.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the supervisor is gone")
        message: dict[str, Any] = json.loads(line)
        return message

    def wait_until_closed(self, deadline: float) -> None:
        """Wait until the supervisor has ended, or until the deadline."""
        with contextlib.suppress(OSError):
            self._connection.settimeout(_until(deadline))
            while self._reader.read(1):
                pass

    def close(self) -> None:
        """Release the lease."""
        self._reader.close()
        self._connection.close()


def _until(deadline: float) -> float:
    return max(_LEAST_SECONDS, deadline - time.monotonic())
