"""The run id of a Redis server, which changes with every restart."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from kimera_tui.process.redis.wire import Wire, pack


async def ask_for_run_id(wire: Wire) -> None:
    """Ask a new connection for its server's run id; for ``RedisConnection.on_open``.

    Raises:
        ResponseError: the server is a node of a cluster.
    """
    reply: Any = (await wire.call(pack(b"INFO", b"server")))[0]
    if isinstance(reply, bytes):  # a user may lack the right to ask
        for line in reply.splitlines():
            if line.startswith(b"run_id:"):
                wire.server = line[7:]
            elif line in (b"redis_mode:cluster", b"server_mode:cluster"):
                raise ResponseError("cluster mode")
