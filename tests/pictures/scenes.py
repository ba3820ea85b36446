"""What the pictures show: each scene brings a console into one state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot

from kimera_tui.cluster.events import ClusterSeen
from kimera_tui.cluster.view import AwayWorker, ClusterView, WorkerDetails
from kimera_tui.cluster.worker import WorkerState
from kimera_tui.documents.document import Document
from kimera_tui.process.events import Observed
from kimera_tui.runs.events import StepSkipped
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.friends.task_form import TaskForm
from tests.pictures.compose_scenes import COMPOSE_SCENES
from tests.ui.stage import NOON, Stage, settle

TRACEBACK = """Traceback (most recent call last):
  File "/srv/flaky/tasks.py", line 12, in fail
    raise ValueError(message)
ValueError: this task always fails
"""

NOBODY = "No worker consumes queue echo (0 of 2 workers)."
Scene = Callable[[Pilot[Any], Stage], Awaitable[None]]


async def friends(pilot: Pilot[Any], stage: Stage) -> None:
    """The tree, and the form of its first task."""


async def friends_wrong_field(pilot: Pilot[Any], stage: Stage) -> None:
    """A field that is wrong, with its sentence."""
    await pilot.press("enter")
    pilot.app.screen.query_one(TaskForm).fields[0].input.value = "forty"


async def compose_empty(pilot: Pilot[Any], stage: Stage) -> None:
    """Nothing composed yet."""
    await pilot.press("2")


async def compose_chain(pilot: Pilot[Any], stage: Stage) -> None:
    """A chain of three."""
    _draft(pilot)
    await pilot.press("2")
    await settle(pilot)
    await pilot.press("down")


async def live_empty(pilot: Pilot[Any], stage: Stage) -> None:
    """Nothing has run yet."""
    await pilot.press("3")


async def live_chain(pilot: Pilot[Any], stage: Stage) -> None:
    """A chain under way: one done, one with progress, one waiting."""
    _draft(pilot)
    await pilot.press("2")
    await settle(pilot)
    await pilot.press("ctrl+r")
    await settle(pilot)
    (_, fetch), (_, render), _ = stage.plans[0]
    rows = {"day": "2027-01-15", "rows": [4, 8, 15]}
    stage.clock.at += 0.25
    stage.sent(fetch)
    stage.started(fetch)
    stage.clock.at += 1
    stage.succeeded(fetch, rows)
    stage.sent(render, **rows)
    stage.started(render)
    stage.clock.at += 2.5
    stage.progress(render, 5, 8)
    await settle(pilot)
    await pilot.press("tab", "down")


async def live_failed(pilot: Pilot[Any], stage: Stage) -> None:
    """A failed task with its remote traceback."""
    para = {"id": "both", "para": [_call("flaky.fail"), _call("echo.a_dict")]}
    _compose(pilot, [para], "two at once")
    await pilot.press("2")
    await settle(pilot)
    await pilot.press("ctrl+r")
    await settle(pilot)
    (_, fail), (_, value) = stage.plans[-1]
    stage.sent(fail)
    stage.sent(value)
    stage.started(fail)
    stage.clock.at += 0.5
    stage.succeeded(value, {"name": "Ada", "born": 1815})
    stage.failed(fail, "ValueError", "this task always fails", TRACEBACK)
    app = pilot.app
    assert isinstance(app, KimeraApp)
    stage.ended(next(reversed(app.state.run_index.runs)), "flaky.fail failed")
    await settle(pilot)
    await pilot.press("o")


async def live_unknown(pilot: Pilot[Any], stage: Stage) -> None:
    """A task that ended with a result that nobody can read, and what needs it."""
    chain = {"id": "one", "chain": [_call("reports.fetch"), _call("reports.summarise")]}
    both = {"id": "both", "para": [chain, _call("echo.a_dict")]}
    _compose(pilot, [both], "daily report")
    await pilot.press("2")
    await settle(pilot)
    await pilot.press("ctrl+r")
    await settle(pilot)
    app = pilot.app
    assert isinstance(app, KimeraApp)
    run_id = next(reversed(app.state.run_index.runs))
    (_, fetch), (path, _), (_, value) = stage.plans[-1]
    stage.sent(fetch)
    stage.sent(value)
    stage.started(fetch)
    stage.clock.at += 0.5
    stage.succeeded(value, {"name": "Ada", "born": 1815})
    form = "the stored result seems to be a pickle, which Kimera does not read"
    stage.lost(fetch, f"it succeeded, but {form}")
    because = "step fetch ended and its result is unknown"
    skipped = StepSkipped(
        at=stage.clock.now(), run_id=run_id, path=path, because=f"{because}, so it cannot be sent"
    )
    stage.publish(skipped)
    stage.ended(run_id, f"summarise was not sent: {because}.")
    await settle(pilot)
    await pilot.press("o")


async def live_observed(pilot: Pilot[Any], stage: Stage) -> None:
    """Tasks in flight where they were seen: queued, held, silent, lost, delivered again."""
    steps = [_call("echo.a_dict") | {"id": f"s{number}"} for number in range(7)]
    _compose(pilot, [{"id": "all", "para": steps}], "seven at once")
    await pilot.press("2")
    await settle(pilot)
    await pilot.press("ctrl+r")
    await settle(pilot)
    tasks = [task for _, task in stage.plans[-1]]
    for task in tasks:
        stage.sent(task)
    stage.clock.at += 20
    at = stage.clock.now()
    sights: list[dict[str, Any]] = [
        {"where": "queued", "queue": "echo", "before": 3, "source": "queue"},
        {"where": "queued", "queue": "echo", "doubt": NOBODY, "source": "queue"},
        {"where": "held", "worker": "w1@vm", "phase": "reserved"},
        {"where": "held", "worker": "w2@vm", "phase": "running", "earlier": "w1@vm"},
        {"where": "silent", "worker": "w3@vm", "phase": "running", "since": at - 9},
        {"where": "lost", "worker": "w4@vm", "phase": "running", "since": at - 18},
        {"where": "unacked", "worker": "w4@vm", "back_at": at + 3600, "source": "queue"},
    ]
    for task, seen in zip(tasks, sights, strict=True):
        stage.publish(Observed(at=at, task_id=task.task_id, confirmed_at=at, **seen))
    await settle(pilot)
    await pilot.press("3", "down", "down", "down", "down", "down", "o")


async def live_timeline(pilot: Pilot[Any], stage: Stage) -> None:
    """The timeline of a chain under way, with what is usual."""
    app = pilot.app
    assert isinstance(app, KimeraApp)
    app.state.usual = {"reports.render": (4.0, 6.0)}
    await live_chain(pilot, stage)
    stage.clock.at += 0.5
    await pilot.press("t")


async def confirm_terminate(pilot: Pilot[Any], stage: Stage) -> None:
    """The question before a task is terminated."""
    await live_chain(pilot, stage)
    await pilot.press("T")


async def history(pilot: Pilot[Any], stage: Stage) -> None:
    """The failed run as the journal has it."""
    await live_failed(pilot, stage)
    await pilot.press("4")
    await settle(pilot)
    await pilot.press("enter")


async def history_replay(pilot: Pilot[Any], stage: Stage) -> None:
    """The ways to replay it."""
    await history(pilot, stage)
    await pilot.press("p")


async def cluster(pilot: Pilot[Any], stage: Stage) -> None:
    """The workers."""
    await pilot.press("5")


async def cluster_lost(pilot: Pilot[Any], stage: Stage) -> None:
    """A worker that is lost with what it had, one that is silent, and one that stopped."""
    away = {
        "w3@vm": AwayWorker(WorkerState.SILENT, NOON - 9, frozenset({"echo"}), held=1),
        "w4@vm": AwayWorker(WorkerState.LOST, NOON - 18, frozenset({"echo"}), held=5),
        "w5@vm": AwayWorker(WorkerState.STOPPED, NOON - 300, frozenset({"reports"})),
    }
    details = {"w1@vm": WorkerDetails(NOON - 1, 2, 2, 1204, 0.31, "5.7.0")}
    view = ClusterView(
        at=NOON,
        queues={"w1@vm": frozenset({"echo", "reports"})},
        tasks={"w1@vm": frozenset({"echo.a_dict"})},
        away=away,
        pools={"w1@vm": "prefork"},
        details=details,
        running=2,
    )
    stage.publish(ClusterSeen(at=NOON, view=view))
    await pilot.press("5")


async def keys(pilot: Pilot[Any], stage: Stage) -> None:
    """The list of keys."""
    await pilot.press("question_mark")


def _compose(pilot: Pilot[Any], steps: list[dict[str, Any]], name: str) -> None:
    app = pilot.app
    assert isinstance(app, KimeraApp)
    app.state.composer.open(Document.model_validate({"name": name, "steps": steps}))


def _call(task: str, **kwargs: Any) -> dict[str, Any]:
    return {"id": task.split(".")[1], "task": task, "kwargs": kwargs}


def _draft(pilot: Pilot[Any]) -> None:
    steps = [
        _call("reports.fetch", count=3),
        _call("reports.render", title="Daily", token="hunter2-canary"),
        _call("reports.summarise"),
    ]
    _compose(pilot, steps, "daily report")


SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (
        friends,
        friends_wrong_field,
        compose_empty,
        compose_chain,
        *COMPOSE_SCENES,
        live_empty,
        live_chain,
        live_failed,
        live_unknown,
        live_observed,
        live_timeline,
        confirm_terminate,
        history,
        history_replay,
        cluster,
        cluster_lost,
        keys,
    )
}
