"""The composer with a document of nearly 2,000 steps: from a key to the picture that it makes."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from textual import events
from textual._compositor import CompositorUpdate

from benchmarks.ground import Ground, Lag, spread
from kimera_tui import ui
from kimera_tui.config.friends import Friend
from kimera_tui.documents.document import MAX_STEPS, Document, all_steps
from kimera_tui.documents.store import save
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.compose.screen import ComposeScreen
from tests.ui.stage import Stage

KEYS = {
    "down": "one step down",
    "G g": "to the last step, and back",
    "j": "one step down",
    "c": "copy the step",
    "J": "move the step",
    "t": "chain to para",
    "d": "remove the step",
    "u": "undo",
    "ctrl+y": "redo",
}
TIMES = 10
QUIET = 0.5
"""Seconds after which a key's picture is complete: the step in full, and the problems."""


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows: opening the file, and each key; how long until the first picture of what it did."""
    document = document_of(int((MAX_STEPS - 10 * TIMES) * scale))
    path = place.folder / "large.kimera.yaml"
    save(document, path, None)
    return asyncio.run(_measured(path, sum(1 for _ in all_steps(document))))


def document_of(steps: int) -> Document:
    """Paras, each with a chain and four tasks, and look-ups in all of them."""
    groups: list[dict[str, Any]] = []
    for number in range(steps // 10):
        calls = [
            {
                "id": f"s{number}_{letter}",
                "task": "work.task",
                "kwargs": {"number": number, "day": "${{ inputs.day }}"},
            }
            for letter in "abcdefgh"
        ]
        chain = {"id": f"chain_{number}", "chain": calls[:4]}
        groups.append({"id": f"para_{number}", "para": [chain, *calls[4:]]})
    return Document.model_validate(
        {"name": "large", "inputs": {"day": {"type": "date"}}, "steps": groups}
    )


class _Console(KimeraApp):
    """The console; headless, but each frame is rendered down to the terminal's characters."""

    CSS_PATH = Path(ui.__file__).parent / "kimera.tcss"

    def __init__(self) -> None:
        super().__init__(Stage({"work": Friend(route="work", queue="work")}))
        self.painted = asyncio.Event()

    def _display(self, screen: Any, renderable: Any) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable.render_segments(self.console)
            self.painted.set()
        super()._display(screen, renderable)


async def _measured(path: Path, steps: int) -> list[dict[str, Any]]:
    app, rows = _Console(), []
    async with app.run_test(size=(200, 60)) as pilot:
        await app.switch_mode("compose")
        await pilot.pause()
        assert isinstance(app.screen, ComposeScreen)

        async def opening() -> None:
            await app.files.open(path)

        rows.append({"what": "open the file", "steps": steps, **await _row(app, opening)})
        for key, words in KEYS.items():
            row = await _row(app, _pressing(app, key.split()))
            rows.append({"what": f"{key}  {words}", "steps": steps, **row})
    return rows


def _pressing(app: KimeraApp, keys: Sequence[str]) -> Callable[[], Awaitable[None]]:
    """Presses a key, or several in turn."""
    turn = itertools.cycle(keys)

    async def press() -> None:
        key = next(turn)
        app.post_message(events.Key(key, key if len(key) == 1 else None))

    return press


async def _row(app: _Console, act: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    samples = []
    async with Lag() as lag:
        for _ in range(TIMES):
            await asyncio.sleep(QUIET)
            app.painted.clear()
            began = time.perf_counter()
            await act()
            await asyncio.wait_for(app.painted.wait(), 10)
            samples.append(time.perf_counter() - began)
        await asyncio.sleep(QUIET)
    shown = {f"ms {name}": value for name, value in spread(samples, 1e3).items() if name != "p99"}
    return {**shown, "longest turn ms": lag.ms()["lag max"]}
