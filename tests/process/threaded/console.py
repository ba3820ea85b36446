"""A TaskManager on a broker and result backend of the tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.process import TaskManager

SECONDS = 30.0


@dataclass(frozen=True)
class Ways:
    """Where messages go and where results come from."""

    name: str
    broker: str
    backend: str
    queue: str

    @property
    def keeps_results(self) -> bool:
        return self.backend != "rpc://"


@contextlib.asynccontextmanager
async def managed(ways: Ways, folder: Path) -> AsyncIterator[TaskManager]:
    """The TaskManager there, with one friend ``lab``."""
    friends = folder / "friends.yaml"
    friends.write_text(f"friends:\n  lab: {{route: lab.tasks, queue: {ways.queue}}}\n")
    settings = {
        "CELERY": "1",
        "BROKER_URL": ways.broker,
        "RESULT_BACKEND": ways.backend,
        "KIMERA_FRIENDS": str(friends),
    }
    with mock.patch.dict(os.environ, settings):
        TaskManager.reset(Bootstrap())
        manager = TaskManager()
    try:
        yield manager
        await asyncio.wait_for(manager.aclose(), SECONDS)
    finally:
        TaskManager.reset()
