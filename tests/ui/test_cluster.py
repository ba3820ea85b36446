"""Mode 5: the workers with what they told of themselves, and those that are gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.pilot import Pilot

from kimera_tui.cluster.events import ClusterSeen
from kimera_tui.cluster.view import AwayWorker, ClusterView, WorkerDetails
from kimera_tui.cluster.worker import WorkerState
from kimera_tui.ui.app import KimeraApp
from tests.ui.stage import NOON, Stage, grid, settle

ONLINE: Mapping[str, WorkerDetails] = {
    "w1@lab": WorkerDetails(NOON - 1, running=1, slots=4, processed=12_345, load=0.5),
    "w2@lab": WorkerDetails(NOON - 2, slots=2),
    "mute@lab": WorkerDetails(NOON - 3),
}
VIEW = ClusterView(
    at=NOON,
    queues={"w1@lab": frozenset({"jobs", "mail"}), "w2@lab": frozenset({"jobs"})},
    tasks={"w1@lab": frozenset({"a.b", "a.c"})},
    untold=frozenset({"mute@lab"}),
    without_pool=frozenset({"w2@lab"}),
    pools={"w1@lab": "prefork", "w2@lab": "prefork", "lost@lab": "threads"},
    details=ONLINE,
    running=1,
    away={
        "lost@lab": AwayWorker(WorkerState.LOST, NOON - 60, frozenset({"orders"}), held=5),
        "busy@lab": AwayWorker(WorkerState.SILENT, NOON - 20, may_be_busy=True),
        "left@lab": AwayWorker(WorkerState.STOPPED, NOON - 9, frozenset({"mail"})),
    },
)


async def shown(pilot: Pilot[Any], stage: Stage) -> list[str]:
    await settle(pilot)
    stage.publish(ClusterSeen(at=NOON, view=VIEW))
    await pilot.press("5")
    await settle(pilot)
    app = pilot.app
    assert isinstance(app, KimeraApp)
    return grid(app).split("\n")


def words(lines: list[str], worker: str) -> str:
    line = next(line for line in lines if worker in line)
    return " ".join(line.strip("│ ").split())


async def test_each_worker_is_listed_with_its_state_and_those_that_are_gone_come_first() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(160, 40)) as pilot:
        lines = await shown(pilot, stage)
        listed = [word for line in lines for word in line.split() if "@" in word]
        assert listed[:6] == ["busy@lab", "lost@lab", "mute@lab", "w1@lab", "w2@lab", "left@lab"]
        assert words(lines, "w1@lab") == (
            "● online w1@lab 1/4 prefork 12,345 2 0.50 1.0s ago jobs, mail"
        )
        assert words(lines, "w2@lab") == "✗ no pool w2@lab ?/2 prefork not told 2.0s ago jobs"
        assert words(lines, "mute@lab") == "● online mute@lab not told 3.0s ago not told"
        assert words(lines, "lost@lab") == "✗ lost lost@lab 5 in hand threads 07:59:00 had orders"
        assert words(lines, "busy@lab") == (
            "? silent busy@lab 07:59:40 its queues are not known"
            " (can't answer while it runs a task)"
        )
        assert words(lines, "left@lab") == "○ stopped left@lab 07:59:51 had mail"


async def test_the_status_line_names_what_is_missing_and_changes_its_colour() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(160, 40)) as pilot:
        lines = await shown(pilot, stage)
        assert "3 workers, 1 lost, 1 silent, 1 without a pool, 1 running" in lines[-2]
        line = pilot.app.screen.query_one("StatusLine")
        assert line.has_class("-warning")
        well = ClusterView(at=NOON, queues={"w1@lab": frozenset({"jobs"})})
        stage.publish(ClusterSeen(at=NOON, view=well))
        await settle(pilot)
        assert not line.has_class("-warning")


async def test_a_broker_that_can_not_be_asked_leaves_the_last_answers_and_says_why() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(160, 40)) as pilot:
        await shown(pilot, stage)
        gone = ClusterView(at=NOON, problem="The broker is not there.")
        stage.publish(ClusterSeen(at=NOON, view=gone))
        await settle(pilot)
        assert "w1@lab" in grid(pilot.app)
        assert "The broker is not there." in grid(pilot.app)
