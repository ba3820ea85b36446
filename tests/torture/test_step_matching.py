"""Where the steps of a run that goes on are, on a real broker with a real worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kimera_tui.process.events import Noticed
from kimera_tui.runs.status import Status
from tests.process.redis.servers import Server
from tests.torture.lab import Zygote
from tests.torture.test_resume import Console, console, flow, step

IDLE = "nobody-consumes-this"


@pytest.fixture
def server(ground: tuple[Server, Zygote]) -> Server:
    ground[0].client().delete(IDLE)
    return ground[0]


async def left_at(path: Path, server: Server, *steps: Any, wanted: Status) -> str:
    """Run id of a run whose console left it with its first step in this status."""
    async with console(path, server.url()) as first:
        run_id = first.runner.start(flow(*steps))
        await first.until(run_id, "0", wanted)
    return run_id


async def whereabouts(here: Console) -> str:
    """The first notice."""
    while True:
        for event in here.mailbox.drain():
            here.index.apply_all([event])
            if isinstance(event, Noticed):
                return event.text
        await here.mailbox.wait()


async def test_a_step_in_its_queue_is_said_to_be_there(tmp_path: Path, server: Server) -> None:
    run_id = await left_at(tmp_path / "runs.db", server, step(friend="idle"), wanted=Status.QUEUED)
    async with console(tmp_path / "runs.db", server.url()) as second:
        assert (await second.runner.resume(run_id)).needs == []
        assert await whereabouts(second) == f"in queue {IDLE}, next in line"
        found = second.run(run_id).steps["0"]
        assert (found.status, found.cause) == (
            Status.QUEUED, f"in queue {IDLE}, next in line",
        )  # fmt: skip
        await second.runner.cancel(run_id)


async def test_a_step_that_runs_is_said_to_be_with_its_worker(
    tmp_path: Path, server: Server
) -> None:
    run_id = await left_at(tmp_path / "runs.db", server, step(pause=1.5), wanted=Status.QUEUED)
    async with console(tmp_path / "runs.db", server.url()) as second:
        resumed = await second.runner.resume(run_id)
        assert (resumed.watched, resumed.needs) == (1, [])
        assert (await whereabouts(second)).startswith("with worker torture@lab")
        assert (await second.ended(run_id)).status is Status.DONE


async def test_a_step_that_is_nowhere_is_uncertain(tmp_path: Path, server: Server) -> None:
    run_id = await left_at(tmp_path / "runs.db", server, step(friend="idle"), wanted=Status.QUEUED)
    server.client().delete(IDLE)
    async with console(tmp_path / "runs.db", server.url()) as second:
        [need] = (await second.runner.resume(run_id)).needs
        assert need == (
            "idle.step: it is in no queue and with no worker: one lost it, or the task stores"
            " no result."
        )
        run = await second.ended(run_id)
        assert run.steps["0"].status is Status.UNCERTAIN
