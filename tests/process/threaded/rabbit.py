"""A RabbitMQ node of the tests' own: loopback only, with its own epmd, nothing of it stays."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.process.redis.servers import free_port

START_SECONDS = 90
_DIRECT = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # Debian's wrapper changes user and forgets env


def rabbit_binary() -> str | None:
    return _DIRECT if Path(_DIRECT).exists() else shutil.which("rabbitmq-server")


@dataclass
class Rabbit:
    folder: Path
    port: int = field(default_factory=free_port)
    _epmd_port: int = field(default_factory=free_port)
    _dist_port: int = field(default_factory=free_port)
    _epmd: subprocess.Popen[bytes] | None = None
    _node: subprocess.Popen[bytes] | None = None

    def start(self) -> Rabbit:
        epmd, binary = shutil.which("epmd"), rabbit_binary()
        assert epmd
        assert binary
        if self._epmd is None:
            self._epmd = subprocess.Popen(
                [epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        (self.folder / "plugins").write_text("[].")
        with (self.folder / "out").open("wb") as out:
            self._node = subprocess.Popen(
                [binary], env=self._environment(), stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, start_new_session=True, cwd=self.folder,
            )  # fmt: skip
        self._wait()
        return self

    def url(self, vhost: str = "/") -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{vhost}"

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"kimera{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _wait(self) -> None:
        assert self._node
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as peer:
                    peer.settimeout(5)
                    peer.sendall(b"AMQP\x00\x00\x09\x01")
                    if peer.recv(1):
                        return
            except OSError:
                pass
            output = (self.folder / "out").read_text(errors="replace")[-2000:]
            assert self._node.poll() is None, f"RabbitMQ ended: {output}"
            assert time.monotonic() < until, f"RabbitMQ did not start: {output}"
            time.sleep(0.1)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the node as a power cut would; its data stay."""
        self._signal(signal.SIGKILL)
        if self._node:
            self._node.wait()

    def stop(self) -> None:
        self.kill()
        if self._epmd:
            self._epmd.kill()
            self._epmd.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._node:
            try:
                os.killpg(self._node.pid, number)
            except ProcessLookupError:
                return
