"""Any order of sending, working, losing, restarting, crashing, cancelling and replaying."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.documents.calls import Chain, Para, Task, Workflow
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.runner import Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.journal.summaries import run_summary, step_row
from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.runs.recovery import recover

from .fake_broker import FakeBroker, FakeEngine

STEP = Task(TaskParams("lab", "step"))
SHAPES = [
    Chain([STEP, STEP, STEP]),
    Para([STEP, STEP, STEP]),
    Chain([STEP, Para([STEP, Chain([STEP, STEP])]), STEP]),
]


class Inline:
    """A thread's calls, made at once: so each example goes the same way each time."""

    def call(self, function: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        return


class Console:
    """One console on the fake broker; ``crash`` ends it without a last word."""

    def __init__(self, path: Path, broker: FakeBroker) -> None:
        environ = {"CELERY": "1", "BROKER_URL": "redis://fake", "RESULT_BACKEND": "redis://fake"}
        TaskManager.reset(Bootstrap(environ, {"lab": Friend(route="lab", queue="q")}))
        manager = TaskManager()
        engines = manager._engines
        engines._engines[engines._default] = FakeEngine(broker).engine
        engines._loop = asyncio.get_running_loop()
        clock = SystemClock()
        self.journal = Journal(path, clock)
        self.journal._queue._thread = self.journal._read_thread = Inline()  # type: ignore[assignment]
        self.journal.follow(manager.events)
        self.runner = Runner(manager, clock, journal=self.journal)

    async def crash(self) -> None:
        writer = self.journal._queue.writer
        assert writer is not None
        for task in self.journal._background:
            task.cancel()
        # Whatever isn't written by now never will be; the run's owner is dead for all others.
        self.journal._queue.writer = None
        await self.journal._queue.call(
            lambda: writer._db.execute("UPDATE run SET lease_until = 0 WHERE ended IS NULL")
        )
        await self.journal._queue.call(writer._db.close)
        await self.runner.stop()
        await self.journal.close()

    async def calm(self) -> None:
        """Let everything happen that can happen now."""
        for _ in range(3):
            for _ in range(15):
                await asyncio.sleep(0)
            await self.journal.flush()


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="kimera-machine-"))
        self.broker = FakeBroker()
        self.cancelling: list[asyncio.Future[Any]] = []
        self.console = self.loop.run_until_complete(self._open())

    async def _open(self) -> Console:
        console = Console(self.folder / "runs.db", self.broker)
        await console.journal.open()
        found = await recover(console.journal, console.runner.resume, "")
        for run_id, _ in found.left:
            await console.runner.resume(run_id)
        await console.calm()
        return console

    def do(self, work: Any) -> Any:
        async def then() -> Any:
            done = await work
            await self.console.calm()
            return done

        return self.loop.run_until_complete(then())

    @rule(shape=st.sampled_from(SHAPES))
    def start(self, shape: Any) -> None:
        async def start() -> None:
            self.console.runner.start(Workflow("run", shape))

        self.do(start())

    @rule(position=st.integers(0, 9), good=st.sampled_from([True, True, True, False]))
    def work(self, position: int, good: bool) -> None:
        async def work() -> None:
            if self.broker.queue:
                self.broker.work(position, good)

        self.do(work())

    @rule(turns=st.integers(0, 12), shape=st.sampled_from([None, *SHAPES]), also=st.booleans())
    def crash(self, turns: int, shape: Any, also: bool) -> None:
        """Crash some turns of the loop after something began."""

        async def crash() -> None:
            if shape is not None:
                self.console.runner.start(Workflow("run", shape))
            if also and self.broker.queue:
                self.broker.work(0, True)
            for _ in range(turns):
                await asyncio.sleep(0)
            await self.console.crash()
            self.console = await self._open()

        self.loop.run_until_complete(crash())

    @rule()
    def lose_the_next_reply(self) -> None:
        self.broker.loses_next_reply = True

    @rule()
    def the_broker_loses_its_data(self) -> None:
        self.broker.restart_empty()

    @rule(away=st.booleans())
    def the_broker_goes_or_comes(self, away: bool) -> None:
        self.broker.away = away

    @rule(which=st.integers(0, 50))
    def cancel(self, which: int) -> None:
        async def cancel() -> None:
            if going := list(self.console.runner._active.executors):
                # It waits a while for what it revoked to end; the machine goes on meanwhile.
                work = self.console.runner.cancel(going[which % len(going)])
                self.cancelling.append(asyncio.ensure_future(work))

        self.do(cancel())

    @rule(which=st.integers(0, 50), mode=st.sampled_from(["again", "from_failed"]))
    def replay(self, which: int, mode: str) -> None:
        async def replay() -> None:
            ended = [row for row in await self.console.journal.runs() if row.ended is not None]
            if ended:
                await self.console.runner.replay(
                    ended[which % len(ended)].run_id, ReplayRequest(mode)
                )

        self.do(replay())

    @invariant()
    def nothing_is_published_or_run_twice(self) -> None:
        assert all(count == 1 for count in self.broker.pushes.values())
        assert all(count == 1 for count in self.broker.executions.values())

    def teardown(self) -> None:
        async def to_the_end() -> None:
            self.broker.away = False
            for _ in range(200):
                await self.console.calm()
                if not self.broker.queue:
                    break
                self.broker.work(0, True)
            await self.console.crash()  # so that what the broker lost is found out
            self.console = await self._open()
            for _ in range(200):
                await self.console.calm()
                if not self.broker.queue:
                    break
                self.broker.work(0, True)
            await asyncio.gather(*self.cancelling, return_exceptions=True)
            await self._judge()
            await self.console.runner.stop()
            await self.console.journal.close()

        try:
            self.loop.run_until_complete(to_the_end())
            self.nothing_is_published_or_run_twice()
        finally:
            TaskManager.reset()
            self.loop.close()
            shutil.rmtree(self.folder)

    async def _judge(self) -> None:
        journal = self.console.journal
        writer = journal._queue.writer
        assert writer is not None
        for row in await journal.runs(limit=10_000):
            assert row.ended is not None, row
            index = RunIndex()
            index.apply_all(await journal.events_of(row.run_id))
            run = index.runs[row.run_id]
            assert (row.status, row.done, row.total, row.ended, row.error) == run_summary(
                run, Packer()
            )
            stored = await journal._queue.call(_steps_of, writer, row.run_id)
            assert stored == sorted(step_row(step, Packer()) for step in run.steps.values())


def _steps_of(writer: Any, run_id: str) -> list[Any]:
    return writer._db.execute(
        "SELECT path, step.status, sent, began, step.ended, step.error FROM step"
        " JOIN run ON run.key = step.run WHERE run_id = ? ORDER BY path",
        (run_id,),
    ).fetchall()


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
