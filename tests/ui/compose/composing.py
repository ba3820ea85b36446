"""The composer on a stage: keys typed as people type them, and what they made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from textual.pilot import Pilot
from textual.screen import ModalScreen

from kimera_tui.documents.document import Document, Step, TaskStep, children_of
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.compose import screen
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.screen import ComposeScreen
from tests.quick_screen import paint
from tests.ui.stage import Stage, grid, is_asking

TEXT = """\
# kept by hand
kimera: 1
name: nightly
steps:
  - id: one   # the first
    task: echo.nothing
  - id: two
    task: echo.a_dict
"""
"""A file of two steps, with comments."""

WORKING = (
    "launch", "history-find", "history-read", "replay-plan", "saved",
    "compose-rest", "compose-check", "compose-last", "do-yank", "do-save-value",
)  # fmt: skip
"""Groups of workers that end by themselves."""
KEY_NAMES = {" ": "space", "_": "underscore", ".": "full_stop", ",": "comma"}


class Composing:
    """A console in its composer."""

    def __init__(self, pilot: Pilot[Any], stage: Any) -> None:
        assert isinstance(pilot.app, KimeraApp)
        self.pilot, self.stage, self.app = pilot, stage, pilot.app

    @property
    def screen(self) -> ComposeScreen:
        """The composer, under whatever window is open."""
        below = self.app.screen_stack[0]
        assert isinstance(below, ComposeScreen)
        return below

    @property
    def document(self) -> Document:
        return self.app.state.composer.document

    @property
    def picture(self) -> str:
        return grid(self.app)

    @property
    def form(self) -> FormWindow[Any]:
        assert isinstance(self.app.screen, FormWindow), self.app.screen
        return self.app.screen

    @property
    def toasts(self) -> str:
        """All toasts that are up."""
        return "\n".join(toast.message for toast in self.app._notifications)

    @property
    def here(self) -> str:
        """Id of the step under the cursor; empty elsewhere."""
        step = self.screen.steps.row.step
        return step.id if step is not None else ""

    async def keys(self, *keys: str) -> None:
        """Press keys one after the other, and wait until what they did is on the screen."""
        for key in keys:
            await self.pilot.press(key)
            await self._done()
        await self.pilot.pause()
        self.app.flush()
        await self._done()
        await self.pilot.pause()
        paint(self.app)

    async def _done(self) -> None:
        """Wait for what was begun; what asks something itself has not ended before it is told."""
        async with asyncio.timeout(10):
            while self._is_busy():  # noqa: ASYNC110 - what runs is no event
                await asyncio.sleep(0.005)

    def _is_busy(self) -> bool:
        asks = isinstance(self.app.screen, ModalScreen)
        return self.app.typed_ahead.is_busy or any(
            worker.is_running and (worker.group in WORKING or (not asks and is_asking(worker)))
            for worker in self.app.workers
        )

    async def type(self, text: str) -> None:
        """Type a text into the field that has the focus, over what is selected in it."""
        await self.pilot.press(*(KEY_NAMES.get(each, each) for each in text))

    async def add(self, task: str, key: str = "a") -> None:
        """Add a task by typing its name into the picker."""
        await self.keys(key)
        await self.pick(task)

    async def pick(self, task: str) -> None:
        await self.type(task)
        await self.keys("enter")

    async def fill(self, **values: str) -> None:
        """Type into fields of the form that is open, and hand it over."""
        for name, value in values.items():
            self.form.fields[name.replace("__", " ").rstrip("_")].input.value = value
        await self.pilot.pause()
        await self.keys("ctrl+r")

    async def put(self, steps: list[dict[str, Any]], **more: Any) -> None:
        """Compose a document."""
        document = Document.model_validate({"name": "nightly", "steps": steps, **more})
        self.app.state.composer.open(document)
        await self.keys()


@asynccontextmanager
async def composer(
    folder: Path | None = None, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[Composing]:
    """A console in its composer, with real files in a folder if one is given."""
    stage = Stage() if folder is None else Stage(folder=folder)
    at_once = patch.multiple(screen, REST=0, CHECK_DELAY=0)
    begins_here = patch.object(KimeraApp, "DEFAULT_MODE", "compose")
    with at_once, begins_here:
        async with KimeraApp(stage).run_test(size=size) as pilot:
            it = Composing(pilot, stage)
            await it.keys()
            yield it


def call(task: str, step_id: str = "", **more: Any) -> dict[str, Any]:
    """A task's step; its id is the task's name."""
    return {"id": step_id or task.split(".")[1], "task": task, **more}


def shape(steps: list[Step]) -> list[Any]:
    """Ids as a tree: a group is its id with a list."""
    return [(s.id, shape(children_of(s))) if children_of(s) else s.id for s in steps]


def written(folder: Path, text: str = TEXT, name: str = "nightly") -> Path:
    """A file in a folder of workflows."""
    path = folder / f"{name}.kimera.yaml"
    path.write_text(text)
    return path


async def open_saved(it: Composing, name: str = "nightly") -> None:
    """Open a file from the picker."""
    await it.keys("o")
    await it.pick(name)


def step_of(it: Composing, index: int = 0) -> TaskStep:
    """A task at the top."""
    step = it.document.steps[index]
    assert isinstance(step, TaskStep)
    return step
