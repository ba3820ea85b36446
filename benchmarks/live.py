"""A para with the Live screen on the same loop, painted ten times a second."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from textual._compositor import CompositorUpdate

from benchmarks.ground import Ground, Lag, Stopwatch, manager, stub_worker
from kimera_tui import ui
from kimera_tui.cluster.monitor import Monitor
from kimera_tui.documents.calls import Para, Task, Workflow
from kimera_tui.execution.runner import Runner
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.process.task_params import TaskParams
from kimera_tui.ui.app import KimeraApp
from tests import quick_screen
from tests.ui.stage import Stage

SECONDS = 300.0


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows: the run alone, while its broker is observed, and with the screen on its loop, too."""
    count = int(10_000 * scale)
    quick_screen.paint_every_frame()
    rows = []
    with stub_worker(place):
        for observed, screen in ((False, False), (True, False), (True, True)):
            rows.append(asyncio.run(_measured(count, observed=observed, screen=screen)))
            place.client().flushall()
    return rows


class _Screen(KimeraApp):
    """The console; headless, but each frame is rendered down to the terminal's characters."""

    CSS_PATH = Path(ui.__file__).parent / "kimera.tcss"
    frames = 0

    def _display(self, screen: Any, renderable: Any) -> None:
        if isinstance(renderable, CompositorUpdate):
            self.frames += 1
            renderable.render_segments(self.console)
        super()._display(screen, renderable)


async def _measured(count: int, *, observed: bool, screen: bool) -> dict[str, Any]:
    console = manager()
    if not observed:
        return await _on_stage(console, count, screen=screen)
    monitor = Monitor(console, SystemClock(), embedded=False)
    observing = asyncio.create_task(monitor.run("bench"))
    try:
        row = await _on_stage(console, count, screen=screen)
    finally:
        observing.cancel()
        await asyncio.gather(observing, return_exceptions=True)
    return {**row, "way": f"{row['way']}, observed"}


async def _on_stage(console: TaskManager, count: int, *, screen: bool) -> dict[str, Any]:
    stage = Stage({})
    stage.bus, stage.clock = console.events, SystemClock()
    stage.runner = Runner(console, SystemClock())
    if not screen:
        return await _run(stage, count, None)
    app = _Screen(stage)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.switch_mode("live")
        await pilot.pause()
        return await _run(stage, count, app)


async def _seen(app: _Screen | None, run_id: str) -> None:
    """Wait until the screen has heard of the run's end."""
    while app is not None and app.state.run_index.runs[run_id].ended is None:
        if not app.is_running:
            raise RuntimeError("The console has crashed.")
        await asyncio.sleep(0.01)


async def _run(stage: Stage, count: int, app: _Screen | None) -> dict[str, Any]:
    """The second of two runs: the first one warms everything up."""
    row: dict[str, Any] = {}
    for tasks in (min(count, 500), count):
        steps = [Task(TaskParams("stub", "noop", args=[n], timeout=600)) for n in range(tasks)]
        workflow = Workflow("bench", Para(steps))
        before = app.frames if app else 0
        async with Lag() as lag:
            with Stopwatch() as watch:
                run_id = await stage.runs.start(workflow)
                await asyncio.wait_for(stage.runner.result(run_id), SECONDS)
                async with asyncio.timeout(SECONDS):
                    await _seen(app, run_id)
            await asyncio.sleep(0.3)
        row = {
            "way": "with the Live screen" if app else "no screen",
            "tasks": tasks,
            "seconds": round(watch.wall, 3),
            "CPU µs/task": round(watch.cpu / tasks * 1e6),
            **lag.ms(),
            "frames": app.frames - before if app else "",
        }
    await TaskManager().settle()
    return row
