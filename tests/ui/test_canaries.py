"""Declared secrets of every type, repeated by a task, are in nothing that the console shows."""

from __future__ import annotations

from typing import Any

import pytest

from kimera_tui.documents.calls import single
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.journal.event_codec import KINDS, decode, encode
from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.ui.app import KimeraApp
from tests.ui.stage import Stage, StageJournal, grid, settle

SECRETS: dict[str, Any] = {
    "word": "k9Qx2",
    "token": "canary-token-77e1",
    "pin": 60418827,
    "rate": 31.41592,
    "born": "1984-03-12",
    "card": {"no": 4111222233334444, "of": ["canary-leaf"]},
    "key": "canary-line-one\ncanary-line-two",
}
CANARIES = (
    "k9Qx2", "canary", "60418827", "60,418,827", "31.41592", "1984-03-12", "4111222233334444",
)  # fmt: skip


class Journaled(StageJournal):
    """Returns past runs as the file would."""

    async def events_of(self, run_id: str) -> list[Any]:
        packer, decoded = Packer(), []
        for event in await super().events_of(run_id):
            columns = {
                name: getattr(event, name)
                for name in ("at", "run_id", "path", "task_id")
                if hasattr(event, name)
            }
            if type(event).__name__ in KINDS:
                decoded.append(decode(type(event).__name__, encode(event, packer), columns))
        return decoded


def leaks(text: str) -> list[str]:
    """The canaries in a text, however it is wrapped."""
    joined = "".join(text.split())
    return [canary for canary in CANARIES if canary in text or canary in joined]


@pytest.mark.parametrize("ends", ["succeeded", "failed"])
async def test_no_screen_picture_or_copy_shows_a_declared_secret(ends: str) -> None:
    stage = Stage(journal=Journaled())
    app = KimeraApp(stage)
    repeated = {"again": [*SECRETS.values()], "said": str(SECRETS), "k9Qx2": f"{60418827:,}"}
    shown: list[str] = []
    async with app.run_test(size=(160, 50)) as pilot:
        await settle(pilot)
        params = TaskParams("reports", "render", kwargs={"day": "2026-11-28", **SECRETS})
        run_id = stage.runner.start(single(params, SECRETS.keys()))
        ((_, task),) = stage.plans[-1]
        await pilot.press("3")
        await settle(pilot)
        shown += (grid(app), app.export_screenshot())
        stage.sent(task)
        stage.started(task)
        if ends == "succeeded":
            stage.succeeded(task, repeated)
        else:
            stage.failed(task, "ValueError", str(repeated), f"Traceback: {repeated!r}")
        stage.ended(run_id, "" if ends == "succeeded" else str(repeated))
        await settle(pilot)
        for keys in (["y", "s"], ["o"], ["escape", "3", "v"], ["4"], ["enter"], ["y"]):
            await pilot.press(*keys)
            await settle(pilot)
            shown += (grid(app), app.export_screenshot(), app.clipboard)
        shown += (repr(act) for act in stage.acts)
    assert "••••" in app.clipboard
    assert any("2026-11-28" in text for text in shown)
    assert [(at, leaks(text)) for at, text in enumerate(shown) if leaks(text)] == []
