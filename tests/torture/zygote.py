"""A console without a screen, forked from a process that has imported everything already.

Reads one JSON object a line (see ``Order``), forks a console that carries it out, and answers
with a line for the console's process id and one for its exit code, negative for a signal.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import celery.app.amqp
import celery.backends.redis  # noqa: F401 - all of it imported once here, not in each console
import kombu.transport.redis  # noqa: F401

import kimera_tui.process.redis.engine
import kimera_tui.runs.journal.queries
import kimera_tui.runs.journal.writer  # noqa: F401
from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.runner import Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.recovery import recover
from tests.torture.crash import Crash, die_after, without
from tests.torture.shapes import DOCUMENTS, HANDED_OVER, document, workflow

FRIENDS = {"lab": Friend(route="torture", queue="torture")}
LONGEST = 40.0


@dataclass
class Order:
    journal: str
    broker: str
    shape: str
    name: str
    kill_at: int = 0
    kill_after: float = 0.0
    pause: float = 0.0
    """Seconds that each task takes."""
    without: str = ""
    starts: bool = True
    """Whether the console starts a run and replays it; otherwise it only goes on with what is."""
    trace: str = ""
    """File for the names of all crash points that were passed."""


async def console(order: Order) -> None:
    """Recover what is there, start what isn't, replay what failed, and leave when all has ended."""
    environ = {"CELERY": "1", "BROKER_URL": order.broker, "RESULT_BACKEND": order.broker}
    TaskManager.reset(Bootstrap(environ, FRIENDS))
    manager, clock = TaskManager(), SystemClock()
    journal = Journal(Path(order.journal), clock)
    journal.follow(manager.events)
    runner = Runner(manager, clock, journal=journal, profile="lab")
    found = await recover(journal, runner.resume, "lab")
    for run_id, _ in found.left:
        await runner.resume(run_id)
    open_runs = [run.run_id for run in await journal.open_runs()]
    rows = await journal.runs()
    if not rows and order.starts:
        if order.shape == HANDED_OVER:
            open_runs.append(await runner.detach(document(order.shape, order.name)))
        elif order.shape in DOCUMENTS:
            open_runs.append(runner.run(document(order.shape, order.name)))
        else:
            open_runs.append(runner.start(workflow(order.shape, order.name, order.pause)))
    await asyncio.gather(*(runner.result(each) for each in open_runs), return_exceptions=True)
    if order.shape == "replay from failed" and order.starts:
        rows = await journal.runs()
        if len(rows) == 1 and rows[0].ended is not None:
            replayed = await runner.replay(rows[0].run_id, ReplayRequest("from_failed"))
            await asyncio.gather(runner.result(replayed), return_exceptions=True)
    await runner.stop()
    await manager.aclose()
    await journal.close()


def carry_out(order: Order) -> None:
    crash = Crash(order.kill_at)
    if order.without:
        without(order.without)
    crash.install()
    if order.kill_after:
        die_after(order.kill_after)
    asyncio.run(asyncio.wait_for(console(order), LONGEST))
    if order.trace:
        Path(order.trace).write_text("\n".join(crash.passed))


def main() -> None:
    for line in sys.stdin:
        order = Order(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                carry_out(order)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
