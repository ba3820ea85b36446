"""The server and the workers of the Redis engine's tests."""

from __future__ import annotations

from tests.process.redis.conftest import lab, own_server, server

__all__ = ["lab", "own_server", "server"]
