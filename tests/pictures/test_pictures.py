"""Golden pictures: each scene at each size, as text, and some as SVG where colour is the point.

``KIMERA_UPDATE_PICTURES=1`` takes them again.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kimera_tui.ui.app import KimeraApp
from tests.pictures.scenes import SCENES
from tests.ui.stage import SIZES, Stage, grid, settle, still

GOLDENS = Path(__file__).parent / "goldens"
SVG_SCENES = ("friends", "live_chain", "live_failed")

Size = tuple[int, int]


async def pictures(scene: str) -> AsyncIterator[tuple[Size, str, str]]:
    """The scene in a terminal that takes one size after the other, as text and as SVG."""
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=SIZES[0]) as pilot:
        await settle(pilot)
        await SCENES[scene](pilot, stage)
        await settle(pilot)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await settle(pilot)
            still(app)
            app.tick()  # what the second's turn draws, which otherwise comes at any moment
            await settle(pilot)
            yield size, grid(app) + "\n", app.export_screenshot(title="Kimera") + "\n"


def compare(path: Path, taken: str) -> str:
    """What differs from the golden picture; nothing if they are the same."""
    if os.environ.get("KIMERA_UPDATE_PICTURES"):
        path.write_text(taken)
    golden = path.read_text() if path.exists() else ""
    if golden == taken:
        return ""
    diff = difflib.unified_diff(golden.split("\n"), taken.split("\n"), "golden", "taken", n=1)
    return f"{path.name} looks different:\n" + "\n".join(diff)


@pytest.mark.parametrize("scene", SCENES)
async def test_the_mode_looks_as_it_should(scene: str) -> None:
    differences = []
    async for (width, height), text, svg in pictures(scene):
        assert "hunter2" not in text
        differences.append(compare(GOLDENS / f"{scene}-{width}x{height}.txt", text))
        if scene in SVG_SCENES and (width, height) == SIZES[1]:
            differences.append(compare(GOLDENS / f"{scene}-{width}x{height}.svg", svg))
    assert not any(differences), "\n\n".join(filter(None, differences))
