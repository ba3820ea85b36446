"""A server, a worker and a runner with its journal, for documents that really run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.documents.document import Document
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.execution.runner import Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.runs.events import RunEnded
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.runs.journal.journal import Journal
from tests.process.redis.servers import Server
from tests.torture.lab import torture_worker

FRIENDS = {
    "lab": Friend(route="torture", queue="torture"),
    "idle": Friend(route="torture", queue="nobody-consumes-this"),
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("workflows")).start()
    with torture_worker(server):
        yield server
    server.stop()


@dataclass
class Console:
    """A runner, and what is known of its runs."""

    runner: Runner
    journal: Journal
    manager: TaskManager
    server: Server
    index: RunIndex
    mailbox: Any

    def folded(self, run_id: str) -> RunState:
        self.index.apply_all(self.mailbox.drain())
        return self.index.runs[run_id]

    async def until(self, run_id: str, path: str, *statuses: str) -> None:
        async with asyncio.timeout(15):
            while self.folded(run_id).steps[path].status not in statuses:
                await self.mailbox.wait()

    async def ended(self, run_id: str, *, masked: bool = False) -> RunState:
        """The run as the journal tells it, which is as it was told live, once it has ended.

        With ``masked`` results differ: the journal leaves secrets out.
        """
        async with asyncio.timeout(20):
            await asyncio.gather(self.runner.result(run_id), return_exceptions=True)
        events = await self.journal.events_of(run_id)
        assert [type(event) for event in events].count(RunEnded) == 1  # releases may come after
        index = RunIndex()
        index.apply_all(events)
        live, kept = self.folded(run_id), index.runs[run_id]
        assert live.status is kept.status
        for path, step in live.steps.items():
            assert kept.steps[path].status is step.status
            assert masked or kept.steps[path].result == step.result
        return kept

    async def run(self, plain: dict[str, Any], run_inputs: RunInputs | None = None) -> RunState:
        """Run a document to its end."""
        return await self.ended(self.runner.run(document(plain), run_inputs or RunInputs()))

    def executions(self, of: str) -> int:
        """How many tasks ran under a name."""
        return int(self.server.client(5).hget("of", of) or 0)


def document(plain: dict[str, Any]) -> Document:
    return Document.model_validate({"kimera": 1, "name": "flow", **plain})


@pytest_asyncio.fixture
async def console(server: Server, tmp_path: Path) -> AsyncIterator[Console]:
    async for each in open_console(server, tmp_path / "runs.db"):
        yield each


async def open_console(
    server: Server, path: Path, *, asks: bool = False, broker: str = ""
) -> AsyncIterator[Console]:
    broker = broker or server.url()
    environ = {"CELERY": "1", "BROKER_URL": broker, "RESULT_BACKEND": server.url()}
    TaskManager.reset(Bootstrap(environ, FRIENDS))
    manager, clock = TaskManager(), SystemClock()
    journal = Journal(path, clock)
    journal.follow(manager.events)
    await journal.open()
    runner = Runner(manager, clock, journal=journal, profile="lab", asks=asks)
    with manager.events.subscribe() as mailbox:
        yield Console(runner, journal, manager, server, RunIndex(), mailbox)
        await runner.stop()
        await manager.aclose()
        await journal.close()
    TaskManager.reset()
