"""Textual's ``App.run`` installs the eager task factory: when a task first runs must not matter."""

from __future__ import annotations

import asyncio
import sys

import pytest

from kimera_tui.process.loop.clock import new_id

from .console import Console
from .servers import Server
from .test_releaser import left


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_the_engine_works_with_eager_tasks(lab: Server) -> None:
    loop = asyncio.get_running_loop()
    old_factory = loop.get_task_factory()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009
    try:
        console, ids = Console(lab.url()), [new_id() for _ in range(100)]
        calls = (
            console.call("add", number, task_id=each, poll=(0.05, 0.1))
            for number, each in enumerate(ids)
        )
        outcomes = await asyncio.gather(*calls)
        assert [outcome.result for outcome in outcomes] == list(range(100))
        assert (await console.call("steps", 5, poll=(0.05, 0.1))).result == 5
        assert console.count()["Polled"] >= 2
        await console.engine.releaser.settle()
        assert left(lab, ids) == []
    finally:
        loop.set_task_factory(old_factory)
