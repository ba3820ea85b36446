"""``make screenshots``: pictures for the README, of the real console on its real demo."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import tests.conftest  # noqa: F401 - nothing of this machine's settings in the pictures
from kimera_tui.console.console import build_console
from kimera_tui.documents.document import Document
from kimera_tui.documents.store import open_workflow
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.friends.task_form import TaskForm
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.runs.run_screen import RunScreen
from tests.conftest import REPO
from tests.ui.stage import grid

FIRE = "the printer is on fire"
SIZE = (120, 36)
FOLDER = REPO / "screenshots"
PARA = Document.model_validate(
    {
        "name": "this and that",
        "steps": [
            {
                "id": "all_at_once",
                "para": [
                    {"id": "stats", "task": "calculator.stats", "kwargs": {"numbers": [3, 5, 8]}},
                    {"id": "retry", "task": "flaky.retry", "kwargs": {"times": 1}},
                    {"id": "print", "task": "flaky.fail", "kwargs": {"message": FIRE}},
                    {"id": "a_dict", "task": "echo.a_dict"},
                ],
            }
        ],
    }
)


async def until(condition: object, seconds: float = 30) -> None:
    """Wait until a call returns something true."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what the screen shows is no event
            await asyncio.sleep(0.1)


async def take() -> None:
    """Walk through the console and take a picture of each mode."""
    app = KimeraApp(build_console())
    async with app.run_test(size=SIZE) as pilot:

        def save(name: str) -> None:
            app.clear_notifications()
            (FOLDER / f"{name}.svg").write_text(app.export_screenshot(title="Kimera TUI") + "\n")

        async def press(*keys: str) -> None:
            await pilot.press(*keys)
            await asyncio.sleep(0.4)
            await pilot.pause()

        await until(lambda: app.state.vitals.view is not None and app.state.vitals.view.workers)
        await until(lambda: app.screen.query(TaskForm))
        await press()
        save("friends")
        stored = open_workflow(REPO / "workflows" / "daily-report.kimera.yaml")
        app.state.composer.open(stored.document, stored)
        await press("2", "ctrl+r")
        await press(*"2026-01-31", "ctrl+r")
        await press("tab")
        await until(lambda: app.state.vitals.in_flight == 1 and _progress(app) >= 1)
        await pilot.pause()
        save("live-chain")
        await until(lambda: not app.state.vitals.in_flight)
        await press("2", "G")
        await until(lambda: "last run" in grid(app))
        save("compose")
        await press("3")
        app.state.composer.open(PARA)
        await press("2")
        await press("ctrl+r")
        await until(lambda: any(run.ended for run in list(app.state.run_index.runs.values())[1:]))
        await press("tab", "down", "down", "down")
        show_a_public_traceback(app)
        save("live-failed")
        await press("t")
        save("live-timeline")
        await press("4")
        await press("enter")
        show_a_public_traceback(app)
        save("history")
        await press("5")
        assert isinstance(app.screen, ModeScreen)
        save("cluster")


def show_a_public_traceback(app: KimeraApp) -> None:
    """Where this machine has its files is nobody's business."""
    screen = app.screen
    assert isinstance(screen, RunScreen)
    step = screen.shown_step
    if step is not None and step.traceback:
        lines = step.traceback.splitlines()
        shown = [line for line in lines if "site-packages" not in line]
        text = "\n".join([lines[0], *shown[-3:]]).replace(str(REPO), "/srv/demo")
        failed = replace(step, traceback=text, cause=f"{step.cause} ")
        screen.output.show_step(failed, screen.shown_run)


def _progress(app: KimeraApp) -> float:
    steps = [step for run in app.state.run_index.runs.values() for step in run.steps.values()]
    return max((step.progress[0] for step in steps if step.progress), default=0)


if __name__ == "__main__":
    Path(FOLDER).mkdir(exist_ok=True)
    asyncio.run(take())
    sys.stdout.write(f"taken: {', '.join(sorted(path.name for path in FOLDER.glob('*.svg')))}\n")
