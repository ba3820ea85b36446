"""A broker that goes away in the middle of a run ends nothing: real server, real worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.documents.document import Document
from kimera_tui.errors import BrokerUnavailable, TimeoutException
from kimera_tui.execution.runner import Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.runs.index import RunIndex, RunState
from tests.process.redis.servers import Proxy, Server, free_port, unrelated_worker, worker

LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
OUTAGE = 1.5
"""Seconds; the patience of messages that have none of their own is shorter here."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("redis")).start()
    urls = running.url(), running.url(), running.url(5)
    with worker(*urls), unrelated_worker(*urls):
        yield running
    running.stop()


@dataclass
class Lab:
    """A console whose broker can be taken away."""

    server: Server
    proxy: Proxy
    runner: Runner
    take_in: Callable[[], RunIndex]

    def start(self, *steps: dict[str, Any]) -> str:
        return self.runner.run(Document.model_validate({"name": "n", "steps": list(steps)}))

    def causes(self, run_id: str) -> list[str]:
        return [step.cause for step in self.take_in().runs[run_id].steps.values()]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - events are taken in by looking
                await asyncio.sleep(0.02)

    async def ended(self, run_id: str) -> RunState:
        async with asyncio.timeout(30):
            await asyncio.gather(self.runner.result(run_id), return_exceptions=True)
        return self.take_in().runs[run_id]

    def executions(self, run: RunState) -> list[int]:
        ids = [step.task_id for step in run.steps.values()]
        return [int(count or 0) for count in self.server.client(5).hmget("runs", ids)]


@pytest.fixture
async def lab(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    monkeypatch.setattr("kimera_tui.process.redis.publisher.PATIENCE", 0.2)
    monkeypatch.setattr("kimera_tui.process.redis.publisher.DOUBT_SECONDS", 0.2)
    async with Proxy(server.port) as proxy:
        environ = {"CELERY": "1", "BROKER_URL": proxy.url(), "RESULT_BACKEND": proxy.url()}
        TaskManager.reset(Bootstrap(environ, {"lab": Friend(route="lab.tasks", queue="celery")}))
        manager, index = TaskManager(), RunIndex()
        runner = Runner(manager, SystemClock())
        with manager.events.subscribe(100_000) as mailbox:

            def take_in() -> RunIndex:
                index.apply_all(mailbox.drain())
                return index

            yield Lab(server, proxy, runner, take_in)
            await runner.stop()
            await manager.aclose()
        TaskManager.reset()


ADDS = [{"id": each, "task": "lab.add", "args": [1], "pass": "none"} for each in ("one", "two")]


async def begun(lab: Lab) -> None:
    """Have the connections made: a broker that was never there is not waited for."""
    assert (await lab.ended(lab.start(ADDS[0]))).status == "done"


async def away_for_a_while(lab: Lab, run_id: str, says: str) -> RunState:
    """The end of a run after an outage in which it said what it waits for."""
    until = time.monotonic() + OUTAGE
    await lab.until(lambda: any(says in cause for cause in lab.causes(run_id)))
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    lab.proxy.refuse = lab.proxy.swallow = False
    lab.proxy.answers = {}
    return await lab.ended(run_id)


async def test_a_step_is_sent_when_the_broker_is_back(lab: Lab) -> None:
    await begun(lab)
    lab.proxy.refuse = True
    lab.proxy.cut()
    await asyncio.sleep(0.2)  # else it is sent over the connection that is just being cut
    run = await away_for_a_while(lab, lab.start(*ADDS), "when the broker answers")
    assert run.status == "done"
    assert lab.executions(run) == [1, 1]


async def test_a_reply_that_gets_lost_before_an_outage_doubles_nothing(lab: Lab) -> None:
    await begun(lab)
    lab.proxy.lose_reply_to, lab.proxy.refuse = b"EVAL", True
    run = await away_for_a_while(lab, lab.start(*ADDS), "It may be queued; Kimera checks")
    assert run.status == "done"
    assert lab.executions(run) == [1, 1]


@pytest.mark.parametrize("cut", [True, False], ids=["after a restart", "while connected"])
async def test_a_server_that_is_loading_is_waited_for(lab: Lab, cut: bool) -> None:
    await begun(lab)
    commands = (b"PING", b"SUBSCRIBE", b"STRLEN") if cut else (b"EVAL",)
    lab.proxy.answers = dict.fromkeys(commands, LOADING)
    if cut:
        lab.proxy.cut()
    run = await away_for_a_while(lab, lab.start(*ADDS), "is loading its data")
    assert run.status == "done"
    assert lab.executions(run) == [1, 1]


async def test_an_outage_is_no_time_in_which_a_step_could_end(lab: Lab) -> None:
    await begun(lab)
    run_id = lab.start({"id": "one", "task": "lab.sleep", "args": [0.5], "timeout": "1s"})
    await lab.until(lambda: any("sent to queue celery" in cause for cause in lab.causes(run_id)))
    lab.proxy.refuse = True
    lab.proxy.cut()
    await asyncio.sleep(OUTAGE)
    lab.proxy.refuse = False
    assert (await lab.ended(run_id)).status == "done"


async def test_a_step_whose_time_is_over_ends_though_there_was_an_outage(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimera_tui.execution.step_sender.OUTAGE_SECONDS", 1.0)
    await begun(lab)
    run_id = lab.start({"id": "one", "task": "lab.sleep", "args": [2], "timeout": "0.3s"})
    await lab.until(lambda: any("sent to queue celery" in cause for cause in lab.causes(run_id)))
    lab.proxy.refuse = True
    lab.proxy.cut()
    with pytest.raises(TimeoutException):
        await asyncio.wait_for(lab.runner.result(run_id), 10)


async def test_a_broker_that_stays_away_ends_the_step_in_the_end(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimera_tui.execution.step_sender.OUTAGE_SECONDS", 0.5)
    await begun(lab)
    lab.proxy.refuse = True
    lab.proxy.cut()
    with pytest.raises(BrokerUnavailable, match=r"closed the connection|is not there"):
        await lab.runner.result(lab.start({**ADDS[0], "timeout": "0.2s"}))


async def test_a_first_connection_that_is_refused_ends_the_run_at_once() -> None:
    environ = {"CELERY": "1", "BROKER_URL": f"redis://127.0.0.1:{free_port()}/0"}
    TaskManager.reset(Bootstrap(environ, {"lab": Friend(route="lab.tasks", queue="celery")}))
    runner = Runner(TaskManager(), SystemClock())
    run_id = runner.run(Document.model_validate({"name": "n", "steps": ADDS}))
    with pytest.raises(BrokerUnavailable, match="is not there"):
        await asyncio.wait_for(runner.result(run_id), 5)
    await TaskManager().aclose()
    TaskManager.reset()
