"""Pictures of every mode at three sizes; ``KIMERA_UPDATE_PICTURES=1`` takes new ones."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from kimera_tui.ui.app import KimeraApp
from tests.pictures.scenes import SCENES
from tests.ui.stage import SIZES, Stage, grid, settle, still

GOLDENS = Path(__file__).parent / "goldens"
SVG_SCENES = ("friends", "live_chain", "live_failed")


async def picture(scene: str, size: tuple[int, int]) -> tuple[str, str]:
    """The scene as a grid of text and as SVG."""
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await SCENES[scene](pilot, stage)
        await settle(pilot)
        still(app)
        app.tick()  # what the second's turn draws, which otherwise comes at any moment
        await settle(pilot)
        return grid(app) + "\n", app.export_screenshot(title="Kimera") + "\n"


def compare(path: Path, taken: str) -> None:
    if os.environ.get("KIMERA_UPDATE_PICTURES"):
        path.write_text(taken)
    golden = path.read_text() if path.exists() else ""
    diff = difflib.unified_diff(golden.split("\n"), taken.split("\n"), "golden", "taken", n=1)
    assert golden == taken, f"{path.name} looks different:\n" + "\n".join(diff)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", SCENES)
async def test_the_mode_looks_as_it_should(scene: str, size: tuple[int, int]) -> None:
    text, svg = await picture(scene, size)
    assert "hunter2" not in text
    compare(GOLDENS / f"{scene}-{size[0]}x{size[1]}.txt", text)
    if scene in SVG_SCENES and size == SIZES[1]:
        compare(GOLDENS / f"{scene}-{size[0]}x{size[1]}.svg", svg)
