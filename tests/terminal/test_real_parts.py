"""Each mode by keys on the real parts: the embedded broker, two workers, the console's own screen.

The worker of the tests' queue announces nothing: no events, and no start of a task. The other one,
of the demo, announces everything and has nothing to do with the queue.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kimera_tui.console.console import build_console
from kimera_tui.embedded.broker import EmbeddedBroker
from kimera_tui.ui.app import KimeraApp
from tests.process.redis.servers import worker
from tests.ui.stage import grid, settle

SECONDS = 30.0
FRIENDS = """
friends:
  lab:
    route: lab.tasks
    queue: lab
    tasks:
      add: {params: {one: {type: int, required: true}, other: {type: int, default: 40}}}
      echo: {}
      fail: {params: {message: {type: string, default: on purpose}}}
      sleep: {params: {seconds: {type: float, default: 4}}}
"""


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    """The folder of an embedded broker with its demo worker, and another worker beside that."""
    folder = Path(tempfile.mkdtemp(prefix="kt-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIMERA_RUNTIME_DIR", str(folder))
        broker = EmbeddedBroker()
        url = broker.start(timeout=60).url
    counts = url.replace("redis+socket", "unix") + "?db=0"
    with worker(url, url, counts, queues="lab", name="w1"):
        yield folder
    broker.stop()
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Hands:
    """What somebody does and sees at the console."""

    pilot: Pilot[Any]
    app: KimeraApp

    @property
    def picture(self) -> str:
        return grid(self.app)

    async def keys(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await settle(self.pilot)

    async def sees(self, *texts: str) -> None:
        """Wait until all of it is on the screen at once."""
        try:
            async with asyncio.timeout(SECONDS):
                while not all(text in self.picture for text in texts):
                    await self.pilot.pause(0.05)
        except TimeoutError:
            raise AssertionError(f"{texts} never came:\n{self.picture}") from None


@asynccontextmanager
async def console(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Hands]:
    friends = tmp_path / "friends.yaml"
    friends.write_text(FRIENDS)
    monkeypatch.setenv("KIMERA_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    parts = build_console({"KIMERA_FRIENDS": str(friends)}, asks=True, say=lambda _: None)
    app = KimeraApp(parts)
    async with app.run_test(size=(160, 48)) as pilot:
        hands = Hands(pilot, app)
        await hands.sees("2 workers")
        yield hands


Open = Callable[[], AbstractAsyncContextManager[Hands]]


@pytest.fixture
def opened(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    return lambda: console(runtime, tmp_path, monkeypatch)


async def test_friends_sends_what_its_form_holds_and_shows_the_result(opened: Open) -> None:
    async with opened() as it:
        await it.sees("Queue lab is consumed by w1@lab.")
        await it.keys("enter", "2", "ctrl+r")
        await it.keys("3")
        await it.sees("lab.tasks.add(one=2, other=40)", "done", "result")
        assert "42" in it.picture


async def test_compose_runs_a_chain_that_hands_results_on(opened: Open) -> None:
    async with opened() as it:
        await it.keys("2")
        for _ in range(2):
            await it.keys("a")
            await it.keys(*"echo", "enter")
        await it.keys("ctrl+r")
        await it.keys("3")
        await it.sees("✓ done", "2/2", "lab.tasks.echo(args=[], kwargs={})")
        [run] = it.app.state.run_index.runs.values()
        first, second = run.steps.values()
        assert dict(second.kwargs) == first.result == {"args": [], "kwargs": {}}


async def test_live_sees_a_task_run_that_nobody_announces(opened: Open) -> None:
    async with opened() as it:
        await it.keys("down", "down", "down")
        await it.keys("ctrl+r")
        await it.keys("5", "r")  # asks the workers now, and not in some seconds
        await it.keys("3")
        await it.sees("running", "on w1@lab")
        await it.sees("done")


async def test_history_replays_a_failed_run_as_a_new_one(opened: Open) -> None:
    async with opened() as it:
        await it.keys("down", "down")
        await it.keys("ctrl+r")
        await it.keys("4")
        await it.sees("failed", "0/1")
        await it.keys("enter")
        await it.sees("ValueError: on purpose")
        await it.keys("p")
        await it.sees("A new run; this one stays as it is.", "Will run 1: fail.")
        await it.keys("enter")
        await it.sees("Events · all runs", "✗ lab.fail  failed")  # it is in Live
        await it.keys("4")
        await it.sees("lab.fail", "↺ ")
        assert it.picture.count("✗ failed") == 2


async def test_cluster_lists_both_workers_with_their_queues(opened: Open) -> None:
    async with opened() as it:
        await it.keys("5")
        await it.sees("demo@kimera", "w1@lab")
        rows = [line for line in it.picture.splitlines() if "@" in line]
        assert [("calculator" in row, row.rstrip(" │").endswith(" lab")) for row in rows] == [
            (True, False),
            (False, True),
        ]
