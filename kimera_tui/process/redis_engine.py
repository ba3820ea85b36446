"""Placeholder until the Redis engine is written."""

from __future__ import annotations

from typing import Any

from kimera_tui.process.announcer import Announcer
from kimera_tui.process.engine import Engine


def redis_engine(app: Any, announcer: Announcer) -> Engine | None:
    """None: the thread engine serves."""
    return None
